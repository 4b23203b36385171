/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The kinds of check: a TCP connection, an HTTP request.
 */

#include "health/checker.h"

#include "base/mem.h"
#include "net/conn.h"
#include <assert.h>

enum { NS_PER_MS = 1000000 };

struct check_run {
    const struct check_kind_row *kind;
    struct loop *loop;
    check_done_fn *fn;
    void *ctx;
    uint64_t started_ns;
    struct conf_range expect; /* http */
    struct web_call *call;    /* http */
    struct conn conn;         /* tcp */
    struct loop_timer timer;  /* tcp */
    enum web_outcome failed;  /* tcp: before the loop could be told */
};

struct check_kind_row {
    void (*start)(struct check_run *run, const struct member *member, const struct addr *addr);
    void (*close)(struct check_run *run);
};

static void run_end(struct check_run *run, const struct check_result *result)
{
    run->kind->close(run);
    run->fn(run->ctx, result);
    mem_free(run);
}

/* ---- tcp ---- */

static void tcp_end(struct check_run *run, enum web_outcome outcome)
{
    struct check_result result = {
        .reason = reason_of(outcome),
        .took_ns = loop_clock_ns() - run->started_ns,
    };
    run_end(run, &result);
}

static void tcp_on_event(struct conn *conn, uint32_t events)
{
    struct check_run *run = CONTAINER_OF(conn, struct check_run, conn);
    if (events & LOOP_ERROR)
        tcp_end(run, web_outcome_of(conn_error(conn)));
    else if (events & LOOP_WRITE)
        tcp_end(run, WEB_CALL_OK);
}

static void tcp_on_timer(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    struct check_run *run = CONTAINER_OF(timer, struct check_run, timer);
    tcp_end(run, run->failed != WEB_CALL_OK ? run->failed : WEB_CALL_CONNECT_TIMEOUT);
}

static void tcp_start(struct check_run *run, const struct member *member, const struct addr *addr)
{
    struct err err = ERR_NONE;
    uint64_t limit_ns = (uint64_t)member->pool->check->timeout_ms * NS_PER_MS;
    loop_timer_init(&run->timer, tcp_on_timer);
    if (conn_connect(&run->conn, run->loop, addr, tcp_on_event, &err) < 0) {
        run->failed = web_outcome_of(err.number);
        limit_ns = 0;
    }
    loop_timer_set(run->loop, &run->timer, run->started_ns + limit_ns);
}

static void tcp_close(struct check_run *run)
{
    loop_timer_clear(run->loop, &run->timer);
    conn_close(&run->conn);
}

/* ---- http ---- */

static void http_on_reply(void *ctx, const struct web_reply *reply)
{
    struct check_run *run = ctx;
    run->call = NULL;
    struct check_result result = {
        .reason = reason_of(reply->outcome),
        .h1_error = reply->h1_error,
        .took_ns = reply->took_ns,
    };
    if (reply->head) {
        result.status = reply->head->status;
        if (result.status < run->expect.low || result.status > run->expect.high)
            result.reason = REASON_BAD_STATUS;
    }
    run_end(run, &result);
}

/* As a browser would write it: the name or address with its port. */
static struct slice host_of(const struct member *member)
{
    if (member->pool->check->host.len)
        return member->pool->check->host;
    if (!member->endpoint.host.len && addr_family(&member->endpoint.addr) == AF_UNIX)
        return SLICE("localhost");
    return member->endpoint.text;
}

static void http_start(struct check_run *run, const struct member *member, const struct addr *addr)
{
    const struct check_conf *check = member->pool->check;
    const struct web_ask ask = {
        .addr = addr,
        .method = check->method,
        .target = check->path,
        .host = host_of(member),
        .lines = SLICE("User-Agent: weir-health\r\nAccept: */*\r\n"),
        .timeout_ms = (uint32_t)check->timeout_ms,
        .is_status_enough = true,
    };
    run->expect = check->expect;
    run->call = web_call_start(run->loop, &ask, http_on_reply, run);
}

static void http_close(struct check_run *run)
{
    web_call_cancel(&run->call);
}

/* ---- all of them ---- */

static const struct check_kind_row kinds[] = {
    [CHECK_TCP] = {.start = tcp_start, .close = tcp_close},
    [CHECK_HTTP] = {.start = http_start, .close = http_close},
};

struct check_run *check_start(struct loop *loop, const struct member *member,
                              const struct addr *addr, check_done_fn *fn, void *ctx)
{
    int kind = member->pool->check->kind;
    assert(kind > CHECK_NONE && (size_t)kind < ARRAY_LEN(kinds));
    struct check_run *run = MEM_NEW(struct check_run);
    run->kind = &kinds[kind];
    run->loop = loop;
    run->fn = fn;
    run->ctx = ctx;
    run->started_ns = loop_clock_ns();
    conn_init(&run->conn);
    run->kind->start(run, member, addr);
    return run;
}

void check_cancel(struct check_run **run_ptr)
{
    struct check_run *run = *run_ptr;
    *run_ptr = NULL;
    if (!run)
        return;
    run->kind->close(run);
    mem_free(run);
}
