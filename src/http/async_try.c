/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An exchange whose request goes to a queue: which ones do, how the queue is told, and how it is
 * tried until it has the request.
 */

#include "http/exchange.h"

#include "base/mem.h"
#include <assert.h>

enum { PAUSE_MS = 25, PAUSES_MAX = 100 };

/* ---- which ones ---- */

static void async_enter(struct http_exchange *exchange, enum async_mode mode,
                        const struct route *route)
{
    struct http_epoch *epoch = exchange->service->epoch;
    assert(epoch->async); /* the edge made one, as a route names a queue */
    exchange->mode = (uint8_t)mode;
    exchange->route = route;
    exchange->pool = epoch->async;
    for (int i = 0; i < ASYNC_ID_WORDS; i++)
        exchange->id[i] = rng_next(&epoch->rng);
}

void async_decide(struct http_exchange *exchange, const struct route *route, const char *buf)
{
    const struct h1_head *head = &worker_of(exchange)->request;
    enum async_mode mode = async_mode_of(route, head, buf);
    if (mode != ASYNC_NONE)
        async_enter(exchange, mode, route);
    else if (async_may_overflow(route, head))
        exchange->overflow = route;
    exchange->wait_s = async_wait_s(head, buf, exchange->service->conf->async_wait_s);
}

static struct slice queue_of(const struct http_exchange *exchange)
{
    const struct route *route = exchange->route;
    return exchange->mode == ASYNC_OVERFLOW ? route->overflow_ref.name : route->async_ref.name;
}

void async_announce(struct http_exchange *exchange)
{
    const struct async_put put = {
        .mode = (enum async_mode)exchange->mode,
        .queue = queue_of(exchange),
        .jobs_path = exchange->service->conf->jobs_path,
        .keeps_credentials = exchange->route->keeps_credentials,
        .id = {exchange->id[0], exchange->id[1]},
    };
    char line[ASYNC_LINE_MAX];
    size_t len = async_line(&put, line);
    request_add_line(exchange, slice_make(line, len));
    struct access *access = exchange->client->access;
    if (access)
        slice_copy(put.queue, access->queue, sizeof(access->queue));
}

/* Those of weir's own answers that say: nobody has the request, and later it would be better. */
static bool is_for_later(enum http_reason reason)
{
    return reason == HTTP_NO_MEMBER || reason == HTTP_QUEUE_FULL || reason == HTTP_QUEUE_LATE ||
           reason == HTTP_UNREACHABLE;
}

bool async_overflow(struct http_exchange *exchange, enum http_reason reason)
{
    const struct route *route = exchange->overflow;
    if (!is_for_later(reason) || !exchange->sent || exchange->is_interim)
        return false;
    assert(!exchange->mode && !exchange->member && !exchange->upstream);
    exchange->overflow = NULL;
    upstream_unwait(&exchange->waiter, false);
    struct access *access = exchange->client->access;
    if (access) {
        slice_copy(exchange->pool->conf->name, access->pool, sizeof(access->pool));
        access->member[0] = '\0';
    }
    exchange->sticky = (struct sticky){.state = STICKY_OFF};
    async_enter(exchange, ASYNC_OVERFLOW, route);
    async_announce(exchange);
    metric_add(exchange->service->row, LISTEN_OVERFLOWED, 1);
    exchange_try(exchange);
    return true;
}

/* ---- tries ---- */

bool async_keeps(const struct http_exchange *exchange, size_t len)
{
    uint64_t most = (uint64_t)exchange->service->conf->limits.async_bytes;
    return exchange->sent && exchange->sent_len - exchange->head_len + len <= most;
}

int64_t async_answer_ms(const struct http_exchange *exchange)
{
    return timeouts_of(exchange)->async_ms + (int64_t)exchange->wait_s * 1000;
}

void async_try(struct http_exchange *exchange)
{
    struct upstream_member *member;
    const struct upstream_ask ask = {.now_ns = loop_now_ns(worker_of(exchange)->loop)};
    enum upstream_answer answer = upstream_pick(exchange->pool, &ask, &member);
    assert(answer == UPSTREAM_MEMBER); /* it has no check, no limit and no drain */
    exchange->member = member;
    exchange->is_blamed = false;
    exchange->is_member_deaf = false;
    exchange->latency_ns = 0;
    /* A kept connection is looked at before a body streams over it. */
    exchange->is_idempotent = exchange->is_request_done;
    if (exchange->n_tries > 0)
        metric_add(exchange->service->row, LISTEN_RETRIES, 1);
    if (exchange->n_tries < UINT8_MAX)
        exchange->n_tries++;
    exchange->upstream = exchange_take(exchange, member);
    if (exchange->upstream)
        exchange_send(exchange);
    else
        async_failed(exchange, RETRY_NOT_REACHED);
}

/* Since when is it away? One that held the request for longer than it may be away was there. */
static bool is_patient(struct http_exchange *exchange)
{
    uint64_t now_ns = loop_now_ns(worker_of(exchange)->loop);
    uint64_t patience_ns = (uint64_t)timeouts_of(exchange)->async_ms * 1000000u;
    bool was_there = exchange->stood_ns && now_ns - exchange->stood_ns > patience_ns;
    if (exchange->away_ns == 0 || was_there) {
        exchange->away_ns = now_ns;
        exchange->n_pauses = 0;
    }
    return now_ns - exchange->away_ns < patience_ns;
}

/* Why it is not sent once more; RETRY_N_REFUSALS: it is. */
static enum retry_refusal refusal_of(struct http_exchange *exchange, enum retry_event event)
{
    if (exchange->status || event == RETRY_NONSENSE)
        return RETRY_ANSWERED;
    if (!exchange->sent)
        return RETRY_UNBUFFERED;
    if (event == RETRY_LATE || !is_patient(exchange))
        return RETRY_TRIES;
    if (conn_error(&exchange->client->conn) != 0)
        return RETRY_NO_CLIENT;
    return RETRY_N_REFUSALS;
}

void async_failed(struct http_exchange *exchange, enum retry_event event)
{
    uint32_t draw = (uint32_t)rng_next(&exchange->service->epoch->rng);
    enum retry_refusal refusal = refusal_of(exchange, event);
    exchange->failure = event == RETRY_LATE ? HTTP_ASYNC_LATE : HTTP_ASYNC_AWAY;
    if (event == RETRY_NONSENSE)
        exchange->failure = HTTP_NONSENSE;
    exchange_release(exchange, false);
    mem_free(exchange->held);
    exchange->held = NULL;
    if (refusal != RETRY_N_REFUSALS) {
        exchange_refuse(exchange, refusal);
        return;
    }
    if (exchange->n_pauses < PAUSES_MAX)
        exchange->n_pauses++;
    exchange_pause(exchange, retry_pause_ms(exchange->n_pauses, PAUSE_MS, draw));
}

/* ---- the answer ---- */

void async_answered(struct http_exchange *exchange)
{
    const struct h1_head *head = &worker_of(exchange)->response;
    metric_word *row = exchange->service->row;
    if (exchange->mode == ASYNC_JOB) {
        metric_add(row, LISTEN_JOBS, 1);
        return;
    }
    enum async_result result = ASYNC_ANSWERED;
    if (h1_has(head, H1_FIELD_WEIR_ANSWER))
        result = ASYNC_REFUSED;
    else if (head->status == 202)
        result = ASYNC_ACCEPTED;
    metric_add(row, (uint32_t)LISTEN_ASYNC + result, 1);
    if (result == ASYNC_REFUSED)
        client_reason(exchange->client, "async_refused");
}
