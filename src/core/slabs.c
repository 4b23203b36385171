/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Slabs of counters that successive configurations share, so that counting goes on across reloads.
 */

#include "core/slabs.h"

#include "base/mem.h"
#include "base/text.h"
#include <assert.h>

void slabs_init(struct slabs *slabs, struct board *board, uint32_t n_loops, uint64_t seed)
{
    slabs->board = board;
    slabs->n_loops = n_loops;
    map_init(&slabs->map, seed, false);
}

void slabs_deinit(struct slabs *slabs)
{
    map_deinit(&slabs->map);
}

struct shared_slab *slabs_take(struct slabs *slabs, const struct metric_table *table,
                               const char *object)
{
    struct text key = TEXT_NONE;
    text_printf(&key, "%s %s", table->name, object);
    struct shared_slab *slab = map_get(&slabs->map, text_slice(&key));
    if (!slab) {
        /* The first user in this process that wants it: what stands in its gauges is from a
         * former life. */
        struct metric_slab *opened = metric_open(slabs->board, table, object, slabs->n_loops, true);
        if (opened) {
            slab = MEM_NEW(struct shared_slab);
            slab->slab = opened;
            slab->key = slice_make(slice_dup(text_slice(&key)), key.len);
            map_put(&slabs->map, slab->key, slab);
        }
    }
    text_deinit(&key);
    if (slab)
        slab->n_users++;
    return slab;
}

void slabs_leave(struct slabs *slabs, struct shared_slab *slab)
{
    assert(slab->n_users > 0);
    if (--slab->n_users > 0)
        return;
    metric_close(slabs->board, slab->slab);
    map_remove(&slabs->map, slab->key);
    char *key;
    memcpy(&key, &slab->key.ptr, sizeof(key)); /* ours, though slices are const */
    mem_free(key);
    mem_free(slab);
}
