/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The request on its way to a member: its head as the member gets it, what is kept of it for
 * another try, and the rest of its body as it comes.
 */

#include "base/mem.h"
#include "http/exchange.h"
#include <assert.h>
#include <string.h>

/* ---- what is kept until the response begins ---- */

/* From here on the request cannot be repeated. */
void sent_drop(struct http_exchange *exchange)
{
    if (exchange->sent != exchange->room)
        mem_free(exchange->sent);
    exchange->sent = NULL;
}

/* Room for cap bytes, those that are there kept. */
static void sent_grow(struct http_exchange *exchange, uint32_t cap)
{
    char *grown = mem_alloc(cap);
    if (exchange->sent_len)
        memcpy(grown, exchange->sent, exchange->sent_len);
    sent_drop(exchange);
    exchange->sent = grown;
    exchange->sent_cap = cap;
}

static void sent_append(struct http_exchange *exchange, const struct relay *relay)
{
    for (int i = 1; i < relay->n_parts; i++) {
        size_t len = relay->parts[i].iov_len;
        if (len == 0)
            continue; /* and no base */
        if (exchange->sent_len + len > exchange->sent_cap)
            sent_grow(exchange, (exchange->sent_len + (uint32_t)len) * 2);
        memcpy(exchange->sent + exchange->sent_len, relay->parts[i].iov_base, len);
        exchange->sent_len += (uint32_t)len;
    }
}

/* The lines that tell the member of the client, in the worker's scratch. */
static struct slice request_lines(struct http_exchange *exchange, const char *buf,
                                  struct h1_forward *forward)
{
    struct http_worker *worker = worker_of(exchange);
    struct http_client *client = exchange->client;
    struct http_service *service = exchange->service;
    const struct forward_conf *conf = &service->conf->forward;
    struct forward_asker asker = {
        .ip = slice_make(client->ip, client->ip_len),
        .port = service->port,
        .is_https = client->conn.transport != &transport_plain,
        .is_trusted = service->conf->is_internal || forward_trusts(conf, &client->peer),
    };
    if (conf->is_request_id)
        for (int i = 0; i < 2; i++)
            asker.id[i] = rng_next(&service->epoch->rng);
    size_t len = forward_write(worker->scratch, sizeof(worker->scratch), conf, &asker,
                               &worker->request, buf, &forward->drop);
    forward->is_peer_trusted = asker.is_trusted;
    return slice_make(worker->scratch, len);
}

/* The request's cookies but the session's own, which is not the application's business. */
static struct slice request_cookies(struct http_exchange *exchange, const char *buf,
                                    struct h1_forward *forward)
{
    struct http_worker *worker = worker_of(exchange);
    size_t len;
    if (!sticky_strip(exchange->service->conf->sticky, &worker->request, buf, worker->cookies,
                      &len))
        return SLICE("");
    forward->drop |= H1_SET(H1_FIELD_COOKIE);
    return slice_make(worker->cookies, len);
}

void request_write_head(struct http_exchange *exchange, const char *buf, size_t head_len)
{
    const struct h1_head *head = &worker_of(exchange)->request;
    struct h1_forward forward = {.fallback_host = exchange->service->host,
                                 .is_upgrade = exchange->asked.is_websocket};
    struct slice lines[2];
    lines[0] = request_lines(exchange, buf, &forward);
    lines[1] = request_cookies(exchange, buf, &forward);
    forward.lines = lines;
    forward.n_lines = 2;
    /* Weir's words, not a client's. */
    forward.drop |= H1_SET(H1_FIELD_X_WEIR_MOVED) | H1_SET(H1_FIELD_WEIR_ASYNC);
    if (exchange->service->conf->is_internal)
        forward.drop |= H1_SET(H1_FIELD_WEIR_POOL) | H1_SET(H1_FIELD_WEIR_TIMEOUT);
    uint32_t cap = (uint32_t)(head_len + lines[0].len + lines[1].len + forward.fallback_host.len +
                              H1_WRITE_SLACK);
    exchange->sent = exchange->room;
    exchange->sent_cap = sizeof(exchange->room);
    if (cap > exchange->sent_cap)
        sent_grow(exchange, cap);
    ssize_t n = h1_write_request_head(exchange->sent, exchange->sent_cap, head, buf, &forward);
    assert(n > 0); /* the writer's contract says that this much room is enough */
    exchange->sent_len = (uint32_t)n;
    exchange->head_len = (uint32_t)n;
}

void request_add_line(struct http_exchange *exchange, struct slice line)
{
    assert(exchange->sent && exchange->head_len >= 2);
    uint32_t behind = exchange->sent_len - exchange->head_len + 2; /* from the empty line on */
    uint32_t len = (uint32_t)line.len;
    if (exchange->sent_len + len > exchange->sent_cap)
        sent_grow(exchange, (exchange->sent_len + len) * 2);
    char *at = exchange->sent + exchange->head_len - 2;
    memmove(at + len, at, behind);
    memcpy(at, line.ptr, len);
    exchange->sent_len += len;
    exchange->head_len += len;
}

/* What is already here of the body goes behind the head. Returns the bytes used, or -1. */
ssize_t request_write_body(struct http_exchange *exchange, const char *buf, size_t len)
{
    struct relay *relay = &worker_of(exchange)->relay;
    size_t used_all = 0;
    enum relay_result result;
    do {
        size_t used;
        result = relay_next(relay, &exchange->request_body, exchange->is_request_chunked,
                            &exchange->request_trailers, buf + used_all, len - used_all, &used);
        used_all += used;
        exchange->n_body += relay->n_data;
        sent_append(exchange, relay);
    } while (result == RELAY_FULL);
    if (result == RELAY_ERROR)
        return -1;
    exchange->is_request_done = result == RELAY_END;
    exchange->slow_ns = exchange->start_ns;
    exchange->n_slow = exchange->n_body;
    return (ssize_t)used_all;
}

/* ---- the rest of the body ---- */

bool exchange_wants_body(const struct http_exchange *exchange)
{
    return !exchange->is_request_done && !exchange->is_member_deaf && exchange->upstream &&
           !exchange->is_connecting && conn_pending(&exchange->upstream->conn) == 0;
}

bool request_is_large(const struct http_exchange *exchange)
{
    uint64_t most = (uint64_t)exchange->service->conf->limits.body_bytes;
    return most && exchange->n_body > most;
}

/* The time during which the member took no more is not the client's: measure anew behind it. */
static void request_measure(struct http_exchange *exchange)
{
    bool is_held = conn_pending(&exchange->upstream->conn) > 0;
    exchange->slow_ns = is_held ? 0 : loop_now_ns(worker_of(exchange)->loop);
    exchange->n_slow = exchange->n_body;
}

/* Did too little come since it was measured last? */
static bool request_is_slow(struct http_exchange *exchange)
{
    const struct http_conf *conf = exchange->service->conf;
    uint64_t now_ns = loop_now_ns(worker_of(exchange)->loop);
    if (exchange->slow_ns == 0 || conn_pending(&exchange->upstream->conn)) {
        request_measure(exchange);
        return false;
    }
    uint64_t past_ms = (now_ns - exchange->slow_ns) / 1000000u;
    if (past_ms < (uint64_t)conf->timeouts.body_ms)
        return false;
    uint64_t least =
        past_ms * (uint64_t)conf->limits.body_rate.count / (uint64_t)conf->limits.body_rate.per_ms;
    bool is_slow = exchange->n_body - exchange->n_slow < least;
    request_measure(exchange);
    return is_slow;
}

/* The body turned bad while it streamed: what the member has of it must not look whole. */
static void request_spoiled(struct http_exchange *exchange, enum h1_error error)
{
    struct http_client *client = exchange->client;
    if (exchange->status) {
        exchange_cut(exchange);
        return;
    }
    exchange_abandon(exchange);
    answer_error(client, error, false);
}

/*
 * The member takes no more. Often it has answered before it closed (413, 401), and that answer is
 * what the client should read: what is there of it is read to its end, which also says whether
 * there was one.
 */
static void request_unwanted(struct http_exchange *exchange)
{
    exchange->is_member_deaf = true;
    exchange->is_response_hangup = true;
    exchange->is_response_readable = true;
    exchange_rearm(exchange);
    exchange_pull_response(exchange);
}

/* The piece in the relay goes on, and is kept where it may be needed again. False: the member took
 * no more, now or before. */
static bool request_pass(struct http_exchange *exchange, bool is_wanted)
{
    const struct relay *relay = &worker_of(exchange)->relay;
    struct upstream *upstream = exchange->upstream;
    metric_add(upstream->member->row, MEMBER_BYTES_TO, relay->n_data);
    if (exchange->sent)
        sent_append(exchange, relay);
    return is_wanted &&
           conn_sendv(&upstream->conn, relay->parts + 1, relay->n_parts - 1, false) >= 0;
}

/* Relays what was read; false when no more of it is wanted. What is kept of it is complete then. */
static bool request_feed(struct http_exchange *exchange, const char *buf, size_t len)
{
    struct relay *relay = &worker_of(exchange)->relay;
    enum relay_result result;
    bool is_wanted = true;
    size_t at = 0;
    if (!exchange->mode || !async_keeps(exchange, len))
        sent_drop(exchange);
    do {
        size_t used;
        result = relay_next(relay, &exchange->request_body, exchange->is_request_chunked,
                            &exchange->request_trailers, buf + at, len - at, &used);
        at += used;
        if (result == RELAY_ERROR) {
            request_spoiled(exchange, relay->error);
            return false;
        }
        exchange->n_body += relay->n_data;
        if (request_is_large(exchange)) {
            exchange_fail(exchange, HTTP_BODY_LARGE);
            return false;
        }
        is_wanted = request_pass(exchange, is_wanted);
        if (!is_wanted && !exchange->sent) {
            request_unwanted(exchange);
            return false;
        }
    } while (result == RELAY_FULL);
    exchange->is_request_done = result == RELAY_END;
    if (at < len)
        held_keep(&exchange->client->held, buf + at, len - at);
    if (!is_wanted) {
        request_unwanted(exchange);
        return false;
    }
    if (!exchange->is_request_done && request_is_slow(exchange)) {
        exchange_fail(exchange, HTTP_BODY_SLOW);
        return false;
    }
    exchange_rearm(exchange);
    return true;
}

void exchange_pull_request(struct http_exchange *exchange)
{
    struct http_client *client = exchange->client;
    for (int round = 0; round < LOOP_BUDGET; round++) {
        if (!exchange_wants_body(exchange) || !client->is_readable)
            return;
        char *buf;
        ssize_t n = client_recv(client, &buf);
        if (n == -EAGAIN)
            return;
        if (n <= 0) {
            exchange_client_lost(exchange);
            return;
        }
        if (!request_feed(exchange, buf, (size_t)n))
            return;
    }
    conn_again(&client->conn, 0);
}
