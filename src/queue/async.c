/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Asynchronous routes: what a request of the edge is, and those that wait for a job.
 */

#include "queue/async.h"

#include "base/mem.h"
#include <assert.h>
#include <inttypes.h>
#include <unistd.h>

#define NS_PER_MS UINT64_C(1000000)

enum { MS_PER_S = 1000 };

/* ---- what is asked --------------------------------------------------------------------------- */

int async_field_read(const struct web_exchange *exchange, struct jobasync *ret_field)
{
    const struct h1_field *field =
        h1_find_name(exchange->head, exchange->head_bytes, SLICE(JOBASYNC_FIELD));
    return field ? jobasync_read(h1_field_value(exchange->head_bytes, field), ret_field) : -1;
}

/* 0, or -1: it was refused. */
static int read_field(struct async_ask *ask)
{
    if (async_field_read(ask->api->exchange, &ask->field) == 0)
        return 0;
    api_refuse(ask->api, 400,
               "no request of an edge: the field " JOBASYNC_FIELD " is missing or odd");
    return -1;
}

/* One that a reload has taken away is not there yet, or no more, for a request that is on its way.
 */
static int find_queue(struct async_ask *ask)
{
    ask->queue = queue_conf_find(queue_conf_of(ask->api->hall->snap), ask->field.queue);
    if (ask->queue && ask->queue->is_async)
        return 0;
    api_refuse_as(ask->api, 503, JOBS_UNKNOWN, "no route of the file names the queue %.*s",
                  SLICE_ARG(ask->field.queue));
    return -1;
}

static int find_token(struct async_ask *ask)
{
    const struct web_exchange *exchange = ask->api->exchange;
    if (jobasync_read_path(exchange->path, ask->field.path, &ask->token, &ask->is_response) == 0)
        return 0;
    api_refuse(ask->api, 404, "there is no such job");
    return -1;
}

/* What a request asks. 0, or -1: it was refused. */
static int ask_init(struct async_ask *ask, struct api_ask *api, struct jobs_listener *listener,
                    struct web_exchange *exchange)
{
    api_ask_init(api, listener, exchange);
    *ask = (struct async_ask){.api = api};
    prefer_read(exchange->head, exchange->head_bytes, &ask->prefer);
    if (read_field(ask) < 0)
        return -1;
    return ask->field.kind == JOBASYNC_PUT ? find_queue(ask) : find_token(ask);
}

static bool may_be_so_large(struct async_ask *ask, uint64_t n_bytes)
{
    uint64_t max = ask->queue ? (uint64_t)ask->queue->async.body_bytes : 0;
    if (n_bytes <= max)
        return true;
    api_refuse(ask->api, 413, "a body of %" PRIu64 " bytes; %" PRIu64 " are taken here", n_bytes,
               max);
    return false;
}

static void count(const struct async_ask *ask)
{
    bool is_change = ask->api->exchange->method == H1_METHOD_DELETE;
    uint32_t word = is_change ? JOBS_HTTP_CHANGE : JOBS_HTTP_LOOK;
    metric_add(ask->api->listener->row, ask->field.kind == JOBASYNC_PUT ? JOBS_HTTP_PUT : word, 1);
}

bool async_may_ask(struct web_exchange *exchange, void *ctx)
{
    struct api_ask api;
    struct async_ask ask;
    bool may = ask_init(&ask, &api, ctx, exchange) == 0;
    if (may)
        count(&ask);
    if (may && exchange->head->body == H1_BODY_LENGTH)
        may = may_be_so_large(&ask, exchange->head->length);
    api_ask_deinit(&api);
    return may;
}

void async_dispatch(struct jobs_listener *listener, struct web_exchange *exchange)
{
    struct api_ask api;
    struct async_ask ask;
    if (ask_init(&ask, &api, listener, exchange) == 0 &&
        may_be_so_large(&ask, exchange->body.len)) {
        if (ask.field.kind == JOBASYNC_PUT)
            async_put(&ask);
        else
            async_look(&ask);
    }
    api_ask_deinit(&api);
}

/* async_may_ask() has judged the request already. */
static void handle(struct web_exchange *exchange, void *ctx)
{
    async_dispatch(ctx, exchange);
}

/* Any method, any path: it is the client's own request. */
const struct web_route async_web_routes[] = {
    {H1_METHOD_OTHER, "*", handle},  {H1_METHOD_GET, "*", handle},
    {H1_METHOD_POST, "*", handle},   {H1_METHOD_PUT, "*", handle},
    {H1_METHOD_DELETE, "*", handle}, {H1_METHOD_OPTIONS, "*", handle},
    {H1_METHOD_PATCH, "*", handle},  {0},
};

/* ---- those that wait ------------------------------------------------------------------------- */

bool async_is_over(const struct job *job)
{
    return !job || job->state == JOB_DONE || job->state == JOB_BURIED;
}

uint64_t async_wait_ms(const struct async_ask *ask)
{
    uint64_t max_ms = (uint64_t)ask->api->listener->conf->timeouts.wait_ms;
    uint64_t ms = (uint64_t)ask->prefer.wait_s * MS_PER_S;
    return ms < max_ms ? ms : max_ms;
}

static struct list *watches_of(const struct hall *hall, uint64_t id)
{
    return &hall->async->watches[id % ASYNC_WATCHES];
}

static void leave(struct api_call *call)
{
    struct hall *hall = call->listener->hall;
    list_remove(&call->watch);
    loop_timer_clear(hall->loop, &call->timer);
    hall->engine.n_watching--;
}

static void end(struct api_call *call)
{
    if (call->stage == API_WAITING)
        leave(call);
}

/* The token was good when the wait began; now the job may be gone. */
static void answer_look(struct async_ask *ask, const struct job *job)
{
    if (job)
        async_answer_state(ask, job);
    else
        api_refuse(ask->api, 404, "there is no such job");
}

static void answer(struct api_call *call)
{
    struct jobs_listener *listener = call->listener;
    struct web_exchange *exchange = call->exchange;
    uint64_t id = call->watched_id, put_lsn = call->put_lsn, put_id = call->put_id;
    struct api_ask api;
    struct async_ask ask;
    api_call_free(&call);
    /* A reload may have taken the queue out of the file. */
    if (ask_init(&ask, &api, listener, exchange) == 0) {
        const struct job *job = model_find_any(api.engine->model, id);
        api.put_id = put_id;
        if (ask.field.kind == JOBASYNC_PUT)
            async_answer_put(&ask, job, put_lsn);
        else
            answer_look(&ask, job);
    }
    api_ask_deinit(&api);
}

static const struct api_wait job_wait = {.leave = leave, .answer = answer, .end = end};

static void tell(struct api_call *call)
{
    leave(call);
    api_call_move(call, API_TOLD);
    engine_later(&call->listener->hall->engine);
}

static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    tell(CONTAINER_OF(timer, struct api_call, timer));
}

/* Whoever has closed its side hears no more than there is now. */
static void on_hangup(struct web_exchange *exchange)
{
    tell(exchange->user);
}

void async_changed(struct hall *hall, uint64_t id)
{
    if (!async_is_over(model_find_any(hall->engine.model, id)))
        return;
    LIST_EACH (node, watches_of(hall, id)) {
        struct api_call *call = LIST_ENTRY(node, struct api_call, watch);
        if (call->watched_id == id)
            tell(call);
    }
}

void async_wait(struct async_ask *ask, uint64_t id, uint64_t put_lsn)
{
    struct hall *hall = ask->api->hall;
    struct api_call *call = api_call_make(ask->api, API_WAITING);
    call->wait = &job_wait;
    call->watched_id = id;
    call->exchange->on_hangup = on_hangup;
    call->put_lsn = put_lsn;
    list_add_back(watches_of(hall, id), &call->watch);
    hall->engine.n_watching++;
    loop_timer_init(&call->timer, on_timer);
    loop_timer_set(hall->loop, &call->timer,
                   loop_now_ns(hall->loop) + async_wait_ms(ask) * NS_PER_MS);
}

void async_path(const struct async_ask *ask, const struct job *job, struct text *out)
{
    char token[JOBASYNC_TOKEN_CHARS];
    async_token_write(&ask->api->hall->async->keys, job, token);
    text_printf(out, "%.*s/%.*s", SLICE_ARG(ask->field.path), JOBASYNC_TOKEN_CHARS, token);
}

/* ---- connections ----------------------------------------------------------------------------- */

/* Never called: the server has the connection before anything happens on it. */
static void on_event(struct conn *conn, uint32_t events)
{
    (void)events;
    conn_close(conn);
}

void async_open(struct jobs_listener *listener, int fd)
{
    struct hall *hall = listener->hall;
    struct err err = ERR_NONE;
    struct conn conn;
    if (conn_open(&conn, hall->loop, fd, on_event, &err) < 0) {
        log_write(process_log(hall->loop), LOG_LEVEL_ERROR, "%s: %s", listener->conf->fact,
                  err.text);
        close(fd);
        return;
    }
    hall->n_total_conns++;
    api_take(listener, &conn, SLICE(""));
}

/* ---- the life of it -------------------------------------------------------------------------- */

struct async *async_create(void)
{
    struct async *async = MEM_NEW(struct async);
    for (int i = 0; i < ASYNC_WATCHES; i++)
        list_init(&async->watches[i]);
    return async;
}

void async_destroy(struct async **async)
{
    for (int i = 0; i < ASYNC_WATCHES; i++)
        assert(list_is_empty(&(*async)->watches[i]));
    async_keys_deinit(&(*async)->keys);
    mem_free(*async);
    *async = NULL;
}

void async_commit(struct hall *hall)
{
    struct async *async = hall->async;
    async_keys_deinit(&async->keys);
    async_keys_init(&async->keys, process_blob(hall->process, BLOB_SECRET), hall->snap->node);
}
