/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_ASYNC_CONF_H
#define QUEUE_ASYNC_CONF_H

/*
 * Asynchronous routes, as the configuration joins their two sides:
 *
 *     client --> edge: route ... async reports --> async.sock --> queue: the job is on the disk
 *            <-- 202, Location: /jobs/TOKEN    <--            <--
 *
 * A route of the edge that names a queue claims it, before any check(), so that the queue's own
 * check() knows: then the process `queue` is needed, with or without a `jobs` address, and listens
 * on ASYNC_SOCKET, a unix socket in the state directory. Who may connect is said as for deliveries
 * (queue/deliver_conf.h): mode 0600, the user that weir's processes run as.
 *
 * What is said there is the client's request as any member would get it, and one field that the
 * edge alone may set:
 *
 *     Weir-Async: put; queue=reports; mode=always; credentials=drop; id=32 hex digits; path=/jobs
 *     Weir-Async: job; path=/jobs
 *
 * `mode` is always, prefer or overflow: why the request came here. `credentials` is keep or drop:
 * whether Authorization and Cookie are stored. `id` is of the client's request, the same each time
 * it is sent, so that a put can be repeated. `path` is where clients look for what became of it.
 * docs/formats/async.md has the answers.
 *
 * The words, all of them with defaults:
 *
 *     queue reports {
 *         deliver pool web
 *         async unfinished 10000 body 1M delay 30d poll 2s     # what clients may ask of this queue
 *     }
 *     queues { async connections 10000 wait 30s }              # of the socket
 *
 * Results of asynchronous jobs are kept for ASYNC_KEEP_S, or as long as the queue's `keep` says.
 */

#include "base/slice.h"
#include "conf/schema.h"
#include "core/module.h"
#include <stdbool.h>
#include <stdint.h>

#define ASYNC_SOCKET "async.sock"         /* in the state directory */
#define ASYNC_LISTEN "async-socket"       /* what it is called among the listeners of jobs */
#define ASYNC_FACT   "jobs:" ASYNC_LISTEN /* serving while it takes requests */

enum { ASYNC_KEEP_S = 3600 /* a result, where the queue says no other */ };

/* Of a queue. */
struct queue_async_conf {
    struct conf_object object;
    int64_t unfinished;
    int64_t body_bytes;
    int64_t delay_ms;
    int64_t poll_ms;
};

/* Of the socket. */
struct queues_async_conf {
    struct conf_object object;
    int64_t connections;
    int64_t wait_ms, request_ms, send_ms, idle_ms;
};

extern const struct conf_block queue_async_block, queues_async_block;

/*
 * A route sends requests to the queue. For the claim() of the edge. False: the file has no such
 * queue, which is for the edge's check() to tell.
 */
bool async_conf_claim(const struct snapshot *snap, struct slice queue);

#endif
