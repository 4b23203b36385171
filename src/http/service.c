/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a snapshot means in a loop: workers, epochs, services, listens, and how one epoch follows
 * another.
 */

#include "base/hash.h"
#include "base/mem.h"
#include "http/exchange.h"
#include "http/tunnel.h"
#include <assert.h>
#include <string.h>

/* ---- workers ---- */

struct http_worker *http_worker_create(struct loop *loop, const struct board *board)
{
    struct http_worker *worker = MEM_NEW(struct http_worker);
    worker->loop = loop;
    worker->board = board;
    list_init(&worker->listens);
    list_init(&worker->tunnels);
    strand_init(worker);
    return worker;
}

void http_worker_destroy(struct http_worker **worker)
{
    if (!*worker)
        return;
    assert(list_is_empty(&(*worker)->listens) && list_is_empty(&(*worker)->tunnels));
    strand_deinit(*worker);
    exchange_free_spare(*worker);
    mem_free(*worker);
    *worker = NULL;
}

uint32_t http_worker_n_clients(const struct http_worker *worker)
{
    return worker->n_clients;
}

void http_worker_abort(struct http_worker *worker)
{
    LIST_EACH (listen_node, &worker->listens) {
        struct http_listen *listen = LIST_ENTRY(listen_node, struct http_listen, link);
        LIST_EACH (node, &listen->clients)
            client_close(LIST_ENTRY(node, struct http_client, link), true);
    }
    LIST_EACH (node, &worker->tunnels) /* those whose listen is gone */
        client_close(LIST_ENTRY(node, struct http_tunnel, link)->client, true);
}

/* ---- epochs ---- */

static void service_init(struct http_service *service, struct http_epoch *epoch,
                         const struct http_service_want *want)
{
    const struct http_limits *limits = &want->conf->limits;
    service->name = want->name;
    service->host = want->host;
    service->port = want->port;
    service->conf = want->conf;
    service->tls = want->tls;
    service->row = want->row;
    service->epoch = epoch;
    const struct conf_rate *floor = &want->conf->retry.at_least;
    int64_t floor_s = (floor->count * 1000 + floor->per_ms - 1) / floor->per_ms;
    limit_budget_init(&service->budget, (uint32_t)want->conf->retry.budget_percent,
                      (uint32_t)floor_s, epoch->n_loops);
    service->limits = h1_limits_default;
    service->limits.head_bytes = (uint32_t)limits->head_bytes;
    service->limits.field_bytes = (uint32_t)limits->field_bytes;
    service->limits.target_bytes = (uint32_t)limits->target_bytes;
    service->limits.n_fields = (uint32_t)limits->fields;
    service->limits.trailer_bytes = (uint32_t)limits->head_bytes;
    service->limits.n_trailers = (uint32_t)limits->fields;
}

struct http_epoch *http_epoch_create(const struct http_epoch_options *options)
{
    struct http_epoch *epoch = MEM_NEW(struct http_epoch);
    epoch->worker = options->worker;
    epoch->snap = options->snap;
    epoch->n_loops = options->snap->n_loops;
    const struct upstream_set_options upstreams = {
        .snap = options->snap,
        .tls = options->tls,
        .own = options->async,
        .board = options->worker->board,
        .commons = options->commons,
        .loop_index = options->loop_index,
        .seed = options->seed,
        .member_row = options->member_row,
        .pool_row = options->pool_row,
        .ctx = options->row_ctx,
    };
    epoch->upstreams = upstream_set_create(&upstreams);
    if (options->async)
        epoch->async = upstream_pool_of(epoch->upstreams, options->async);
    epoch->n_services = options->n_wants;
    /* Other numbers than those of the epoch before: they are the ids of requests. */
    rng_init(&epoch->rng,
             hash_mix(options->seed + options->snap->generation) + options->loop_index);
    sticky_keys_init(&epoch->sticky_keys, options->secret);
    epoch->services = MEM_NEW_ARRAY(struct http_service, options->n_wants);
    for (uint32_t i = 0; i < options->n_wants; i++)
        service_init(&epoch->services[i], epoch, &options->wants[i]);
    epoch->on_gone = options->on_gone;
    epoch->gone_ctx = options->gone_ctx;
    return epoch;
}

void http_epoch_destroy(struct http_epoch **epoch)
{
    if (!*epoch)
        return;
    upstream_set_destroy(&(*epoch)->upstreams);
    sticky_keys_deinit(&(*epoch)->sticky_keys);
    mem_free((*epoch)->services);
    mem_free(*epoch);
    *epoch = NULL;
}

struct snapshot *http_epoch_snapshot(const struct http_epoch *epoch)
{
    return epoch->snap;
}

void http_epoch_refresh(struct http_epoch *epoch)
{
    upstream_set_refresh(epoch->upstreams);
}

void http_epoch_begin(struct http_epoch *epoch, struct http_epoch *old)
{
    epoch->n_users++; /* that it is the current one */
    upstream_set_adopt(epoch->upstreams, epoch->worker->loop, old ? old->upstreams : NULL);
    upstream_set_refresh(epoch->upstreams);
    epoch->worker->current = epoch;
    if (!old)
        return;
    tunnels_follow(epoch->worker);
    LIST_EACH (node, &epoch->worker->listens) {
        struct http_listen *listen = LIST_ENTRY(node, struct http_listen, link);
        if (!listen->is_closing)
            http_listen_switch(listen, epoch);
    }
    http_epoch_end(old);
}

void http_epoch_end(struct http_epoch *epoch)
{
    epoch_leave(epoch);
}

void epoch_leave(struct http_epoch *epoch)
{
    assert(epoch->n_users > 0);
    if (--epoch->n_users == 0)
        epoch->on_gone(epoch, epoch->gone_ctx);
}

/* ---- listens ---- */

static struct http_service *service_find(struct http_epoch *epoch, const char *name)
{
    for (uint32_t i = 0; i < epoch->n_services; i++)
        if (strcmp(epoch->services[i].name, name) == 0)
            return &epoch->services[i];
    return NULL;
}

static void listen_on_accept(struct listener *listener, struct loop *loop, int fd,
                             const struct addr *peer)
{
    (void)loop;
    client_accept(CONTAINER_OF(listener, struct http_listen, listener), fd, peer);
}

static void listen_on_exhausted(struct listener *listener, struct loop *loop, int error)
{
    struct http_listen *listen = CONTAINER_OF(listener, struct http_listen, listener);
    (void)loop;
    (void)error;
    metric_add(listen->row, LISTEN_EXHAUSTED, 1);
}

struct http_listen *http_listen_create(struct http_worker *worker, const char *name, int fd,
                                       struct http_epoch *epoch, struct err *err)
{
    struct http_listen *listen = MEM_NEW(struct http_listen);
    listen->worker = worker;
    listen->service = service_find(epoch, name);
    assert(listen->service);
    listen->row = listen->service->row;
    listen->is_internal = listen->service->conf->is_internal;
    list_init(&listen->clients);
    listener_init(&listen->listener);
    listen->listener.on_accept = listen_on_accept;
    listen->listener.on_exhausted = listen_on_exhausted;
    if (listener_start(&listen->listener, worker->loop, fd, err) < 0) {
        mem_free(listen);
        return NULL;
    }
    list_add_back(&worker->listens, &listen->link);
    return listen;
}

void http_listen_switch(struct http_listen *listen, struct http_epoch *epoch)
{
    struct http_service *service = service_find(epoch, listen->service->name);
    assert(service); /* those that the epoch does not have were closed before */
    listen->service = service;
    listen->row = service->row;
}

static void listen_on_free(struct loop *loop, struct loop_task *task)
{
    (void)loop;
    mem_free(CONTAINER_OF(task, struct http_listen, free_task));
}

void listen_leave(struct http_listen *listen)
{
    if (!listen->is_closing || listen->n_clients > 0 || !list_is_linked(&listen->link))
        return;
    list_remove(&listen->link);
    epoch_leave(listen->service->epoch);
    loop_defer(listen->worker->loop, &listen->free_task, listen_on_free);
}

void http_listen_close(struct http_listen *listen)
{
    listener_sweep(&listen->listener, listen->worker->loop);
    listener_stop(&listen->listener, listen->worker->loop);
    listen->is_closing = true;
    listen->service->epoch->n_users++; /* for the clients that are left */
    LIST_EACH (node, &listen->clients) {
        struct http_client *client = LIST_ENTRY(node, struct http_client, link);
        if (client->phase == CLIENT_IDLE)
            client_rest(client);
        else if (client->exchange && client->exchange->status == 0)
            client->must_close = true; /* its head will say so */
    }
    listen_leave(listen);
}
