/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

/*
 * A table for a person's eyes: columns as wide as their widest cell, numbers to the right, the last
 * column cut at the terminal's edge instead of wrapped, columns that are empty in every row left
 * out. What comes from outside cannot steer the terminal: control characters are shown as '?'.
 */

#include "base/slice.h"
#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>

enum { TABLE_COLUMNS_MAX = 12 };

/* How a cell looks, where colours are on. */
enum table_look { TABLE_PLAIN, TABLE_HEAD, TABLE_GOOD, TABLE_BAD, TABLE_PART };

struct table_column {
    const char *head;
    bool is_number;
};

struct table_cell;

struct table {
    const struct table_column *columns;
    size_t n_columns;
    struct table_cell *cells; /* row by row */
    size_t n_cells, cap_cells;
    struct text bytes; /* of all cells */
};

/* What is printed to. */
struct table_style {
    bool is_coloured;
    size_t width; /* of the terminal; 0: no edge */
};

void table_init(struct table *table, const struct table_column *columns, size_t n_columns);
void table_deinit(struct table *table);
/* The next cell, from left to right and then from top to bottom. */
void table_cell(struct table *table, enum table_look look, struct slice value);
void table_printf(struct table *table, enum table_look look, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The heads and all rows; the last row is whole. Nothing where there is no row. */
void table_print(const struct table *table, const struct table_style *style, struct text *out);

/* Appends what comes from outside as a cell has it: C0, DEL and C1 are each a '?'. */
void table_harmless(struct text *out, struct slice value);
/* Bytes in a look, for text outside a table. */
void table_paint(const struct table_style *style, enum table_look look, struct slice value,
                 struct text *out);
/* Standard output as it is: a terminal with its width, NO_COLOR, TERM. */
struct table_style table_style_of_output(void);

#endif
