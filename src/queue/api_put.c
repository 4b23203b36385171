/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The job API: putting jobs, singly and in batches.
 */

#include "queue/api.h"

#include "base/json.h"
#include "queue/api_batch.h"

/* ---- one ------------------------------------------------------------------------------------- */

/* Into the queue of the path. The actions are settled: *ret_lsn. */
static enum model_result put_one(struct api_ask *ask, const struct api_put *put, struct slice body,
                                 uint64_t *ret_id, uint64_t *ret_lsn)
{
    const struct model_put job = {.priority = put->priority,
                                  .delay_s = put->delay_s,
                                  .ttr_s = put->ttr_s,
                                  .body = body,
                                  .key = put->key,
                                  .ttl_s = put->ttl_s,
                                  .attempts_max = put->attempts,
                                  .result_s = put->keep_s,
                                  .not_before_ms = put->not_before_ms};
    enum model_result result =
        model_put_named(ask->engine->model, ask->name, &job, ask->now, ret_id);
    *ret_lsn = engine_settle(ask->engine);
    return result;
}

/* A connection of the job protocol is told of a drain before its body comes, one of HTTP here. */
static bool is_draining(const struct api_ask *ask)
{
    return ask->engine->model->is_draining || (ask->tube && ask->tube->is_draining);
}

static void begin_id(struct json *json, struct api_answer *answer, uint64_t id)
{
    json_init(json, &answer->body);
    json_object_begin(json);
    json_key(json, "id");
    json_uint(json, id);
}

static void end_id(struct json *json, struct api_answer *answer)
{
    json_object_end(json);
    json_finish(json);
    text_append_char(&answer->body, '\n');
}

static void answer_put(struct api_ask *ask, uint64_t id, uint64_t lsn)
{
    struct api_answer answer = {.status = 201, .type = "application/json"};
    struct json json;
    begin_id(&json, &answer, id);
    end_id(&json, &answer);
    text_printf(&answer.lines, "Location: /v1/jobs/%llu\r\n", (unsigned long long)id);
    (void)api_send(ask, &answer, lsn);
}

/* That one may not be on the disk yet, and then it is no answer. */
static void answer_exists(struct api_ask *ask, uint64_t id)
{
    struct api_answer answer = {.status = 409, .type = "application/json"};
    struct json json;
    begin_id(&json, &answer, id);
    json_key(&json, "error");
    json_cstr(&json, "a job of this queue has the key");
    end_id(&json, &answer);
    text_printf(&answer.lines, "Location: /v1/jobs/%llu\r\n", (unsigned long long)id);
    (void)api_send(ask, &answer, ask->engine->journal.last_lsn);
}

void api_put(struct api_ask *ask)
{
    struct api_put put = API_PUT_NONE;
    uint64_t id = 0, lsn = 0;
    if (!api_words(ask, api_put_words, &put))
        return;
    if (is_draining(ask)) {
        api_refuse_draining(ask);
        return;
    }
    if (!api_may(ask, WAL_NEW, ask->body.len + ENGINE_CHANGE_BYTES))
        return;
    enum model_result result = put_one(ask, &put, ask->body, &id, &lsn);
    if (result == MODEL_OK)
        answer_put(ask, id, lsn);
    else if (result == MODEL_EXISTS)
        answer_exists(ask, id);
    else if (result == MODEL_DRAINING)
        api_refuse_draining(ask);
    else
        api_refuse_full(ask);
}

/* ---- many ------------------------------------------------------------------------------------ */

struct batch_count {
    uint32_t n_put;
    uint64_t lsn; /* that all of it waits for */
};

static void put_item(struct api_ask *ask, const struct api_item *item, struct json *json,
                     struct batch_count *count)
{
    uint64_t id = 0, lsn = 0;
    enum model_result result = MODEL_FULL;
    if (engine_may(ask->engine, WAL_NEW, item->body.len + ENGINE_CHANGE_BYTES) == 0)
        result = put_one(ask, &item->put, item->body, &id, &lsn);
    json_object_begin(json);
    if (result == MODEL_OK || result == MODEL_EXISTS) {
        json_key(json, "id");
        json_uint(json, id);
    }
    if (result == MODEL_EXISTS)
        lsn = ask->engine->journal.last_lsn;
    if (result != MODEL_OK) {
        json_key(json, "error");
        json_cstr(json, result == MODEL_EXISTS ? "a job of this queue has the key"
                                               : "there is no room for it");
    }
    json_object_end(json);
    count->n_put += result == MODEL_OK;
    count->lsn = lsn > count->lsn ? lsn : count->lsn;
}

static void put_all(struct api_ask *ask, const struct api_batch *batch)
{
    struct api_answer answer = {.status = 200, .type = "application/json"};
    struct batch_count count = {.n_put = 0};
    struct json json;
    json_init(&json, &answer.body);
    json_object_begin(&json);
    json_key(&json, "jobs");
    json_array_begin(&json);
    for (uint32_t i = 0; i < batch->n_items; i++)
        put_item(ask, &batch->items[i], &json, &count);
    json_array_end(&json);
    json_key(&json, "put");
    json_uint(&json, count.n_put);
    json_object_end(&json);
    json_finish(&json);
    text_append_char(&answer.body, '\n');
    (void)api_send(ask, &answer, count.lsn);
}

void api_batch(struct api_ask *ask)
{
    static const struct api_word none[] = {{0}};
    struct api_batch batch;
    struct err err = ERR_NONE;
    size_t job_max = (size_t)ask->listener->conf->limits.job_bytes;
    if (!api_words(ask, none, NULL))
        return;
    if (is_draining(ask)) {
        api_refuse_draining(ask);
        return;
    }
    if (api_batch_read(ask->body, API_JOBS_MAX, job_max, &batch, &err) < 0) {
        api_refuse_err(ask, &err);
        return;
    }
    /* Where the log has room for the first, who comes too late is told so by itself. */
    if (api_may(ask, WAL_NEW, batch.items[0].body.len + ENGINE_CHANGE_BYTES))
        put_all(ask, &batch);
    api_batch_deinit(&batch);
}
