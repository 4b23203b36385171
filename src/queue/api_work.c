/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The job API: what workers do. A reserve has a connection of the model for itself, as long as it
 * waits; what it gets goes to the holder.
 */

#include "queue/api.h"

#include "base/json.h"
#include "base/mem.h"

enum { MS_PER_S = 1000 };

static struct model_conn *holder_of(struct hall *hall)
{
    if (!hall->api->holder)
        hall->api->holder = model_conn_open(hall->engine.model, NULL);
    return hall->api->holder;
}

/* ---- the jobs of an answer ------------------------------------------------------------------- */

/* What one reserve has got. */
struct catch
{
    struct hall *hall;
    struct model_conn *conn; /* that reserves */
    uint32_t n_wanted;
    uint64_t ids[API_JOBS_MAX]; /* of the holder */
    uint32_t n;
    struct text body;
    struct json json;
    size_t body_max;
};

static void show_job(struct catch *catch, const struct job *job, struct slice body)
{
    struct hall *hall = catch->hall;
    struct json *json = &catch->json;
    char token[API_TOKEN_CHARS];
    uint64_t number = model_lease_number(hall->engine.model, holder_of(hall), job->id);
    api_token_write(hall->api->mac, job->id, number, token);
    json_object_begin(json);
    api_json_job(json, hall, job, engine_clock(&hall->engine));
    json_key(json, "lease");
    json_slice(json, slice_make(token, sizeof(token)));
    api_json_body(json, body);
    json_object_end(json);
}

/* Job id is conn's: into the answer, or buried where its bytes are lost. */
static void take_job(struct catch *catch, uint64_t id)
{
    struct hall *hall = catch->hall;
    struct engine *engine = &hall->engine;
    struct slice body;
    (void)model_hand_over(engine->model, catch->conn, id, holder_of(hall));
    const struct job *job = model_find(engine->model, id);
    if (engine_body(engine, job, &body) == 0) {
        catch->ids[catch->n++] = id;
        show_job(catch, job, body);
        return;
    }
    (void)model_bury(engine->model, holder_of(hall), id, job->priority, engine_clock(engine));
    (void)engine_settle(engine);
}

/* The first is there: as many more as are ready, while there is room for them. */
static void take_jobs(struct catch *catch, uint64_t first)
{
    struct engine *engine = &catch->hall->engine;
    uint64_t id = first;
    enum model_result result = MODEL_OK;
    json_init(&catch->json, &catch->body);
    json_object_begin(&catch->json);
    json_key(&catch->json, "jobs");
    json_array_begin(&catch->json);
    for (uint32_t n = 1; result == MODEL_OK; n++) {
        take_job(catch, id);
        if (n >= catch->n_wanted || catch->body.len >= catch->body_max)
            break;
        result = model_reserve(engine->model, catch->conn, 0, engine_clock(engine), &id);
        (void)engine_settle(engine);
    }
    json_array_end(&catch->json);
    json_object_end(&catch->json);
    json_finish(&catch->json);
    text_append_char(&catch->body, '\n');
}

/* The client was gone already: as if it had never asked. */
static void give_back(struct catch *catch)
{
    struct engine *engine = &catch->hall->engine;
    for (uint32_t i = 0; i < catch->n; i++) {
        (void)model_give_back(engine->model, holder_of(catch->hall), catch->ids[i],
                              engine_clock(engine));
        (void)engine_settle(engine);
    }
}

static void answer_jobs(struct api_ask *ask, struct model_conn *conn, uint32_t n_wanted,
                        uint64_t first)
{
    struct catch catch = {.hall = ask->hall,
                          .conn = conn,
                          .n_wanted = n_wanted,
                          .body_max = (size_t)ask->listener->conf->limits.output_bytes};
    take_jobs(&catch, first);
    if (catch.n == 0) {
        text_deinit(&catch.body);
        api_refuse(ask, 500, "the body of job %llu is damaged", (unsigned long long)first);
        return;
    }
    struct api_answer answer = {.status = 200, .type = "application/json", .body = catch.body};
    if (api_send(ask, &answer, 0) < 0)
        give_back(&catch);
}

/* ---- reserve --------------------------------------------------------------------------------- */

struct reserve_words {
    struct api_queues queues;
    uint32_t wait_s, n_jobs;
};

static const struct api_word reserve_words[] = {
    {"queue", API_QUEUES, offsetof(struct reserve_words, queues), 0, 0},
    {"wait", API_SECONDS, offsetof(struct reserve_words, wait_s), 0, UINT32_MAX},
    {"n", API_NUMBER, offsetof(struct reserve_words, n_jobs), 1, API_JOBS_MAX},
    {0},
};

static void close_conn(struct hall *hall, struct model_conn **conn)
{
    model_conn_close(hall->engine.model, conn, engine_clock(&hall->engine));
    (void)engine_settle(&hall->engine);
}

/* One that watches what is asked for; NULL: too many queues. */
static struct model_conn *open_conn(struct api_ask *ask, const struct api_queues *queues)
{
    struct model *model = ask->engine->model;
    struct model_conn *conn = model_conn_open(model, NULL);
    enum model_result result = MODEL_OK;
    bool has_default = queues->n == 0;
    for (uint32_t i = 0; i < queues->n && result == MODEL_OK; i++) {
        result = model_watch(model, conn, queues->names[i]);
        has_default |= slice_is(queues->names[i], "default");
    }
    if (!has_default && result == MODEL_OK)
        (void)model_ignore(model, conn, SLICE("default"));
    if (result != MODEL_OK)
        close_conn(ask->hall, &conn);
    return conn;
}

static void leave(struct api_call *call)
{
    call->listener->hall->n_waiting--;
    call->has_job = false;
}

/* The wait is over without an answer: what it was given is given back. */
static void end(struct api_call *call)
{
    struct hall *hall = call->listener->hall;
    struct engine *engine = &hall->engine;
    if (call->stage == API_WAITING)
        leave(call);
    if (call->has_job) {
        (void)model_give_back(engine->model, call->conn, call->told_id, engine_clock(engine));
        (void)engine_settle(engine);
    }
    close_conn(hall, &call->conn);
}

static void answer_told(struct api_call *call)
{
    struct hall *hall = call->listener->hall;
    struct model_conn *conn = call->conn;
    uint32_t n_jobs = call->n_jobs;
    uint64_t id = call->told_id;
    bool has_job = call->has_job;
    struct api_ask ask;
    call->conn = NULL;
    api_ask_init(&ask, call->listener, call->exchange);
    api_call_free(&call);
    if (has_job && model_lease_number(hall->engine.model, conn, id) > 0)
        answer_jobs(&ask, conn, n_jobs, id);
    else
        api_send_nothing(&ask, 0);
    close_conn(hall, &conn);
    api_ask_deinit(&ask);
}

static const struct api_wait reserve_wait = {.leave = leave, .answer = answer_told, .end = end};

static void on_told(struct waiter *waiter, const struct model_action *action)
{
    struct api_call *call = CONTAINER_OF(waiter, struct api_call, waiter);
    leave(call);
    call->has_job = action->kind == MODEL_RESERVED;
    call->told_id = action->id;
    api_call_move(call, API_TOLD);
    engine_later(&call->listener->hall->engine);
}

/* Whoever has closed its side is not there to do the job. */
static void on_hangup(struct web_exchange *exchange)
{
    struct api_call *call = exchange->user;
    struct api_ask ask;
    api_ask_init(&ask, call->listener, exchange);
    end(call);
    api_call_free(&call);
    api_send_nothing(&ask, 0);
    api_ask_deinit(&ask);
}

static void wait(struct api_ask *ask, struct model_conn *conn, uint32_t n_jobs)
{
    struct api_call *call = api_call_make(ask, API_WAITING);
    conn->owner = &call->waiter;
    call->waiter.told = on_told;
    call->wait = &reserve_wait;
    call->conn = conn;
    call->n_jobs = n_jobs;
    call->exchange->on_hangup = on_hangup;
    ask->hall->n_waiting++;
}

static uint64_t wait_ms(const struct api_ask *ask, const struct reserve_words *asked)
{
    uint64_t wait_max_ms = (uint64_t)ask->listener->conf->timeouts.wait_ms;
    uint64_t ms = (uint64_t)asked->wait_s * MS_PER_S;
    return ms < wait_max_ms ? ms : wait_max_ms;
}

static void reserve(struct api_ask *ask, const struct reserve_words *asked)
{
    struct model *model = ask->engine->model;
    struct model_conn *conn = open_conn(ask, &asked->queues);
    uint64_t id = 0;
    if (!conn) {
        api_refuse_full(ask);
        return;
    }
    enum model_result result = model_reserve(model, conn, wait_ms(ask, asked), ask->now, &id);
    (void)engine_settle(ask->engine);
    if (result == MODEL_WAITING) {
        wait(ask, conn, asked->n_jobs);
        return;
    }
    if (result == MODEL_OK)
        answer_jobs(ask, conn, asked->n_jobs, id);
    else
        api_send_nothing(ask, 0);
    close_conn(ask->hall, &conn);
}

void api_reserve(struct api_ask *ask)
{
    struct reserve_words asked = {.n_jobs = 1};
    if (!api_words(ask, reserve_words, &asked))
        return;
    if (ask->hall->is_closing)
        api_refuse_draining(ask);
    else if (api_may(ask, WAL_CHANGE, 0))
        reserve(ask, &asked);
}

/* ---- leases ---------------------------------------------------------------------------------- */

/* The lease of the path is there: ask->id. Else it was refused. */
static bool has_lease(struct api_ask *ask)
{
    uint64_t number = 0;
    int result = api_token_read(ask->hall->api->mac, ask->name, &ask->id, &number);
    if (result < 0) {
        api_refuse(ask, 404, "that is no lease");
        return false;
    }
    struct model_conn *holder = holder_of(ask->hall);
    if (result == 0 && model_lease_number(ask->engine->model, holder, ask->id) == number)
        return true;
    api_refuse(ask, 410, "the lease is over: the job may be another's, done or gone");
    return false;
}

/* The words and the lease: false where one of them is not there. */
static bool begin(struct api_ask *ask, const struct api_word *words, void *self)
{
    return api_words(ask, words, self) && has_lease(ask);
}

/* May the log take the end of the job, with such a result? Else it was refused. */
static bool may_end(struct api_ask *ask, size_t n_bytes)
{
    const struct engine_room room = engine_end_room(ask->engine, ask->id, n_bytes);
    return api_may(ask, room.class, room.n_bytes);
}

static void answer_lease(struct api_ask *ask)
{
    struct api_answer answer = {.status = 200, .type = "application/json"};
    const struct job *job = model_find(ask->engine->model, ask->id);
    struct json json;
    (void)engine_settle(ask->engine);
    json_init(&json, &answer.body);
    json_object_begin(&json);
    json_key(&json, "lease_left");
    json_uint(&json, model_left_ms(ask->engine->model, job, ask->now) / MS_PER_S);
    json_object_end(&json);
    json_finish(&json);
    text_append_char(&answer.body, '\n');
    (void)api_send(ask, &answer, 0);
}

static const struct api_word no_words[] = {{0}};

void api_touch(struct api_ask *ask)
{
    if (!api_words(ask, no_words, NULL) || !has_lease(ask))
        return;
    (void)model_touch(ask->engine->model, holder_of(ask->hall), ask->id, ask->now);
    answer_lease(ask);
}

struct progress_words {
    uint32_t percent;
    struct slice text;
};

static const struct api_word progress_words[] = {
    {"percent", API_NUMBER, offsetof(struct progress_words, percent), 0, 100},
    {"text", API_TEXT, offsetof(struct progress_words, text), 0, 0},
    {0},
};

void api_progress(struct api_ask *ask)
{
    struct progress_words asked = {.percent = 0, .text = SLICE("")};
    if (!api_words(ask, progress_words, &asked) || !has_lease(ask))
        return;
    (void)model_progress(ask->engine->model, holder_of(ask->hall), ask->id, asked.percent,
                         asked.text, ask->now);
    answer_lease(ask);
}

void api_finish(struct api_ask *ask)
{
    if (!begin(ask, no_words, NULL) || !may_end(ask, ask->body.len))
        return;
    (void)model_finish(ask->engine->model, holder_of(ask->hall), ask->id, ask->body, ask->now);
    api_send_nothing(ask, engine_settle(ask->engine));
}

/* What became of the job, when the log has it. */
static void answer_state(struct api_ask *ask, enum model_result result)
{
    struct api_answer answer = {.status = 200, .type = "application/json"};
    const struct job *job = model_find(ask->engine->model, ask->id);
    uint64_t lsn = engine_settle(ask->engine);
    struct json json;
    json_init(&json, &answer.body);
    json_object_begin(&json);
    json_key(&json, "state");
    if (result == MODEL_BURIED)
        json_cstr(&json, job_state_name(JOB_BURIED));
    else
        json_cstr(&json, job ? job_state_name((enum job_state)job->state) : "expired");
    json_object_end(&json);
    json_finish(&json);
    text_append_char(&answer.body, '\n');
    (void)api_send(ask, &answer, lsn);
}

struct release_words {
    uint32_t priority, delay_s;
};

static const struct api_word release_words[] = {
    {"priority", API_NUMBER, offsetof(struct release_words, priority), 0, UINT32_MAX},
    {"delay", API_SECONDS, offsetof(struct release_words, delay_s), 0, UINT32_MAX},
    {0},
};

static const struct api_word bury_words[] = {
    {"priority", API_NUMBER, offsetof(struct release_words, priority), 0, UINT32_MAX},
    {0},
};

/* As the words say, and as the job has it where they do not; false: refused. */
static bool begin_priority(struct api_ask *ask, const struct api_word *words,
                           struct release_words *asked)
{
    if (!has_lease(ask))
        return false;
    asked->priority = model_find(ask->engine->model, ask->id)->priority;
    return begin(ask, words, asked);
}

void api_release_lease(struct api_ask *ask)
{
    struct release_words asked = {.delay_s = 0};
    if (!begin_priority(ask, release_words, &asked) || !may_end(ask, 0))
        return;
    answer_state(ask, model_release(ask->engine->model, holder_of(ask->hall), ask->id,
                                    asked.priority, asked.delay_s, ask->now));
}

void api_bury_lease(struct api_ask *ask)
{
    struct release_words asked = {.delay_s = 0};
    if (!begin_priority(ask, bury_words, &asked) || !may_end(ask, 0))
        return;
    answer_state(ask, model_bury(ask->engine->model, holder_of(ask->hall), ask->id, asked.priority,
                                 ask->now));
}

struct fail_words {
    struct slice error, text;
};

static const struct api_word fail_words[] = {
    {"error", API_TEXT, offsetof(struct fail_words, error), 0, 0},
    {"text", API_TEXT, offsetof(struct fail_words, text), 0, 0},
    {0},
};

void api_fail_lease(struct api_ask *ask)
{
    struct fail_words asked = {.error = SLICE("temporary"), .text = SLICE("")};
    if (!begin(ask, fail_words, &asked) || !may_end(ask, 0))
        return;
    enum job_error error = JOB_ERROR_TEMPORARY;
    while (error <= JOB_ERROR_BUSY && !slice_is(asked.error, job_error_name(error)))
        error++;
    if (error > JOB_ERROR_BUSY) {
        api_refuse(ask, 400, "error: temporary, permanent or busy");
        return;
    }
    answer_state(ask, model_fail(ask->engine->model, holder_of(ask->hall), ask->id, error,
                                 asked.text, ask->now));
}
