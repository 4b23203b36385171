/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference for weir.conf(5), written from the rows in mdoc: each word with its values, its
 * sentence, its bounds, its default and when a change takes effect.
 */
#include "conf/loader.h"
#include "conf/unit.h"
#include <string.h>

enum { LINE_MAX_BYTES = 72 };

static void list_words(const struct conf_word *words, struct text *out);

/* Text within mdoc, where a backslash, and a dot or a quote at the start, would mean something. */
static void show_text(struct text *out, const char *text)
{
    for (const char *at = text; *at; at++) {
        if (at == text && (*at == '.' || *at == '\''))
            text_append(out, SLICE("\\&"));
        if (*at == '\\')
            text_append(out, SLICE("\\e"));
        else if (*at == '"')
            text_append(out, SLICE("\\(dq"));
        else
            text_append_char(out, *at);
    }
}

static void show_row_usage(const struct conf_word *row, struct text *out)
{
    struct text usage = TEXT_NONE;
    conf_usage_word(row, &usage);
    text_append(out, SLICE(".It Li \""));
    show_text(out, text_cstr(&usage));
    text_append(out, SLICE("\"\n"));
    text_deinit(&usage);
}

static void show_bounds(const struct conf_word *row, struct text *out)
{
    void (*show)(struct text *, int64_t) = NULL;
    if (!row->min && !row->max)
        return;
    if (row->type == CONF_TIME || row->type == CONF_TIMES || row->type == CONF_PERIOD)
        show = conf_unit_show_time;
    else if (row->type == CONF_SIZE)
        show = conf_unit_show_size;
    text_append(out, SLICE("From "));
    if (show) {
        show(out, row->min);
        text_append(out, SLICE(" to "));
        show(out, row->max);
    } else {
        text_printf(out, "%lld to %lld", (long long)row->min, (long long)row->max);
    }
    text_append(out, SLICE(".\n"));
}

static void show_flags(const struct conf_word *row, struct text *out)
{
    show_bounds(row, out);
    if (row->fallback) {
        text_append(out, SLICE("Default: "));
        show_text(out, row->fallback);
        text_append(out, SLICE(".\n"));
    }
    if (row->flags & CONF_REQUIRED)
        text_append(out, SLICE("Required.\n"));
    if (row->flags & CONF_REPEAT)
        text_append(out, SLICE("May be given several times.\n"));
    if (row->flags & CONF_PLANNED)
        text_append(out, SLICE("Not part of this version yet.\n"));
    if (row->apply == CONF_RESTART)
        text_append(out, SLICE("A change takes effect at the next start.\n"));
}

/* How much of the text goes on one line: a sentence, or as many of its words as there is room. */
static size_t line_of(struct slice text)
{
    size_t len = 0;
    for (size_t i = 1; i < text.len; i++) {
        if (text.ptr[i] != ' ')
            continue;
        if (len && i > LINE_MAX_BYTES)
            return len;
        len = i;
        if (text.ptr[i - 1] == '.')
            return len;
    }
    return len && text.len > LINE_MAX_BYTES ? len : text.len;
}

/* A row's sentences, with the full stop that most rows leave out; each begins a line, and no line
 * is longer than mdoc wants it. */
static void show_doc(const char *doc, struct text *out)
{
    if (!doc || !*doc)
        return;
    for (struct slice rest = slice_from(doc); rest.len;) {
        size_t len = line_of(rest);
        struct text line = TEXT_NONE;
        text_append(&line, slice_make(rest.ptr, len));
        show_text(out, text_cstr(&line));
        text_deinit(&line);
        rest = slice_skip(rest, len < rest.len ? len + 1 : len);
        if (rest.len)
            text_append_char(out, '\n');
    }
    text_append(out, doc[strlen(doc) - 1] == '.' ? SLICE("\n") : SLICE(".\n"));
}

static void show_choices(const struct conf_word *row, struct text *out)
{
    if (row->type != CONF_CHOICE)
        return;
    text_append(out, SLICE(".Bl -tag -width Ds -compact\n"));
    for (const struct conf_choice *choice = row->choices; choice->name; choice++) {
        text_append(out, SLICE(".It Li "));
        show_text(out, choice->name);
        text_append_char(out, '\n');
        show_doc(choice->doc, out);
        if (choice->is_planned)
            text_append(out, SLICE("Not part of this version yet.\n"));
    }
    text_append(out, SLICE(".El\n"));
}

static void list_args(const struct conf_word *args, struct text *out)
{
    if (!args || !args->name)
        return;
    text_append(out, SLICE(".Bl -tag -width Ds\n"));
    for (; args->name; args++) {
        text_append(out, SLICE(".It Ar "));
        show_text(out, args->name);
        text_append_char(out, '\n');
        show_doc(args->doc, out);
        show_flags(args, out);
        show_choices(args, out);
    }
    text_append(out, SLICE(".El\n"));
}

static void show_row(const struct conf_word *row, struct text *out)
{
    show_row_usage(row, out);
    show_doc(row->doc, out);
    show_flags(row, out);
    show_choices(row, out);
    if (row->type == CONF_BLOCK && row->block) {
        list_args(row->block->args, out);
        list_words(row->block->words, out);
    }
}

static void list_words(const struct conf_word *words, struct text *out)
{
    if (!words || !words->name)
        return;
    text_append(out, SLICE(".Bl -tag -width Ds\n"));
    for (; words->name; words++)
        show_row(words, out);
    text_append(out, SLICE(".El\n"));
}

void conf_print_manual(const struct conf_section *sections, size_t n_sections, struct text *out)
{
    for (size_t i = 0; i < n_sections; i++) {
        if (!sections[i].words || !sections[i].words->name)
            continue;
        text_append(out, SLICE(".Ss "));
        show_text(out, sections[i].module);
        text_append_char(out, '\n');
        list_words(sections[i].words, out);
    }
}
