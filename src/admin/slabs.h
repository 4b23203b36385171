/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_SLABS_H
#define ADMIN_SLABS_H

/*
 * All slabs of the board, read once and put together: the sums over loops and, where several processes
 * count the same object, over processes; each with the table that says what its words mean. Slabs of
 * tables that no module declares are left out.
 */

#include "base/arena.h"
#include "base/map.h"
#include "core/board.h"
#include "core/metric.h"
#include "core/module.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slab {
    const struct metric_table *table;
    const char *object;
    uint64_t *words; /* table->n_words */
};

enum {
    SLABS_MAX = 65536, /* further ones are left out */
    SLABS_TABLES_MAX = 64,
};

struct slabs {
    struct slab *items; /* in the order in which they were met */
    size_t n_items;
    const struct metric_table *tables[SLABS_TABLES_MAX]; /* those that occur, likewise */
    size_t n_tables;
    struct map by_name; /* "table object" -> index in items, plus one */
};

/* The words and names live in the arena; slabs_deinit() frees the rest. */
void slabs_init(struct slabs *slabs, const struct board *board, const struct module_table *table,
                struct arena *arena);
void slabs_deinit(struct slabs *slabs);
/* The slab of that table and object, or NULL. */
const struct slab *slabs_find(const struct slabs *slabs, const char *table, const char *object);
/*
 * The counter or gauge of that name: the row whose own label has that value, or, where label_value is
 * NULL, the sum over all rows of the name. 0 where there is none.
 */
uint64_t slab_value(const struct slab *slab, const char *name, const char *label_value);

#endif
