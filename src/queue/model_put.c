/* SPDX-License-Identifier: Apache-2.0 */

/*
 * New jobs: what refuses them, and what they begin as.
 */

#include "queue/model_part.h"

enum { MS_PER_S = 1000 };

static bool is_full(const struct model *model, const struct tube *tube, uint64_t n_bytes)
{
    const struct tube_policy *policy = &tube->policy;
    if (model->store.n_jobs >= model->limits.jobs_max)
        return true;
    if (n_bytes > model->limits.bytes_max || model->n_bytes > model->limits.bytes_max - n_bytes)
        return true;
    if (policy->jobs_max > 0 && tube_n_jobs(tube) >= policy->jobs_max)
        return true;
    return policy->bytes_max > 0 && tube->n_bytes + n_bytes > policy->bytes_max;
}

/* OK where it may come. */
static enum model_result judge(const struct model *model, struct tube *tube,
                               const struct model_put *put, uint64_t *ret_id)
{
    if (model->is_draining || tube->is_draining)
        return MODEL_DRAINING;
    const struct job_extra *holder = put->key.len > 0 ? map_get(&tube->keys, put->key) : NULL;
    if (holder) {
        *ret_id = job_at(&model->store, holder->job)->id;
        return MODEL_EXISTS;
    }
    if (is_full(model, tube, put->body.len)) {
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

/* What few jobs have. */
static void set_extra(struct model *model, uint32_t number, const struct model_put *put,
                      uint64_t from_ms)
{
    struct tube *tube = tube_of(model, job_at(&model->store, number));
    uint32_t ttl_s = put->ttl_s > 0 ? put->ttl_s : tube->policy.ttl_s;
    if (ttl_s == 0 && put->key.len == 0 && put->attempts_max == 0 && put->result_s == 0)
        return;
    struct job_extra *extra = job_extra_of(&model->store, number);
    extra->expire_ms = ttl_s > 0 ? from_ms + (uint64_t)ttl_s * MS_PER_S : 0;
    extra->attempts_max = put->attempts_max;
    extra->result_s = put->result_s;
    job_set_text(&extra->key, put->key);
    if (extra->key)
        map_put(&tube->keys, slice_from(extra->key), extra);
}

static void add_bytes(struct model *model, struct tube *tube, uint64_t n)
{
    tube->n_bytes += n;
    model->n_bytes += n;
}

enum model_result model_put(struct model *model, struct model_conn *conn,
                            const struct model_put *put, struct model_now now, uint64_t *ret_id)
{
    struct tube *tube = conn->used;
    model_begin(model);
    assert(put->key.len <= JOB_RECORD_KEY_MAX && put->ttr_s > 0);
    enum model_result result = judge(model, tube, put, ret_id);
    if (result != MODEL_OK)
        return result;
    uint64_t due_ms = now.wall_ms + (uint64_t)put->delay_s * MS_PER_S;
    if (put->not_before_ms > due_ms)
        due_ms = put->not_before_ms;
    uint32_t number = job_add(&model->store, take_id(model));
    struct job *job = job_at(&model->store, number);
    job->tube = tube->number;
    job->priority = put->priority;
    job->ttr_s = put->ttr_s;
    job->delay_s = put->delay_s;
    job->created_s = (uint32_t)(now.wall_ms / MS_PER_S);
    job_set_body(&model->store, job, put->body);
    add_bytes(model, tube, put->body.len);
    set_extra(model, number, put, due_ms);
    enum job_state state = due_ms > now.wall_ms ? JOB_DELAYED : JOB_READY;
    if (state == JOB_DELAYED)
        job->due_ms = due_ms;
    model_enter(model, number, state);
    model_log(model, MODEL_LOG_PUT, number);
    model->put_id = *ret_id = job->id;
    model->put_body = put->body;
    tube->counts.n_puts++;
    model->n_puts++;
    model_serve(model, tube, now);
    return MODEL_OK;
}
