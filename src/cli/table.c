/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of text.
 */
#include "cli/table.h"

#include "base/mem.h"
#include <assert.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct table_cell {
    size_t off; /* in table->bytes */
    size_t len;
    size_t width; /* characters */
    enum table_look look;
};

static const char *const look_codes[] = {
    [TABLE_PLAIN] = "",   [TABLE_HEAD] = "1",  [TABLE_GOOD] = "32",
    [TABLE_BAD] = "1;31", [TABLE_PART] = "33",
};

static const size_t gap = 2; /* between columns */

void table_init(struct table *table, const struct table_column *columns, size_t n_columns)
{
    assert(n_columns > 0 && n_columns <= TABLE_COLUMNS_MAX);
    *table = (struct table){.columns = columns, .n_columns = n_columns};
}

void table_deinit(struct table *table)
{
    mem_free(table->cells);
    text_deinit(&table->bytes);
}

/* UTF-8 continuation bytes take no place of their own. */
static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t width_of(struct slice value)
{
    size_t n = 0;
    for (size_t i = 0; i < value.len; i++)
        n += !is_continuation(value.ptr[i]);
    return n;
}

/* C1 has the UTF-8 form 0xc2 and 0x80 to 0x9f. */
void table_harmless(struct text *out, struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        bool is_c1 = c == 0xc2 && i + 1 < value.len && (unsigned char)value.ptr[i + 1] < 0xa0;
        if (is_c1)
            i++;
        text_append_char(out, c < 0x20 || c == 0x7f || is_c1 ? '?' : value.ptr[i]);
    }
}

void table_cell(struct table *table, enum table_look look, struct slice value)
{
    if (table->n_cells == table->cap_cells) {
        table->cap_cells = table->cap_cells ? table->cap_cells * 2 : 64;
        table->cells = mem_realloc(table->cells, table->cap_cells * sizeof(*table->cells));
    }
    struct table_cell *cell = &table->cells[table->n_cells++];
    cell->off = table->bytes.len;
    cell->look = look;
    table_harmless(&table->bytes, value);
    cell->len = table->bytes.len - cell->off;
    cell->width = width_of(slice_make(table->bytes.ptr + cell->off, cell->len));
}

void table_printf(struct table *table, enum table_look look, const char *format, ...)
{
    struct text value = TEXT_NONE;
    va_list args;
    va_start(args, format);
    text_vprintf(&value, format, args);
    va_end(args);
    table_cell(table, look, text_slice(&value));
    text_deinit(&value);
}

void table_paint(const struct table_style *style, enum table_look look, struct slice value,
                 struct text *out)
{
    bool is_painted = style->is_coloured && look != TABLE_PLAIN && value.len;
    if (is_painted)
        text_printf(out, "\x1b[%sm", look_codes[look]);
    text_append(out, value);
    if (is_painted)
        text_append(out, SLICE("\x1b[0m"));
}

/* The first `width` characters, the last of them an ellipsis where something is missing. */
static void paint_cut(const struct table_style *style, const struct table_cell *cell,
                      struct slice value, size_t width, struct text *out)
{
    if (cell->width <= width) {
        table_paint(style, cell->look, value, out);
        return;
    }
    size_t n = 0, len = 0;
    while (len < value.len && (n < width - 1 || is_continuation(value.ptr[len])))
        n += !is_continuation(value.ptr[len++]);
    while (len < value.len && is_continuation(value.ptr[len]))
        len++;
    table_paint(style, cell->look, slice_make(value.ptr, len), out);
    text_append(out, SLICE("…"));
}

struct layout {
    size_t widths[TABLE_COLUMNS_MAX]; /* 0: left out */
    size_t last;                      /* the last column that is shown */
    size_t last_from;                 /* where it begins */
};

static struct layout layout_of(const struct table *table)
{
    struct layout layout = {.last = 0};
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t *width = &layout.widths[i % table->n_columns];
        *width = table->cells[i].width > *width ? table->cells[i].width : *width;
    }
    for (size_t i = 0; i < table->n_columns; i++) {
        size_t head = width_of(slice_from(table->columns[i].head));
        if (layout.widths[i] == 0)
            continue;
        layout.widths[i] = layout.widths[i] > head ? layout.widths[i] : head;
        layout.last = i;
    }
    for (size_t i = 0; i < layout.last; i++)
        layout.last_from += layout.widths[i] ? layout.widths[i] + gap : 0;
    return layout;
}

/* One cell in its column; no space behind the last one of a line. */
static void print_cell(const struct table *table, const struct table_style *style,
                       const struct layout *layout, size_t column, const struct table_cell *cell,
                       struct slice value, struct text *out)
{
    if (layout->widths[column] == 0)
        return;
    bool is_last = column == layout->last, is_number = table->columns[column].is_number;
    size_t fill = layout->widths[column] - cell->width;
    if (is_number)
        text_pad(out, ' ', fill);
    if (is_last && style->width > layout->last_from + 1)
        paint_cut(style, cell, value, style->width - layout->last_from, out);
    else
        table_paint(style, cell->look, value, out);
    if (!is_last)
        text_pad(out, ' ', (is_number ? 0 : fill) + gap);
}

static void end_line(struct text *out)
{
    while (out->len && out->ptr[out->len - 1] == ' ')
        out->len--;
    text_append_char(out, '\n');
}

void table_print(const struct table *table, const struct table_style *style, struct text *out)
{
    assert(table->n_cells % table->n_columns == 0);
    if (table->n_cells == 0)
        return;
    struct layout layout = layout_of(table);
    for (size_t i = 0; i < table->n_columns; i++) {
        struct slice head = slice_from(table->columns[i].head);
        struct table_cell cell = {.width = width_of(head), .look = TABLE_HEAD};
        print_cell(table, style, &layout, i, &cell, head, out);
    }
    end_line(out);
    for (size_t i = 0; i < table->n_cells; i++) {
        const struct table_cell *cell = &table->cells[i];
        size_t column = i % table->n_columns;
        print_cell(table, style, &layout, column, cell,
                   slice_make(text_cstr(&table->bytes) + cell->off, cell->len), out);
        if (column + 1 == table->n_columns)
            end_line(out);
    }
}

struct table_style table_style_of_output(void)
{
    struct table_style style = {.is_coloured = false};
    if (!isatty(STDOUT_FILENO))
        return style;
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    style.is_coloured = !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        style.width = size.ws_col;
    return style;
}
