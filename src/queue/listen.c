/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The listeners of a file: those that stay keep their clients, whatever else of them changes.
 */

#include "queue/api.h"
#include "queue/async.h"
#include "queue/client.h"

#include "base/mem.h"
#include "core/secret.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static bool is_same(const struct jobs_listener *listener, const struct jobs_conf *conf)
{
    return slice_is(conf->name, listener->name) && addr_equal(&conf->addr.addr, &listener->addr);
}

static struct jobs_listener *find(struct jobs_listener **listeners, size_t n,
                                  const struct jobs_conf *conf)
{
    for (size_t i = 0; i < n; i++)
        if (is_same(listeners[i], conf))
            return listeners[i];
    return NULL;
}

static bool has(struct jobs_listener **listeners, size_t n, const struct jobs_listener *listener)
{
    for (size_t i = 0; i < n; i++)
        if (listeners[i] == listener)
            return true;
    return false;
}

/* ---- accepting ------------------------------------------------------------------------------- */

static void on_accept(struct listener *io, struct loop *loop, int fd, const struct addr *peer)
{
    (void)loop;
    (void)peer;
    struct jobs_listener *listener = CONTAINER_OF(io, struct jobs_listener, listener);
    metric_add(listener->row, JOBS_CONNECTIONS, 1);
    uint64_t n_conns = (uint64_t)listener->n_clients + api_n_conns(listener);
    if (n_conns >= (uint64_t)listener->conf->limits.connections) {
        metric_add(listener->row, JOBS_CONNECTIONS_REFUSED, 1);
        close(fd);
    } else if (listener->conf->is_async) {
        async_open(listener, fd);
    } else {
        jobs_client_open(listener, fd);
    }
}

static void on_exhausted(struct listener *io, struct loop *loop, int error)
{
    (void)loop;
    (void)error;
    metric_add(CONTAINER_OF(io, struct jobs_listener, listener)->row, JOBS_EXHAUSTED, 1);
}

static void start(struct jobs_listener *listener)
{
    struct hall *hall = listener->hall;
    struct err err = ERR_NONE;
    if (listener->is_open)
        return;
    listener->is_open = listener_start(&listener->listener, hall->loop, listener->fd, &err) == 0;
    if (!listener->is_open)
        log_write(process_log(hall->loop), LOG_LEVEL_ERROR, "jobs %s: %s", listener->name,
                  err.text);
}

static void stop(struct jobs_listener *listener)
{
    if (listener->is_open)
        listener_stop(&listener->listener, listener->hall->loop);
    listener->is_open = false;
}

void listen_open(struct hall *hall)
{
    if (!hall->engine.wal || hall->is_closing)
        return;
    for (size_t i = 0; i < hall->n_listeners; i++)
        start(hall->listeners[i]);
}

void listen_close(struct hall *hall)
{
    for (size_t i = 0; i < hall->n_listeners; i++)
        stop(hall->listeners[i]);
}

/* ---- files that come and go ------------------------------------------------------------------ */

static void destroy(struct jobs_listener *listener)
{
    stop(listener);
    tls_server_destroy(&listener->tls);
    tls_server_destroy(&listener->coming_tls);
    if (listener->slab)
        slabs_leave(&listener->hall->slabs, listener->slab);
    if (listener->fd >= 0)
        close(listener->fd);
    mem_free(listener);
}

static struct jobs_listener *make(struct hall *hall, const struct jobs_conf *conf, struct err *err)
{
    struct jobs_listener *listener = MEM_NEW(struct jobs_listener);
    slice_copy(conf->name, listener->name, sizeof(listener->name));
    listener->addr = conf->addr.addr;
    listener->hall = hall;
    list_init(&listener->clients);
    listener_init(&listener->listener);
    listener->listener.on_accept = on_accept;
    listener->listener.on_exhausted = on_exhausted;
    int fd = process_socket(hall->process, conf->fact, 0);
    listener->fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    listener->slab = slabs_take(&hall->slabs, &jobs_metrics, listener->name);
    if (listener->fd >= 0 && listener->slab) {
        listener->row = metric_row(listener->slab->slab, 0);
        return listener;
    }
    if (listener->fd < 0)
        err_set_errno(err, fd < 0 ? EBADF : errno, "no socket for %s", conf->fact);
    else
        err_set(err, "no room on the board for the counters of jobs %s", listener->name);
    destroy(listener);
    return NULL;
}

static struct slice bytes_of(void *ctx, const char *name)
{
    return process_blob(ctx, name);
}

static int make_tls(struct jobs_listener *listener, const struct jobs_conf *conf, struct err *err)
{
    struct process *process = listener->hall->process;
    const struct tls_server_options options = {
        .conf = &conf->tls,
        .name = conf->fact,
        .secret = process_blob(process, BLOB_SECRET),
        .bytes = bytes_of,
        .bytes_ctx = process,
        .n_loops = process->n_loops,
    };
    if (!tls_server_is_set(&conf->tls))
        return 0;
    listener->coming_tls = tls_server_create(&options, err);
    return listener->coming_tls ? 0 : err_prefix(err, "%s", conf->fact);
}

int listen_prepare(struct hall *hall, struct err *err)
{
    const struct conf_list *list = &queue_conf_of(hall->next)->listens;
    hall->coming = MEM_NEW_ARRAY(struct jobs_listener *, list->n_items);
    for (size_t i = 0; i < list->n_items; i++) {
        const struct jobs_conf *conf = list->items[i];
        struct jobs_listener *listener = find(hall->listeners, hall->n_listeners, conf);
        if (!listener)
            listener = make(hall, conf, err);
        if (!listener)
            return -1;
        hall->coming[hall->n_coming++] = listener;
        if (make_tls(listener, conf, err) < 0)
            return -1;
    }
    return 0;
}

void listen_abort(struct hall *hall)
{
    for (size_t i = 0; i < hall->n_coming; i++)
        if (has(hall->listeners, hall->n_listeners, hall->coming[i]))
            tls_server_destroy(&hall->coming[i]->coming_tls);
        else
            destroy(hall->coming[i]);
    mem_free(hall->coming);
    hall->coming = NULL;
    hall->n_coming = 0;
}

/* Its clients are gone at the end of the turn, and so is it: they are freed before anything else
 * looks for it. */
static void leave(struct jobs_listener *listener)
{
    stop(listener);
    api_close(listener);
    LIST_EACH (node, &listener->clients)
        jobs_client_dismiss(LIST_ENTRY(node, struct client, node));
    clients_go_on(listener->hall);
    destroy(listener);
}

/* Connections keep the TLS that they began with. */
static void take_conf(struct jobs_listener *listener, const struct jobs_conf *conf)
{
    listener->conf = conf;
    tls_server_destroy(&listener->tls);
    listener->tls = listener->coming_tls;
    listener->coming_tls = NULL;
    api_configure(listener);
}

void listen_commit(struct hall *hall)
{
    const struct conf_list *list = &queue_conf_of(hall->next)->listens;
    for (size_t i = 0; i < hall->n_coming; i++)
        take_conf(hall->coming[i], list->items[i]);
    for (size_t i = 0; i < hall->n_listeners; i++)
        if (!has(hall->coming, hall->n_coming, hall->listeners[i]))
            leave(hall->listeners[i]);
    mem_free(hall->listeners);
    hall->listeners = hall->coming;
    hall->n_listeners = hall->n_coming;
    hall->coming = NULL;
    hall->n_coming = 0;
}

void listen_stop(struct hall *hall)
{
    for (size_t i = 0; i < hall->n_listeners; i++)
        leave(hall->listeners[i]);
    mem_free(hall->listeners);
    hall->listeners = NULL;
    hall->n_listeners = 0;
}
