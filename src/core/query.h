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
 *     explain KIND FROM TEXT
 *              a JSON object: what explain_inside() of the module that answers such questions adds.
 *              FROM is an IP address, or - where it was not said. Refused with a sentence where
 *              something is wrong with the question
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
    QUERY_VERB_MAX = 2048,      /* bytes */
};

enum query_result {
    QUERY_ANSWERED,
    QUERY_REFUSED, /* the answer says what is wrong with the question */
    QUERY_SILENT,  /* the answer says why none came: "edge does not run", "edge did not answer
                      within 1 s", "edge is asked too much" */
};

/* `answer` is whole, and lives until the callback returns. */
typedef void query_fn(void *ctx, enum query_result result, struct slice answer);

/*
 * Asks the process of that kind. fn is always called, once, from the loop, never from within this
 * call. `verb` has at most
 * QUERY_VERB_MAX bytes. One process may ask itself for its status.
 */
void query_send(struct process *process, const char *kind, const char *verb, query_fn *fn,
                void *ctx);

/* Forgets the questions of this ctx: their callbacks do not come any more. */
void query_forget(struct process *process, const void *ctx);

#endif
