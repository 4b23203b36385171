/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The member's side: a request on its way to a member, tried again where nobody could tell, and the
 * response on its way back.
 */

#include "base/mem.h"
#include "http/internal.h"
#include <assert.h>
#include <errno.h>
#include <string.h>

static void upstream_on_event(struct conn *conn, uint32_t events);
static void exchange_try(struct http_exchange *exchange);

static struct http_worker *worker_of(const struct http_exchange *exchange)
{
    return exchange->client->listen->worker;
}

static const struct http_timeouts *timeouts_of(const struct http_exchange *exchange)
{
    return &exchange->service->conf->timeouts;
}

/* ---- ends ---- */

/* Gives the connection back, or closes it. */
static void exchange_release(struct http_exchange *exchange, bool is_kept)
{
    struct upstream *upstream = exchange->upstream;
    if (!upstream)
        return;
    exchange->upstream = NULL;
    upstream_end(upstream->member);
    if (is_kept)
        upstream_keep(upstream);
    else
        upstream_drop(upstream);
}

/* calloc(3) costs a tenth of all that is done here for a request: the newest few are used again. */
static struct http_exchange *exchange_new(struct http_worker *worker)
{
    struct http_exchange *exchange = worker->spare;
    if (exchange) {
        worker->spare = exchange->next_spare;
        worker->n_spare--;
    } else {
        exchange = mem_alloc(sizeof(*exchange));
    }
    memset(exchange, 0, offsetof(struct http_exchange, room));
    return exchange;
}

/* From here on the request cannot be repeated. */
static void sent_drop(struct http_exchange *exchange)
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
}

static void exchange_put(struct http_worker *worker, struct http_exchange *exchange)
{
    if (worker->n_spare >= HTTP_SPARE_MAX) {
        mem_free(exchange);
        return;
    }
    exchange->next_spare = worker->spare;
    worker->spare = exchange;
    worker->n_spare++;
}

void exchange_free_spare(struct http_worker *worker)
{
    while (worker->spare) {
        struct http_exchange *exchange = worker->spare;
        worker->spare = exchange->next_spare;
        mem_free(exchange);
    }
    worker->n_spare = 0;
}

static void exchange_free(struct http_exchange *exchange)
{
    struct http_epoch *epoch = exchange->service->epoch;
    struct http_worker *worker = worker_of(exchange);
    assert(!exchange->upstream);
    exchange->client->exchange = NULL;
    text_deinit(&exchange->request_trailers);
    text_deinit(&exchange->response_trailers);
    mem_free(exchange->held);
    sent_drop(exchange);
    exchange_put(worker, exchange);
    epoch_leave(epoch);
}

void exchange_abandon(struct http_exchange *exchange)
{
    /* A part of a body must not look whole to the member. */
    if (exchange->upstream && !exchange->is_request_done)
        conn_abort(&exchange->upstream->conn);
    exchange_release(exchange, false);
    exchange_free(exchange);
}

/* The client left, or cannot be written to. */
static void exchange_client_lost(struct http_exchange *exchange)
{
    struct http_client *client = exchange->client;
    metric_add(client->listen->row, LISTEN_ABORTED, 1);
    client_close(client, false);
}

/* What the client has of the answer must not look whole: a reset. */
static void exchange_cut(struct http_exchange *exchange)
{
    struct http_client *client = exchange->client;
    metric_add(client->listen->row, LISTEN_CUT, 1);
    client_close(client, true);
}

/* No answer comes from a member: weir's own. */
static void exchange_fail(struct http_exchange *exchange, enum http_reason reason)
{
    struct http_client *client = exchange->client;
    bool is_head = exchange->asked.method == H1_METHOD_HEAD;
    if (exchange->status) {
        exchange_cut(exchange);
        return;
    }
    if (!exchange->is_request_done) {
        client->must_close = true;
        client->is_readable = true;
    }
    exchange_abandon(exchange);
    answer_reason(client, reason, is_head);
}

static void exchange_finish(struct http_exchange *exchange, bool is_clean)
{
    struct http_client *client = exchange->client;
    struct http_worker *worker = worker_of(exchange);
    uint64_t took_ns = loop_now_ns(worker->loop) - exchange->start_ns;
    metric_observe(exchange->service->row, LISTEN_LATENCY, took_ns / 1000);
    if (!exchange->is_request_done) {
        client->must_close = true;
        client->is_readable = true;
    }
    exchange_release(exchange, is_clean && exchange->is_upstream_kept && exchange->is_request_done);
    exchange_free(exchange);
    client_done(client);
}

/* ---- the request ---- */

static void sent_append(struct http_exchange *exchange, uint32_t *cap, const struct relay *relay)
{
    for (int i = 1; i < relay->n_parts; i++) {
        size_t len = relay->parts[i].iov_len;
        if (len == 0)
            continue; /* and no base */
        if (exchange->sent_len + len > *cap) {
            *cap = (exchange->sent_len + (uint32_t)len) * 2;
            sent_grow(exchange, *cap);
        }
        memcpy(exchange->sent + exchange->sent_len, relay->parts[i].iov_base, len);
        exchange->sent_len += (uint32_t)len;
    }
}

/* The head for the member, in a buffer that is kept until the response begins. */
static uint32_t request_write_head(struct http_exchange *exchange, const char *buf, size_t head_len)
{
    const struct h1_head *head = &worker_of(exchange)->request;
    const struct slice lines[] = {
        head->minor == 0 ? SLICE("Via: 1.0 weir\r\n") : SLICE("Via: 1.1 weir\r\n"),
        slice_make(exchange->client->forwarded, exchange->client->forwarded_len),
    };
    struct slice host = exchange->service->host;
    struct h1_forward forward = {.lines = lines, .n_lines = 2, .fallback_host = host};
    size_t lines_len = lines[0].len + lines[1].len;
    uint32_t cap = (uint32_t)(head_len + lines_len + host.len + H1_WRITE_SLACK);
    exchange->sent = exchange->room;
    if (cap > sizeof(exchange->room))
        sent_grow(exchange, cap);
    else
        cap = sizeof(exchange->room);
    ssize_t n = h1_write_request_head(exchange->sent, cap, head, buf, &forward);
    assert(n > 0); /* the writer's contract says that this much room is enough */
    exchange->sent_len = (uint32_t)n;
    return cap;
}

/* What is already here of the body goes behind the head. Returns the bytes used, or -1. */
static ssize_t request_write_body(struct http_exchange *exchange, uint32_t cap, const char *buf,
                                  size_t len)
{
    struct relay *relay = &worker_of(exchange)->relay;
    size_t used_all = 0;
    enum relay_result result;
    do {
        size_t used;
        result = relay_next(relay, &exchange->request_body, exchange->is_request_chunked,
                            &exchange->request_trailers, buf + used_all, len - used_all, &used);
        used_all += used;
        sent_append(exchange, &cap, relay);
    } while (result == RELAY_FULL);
    if (result == RELAY_ERROR)
        return -1;
    exchange->is_request_done = result == RELAY_END;
    return (ssize_t)used_all;
}

static struct http_exchange *exchange_create(struct http_client *client, const struct route *route)
{
    struct http_service *service = client->listen->service;
    const struct h1_head *head = &client->listen->worker->request;
    struct http_exchange *exchange = exchange_new(client->listen->worker);
    exchange->client = client;
    exchange->service = service;
    exchange->pool = upstream_pool_of(service->epoch->upstreams, route->pool);
    exchange->start_ns = loop_now_ns(client->conn.loop);
    exchange->asked.method = (enum h1_method)head->method;
    exchange->client_minor = head->minor;
    exchange->is_idempotent = h1_method_is_idempotent((enum h1_method)head->method);
    exchange->is_request_done = head->body == H1_BODY_NONE;
    exchange->is_request_chunked = head->body == H1_BODY_CHUNKED;
    client->exchange = exchange;
    service->epoch->n_users++;
    return exchange;
}

size_t exchange_start(struct http_client *client, const struct route *route, const char *buf,
                      size_t head_len, size_t len)
{
    struct http_exchange *exchange = exchange_create(client, route);
    const struct h1_head *head = &client->listen->worker->request;
    uint32_t cap = request_write_head(exchange, buf, head_len);
    ssize_t n_body = 0;
    if (!exchange->is_request_done) {
        h1_body_init(&exchange->request_body, head, &exchange->service->limits);
        n_body = request_write_body(exchange, cap, buf + head_len, len - head_len);
    }
    if (n_body < 0) {
        enum h1_error error = client->listen->worker->relay.error;
        exchange_abandon(exchange);
        answer_error(client, error, false);
        return len;
    }
    exchange_try(exchange);
    return head_len + (size_t)n_body;
}

/* ---- tries ---- */

/* Has this try been sent over? Then the member has the time of this phase to go on. */
static void exchange_rearm(struct http_exchange *exchange)
{
    const struct http_timeouts *timeouts = timeouts_of(exchange);
    int64_t ms = timeouts->response_ms;
    if (exchange->is_connecting)
        ms = timeouts->connect_ms;
    else if (exchange->status)
        ms = timeouts->stream_ms;
    else if (!exchange->is_request_done && !exchange->is_member_deaf)
        ms = timeouts->body_ms;
    client_deadline(exchange->client, ms);
}

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
static void exchange_upstream_failed(struct http_exchange *exchange, int error)
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

static void exchange_try(struct http_exchange *exchange)
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

void exchange_on_timeout(struct http_exchange *exchange)
{
    if (!exchange->status && exchange_wants_body(exchange))
        exchange_fail(exchange, HTTP_BODY_LATE);
    else if (exchange->status)
        exchange_cut(exchange);
    else
        exchange_upstream_failed(exchange, ETIMEDOUT);
}

/* ---- the rest of the request's body ---- */

bool exchange_wants_body(const struct http_exchange *exchange)
{
    return !exchange->is_request_done && !exchange->is_member_deaf && exchange->upstream &&
           !exchange->is_connecting && conn_pending(&exchange->upstream->conn) == 0;
}

/* The body turned bad while it streamed. */
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

/* Relays what was read; false when no more of it is wanted. */
static bool request_feed(struct http_exchange *exchange, const char *buf, size_t len)
{
    struct relay *relay = &worker_of(exchange)->relay;
    struct upstream *upstream = exchange->upstream;
    enum relay_result result;
    size_t at = 0;
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
        metric_add(upstream->member->row, MEMBER_BYTES_TO, relay->n_data);
        if (conn_sendv(&upstream->conn, relay->parts + 1, relay->n_parts - 1, false) < 0) {
            request_unwanted(exchange);
            return false;
        }
    } while (result == RELAY_FULL);
    exchange->is_request_done = result == RELAY_END;
    if (at < len)
        held_keep(&exchange->client->held, buf + at, len - at);
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

/* ---- the response ---- */

/* An interim response (100, 103) goes to the client as it is; false when the client is gone. */
static bool response_interim(struct http_exchange *exchange, const char *buf)
{
    struct http_worker *worker = worker_of(exchange);
    if (exchange->client_minor == 0)
        return true;
    struct h1_reply reply = {.client_minor = 1};
    ssize_t n = h1_write_response_head(worker->scratch, sizeof(worker->scratch), &worker->response,
                                       buf, &reply);
    struct iovec part = {.iov_base = worker->scratch, .iov_len = n > 0 ? (size_t)n : 0};
    if (n > 0 && client_send(exchange->client, &part, 1) < 0) {
        exchange_client_lost(exchange);
        return false;
    }
    sent_drop(exchange); /* the client has seen this member: no other may answer now */
    exchange_rearm(exchange);
    return true;
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
    metric_add(row, MEMBER_RESPONSES, 1);
    count_status(row, MEMBER_2XX, head->status);
    metric_observe(row, MEMBER_LATENCY, took_ns / 1000);
    count_status(exchange->service->row, LISTEN_2XX, head->status);
    h1_body_init(&exchange->response_body, head, &exchange->service->limits);
    exchange->is_upstream_kept = head->is_keep_alive && head->body != H1_BODY_UNTIL_CLOSE;
    sent_drop(exchange);
    struct h1_reply reply = {.client_minor = exchange->client_minor};
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
