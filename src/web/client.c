/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The small HTTP/1 client: one request on one connection, over net/conn.h and wire/h1.h.
 */

#include "web/client.h"

#include "base/mem.h"
#include "base/text.h"
#include "net/conn.h"
#include "tls/tls.h"
#include <assert.h>
#include <errno.h>
#include <string.h>

enum { READ_BYTES = 16 * 1024, NS_PER_MS = 1000000 };

struct web_call {
    struct conn conn;
    struct loop *loop;
    struct loop_timer timer;
    web_call_fn *fn;
    void *ctx;
    struct h1_limits limits;
    struct h1_asked asked;
    struct h1_head head;
    struct h1_body body;
    struct text in;     /* what came: the head for good, behind it what the body did not use yet */
    struct text data;   /* of the body */
    struct text wanted; /* in the body */
    bool has_wanted;
    size_t body_max;
    uint64_t n_data; /* bytes of the body so far, kept or not */
    uint64_t started_ns;
    uint64_t took_ns;
    unsigned n_interim;
    enum web_outcome failed; /* before the loop could be told; WEB_CALL_OK: no */
    enum h1_error h1_error;
    const char *tls_reason;
    bool has_head;
    bool is_status_enough;
    bool is_part_enough;
    bool is_whole;
};

/* ---- outcomes ---- */

const char *web_outcome_text(enum web_outcome outcome)
{
    static const char *const texts[WEB_N_OUTCOMES] = {
        [WEB_CALL_OK] = "answered",
        [WEB_CALL_REFUSED] = "connection refused",
        [WEB_CALL_UNREACHABLE] = "no route to it",
        [WEB_CALL_CONNECT_TIMEOUT] = "no connection in time",
        [WEB_CALL_TIMEOUT] = "no answer in time",
        [WEB_CALL_RESET] = "connection reset",
        [WEB_CALL_CLOSED] = "closed before the answer was whole",
        [WEB_CALL_BAD_RESPONSE] = "the answer is not HTTP/1",
        [WEB_CALL_TOO_LARGE] = "the answer is too large",
        [WEB_CALL_TLS] = "no TLS handshake",
        [WEB_CALL_NO_RESOURCE] = "no descriptor, port or memory left",
    };
    assert(outcome < WEB_N_OUTCOMES);
    return texts[outcome];
}

enum web_outcome web_outcome_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case ENOENT: /* unix: no socket there */
    case EAGAIN: /* unix: its backlog is full */
        return WEB_CALL_REFUSED;
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
        return WEB_CALL_RESET;
    case ETIMEDOUT:
        return WEB_CALL_CONNECT_TIMEOUT;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC:
    case EADDRNOTAVAIL: /* no port left */
    case EADDRINUSE:
        return WEB_CALL_NO_RESOURCE;
    default:
        return WEB_CALL_UNREACHABLE;
    }
}

/* ---- the end ---- */

static void call_free(struct web_call *call)
{
    loop_timer_clear(call->loop, &call->timer);
    conn_close(&call->conn);
    text_deinit(&call->in);
    text_deinit(&call->data);
    text_deinit(&call->wanted);
    mem_free(call);
}

/* The callback may start another call; this one is freed behind it. */
static void call_end(struct web_call *call, enum web_outcome outcome)
{
    bool is_ok = outcome == WEB_CALL_OK;
    struct web_reply reply = {
        .outcome = outcome,
        .h1_error = outcome == WEB_CALL_BAD_RESPONSE ? call->h1_error : H1_OK,
        .head = is_ok ? &call->head : NULL,
        .tls_reason = call->tls_reason,
        .head_bytes = is_ok ? call->in.ptr : NULL,
        .body = is_ok ? text_slice(&call->data) : SLICE(""),
        .has_body_text = is_ok && call->has_wanted,
        .is_whole = is_ok && call->is_whole,
        .took_ns = call->has_head ? call->took_ns : loop_clock_ns() - call->started_ns,
    };
    loop_timer_clear(call->loop, &call->timer);
    conn_close(&call->conn);
    call->fn(call->ctx, &reply);
    call_free(call);
}

/* What is not whole: a failure, unless the head is all that is needed and it is there. */
static void call_break(struct web_call *call, enum web_outcome outcome)
{
    bool is_enough = call->has_head && (call->is_status_enough || call->is_part_enough);
    call_end(call, is_enough ? WEB_CALL_OK : outcome);
}

static void call_end_whole(struct web_call *call)
{
    call->is_whole = !call->is_status_enough;
    call_end(call, WEB_CALL_OK);
}

void web_call_cancel(struct web_call **call)
{
    if (*call)
        call_free(*call);
    *call = NULL;
}

static void call_on_timer(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    struct web_call *call = CONTAINER_OF(timer, struct web_call, timer);
    if (call->failed != WEB_CALL_OK)
        call_end(call, call->failed);
    else
        call_break(call, call->conn.is_connecting ? WEB_CALL_CONNECT_TIMEOUT : WEB_CALL_TIMEOUT);
}

/* ---- reading; each returns true when the call is over, and freed ---- */

static bool bad_response(struct web_call *call, enum h1_error error)
{
    bool is_large = error == H1_ERR_HEAD_LONG || error == H1_ERR_FIELDS_MANY ||
                    error == H1_ERR_FIELD_LONG || error == H1_ERR_TRAILERS_LONG ||
                    error == H1_ERR_TRAILERS_MANY;
    call->h1_error = error;
    call_break(call, is_large ? WEB_CALL_TOO_LARGE : WEB_CALL_BAD_RESPONSE);
    return true;
}

/* Takes the bytes [from, from + n) out of the text. */
static void text_cut(struct text *text, size_t from, size_t n)
{
    memmove(text->ptr + from, text->ptr + from + n, text->len - from - n);
    text->len -= n;
}

/* Keeps what came, and looks whether the text that is wanted ends in it. */
static void take_data(struct web_call *call, struct slice data)
{
    size_t wanted = call->wanted.len;
    size_t from = call->data.len < wanted ? 0 : call->data.len - wanted;
    text_append(&call->data, data);
    call->has_wanted = wanted > 0 && memmem(call->data.ptr + from, call->data.len - from,
                                            call->wanted.ptr, wanted);
}

/* Returns true when the call is over. */
static bool read_data(struct web_call *call, struct slice data)
{
    size_t room = call->body_max - call->n_data;
    bool is_too_large = data.len > room;
    if (is_too_large && !call->wanted.len && !call->is_part_enough) {
        call_break(call, WEB_CALL_TOO_LARGE);
        return true;
    }
    if (is_too_large)
        data.len = room;
    call->n_data += data.len;
    if (!call->is_status_enough)
        take_data(call, data);
    if (!call->has_wanted && !is_too_large)
        return false;
    call_end(call, WEB_CALL_OK);
    return true;
}

static bool read_body(struct web_call *call)
{
    for (;;) {
        size_t head_len = call->head.head_len;
        size_t used;
        struct h1_piece piece;
        enum h1_event event = h1_body_next(&call->body, call->in.ptr + head_len,
                                           call->in.len - head_len, &used, &piece);
        if (event == H1_DATA && read_data(call, piece.data))
            return true;
        text_cut(&call->in, head_len, used);
        if (event == H1_END) {
            call_end_whole(call);
            return true;
        }
        if (event == H1_ERROR)
            return bad_response(call, piece.error);
        if (event == H1_MORE)
            return false;
    }
}

static bool read_head(struct web_call *call)
{
    for (;;) {
        enum h1_error error = H1_OK;
        ssize_t used = h1_parse_response(call->in.ptr, call->in.len, &call->limits, call->asked,
                                         &call->head, &error);
        if (used < 0)
            return bad_response(call, error);
        if (used == 0)
            return false;
        if (!call->head.is_interim)
            break;
        if (++call->n_interim > WEB_CALL_INTERIM_MAX)
            return bad_response(call, H1_ERR_HEAD_LONG);
        text_cut(&call->in, 0, (size_t)used);
        h1_head_reset(&call->head);
    }
    call->has_head = true;
    call->took_ns = loop_clock_ns() - call->started_ns;
    h1_body_init(&call->body, &call->head, &call->limits);
    return read_body(call);
}

static bool read_end(struct web_call *call)
{
    bool is_whole = call->has_head && h1_body_close(&call->body) == H1_OK;
    if (is_whole)
        call_end_whole(call);
    else
        call_break(call, WEB_CALL_CLOSED);
    return true;
}

/* The kernel has nothing more for now. A send may have failed before the peer's answer was read. */
static bool read_nothing(struct web_call *call)
{
    if (call->conn.error)
        call_break(call, web_outcome_of(call->conn.error));
    return true;
}

/* Returns true when there is nothing more to do in this turn. */
static bool read_some(struct web_call *call)
{
    char *buf = loop_buf(call->loop);
    ssize_t n = conn_recv(&call->conn, buf, READ_BYTES);
    if (n == -EAGAIN)
        return read_nothing(call);
    if (n == 0)
        return read_end(call);
    if (n < 0) {
        call_break(call, web_outcome_of((int)-n));
        return true;
    }
    text_append(&call->in, slice_make(buf, (size_t)n));
    return call->has_head ? read_body(call) : read_head(call);
}

/* No connection, or no handshake on it. */
static void call_refused(struct web_call *call)
{
    struct conn *conn = &call->conn;
    bool is_tls = tls_failure(conn) != TLS_FINE;
    call->tls_reason = is_tls ? conn_reason(conn) : NULL;
    call_end(call, is_tls ? WEB_CALL_TLS : web_outcome_of(conn_error(conn)));
}

static void call_on_event(struct conn *conn, uint32_t events)
{
    struct web_call *call = CONTAINER_OF(conn, struct web_call, conn);
    if (conn->is_connecting) {
        if (events & LOOP_ERROR)
            call_refused(call);
        return;
    }
    for (int round = 0; round < LOOP_BUDGET; round++) {
        if (read_some(call))
            return;
    }
    loop_again(call->loop, &conn->io, LOOP_READ);
}

/* ---- starting ---- */

static enum h1_method method_of(struct slice text)
{
    for (int method = H1_METHOD_GET; method <= H1_METHOD_PATCH; method++) {
        if (slice_equal(h1_method_text((enum h1_method)method), text))
            return (enum h1_method)method;
    }
    return H1_METHOD_OTHER;
}

static int send_request(struct web_call *call, const struct web_ask *ask)
{
    struct text request = TEXT_NONE;
    text_printf(&request, "%.*s %.*s HTTP/1.1\r\nHost: %.*s\r\n", SLICE_ARG(ask->method),
                SLICE_ARG(ask->target), SLICE_ARG(ask->host));
    text_append(&request, ask->lines);
    if (ask->body.len)
        text_printf(&request, "Content-Length: %zu\r\n", ask->body.len);
    text_append(&request, SLICE("Connection: close\r\n\r\n"));
    text_append(&request, ask->body);
    int error = conn_send(&call->conn, request.ptr, request.len, false);
    text_deinit(&request);
    return error;
}

static enum web_outcome call_connect(struct web_call *call, const struct web_ask *ask)
{
    struct err err = ERR_NONE;
    if (conn_connect(&call->conn, call->loop, ask->addr, call_on_event, &err) < 0)
        return web_outcome_of(err.number);
    if (ask->tls && tls_connect(&call->conn, ask->tls, ask->tls_name, NULL, &err) < 0) {
        conn_close(&call->conn);
        return WEB_CALL_NO_RESOURCE;
    }
    int error = send_request(call, ask);
    if (error == 0)
        return WEB_CALL_OK;
    conn_close(&call->conn); /* the error is told once, and was told here */
    return web_outcome_of(-error);
}

struct web_call *web_call_start(struct loop *loop, const struct web_ask *ask, web_call_fn *fn,
                                void *ctx)
{
    struct web_call *call = MEM_NEW(struct web_call);
    call->loop = loop;
    call->fn = fn;
    call->ctx = ctx;
    call->limits = h1_limits_default;
    call->limits.head_bytes = WEB_CALL_HEAD_MAX;
    call->asked.method = method_of(ask->method);
    call->body_max = ask->body_max ? ask->body_max : WEB_CALL_BODY_MAX;
    call->is_status_enough = ask->is_status_enough;
    call->is_part_enough = ask->is_part_enough;
    text_append(&call->wanted, ask->body_text);
    call->started_ns = loop_clock_ns();
    h1_head_reset(&call->head);
    loop_timer_init(&call->timer, call_on_timer);
    call->failed = call_connect(call, ask);
    uint64_t limit_ns = call->failed == WEB_CALL_OK ? (uint64_t)ask->timeout_ms * NS_PER_MS : 0;
    loop_timer_set(loop, &call->timer, call->started_ns + limit_ns);
    return call;
}
