/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_QUERY_H
#define CORE_QUERY_H

/*
 * Questions that admin asks the other processes, over a socketpair to each which the supervisor
 * made and sends anew whenever one of both is started again.
 *
 *     admin  -- id, verb ----------------------------> process (loop 0)
 *            <- id, part of the answer ... last part --
 *
 * Verbs that every process answers:
 *
 *     status   a JSON object: kind, pid, generation of the snapshot, is_draining, loops (an array
 *              of turns, events, timers, tasks, busy_us, longest_us), and modules: what each
 *              module's status() adds, by its name
 *
 * An answer comes within QUERY_LIMIT_MS or the callback hears that it did not; so whatever hangs,
 * the one who asks admin does not. Called in admin's loop 0 only.
 */

#include "base/slice.h"
#include "core/process.h"
#include <stdbool.h>

enum {
    QUERY_LIMIT_MS = 1000,
    QUERY_ANSWER_MAX = 1 << 20, /* bytes */
    QUERY_PENDING_MAX = 64,     /* questions under way, a process */
    QUERY_VERB_MAX = 256,
};

/*
 * is_ok: `answer` is the whole answer. Otherwise it says why there is none: "edge does not run",
 * "edge did not answer within 1 s", "edge is asked too much". It lives until the callback returns.
 */
typedef void query_fn(void *ctx, bool is_ok, struct slice answer);

/*
 * Asks the process of that kind. fn is always called, once, from the loop, never from within this
 * call. One process may ask itself.
 */
void query_send(struct process *process, const char *kind, const char *verb, query_fn *fn,
                void *ctx);

/* Forgets the questions of this ctx: their callbacks do not come any more. */
void query_forget(struct process *process, const void *ctx);

#endif
