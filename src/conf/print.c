/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole configuration with every default written out. It walks the same rows as the reading did
 * and writes each value of the structs in the form that reads back as the same value: blocks in
 * braces, a word a line. What `defaults` and includes supplied stands where it took effect.
 * Sentences of their own (CONF_CUSTOM) are repeated from the places where they were read.
 */
#include "conf/print.h"

#include "base/ascii.h"
#include "conf/loader.h"
#include "conf/unit.h"
#include <string.h>

struct printer {
    struct text *out;
    size_t depth;
};

static void print_rows(struct printer *printer, const struct conf_block *block, void *self);

static void start_line(struct printer *printer)
{
    text_pad(printer->out, ' ', printer->depth * 4);
}

static void end_line(struct printer *printer)
{
    text_append_char(printer->out, '\n');
}

/* ---- text ---- */

static bool is_plain_char(char c)
{
    bool is_word =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || ascii_is_digit(c) || c == '_';
    return is_word || (c && strchr(".:/@%+,=*-[]<>!?&()|~^'", c));
}

static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_plain_char(text.ptr[i]))
            return false;
    return text.len > 0;
}

static void print_quoted(struct text *out, struct slice text)
{
    text_append_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '"' || c == '\\' || c == '$')
            text_append_char(out, '\\');
        if (c == '\n')
            text_append(out, SLICE("\\n"));
        else if (c == '\t')
            text_append(out, SLICE("\\t"));
        else
            text_append_char(out, c);
    }
    text_append_char(out, '"');
}

/* A token that reads back as the same text and is not taken for one of `words`. */
static void print_text(struct text *out, struct slice text, const struct conf_word *words)
{
    if (is_plain(text) && !conf_word_find(words, text))
        text_append(out, text);
    else
        print_quoted(out, text);
}

/* ---- values ---- */

static void print_times(struct text *out, const struct conf_range *range)
{
    conf_unit_show_time(out, range->low);
    text_append(out, SLICE(".."));
    conf_unit_show_time(out, range->high);
}

static void print_ints(struct text *out, const struct conf_range *range)
{
    text_printf(out, "%lld", (long long)range->low);
    if (range->high != range->low)
        text_printf(out, "..%lld", (long long)range->high);
}

static void print_net(struct text *out, const struct addr_net *net)
{
    char text[ADDR_TEXT_MAX];
    text_printf(out, "%s/%u", addr_format_ip(&net->base, text), net->n_bits);
}

static void print_choice(struct text *out, const struct conf_word *row, int value)
{
    const struct conf_choice *choice = row->choices;
    while (choice->name && choice->value != value)
        choice++;
    text_append(out, slice_from(choice->name));
}

/* One value of the row's type; `words` are those that the block's line could take it for. */
static void print_value(struct text *out, const struct conf_word *row, const void *value,
                        const struct conf_word *words)
{
    switch (row->type) {
    case CONF_COUNT:
        if (*(const int64_t *)value == 0) {
            text_append(out, SLICE("auto"));
            break;
        }
        text_printf(out, "%lld", (long long)*(const int64_t *)value);
        break;
    case CONF_INT:
    case CONF_STATUS:
        text_printf(out, "%lld", (long long)*(const int64_t *)value);
        break;
    case CONF_PERCENT:
        text_printf(out, "%lld%%", (long long)*(const int64_t *)value);
        break;
    case CONF_PERIOD:
        if (*(const int64_t *)value == 0) {
            text_append(out, SLICE("auto"));
            break;
        }
        conf_unit_show_time(out, *(const int64_t *)value);
        break;
    case CONF_TIME:
        conf_unit_show_time(out, *(const int64_t *)value);
        break;
    case CONF_SIZE:
        conf_unit_show_size(out, *(const int64_t *)value);
        break;
    case CONF_NAME:
    case CONF_STRING:
    case CONF_PATH:
        print_text(out, *(const struct slice *)value, words);
        break;
    case CONF_REF:
        print_text(out, ((const struct conf_ref *)value)->name, words);
        break;
    case CONF_CHOICE:
        print_choice(out, row, *(const int *)value);
        break;
    case CONF_ADDR:
    case CONF_ENDPOINT:
    case CONF_IP:
        print_text(out, ((const struct conf_addr *)value)->text, words);
        break;
    case CONF_NET:
        print_net(out, value);
        break;
    case CONF_IP_IN:
        print_text(out, ((const struct conf_ip_in *)value)->ip.text, words);
        break;
    case CONF_INTS:
    case CONF_STATUSES:
        print_ints(out, value);
        break;
    case CONF_TIMES:
        print_times(out, value);
        break;
    case CONF_RATE:
        conf_unit_show_rate(out, ((const struct conf_rate *)value)->count,
                            ((const struct conf_rate *)value)->per_ms);
        break;
    case CONF_FLAG:
    case CONF_BLOCK:
    case CONF_CUSTOM:
    case CONF_N_TYPES:
        break;
    }
}

/* ---- sentences of their own ---- */

static void print_token(struct text *out, const struct conf_token *token)
{
    if (token->is_quoted)
        print_quoted(out, token->text);
    else
        print_text(out, token->text, NULL);
}

static void print_stmt(struct printer *printer, const struct conf_stmt *stmt, size_t first,
                       size_t end)
{
    start_line(printer);
    for (size_t i = first; i < end; i++) {
        if (i > first)
            text_append_char(printer->out, ' ');
        print_token(printer->out, &stmt->tokens[i]);
    }
    if (stmt->has_block && first == 0) {
        text_append(printer->out, SLICE(" {\n"));
        printer->depth++;
        for (size_t i = 0; i < stmt->n_children; i++)
            print_stmt(printer, stmt->children[i], 0, stmt->children[i]->n_tokens);
        printer->depth--;
        start_line(printer);
        text_append_char(printer->out, '}');
    }
    end_line(printer);
}

void conf_print_token(struct slice token, struct text *out)
{
    print_text(out, token, NULL);
}

void conf_print_line(const struct conf_stmt *stmt, size_t first, struct text *out)
{
    for (size_t i = first; i < stmt->n_tokens; i++) {
        if (i > first)
            text_append_char(out, ' ');
        print_token(out, &stmt->tokens[i]);
    }
    if (!stmt->has_block)
        return;
    text_append(out, SLICE(" {"));
    for (size_t i = 0; i < stmt->n_children; i++) {
        text_append(out, i ? SLICE("; ") : SLICE(" "));
        conf_print_line(stmt->children[i], 0, out);
    }
    text_append(out, SLICE(" }"));
}

static void print_custom(struct printer *printer, const struct conf_word *word, void *self)
{
    const struct conf_places *places = conf_object_of(self)->places;
    for (const struct conf_place *place = places ? places->first : NULL; place; place = place->next)
        if (place->word == word)
            print_stmt(printer, place->stmt, place->first, place->end);
}

/* ---- blocks ---- */

static bool has_value(const struct conf_word *row, void *self)
{
    return row->fallback || conf_place_find(conf_object_of(self), row);
}

static void print_arg_list(struct printer *printer, const struct conf_word *arg,
                           const struct conf_list *list, const struct conf_word *words)
{
    for (size_t i = 0; i < list->n_items; i++) {
        text_append_char(printer->out, ' ');
        print_value(printer->out, arg, list->items[i], words);
    }
}

static void print_args(struct printer *printer, const struct conf_word *word, void *self)
{
    bool is_first = word->flags & CONF_ANY_NAME;
    for (const struct conf_word *arg = word->block->args; arg && arg->name; arg++) {
        if (!has_value(arg, self))
            break;
        if (arg->flags & CONF_REPEAT) {
            print_arg_list(printer, arg, conf_member(self, arg), word->block->words);
            break;
        }
        if (!is_first)
            text_append_char(printer->out, ' ');
        is_first = false;
        print_value(printer->out, arg, conf_member(self, arg), word->block->words);
    }
}

static void print_block(struct printer *printer, const struct conf_word *word, void *self)
{
    start_line(printer);
    if (!(word->flags & CONF_ANY_NAME))
        text_append(printer->out, slice_from(word->name));
    print_args(printer, word, self);
    if (conf_words_exist(word->block->words)) {
        text_append(printer->out, SLICE(" {\n"));
        printer->depth++;
        print_rows(printer, word->block, self);
        printer->depth--;
        start_line(printer);
        text_append_char(printer->out, '}');
    }
    end_line(printer);
}

/* An embedded block without a positional value that it must have was not written, and cannot be. */
static bool is_printable(const struct conf_word *word, void *self)
{
    for (const struct conf_word *arg = word->block->args; arg && arg->name; arg++)
        if (!(arg->flags & CONF_OPTIONAL) && !has_value(arg, self))
            return false;
    return true;
}

static void print_word(struct printer *printer, const struct conf_word *word, const void *value)
{
    start_line(printer);
    text_printf(printer->out, "%s ", word->name);
    print_value(printer->out, word, value, NULL);
    end_line(printer);
}

static void print_list(struct printer *printer, const struct conf_word *word,
                       const struct conf_list *list)
{
    for (size_t i = 0; i < list->n_items; i++)
        if (word->type == CONF_BLOCK)
            print_block(printer, word, list->items[i]);
        else
            print_word(printer, word, list->items[i]);
}

static void print_row(struct printer *printer, const struct conf_word *word, void *self)
{
    void *member = conf_member(self, word);
    if (word->flags & CONF_PLANNED)
        return;
    if (word->type == CONF_CUSTOM) {
        print_custom(printer, word, self);
    } else if (word->flags & CONF_REPEAT) {
        print_list(printer, word, member);
    } else if (word->type == CONF_BLOCK && (word->flags & CONF_EMBED)) {
        if (is_printable(word, member))
            print_block(printer, word, member);
    } else if (word->type == CONF_BLOCK) {
        if (*(void **)member)
            print_block(printer, word, *(void **)member);
    } else if (word->type == CONF_FLAG) {
        if (!*(const bool *)member)
            return;
        start_line(printer);
        text_append(printer->out, slice_from(word->name));
        end_line(printer);
    } else if (has_value(word, self)) {
        print_word(printer, word, member);
    }
}

static void print_rows(struct printer *printer, const struct conf_block *block, void *self)
{
    for (const struct conf_word *word = block->words; word->name; word++)
        if (!block->has_word || block->has_word(self, word))
            print_row(printer, word, self);
}

void conf_print_full(const struct conf_section *sections, size_t n_sections,
                     const struct conf_stmt *root, struct text *out)
{
    struct printer printer = {.out = out};
    (void)root; /* the objects know their statements */
    for (size_t i = 0; i < n_sections; i++)
        for (const struct conf_word *word = sections[i].words; word && word->name; word++)
            print_row(&printer, word, sections[i].self);
}

/* ---- one by one ---- */

struct shower {
    conf_shown_fn *fn;
    void *ctx;
    struct text path, value;
};

static void show_rows(struct shower *shower, const struct conf_block *block, void *self);

/* Tells what stands in shower->value, and forgets it. */
static void show(struct shower *shower, const struct conf_place *place)
{
    const struct conf_shown shown = {.path = text_slice(&shower->path),
                                     .value = text_slice(&shower->value),
                                     .at = place ? place->at : (struct conf_at){.line = 0},
                                     .is_set = place != NULL};
    shower->fn(shower->ctx, &shown);
    text_clear(&shower->value);
}

static void show_custom(struct shower *shower, const struct conf_word *word, void *self)
{
    const struct conf_places *places = conf_object_of(self)->places;
    for (const struct conf_place *place = places ? places->first : NULL; place;
         place = place->next) {
        if (place->word != word)
            continue;
        for (size_t i = place->first + 1; i < place->end; i++) {
            if (i > place->first + 1)
                text_append_char(&shower->value, ' ');
            print_token(&shower->value, &place->stmt->tokens[i]);
        }
        show(shower, place);
    }
}

static void show_block(struct shower *shower, const struct conf_word *word, void *self)
{
    const struct conf_word *args = word->block->args;
    if (args && args->name) {
        struct text line = TEXT_NONE; /* a space before each */
        struct printer printer = {.out = &line};
        print_args(&printer, word, self);
        text_append(&shower->value, slice_trim(text_slice(&line)));
        text_deinit(&line);
        show(shower, conf_place_find(conf_object_of(self), args));
    }
    if (conf_words_exist(word->block->words))
        show_rows(shower, word->block, self);
}

/* The next place of the row behind `place`, which may be NULL. */
static const struct conf_place *next_place(const struct conf_place *place,
                                           const struct conf_word *word)
{
    do
        place = place ? place->next : NULL;
    while (place && place->word != word);
    return place;
}

static void show_list(struct shower *shower, const struct conf_word *word, void *self)
{
    const struct conf_list *list = conf_member(self, word);
    const struct conf_place *place = conf_place_find(conf_object_of(self), word);
    for (size_t i = 0; i < list->n_items; i++, place = next_place(place, word)) {
        if (word->type == CONF_BLOCK) {
            show_block(shower, word, list->items[i]);
            continue;
        }
        print_value(&shower->value, word, list->items[i], NULL);
        show(shower, place);
    }
}

static void show_row(struct shower *shower, const struct conf_word *word, void *self)
{
    void *member = conf_member(self, word);
    bool is_embedded = word->flags & CONF_EMBED;
    if (word->type == CONF_CUSTOM) {
        show_custom(shower, word, self);
    } else if (word->flags & CONF_REPEAT) {
        show_list(shower, word, self);
    } else if (word->type == CONF_BLOCK) {
        void *inner = is_embedded ? member : *(void **)member;
        if (inner && (!is_embedded || is_printable(word, inner)))
            show_block(shower, word, inner);
    } else {
        if (word->type == CONF_FLAG && *(const bool *)member)
            text_append(&shower->value, SLICE("yes"));
        else if (has_value(word, self))
            print_value(&shower->value, word, member, NULL);
        show(shower, conf_place_find(conf_object_of(self), word));
    }
}

static void show_rows(struct shower *shower, const struct conf_block *block, void *self)
{
    size_t len = shower->path.len;
    for (const struct conf_word *word = block->words; word->name; word++) {
        if ((word->flags & CONF_PLANNED) || (block->has_word && !block->has_word(self, word)))
            continue;
        text_printf(&shower->path, "%s%s", len > 0 ? " " : "", word->name);
        show_row(shower, word, self);
        shower->path.len = len;
    }
}

void conf_print_values(const struct conf_block *block, void *self, conf_shown_fn *fn, void *ctx)
{
    struct shower shower = {.fn = fn, .ctx = ctx, .path = TEXT_NONE, .value = TEXT_NONE};
    if (conf_words_exist(block->words))
        show_rows(&shower, block, self);
    text_deinit(&shower.path);
    text_deinit(&shower.value);
}
