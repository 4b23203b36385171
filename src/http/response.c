/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The response on its way back: heads, rewritten in front of what was read with them, and the body.
 */

#include "http/exchange.h"
#include "http/tunnel.h"
#include <errno.h>
#include <string.h>

/* An interim response (100, 103) goes to the client as it is; false when the client is gone. */
static bool response_interim(struct http_exchange *exchange, const char *buf)
{
    struct http_worker *worker = worker_of(exchange);
    bool is_repeated = exchange->mode && exchange->is_interim;
    if (exchange->client_minor == 0 || is_repeated)
        return true;
    struct h1_reply reply = {.client_minor = 1};
    ssize_t n = h1_write_response_head(worker->scratch, sizeof(worker->scratch), &worker->response,
                                       buf, &reply);
    struct iovec part = {.iov_base = worker->scratch, .iov_len = n > 0 ? (size_t)n : 0};
    if (n > 0 && client_send(exchange->client, &part, 1) < 0) {
        exchange_client_lost(exchange);
        return false;
    }
    /* The first of them starts the time anew, which the client of a 100 needs for its body; a
     * member that has only those to say does not hold everybody for ever. */
    if (!exchange->is_interim)
        exchange_rearm(exchange);
    exchange->is_interim = true; /* the client has seen this member: no other may answer now */
    if (!exchange->mode)
        sent_drop(exchange);
    return true;
}

/* What the client is told of its session, and that the member was used by one. */
static struct slice response_session(struct http_exchange *exchange)
{
    const struct sticky_conf *conf = exchange->service->conf->sticky;
    struct http_worker *worker = worker_of(exchange);
    uint64_t now_s = exchange_wall_s(exchange);
    bool is_tls = exchange->client->conn.transport != &transport_plain;
    if (exchange->sticky.state == STICKY_OFF)
        return SLICE("");
    metric_set(exchange->member->row, MEMBER_STICKY_LAST, now_s);
    size_t len = sticky_lines(&exchange->sticky, conf, &exchange->service->epoch->sticky_keys,
                              exchange->member->view.member, now_s, is_tls, worker->cookies);
    return slice_make(worker->cookies, len);
}

/* The final head: decides the framing on both sides and writes the client's head into scratch. */
static ssize_t response_begin(struct http_exchange *exchange, const char *buf)
{
    struct http_worker *worker = worker_of(exchange);
    struct http_client *client = exchange->client;
    const struct h1_head *head = &worker->response;
    metric_word *row = exchange->upstream->member->row;
    uint64_t took_ns = loop_now_ns(worker->loop) - exchange->sent_ns;
    exchange->status = head->status;
    client_status(client, head->status);
    metric_add(row, MEMBER_RESPONSES, 1);
    count_status(row, MEMBER_2XX, head->status);
    exchange->latency_ns = took_ns;
    if (eject_counts_status(&exchange->upstream->member->pool->conf->eject, head->status))
        metric_add(row, MEMBER_BAD_STATUS, 1);
    metric_observe(row, MEMBER_LATENCY, took_ns / 1000);
    count_status(exchange->service->row, LISTEN_2XX, head->status);
    h1_body_init(&exchange->response_body, head, &exchange->service->limits);
    exchange->is_upstream_kept = head->is_keep_alive && head->body != H1_BODY_UNTIL_CLOSE;
    sent_drop(exchange);
    struct slice lines = response_session(exchange);
    struct h1_reply reply = {
        .client_minor = exchange->client_minor, .lines = &lines, .n_lines = lines.len ? 1 : 0};
    if (exchange->mode)
        async_answered(exchange);
    if (exchange->service->conf->is_internal || exchange->mode)
        reply.drop = H1_SET(H1_FIELD_WEIR_ANSWER);
    enum h1_body_kind kind = h1_reply_body(head, &reply);
    exchange->is_reply_chunked = kind == H1_BODY_CHUNKED;
    if (kind == H1_BODY_UNTIL_CLOSE || !exchange->is_request_done)
        client->must_close = true;
    reply.is_close = client->must_close;
    return h1_write_response_head(worker->scratch, sizeof(worker->scratch), head, buf, &reply);
}

/*
 * Reads heads from buf until the final one: the bytes used and, in *ret_reply_len, what is in
 * scratch; 0 when more must come (which is kept), -1 when the exchange is over.
 */
static ssize_t response_heads(struct http_exchange *exchange, const char *buf, size_t len,
                              size_t *ret_reply_len)
{
    struct http_worker *worker = worker_of(exchange);
    struct h1_head *head = &worker->response;
    size_t at = 0;
    for (;;) {
        enum h1_error error;
        h1_head_reset(head);
        ssize_t used = h1_parse_response(buf + at, len - at, &exchange->service->limits,
                                         exchange->asked, head, &error);
        if (used < 0) {
            exchange_upstream_failed(exchange, EPROTO);
            return -1;
        }
        if (used == 0) {
            held_keep(&exchange->held, buf + at, len - at);
            return 0;
        }
        if (head->is_interim) {
            if (!response_interim(exchange, buf + at))
                return -1;
            at += (size_t)used;
            continue;
        }
        ssize_t reply_len = response_begin(exchange, buf + at);
        if (reply_len < 0) {
            exchange->status = 0;
            exchange_upstream_failed(exchange, EPROTO);
            return -1;
        }
        *ret_reply_len = (size_t)reply_len;
        return (ssize_t)at + used;
    }
}

/*
 * Sends the parts of the relay, the head before them. A head and one piece of body that lies right
 * behind the place where the member's head was leave as one run of bytes: the head is written in
 * front of the body, into what the member's head took and the buffer's headroom.
 */
static int response_send(struct http_exchange *exchange, size_t reply_len)
{
    struct http_worker *worker = worker_of(exchange);
    struct relay *relay = &worker->relay;
    if (reply_len == 0)
        return client_send(exchange->client, relay->parts + 1, relay->n_parts - 1);
    bool is_one_run = relay->n_parts == 3 && relay->parts[1].iov_len == 0;
    if (is_one_run) {
        struct iovec run = relay->parts[2];
        run.iov_base = (char *)run.iov_base - reply_len;
        run.iov_len += reply_len;
        memcpy(run.iov_base, worker->scratch, reply_len);
        return client_send(exchange->client, &run, 1);
    }
    relay->parts[0].iov_base = worker->scratch;
    relay->parts[0].iov_len = reply_len;
    bool is_head_alone = relay->n_parts == 2 && relay->parts[1].iov_len == 0;
    return client_send(exchange->client, relay->parts, is_head_alone ? 1 : relay->n_parts);
}

/* Relays the body in buf[at, len), behind a head of reply_len bytes; false when the exchange is
 * over. */
static bool response_body(struct http_exchange *exchange, const char *buf, size_t at, size_t len,
                          size_t reply_len)
{
    struct relay *relay = &worker_of(exchange)->relay;
    enum relay_result result;
    do {
        size_t used;
        result = relay_next(relay, &exchange->response_body, exchange->is_reply_chunked,
                            &exchange->response_trailers, buf + at, len - at, &used);
        at += used;
        bool has_bytes = relay->n_parts > 2 || reply_len;
        if (has_bytes && response_send(exchange, reply_len) < 0) {
            exchange_client_lost(exchange);
            return false;
        }
        reply_len = 0;
    } while (result == RELAY_FULL);
    if (result == RELAY_ERROR) {
        exchange_cut(exchange);
        return false;
    }
    if (result == RELAY_END) {
        /* A member that said more than its answer, or may have, or has closed, is not used
         * again. */
        exchange_finish(exchange, at == len && !exchange->is_response_readable);
        return false;
    }
    if (at < len)
        held_keep(&exchange->held, buf + at, len - at);
    exchange_rearm(exchange);
    return true;
}

static bool response_feed(struct http_exchange *exchange, const char *buf, size_t len)
{
    size_t reply_len = 0;
    ssize_t used = 0;
    if (exchange->status == 0) {
        used = response_heads(exchange, buf, len, &reply_len);
        if (used <= 0)
            return used == 0;
        if (exchange->status == 101) {
            tunnel_start(exchange, buf + used, len - (size_t)used, reply_len);
            return false;
        }
    }
    return response_body(exchange, buf, (size_t)used, len, reply_len);
}

/* The member has closed. */
static void response_eof(struct http_exchange *exchange)
{
    if (exchange->status == 0) {
        exchange_upstream_failed(exchange, 0);
        return;
    }
    if (h1_body_close(&exchange->response_body) != H1_OK) {
        exchange_cut(exchange);
        return;
    }
    char end[8];
    ssize_t n = h1_write_chunk_end(end, sizeof(end), SLICE(""));
    struct iovec part = {.iov_base = end, .iov_len = (size_t)n};
    if (exchange->is_reply_chunked && client_send(exchange->client, &part, 1) < 0) {
        exchange_client_lost(exchange);
        return;
    }
    exchange_finish(exchange, false);
}

void exchange_pull_response(struct http_exchange *exchange)
{
    struct http_client *client = exchange->client;
    struct upstream *upstream = exchange->upstream;
    for (int round = 0; round < LOOP_BUDGET; round++) {
        if (!exchange->is_response_readable || conn_pending(&client->conn))
            return;
        char *buf;
        bool is_drained;
        uint32_t n_held = exchange->held ? exchange->held->len : 0;
        ssize_t n = held_recv(&upstream->conn, &exchange->held, &buf, &is_drained);
        if (n == -EAGAIN) {
            exchange->is_response_readable = false;
            return;
        }
        if (n < 0) {
            exchange_upstream_failed(exchange, (int)-n);
            return;
        }
        if (n == 0) {
            response_eof(exchange);
            return;
        }
        exchange->is_response_readable = !is_drained || exchange->is_response_hangup;
        metric_add(upstream->member->row, MEMBER_BYTES_FROM, (uint64_t)n - n_held);
        if (!response_feed(exchange, buf, (size_t)n))
            return;
    }
    conn_again(&upstream->conn, LOOP_READ);
}
