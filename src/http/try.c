/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Tries: a member picked, a connection to it, what comes of that, and another member where nobody
 * could tell.
 */

#include "base/mem.h"
#include "http/exchange.h"
#include <assert.h>
#include <errno.h>

/* May the request be sent to a member once more, though this one may have seen it? */
static bool exchange_is_repeatable(const struct http_exchange *exchange, bool was_connecting)
{
    if (!exchange->sent || exchange->n_tries >= exchange->service->conf->limits.tries)
        return false;
    return was_connecting || (exchange->is_idempotent && exchange->is_request_done);
}

static enum http_reason failure_reason(bool was_connecting, int error)
{
    if (error == EPROTO)
        return HTTP_NONSENSE;
    if (error == ETIMEDOUT && !was_connecting)
        return HTTP_LATE;
    return was_connecting ? HTTP_UNREACHABLE : HTTP_BROKEN;
}

/*
 * The connection to the member is no good any more. A kept one that died before it answered says
 * nothing about the member, which merely closed it while the request was on its way: the same
 * member may be tried again, by a new connection.
 */
void exchange_upstream_failed(struct http_exchange *exchange, int error)
{
    struct upstream_member *member = exchange->upstream->member;
    bool was_connecting = exchange->is_connecting;
    bool was_kept = !exchange->is_fresh && error != ETIMEDOUT;
    exchange_release(exchange, false);
    if (!was_kept || exchange->status) {
        uint64_t now_ns = loop_now_ns(worker_of(exchange)->loop);
        upstream_suspect(member, now_ns, was_connecting);
        upstream_tried_add(&exchange->tried, member);
    }
    mem_free(exchange->held);
    exchange->held = NULL;
    exchange->failure = (uint8_t)failure_reason(was_connecting, error);
    if (!exchange->status && error != EPROTO && exchange_is_repeatable(exchange, was_connecting))
        exchange_try(exchange);
    else
        exchange_fail(exchange, (enum http_reason)exchange->failure);
}

static void upstream_on_event(struct conn *conn, uint32_t events)
{
    struct upstream *upstream = CONTAINER_OF(conn, struct upstream, conn);
    struct http_exchange *exchange = upstream->user;
    struct http_client *client = exchange->client;
    if ((events & LOOP_ERROR) && !(events & LOOP_READ)) {
        exchange_upstream_failed(exchange, conn_error(conn));
        return;
    }
    if (exchange->is_connecting && !conn->is_connecting) {
        exchange->is_connecting = false;
        exchange_rearm(exchange);
    }
    if (events & (LOOP_HANGUP | LOOP_ERROR))
        exchange->is_response_hangup = true; /* no edge comes after this: read until the end */
    if (events & (LOOP_READ | LOOP_HANGUP))
        exchange->is_response_readable = true;
    if ((events & LOOP_WRITE) && exchange_wants_body(exchange)) {
        exchange_pull_request(exchange);
        /* The client's memory stays until the turn is over; the exchange's may not. */
        if (client->exchange != exchange || exchange->upstream != upstream)
            return;
    }
    exchange_pull_response(exchange);
}

/* A connection for this try. What cannot be repeated goes out on a kept connection only after a
 * look at it, because a member that has just closed it would take the request with it. */
static struct upstream *exchange_take(struct http_exchange *exchange,
                                      struct upstream_member *member)
{
    struct loop *loop = worker_of(exchange)->loop;
    if (exchange->n_tries > 1)
        return upstream_take_fresh(member, loop, exchange, upstream_on_event, NULL);
    for (;;) {
        struct upstream *upstream = upstream_take(member, loop, exchange, upstream_on_event, NULL);
        bool is_doubtful = upstream && upstream->n_requests > 1 && !exchange->is_idempotent;
        if (!is_doubtful || !conn_is_stale(&upstream->conn))
            return upstream;
        upstream_drop(upstream);
    }
}

void exchange_try(struct http_exchange *exchange)
{
    struct loop *loop = worker_of(exchange)->loop;
    int64_t max_tries = exchange->service->conf->limits.tries;
    struct upstream_member *member = NULL;
    while (!exchange->upstream && exchange->n_tries < max_tries) {
        member = upstream_pick(exchange->pool, loop_now_ns(loop), &exchange->tried);
        if (!member)
            break;
        if (exchange->n_tries++)
            metric_add(exchange->service->row, LISTEN_RETRIES, 1);
        exchange->upstream = exchange_take(exchange, member);
        if (!exchange->upstream) {
            upstream_suspect(member, loop_now_ns(loop), true);
            upstream_tried_add(&exchange->tried, member);
            exchange->failure = HTTP_UNREACHABLE;
        }
    }
    if (!exchange->upstream) {
        exchange_fail(exchange,
                      exchange->n_tries ? (enum http_reason)exchange->failure : HTTP_NO_MEMBER);
        return;
    }
    struct conn *conn = &exchange->upstream->conn;
    member = exchange->upstream->member;
    exchange->is_fresh = exchange->upstream->n_requests == 1;
    exchange->is_response_readable = false;
    exchange->is_response_hangup = false;
    upstream_begin(member);
    metric_add(member->row, MEMBER_BYTES_TO, exchange->sent_len);
    exchange->sent_ns = loop_now_ns(loop);
    int rc = conn_send(conn, exchange->sent, exchange->sent_len, false);
    exchange->is_connecting = conn->is_connecting;
    if (rc < 0) {
        exchange_upstream_failed(exchange, -rc);
        return;
    }
    exchange_rearm(exchange);
}
