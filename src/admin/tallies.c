/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the tallies of all segments.
 */
#include "admin/tallies.h"

#include "base/mem.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 4096 }; /* of one slab */

struct reading {
    struct arena *arena;
    struct tallies *tallies;
    size_t cap;
    uint64_t words[WORDS_MAX];
};

static void table_note(struct tallies *tallies, const struct metric_table *table)
{
    for (size_t i = 0; i < tallies->n_tables; i++) {
        if (tallies->tables[i] == table)
            return;
    }
    assert(tallies->n_tables < TALLIES_TABLES_MAX);
    tallies->tables[tallies->n_tables++] = table;
}

static struct tally *tally_add(struct reading *reading, const struct metric_table *table,
                               const char *object)
{
    struct tallies *tallies = reading->tallies;
    if (tallies->n_items == reading->cap) {
        size_t cap = reading->cap ? reading->cap * 2 : 64;
        struct tally *grown = ARENA_NEW_ARRAY(reading->arena, struct tally, cap);
        if (tallies->n_items)
            memcpy(grown, tallies->items, tallies->n_items * sizeof(*grown));
        tallies->items = grown;
        reading->cap = cap;
    }
    table_note(tallies, table);
    struct tally *tally = &tallies->items[tallies->n_items++];
    tally->table = table;
    tally->object = object;
    tally->words = ARENA_NEW_ARRAY(reading->arena, uint64_t, table->n_words);
    return tally;
}

/* The tally to which the words of this table and object are added. */
static struct tally *tally_of(struct reading *reading, const struct metric_table *table,
                              const char *object)
{
    struct tallies *tallies = reading->tallies;
    const char *key = arena_printf(reading->arena, "%s %s", table->name, object);
    uintptr_t known = (uintptr_t)map_get(&tallies->by_name, slice_from(key));
    if (known)
        return &tallies->items[known - 1];
    if (tallies->n_items == TALLIES_MAX)
        return NULL;
    struct tally *tally = tally_add(reading, table, key + strlen(table->name) + 1);
    map_put(&tallies->by_name, slice_from(key), (void *)(uintptr_t)tallies->n_items);
    return tally;
}

/* Of times the largest counts: what is to be added to get there. */
static void tally_take_latest(const struct tally *tally, const struct board *board, size_t segment,
                              const struct metric_view *view, uint64_t *words)
{
    for (const struct metric_def *def = tally->table->defs; def->name; def++) {
        if (def->type != METRIC_LATEST)
            continue;
        uint64_t latest = metric_latest(board, segment, view, def->word);
        uint64_t known = tally->words[def->word];
        words[def->word] = latest > known ? latest - known : 0;
    }
}

void tallies_init(struct tallies *tallies, const struct board *board,
                  const struct module_table *table, struct arena *arena)
{
    struct reading *reading = MEM_NEW(struct reading);
    *tallies = (struct tallies){.items = NULL};
    reading->arena = arena;
    reading->tallies = tallies;
    map_init(&tallies->by_name, 0, false);
    for (size_t segment = 0; segment < board_n_segments(board); segment++) {
        uint64_t cursor = 0;
        struct metric_view view;
        while (metric_next(board, segment, &cursor, &view, reading->words, WORDS_MAX)) {
            const struct metric_table *known = module_metric_table(table, view.table);
            if (!known || known->n_words > WORDS_MAX || view.n_words < known->n_words)
                continue;
            struct tally *tally = tally_of(reading, known, view.object);
            if (!tally)
                continue;
            tally_take_latest(tally, board, segment, &view, reading->words);
            for (uint32_t i = 0; i < known->n_words; i++)
                tally->words[i] += reading->words[i];
        }
    }
    mem_free(reading);
}

void tallies_deinit(struct tallies *tallies)
{
    map_deinit(&tallies->by_name);
}

const struct tally *tallies_find(const struct tallies *tallies, const char *table,
                                 const char *object)
{
    char key[FACT_NAME_MAX + 40];
    int len = snprintf(key, sizeof(key), "%s %s", table, object);
    if (len < 0 || (size_t)len >= sizeof(key))
        return NULL;
    uintptr_t known = (uintptr_t)map_get(&tallies->by_name, slice_make(key, (size_t)len));
    return known ? &tallies->items[known - 1] : NULL;
}

uint64_t tally_value(const struct tally *tally, const char *name, const char *label_value)
{
    uint64_t value = 0;
    for (const struct metric_def *def = tally->table->defs; def->name; def++) {
        if (def->type == METRIC_HISTOGRAM || strcmp(def->name, name) != 0)
            continue;
        if (!label_value || (def->label_value && strcmp(def->label_value, label_value) == 0))
            value += tally->words[def->word];
    }
    return value;
}
