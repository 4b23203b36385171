/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Asynchronous routes: what became of a job, its response, and its end.
 */

#include "queue/async.h"

#include "base/json.h"

enum { MS_PER_S = 1000, RETRY_AFTER_MAX_S = 3600 };

const char *async_state_name(const struct job *job)
{
    static const char *const names[JOB_N_STATES] = {
        [JOB_READY] = "waiting", [JOB_DELAYED] = "delayed", [JOB_RESERVED] = "running",
        [JOB_BURIED] = "dead",   [JOB_DONE] = "done",
    };
    return names[job->state];
}

static const struct job_extra *extra_of(const struct async_ask *ask, const struct job *job)
{
    return job_extra(&ask->api->engine->model->store, job);
}

static struct slice result_of(const struct async_ask *ask, const struct job *job)
{
    const struct job_extra *extra = extra_of(ask, job);
    return extra && extra->result_bytes > 0 ? slice_make(extra->result, extra->result_bytes)
                                            : SLICE("");
}

/* The seconds that a client had better wait before it asks again. */
static uint64_t retry_after_s(const struct async_ask *ask, const struct job *job)
{
    const struct model *model = ask->api->engine->model;
    const struct queue_conf *queue =
        queue_conf_find(queue_conf_of(ask->api->hall->snap), tube_name(model->tubes[job->tube]));
    uint64_t poll_ms = queue ? (uint64_t)queue->async.poll_ms : 0, left_ms = 0;
    if (job->state == JOB_DELAYED)
        left_ms = model_left_ms(model, job, ask->api->now);
    uint64_t wait_ms = left_ms > poll_ms ? left_ms : poll_ms;
    uint64_t wait_s = (wait_ms + MS_PER_S - 1) / MS_PER_S;
    return wait_s < RETRY_AFTER_MAX_S ? wait_s : RETRY_AFTER_MAX_S;
}

/* ---- the state ------------------------------------------------------------------------------- */

static void put_time(struct json *json, const char *key, uint64_t wall_s)
{
    struct text text = TEXT_NONE;
    text_rfc3339(&text, wall_s);
    json_key(json, key);
    json_slice(json, text_slice(&text));
    text_deinit(&text);
}

/* Of a job that a member has answered; a worker's result has no status. */
static void put_response(struct json *json, const struct async_ask *ask, const struct job *job,
                         struct slice path)
{
    struct slice result = result_of(ask, job);
    struct jobhttp_response response;
    struct text lines = TEXT_NONE, there = TEXT_NONE;
    if (jobhttp_read_response(result, &response, &lines) > 0) {
        json_key(json, "status");
        json_uint(json, response.status);
    }
    if (result.len > 0) {
        text_printf(&there, "%.*s/response", SLICE_ARG(path));
        json_key(json, "response");
        json_slice(json, text_slice(&there));
    }
    text_deinit(&lines);
    text_deinit(&there);
}

static void put_extra(struct json *json, const struct job *job, const struct job_extra *extra)
{
    if (extra->error_text) {
        json_key(json, "last_error");
        json_slice(json, slice_from(extra->error_text));
    }
    if (job->state == JOB_RESERVED && (extra->percent > 0 || extra->progress_text)) {
        json_key(json, "progress");
        json_uint(json, extra->percent);
    }
    if (extra->expire_ms > 0)
        put_time(json, "expires", extra->expire_ms / MS_PER_S);
}

static void put_state(struct json *json, const struct async_ask *ask, const struct job *job,
                      struct slice path)
{
    const struct job_extra *extra = extra_of(ask, job);
    json_key(json, "job");
    json_slice(json, path);
    json_key(json, "state");
    json_cstr(json, async_state_name(job));
    json_key(json, "attempts");
    json_uint(json, job->n_attempts);
    put_time(json, "created", job->created_s);
    if (job->state == JOB_DELAYED)
        put_time(json, "next_attempt", (job->due_ms + MS_PER_S - 1) / MS_PER_S);
    if (extra)
        put_extra(json, job, extra);
    put_response(json, ask, job, path);
}

void async_state_write(const struct async_ask *ask, const struct job *job,
                       struct api_answer *answer)
{
    struct text path = TEXT_NONE;
    struct json json;
    answer->type = "application/json";
    async_path(ask, job, &path);
    json_init(&json, &answer->body);
    json_object_begin(&json);
    put_state(&json, ask, job, text_slice(&path));
    json_object_end(&json);
    json_finish(&json);
    text_append_char(&answer->body, '\n');
    if (!async_is_over(job))
        text_printf(&answer->lines, "Retry-After: %llu\r\n",
                    (unsigned long long)retry_after_s(ask, job));
    text_deinit(&path);
}

void async_answer_state(struct async_ask *ask, const struct job *job)
{
    struct api_answer answer = {.status = 200};
    async_state_write(ask, job, &answer);
    (void)api_send(ask->api, &answer, 0);
}

/* ---- the response ---------------------------------------------------------------------------- */

int async_answer_response(struct async_ask *ask, const struct job *job)
{
    struct slice result = result_of(ask, job);
    struct jobhttp_response response;
    struct api_answer answer = {.status = 200, .type = "application/octet-stream"};
    int kind = jobhttp_read_response(result, &response, &answer.lines);
    if (result.len == 0 || kind < 0)
        return -1;
    if (kind > 0) {
        answer.status = (uint16_t)response.status;
        answer.is_bare = true;
        text_append(&answer.body, response.body);
    } else {
        text_append(&answer.body, result);
    }
    /* What is told as done is done after a crash, too. */
    (void)api_send(ask->api, &answer, ask->api->engine->journal.last_lsn);
    return 0;
}

static void look_at_response(struct async_ask *ask, const struct job *job)
{
    if (async_answer_response(ask, job) == 0)
        return;
    if (async_is_over(job))
        api_refuse(ask->api, 404, "no response was kept: the job is %s", async_state_name(job));
    else
        api_refuse(ask->api, 404, "there is no response yet: the job is %s", async_state_name(job));
}

/* ---- the end --------------------------------------------------------------------------------- */

static void cancel(struct async_ask *ask, const struct job *job)
{
    struct engine *engine = ask->api->engine;
    if (job->state == JOB_RESERVED) {
        api_refuse_as(ask->api, 409, JOBS_WORDS, "it is being done just now");
    } else if (async_is_over(job)) {
        api_refuse_as(ask->api, 409, JOBS_WORDS, "it is over already: %s", async_state_name(job));
    } else if (api_may(ask->api, WAL_CHANGE, ENGINE_CHANGE_BYTES)) {
        (void)model_delete(engine->model, NULL, job->id, ask->api->now);
        api_send_nothing(ask->api, engine_settle(engine));
    }
}

/* ---- which ----------------------------------------------------------------------------------- */

/* The job of the token; NULL: refused. Whether there never was one is not told. */
static const struct job *find(struct async_ask *ask)
{
    const struct hall *hall = ask->api->hall;
    const struct job *job = NULL;
    uint64_t id = 0;
    if (async_token_id(ask->token, &id) == 0)
        job = model_find_any(hall->engine.model, id);
    if (job && async_token_is_of(&hall->async->keys, ask->token, job))
        return job;
    api_refuse(ask->api, 404, "there is no such job");
    return NULL;
}

static void refuse_method(struct async_ask *ask)
{
    const char *allow = ask->is_response ? "GET, HEAD" : "GET, HEAD, DELETE";
    text_printf(&ask->api->lines, "Allow: %s\r\n", allow);
    api_refuse(ask->api, 405, "a job is asked by %s", allow);
}

void async_look(struct async_ask *ask)
{
    enum h1_method method = ask->api->exchange->method;
    bool is_get = method == H1_METHOD_GET || method == H1_METHOD_HEAD;
    bool is_cancel = method == H1_METHOD_DELETE && !ask->is_response;
    const struct job *job;
    if (!is_get && !is_cancel)
        refuse_method(ask);
    else if (!(job = find(ask)))
        return;
    else if (is_cancel)
        cancel(ask, job);
    else if (ask->is_response)
        look_at_response(ask, job);
    else if (!async_is_over(job) && async_wait_ms(ask) > 0)
        async_wait(ask, job->id, 0);
    else
        async_answer_state(ask, job);
}
