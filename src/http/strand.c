/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Clients that are connected to an address which has left this host.
 */

#include "http/exchange.h"
#include "http/tunnel.h"

enum { NS_PER_MS = 1000000 };

/* Calls fn with each client of the worker. It may close the client. */
static void each_client(struct http_worker *worker, void (*fn)(void *ctx, struct http_client *),
                        void *ctx)
{
    LIST_EACH (listen_node, &worker->listens) {
        struct http_listen *listen = LIST_ENTRY(listen_node, struct http_listen, link);
        LIST_EACH (node, &listen->clients)
            fn(ctx, LIST_ENTRY(node, struct http_client, link));
    }
    LIST_EACH (node, &worker->tunnels) {
        struct http_client *client = LIST_ENTRY(node, struct http_tunnel, link)->client;
        if (!client->listen)
            fn(ctx, client);
    }
}

/* ---- one ---- */

/* No answer is on its way. A tunnel has lost one of its two ways. */
static bool is_quiet(const struct http_client *client)
{
    switch ((enum client_phase)client->phase) {
    case CLIENT_BUSY:
        return false;
    case CLIENT_IDLE:
    case CLIENT_HEAD:
    case CLIENT_LINGER:
        return conn_pending(&client->conn) == 0;
    case CLIENT_TUNNEL:
    case CLIENT_GONE:
        break;
    }
    return true;
}

static void strand(struct http_client *client)
{
    if (client->listen && !client->is_stranded)
        metric_add(client->listen->row, LISTEN_STRANDED, 1);
    if (is_quiet(client)) {
        client_close(client, true);
        return;
    }
    client->is_stranded = client->must_close = true;
    if (client->phase == CLIENT_IDLE)
        client_linger(client);
}

/* What it has of its answer must not look whole. */
static void cut_off(void *ctx, struct http_client *client)
{
    (void)ctx;
    if (!client->is_stranded)
        return;
    if (client->listen)
        metric_add(client->listen->row, LISTEN_CUT, 1);
    client_reason(client, "stranded");
    client_close(client, true);
}

/* ---- all of them ---- */

struct look {
    http_is_away_fn *is_away;
    void *ctx;
    bool has_stranded; /* some that still wait for the end of an answer */
};

static void look_at(void *ctx, struct http_client *client)
{
    struct look *look = ctx;
    struct addr local;
    if (conn_local(&client->conn, &local) < 0)
        return;
    if (look->is_away(look->ctx, &local))
        strand(client);
    else
        client->is_stranded = false;
    look->has_stranded |= client->phase != CLIENT_GONE && client->is_stranded;
}

/* Those that the kernel has accepted are clients as well. */
static void accept_all(const struct http_worker *worker)
{
    LIST_EACH (node, &worker->listens) {
        struct http_listen *listen = LIST_ENTRY(node, struct http_listen, link);
        if (!listen->is_closing)
            listener_sweep(&listen->listener, worker->loop);
    }
}

void http_worker_strand(struct http_worker *worker, http_is_away_fn *is_away, void *ctx)
{
    struct look look = {.is_away = is_away, .ctx = ctx};
    accept_all(worker);
    each_client(worker, look_at, &look);
    if (!look.has_stranded)
        loop_timer_clear(worker->loop, &worker->stranded);
    else if (!loop_timer_is_set(&worker->stranded))
        loop_timer_set(worker->loop, &worker->stranded,
                       loop_now_ns(worker->loop) + (uint64_t)HTTP_STRANDED_MS * NS_PER_MS);
}

static void on_stranded(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    each_client(CONTAINER_OF(timer, struct http_worker, stranded), cut_off, NULL);
}

void strand_init(struct http_worker *worker)
{
    loop_timer_init(&worker->stranded, on_stranded);
}

void strand_deinit(struct http_worker *worker)
{
    loop_timer_clear(worker->loop, &worker->stranded);
}
