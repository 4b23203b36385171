/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_EXPORT_H
#define CORE_EXPORT_H

/*
 * The board by name, for another build of weir: what an upgrade carries over. Builds may lay their
 * segments out differently, number states, words and buckets differently; so nothing of a segment's
 * bytes goes over, only names and values, as JSON (docs/formats/upgrade.md):
 *
 *     facts    [{"segment": "health", "name": "member:web/app1", "state": "up",
 *                "since": 1764150000123456789, "value": 1, "reason": "HTTP 200 in 3 ms"}, ...]
 *     starts   {"edge": 1, "health": 2}                   how often each process was started
 *     slabs    [{"table": "member", "object": "web/app1",
 *                "words": {"requests": 12, "responses 2xx": 11, "latency_seconds":
 *                          {"sum": 9000, "counts": [[640, 7], [768, 5]]}}}, ...]
 *
 * A word's key is the metric's name, and behind a blank the value of its own label where it has
 * one. A histogram's counts stand beside the lowest value of their bucket, so that other buckets
 * take them as well as they can. Words that are 0 are left out, and so are gauges where nobody is
 * alive to take them back.
 *
 * Facts are put into the new segments before their processes start, as if an earlier life had left
 * them: a member that is up stays up since the same moment, with the same reason. What the reader's
 * build does not know (a table, a word, a state, a segment) is left out: it had no meaning there.
 *
 * Counts are not put into the segments of those who count: they are added up in a segment of the
 * supervisor (super/carry.h), because the processes of the former build count on while they finish
 * what they have.
 */

#include "base/err.h"
#include "base/json.h"
#include "core/board.h"
#include "core/metric.h"
#include "core/module.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- writing ---------------------------------------------------------------------------------- */

/* The array of the facts of all segments but that of the supervisor, whose facts are about its own
 * processes. */
void export_facts(struct json *json, const struct board *board);
/* The object of starts. */
void export_starts(struct json *json, const struct board *board);

/* One slab of a segment; cursor as in metric_next(). */
struct export_slab {
    struct metric_view view;
    const struct metric_table *table;
    uint64_t *words; /* table->n_words; the caller's */
};

enum { EXPORT_WORDS_MAX = 4096 };

/* Fills in the next slab of the segment whose table the build knows. slab->words has room for
 * EXPORT_WORDS_MAX. Returns false at the end. */
bool export_next(const struct board *board, size_t segment, const struct module_table *table,
                 uint64_t *cursor, struct export_slab *slab);
/* Writes it as an object of the array of slabs. */
void export_slab(struct json *json, const struct export_slab *slab, bool has_gauges);

/* --- reading ---------------------------------------------------------------------------------- */

/*
 * Puts the facts and starts into segments that board_make() has just made, before any process has
 * them, from the segment `first` on. What does not fit is left out. Returns the number of facts, or
 * -1 with err: a segment cannot be mapped, or `facts` is no array.
 */
int export_restore(const json_t *facts, const json_t *starts, size_t first,
                   const struct board_fds *fds, struct err *err);

/*
 * Calls fn for each slab of the array whose table this build has, with the words as this build
 * numbers them; they live until it returns. Returns 0, or -1 with err where something is not as the
 * format says; fn may have been called by then.
 */
typedef void export_slab_fn(void *ctx, const struct metric_table *table, const char *object,
                            const uint64_t *words);
int export_read_slabs(const json_t *slabs, const struct module_table *table, export_slab_fn *fn,
                      void *ctx, struct err *err);

#endif
