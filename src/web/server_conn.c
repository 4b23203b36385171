/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection as a state machine over net/conn.h and wire/h1.h. What a request needs (its bytes,
 * the index of its head, its body) is one piece of memory that exists only from its first byte to
 * the end of its answer, so that an idle connection costs little.
 */
#include "base/mem.h"
#include "web/server_part.h"
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    READ_BYTES =
        16 * 1024,    /* taken from the kernel at once; bounds what is read of the next request */
    LINGER_MS = 1000, /* for the client to read the last answer and close */
    FIRST_MS = 1000,  /* for who came just before a drain to say what it wants */
};

/* Which state may follow which. */
static const uint8_t web_moves[WEB_N_STATES] = {
    [WEB_IDLE] = 1 << WEB_HEAD | 1 << WEB_CLOSED,
    [WEB_HEAD] = 1 << WEB_BODY | 1 << WEB_FLUSH | 1 << WEB_CLOSED,
    [WEB_BODY] = 1 << WEB_HANDLE | 1 << WEB_FLUSH | 1 << WEB_CLOSED,
    [WEB_HANDLE] = 1 << WEB_FLUSH | 1 << WEB_CLOSED,
    [WEB_FLUSH] = 1 << WEB_IDLE | 1 << WEB_LINGER | 1 << WEB_CLOSED,
    [WEB_LINGER] = 1 << WEB_CLOSED,
    [WEB_CLOSED] = 0,
};

/* ---- states ---- */

static uint32_t state_limit_ms(const struct web_limits *limits, enum web_state state)
{
    switch (state) {
    case WEB_IDLE:
        return limits->idle_ms;
    case WEB_HEAD:
        return limits->head_ms;
    case WEB_BODY:
        return limits->body_ms;
    case WEB_HANDLE:
        return limits->answer_ms;
    case WEB_FLUSH:
        return limits->send_ms;
    case WEB_LINGER:
        return LINGER_MS;
    case WEB_CLOSED:
    case WEB_N_STATES:
        break;
    }
    return 0;
}

static void web_set_timer(struct web_conn *web, uint32_t ms)
{
    struct loop *loop = web->server->loop;
    loop_timer_set(loop, &web->timer, loop_now_ns(loop) + (uint64_t)ms * 1000000);
}

void web_conn_move(struct web_conn *web, enum web_state state)
{
    assert(web_moves[web->state] & (1 << state));
    web->state = state;
    list_remove(&web->idle);
    if (state == WEB_IDLE)
        list_add_back(&web->server->idle, &web->idle);
    if (state != WEB_CLOSED)
        web_set_timer(web, state_limit_ms(&web->server->config.limits, state));
}

static void request_destroy(struct web_request **request)
{
    if (!*request)
        return;
    text_deinit(&(*request)->in);
    web_body_deinit(&(*request)->content);
    mem_free(*request);
    *request = NULL;
}

static void web_free(struct loop *loop, struct loop_task *task)
{
    (void)loop;
    struct web_conn *web = CONTAINER_OF(task, struct web_conn, free_task);
    request_destroy(&web->request);
    text_deinit(&web->kept);
    mem_free(web);
}

/* The handler that still has the exchange is told that nobody waits for it. */
static void web_forsake(struct web_conn *web)
{
    if (web->state != WEB_HANDLE || !web->exchange.on_gone)
        return;
    void (*on_gone)(struct web_exchange *) = web->exchange.on_gone;
    web->exchange.on_gone = NULL;
    on_gone(&web->exchange);
}

void web_conn_close(struct web_conn *web)
{
    if (web->state == WEB_CLOSED)
        return;
    web_forsake(web);
    web_conn_move(web, WEB_CLOSED);
    struct web_server *server = web->server;
    loop_timer_clear(server->loop, &web->timer);
    conn_close(&web->conn);
    list_remove(&web->link);
    server->counters.n_conns--;
    if (server->config.on_closed)
        server->config.on_closed(server->config.ctx);
    loop_defer(server->loop, &web->free_task, web_free);
}

void web_conn_drain(struct web_conn *web)
{
    assert(web->state == WEB_IDLE);
    if (web->has_asked)
        web_conn_close(web);
    else
        web_set_timer(web, FIRST_MS);
}

/* ---- reading ---- */

static void request_begin(struct web_conn *web)
{
    struct web_request *request = MEM_NEW(struct web_request);
    h1_head_reset(&request->head);
    request->content = WEB_BODY_NONE;
    request->in = web->kept;
    web->kept = (struct text)TEXT_NONE;
    web->request = request;
    web->is_answered = false;
    web->is_close = false;
    web->has_asked = true;
    web->exchange.method = H1_METHOD_OTHER;
    web->exchange.path = web->exchange.query = web->exchange.body = SLICE("");
    web->exchange.user = NULL;
    web->exchange.on_gone = NULL;
    web->exchange.on_hangup = NULL;
    web->exchange.head = &request->head;
    web->exchange.head_bytes = "";
}

/* The exchange's slices point into memory that reading may have moved. */
static void exchange_point(struct web_conn *web)
{
    const struct h1_head *head = &web->request->head;
    const char *bytes = web->request->in.ptr;
    web->exchange.head_bytes = bytes;
    web->exchange.method = head->method;
    web->exchange.path = head->path.len ? h1_slice(bytes, head->path) : SLICE("/");
    web->exchange.query = h1_slice(bytes, head->query);
}

/* Reads once into `out`, or nowhere where that is NULL. True when there was something, EOF too. */
static bool web_read(struct web_conn *web, struct text *out)
{
    if (!web->is_readable)
        return false;
    char *buf = loop_buf(web->server->loop);
    ssize_t n = conn_recv(&web->conn, buf, READ_BYTES);
    if (n == -EAGAIN) {
        web->is_readable = false;
        return false;
    }
    if (n <= 0) {
        web->is_eof = true;
        web_conn_close(web);
        return false;
    }
    web->server->counters.n_bytes_in += (uint64_t)n;
    if (out)
        text_append(out, slice_make(buf, (size_t)n));
    return true;
}

static void web_malformed(struct web_conn *web, enum h1_error error)
{
    const struct h1_error_row *row = h1_error_row(error);
    web->server->counters.n_malformed++;
    web->is_close = true;
    web_error(&web->exchange, row->status, "%s", row->sentence);
}

/* The head is complete: who asks, for what, and may the body come? */
static void web_head_done(struct web_conn *web)
{
    struct web_server *server = web->server;
    struct web_request *request = web->request;
    server->counters.n_requests++;
    exchange_point(web);
    enum h1_error error = h1_check_request(&request->head);
    if (error != H1_OK) {
        web_malformed(web, error);
        return;
    }
    bool is_bare = request->head.body == H1_BODY_NONE ||
                   (request->head.body == H1_BODY_LENGTH && request->head.length == 0);
    web_conn_move(web, WEB_BODY);
    if (is_bare)
        web_conn_move(web, WEB_HANDLE); /* an answer from here on need not close */
    if (server->config.admit && !server->config.admit(&web->exchange, server->config.ctx)) {
        assert(web->is_answered);
        return;
    }
    request->route = web_route_find(&web->exchange, server->config.routes);
    if (!request->route)
        return;
    if (is_bare) {
        request->route->handle(&web->exchange, server->config.ctx);
        return;
    }
    size_t body_max = server->config.limits.body_bytes;
    if (request->head.body == H1_BODY_LENGTH && request->head.length > body_max) {
        web_error(&web->exchange, 413, "the body has %" PRIu64 " bytes; %zu are taken",
                  request->head.length, body_max);
        return;
    }
    h1_body_init(&request->body, &request->head, &server->config.limits.h1);
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (request->head.expect == H1_EXPECT_CONTINUE && request->in.len == request->head.head_len &&
        conn_send(&web->conn, go_on, sizeof(go_on) - 1, false) < 0)
        web_conn_close(web);
}

/* Returns true where it may go on at once. */
static bool web_step_head(struct web_conn *web)
{
    struct web_request *request = web->request;
    enum h1_error error = H1_OK;
    ssize_t used = h1_parse_request(text_cstr(&request->in), request->in.len,
                                    &web->server->config.limits.h1, &request->head, &error);
    if (used == 0)
        return web_read(web, &request->in);
    if (used < 0)
        web_malformed(web, error);
    else
        web_head_done(web);
    return true;
}

/* Takes n bytes behind the head away: they are used. */
static void request_consume(struct web_request *request, size_t n)
{
    size_t from = request->head.head_len;
    assert(n <= request->in.len - from);
    request->in.len -= n;
    memmove(request->in.ptr + from, request->in.ptr + from + n, request->in.len - from);
}

/* False: it was answered. */
static bool body_take(struct web_conn *web, struct slice piece)
{
    const struct web_config *config = &web->server->config;
    struct web_body *content = &web->request->content;
    if (content->len + piece.len > config->limits.body_bytes) {
        web_error(&web->exchange, 413, "the body is larger than the %zu bytes that are taken",
                  config->limits.body_bytes);
        return false;
    }
    if (web_body_append(content, piece, config->open_spool, config->ctx) == 0)
        return true;
    web_error(&web->exchange, 507, "there is no room to keep the body: %s", strerror(errno));
    return false;
}

/* All of the body is here. */
static void web_body_done(struct web_conn *web)
{
    exchange_point(web);
    if (web_body_slice(&web->request->content, &web->exchange.body) < 0) {
        web_error(&web->exchange, 507, "there is no room to read the body: %s", strerror(errno));
        return;
    }
    web_conn_move(web, WEB_HANDLE);
    web->request->route->handle(&web->exchange, web->server->config.ctx);
}

static bool web_step_body(struct web_conn *web)
{
    struct web_request *request = web->request;
    struct slice rest = slice_skip(text_slice(&request->in), request->head.head_len);
    size_t n_used = 0;
    for (;;) {
        struct h1_piece piece;
        size_t used = 0;
        enum h1_event event =
            h1_body_next(&request->body, rest.ptr + n_used, rest.len - n_used, &used, &piece);
        n_used += used;
        if (event == H1_DATA && !body_take(web, piece.data))
            return true;
        if (event == H1_ERROR) {
            web_malformed(web, piece.error);
            return true;
        }
        if (event == H1_MORE || event == H1_END) {
            request_consume(request, n_used);
            if (event == H1_MORE)
                return web_read(web, &request->in);
            break;
        }
    }
    web_body_done(web);
    return true;
}

/* The kernel has the whole answer: the next request, or the end. */
static bool web_step_flush(struct web_conn *web)
{
    if (conn_pending(&web->conn))
        return false;
    if (web->is_close) {
        web_conn_move(web, WEB_LINGER);
        if (conn_shutdown(&web->conn) < 0)
            web_conn_close(web);
        return true;
    }
    struct web_request *request = web->request;
    text_append(&web->kept, slice_skip(text_slice(&request->in), request->head.head_len));
    request_destroy(&web->request);
    web_conn_move(web, WEB_IDLE);
    if (web->server->is_draining)
        web_conn_close(web);
    return true;
}

static bool web_step_idle(struct web_conn *web)
{
    if (web->kept.len == 0 && !web_read(web, &web->kept))
        return false;
    request_begin(web);
    web_conn_move(web, WEB_HEAD);
    return true;
}

static bool web_step(struct web_conn *web)
{
    switch (web->state) {
    case WEB_IDLE:
        return web_step_idle(web);
    case WEB_HEAD:
        return web_step_head(web);
    case WEB_BODY:
        return web_step_body(web);
    case WEB_FLUSH:
        return web_step_flush(web);
    case WEB_LINGER:
        return web_read(web, NULL);
    case WEB_HANDLE:
    case WEB_CLOSED:
    case WEB_N_STATES:
        break;
    }
    return false;
}

/* Whoever will not ask again is told to the handler that lets it wait. */
static void web_tell_hangup(struct web_conn *web)
{
    void (*on_hangup)(struct web_exchange *) = web->exchange.on_hangup;
    if (web->state != WEB_HANDLE || !web->conn.has_hangup || !on_hangup)
        return;
    web->exchange.on_hangup = NULL;
    on_hangup(&web->exchange);
}

void web_conn_run(struct web_conn *web)
{
    web->is_running = true;
    unsigned n_rounds = 0;
    while (web_step(web)) {
        if (++n_rounds < 4 * LOOP_BUDGET || web->state == WEB_CLOSED)
            continue;
        loop_again(web->server->loop, &web->conn.io, LOOP_AGAIN);
        break;
    }
    web->is_running = false;
    web_tell_hangup(web);
}

void web_conn_on_event(struct conn *conn, uint32_t events)
{
    struct web_conn *web = CONTAINER_OF(conn, struct web_conn, conn);
    if (events & LOOP_ERROR) {
        web_conn_close(web);
        return;
    }
    if (events & (LOOP_READ | LOOP_HANGUP))
        web->is_readable = true;
    size_t n_pending = conn_pending(conn);
    if (web->state == WEB_FLUSH && n_pending < web->n_pending)
        web_set_timer(web, web->server->config.limits.send_ms);
    web->n_pending = n_pending;
    web_conn_run(web);
}

static void web_on_timer(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    struct web_conn *web = CONTAINER_OF(timer, struct web_conn, timer);
    const struct web_limits *limits = &web->server->config.limits;
    web->is_close = true;
    switch (web->state) {
    case WEB_HEAD:
    case WEB_BODY:
        web->server->counters.n_timed_out++;
        web_error(&web->exchange, 408, "the request was not complete after %u s",
                  (web->state == WEB_HEAD ? limits->head_ms : limits->body_ms) / 1000);
        break;
    case WEB_HANDLE:
        web->server->counters.n_timed_out++;
        web_forsake(web);
        web_error(&web->exchange, 504, "there was no answer within %u s", limits->answer_ms / 1000);
        break;
    case WEB_FLUSH:
        web->server->counters.n_timed_out++;
        web_conn_close(web);
        break;
    case WEB_IDLE:
    case WEB_LINGER:
        web_conn_close(web);
        break;
    case WEB_CLOSED:
    case WEB_N_STATES:
        abort(); /* a closed connection has no timer */
    }
}

/* ---- its beginning ---- */

struct web_conn *web_conn_make(struct web_server *server, const void *origin,
                               const struct addr *peer)
{
    struct web_conn *web = MEM_NEW(struct web_conn);
    list_init(&web->link);
    list_init(&web->idle);
    loop_timer_init(&web->timer, web_on_timer);
    web->server = server;
    web->peer = peer ? *peer : (struct addr){0};
    web->exchange =
        (struct web_exchange){.server = server, .origin = origin, .fd = -1, .peer = &web->peer};
    return web;
}

void web_conn_begin(struct web_conn *web)
{
    struct web_server *server = web->server;
    web->exchange.fd = web->conn.fd;
    list_add_back(&server->conns, &web->link);
    list_add_back(&server->idle, &web->idle);
    server->counters.n_conns++;
    /* Who connects and says nothing is not worth idle_ms. */
    web_set_timer(web, server->config.limits.head_ms);
}
