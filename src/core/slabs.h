/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SLABS_H
#define CORE_SLABS_H

/*
 * Slabs of counters (core/metric.h) that successive configurations of a process share, so that
 * counting goes on across reloads: each that counts in a slab takes it, and the last that leaves it
 * closes it. Loop 0 alone.
 */

#include "base/map.h"
#include "core/metric.h"
#include <stdint.h>

/* A slab, and how many living configurations count in it. */
struct shared_slab {
    struct metric_slab *slab;
    uint32_t n_users;
    struct slice key; /* "table object", owned */
};

struct slabs {
    struct board *board; /* borrowed */
    uint32_t n_loops;
    struct map map; /* key -> struct shared_slab */
};

void slabs_init(struct slabs *slabs, struct board *board, uint32_t n_loops, uint64_t seed);
/* At the end, when nobody takes or leaves one any more; what is still open stays on the board. */
void slabs_deinit(struct slabs *slabs);
/* One more user. NULL where the board has no room. */
struct shared_slab *slabs_take(struct slabs *slabs, const struct metric_table *table,
                               const char *object);
/* One user less; the last closes it. */
void slabs_leave(struct slabs *slabs, struct shared_slab *slab);

#endif
