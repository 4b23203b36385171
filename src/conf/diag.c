/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostics: collecting them, and the page that a person reads. The quoted line is cut to a
 * window around the mark where it is long; the line of marks repeats its tabs, so that both lines
 * come out alike whatever a terminal makes of a tab.
 */
#include "conf/diag.h"
#include "base/ascii.h"
#include "base/mem.h"
#include "conf/utf8.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW_COLUMNS = 96, /* of a quoted line */
    WINDOW_BEFORE = 40,  /* of them before the mark, at least where the line is cut */
};

void conf_diag_init(struct conf_diag *diag, struct arena *arena, const struct conf_files *files)
{
    *diag = (struct conf_diag){.arena = arena, .files = files};
}

static bool is_same_place(struct conf_at a, struct conf_at b)
{
    return a.file == b.file && a.line == b.line && a.column == b.column;
}

static bool is_told(const struct conf_diag *diag, enum conf_severity severity, struct conf_at at,
                    const char *text)
{
    for (size_t i = 0; i < diag->n_items; i++)
        if (diag->items[i].severity == severity && is_same_place(diag->items[i].at, at) &&
            strcmp(diag->items[i].text, text) == 0)
            return true;
    return false;
}

static void add(struct conf_diag *diag, enum conf_severity severity, struct conf_at at,
                const char *hint, const char *format, va_list args)
    __attribute__((format(printf, 5, 0)));

static void add(struct conf_diag *diag, enum conf_severity severity, struct conf_at at,
                const char *hint, const char *format, va_list args)
{
    struct text text = TEXT_NONE;
    text_vprintf(&text, format, args);
    if (!is_told(diag, severity, at, text_cstr(&text))) {
        diag->n_errors += severity == CONF_ERROR;
        diag->n_warnings += severity == CONF_WARNING;
        if (diag->n_items < CONF_DIAG_MAX)
            diag->items[diag->n_items++] = (struct conf_diag_item){
                .severity = severity,
                .at = at,
                .text = arena_dup(diag->arena, text_slice(&text)).ptr,
                .hint = hint ? arena_dup(diag->arena, slice_from(hint)).ptr : NULL};
    }
    text_deinit(&text);
}

void conf_add_error(struct conf_diag *diag, struct conf_at at, const char *hint, const char *format,
                    ...)
{
    va_list args;
    va_start(args, format);
    add(diag, CONF_ERROR, at, hint, format, args);
    va_end(args);
}

void conf_warning(struct conf_diag *diag, struct conf_at at, const char *hint, const char *format,
                  ...)
{
    va_list args;
    va_start(args, format);
    add(diag, CONF_WARNING, at, hint, format, args);
    va_end(args);
}

void conf_note(struct conf_diag *diag, struct conf_at at, const char *hint, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(diag, CONF_NOTE, at, hint, format, args);
    va_end(args);
}

/* ---- places ---- */

static const struct conf_file *file_of(const struct conf_files *files, struct conf_at at)
{
    return at.line && at.file < files->n_items ? &files->items[at.file] : NULL;
}

/* The line that `at` is on, without its end. */
static struct slice line_of(const struct conf_file *file, struct conf_at at)
{
    struct slice rest = file->bytes;
    for (uint32_t line = 1; line < at.line; line++)
        rest = slice_skip(rest, slice_find(rest, '\n') + 1);
    rest.len = slice_find(rest, '\n');
    if (rest.len && rest.ptr[rest.len - 1] == '\r')
        rest.len--;
    return rest;
}

/* The next character of a line; what is not UTF-8 counts as one a byte. */
static size_t next_char(struct slice rest, uint32_t *ret_char)
{
    size_t n = conf_utf8_next(rest, ret_char);
    if (n)
        return n;
    *ret_char = 0xfffd;
    return 1;
}

/* The column of a byte, counted in characters from 1 as editors do. */
static unsigned column_of(struct slice line, struct conf_at at)
{
    unsigned column = 1;
    uint32_t character;
    for (size_t i = 0; i < line.len && i + 1 < at.column; column++)
        i += next_char(slice_skip(line, i), &character);
    return column;
}

const char *conf_at_format(const struct conf_files *files, struct conf_at at, struct text *out)
{
    const struct conf_file *file = file_of(files, at);
    if (file)
        text_printf(out, "%.*s:%u:%u", SLICE_ARG(file->path), at.line,
                    column_of(line_of(file, at), at));
    else
        text_append(out, SLICE("the defaults"));
    return text_cstr(out);
}

/* ---- the quoted line ---- */

/* What of a line is shown: bytes from..to of it. */
struct window {
    size_t from, to;
};

/* The bytes of `line` behind `at` that fill up to n columns. */
static size_t forward(struct slice line, size_t at, size_t n)
{
    size_t columns = 0;
    while (at < line.len) {
        uint32_t character;
        size_t len = next_char(slice_skip(line, at), &character);
        columns += conf_utf8_width(character);
        if (columns > n)
            break;
        at += len;
    }
    return at;
}

/* n characters before `at`, on the boundary of one. */
static size_t backward(struct slice line, size_t at, size_t n)
{
    while (at > 0 && n-- > 0) {
        at--;
        while (at > 0 && ((unsigned char)line.ptr[at] & 0xc0) == 0x80)
            at--;
    }
    return at;
}

static struct window window_of(struct slice line, size_t mark)
{
    if (forward(line, 0, WINDOW_COLUMNS) == line.len)
        return (struct window){0, line.len};
    size_t end = forward(line, mark, WINDOW_COLUMNS - WINDOW_BEFORE);
    struct window window = {0, 0};
    if (mark > forward(line, 0, WINDOW_BEFORE))
        window.from = backward(line, mark, end == line.len ? WINDOW_BEFORE * 3 / 2 : WINDOW_BEFORE);
    window.to = forward(line, window.from, WINDOW_COLUMNS);
    return window;
}

/* A character as it is shown: control characters and what is not UTF-8 as `?`. */
static void show_char(struct text *out, struct slice bytes, uint32_t character)
{
    bool is_hidden = character == 0xfffd || (character < 0x20 && character != '\t') ||
                     (character >= 0x7f && character < 0xa0) ||
                     (character >= 0x202a && character <= 0x202e) ||
                     (character >= 0x2066 && character <= 0x2069);
    if (is_hidden)
        text_append_char(out, '?');
    else
        text_append(out, bytes);
}

static void show_line(struct text *out, struct slice line, struct window window)
{
    text_append(out, window.from ? SLICE("...") : SLICE(""));
    for (size_t i = window.from; i < window.to;) {
        uint32_t character;
        size_t n = next_char(slice_skip(line, i), &character);
        show_char(out, slice_make(line.ptr + i, n), character);
        i += n;
    }
    text_append(out, window.to < line.len ? SLICE("...") : SLICE(""));
    text_append_char(out, '\n');
}

static void show_marks(struct text *out, struct slice line, struct window window, struct conf_at at)
{
    size_t first = at.column - 1, last = first + (at.len ? at.len : 1);
    size_t i = window.from;
    uint32_t character;
    text_append(out, window.from ? SLICE("   ") : SLICE(""));
    while (i < window.to && i < first) {
        size_t n = next_char(slice_skip(line, i), &character);
        text_pad(out, character == '\t' ? '\t' : ' ',
                 character == '\t' ? 1 : conf_utf8_width(character));
        i += n;
    }
    text_append_char(out, '^');
    bool is_first = true;
    while (i < window.to && i < last) {
        size_t n = next_char(slice_skip(line, i), &character);
        size_t width = conf_utf8_width(character);
        text_pad(out, '~', is_first && width ? width - 1 : width);
        is_first = is_first && !width;
        i += n;
    }
    text_append_char(out, '\n');
}

static void show_place(struct text *out, struct slice line, struct conf_at at)
{
    size_t mark = at.column - 1 < line.len ? at.column - 1 : line.len;
    struct window window = window_of(line, mark);
    text_printf(out, "%5u | ", at.line);
    show_line(out, line, window);
    text_append(out, SLICE("      | "));
    show_marks(out, line, window, at);
}

/* ---- the page ---- */

static void show_item(const struct conf_diag *diag, const struct conf_diag_item *item,
                      struct text *out)
{
    static const char *const names[] = {
        [CONF_ERROR] = "error", [CONF_WARNING] = "warning", [CONF_NOTE] = "note"};
    const struct conf_file *file = file_of(diag->files, item->at);
    if (file) {
        conf_at_format(diag->files, item->at, out);
        text_append(out, SLICE(": "));
    }
    text_printf(out, "%s: %s\n", names[item->severity], item->text);
    if (file)
        show_place(out, line_of(file, item->at), item->at);
    if (item->hint)
        text_printf(out, "      = %s\n", item->hint);
}

static int compare_u32(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

/* By place; at one place in the order in which they were told, which is that of the array. */
static int compare_items(const void *left, const void *right)
{
    const struct conf_diag_item *a = *(const struct conf_diag_item *const *)left;
    const struct conf_diag_item *b = *(const struct conf_diag_item *const *)right;
    int order = compare_u32(a->at.line != 0, b->at.line != 0);
    if (order == 0)
        order = compare_u32(a->at.file, b->at.file);
    if (order == 0)
        order = compare_u32(a->at.line, b->at.line);
    if (order == 0)
        order = compare_u32(a->at.column, b->at.column);
    return order ? order : (a > b) - (a < b);
}

static void show_count(struct text *out, size_t n, const char *what)
{
    text_printf(out, "%zu %s%s", n, what, n == 1 ? "" : "s");
}

void conf_diag_print(const struct conf_diag *diag, struct text *out)
{
    const struct conf_diag_item *sorted[CONF_DIAG_MAX];
    size_t n_notes = 0;
    if (diag->n_items == 0)
        return; /* there is nothing to count either */
    for (size_t i = 0; i < diag->n_items; i++) {
        sorted[i] = &diag->items[i];
        n_notes += diag->items[i].severity == CONF_NOTE;
    }
    qsort(sorted, diag->n_items, sizeof(const struct conf_diag_item *), compare_items);
    for (size_t i = 0; i < diag->n_items; i++)
        show_item(diag, sorted[i], out);
    size_t n_shown = diag->n_items - n_notes;
    if (diag->n_errors)
        show_count(out, diag->n_errors, "error");
    if (diag->n_errors && diag->n_warnings)
        text_append(out, SLICE(", "));
    if (diag->n_warnings)
        show_count(out, diag->n_warnings, "warning");
    if (diag->n_errors + diag->n_warnings > n_shown)
        text_printf(out, ", of which %zu are shown", n_shown);
    if (diag->n_errors + diag->n_warnings)
        text_append_char(out, '\n');
}
