/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The pool of the queue, and the queues that routes name.
 */

#include "edge/async.h"

#include "base/mem.h"
#include "edge/internal.h"
#include "queue/async_conf.h"
#include "queue/conf.h"
#include "queue/queue.h"
#include <assert.h>
#include <stdio.h>

static const struct queue_module_conf *queues_of(const struct snapshot *snap)
{
    return snapshot_conf(snap, &queue_module);
}

/* ---- names ---- */

void async_claim(const struct snapshot *snap, const struct edge_conf *conf)
{
    for (size_t i = 0; i < conf->listen_list.n_items; i++) {
        const struct listen_conf *listen = conf->listen_list.items[i];
        for (uint32_t r = 0; r < listen->http.routes.n_items; r++) {
            const struct route *route = &listen->http.routes.items[r];
            if (route->async_ref.name.len > 0)
                (void)async_conf_claim(snap, route->async_ref.name); /* async_check() tells */
            if (route->overflow_ref.name.len > 0)
                (void)async_conf_claim(snap, route->overflow_ref.name);
        }
    }
}

/* A client may put into any queue, of the file or not; a route without words for what becomes of
 * its jobs is a mistake. */
static int check_name(const struct queue_module_conf *queues, const struct conf_ref *ref,
                      struct conf_load *load)
{
    if (ref->name.len == 0 || queue_conf_find(queues, ref->name))
        return 0;
    struct slice_near near = slice_near_begin(ref->name);
    for (size_t i = 0; i < queues->queue_list.n_items; i++) {
        const struct queue_conf *queue = queues->queue_list.items[i];
        slice_near_offer(&near, queue->name);
    }
    char hint[160];
    if (near.best.len > 0)
        snprintf(hint, sizeof(hint), "did you mean \"%.*s\"?", SLICE_ARG(near.best));
    else
        snprintf(hint, sizeof(hint), "queue %.*s { deliver pool NAME }", SLICE_ARG(ref->name));
    return conf_error(load->diag, ref->at, hint, "there is no queue \"%.*s\"",
                      SLICE_ARG(ref->name));
}

static int check_routes(struct routes *routes, const struct queue_module_conf *queues,
                        struct conf_load *load)
{
    int rc = 0;
    for (uint32_t r = 0; r < routes->n_items; r++) {
        struct route *route = &routes->items[r];
        const struct queue_conf *overflow = queue_conf_find(queues, route->overflow_ref.name);
        if (check_name(queues, &route->async_ref, load) < 0)
            rc = -1;
        if (check_name(queues, &route->overflow_ref, load) < 0)
            rc = -1;
        route->overflow_bytes = overflow ? (uint64_t)overflow->async.body_bytes : 0;
    }
    return rc;
}

int async_check(struct edge_conf *conf, const struct snapshot *snap, struct conf_load *load)
{
    const struct queue_module_conf *queues = queues_of(snap);
    int rc = 0;
    for (size_t i = 0; i < conf->listen_list.n_items; i++) {
        struct listen_conf *listen = conf->listen_list.items[i];
        if (!listen->http.has_queues)
            continue;
        conf->has_queues = true;
        listen->http.async_wait_s = (uint32_t)((queues->queues.async.wait_ms + 999) / 1000);
        if (check_routes(&listen->http.routes, queues, load) < 0)
            rc = -1;
    }
    return rc;
}

/* ---- the pool ---- */

/* A member's words and a pool's, and a cache line between two loops. */
enum { ROW_WORDS = (MEMBER_WORDS + POOL_WORDS + 15) / 8 * 8 };

struct async_pool {
    struct pool pool;
    struct member member;
    struct member *members[1];
    metric_word rows[]; /* [loop][ROW_WORDS] */
};

struct async_pool *async_pool_create(const struct process *process, const struct snapshot *snap)
{
    struct async_pool *async = mem_alloc_zero(
        1, sizeof(*async) + (size_t)process->n_loops * ROW_WORDS * sizeof(async->rows[0]));
    char path[64];
    snprintf(path, sizeof(path), "unix:/proc/self/fd/%d/" ASYNC_SOCKET, process->state_fd);
    struct member *member = &async->member;
    member->name = SLICE("queue");
    member->endpoint.text = SLICE(ASYNC_SOCKET);
    int result = addr_parse(slice_from(path), &member->endpoint.addr, NULL);
    assert(result == 0); /* it is short */
    member->weight = 1;
    member->pool = &async->pool;
    member->fact = "member:.async/queue"; /* which nobody writes */
    member->label = ".async/queue";
    async->members[0] = member;
    async->pool.members = async->members;
    async->pool.n_members = 1;
    async->pool.name = SLICE(".async");
    async->pool.fact = "pool:.async";
    async->pool.balance.method = POOL_FIRST;
    async->pool.index = pool_conf_of(snap)->n_pools;
    return async;
}

void async_pool_destroy(struct async_pool **async)
{
    mem_free(*async);
    *async = NULL;
}

const struct pool *async_pool_of(const struct async_pool *async)
{
    return async ? &async->pool : NULL;
}

metric_word *async_member_row(struct async_pool *async, uint32_t loop_index)
{
    return async->rows + (size_t)loop_index * ROW_WORDS;
}

metric_word *async_pool_row(struct async_pool *async, uint32_t loop_index)
{
    return async_member_row(async, loop_index) + MEMBER_WORDS;
}
