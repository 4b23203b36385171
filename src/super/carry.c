/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What former builds counted, kept beside what is counted now.
 */

#include "super/carry.h"
#include "base/mem.h"
#include <stdio.h>
#include <string.h>

struct carried {
    struct metric_slab *slab;
    char key[];
};

static struct carried *carried_of(struct super *super, const struct metric_table *table,
                                  const char *object)
{
    char key[FACT_NAME_MAX + 40];
    snprintf(key, sizeof(key), "%s %s", table->name, object);
    struct carried *carried = map_get(&super->carried, slice_from(key));
    if (carried)
        return carried;
    struct metric_slab *slab = metric_open(super->board, table, object, 1, false);
    if (!slab)
        return NULL; /* no room, which is counted */
    carried = mem_alloc_zero(1, sizeof(*carried) + strlen(key) + 1);
    carried->slab = slab;
    memcpy(carried->key, key, strlen(key) + 1);
    map_put(&super->carried, slice_from(carried->key), carried);
    return carried;
}

void carry_add(struct super *super, const struct metric_table *table, const char *object,
               const uint64_t *words, const uint64_t *former)
{
    struct carried *carried = carried_of(super, table, object);
    for (uint32_t i = 0; carried && i < table->n_words; i++)
        metric_add(metric_row(carried->slab, 0), i, words[i] - (former ? former[i] : 0));
}

void carry_drop_gauges(struct super *super, const struct metric_table *table, const char *object,
                       const uint64_t *words)
{
    struct carried *carried = carried_of(super, table, object);
    for (const struct metric_def *def = table->defs; carried && def->name; def++) {
        if (def->type == METRIC_GAUGE)
            metric_sub(metric_row(carried->slab, 0), def->word, words[def->word]);
    }
}

void carry_deinit(struct super *super)
{
    uint32_t cursor = 0;
    struct slice key;
    for (struct carried *carried; (carried = map_next(&super->carried, &cursor, &key)) != NULL;) {
        metric_forget(carried->slab);
        mem_free(carried);
    }
    map_deinit(&super->carried);
}
