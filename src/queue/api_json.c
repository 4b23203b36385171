/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Jobs and queues as JSON, with the words of `weir jobs` and of the lines of an export.
 */

#include "queue/api.h"

#include "base/json.h"
#include "conf/utf8.h"

enum { MS_PER_S = 1000 };

static void number(struct json *json, const char *key, uint64_t value)
{
    json_key(json, key);
    json_uint(json, value);
}

static void words(struct json *json, const char *key, struct slice value)
{
    json_key(json, key);
    json_slice(json, value);
}

/* ---- a job ----------------------------------------------------------------------------------- */

static uint32_t attempts_max(const struct tube *tube, const struct job_extra *extra)
{
    return extra && extra->attempts_max > 0 ? extra->attempts_max : tube->policy.attempts_max;
}

static void show_extra(struct json *json, const struct job *job, const struct job_extra *extra)
{
    if (extra->key)
        words(json, "key", slice_from(extra->key));
    if (extra->error != JOB_ERROR_NONE)
        words(json, "error", slice_from(job_error_name((enum job_error)extra->error)));
    if (extra->error_text)
        words(json, "error_text", slice_from(extra->error_text));
    if (extra->percent > 0 || extra->progress_text)
        number(json, "progress", extra->percent);
    if (extra->progress_text)
        words(json, "progress_text", slice_from(extra->progress_text));
    if (job_has_result(job, extra))
        number(json, "result_bytes", extra->result_bytes);
    if (extra->expire_ms > 0)
        number(json, "expires", extra->expire_ms / MS_PER_S);
}

static void show_counts(struct json *json, const struct job *job)
{
    number(json, "reserves", job->n_reserves);
    number(json, "timeouts", job->n_timeouts);
    number(json, "releases", job->n_releases);
    number(json, "buries", job->n_buries);
    number(json, "kicks", job->n_kicks);
}

void api_json_job(struct json *json, const struct hall *hall, const struct job *job,
                  struct model_now now)
{
    const struct model *model = hall->engine.model;
    const struct tube *tube = model->tubes[job->tube];
    const struct job_extra *extra = job_extra(&model->store, job);
    uint32_t max = attempts_max(tube, extra);
    number(json, "id", job->id);
    words(json, "queue", tube_name(tube));
    words(json, "state", slice_from(job_state_name((enum job_state)job->state)));
    number(json, "priority", job->priority);
    number(json, "ttr", job->ttr_s);
    number(json, "created", job->created_s);
    number(json, "body_bytes", job->body_bytes);
    number(json, "attempts", job->n_attempts);
    if (max > 0 && max < UINT16_MAX)
        number(json, "attempts_max", max);
    show_counts(json, job);
    if (job->state == JOB_DELAYED)
        number(json, "next", (job->due_ms + MS_PER_S - 1) / MS_PER_S);
    if (job->state == JOB_RESERVED)
        number(json, "lease_left", model_left_ms(model, job, now) / MS_PER_S);
    if (extra)
        show_extra(json, job, extra);
}

void api_json_body(struct json *json, struct slice body)
{
    if (conf_utf8_is_text(body)) {
        words(json, "body", body);
        return;
    }
    json_key(json, "body_base64");
    json_base64(json, body);
}

/* ---- a queue --------------------------------------------------------------------------------- */

static void show_policy(struct json *json, const struct tube *tube)
{
    const struct tube_policy *policy = &tube->policy;
    if (policy->attempts_max > 0 && policy->attempts_max < UINT16_MAX)
        number(json, "attempts_max", policy->attempts_max);
    if (policy->ttl_s > 0)
        number(json, "ttl", policy->ttl_s);
    if (policy->result_s > 0)
        number(json, "keep", policy->result_s);
    if (policy->concurrency_max > 0)
        number(json, "concurrency", policy->concurrency_max);
}

void api_json_tube(struct json *json, const struct tube *tube, struct model_now now)
{
    const struct tube_counts *counts = &tube->counts;
    words(json, "queue", tube_name(tube));
    number(json, "ready", tube->ready.n);
    number(json, "delayed", tube->delayed.n);
    number(json, "reserved", tube->n_reserved);
    number(json, "buried", tube->n_buried);
    number(json, "done", tube->n_done);
    number(json, "bytes", tube->n_bytes);
    number(json, "waiting", tube->n_waiting);
    number(json, "puts", counts->n_puts);
    number(json, "deletes", counts->n_deletes);
    number(json, "timeouts", counts->n_timeouts);
    number(json, "dead", counts->n_dead);
    number(json, "expired", counts->n_expired);
    number(json, "refused", counts->n_refused);
    json_key(json, "draining");
    json_bool(json, tube->is_draining);
    json_key(json, "paused");
    json_bool(json, tube->paused_until_ms > now.wall_ms);
    if (tube->paused_until_ms > now.wall_ms && tube->paused_until_ms != TUBE_FOR_EVER)
        number(json, "paused_until", (tube->paused_until_ms + MS_PER_S - 1) / MS_PER_S);
    show_policy(json, tube);
}
