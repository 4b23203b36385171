/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the slabs of all segments.
 */
#include "admin/slabs.h"

#include "base/mem.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 4096 }; /* of one slab */

struct reading {
    struct arena *arena;
    struct slabs *slabs;
    size_t cap;
    uint64_t words[WORDS_MAX];
};

static void table_note(struct slabs *slabs, const struct metric_table *table)
{
    for (size_t i = 0; i < slabs->n_tables; i++) {
        if (slabs->tables[i] == table)
            return;
    }
    assert(slabs->n_tables < SLABS_TABLES_MAX);
    slabs->tables[slabs->n_tables++] = table;
}

static struct slab *slab_add(struct reading *reading, const struct metric_table *table,
                             const char *object)
{
    struct slabs *slabs = reading->slabs;
    if (slabs->n_items == reading->cap) {
        size_t cap = reading->cap ? reading->cap * 2 : 64;
        struct slab *grown = ARENA_NEW_ARRAY(reading->arena, struct slab, cap);
        if (slabs->n_items)
            memcpy(grown, slabs->items, slabs->n_items * sizeof(*grown));
        slabs->items = grown;
        reading->cap = cap;
    }
    table_note(slabs, table);
    struct slab *slab = &slabs->items[slabs->n_items++];
    slab->table = table;
    slab->object = object;
    slab->words = ARENA_NEW_ARRAY(reading->arena, uint64_t, table->n_words);
    return slab;
}

/* The slab to which the words of this table and object are added. */
static struct slab *slab_of(struct reading *reading, const struct metric_table *table,
                            const char *object)
{
    struct slabs *slabs = reading->slabs;
    const char *key = arena_printf(reading->arena, "%s %s", table->name, object);
    uintptr_t known = (uintptr_t)map_get(&slabs->by_name, slice_from(key));
    if (known)
        return &slabs->items[known - 1];
    if (slabs->n_items == SLABS_MAX)
        return NULL;
    struct slab *slab = slab_add(reading, table, key + strlen(table->name) + 1);
    map_put(&slabs->by_name, slice_from(key), (void *)(uintptr_t)slabs->n_items);
    return slab;
}

void slabs_init(struct slabs *slabs, const struct board *board, const struct module_table *table,
                struct arena *arena)
{
    struct reading *reading = MEM_NEW(struct reading);
    *slabs = (struct slabs){.items = NULL};
    reading->arena = arena;
    reading->slabs = slabs;
    map_init(&slabs->by_name, 0, false);
    for (size_t segment = 0; segment < board_n_segments(board); segment++) {
        uint64_t cursor = 0;
        struct metric_view view;
        while (metric_next(board, segment, &cursor, &view, reading->words, WORDS_MAX)) {
            const struct metric_table *known = module_metric_table(table, view.table);
            if (!known || known->n_words > WORDS_MAX || view.n_words < known->n_words)
                continue;
            struct slab *slab = slab_of(reading, known, view.object);
            for (uint32_t i = 0; slab && i < known->n_words; i++)
                slab->words[i] += reading->words[i];
        }
    }
    mem_free(reading);
}

void slabs_deinit(struct slabs *slabs)
{
    map_deinit(&slabs->by_name);
}

const struct slab *slabs_find(const struct slabs *slabs, const char *table, const char *object)
{
    char key[FACT_NAME_MAX + 40];
    int len = snprintf(key, sizeof(key), "%s %s", table, object);
    if (len < 0 || (size_t)len >= sizeof(key))
        return NULL;
    uintptr_t known = (uintptr_t)map_get(&slabs->by_name, slice_make(key, (size_t)len));
    return known ? &slabs->items[known - 1] : NULL;
}

uint64_t slab_value(const struct slab *slab, const char *name, const char *label_value)
{
    uint64_t value = 0;
    for (const struct metric_def *def = slab->table->defs; def->name; def++) {
        if (def->type == METRIC_HISTOGRAM || strcmp(def->name, name) != 0)
            continue;
        if (!label_value || (def->label_value && strcmp(def->label_value, label_value) == 0))
            value += slab->words[def->word];
    }
    return value;
}
