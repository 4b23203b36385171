/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Tries: a member picked, a connection to it, what comes of that, and another member where nobody
 * could tell.
 */

#include "base/mem.h"
#include "http/exchange.h"
#include "tls/tls.h"
#include <assert.h>
#include <errno.h>

/* Whatever is excused: the counters of an exchange are bytes. */
enum { EXCHANGE_TRIES_MAX = 200 };

static enum http_reason reason_of(enum retry_event event)
{
    switch (event) {
    case RETRY_NOT_REACHED:
        return HTTP_UNREACHABLE;
    case RETRY_LATE:
        return HTTP_LATE;
    case RETRY_NONSENSE:
        return HTTP_NONSENSE;
    case RETRY_IDLE_DIED:
    case RETRY_BROKEN:
    case RETRY_DOWN:
        break;
    }
    return HTTP_BROKEN;
}

enum retry_event exchange_event(const struct http_exchange *exchange, int error)
{
    if (exchange->is_connecting)
        return RETRY_NOT_REACHED;
    if (error == EPROTO)
        return RETRY_NONSENSE;
    if (error == ETIMEDOUT)
        return RETRY_LATE;
    return exchange->is_fresh || exchange->held ? RETRY_BROKEN : RETRY_IDLE_DIED;
}

/* Where the time that the client gives is over, the try that used it up was the last. */
static uint32_t max_tries(const struct http_exchange *exchange)
{
    if (exchange->n_tries > 0 && exchange_is_granted_over(exchange))
        return exchange->n_tries;
    return (uint32_t)exchange->service->conf->retry.tries + exchange->n_excused;
}

static struct retry_step exchange_decide(const struct http_exchange *exchange,
                                         enum retry_event event)
{
    const struct retry_case what = {
        .event = event,
        .is_repeatable = exchange->is_idempotent,
        .is_kept = exchange->sent != NULL,
        .is_whole = exchange->is_request_done,
        .is_answered = exchange->status != 0 || exchange->is_interim,
        .has_client = conn_error(&exchange->client->conn) == 0,
        .n_tries = exchange->n_tries,
        .max_tries = max_tries(exchange),
        .n_reached = exchange->n_reached,
    };
    return retry_decide(&what);
}

/* What is repeated is charged to the listen's budget, before a pick reserves anybody. */
static bool exchange_affords(struct http_exchange *exchange, const struct retry_step *step)
{
    return !step->is_charged ||
           limit_budget_take(&exchange->service->budget, loop_now_ns(worker_of(exchange)->loop));
}

void exchange_pause(struct http_exchange *exchange, uint32_t pause_ms)
{
    exchange->is_pausing = true;
    exchange->pause_ms = (uint16_t)pause_ms;
    exchange_rearm(exchange);
}

/* Another try, when its time has come. */
static void exchange_repeat(struct http_exchange *exchange, uint32_t n_pauses)
{
    uint32_t draw = (uint32_t)rng_next(&exchange->service->epoch->rng);
    uint32_t base_ms = (uint32_t)exchange->service->conf->retry.backoff_ms;
    uint32_t pause_ms = retry_pause_ms(n_pauses, base_ms, draw);
    if (pause_ms == 0)
        exchange_try(exchange);
    else
        exchange_pause(exchange, pause_ms);
}

void exchange_refuse(struct http_exchange *exchange, enum retry_refusal refusal)
{
    if (!exchange->status) /* what breaks off in the middle is a cut, and counted there */
        metric_add(exchange->service->row, LISTEN_UNREPEATED + refusal, 1);
    if (refusal == RETRY_NO_CLIENT)
        exchange_client_lost(exchange);
    else
        exchange_fail(exchange, (enum http_reason)exchange->failure);
}

/* What this try says about the member, before it is given back. */
static void exchange_blame(struct http_exchange *exchange, enum retry_event event)
{
    struct upstream_member *member = exchange->member;
    if (event == RETRY_IDLE_DIED)
        return;
    exchange->is_blamed = true;
    if (event != RETRY_NOT_REACHED)
        exchange->n_reached++;
    uint64_t now_ns = loop_now_ns(worker_of(exchange)->loop);
    upstream_suspect(member, now_ns, event == RETRY_NOT_REACHED);
    upstream_tried_add(&exchange->tried, member);
}

/* For a part of this weir, which tells an operator. What the kernel said of a connection it said
 * once, to whoever read or asked first: `error`. */
static void note_unreached(struct http_exchange *exchange, int error)
{
    struct conn *conn = &exchange->upstream->conn;
    bool is_tls = tls_failure(conn) != TLS_FINE;
    bool is_late = error == ETIMEDOUT && conn_error(conn) == 0;
    const char *why = is_tls || error <= 0 ? conn_reason(conn) : strerrordesc_np(error);
    exchange->unreached = (struct http_unreached){.member = exchange->member,
                                                  .what = is_tls ? "no TLS: " : "",
                                                  .why = is_late ? "no connection in time" : why};
}

void exchange_upstream_failed(struct http_exchange *exchange, int error)
{
    enum retry_event event = exchange_event(exchange, error);
    if (exchange->mode) {
        async_failed(exchange, event);
        return;
    }
    if (event == RETRY_NOT_REACHED)
        note_unreached(exchange, error);
    exchange_blame(exchange, event);
    struct retry_step step = exchange_decide(exchange, event);
    exchange->failure = (uint8_t)reason_of(event);
    exchange_release(exchange, false);
    mem_free(exchange->held);
    exchange->held = NULL;
    if (step.verb == RETRY_FAIL)
        exchange_refuse(exchange, step.refusal);
    else if (!exchange_affords(exchange, &step))
        exchange_refuse(exchange, RETRY_BUDGET);
    else
        exchange_repeat(exchange, step.n_pauses);
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
        exchange->stood_ns = loop_now_ns(conn->loop);
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

static void upstream_on_down(struct upstream *upstream);

static const struct upstream_user calls = {
    .on_event = upstream_on_event,
    .on_down = upstream_on_down,
};

/* A connection for this try. What cannot be repeated goes out on a kept connection only after a
 * look at it, because a member that has just closed it would take the request with it. */
struct upstream *exchange_take(struct http_exchange *exchange, struct upstream_member *member)
{
    struct loop *loop = worker_of(exchange)->loop;
    if (exchange->n_tries > 1)
        return upstream_take_fresh(member, loop, exchange, &calls, NULL);
    for (;;) {
        struct upstream *upstream = upstream_take(member, loop, exchange, &calls, NULL);
        bool is_doubtful = upstream && upstream->n_requests > 1 && !exchange->is_idempotent;
        if (!is_doubtful || !conn_is_stale(&upstream->conn))
            return upstream;
        upstream_drop(upstream);
    }
}

/* The client's session may be with another member than the one that was picked. */
static void exchange_keep_session(struct http_exchange *exchange)
{
    struct sticky *sticky = &exchange->sticky;
    bool was_held = sticky->state == STICKY_HELD;
    if (!sticky_picked(sticky, exchange->member->view.member))
        return;
    if (was_held)
        metric_add(exchange->service->row, (uint32_t)LISTEN_STICKY + STICKY_MOVED, 1);
    if (!exchange->is_moved_said)
        request_add_line(exchange, SLICE("X-Weir-Moved: 1\r\n"));
    exchange->is_moved_said = true;
}

/* A connection to the member that is reserved; false: it is given back, and was not reached. */
static bool exchange_connect(struct http_exchange *exchange)
{
    struct upstream_member *member = exchange->member;
    exchange->is_blamed = false;
    exchange->latency_ns = 0;
    exchange_keep_session(exchange);
    struct access *access = exchange->client->access;
    if (access)
        slice_copy(member->view.member->name, access->member, sizeof(access->member));
    if (exchange->n_tries++)
        metric_add(exchange->service->row, LISTEN_RETRIES, 1);
    exchange->upstream = exchange_take(exchange, member);
    if (exchange->upstream)
        return true;
    exchange->is_blamed = true;
    exchange_release(exchange, false);
    upstream_suspect(member, loop_now_ns(worker_of(exchange)->loop), true);
    upstream_tried_add(&exchange->tried, member);
    exchange->failure = HTTP_UNREACHABLE;
    return false;
}

static enum upstream_answer exchange_pick(struct http_exchange *exchange,
                                          struct upstream_member **ret_member)
{
    const struct sticky_keys *keys = &exchange->service->epoch->sticky_keys;
    const struct upstream_ask ask = {
        .now_ns = loop_now_ns(worker_of(exchange)->loop),
        .tried = &exchange->tried,
        .has_key = exchange->has_key,
        .key = exchange->key,
        .preferred = sticky_member(&exchange->sticky, keys, exchange->pool, &exchange->tried),
    };
    return upstream_pick(exchange->pool, &ask, ret_member);
}

/* A member reserved and a connection to it; otherwise the answer says what there is instead. */
static enum upstream_answer exchange_reach(struct http_exchange *exchange)
{
    while (exchange->n_tries < max_tries(exchange)) {
        struct upstream_member *member;
        enum upstream_answer answer = exchange_pick(exchange, &member);
        if (answer != UPSTREAM_MEMBER)
            return answer;
        exchange->member = member;
        if (exchange_connect(exchange))
            return UPSTREAM_MEMBER;
    }
    return UPSTREAM_NOBODY;
}

/* No member has room, or none is judged yet. The client is listened to meanwhile: it may leave. */
static void exchange_wait(struct http_exchange *exchange)
{
    uint64_t now_ns = loop_now_ns(worker_of(exchange)->loop);
    if (upstream_wait(exchange->pool, &exchange->waiter, now_ns) == 0)
        exchange_rearm(exchange);
    else
        exchange_fail(exchange, HTTP_QUEUE_FULL);
}

void exchange_on_turn(struct upstream_waiter *waiter)
{
    exchange_try(CONTAINER_OF(waiter, struct http_exchange, waiter));
}

/* All that is kept of the request goes out on the connection that was just taken. */
void exchange_send(struct http_exchange *exchange)
{
    struct conn *conn = &exchange->upstream->conn;
    exchange->is_fresh = exchange->upstream->n_requests == 1;
    exchange->is_response_readable = false;
    exchange->is_response_hangup = false;
    metric_add(exchange->member->row, MEMBER_BYTES_TO, exchange->sent_len);
    exchange->sent_ns = loop_now_ns(worker_of(exchange)->loop);
    int rc = conn_send(conn, exchange->sent, exchange->sent_len, false);
    exchange->is_connecting = conn->is_connecting;
    exchange->stood_ns = conn->is_connecting ? 0 : exchange->sent_ns;
    if (rc < 0)
        exchange_upstream_failed(exchange, -rc);
    else
        exchange_rearm(exchange);
}

void exchange_try(struct http_exchange *exchange)
{
    exchange->is_pausing = false;
    if (exchange->mode) {
        async_try(exchange);
        return;
    }
    switch (exchange_reach(exchange)) {
    case UPSTREAM_MEMBER:
        exchange_send(exchange);
        break;
    case UPSTREAM_FULL:
    case UPSTREAM_UNJUDGED:
        exchange_wait(exchange);
        break;
    case UPSTREAM_NOBODY:
        exchange_fail(exchange,
                      exchange->n_tries ? (enum http_reason)exchange->failure : HTTP_NO_MEMBER);
        break;
    }
}

/*
 * The member has turned down while it has the request. Where it may be repeated and there is
 * somebody else, that one gets it at once; otherwise the answer may still come, and is waited for
 * as before.
 */
static void upstream_on_down(struct upstream *upstream)
{
    struct http_exchange *exchange = upstream->user;
    struct upstream_member *member;
    enum retry_event event = exchange->is_connecting ? RETRY_NOT_REACHED : RETRY_DOWN;
    struct retry_step step = exchange_decide(exchange, event);
    bool is_enough = exchange->n_tries >= EXCHANGE_TRIES_MAX;
    if (is_enough || step.verb == RETRY_FAIL || !exchange_affords(exchange, &step))
        return;
    upstream_tried_add(&exchange->tried, exchange->member);
    if (exchange_pick(exchange, &member) != UPSTREAM_MEMBER)
        return;
    exchange->failure = HTTP_BROKEN;
    exchange->n_excused++;
    exchange_release(exchange, false);
    mem_free(exchange->held);
    exchange->held = NULL;
    exchange->member = member;
    if (exchange_connect(exchange))
        exchange_send(exchange);
    else
        exchange_try(exchange);
}
