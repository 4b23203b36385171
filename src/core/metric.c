/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Slabs of counters in the board's segments. A slab becomes visible, and goes, by one store of its
 * generation; a death before that store leaves an entry that the next life uses again.
 */

#include "core/metric.h"

#include "base/mem.h"
#include "core/board_segment.h"
#include <assert.h>
#include <string.h>

enum { LINE_BYTES = 64 };

/* What the owner holds of a slab. */
struct metric_slab {
    struct segment *segment;
    uint32_t entry;
};

struct slab_name {
    char table[SLAB_TABLE_MAX];
    char object[FACT_NAME_MAX];
};

_Static_assert(sizeof(struct slab_name) <= SLAB_NAME_WORDS * 8, "a slab's name fits its words");

static uint32_t row_bytes_for(uint32_t n_words)
{
    return (uint32_t)((n_words * sizeof(metric_word) + LINE_BYTES - 1) & ~(LINE_BYTES - 1u));
}

static metric_word *slab_row(struct segment *segment, const struct segment_slab *slab,
                             uint32_t loop)
{
    uint64_t at = atomic_load_explicit(&slab->offset, memory_order_relaxed) +
                  (uint64_t)atomic_load_explicit(&slab->row_bytes, memory_order_relaxed) * loop;
    return (metric_word *)(void *)(segment->slab_bytes + at);
}

/* ---- the owner ---- */

static bool slab_is(const struct segment_slab *slab, const struct slab_name *name)
{
    if (!(atomic_load(&slab->generation) & 1))
        return false;
    struct slab_name its;
    words_load(slab->name, &its, sizeof(its));
    return memcmp(&its, name, sizeof(its)) == 0;
}

static bool slab_has_shape(const struct segment_slab *slab, uint32_t n_words, uint32_t n_loops)
{
    return atomic_load(&slab->n_loops) == n_loops && atomic_load(&slab->n_words) == n_words;
}

static void slab_zero_gauges(struct segment *segment, const struct segment_slab *slab,
                             const struct metric_table *table)
{
    uint32_t n_loops = atomic_load(&slab->n_loops);
    for (const struct metric_def *def = table->defs; def->name; def++)
        for (uint32_t i = 0; def->type == METRIC_GAUGE && i < n_loops; i++)
            metric_set(slab_row(segment, slab, i), def->word, 0);
}

static void slab_set_used(struct segment_slab *slab, bool is_used)
{
    uint32_t generation = atomic_load_explicit(&slab->generation, memory_order_relaxed);
    assert((generation & 1) != (uint32_t)is_used);
    atomic_store_explicit(&slab->generation, generation + 1, memory_order_release);
}

/*
 * A free entry of just this shape, or a new one; SLABS_MAX where there is neither. Where its memory
 * lies and how it is cut into rows never changes: a death between two stores that changed it would
 * leave an entry that reaches into its neighbour.
 */
static uint32_t entry_take(struct board *board, uint32_t n_loops, uint32_t row_bytes)
{
    struct segment *segment = board_own(board);
    uint32_t n = atomic_load(&segment->n_slabs);
    uint64_t size = (uint64_t)row_bytes * n_loops;
    for (uint32_t i = 0; i < n; i++) {
        const struct segment_slab *slab = &segment->slabs[i];
        if (!(atomic_load(&slab->generation) & 1) && atomic_load(&slab->row_bytes) == row_bytes &&
            atomic_load(&slab->n_loops) == n_loops)
            return i;
    }
    if (n == SLABS_MAX || board->slab_end + size > BOARD_SLAB_BYTES)
        return SLABS_MAX;
    atomic_store(&segment->slabs[n].offset, board->slab_end);
    atomic_store(&segment->slabs[n].row_bytes, row_bytes);
    atomic_store(&segment->slabs[n].n_loops, n_loops);
    board->slab_end += size;
    atomic_store_explicit(&segment->n_slabs, n + 1, memory_order_release);
    return n;
}

static uint32_t slab_make(struct board *board, const struct slab_name *name, uint32_t n_words,
                          uint32_t n_loops)
{
    struct segment *segment = board_own(board);
    uint32_t row_bytes = row_bytes_for(n_words);
    uint32_t entry = entry_take(board, n_loops, row_bytes);
    if (entry == SLABS_MAX)
        return entry;
    struct segment_slab *slab = &segment->slabs[entry];
    atomic_thread_fence(memory_order_release); /* as fact_publish(): a reader sees the generation */
    words_store(slab->name, name, sizeof(*name));
    atomic_store(&slab->n_words, n_words);
    metric_word *words = slab_row(segment, slab, 0);
    for (uint32_t i = 0; i < row_bytes / sizeof(*words) * n_loops; i++)
        metric_set(words, i, 0);
    slab_set_used(slab, true);
    return entry;
}

struct metric_slab *metric_open(struct board *board, const struct metric_table *table,
                                const char *object, uint32_t n_loops, bool is_new_life)
{
    struct segment *segment = board_own(board);
    struct slab_name name;
    memset(&name, 0, sizeof(name));
    slice_copy(slice_from(table->name), name.table, sizeof(name.table));
    slice_copy(slice_from(object), name.object, sizeof(name.object));
    uint32_t n = atomic_load(&segment->n_slabs), entry = 0;
    while (entry < n && !slab_is(&segment->slabs[entry], &name))
        entry++;
    if (entry < n && !slab_has_shape(&segment->slabs[entry], table->n_words, n_loops)) {
        slab_set_used(&segment->slabs[entry], false); /* of another number of loops: counted anew */
        entry = n;
    } else if (entry < n && is_new_life) {
        slab_zero_gauges(segment, &segment->slabs[entry], table);
    }
    if (entry == n)
        entry = slab_make(board, &name, table->n_words, n_loops);
    if (entry == SLABS_MAX) {
        atomic_fetch_add(&segment->n_refused, 1);
        return NULL;
    }
    struct metric_slab *slab = MEM_NEW(struct metric_slab);
    slab->segment = segment;
    slab->entry = entry;
    return slab;
}

void metric_close(struct board *board, struct metric_slab *slab)
{
    assert(slab->segment == board_own(board));
    slab_set_used(&slab->segment->slabs[slab->entry], false);
    mem_free(slab);
}

void metric_forget(struct metric_slab *slab)
{
    mem_free(slab);
}

metric_word *metric_row(struct metric_slab *slab, uint32_t loop_index)
{
    const struct segment_slab *entry = &slab->segment->slabs[slab->entry];
    assert(loop_index < atomic_load_explicit(&entry->n_loops, memory_order_relaxed));
    return slab_row(slab->segment, entry, loop_index);
}

/* ---- readers ---- */

/* The reader does not trust the writer with its own memory. */
static bool slab_is_sane(uint32_t n_loops, uint32_t n_words, uint64_t offset, uint64_t row_bytes)
{
    return n_loops <= BOARD_LOOPS_MAX && n_words * sizeof(metric_word) <= row_bytes &&
           (row_bytes | offset) % LINE_BYTES == 0 && row_bytes <= BOARD_SLAB_BYTES &&
           offset <= BOARD_SLAB_BYTES && offset + row_bytes * n_loops <= BOARD_SLAB_BYTES;
}

/* Sums the rows of an entry; false where it is free, or changed meanwhile. */
static bool entry_read(struct segment *segment, const struct segment_slab *slab,
                       struct metric_view *ret_view, uint64_t *ret_sums, uint32_t max)
{
    uint32_t generation = atomic_load_explicit(&slab->generation, memory_order_acquire);
    if (!(generation & 1))
        return false;
    struct slab_name name;
    words_load(slab->name, &name, sizeof(name));
    uint32_t n_words = atomic_load_explicit(&slab->n_words, memory_order_relaxed);
    uint32_t n_loops = atomic_load_explicit(&slab->n_loops, memory_order_relaxed);
    uint64_t offset = atomic_load_explicit(&slab->offset, memory_order_relaxed);
    uint64_t row_bytes = atomic_load_explicit(&slab->row_bytes, memory_order_relaxed);
    if (!slab_is_sane(n_loops, n_words, offset, row_bytes))
        return false;
    n_words = n_words < max ? n_words : max;
    for (uint32_t w = 0; w < n_words; w++)
        ret_sums[w] = 0;
    for (uint32_t i = 0; i < n_loops; i++) {
        const metric_word *row =
            (const metric_word *)(const void *)(segment->slab_bytes + offset + row_bytes * i);
        for (uint32_t w = 0; w < n_words; w++)
            ret_sums[w] += atomic_load_explicit(&row[w], memory_order_relaxed);
    }
    memcpy(ret_view->table, name.table, sizeof(ret_view->table));
    memcpy(ret_view->object, name.object, sizeof(ret_view->object));
    ret_view->table[sizeof(ret_view->table) - 1] = 0;
    ret_view->object[sizeof(ret_view->object) - 1] = 0;
    ret_view->n_words = n_words;
    ret_view->generation = generation;
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&slab->generation, memory_order_relaxed) == generation;
}

bool metric_next(const struct board *board, size_t segment_index, uint64_t *cursor,
                 struct metric_view *ret_view, uint64_t *ret_sums, uint32_t max)
{
    assert(segment_index < board->n_segments);
    struct segment *segment = board->segments[segment_index];
    uint32_t n = atomic_load_explicit(&segment->n_slabs, memory_order_acquire);
    n = n < SLABS_MAX ? n : SLABS_MAX;
    while (*cursor < n) {
        ret_view->place = (*cursor)++;
        if (entry_read(segment, &segment->slabs[ret_view->place], ret_view, ret_sums, max))
            return true;
    }
    return false;
}

uint64_t metric_latest(const struct board *board, size_t segment_index,
                       const struct metric_view *view, uint32_t word)
{
    assert(segment_index < board->n_segments && view->place < SLABS_MAX && word < view->n_words);
    struct segment *segment = board->segments[segment_index];
    const struct segment_slab *slab = &segment->slabs[view->place];
    uint32_t n_loops = atomic_load_explicit(&slab->n_loops, memory_order_relaxed);
    uint64_t offset = atomic_load_explicit(&slab->offset, memory_order_relaxed);
    uint64_t row_bytes = atomic_load_explicit(&slab->row_bytes, memory_order_relaxed);
    uint64_t latest = 0;
    if (!slab_is_sane(n_loops, view->n_words, offset, row_bytes))
        return 0;
    for (uint32_t i = 0; i < n_loops; i++) {
        const metric_word *row =
            (const metric_word *)(const void *)(segment->slab_bytes + offset + row_bytes * i);
        uint64_t value = atomic_load_explicit(&row[word], memory_order_relaxed);
        latest = value > latest ? value : latest;
    }
    atomic_thread_fence(memory_order_acquire);
    bool is_same =
        atomic_load_explicit(&slab->generation, memory_order_relaxed) == view->generation;
    return is_same ? latest : 0;
}
