/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The life of an exchange: how it begins with the head of a request, and how it ends.
 */

#include "http/exchange.h"

#include "base/mem.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { UNREACHED_TEXT_MAX = 256 }; /* with its NUL */

/* ---- memory ---- */

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

_Static_assert((int)ROUTE_PRIORITY_HIGH == (int)UPSTREAM_HIGH &&
                   (int)ROUTE_PRIORITY_NORMAL == (int)UPSTREAM_NORMAL &&
                   (int)ROUTE_PRIORITY_LOW == (int)UPSTREAM_LOW,
               "a route's classes are the queue's");

uint64_t exchange_wall_s(const struct http_exchange *exchange)
{
    return loop_wall_ns(worker_of(exchange)->loop) / 1000000000u;
}

/* The pool of the request, and with it the session that it belongs to. */
static struct pool *exchange_begin_session(struct http_exchange *exchange,
                                           const struct route *route, const char *buf)
{
    struct http_service *service = exchange->service;
    const struct sticky_ask ask = {.conf = service->conf->sticky,
                                   .keys = &service->epoch->sticky_keys,
                                   .head = &worker_of(exchange)->request,
                                   .buf = buf,
                                   .peer = &exchange->client->peer,
                                   .now_s = exchange_wall_s(exchange),
                                   .draw = (uint32_t)rng_next(&service->epoch->rng)};
    struct pool *pool = sticky_begin(&ask, route, &exchange->sticky);
    if (exchange->sticky.state != STICKY_OFF)
        metric_add(service->row, (uint32_t)LISTEN_STICKY + exchange->sticky.state, 1);
    return pool;
}

_Static_assert((int)POOL_KEY_SOURCE == (int)PICK_KEY_SOURCE + 1 &&
                   (int)POOL_KEY_HEADER == (int)PICK_KEY_HEADER + 1 &&
                   (int)POOL_KEY_COOKIE == (int)PICK_KEY_COOKIE + 1 &&
                   (int)POOL_KEY_PATH == (int)PICK_KEY_PATH + 1 &&
                   (int)POOL_KEY_QUERY == (int)PICK_KEY_QUERY + 1,
               "a pool's keys are those that can be found");

/* What `balance hash` of the pool goes by. */
static void exchange_find_key(struct http_exchange *exchange, const char *buf)
{
    const struct balance_conf *balance = &exchange->pool->conf->balance;
    if (balance->key == POOL_KEY_NONE)
        return;
    exchange->has_key =
        pick_key((enum pick_key_kind)(balance->key - 1), balance->key_name,
                 &exchange->service->epoch->sticky_keys.hash, &worker_of(exchange)->request, buf,
                 &exchange->client->peer, &exchange->key);
}

static void exchange_find_pool(struct http_exchange *exchange, const struct route *route,
                               const char *buf)
{
    struct upstream_set *upstreams = exchange->service->epoch->upstreams;
    exchange->pool = upstream_pool_of(upstreams, exchange_begin_session(exchange, route, buf));
    exchange_find_key(exchange, buf);
}

/* What a part of weir itself says; 0: nothing. */
static uint32_t grant_of(const struct h1_head *head, const char *buf)
{
    const struct h1_field *field = h1_find(head, H1_FIELD_WEIR_TIMEOUT);
    uint64_t ms = 0;
    bool is_number = field && slice_to_u64(h1_field_value(buf, field), &ms) == 0;
    return is_number && ms <= UINT32_MAX ? (uint32_t)ms : 0;
}

static struct http_exchange *exchange_create(struct http_client *client, const struct route *route,
                                             const char *buf)
{
    struct http_service *service = client->listen->service;
    const struct h1_head *head = &client->listen->worker->request;
    struct http_exchange *exchange = exchange_new(client->listen->worker);
    exchange->client = client;
    exchange->service = service;
    exchange->start_ns = loop_now_ns(client->conn.loop);
    if (route->has_queue)
        async_decide(exchange, route, buf);
    if (!exchange->mode)
        exchange_find_pool(exchange, route, buf);
    exchange->asked.method = (enum h1_method)head->method;
    exchange->asked.is_websocket = head->is_websocket && !exchange->mode;
    exchange->client_minor = head->minor;
    exchange->is_idempotent = route_is_repeatable(route, head);
    if (service->conf->is_internal)
        exchange->grant_ms = grant_of(head, buf);
    exchange->is_request_done = head->body == H1_BODY_NONE;
    exchange->is_request_chunked = head->body == H1_BODY_CHUNKED;
    upstream_waiter_init(&exchange->waiter, (enum upstream_priority)route->priority,
                         exchange_on_turn);
    client->exchange = exchange;
    limit_budget_note(&service->budget, exchange->start_ns);
    service->epoch->n_users++;
    return exchange;
}

/* What the access log says of it; nothing of the exchange or its configuration stays behind. */
static void exchange_tell_access(const struct http_exchange *exchange)
{
    struct access *access = exchange->client->access;
    if (!access)
        return;
    access->n_tries = exchange->n_tries;
    access->n_in += exchange->n_body;
    access->sent_ns = exchange->sent_ns;
    access->stood_ns = exchange->stood_ns;
    if (exchange->latency_ns)
        access->answer_ns = exchange->sent_ns + exchange->latency_ns;
    if (exchange->sticky.state != STICKY_OFF)
        access->sticky = sticky_state_name((enum sticky_state)exchange->sticky.state);
    if (!exchange->mode)
        slice_copy(exchange->pool->conf->name, access->pool, sizeof(access->pool));
}

static void exchange_free(struct http_exchange *exchange)
{
    struct http_epoch *epoch = exchange->service->epoch;
    struct http_worker *worker = worker_of(exchange);
    assert(!exchange->upstream && !exchange->member);
    upstream_unwait(&exchange->waiter, false);
    exchange_tell_access(exchange);
    exchange->client->exchange = NULL;
    text_deinit(&exchange->request_trailers);
    text_deinit(&exchange->response_trailers);
    mem_free(exchange->held);
    sent_drop(exchange);
    exchange_put(worker, exchange);
    epoch_leave(epoch);
}

/* ---- ends ---- */

/* Gives the connection back, or closes it; the try is over. */
void exchange_release(struct http_exchange *exchange, bool is_kept)
{
    struct upstream *upstream = exchange->upstream;
    struct upstream_member *member = exchange->member;
    exchange->upstream = NULL;
    exchange->member = NULL;
    exchange->is_connecting = false;
    exchange->is_response_readable = false;
    if (upstream && is_kept)
        upstream_keep(upstream);
    else if (upstream)
        upstream_drop(upstream);
    const struct upstream_outcome outcome = {.is_failed = exchange->is_blamed,
                                             .latency_ns = exchange->latency_ns};
    if (member)
        upstream_end(member, &outcome);
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
void exchange_client_lost(struct http_exchange *exchange)
{
    struct http_client *client = exchange->client;
    metric_add(client->listen->row, LISTEN_ABORTED, 1);
    client_reason(client, "aborted");
    client_close(client, false);
}

/* What the client has of the answer must not look whole: a reset. */
void exchange_cut(struct http_exchange *exchange)
{
    struct http_client *client = exchange->client;
    metric_add(client->listen->row, LISTEN_CUT, 1);
    client_reason(client, "cut");
    client_close(client, true);
}

/* "no server could be reached: app1: no TLS: certificate has expired" */
static void write_unreached(const struct http_unreached *unreached, char *text, size_t cap)
{
    struct slice sentence = slice_from(http_reason_row(HTTP_UNREACHABLE)->sentence);
    const struct slice name = unreached->member->view.member->name;
    snprintf(text, cap, "%.*s: %.*s: %s%s\n", (int)sentence.len - 1, sentence.ptr, SLICE_ARG(name),
             unreached->what, unreached->why);
}

/* No answer comes from a member: weir's own, unless it may be done later. */
void exchange_fail(struct http_exchange *exchange, enum http_reason reason)
{
    struct http_client *client = exchange->client;
    bool is_head = exchange->asked.method == H1_METHOD_HEAD;
    if (exchange->status) {
        exchange_cut(exchange);
        return;
    }
    if (exchange->overflow && async_overflow(exchange, reason))
        return;
    if (!exchange->is_request_done) {
        client->must_close = true;
        client->is_readable = true;
    }
    char text[UNREACHED_TEXT_MAX] = "";
    if (reason == HTTP_UNREACHABLE && exchange->unreached.member && client->listen->is_internal)
        write_unreached(&exchange->unreached, text, sizeof(text));
    exchange_abandon(exchange);
    answer_reason_with(client, reason, text, is_head);
}

void exchange_finish(struct http_exchange *exchange, bool is_clean)
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

struct upstream *exchange_detach(struct http_exchange *exchange)
{
    struct upstream *upstream = exchange->upstream;
    uint64_t took_ns = loop_now_ns(worker_of(exchange)->loop) - exchange->start_ns;
    metric_observe(exchange->service->row, LISTEN_LATENCY, took_ns / 1000);
    exchange->upstream = NULL;
    exchange->member = NULL;
    exchange_free(exchange);
    return upstream;
}

/* ---- the beginning, and deadlines ---- */

size_t exchange_start(struct http_client *client, const struct route *route, const char *buf,
                      size_t head_len, size_t len)
{
    struct http_exchange *exchange = exchange_create(client, route, buf);
    const struct h1_head *head = &client->listen->worker->request;
    request_write_head(exchange, buf, head_len);
    if (exchange->mode)
        async_announce(exchange);
    ssize_t n_body = 0;
    if (!exchange->is_request_done) {
        h1_body_init(&exchange->request_body, head, &exchange->service->limits);
        n_body = request_write_body(exchange, buf + head_len, len - head_len);
    }
    if (n_body < 0) {
        enum h1_error error = client->listen->worker->relay.error;
        exchange_abandon(exchange);
        answer_error(client, error, false);
        return len;
    }
    if (request_is_large(exchange)) {
        exchange_abandon(exchange);
        answer_reason(client, HTTP_BODY_LARGE, false);
        return len;
    }
    exchange_try(exchange);
    return head_len + (size_t)n_body;
}

/* What is left of a span that began at since_ns; not less than nothing. */
static int64_t left_ms(const struct http_exchange *exchange, uint64_t since_ns, int64_t span_ms)
{
    uint64_t past_ns = loop_now_ns(worker_of(exchange)->loop) - since_ns;
    int64_t left = span_ms - (int64_t)(past_ns / 1000000u);
    return left > 0 ? left : 0;
}

/* Of the phase alone. */
static int64_t phase_ms(const struct http_exchange *exchange)
{
    const struct http_timeouts *timeouts = timeouts_of(exchange);
    if (exchange->is_pausing)
        return exchange->pause_ms;
    if (!exchange->member)
        return left_ms(exchange, exchange->waiter.since_ns, exchange->pool->conf->queue.timeout_ms);
    if (exchange->status)
        return timeouts->stream_ms;
    if (!exchange->is_connecting && !exchange->is_request_done && !exchange->is_member_deaf)
        return timeouts->body_ms;
    int64_t ms = exchange->is_connecting ? timeouts->connect_ms : timeouts->response_ms;
    if (exchange->mode)
        return async_answer_ms(exchange);
    if (timeouts->try_ms && exchange->is_request_done) {
        int64_t try_ms = left_ms(exchange, exchange->sent_ns, timeouts->try_ms);
        ms = try_ms < ms ? try_ms : ms;
    }
    return ms;
}

bool exchange_is_granted_over(const struct http_exchange *exchange)
{
    return exchange->grant_ms > 0 && exchange->status == 0 &&
           left_ms(exchange, exchange->start_ns, exchange->grant_ms) == 0;
}

/* Has this try been sent over? Then the member has the time of this phase to go on. */
void exchange_rearm(struct http_exchange *exchange)
{
    int64_t ms = phase_ms(exchange);
    int64_t total_ms = timeouts_of(exchange)->total_ms;
    if (total_ms) {
        total_ms = left_ms(exchange, exchange->start_ns, total_ms);
        ms = total_ms < ms ? total_ms : ms;
    }
    if (exchange->grant_ms > 0 && exchange->status == 0) {
        int64_t grant_ms = left_ms(exchange, exchange->start_ns, exchange->grant_ms);
        ms = grant_ms < ms ? grant_ms : ms;
    }
    client_deadline(exchange->client, ms);
}

static bool exchange_is_overdue(const struct http_exchange *exchange)
{
    int64_t total_ms = timeouts_of(exchange)->total_ms;
    return total_ms && left_ms(exchange, exchange->start_ns, total_ms) == 0;
}

/* In vain. */
static void exchange_waited(struct http_exchange *exchange)
{
    upstream_unwait(&exchange->waiter, true);
    exchange_fail(exchange, HTTP_QUEUE_LATE);
}

void exchange_on_timeout(struct http_exchange *exchange)
{
    if (exchange_is_overdue(exchange))
        exchange_fail(exchange, HTTP_OVERDUE);
    else if (exchange->is_pausing && exchange_is_granted_over(exchange))
        exchange_fail(exchange, (enum http_reason)exchange->failure);
    else if (exchange->is_pausing)
        exchange_try(exchange);
    else if (!exchange->member)
        exchange_waited(exchange);
    else if (exchange->status)
        exchange_cut(exchange);
    else if (exchange_wants_body(exchange))
        exchange_fail(exchange, HTTP_BODY_LATE);
    else
        exchange_upstream_failed(exchange, ETIMEDOUT);
}
