/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a row reads as a sentence, for messages and the manual: "member NAME HOST:PORT".
 */
#include "base/ascii.h"
#include "conf/loader.h"

const struct conf_word *conf_word_find(const struct conf_word *words, struct slice name)
{
    for (; words && words->name; words++)
        if (!(words->flags & CONF_ANY_NAME) && slice_is(name, words->name))
            return words;
    return NULL;
}

/* A text by what it is called, anything else by what it looks like. */
static void show_arg(const struct conf_word *arg, struct text *out)
{
    if (arg->type != CONF_STRING) {
        conf_usage_value(arg, out);
        return;
    }
    for (const char *at = arg->name; *at; at++)
        text_append_char(out, ascii_upper(*at));
}

static void show_args(const struct conf_word *row, struct text *out)
{
    const struct conf_word *arg = row->block ? row->block->args : NULL; /* planned ones have none */
    for (; arg && arg->name; arg++) {
        bool may_miss = (arg->flags & CONF_OPTIONAL) || arg->fallback;
        if (out->len)
            text_append_char(out, ' ');
        text_append(out, may_miss ? SLICE("[") : SLICE(""));
        show_arg(arg, out);
        text_append(out, arg->flags & CONF_REPEAT ? SLICE("...") : SLICE(""));
        text_append(out, may_miss ? SLICE("]") : SLICE(""));
    }
}

void conf_usage_word(const struct conf_word *row, struct text *out)
{
    struct text values = TEXT_NONE;
    if (row->type == CONF_CUSTOM) {
        text_append(out, slice_from(row->usage ? row->usage : row->name));
        return;
    }
    if (row->type == CONF_BLOCK)
        show_args(row, &values);
    else
        conf_usage_value(row, &values);
    if (!(row->flags & CONF_ANY_NAME))
        text_printf(out, "%s%s", row->name, values.len ? " " : "");
    text_append(out, text_slice(&values));
    text_deinit(&values);
}

const char *conf_usage(struct arena *arena, const struct conf_word *row)
{
    struct text out = TEXT_NONE;
    conf_usage_word(row, &out);
    const char *usage = arena_dup(arena, text_slice(&out)).ptr;
    text_deinit(&out);
    return usage;
}

const char *conf_usage_arg(struct arena *arena, const struct conf_word *arg)
{
    struct text out = TEXT_NONE;
    for (const char *at = arg->name; *at; at++)
        text_append_char(&out, ascii_lower(*at));
    const char *name = arena_dup(arena, text_slice(&out)).ptr;
    text_deinit(&out);
    return name;
}
