/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_ASYNC_H
#define EDGE_ASYNC_H

/*
 * The queue as routes reach it: a pool that no file names, of one member, the socket at which the
 * process `queue` takes asynchronous requests (queue/async_conf.h). It is there as soon as a route
 * names a queue.
 *
 *     pool .async { member queue unix:STATE/async.sock }
 *
 * A file can have no pool of that name, as names do not begin with a dot. It is not among the pools
 * of the snapshot: it has no check, no facts, no counters on the board, and nothing can be drained
 * there. Its index is the one behind theirs. A process makes one for each plan, as its member is
 * reached by the process's own descriptor of the state directory: the path may lead through folders
 * that only root may enter.
 */

#include "core/metric.h"
#include "core/process.h"
#include "edge/edge.h"
#include "pool/pool.h"

struct async_pool;

/* The module's claim(): says which queues the routes name, before any check(). */
void async_claim(const struct snapshot *snap, const struct edge_conf *conf);
/*
 * Tells which queues are not there, and the routes how long a body and a wait may be. The listens
 * have been checked, and so has the queue. 0, or -1 after telling load->diag.
 */
int async_check(struct edge_conf *conf, const struct snapshot *snap, struct conf_load *load);

struct async_pool *async_pool_create(const struct process *process, const struct snapshot *snap);
void async_pool_destroy(struct async_pool **async);
/* NULL of NULL. */
const struct pool *async_pool_of(const struct async_pool *async);
/* The words of a loop: MEMBER_*, POOL_*. */
metric_word *async_member_row(struct async_pool *async, uint32_t loop_index);
metric_word *async_pool_row(struct async_pool *async, uint32_t loop_index);

#endif
