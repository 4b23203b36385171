/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SCOUT_H
#define WORKER_SCOUT_H

/*
 * Asks the queue from time to time how many jobs wait in it, and for how long: for scale.h. It has
 * a connection of its own, for one that waits for a job is answered nothing else.
 *
 * Where the queue is not there nothing is heard, and it is tried again at the next time; the hands
 * say what is wrong.
 */

#include "base/addr.h"
#include "core/loop.h"
#include "worker/scale.h"

struct scout;
typedef void scout_fn(void *ctx, const struct scale_seen *seen);

/* The address outlives it. */
struct scout *scout_create(struct loop *loop, const struct addr *queue, scout_fn *fn, void *ctx);
/* From now on this tube, so often. */
void scout_set(struct scout *scout, struct slice tube, uint64_t every_ns);
/* NULL is fine. fn does not come any more; not from within it. */
void scout_destroy(struct scout **scout);

#endif
