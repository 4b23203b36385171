/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The kinds of check: a TCP connection, an HTTP request, the line of an agent, a program.
 */

#include "health/checker.h"

#include "base/mem.h"
#include "base/text.h"
#include "core/program.h"
#include "net/conn.h"
#include "wire/agent.h"
#include <assert.h>
#include <stdio.h>

enum { NS_PER_MS = 1000000, EXEC_GRACE_MS = 1000 };

struct check_run {
    const struct check_kind_row *kind;
    struct loop *loop;
    check_done_fn *fn;
    void *ctx;
    const struct tls_client *tls; /* NULL: in the clear; looked at while it starts */
    uint64_t started_ns;
    struct program_run *program;   /* exec */
    struct conf_range expect;      /* http */
    bool wants_body;               /* http */
    struct web_call *call;         /* http */
    struct conn conn;              /* tcp, agent */
    struct loop_timer timer;       /* tcp, agent */
    enum web_outcome failed;       /* tcp, agent: before the loop could be told */
    char line[AGENT_LINE_MAX + 1]; /* agent: what came */
    size_t n_line;
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

/* ---- a connection: tcp and agent ---- */

static void conn_end(struct check_run *run, enum check_reason reason)
{
    struct check_result result = {.reason = reason, .took_ns = loop_clock_ns() - run->started_ns};
    run_end(run, &result);
}

static void on_limit(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    struct check_run *run = CONTAINER_OF(timer, struct check_run, timer);
    if (run->failed != WEB_CALL_OK)
        conn_end(run, reason_of(run->failed));
    else
        conn_end(run, run->conn.is_connecting ? REASON_CONNECT_TIMEOUT : REASON_TIMEOUT);
}

static void connect_for(struct check_run *run, const struct member *member, const struct addr *addr,
                        void (*on_event)(struct conn *conn, uint32_t events))
{
    struct err err = ERR_NONE;
    uint64_t limit_ns = (uint64_t)member->pool->check->timeout_ms * NS_PER_MS;
    loop_timer_init(&run->timer, on_limit);
    if (conn_connect(&run->conn, run->loop, addr, on_event, &err) < 0) {
        run->failed = web_outcome_of(err.number);
        limit_ns = 0;
    }
    loop_timer_set(run->loop, &run->timer, run->started_ns + limit_ns);
}

static void conn_run_close(struct check_run *run)
{
    loop_timer_clear(run->loop, &run->timer);
    conn_close(&run->conn);
}

/* ---- tcp ---- */

/* No connection, or no handshake on it. */
static void tcp_failed(struct check_run *run)
{
    struct check_result result = {.took_ns = loop_clock_ns() - run->started_ns};
    bool is_tls = tls_failure(&run->conn) != TLS_FINE;
    result.reason = is_tls ? REASON_TLS : reason_of(web_outcome_of(conn_error(&run->conn)));
    result.why = is_tls ? conn_reason(&run->conn) : NULL;
    run_end(run, &result);
}

static void tcp_on_event(struct conn *conn, uint32_t events)
{
    struct check_run *run = CONTAINER_OF(conn, struct check_run, conn);
    if (events & LOOP_ERROR)
        tcp_failed(run);
    else if (events & LOOP_WRITE)
        conn_end(run, REASON_OK);
}

static void tcp_start(struct check_run *run, const struct member *member, const struct addr *addr)
{
    struct err err = ERR_NONE;
    connect_for(run, member, addr, tcp_on_event);
    if (!run->tls || run->failed != WEB_CALL_OK ||
        tls_connect(&run->conn, run->tls, pool_tls_name(member), NULL, &err) == 0)
        return;
    conn_close(&run->conn);
    run->failed = WEB_CALL_NO_RESOURCE;
    loop_timer_set(run->loop, &run->timer, run->started_ns);
}

/* ---- agent ---- */

static void agent_end(struct check_run *run, int parsed, const struct agent_says *says)
{
    struct check_result result = {.took_ns = loop_clock_ns() - run->started_ns};
    if (parsed > 0) {
        result.agent = says;
        result.reason = says->state == AGENT_DOWN ? REASON_AGENT_DOWN : REASON_OK;
    } else {
        result.reason = says->text[0] ? REASON_AGENT_WORD : REASON_CLOSED;
        result.why = says->text;
    }
    run_end(run, &result);
}

/* Returns true when there is nothing more to do in this turn: the run may be over. */
static bool agent_read(struct check_run *run)
{
    struct agent_says says;
    ssize_t n = conn_recv(&run->conn, run->line + run->n_line, sizeof(run->line) - run->n_line);
    if (n == -EAGAIN)
        return true;
    if (n < 0) {
        conn_end(run, reason_of(web_outcome_of((int)-n)));
        return true;
    }
    run->n_line += (size_t)n;
    int parsed = agent_parse(slice_make(run->line, run->n_line), n == 0, &says);
    if (parsed == 0 && n > 0)
        return false;
    agent_end(run, parsed, &says);
    return true;
}

static void agent_on_event(struct conn *conn, uint32_t events)
{
    struct check_run *run = CONTAINER_OF(conn, struct check_run, conn);
    if (conn->is_connecting) {
        if (events & LOOP_ERROR)
            conn_end(run, reason_of(web_outcome_of(conn_error(conn))));
        return;
    }
    while (!agent_read(run)) {
    }
}

static void agent_start(struct check_run *run, const struct member *member, const struct addr *addr)
{
    connect_for(run, member, addr, agent_on_event);
}

/* ---- http ---- */

static void http_on_reply(void *ctx, const struct web_reply *reply)
{
    struct check_run *run = ctx;
    run->call = NULL;
    struct check_result result = {
        .reason = reason_of(reply->outcome),
        .h1_error = reply->h1_error,
        .why = reply->tls_reason,
        .took_ns = reply->took_ns,
    };
    if (reply->head) {
        result.status = reply->head->status;
        if (result.status < run->expect.low || result.status > run->expect.high)
            result.reason = REASON_BAD_STATUS;
        else if (run->wants_body && !reply->has_body_text)
            result.reason = REASON_BAD_BODY;
    }
    run_end(run, &result);
}

/* As a browser would write it: the name or address with the port that is asked. */
static void host_of(const struct member *member, const struct addr *addr, struct text *host)
{
    const struct check_conf *check = member->pool->check;
    char text[ADDR_TEXT_MAX];
    if (check->host.len)
        text_append(host, check->host);
    else if (!member->endpoint.host.len && addr_family(addr) == AF_UNIX)
        text_append(host, SLICE("localhost"));
    else if (!check->port)
        text_append(host, member->endpoint.text);
    else if (member->endpoint.host.len)
        text_printf(host, "%.*s:%u", SLICE_ARG(member->endpoint.host), (unsigned)addr_port(addr));
    else
        text_append(host, slice_from(addr_format(addr, text)));
}

static void http_start(struct check_run *run, const struct member *member, const struct addr *addr)
{
    const struct check_conf *check = member->pool->check;
    struct text host = TEXT_NONE;
    host_of(member, addr, &host);
    const struct web_ask ask = {
        .addr = addr,
        .method = check->method,
        .target = check->path,
        .host = text_slice(&host),
        .lines = check->lines,
        .timeout_ms = (uint32_t)check->timeout_ms,
        .tls = run->tls,
        .tls_name = run->tls ? pool_tls_name(member) : SLICE(""),
        .body_text = check->body,
        .is_status_enough = check->body.len == 0,
    };
    run->expect = check->expect;
    run->wants_body = check->body.len > 0;
    run->call = web_call_start(run->loop, &ask, http_on_reply, run);
    text_deinit(&host);
}

static void http_close(struct check_run *run)
{
    web_call_cancel(&run->call);
}

/* ---- exec ---- */

static void exec_on_end(void *ctx, const struct program_result *ended)
{
    static const enum check_reason reasons[PROGRAM_N_OUTCOMES] = {
        [PROGRAM_EXITED] = REASON_EXIT,    [PROGRAM_SIGNALED] = REASON_SIGNAL,
        [PROGRAM_LATE] = REASON_TIMEOUT,   [PROGRAM_NOT_STARTED] = REASON_NOT_STARTED,
        [PROGRAM_REFUSED] = REASON_BUSY,   [PROGRAM_UNKNOWN] = REASON_NO_WORKER,
        [PROGRAM_LOST] = REASON_NO_WORKER,
    };
    struct check_run *run = ctx;
    run->program = NULL;
    struct check_result result = {
        .reason = reasons[ended->outcome],
        .number = ended->number,
        .why = ended->line,
        .took_ns = loop_clock_ns() - run->started_ns,
    };
    if (ended->outcome == PROGRAM_EXITED && ended->number == 0)
        result.reason = REASON_OK;
    run_end(run, &result);
}

/* The worker ends the program when its time is over; the limit is for a worker that hangs. */
static void exec_start(struct check_run *run, const struct member *member, const struct addr *addr)
{
    char address[ADDR_TEXT_MAX], port[8];
    bool is_unix = addr_family(addr) == AF_UNIX;
    snprintf(port, sizeof(port), "%u", is_unix ? 0u : (unsigned)addr_port(addr));
    const char *const texts[] = {
        "check", member->label,
        is_unix ? addr_format(addr, address) : addr_format_ip(addr, address), port};
    run->program = program_start(process_of(run->loop), texts, ARRAY_LEN(texts),
                                 member->pool->check->timeout_ms + EXEC_GRACE_MS, exec_on_end, run);
}

static void exec_close(struct check_run *run)
{
    program_cancel(&run->program);
}

/* ---- all of them ---- */

static const struct check_kind_row kinds[] = {
    [CHECK_TCP] = {.start = tcp_start, .close = conn_run_close},
    [CHECK_HTTP] = {.start = http_start, .close = http_close},
    [CHECK_TLS] = {.start = tcp_start, .close = conn_run_close},
    [CHECK_EXEC] = {.start = exec_start, .close = exec_close},
    [CHECK_AGENT] = {.start = agent_start, .close = conn_run_close},
};

struct check_run *check_start(struct loop *loop, const struct member *member,
                              const struct addr *addr, const struct tls_client *tls,
                              check_done_fn *fn, void *ctx)
{
    int kind = member->pool->check->kind;
    assert(kind > CHECK_NONE && (size_t)kind < ARRAY_LEN(kinds));
    struct check_run *run = MEM_NEW(struct check_run);
    run->kind = &kinds[kind];
    run->loop = loop;
    run->tls = tls;
    run->fn = fn;
    run->ctx = ctx;
    run->started_ns = loop_clock_ns();
    conn_init(&run->conn);
    struct addr asked = *addr;
    if (member->pool->check->port)
        addr_set_port(&asked, (uint16_t)member->pool->check->port);
    run->kind->start(run, member, &asked);
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
