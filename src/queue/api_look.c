/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The job API: looking at jobs and queues. What is seen may not be on the disk yet.
 */

#include "queue/api.h"

#include "base/json.h"

static const struct api_word no_words[] = {{0}};

/* The job of the path; NULL: it was refused. */
static const struct job *look_for(struct api_ask *ask)
{
    const struct job *job = NULL;
    if (!api_words(ask, no_words, NULL))
        return NULL;
    job = model_find_any(ask->engine->model, ask->id);
    if (!job)
        api_refuse(ask, 404, "there is no job %llu", (unsigned long long)ask->id);
    return job;
}

void api_job(struct api_ask *ask)
{
    const struct job *job = look_for(ask);
    struct api_answer answer = {.status = 200, .type = "application/json"};
    struct json json;
    if (!job)
        return;
    json_init(&json, &answer.body);
    json_object_begin(&json);
    api_json_job(&json, ask->hall, job, ask->now);
    json_object_end(&json);
    json_finish(&json);
    text_append_char(&answer.body, '\n');
    (void)api_send(ask, &answer, 0);
}

void api_job_body(struct api_ask *ask)
{
    const struct job *job = look_for(ask);
    struct api_answer answer = {.status = 200, .type = "application/octet-stream"};
    struct slice body;
    if (!job)
        return;
    if (job->state == JOB_DONE) {
        api_refuse(ask, 404, "job %llu is done: its body is gone", (unsigned long long)ask->id);
    } else if (engine_body(ask->engine, job, &body) < 0) {
        api_refuse(ask, 500, "the body of job %llu is damaged", (unsigned long long)ask->id);
    } else {
        text_append(&answer.body, body);
        (void)api_send(ask, &answer, 0);
    }
}

void api_result(struct api_ask *ask)
{
    const struct job *job = look_for(ask);
    struct api_answer answer = {.status = 200, .type = "application/octet-stream"};
    if (!job)
        return;
    const struct job_extra *extra = job_extra(&ask->engine->model->store, job);
    if (!job_has_result(job, extra)) {
        api_refuse(ask, 409, "job %llu is %s: it has no result", (unsigned long long)ask->id,
                   job_state_name((enum job_state)job->state));
        return;
    }
    if (extra->result_bytes > 0)
        text_append(&answer.body, slice_make(extra->result, extra->result_bytes));
    (void)api_send(ask, &answer, 0);
}

/* ---- lists ----------------------------------------------------------------------------------- */

struct list_words {
    struct slice state;
    uint32_t from, n_jobs;
};

static const struct api_word list_words[] = {
    {"state", API_TEXT, offsetof(struct list_words, state), 0, 0},
    {"from", API_NUMBER, offsetof(struct list_words, from), 0, UINT32_MAX},
    {"n", API_NUMBER, offsetof(struct list_words, n_jobs), 1, API_JOBS_MAX},
    {0},
};

/* JOB_N_STATES: there is no such state. */
static enum job_state state_of(struct slice name)
{
    int state = 0;
    while (state < JOB_N_STATES && !slice_is(name, job_state_name((enum job_state)state)))
        state++;
    return (enum job_state)state;
}

void api_list(struct api_ask *ask)
{
    struct list_words asked = {.state = SLICE("ready"), .n_jobs = API_PAGE};
    const struct job *jobs[API_JOBS_MAX];
    struct api_answer answer = {.status = 200, .type = "application/json"};
    struct json json;
    if (!api_words(ask, list_words, &asked))
        return;
    enum job_state state = state_of(asked.state);
    if (state == JOB_N_STATES) {
        api_refuse(ask, 400, "state: ready, delayed, reserved, buried or done");
        return;
    }
    uint32_t cursor = asked.from, n = 0;
    if (ask->tube)
        n = model_list(ask->engine->model, ask->tube, state, &cursor, jobs, asked.n_jobs);
    json_init(&json, &answer.body);
    json_object_begin(&json);
    json_key(&json, "jobs");
    json_array_begin(&json);
    for (uint32_t i = 0; i < n; i++) {
        json_object_begin(&json);
        api_json_job(&json, ask->hall, jobs[i], ask->now);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_key(&json, "next");
    json_uint(&json, ask->tube ? cursor : 0);
    json_object_end(&json);
    json_finish(&json);
    text_append_char(&answer.body, '\n');
    (void)api_send(ask, &answer, 0);
}

/* ---- queues ---------------------------------------------------------------------------------- */

void api_queue(struct api_ask *ask)
{
    struct api_answer answer = {.status = 200, .type = "application/json"};
    struct json json;
    if (!api_words(ask, no_words, NULL))
        return;
    if (!ask->tube) {
        api_refuse(ask, 404, "there is no queue %.*s", SLICE_ARG(ask->name));
        return;
    }
    json_init(&json, &answer.body);
    json_object_begin(&json);
    api_json_tube(&json, ask->tube, ask->now);
    json_object_end(&json);
    json_finish(&json);
    text_append_char(&answer.body, '\n');
    (void)api_send(ask, &answer, 0);
}

void api_queues(struct api_ask *ask)
{
    struct api_answer answer = {.status = 200, .type = "application/json"};
    const struct model *model = ask->engine->model;
    struct json json;
    if (!api_words(ask, no_words, NULL))
        return;
    json_init(&json, &answer.body);
    json_object_begin(&json);
    json_key(&json, "queues");
    json_array_begin(&json);
    for (uint32_t i = 0; i < model->n_tube_slots; i++) {
        if (!model->tubes[i])
            continue;
        json_object_begin(&json);
        api_json_tube(&json, model->tubes[i], ask->now);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
    json_finish(&json);
    text_append_char(&answer.body, '\n');
    (void)api_send(ask, &answer, 0);
}
