/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The job API: what anybody may do to jobs and queues.
 */

#include "queue/api.h"

#include "base/json.h"

enum { MS_PER_S = 1000 };

static const struct api_word no_words[] = {{0}};

/* ---- jobs ------------------------------------------------------------------------------------ */

/* May a job be changed? False: refused, or asked again later. */
static bool begin_change(struct api_ask *ask)
{
    return api_words(ask, no_words, NULL) && api_may(ask, WAL_CHANGE, ENGINE_CHANGE_BYTES);
}

/* `what`: what the job would have to be. */
static void end_change(struct api_ask *ask, enum model_result result, const char *what)
{
    const struct job *job = model_find_any(ask->engine->model, ask->id);
    uint64_t lsn = engine_settle(ask->engine);
    if (result == MODEL_OK)
        api_send_nothing(ask, lsn);
    else if (job)
        api_refuse(ask, 409, "job %llu is %s, and not %s", (unsigned long long)ask->id,
                   job_state_name((enum job_state)job->state), what);
    else
        api_refuse(ask, 404, "there is no job %llu", (unsigned long long)ask->id);
}

/* In any state: a worker that has it learns so by its lease. */
void api_delete(struct api_ask *ask)
{
    if (begin_change(ask))
        end_change(ask, model_delete(ask->engine->model, NULL, ask->id, ask->now), "there");
}

void api_kick_job(struct api_ask *ask)
{
    if (begin_change(ask))
        end_change(ask, model_kick_job(ask->engine->model, ask->id, ask->now), "buried or delayed");
}

void api_bury_job(struct api_ask *ask)
{
    if (begin_change(ask))
        end_change(ask, model_bury_job(ask->engine->model, ask->id, ask->now), "ready or delayed");
}

/* ---- queues ---------------------------------------------------------------------------------- */

/* False: there is no such queue, and that was said. */
static bool has_queue(struct api_ask *ask)
{
    if (!ask->tube)
        api_refuse(ask, 404, "there is no queue %.*s", SLICE_ARG(ask->name));
    return ask->tube;
}

struct kick_words {
    struct slice state;
    uint32_t n_jobs;
};

static const struct api_word kick_words[] = {
    {"state", API_TEXT, offsetof(struct kick_words, state), 0, 0},
    {"n", API_NUMBER, offsetof(struct kick_words, n_jobs), 1, API_JOBS_MAX},
    {0},
};

void api_kick(struct api_ask *ask)
{
    struct kick_words asked = {.state = SLICE("buried"), .n_jobs = 1};
    struct api_answer answer = {.status = 200, .type = "application/json"};
    struct json json;
    if (!api_words(ask, kick_words, &asked) || !has_queue(ask))
        return;
    bool is_buried = slice_is(asked.state, "buried");
    if (!is_buried && !slice_is(asked.state, "delayed")) {
        api_refuse(ask, 400, "state: buried or delayed");
        return;
    }
    if (!api_may(ask, WAL_CHANGE, (size_t)asked.n_jobs * ENGINE_KICK_BYTES))
        return;
    uint32_t n = model_kick(ask->engine->model, ask->tube, is_buried ? JOB_BURIED : JOB_DELAYED,
                            asked.n_jobs, ask->now);
    uint64_t lsn = engine_settle(ask->engine);
    json_init(&json, &answer.body);
    json_object_begin(&json);
    json_key(&json, "kicked");
    json_uint(&json, n);
    json_object_end(&json);
    json_finish(&json);
    text_append_char(&answer.body, '\n');
    (void)api_send(ask, &answer, lsn);
}

struct pause_words {
    uint32_t for_s; /* 0: until somebody ends it */
};

static const struct api_word pause_words[] = {
    {"for", API_SECONDS, offsetof(struct pause_words, for_s), 1, UINT32_MAX},
    {0},
};

static void set_pause(struct api_ask *ask, uint64_t pause_ms)
{
    if (!api_may(ask, WAL_CHANGE, ENGINE_CHANGE_BYTES))
        return;
    model_pause(ask->engine->model, ask->tube, pause_ms, ask->now);
    api_send_nothing(ask, engine_settle(ask->engine));
}

void api_pause(struct api_ask *ask)
{
    struct pause_words asked = {.for_s = 0};
    if (api_words(ask, pause_words, &asked) && has_queue(ask))
        set_pause(ask, asked.for_s > 0 ? (uint64_t)asked.for_s * MS_PER_S : TUBE_FOR_EVER);
}

void api_unpause(struct api_ask *ask)
{
    if (api_words(ask, no_words, NULL) && has_queue(ask))
        set_pause(ask, 0);
}
