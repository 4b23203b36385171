/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Requests that wait, and their answers.
 */

#include "queue/api.h"

#include "queue/async.h"

#include "base/json.h"
#include "base/mem.h"
#include <assert.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

static void count(const struct jobs_listener *listener, uint32_t word, uint64_t n)
{
    metric_add(listener->row, word, n);
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* Nobody hears the answer: what is asked is done all the same, but nobody waits for it. */
static void on_gone(struct web_exchange *exchange)
{
    struct api_call *call = exchange->user;
    if (call->stage == API_WAITING || call->stage == API_TOLD)
        call->wait->end(call);
    api_call_free(&call);
}

void api_call_move(struct api_call *call, enum api_stage stage)
{
    struct list *list = &call->listener->hall->api->calls[stage];
    list_remove(&call->node);
    struct list *at = list->prev;
    call->stage = stage;
    /* Whose answer waits for the least comes first. */
    while (stage == API_HELD && at != list &&
           LIST_ENTRY(at, struct api_call, node)->lsn > call->lsn)
        at = at->prev;
    list_add_after(at, &call->node);
}

struct api_call *api_call_make(struct api_ask *ask, enum api_stage stage)
{
    struct api_call *call = MEM_NEW(struct api_call);
    list_init(&call->node);
    list_init(&call->watch);
    call->listener = ask->listener;
    call->exchange = ask->exchange;
    call->put_id = ask->put_id;
    call->exchange->user = call;
    call->exchange->on_gone = on_gone;
    api_call_move(call, stage);
    return call;
}

void api_call_free(struct api_call **call_ptr)
{
    struct api_call *call = *call_ptr;
    assert(!call->conn && !list_is_linked(&call->watch));
    list_remove(&call->node);
    call->exchange->user = NULL;
    call->exchange->on_gone = NULL;
    call->exchange->on_hangup = NULL;
    text_deinit(&call->answer.body);
    text_deinit(&call->answer.lines);
    mem_free(call);
    *call_ptr = NULL;
}

/* ---- asks ------------------------------------------------------------------------------------ */

void api_ask_init(struct api_ask *ask, struct jobs_listener *listener,
                  struct web_exchange *exchange)
{
    struct engine *engine = &listener->hall->engine;
    *ask = (struct api_ask){.listener = listener,
                            .hall = listener->hall,
                            .engine = engine,
                            .exchange = exchange,
                            .now = engine_now(engine),
                            .query = exchange->query,
                            .body = exchange->body};
}

void api_ask_deinit(struct api_ask *ask)
{
    text_deinit(&ask->room);
    text_deinit(&ask->words);
    text_deinit(&ask->lines);
}

bool api_words(struct api_ask *ask, const struct api_word *words, void *self)
{
    struct err err = ERR_NONE;
    text_clear(&ask->words);
    int result = api_query_read(ask->query, words, self, &ask->words, &err);
    if (result < 0)
        api_refuse_err(ask, &err);
    return result == 0;
}

bool api_may(struct api_ask *ask, enum wal_class class, size_t n_bytes)
{
    int result = engine_may(ask->engine, class, n_bytes);
    if (result == 0)
        return true;
    if (result == WAL_BUSY) {
        count(ask->listener, JOBS_PARKED, 1);
        (void)api_call_make(ask, API_PARKED);
    } else if (result < 0) {
        api_refuse_broken(ask);
    } else {
        api_refuse_full(ask);
    }
    return false;
}

/* ---- answers --------------------------------------------------------------------------------- */

static int send_now(struct web_exchange *exchange, struct api_answer *answer)
{
    const struct web_answer out = {.status = answer->status,
                                   .type = answer->type,
                                   .body = text_slice(&answer->body),
                                   .lines = text_slice(&answer->lines),
                                   .is_bare = answer->is_bare};
    int result = web_answer(exchange, &out);
    text_deinit(&answer->body);
    text_deinit(&answer->lines);
    return result;
}

int api_send(struct api_ask *ask, struct api_answer *take_answer, uint64_t lsn)
{
    if (lsn <= ask->engine->durable_lsn)
        return send_now(ask->exchange, take_answer);
    struct api_call *call = api_call_make(ask, API_HELD);
    call->lsn = lsn;
    call->answer = *take_answer;
    api_call_move(call, API_HELD);
    return 0;
}

void api_send_nothing(struct api_ask *ask, uint64_t lsn)
{
    struct api_answer answer = {.status = 204};
    (void)api_send(ask, &answer, lsn);
}

/* What a refusal that is nothing particular counts as; JOBS_WORDS: as nothing. */
static enum jobs_word word_of(uint16_t status)
{
    static const struct {
        uint16_t status;
        enum jobs_word word;
    } rows[] = {
        {400, JOBS_BAD_FORMAT}, {401, JOBS_DENIED},   {403, JOBS_DENIED},
        {404, JOBS_UNKNOWN},    {405, JOBS_UNKNOWN},  {413, JOBS_TOO_BIG},
        {500, JOBS_BROKEN},     {503, JOBS_DRAINING}, {507, JOBS_FULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].status == status)
            return rows[i].word;
    return JOBS_WORDS;
}

__attribute__((format(printf, 4, 0))) static void refuse(struct api_ask *ask, uint16_t status,
                                                         enum jobs_word word, const char *format,
                                                         va_list args)
{
    struct text *lines = &ask->lines, sentence = TEXT_NONE;
    text_vprintf(&sentence, format, args);
    if (word != JOBS_WORDS)
        count(ask->listener, word, 1);
    if (status == 401)
        text_append(lines, SLICE("WWW-Authenticate: Bearer realm=\"jobs\"\r\n"));
    /* The edge counts by it, and takes it off. */
    if (ask->listener->conf->is_async)
        text_append(lines, SLICE("Weir-Answer: refused\r\n"));
    if (status == 503 || status == 507)
        text_printf(lines, "Retry-After: %d\r\n", API_RETRY_AFTER_S);
    web_error_lines(ask->exchange, status, text_slice(lines), "%s", text_cstr(&sentence));
    text_deinit(&sentence);
}

void api_refuse(struct api_ask *ask, uint16_t status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    refuse(ask, status, word_of(status), format, args);
    va_end(args);
}

void api_refuse_as(struct api_ask *ask, uint16_t status, enum jobs_word word, const char *format,
                   ...)
{
    va_list args;
    va_start(args, format);
    refuse(ask, status, word, format, args);
    va_end(args);
}

void api_refuse_err(struct api_ask *ask, const struct err *err)
{
    api_refuse(ask, 400, "%s", err->text);
}

void api_refuse_full(struct api_ask *ask)
{
    /* For clients of an asynchronous route it is load as any other. */
    uint16_t status = ask->listener->conf->is_async ? 503 : 507;
    api_refuse_as(ask, status, JOBS_FULL,
                  "there is no room for it: a limit of jobs, bytes or queues, or the disk");
}

void api_refuse_draining(struct api_ask *ask)
{
    api_refuse(ask, 503, "it drains: no new jobs are taken, and none are given");
}

void api_refuse_broken(struct api_ask *ask)
{
    uint16_t status = ask->listener->conf->is_async ? 503 : 500;
    api_refuse_as(ask, status, JOBS_BROKEN, "the log has failed: nothing is changed any more");
}

/* ---- what goes on ---------------------------------------------------------------------------- */

static void send_held(struct api_call *call)
{
    struct web_exchange *exchange = call->exchange;
    struct api_answer answer = call->answer;
    call->answer = (struct api_answer){.status = 0};
    api_call_free(&call);
    (void)send_now(exchange, &answer);
}

static void ask_again(struct list *calls)
{
    struct api_call *call;
    while ((call = LIST_FIRST(calls, struct api_call, node))) {
        struct web_exchange *exchange = call->exchange;
        struct jobs_listener *listener = call->listener;
        api_call_free(&call);
        listener->dispatch(listener, exchange);
    }
}

/* Who parks again is behind those that were there. */
static void release_parked(struct hall *hall)
{
    struct list parked;
    list_init(&parked);
    list_move_all(&parked, &hall->api->calls[API_PARKED]);
    ask_again(&parked);
}

void api_release(struct hall *hall, uint64_t lsn)
{
    struct list *held = &hall->api->calls[API_HELD];
    struct api_call *call;
    while ((call = LIST_FIRST(held, struct api_call, node)) && call->lsn <= lsn)
        send_held(call);
    release_parked(hall);
}

void api_fail(struct hall *hall)
{
    struct api_call *call;
    while ((call = LIST_FIRST(&hall->api->calls[API_HELD], struct api_call, node))) {
        struct web_exchange *exchange = call->exchange;
        count(call->listener, JOBS_BROKEN, 1);
        api_call_free(&call);
        web_error(exchange, 500, "the log has failed: what was asked may be done or not");
    }
    release_parked(hall);
}

bool api_go_on(struct hall *hall)
{
    struct list *told = &hall->api->calls[API_TOLD];
    struct api_call *call = LIST_FIRST(told, struct api_call, node);
    if (!call)
        return false;
    while ((call = LIST_FIRST(told, struct api_call, node)))
        call->wait->answer(call);
    return true;
}

/* ---- connections ----------------------------------------------------------------------------- */

static void on_closed(void *ctx)
{
    struct jobs_listener *listener = ctx;
    metric_sub(listener->row, JOBS_CONNECTIONS_ACTIVE, 1);
    listener->hall->n_conns--;
    engine_later(&listener->hall->engine);
}

static struct web_limits limits_of(const struct jobs_conf *conf)
{
    int64_t body_bytes = conf->limits.batch_bytes;
    if (conf->limits.job_bytes > body_bytes)
        body_bytes = conf->limits.job_bytes;
    return (struct web_limits){.n_conns = (uint32_t)conf->limits.connections,
                               .body_bytes = (size_t)body_bytes,
                               .head_ms = (uint32_t)conf->timeouts.request_ms,
                               .body_ms = (uint32_t)conf->timeouts.request_ms,
                               .idle_ms = (uint32_t)conf->timeouts.idle_ms,
                               .answer_ms = (uint32_t)conf->timeouts.wait_ms + API_ANSWER_MS,
                               .send_ms = (uint32_t)conf->timeouts.send_ms};
}

/* Long bodies come in beside the log, where there must be room for them anyway. */
static int open_spool(void *ctx)
{
    const struct jobs_listener *listener = ctx;
    return openat(listener->hall->process->state_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

void api_configure(struct jobs_listener *listener)
{
    const struct web_limits limits = limits_of(listener->conf);
    bool is_async = listener->conf->is_async;
    const struct web_config config = {.routes = is_async ? async_web_routes : api_web_routes,
                                      .ctx = listener,
                                      .admit = is_async ? async_may_ask : api_may_ask,
                                      .on_closed = on_closed,
                                      .open_spool = open_spool,
                                      .limits = limits,
                                      .name = "weir"};
    listener->dispatch = is_async ? async_dispatch : api_dispatch;
    if (listener->web)
        web_server_limit(listener->web, &limits);
    else
        listener->web = web_server_create(listener->hall->loop, &config);
}

void api_close(struct jobs_listener *listener)
{
    if (listener->web)
        api_publish(listener);
    web_server_destroy(&listener->web);
}

void api_take(struct jobs_listener *listener, struct conn *conn, struct slice bytes)
{
    struct err err = ERR_NONE;
    count(listener, JOBS_HTTP_CONNECTIONS, 1);
    metric_add(listener->row, JOBS_CONNECTIONS_ACTIVE, 1);
    listener->hall->n_conns++;
    if (web_server_take(listener->web, conn, bytes, listener, NULL, &err) == 0)
        return;
    on_closed(listener);
    log_write(process_log(listener->hall->loop), LOG_LEVEL_ERROR, "%s: %s", listener->conf->fact,
              err.text);
}

uint32_t api_n_conns(const struct jobs_listener *listener)
{
    return listener->web ? web_server_counters(listener->web)->n_conns : 0;
}

void api_publish(struct jobs_listener *listener)
{
    const struct web_counters *is = web_server_counters(listener->web);
    struct web_counters *told = &listener->web_told;
    count(listener, JOBS_BAD_FORMAT, is->n_malformed - told->n_malformed);
    count(listener, JOBS_LATE_REQUEST, is->n_timed_out - told->n_timed_out);
    count(listener, JOBS_BYTES_IN, is->n_bytes_in - told->n_bytes_in);
    count(listener, JOBS_BYTES_OUT, is->n_bytes_out - told->n_bytes_out);
    *told = *is;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* A worker that still has a job finds its connection open, so that it can say what came of it. */
static bool has_leases(const struct hall *hall)
{
    return hall->api->holder && hall->api->holder->leases.n_slots > 0;
}

void api_drain(struct hall *hall)
{
    struct list *waiting = &hall->api->calls[API_WAITING];
    struct api_call *call;
    while ((call = LIST_FIRST(waiting, struct api_call, node))) {
        call->wait->leave(call);
        api_call_move(call, API_TOLD);
    }
    (void)api_go_on(hall);
    for (size_t i = 0; i < hall->n_listeners && !has_leases(hall); i++)
        web_server_drain(hall->listeners[i]->web);
}

/* Their workers did nothing wrong, and hear of it by 410: no attempt of theirs counts. */
void api_stop(struct hall *hall)
{
    struct api *api = hall->api;
    if (!api->holder)
        return;
    engine_give_back(&hall->engine, api->holder);
    model_conn_close(hall->engine.model, &api->holder, engine_now(&hall->engine));
    (void)engine_settle(&hall->engine);
}

struct api *api_create(void)
{
    struct api *api = MEM_NEW(struct api);
    uint8_t key[TLS_KEY_BYTES];
    for (int i = 0; i < API_N_STAGES; i++)
        list_init(&api->calls[i]);
    tls_random(key, sizeof(key));
    api->mac = tls_mac_create(slice_make((const char *)key, sizeof(key)));
    tls_wipe(key, sizeof(key));
    return api;
}

void api_destroy(struct api **api)
{
    assert(!(*api)->holder);
    for (int i = 0; i < API_N_STAGES; i++)
        assert(list_is_empty(&(*api)->calls[i]));
    tls_mac_destroy(&(*api)->mac);
    mem_free(*api);
    *api = NULL;
}
