/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Tunnels: how a response turns into one, bytes both ways, and from one snapshot to the next.
 */

#include "http/tunnel.h"

#include "base/mem.h"
#include <errno.h>
#include <string.h>

/* ---- bytes ---- */

static bool is_from_client(const struct http_tunnel *tunnel, const struct tunnel_way *way)
{
    return way == &tunnel->from_client;
}

static void tunnel_count(struct http_tunnel *tunnel, const struct tunnel_way *way, size_t n)
{
    bool is_up = is_from_client(tunnel, way);
    struct http_listen *listen = tunnel->client->listen;
    struct upstream_member *member = tunnel->upstream->member;
    if (listen)
        metric_add(listen->row, is_up ? LISTEN_BYTES_IN : LISTEN_BYTES_OUT, n);
    if (member)
        metric_add(member->row, is_up ? MEMBER_BYTES_TO : MEMBER_BYTES_FROM, n);
}

static void tunnel_rearm(struct http_tunnel *tunnel)
{
    bool is_half = tunnel->from_client.is_ended || tunnel->from_member.is_ended;
    bool is_shorter = is_half && tunnel->closed_ms < tunnel->idle_ms;
    client_deadline(tunnel->client, is_shorter ? tunnel->closed_ms : tunnel->idle_ms);
}

/* The receiver learns of the end when it has all that came before. 0 or -errno. */
static int way_shut(struct tunnel_way *way)
{
    if (!way->is_ended || way->is_shut || conn_pending(way->to))
        return 0;
    way->is_shut = true;
    return conn_shutdown(way->to);
}

/* Moves what is there; 0, or -errno when one of the two is broken. */
static int way_pump(struct http_tunnel *tunnel, struct tunnel_way *way)
{
    char *buf = loop_buf(tunnel->worker->loop);
    for (int round = 0; round < LOOP_BUDGET; round++) {
        if (way->is_ended || !way->is_readable || conn_pending(way->to))
            return way_shut(way);
        ssize_t n = conn_recv(way->from, buf, LOOP_BUF_SIZE);
        if (n == -EAGAIN) {
            way->is_readable = false;
            return 0;
        }
        if (n < 0)
            return (int)n;
        way->is_ended = n == 0;
        way->is_readable = n == LOOP_BUF_SIZE || way->is_hangup;
        tunnel_count(tunnel, way, (size_t)n);
        tunnel_rearm(tunnel);
        int rc = n ? conn_send(way->to, buf, (size_t)n, false) : 0;
        if (rc < 0)
            return rc;
    }
    conn_again(way->from, 0);
    return 0;
}

/* Both ways, and the end where both have come to theirs. */
static void tunnel_pump(struct http_tunnel *tunnel)
{
    struct tunnel_way *up = &tunnel->from_client, *down = &tunnel->from_member;
    bool is_broken = way_pump(tunnel, up) < 0 || way_pump(tunnel, down) < 0;
    bool is_over = up->is_shut && down->is_shut;
    if (is_broken || is_over)
        client_close(tunnel->client, is_broken);
}

static void tunnel_on_event(struct http_tunnel *tunnel, struct tunnel_way *way, uint32_t events)
{
    if ((events & LOOP_ERROR) && !(events & LOOP_READ)) {
        client_close(tunnel->client, true);
        return;
    }
    if (events & (LOOP_HANGUP | LOOP_ERROR))
        way->is_hangup = true;
    if (events & (LOOP_READ | LOOP_HANGUP))
        way->is_readable = true;
    tunnel_pump(tunnel);
}

static void tunnel_on_client(struct conn *conn, uint32_t events)
{
    struct http_tunnel *tunnel = CONTAINER_OF(conn, struct http_client, conn)->tunnel;
    tunnel_on_event(tunnel, &tunnel->from_client, events);
}

static void tunnel_on_member(struct conn *conn, uint32_t events)
{
    struct http_tunnel *tunnel = CONTAINER_OF(conn, struct upstream, conn)->user;
    tunnel_on_event(tunnel, &tunnel->from_member, events);
}

/* What a member that turns down has in a tunnel cannot go elsewhere: it ends when it ends. */
static const struct upstream_user calls = {.on_event = tunnel_on_member};

/* ---- beginning and end ---- */

static struct http_tunnel *tunnel_create(struct http_exchange *exchange)
{
    struct http_client *client = exchange->client;
    const struct http_timeouts *timeouts = timeouts_of(exchange);
    struct http_tunnel *tunnel = MEM_NEW(struct http_tunnel);
    tunnel->client = client;
    tunnel->worker = worker_of(exchange);
    tunnel->idle_ms = timeouts->tunnel_ms;
    tunnel->closed_ms = timeouts->stream_ms;
    struct conn *member_conn = &exchange->upstream->conn;
    tunnel->from_client = (struct tunnel_way){.from = &client->conn,
                                              .to = member_conn,
                                              .is_readable = client->is_readable,
                                              .is_hangup = client->is_hangup};
    tunnel->from_member = (struct tunnel_way){.from = member_conn,
                                              .to = &client->conn,
                                              .is_readable = exchange->is_response_readable,
                                              .is_hangup = exchange->is_response_hangup};
    list_add_back(&tunnel->worker->tunnels, &tunnel->link);
    metric_add(client->listen->row, LISTEN_TUNNELS, 1);
    metric_add(client->listen->row, LISTEN_TUNNELS_ACTIVE, 1);
    tunnel->upstream = exchange_detach(exchange);
    upstream_hand(tunnel->upstream, tunnel, &calls);
    client->conn.on_event = tunnel_on_client;
    client_tunnel(client, tunnel);
    return tunnel;
}

/* The head, what came behind it, and what the client has sent already. 0 or -errno. */
static int tunnel_greet(struct http_tunnel *tunnel, const char *buf, size_t len, size_t reply_len)
{
    struct http_client *client = tunnel->client;
    struct iovec parts[2] = {{.iov_base = tunnel->worker->scratch, .iov_len = reply_len},
                             {.iov_len = len}};
    memcpy(&parts[1].iov_base, &buf, sizeof(buf)); /* only sent, never written to */
    int rc = client_send(client, parts, len ? 2 : 1);
    if (rc == 0 && client->held)
        rc = conn_send(&tunnel->upstream->conn, client->held->bytes, client->held->len, false);
    held_free(&client->held);
    return rc < 0 ? rc : conn_wait(&client->conn);
}

static void tunnel_follow(struct http_tunnel *tunnel);

void tunnel_start(struct http_exchange *exchange, const char *buf, size_t len, size_t reply_len)
{
    struct http_tunnel *tunnel = tunnel_create(exchange);
    tunnel_follow(tunnel); /* the epoch may have been replaced while the member thought about it */
    tunnel_rearm(tunnel);
    if (tunnel_greet(tunnel, buf, len, reply_len) < 0)
        client_close(tunnel->client, true);
    else
        tunnel_pump(tunnel);
}

void tunnel_end(struct http_tunnel *tunnel, bool is_abort)
{
    struct upstream *upstream = tunnel->upstream;
    struct upstream_member *member = upstream->member;
    if (is_abort)
        conn_abort(&upstream->conn);
    upstream_drop(upstream);
    if (member)
        upstream_end(member, &(struct upstream_outcome){0});
    if (tunnel->client->listen)
        metric_sub(tunnel->client->listen->row, LISTEN_TUNNELS_ACTIVE, 1);
    list_remove(&tunnel->link);
    tunnel->client->tunnel = NULL;
    mem_free(tunnel);
}

/* ---- from one snapshot to the next ---- */

/*
 * A listen that closes in order to end the process keeps its tunnels: they are what is waited for.
 * One that the new snapshot has no more lets them go, and with them the old one.
 */
static bool is_listen_gone(const struct http_tunnel *tunnel)
{
    const struct http_listen *listen = tunnel->client->listen;
    return listen && listen->is_closing && listen->service->epoch != tunnel->worker->current;
}

static void tunnel_follow(struct http_tunnel *tunnel)
{
    upstream_follow(tunnel->upstream);
    if (!is_listen_gone(tunnel))
        return;
    metric_sub(tunnel->client->listen->row, LISTEN_TUNNELS_ACTIVE, 1);
    client_leave(tunnel->client);
    tunnel->client->listen = NULL;
}

void tunnels_follow(struct http_worker *worker)
{
    LIST_EACH (node, &worker->tunnels)
        tunnel_follow(LIST_ENTRY(node, struct http_tunnel, link));
}
