/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small HTTP/1 server: connections as a state machine over net/conn.h and wire/h1.h. What a
 * request needs (its bytes, the index of its head, its body) is one piece of memory that exists
 * only from its first byte to the end of its answer, so that an idle connection costs little.
 */
#include "web/server.h"

#include "base/json.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/text.h"
#include "net/conn.h"
#include "net/listener.h"
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    READ_BYTES =
        16 * 1024,    /* taken from the kernel at once; bounds what is read of the next request */
    LINGER_MS = 1000, /* for the client to read the last answer and close */
    HEAD_ROOM = 512,  /* for the fields that every answer has */
};

enum web_state {
    WEB_IDLE,   /* nothing of a request is here; in server->idle */
    WEB_HEAD,   /* a part of a head is here */
    WEB_BODY,   /* the head is complete and admitted, the body is not complete */
    WEB_HANDLE, /* the exchange is the handler's */
    WEB_FLUSH,  /* answered; the kernel has not taken all of it */
    WEB_LINGER, /* all is said; what still comes is thrown away until the client closes */
    WEB_CLOSED, /* freed at the end of the turn */
    WEB_N_STATES
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

/* From the first byte of a request to the end of its answer. */
struct web_request {
    struct text in; /* what came: the head, then what is not used yet */
    struct h1_head head;
    struct h1_body body;
    struct text body_bytes;
    const struct web_route *route;
};

struct web_conn {
    struct conn conn;
    struct web_exchange exchange;
    struct web_server *server;
    struct list link; /* in server->conns */
    struct list idle; /* in server->idle, the oldest first */
    struct loop_timer timer;
    struct loop_task free_task;
    struct addr peer;
    struct web_request *request; /* NULL while idle */
    struct text kept;            /* bytes of the next request that came with the last one */
    size_t n_pending;            /* what the kernel had not taken when last looked at */
    enum web_state state;
    bool is_readable; /* the kernel has not said EAGAIN since the last event */
    bool is_eof;
    bool is_running;
    bool is_answered; /* this exchange; asserted against a second answer */
    bool is_close;    /* behind this answer */
};

struct web_listener {
    struct listener listener;
    struct web_server *server;
    const void *origin;
    int fd; /* -1: free */
};

struct web_server {
    struct loop *loop;
    struct web_config config;
    struct web_counters counters;
    struct list conns;
    struct list idle;
    struct web_listener listeners[WEB_LISTENERS_MAX];
    bool is_draining;
};

static void web_conn_run(struct web_conn *web);

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

/* The only place where a state changes: the list and the time-out follow it. */
static void web_move(struct web_conn *web, enum web_state state)
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
    text_deinit(&(*request)->body_bytes);
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

static void web_close(struct web_conn *web)
{
    if (web->state == WEB_CLOSED)
        return;
    web_forsake(web);
    web_move(web, WEB_CLOSED);
    struct web_server *server = web->server;
    loop_timer_clear(server->loop, &web->timer);
    conn_close(&web->conn);
    list_remove(&web->link);
    server->counters.n_conns--;
    loop_defer(server->loop, &web->free_task, web_free);
}

/* ---- answering ---- */

/* RFC 9110 section 5.6.7, whatever the locale. */
static void text_date(struct text *out, uint64_t wall_ns)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(wall_ns / 1000000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    text_printf(out, "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\n", days[tm.tm_wday], tm.tm_mday,
                months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* RFC 9110 section 8.6: these have no Content-Length. */
static bool has_no_content(uint16_t status)
{
    return status < 200 || status == 204 || status == 304;
}

static void text_answer_head(struct text *out, const struct web_conn *web,
                             const struct web_answer *answer)
{
    struct web_server *server = web->server;
    text_printf(out, "HTTP/1.1 %u %.*s\r\n", answer->status, SLICE_ARG(h1_reason(answer->status)));
    if (server->config.name)
        text_printf(out, "Server: %s\r\n", server->config.name);
    text_date(out, loop_wall_ns(server->loop));
    if (answer->type)
        text_printf(out, "Content-Type: %s\r\n", answer->type);
    if (!has_no_content(answer->status))
        text_printf(out, "Content-Length: %zu\r\n", answer->body.len);
    text_append(out, SLICE("Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"));
    if (web->is_close)
        text_append(out, SLICE("Connection: close\r\n"));
    else if (web->request->head.minor == 0)
        text_append(out, SLICE("Connection: keep-alive\r\n"));
    text_append(out, answer->lines);
    text_append(out, SLICE("\r\n"));
}

void web_answer(struct web_exchange *exchange, const struct web_answer *answer)
{
    struct web_conn *web = CONTAINER_OF(exchange, struct web_conn, exchange);
    assert(!web->is_answered && web->state >= WEB_HEAD && web->state <= WEB_HANDLE);
    web->is_answered = true;
    web->exchange.on_gone = NULL;
    /* What was not read of the request cannot be told from the next one. */
    bool is_whole = web->state == WEB_HANDLE;
    web->is_close |= !is_whole || answer->is_close || web->server->is_draining ||
                     !web->request->head.is_keep_alive;

    struct text head = TEXT_NONE;
    text_reserve(&head, HEAD_ROOM);
    text_answer_head(&head, web, answer);
    bool has_body = exchange->method != H1_METHOD_HEAD && !has_no_content(answer->status);
    struct iovec parts[2] = {{.iov_base = head.ptr, .iov_len = head.len},
                             {.iov_len = has_body ? answer->body.len : 0}};
    memcpy(&parts[1].iov_base, &answer->body.ptr, sizeof(parts[1].iov_base)); /* only read */
    int error = conn_sendv(&web->conn, parts, parts[1].iov_len ? 2 : 1, false);
    text_deinit(&head);

    web_move(web, WEB_FLUSH);
    web->n_pending = conn_pending(&web->conn);
    if (error < 0)
        web_close(web);
    else if (!web->is_running)
        loop_again(web->server->loop, &web->conn.io, LOOP_AGAIN);
}

__attribute__((format(printf, 4, 0))) static void web_verror(struct web_exchange *exchange,
                                                             uint16_t status, struct slice lines,
                                                             const char *format, va_list args)
{
    struct text sentence = TEXT_NONE, body = TEXT_NONE;
    text_vprintf(&sentence, format, args);
    struct json json;
    json_init(&json, &body);
    json_object_begin(&json);
    json_key(&json, "error");
    json_slice(&json, text_slice(&sentence));
    json_object_end(&json);
    json_finish(&json);
    text_append_char(&body, '\n');
    struct web_answer answer = {
        .status = status, .type = "application/json", .body = text_slice(&body), .lines = lines};
    web_answer(exchange, &answer);
    text_deinit(&sentence);
    text_deinit(&body);
}

void web_error(struct web_exchange *exchange, uint16_t status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    web_verror(exchange, status, SLICE(""), format, args);
    va_end(args);
}

void web_error_lines(struct web_exchange *exchange, uint16_t status, struct slice lines,
                     const char *format, ...)
{
    va_list args;
    va_start(args, format);
    web_verror(exchange, status, lines, format, args);
    va_end(args);
}

/* ---- routes ---- */

static bool path_matches(const char *pattern, struct slice path)
{
    size_t len = strlen(pattern);
    if (len && pattern[len - 1] == '*')
        return slice_starts(path, slice_make(pattern, len - 1));
    return slice_is(path, pattern);
}

/* Answers 404 or 405 where there is no row, and returns NULL. */
static const struct web_route *route_find(struct web_exchange *exchange,
                                          const struct web_route *routes)
{
    enum h1_method method = exchange->method == H1_METHOD_HEAD ? H1_METHOD_GET : exchange->method;
    struct text allow = TEXT_NONE;
    for (const struct web_route *route = routes; route->path; route++) {
        if (!path_matches(route->path, exchange->path))
            continue;
        if (route->method == method) {
            text_deinit(&allow);
            return route;
        }
        text_printf(&allow, "%s%.*s", allow.len ? ", " : "",
                    SLICE_ARG(h1_method_text(route->method)));
        if (route->method == H1_METHOD_GET)
            text_append(&allow, SLICE(", HEAD"));
    }
    if (allow.len) {
        struct text line = TEXT_NONE;
        text_printf(&line, "Allow: %s\r\n", text_cstr(&allow));
        web_error_lines(exchange, 405, text_slice(&line), "%.*s takes %s",
                        SLICE_ARG(exchange->path), text_cstr(&allow));
        text_deinit(&line);
    } else {
        web_error(exchange, 404, "there is nothing at %.*s", SLICE_ARG(exchange->path));
    }
    text_deinit(&allow);
    return NULL;
}

/* ---- reading ---- */

static void request_begin(struct web_conn *web)
{
    struct web_request *request = MEM_NEW(struct web_request);
    h1_head_reset(&request->head);
    request->in = web->kept;
    web->kept = (struct text)TEXT_NONE;
    web->request = request;
    web->is_answered = false;
    web->is_close = false;
    web->exchange.method = H1_METHOD_OTHER;
    web->exchange.path = web->exchange.query = web->exchange.body = SLICE("");
    web->exchange.user = NULL;
    web->exchange.on_gone = NULL;
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
    web->exchange.body = text_slice(&web->request->body_bytes);
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
        web_close(web);
        return false;
    }
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
    web_move(web, WEB_BODY);
    if (is_bare)
        web_move(web, WEB_HANDLE); /* an answer from here on need not close */
    if (server->config.admit && !server->config.admit(&web->exchange, server->config.ctx)) {
        assert(web->is_answered);
        return;
    }
    request->route = route_find(&web->exchange, server->config.routes);
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
        web_close(web);
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

static bool web_step_body(struct web_conn *web)
{
    struct web_request *request = web->request;
    size_t body_max = web->server->config.limits.body_bytes;
    struct slice rest = slice_skip(text_slice(&request->in), request->head.head_len);
    size_t n_used = 0;
    for (;;) {
        struct h1_piece piece;
        size_t used = 0;
        enum h1_event event =
            h1_body_next(&request->body, rest.ptr + n_used, rest.len - n_used, &used, &piece);
        n_used += used;
        if (event == H1_DATA && request->body_bytes.len + piece.data.len > body_max) {
            web_error(&web->exchange, 413, "the body is larger than the %zu bytes that are taken",
                      body_max);
            return true;
        }
        if (event == H1_DATA)
            text_append(&request->body_bytes, piece.data);
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
    exchange_point(web);
    web_move(web, WEB_HANDLE);
    request->route->handle(&web->exchange, web->server->config.ctx);
    return true;
}

/* The kernel has the whole answer: the next request, or the end. */
static bool web_step_flush(struct web_conn *web)
{
    if (conn_pending(&web->conn))
        return false;
    if (web->is_close) {
        web_move(web, WEB_LINGER);
        if (conn_shutdown(&web->conn) < 0)
            web_close(web);
        return true;
    }
    struct web_request *request = web->request;
    text_append(&web->kept, slice_skip(text_slice(&request->in), request->head.head_len));
    request_destroy(&web->request);
    web_move(web, WEB_IDLE);
    if (web->server->is_draining)
        web_close(web);
    return true;
}

static bool web_step_idle(struct web_conn *web)
{
    if (web->kept.len == 0 && !web_read(web, &web->kept))
        return false;
    request_begin(web);
    web_move(web, WEB_HEAD);
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

static void web_conn_run(struct web_conn *web)
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
}

static void web_on_event(struct conn *conn, uint32_t events)
{
    struct web_conn *web = CONTAINER_OF(conn, struct web_conn, conn);
    if (events & LOOP_ERROR) {
        web_close(web);
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
        web_close(web);
        break;
    case WEB_IDLE:
    case WEB_LINGER:
        web_close(web);
        break;
    case WEB_CLOSED:
    case WEB_N_STATES:
        abort(); /* a closed connection has no timer */
    }
}

/* ---- accepting ---- */

/* Nobody reads the request of a connection that is one too many, so this is all that it gets. */
static void refuse(int fd)
{
    static const char body[] = "{\"error\":\"there are too many connections now\"}\n";
    char answer[sizeof(body) + 200];
    int len = snprintf(answer, sizeof(answer),
                       "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
                       "Content-Type: application/json\r\nContent-Length: %zu\r\n"
                       "Connection: close\r\n\r\n%s",
                       sizeof(body) - 1, body);
    (void)!send(fd, answer, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

static bool make_room(struct web_server *server)
{
    if (server->counters.n_conns < server->config.limits.n_conns)
        return true;
    struct web_conn *oldest = LIST_FIRST(&server->idle, struct web_conn, idle);
    if (!oldest)
        return false;
    web_close(oldest);
    return true;
}

static void web_on_accept(struct listener *listener, struct loop *loop, int fd,
                          const struct addr *peer)
{
    struct web_listener *from = CONTAINER_OF(listener, struct web_listener, listener);
    struct web_server *server = from->server;
    server->counters.n_accepted++;
    if (!make_room(server)) {
        server->counters.n_refused++;
        refuse(fd);
        return;
    }
    struct web_conn *web = MEM_NEW(struct web_conn);
    list_init(&web->link);
    list_init(&web->idle);
    loop_timer_init(&web->timer, web_on_timer);
    if (conn_open(&web->conn, loop, fd, web_on_event, NULL) < 0) {
        server->counters.n_refused++;
        mem_free(web);
        refuse(fd);
        return;
    }
    web->server = server;
    web->peer = *peer;
    web->exchange = (struct web_exchange){
        .server = server, .origin = from->origin, .fd = fd, .peer = &web->peer};
    list_add_back(&server->conns, &web->link);
    list_add_back(&server->idle, &web->idle);
    server->counters.n_conns++;
    /* Who connects and says nothing is not worth idle_ms. */
    web_set_timer(web, server->config.limits.head_ms);
}

static void web_on_exhausted(struct listener *listener, struct loop *loop, int error)
{
    (void)loop;
    (void)error;
    struct web_listener *from = CONTAINER_OF(listener, struct web_listener, listener);
    from->server->counters.n_refused++;
}

int web_server_listen(struct web_server *server, int fd, const void *origin, struct err *err)
{
    for (size_t i = 0; i < WEB_LISTENERS_MAX; i++) {
        struct web_listener *at = &server->listeners[i];
        if (at->fd >= 0)
            continue;
        listener_init(&at->listener);
        at->listener.n_batch = 8;
        at->listener.on_accept = web_on_accept;
        at->listener.on_exhausted = web_on_exhausted;
        if (listener_start(&at->listener, server->loop, fd, err) < 0)
            return -1;
        at->origin = origin;
        at->fd = fd;
        return 0;
    }
    return err_set(err, "more than %d listening sockets", WEB_LISTENERS_MAX);
}

void web_server_unlisten(struct web_server *server, int fd)
{
    for (size_t i = 0; i < WEB_LISTENERS_MAX; i++) {
        struct web_listener *at = &server->listeners[i];
        if (at->fd < 0 || at->fd != fd)
            continue;
        listener_stop(&at->listener, server->loop);
        at->fd = -1;
    }
}

/* ---- the server ---- */

static void limits_default(struct web_limits *limits)
{
    static const struct h1_limits none;
    limits->n_conns = limits->n_conns ? limits->n_conns : 256;
    limits->body_bytes = limits->body_bytes ? limits->body_bytes : (size_t)64 * 1024;
    limits->head_ms = limits->head_ms ? limits->head_ms : 10000;
    limits->body_ms = limits->body_ms ? limits->body_ms : 30000;
    limits->idle_ms = limits->idle_ms ? limits->idle_ms : 60000;
    limits->answer_ms = limits->answer_ms ? limits->answer_ms : 60000;
    limits->send_ms = limits->send_ms ? limits->send_ms : 10000;
    if (memcmp(&limits->h1, &none, sizeof(none)) == 0)
        limits->h1 = h1_limits_default;
}

struct web_server *web_server_create(struct loop *loop, const struct web_config *config)
{
    struct web_server *server = MEM_NEW(struct web_server);
    server->loop = loop;
    server->config = *config;
    limits_default(&server->config.limits);
    list_init(&server->conns);
    list_init(&server->idle);
    for (size_t i = 0; i < WEB_LISTENERS_MAX; i++) {
        server->listeners[i].server = server;
        server->listeners[i].fd = -1;
    }
    return server;
}

static void unlisten_all(struct web_server *server)
{
    for (size_t i = 0; i < WEB_LISTENERS_MAX; i++) {
        if (server->listeners[i].fd >= 0)
            web_server_unlisten(server, server->listeners[i].fd);
    }
}

void web_server_drain(struct web_server *server)
{
    server->is_draining = true;
    unlisten_all(server);
    struct web_conn *web;
    while ((web = LIST_FIRST(&server->idle, struct web_conn, idle)))
        web_close(web);
}

void web_server_destroy(struct web_server **server)
{
    if (!*server)
        return;
    unlisten_all(*server);
    struct web_conn *web;
    while ((web = LIST_FIRST(&(*server)->conns, struct web_conn, link)))
        web_close(web);
    mem_free(*server);
    *server = NULL;
}

const struct web_counters *web_server_counters(const struct web_server *server)
{
    return &server->counters;
}

struct slice web_query_value(struct slice query, const char *name)
{
    struct slice rest = query;
    while (rest.ptr) {
        struct slice value = slice_cut(&rest, '&');
        struct slice key = slice_cut(&value, '=');
        if (key.len && slice_is(key, name))
            return value.ptr ? value : SLICE("");
    }
    return slice_make(NULL, 0);
}
