/* SPDX-License-Identifier: Apache-2.0 */

/*
 * New jobs: what refuses them, and what they begin as.
 */

#include "queue/model_part.h"

enum { MS_PER_S = 1000 };

enum model_limit model_limit(const struct model *model, const struct tube *tube, uint64_t n_bytes)
{
    if (model->store.n_jobs >= model->limits.jobs_max)
        return MODEL_LIMIT_JOBS;
    if (n_bytes > model->limits.bytes_max || model->n_bytes > model->limits.bytes_max - n_bytes)
        return MODEL_LIMIT_BYTES;
    if (!tube)
        return MODEL_LIMIT_NONE;
    if (tube->policy.jobs_max > 0 && tube_n_jobs(tube) >= tube->policy.jobs_max)
        return MODEL_LIMIT_TUBE_JOBS;
    if (tube->policy.bytes_max > 0 && tube->n_bytes + n_bytes > tube->policy.bytes_max)
        return MODEL_LIMIT_TUBE_BYTES;
    return MODEL_LIMIT_NONE;
}

/* Has it a result that there is no room for among the others? */
static bool is_result_refused(const struct model *model, const struct model_put *put)
{
    size_t n_bytes = put->past ? put->past->result.len : 0;
    return n_bytes > 0 && model->n_result_bytes + n_bytes > model->results_max;
}

/* OK where it may come. */
static enum model_result judge(const struct model *model, struct tube *tube,
                               const struct model_put *put, uint64_t *ret_id)
{
    const struct job *holder = put->key.len > 0 ? model_find_key(model, tube, put->key) : NULL;
    if (holder) {
        *ret_id = holder->id;
        return MODEL_EXISTS;
    }
    size_t n_bytes = put->body.len + (put->past ? put->past->result.len : 0);
    if (model_limit(model, tube, n_bytes) != MODEL_LIMIT_NONE || is_result_refused(model, put)) {
        tube->counts.n_refused++;
        return MODEL_FULL;
    }
    return MODEL_OK;
}

static uint64_t take_id(struct model *model)
{
    if (model->next_id >= model->id_end) {
        model->id_end = model->next_id + MODEL_ID_STEP;
        model_act(model, MODEL_LOG_MARK, model->id_end);
    }
    return model->next_id++;
}

void model_skip_ids(struct model *model, uint64_t id)
{
    if (id > model->next_id)
        model->next_id = model->id_end = id;
}

static void add_bytes(struct model *model, struct tube *tube, uint64_t n)
{
    tube->n_bytes += n;
    model->n_bytes += n;
}

static uint64_t expire_ms_of(const struct tube *tube, const struct model_put *put, uint64_t from_ms)
{
    uint32_t ttl_s = put->ttl_s > 0 ? put->ttl_s : tube->policy.ttl_s;
    if (put->past && put->past->has_expiry)
        return put->past->expire_ms;
    return ttl_s > 0 ? from_ms + (uint64_t)ttl_s * MS_PER_S : 0;
}

static bool has_past_extra(const struct model_past *past)
{
    return past &&
           (past->error != JOB_ERROR_NONE || past->result.len > 0 || past->state == JOB_DONE);
}

static void set_past_extra(struct model *model, struct tube *tube, const struct model_past *past,
                           struct job_extra *extra)
{
    size_t len = past->error_text.len < JOB_ERROR_MAX ? past->error_text.len : JOB_ERROR_MAX;
    extra->error = (uint8_t)past->error;
    job_set_text(&extra->error_text, slice_make(past->error_text.ptr, len));
    job_set_text(&extra->result, past->result);
    extra->result_bytes = (uint32_t)past->result.len;
    model->n_result_bytes += past->result.len;
    add_bytes(model, tube, past->result.len);
}

/* What few jobs have. */
static void set_extra(struct model *model, uint32_t number, const struct model_put *put,
                      uint64_t from_ms)
{
    struct tube *tube = tube_of(model, job_at(&model->store, number));
    uint64_t expire_ms = expire_ms_of(tube, put, from_ms);
    if (expire_ms == 0 && put->key.len == 0 && put->attempts_max == 0 && put->result_s == 0 &&
        !has_past_extra(put->past))
        return;
    struct job_extra *extra = job_extra_of(&model->store, number);
    extra->expire_ms = expire_ms;
    extra->attempts_max = put->attempts_max;
    extra->result_s = put->result_s;
    job_set_text(&extra->key, put->key);
    if (extra->key)
        map_put(&tube->keys, job_key_unique(slice_from(extra->key)), extra);
    if (put->past)
        set_past_extra(model, tube, put->past, extra);
}

static void set_past(struct job *job, const struct model_past *past)
{
    job->created_s = past->created_s > 0 ? past->created_s : job->created_s;
    job->n_reserves = past->n_reserves;
    job->n_timeouts = past->n_timeouts;
    job->n_releases = past->n_releases;
    job->n_buries = past->n_buries;
    job->n_kicks = past->n_kicks;
}

/* What is over waits for nothing. */
static enum job_state state_of(const struct model_put *put, uint64_t due_ms, struct model_now now)
{
    if (put->past && put->past->state != JOB_READY)
        return put->past->state;
    return due_ms > now.wall_ms ? JOB_DELAYED : JOB_READY;
}

uint32_t model_add(struct model *model, struct tube *tube, const struct model_put *put,
                   struct model_now now)
{
    assert(put->key.len <= JOB_RECORD_KEY_MAX && put->ttr_s > 0);
    assert(!put->past || put->past->state != JOB_DONE ||
           (put->past->has_expiry && put->past->expire_ms > 0 && put->body.len == 0));
    uint64_t due_ms = now.wall_ms + (uint64_t)put->delay_s * MS_PER_S;
    if (put->not_before_ms > due_ms)
        due_ms = put->not_before_ms;
    uint32_t number = job_add(&model->store, take_id(model));
    struct job *job = job_at(&model->store, number);
    job->tube = tube->number;
    job->priority = put->priority;
    job->ttr_s = put->ttr_s;
    job->n_attempts = put->n_attempts;
    job->delay_s = put->delay_s;
    job->created_s = (uint32_t)(now.wall_ms / MS_PER_S);
    job_set_body(&model->store, job, put->body);
    add_bytes(model, tube, put->body.len);
    set_extra(model, number, put, due_ms);
    if (put->past)
        set_past(job, put->past);
    enum job_state state = state_of(put, due_ms, now);
    if (state == JOB_DELAYED)
        job->due_ms = due_ms;
    model_enter(model, number, state);
    tube->counts.n_puts++;
    model->n_puts++;
    return number;
}

static enum model_result put_into(struct model *model, struct tube *tube,
                                  const struct model_put *put, struct model_now now,
                                  uint64_t *ret_id)
{
    enum model_result result = judge(model, tube, put, ret_id);
    if (result != MODEL_OK)
        return result;
    uint32_t number = model_add(model, tube, put, now);
    model_log(model, MODEL_LOG_PUT, number);
    model->put_id = *ret_id = job_at(&model->store, number)->id;
    model->put_body = put->body;
    model_serve(model, tube, now);
    return MODEL_OK;
}

enum model_result model_put(struct model *model, struct model_conn *conn,
                            const struct model_put *put, struct model_now now, uint64_t *ret_id)
{
    model_begin(model);
    if (model->is_draining || conn->used->is_draining)
        return MODEL_DRAINING;
    return put_into(model, conn->used, put, now, ret_id);
}

enum model_result model_put_named(struct model *model, struct slice name,
                                  const struct model_put *put, struct model_now now,
                                  uint64_t *ret_id)
{
    model_begin(model);
    struct tube *tube = model_tube_make(model, name, true);
    if (!tube)
        return MODEL_FULL;
    bool is_draining = model->is_draining || tube->is_draining;
    enum model_result result =
        is_draining ? MODEL_DRAINING : put_into(model, tube, put, now, ret_id);
    if (result != MODEL_OK)
        model_tube_release(model, tube);
    return result;
}

enum model_result model_put_scheduled(struct model *model, struct tube *tube,
                                      const struct model_put *put, struct model_now now,
                                      uint64_t *ret_id)
{
    model_begin(model);
    return put_into(model, tube, put, now, ret_id);
}
