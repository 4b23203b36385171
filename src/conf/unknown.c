/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words that nobody knows. Most are a slip of the finger, and the nearest known word is the hint;
 * some are right but stand in the wrong block, and the hint names the block.
 */
#include "conf/loader.h"
#include "conf/unit.h"
#include <string.h>

enum { NAMES_MAX = 128, NAMES_SHOWN_MAX = 12, TABLES_DEPTH_MAX = 8 };

/* The words that could stand there, ended with a NULL. */
struct names {
    const char *items[NAMES_MAX + 1];
    size_t n_items;
};

static void add_name(struct names *names, const char *name)
{
    if (names->n_items < NAMES_MAX)
        names->items[names->n_items++] = name;
    names->items[names->n_items] = NULL;
}

static void add_words(struct names *names, const struct conf_word *words)
{
    for (; words && words->name; words++)
        if (!(words->flags & (CONF_PLANNED | CONF_ANY_NAME)))
            add_name(names, words->name);
}

/* ---- the nearest ---- */

/* One slip in a short word, two in a longer one. */
static unsigned slips_max(struct slice text)
{
    return text.len < 3 ? 0 : text.len < 6 ? 1 : 2;
}

/* `token` for token-file, `environment` for env: the only name that begins so, or is the begin. */
static const char *only_begin(struct slice text, const char *const *names)
{
    const char *only = NULL;
    for (; text.len >= 3 && *names; names++) {
        struct slice name = slice_from(*names);
        bool is_begin = slice_starts(name, text) || (name.len >= 3 && slice_starts(text, name));
        if (is_begin && only)
            return NULL;
        only = is_begin ? *names : only;
    }
    return only;
}

static const char *nearest(struct slice text, const char *const *names)
{
    const char *only = only_begin(text, names);
    const char *best = NULL;
    unsigned best_distance = slips_max(text) + 1;
    for (; *names; names++) {
        unsigned distance = slice_distance(text, slice_from(*names));
        if (distance < best_distance) {
            best = *names;
            best_distance = distance;
        }
    }
    return best ? best : only;
}

static const char *list_names(struct arena *arena, const char *const *names)
{
    struct text out = TEXT_NONE;
    size_t n = 0;
    text_append(&out, SLICE("known here: "));
    for (; n < NAMES_SHOWN_MAX && names[n]; n++)
        text_printf(&out, "%s%s", n ? ", " : "", names[n]);
    text_append(&out, names[n] ? SLICE(", ...") : SLICE(""));
    const char *hint = n ? arena_dup(arena, text_slice(&out)).ptr : NULL;
    text_deinit(&out);
    return hint;
}

static int tell(struct conf_load *load, const struct conf_token *token, const char *where,
                const char *hint)
{
    struct conf_quote q;
    return conf_error(load->diag, token->at, hint, "unknown word \"%s\"%s%s",
                      conf_quote(token->text, &q), where ? " in " : "", where ? where : "");
}

int conf_unknown(struct conf_load *load, const struct conf_token *token, const char *const *names,
                 const char *where)
{
    if (token->is_bad)
        return -1;
    const char *near = nearest(token->text, names);
    const char *hint = near ? arena_printf(load->arena, "did you mean \"%s\"?", near)
                            : list_names(load->arena, names);
    return tell(load, token, where, hint);
}

/* ---- the right word in the wrong place ---- */

/* The block of the tables in which a word of that name stands, or NULL. */
static const char *block_with(const struct conf_word *words, struct slice name, unsigned depth)
{
    for (; words && words->name && depth < TABLES_DEPTH_MAX; words++) {
        if (words->type != CONF_BLOCK || (words->flags & (CONF_PLANNED | CONF_ANY_NAME)))
            continue;
        if (conf_word_find(words->block->words, name))
            return words->name;
        const char *inner = block_with(words->block->words, name, depth + 1);
        if (inner)
            return inner;
    }
    return NULL;
}

static const char *home_of(const struct conf_load *load, struct slice name)
{
    for (size_t i = 0; i < load->n_sections; i++)
        if (conf_word_find(load->sections[i].words, name))
            return arena_printf(load->arena, "\"%.*s\" stands at the top of the file",
                                SLICE_ARG(name));
    for (size_t i = 0; i < load->n_sections; i++) {
        const char *block = block_with(load->sections[i].words, name, 0);
        if (block)
            return arena_printf(load->arena, "\"%.*s\" stands in %s", SLICE_ARG(name), block);
    }
    return NULL;
}

/* What is no slip of a finger, but the writing of another language. */
static const char *hint_of(struct slice text)
{
    if (slice_starts(text, SLICE("..")))
        return "a range is one word: 2..8, 10s..1h";
    if (memchr(text.ptr, '\'', text.len))
        return "the quote of this language is \"";
    return NULL;
}

/* ---- frames ---- */

static void collect(const struct conf_frame *frame, struct names *names)
{
    const struct conf_load *load = frame->walk->load;
    if (!frame->word) {
        for (size_t i = 0; i < load->n_sections; i++)
            add_words(names, load->sections[i].words);
        add_name(names, "defaults");
        add_name(names, "include");
        return;
    }
    for (; frame; frame = frame->outer)
        add_words(names, frame->words);
}

int conf_unknown_in(const struct conf_frame *frame, const struct conf_token *token)
{
    struct conf_load *load = frame->walk->load;
    struct names names = {.n_items = 0};
    struct conf_quote q;
    if (token->is_bad)
        return -1;
    if (frame->word)
        conf_object_note_unknown(load->arena, conf_object_of(frame->self));
    if (frame->word && !conf_words_exist(frame->words) && !frame->outer)
        return conf_error(load->diag, token->at, NULL, "\"%s\" is one word too many for %s",
                          conf_quote(token->text, &q), frame->word);
    if (token->is_quoted)
        return conf_error(load->diag, token->at, NULL,
                          "a quoted word is a value, and no value stands here");
    collect(frame, &names);
    const char *hint = hint_of(token->text);
    hint = hint ? hint : home_of(load, token->text);
    if (hint)
        return tell(load, token, frame->word, hint);
    return conf_unknown(load, token, names.items, frame->word);
}
