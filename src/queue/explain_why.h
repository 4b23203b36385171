/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_EXPLAIN_WHY_H
#define QUEUE_EXPLAIN_WHY_H

/*
 * The sentences of queue/explain.h: why a put now would be taken or refused, and why a worker that
 * asks now would get a job or wait.
 */

#include "queue/deliver.h"
#include "queue/internal.h"

/*
 * `tube` NULL: it is not there yet. `conf` NULL: the file does not name it. Appends a sentence to
 * `why`; is the put taken, or does the worker get a job?
 */
bool explain_put(const struct hall *hall, const struct tube *tube, const struct queue_conf *conf,
                 struct text *why);
bool explain_reserve(const struct hall *hall, const struct tube *tube,
                     const struct queue_conf *conf, struct text *why);
/* Of a queue that delivers: does the next job go out now? Where it does not, the job waits. */
bool explain_deliver(const struct hall *hall, const struct deliverer *deliverer,
                     const struct tube *tube, struct text *why);
/*
 * A request of an asynchronous route, of a queue that one names: what its client gets now, how many
 * jobs are not over against which cap, and what is answered beyond. Is it a 202?
 */
bool explain_async(const struct hall *hall, const struct tube *tube, const struct queue_conf *conf,
                   struct text *why);
/* The connections of the edge to the queue, on each of which one request is under way or waits:
 * how many, against which cap, and what comes beyond it. Returns how many. */
uint32_t explain_async_conns(const struct hall *hall, struct text *why);

#endif
