/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_METRIC_H
#define CORE_METRIC_H

/*
 * Counters, gauges and histograms, in the slabs of the board: a process adds to its own, admin
 * reads all of them without asking anybody, and they outlive the process that wrote them.
 *
 * A table says what is counted about one kind of object (a listen, a member); a slab is the table's
 * words for one object, a row for each loop, so that a loop adds without an atomic operation and
 * nobody else writes its cache line:
 *
 *     slab "member" "web/app1"     loop 0: | requests | bytes_in | ... | latency buckets ... |
 *                                  loop 1: | requests | bytes_in | ... | latency buckets ... |
 *
 * A reader sums the rows. Words are declared as an enum, a histogram takes METRIC_HIST_WORDS of
 * them:
 *
 *     enum { MEMBER_REQUESTS, MEMBER_LATENCY, MEMBER_WORDS = MEMBER_LATENCY + METRIC_HIST_WORDS };
 *
 * Names follow OpenMetrics: `weir_` + table + `_` + name, counters end in `_total` on the page,
 * labels are the table's, filled with the parts of the object's name split at '/'.
 */

#include "base/hist.h"
#include "base/slice.h"
#include "core/board.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { METRIC_HIST_WORDS = HIST_BUCKETS + 1 }; /* the buckets and the sum of values */
enum { METRIC_LABELS_MAX = 3 };

enum metric_type {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_HISTOGRAM,
    METRIC_LATEST, /* a time: the largest of the rows counts, and a restart forgets it not */
};

struct metric_def {
    const char *name; /* without prefix; NULL ends the table */
    enum metric_type type;
    uint32_t word; /* where it starts in the row */
    double scale;  /* a histogram's unit to the page's: 1e-6 for microseconds as seconds; 0: 1 */
    const char *label; /* one more label of this row, `reason="..."`, or NULL: rows of one name */
    const char *label_value;
    const char *help;
};

struct metric_table {
    const char *name;                      /* "listen", "member", "loop" */
    const char *labels[METRIC_LABELS_MAX]; /* "pool", "member"; NULL behind the last */
    uint32_t n_words;
    const struct metric_def *defs;
};

/* A loop's row: plain words that only this loop writes. */
typedef _Atomic uint64_t metric_word;

static inline void metric_add(metric_word *row, uint32_t word, uint64_t n)
{
    uint64_t now = atomic_load_explicit(&row[word], memory_order_relaxed);
    atomic_store_explicit(&row[word], now + n, memory_order_relaxed);
}

static inline void metric_sub(metric_word *row, uint32_t word, uint64_t n)
{
    metric_add(row, word, (uint64_t)0 - n);
}

static inline void metric_set(metric_word *row, uint32_t word, uint64_t value)
{
    atomic_store_explicit(&row[word], value, memory_order_relaxed);
}

/* One value into the histogram that starts at `word`. */
static inline void metric_observe(metric_word *row, uint32_t word, uint64_t value)
{
    metric_add(row, word + hist_bucket(value), 1);
    metric_add(row, word + HIST_BUCKETS, value);
}

/*
 * The slab of an object in the own segment, found again where an earlier life or configuration made
 * it, made otherwise with n_loops rows. Loop 0 only. Gauges of a found slab are set to zero when
 * is_new_life (the process has just started). NULL where there is no room (counted).
 */
struct metric_slab;
struct metric_slab *metric_open(struct board *board, const struct metric_table *table,
                                const char *object, uint32_t n_loops, bool is_new_life);
/* The object is gone; its memory may serve another. No loop may write to it any more. */
void metric_close(struct board *board, struct metric_slab *slab);
/* Lets go of the handle alone, at the end of a life: the counts stay for the next one. */
void metric_forget(struct metric_slab *slab);
metric_word *metric_row(struct metric_slab *slab, uint32_t loop_index);

/* --- reading ---------------------------------------------------------------------------------- */

/*
 * Walks the slabs of a segment: *cursor starts at 0. Fills the table's name, the object's name and
 * the sums over all rows, at most max words. Returns false at the end.
 */
struct metric_view {
    char table[32];
    char object[FACT_NAME_MAX];
    uint32_t n_words;
    uint64_t place; /* the reader's own, for metric_latest() */
    uint32_t generation;
};
bool metric_next(const struct board *board, size_t segment, uint64_t *cursor,
                 struct metric_view *ret_view, uint64_t *ret_sums, uint32_t max);
/* The largest value of a word (below view->n_words) over the rows of what metric_next() has just
 * shown, for METRIC_LATEST; 0 where the slab has gone meanwhile. */
uint64_t metric_latest(const struct board *board, size_t segment, const struct metric_view *view,
                       uint32_t word);

#endif
