/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_TALLIES_H
#define ADMIN_TALLIES_H

/*
 * All slabs of the board, read once and put together as tallies: the sums over loops and, where
 * several processes count the same object, over processes; each with the table that says what its
 * words mean. Slabs of tables that no module declares are left out.
 */

#include "base/arena.h"
#include "base/map.h"
#include "core/board.h"
#include "core/metric.h"
#include "core/module.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tally {
    const struct metric_table *table;
    const char *object;
    uint64_t *words; /* table->n_words */
};

enum {
    TALLIES_MAX = 65536, /* further ones are left out */
    TALLIES_TABLES_MAX = 64,
};

struct tallies {
    struct tally *items; /* in the order in which they were met */
    size_t n_items;
    const struct metric_table *tables[TALLIES_TABLES_MAX]; /* those that occur, likewise */
    size_t n_tables;
    struct map by_name; /* "table object" -> index in items, plus one */
};

/* The words and names live in the arena; tallies_deinit() frees the rest. */
void tallies_init(struct tallies *tallies, const struct board *board,
                  const struct module_table *table, struct arena *arena);
void tallies_deinit(struct tallies *tallies);
/* The tally of that table and object, or NULL. */
const struct tally *tallies_find(const struct tallies *tallies, const char *table,
                                 const char *object);
/*
 * The counter or gauge of that name: the row whose own label has that value, or, where label_value
 * is NULL, the sum over all rows of the name. 0 where there is none.
 */
uint64_t tally_value(const struct tally *tally, const char *name, const char *label_value);

#endif
