/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Callbacks: a job that ends puts one into another tube, in the same call, and before what the log
 * is to hold of its own end.
 */

#include "queue/model_part.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>

enum { MS_PER_S = 1000, CALLS_MIN = 8 };

/* How a job ended. */
struct end {
    enum callback_end end;
    bool is_expired;
    struct slice result;
};

/* The same for one end of a job, however often the log had to forget that end. */
static struct slice key_of(const struct tube *tube, const struct job *job, const char *end,
                           char *buf, size_t cap)
{
    int len = snprintf(buf, cap, JOB_CALLBACK_KEY "%s:%" PRIu64 ":%s:%u", tube->name, job->id, end,
                       (unsigned)job->n_buries);
    assert(len > 0 && (size_t)len < cap && len <= JOB_RECORD_KEY_MAX);
    return slice_make(buf, (size_t)len);
}

/* What it says, behind those of this call; the bytes move with the next one. */
static struct slice write_body(struct model *model, const struct job *job, const struct end *end,
                               struct model_now now)
{
    const struct tube *tube = tube_of(model, job);
    const struct job_extra *extra = job_extra(&model->store, job);
    const struct callback_rule *rule = tube->policy.callbacks[end->end];
    struct callback what = {.end = end->end,
                            .is_expired = end->is_expired,
                            .queue = tube_name(tube),
                            .id = job->id,
                            .n_attempts = job->n_attempts,
                            .created_s = job->created_s,
                            .ended_s = now.wall_ms / MS_PER_S,
                            .error_text = SLICE(""),
                            .result = end->result,
                            .path = SLICE("")};
    if (extra && extra->error != JOB_ERROR_NONE) {
        what.error = job_error_name((enum job_error)extra->error);
        what.error_text = slice_from(extra->error_text);
    }
    if (extra && extra->callback_paths[end->end])
        what.path = slice_from(extra->callback_paths[end->end]);
    else if (end->is_expired && model->failure_path)
        (void)model->failure_path(model->failure_path_ctx, job, slice_from(rule->path), &what.path);
    size_t begin = model->call_bytes.len;
    callback_write(rule, &what, &model->call_bytes);
    return slice_skip(text_slice(&model->call_bytes), begin);
}

static void note_body(struct model *model, uint64_t id, size_t len)
{
    if (model->n_calls == model->cap_calls) {
        model->cap_calls = model->cap_calls ? 2 * model->cap_calls : CALLS_MIN;
        model->calls = mem_realloc(model->calls, model->cap_calls * sizeof(struct model_call));
    }
    model->calls[model->n_calls++] =
        (struct model_call){.id = id, .at = model->call_bytes.len - len, .len = len};
}

static void call(struct model *model, uint32_t number, const struct end *end, struct model_now now)
{
    const struct job *job = job_at(&model->store, number);
    struct tube *tube = tube_of(model, job);
    const struct callback_rule *rule = tube->policy.callbacks[end->end];
    const char *name = end->end == CALLBACK_DONE ? "done" : "dead";
    char key[JOB_RECORD_KEY_MAX + 1];
    if (!rule)
        return;
    struct tube *called = model_tube_make(model, slice_from(rule->queue), false);
    assert(called != tube);
    struct model_put put = {
        .priority = CALLBACK_PRIORITY,
        .ttr_s = CALLBACK_TTR_S,
        .key = key_of(tube, job, end->is_expired ? "expired" : name, key, sizeof(key))};
    if (map_get(&called->keys, put.key))
        return;
    put.body = write_body(model, job, end, now);
    uint32_t call = model_add(model, called, &put, now);
    note_body(model, job_at(&model->store, call)->id, put.body.len);
    model_log(model, MODEL_LOG_CALL, call);
    tube->counts.n_callbacks[end->end]++;
    model_serve(model, called, now);
}

void model_call_back(struct model *model, uint32_t number, enum callback_end end,
                     struct slice result, struct model_now now)
{
    const struct end how = {.end = end, .result = result};
    call(model, number, &how, now);
}

void model_call_expired(struct model *model, uint32_t number, struct model_now now)
{
    const struct end how = {.end = CALLBACK_DEAD, .is_expired = true, .result = SLICE("")};
    call(model, number, &how, now);
}

bool model_may_fail(const struct model *model, const struct job *job)
{
    return !model->is_log_short || !tube_of(model, job)->policy.callbacks[CALLBACK_DEAD];
}

enum model_result model_choose_callbacks(struct model *model, const struct model_conn *conn,
                                         uint64_t id, const struct slice paths[CALLBACK_N_ENDS])
{
    model_begin(model);
    uint32_t number = model_leased(model, conn, id);
    if (number == JOB_NONE)
        return MODEL_NOT_FOUND;
    for (int i = 0; i < CALLBACK_N_ENDS; i++)
        if (paths[i].len > 0)
            job_set_text(&job_extra_of(&model->store, number)->callback_paths[i], paths[i]);
    return MODEL_OK;
}

bool model_has_body(const struct model *model, uint64_t id, struct slice *ret_body)
{
    if (model->put_id == id && id > 0) {
        *ret_body = model->put_body;
        return true;
    }
    /* Ids ascend, and the newest is asked for most. */
    for (uint32_t i = model->n_calls; i-- > 0 && model->calls[i].id >= id;) {
        if (model->calls[i].id != id)
            continue;
        *ret_body = slice_make(model->call_bytes.ptr + model->calls[i].at, model->calls[i].len);
        return true;
    }
    return false;
}
