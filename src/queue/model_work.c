/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What becomes of a job: by its worker, by its policy, by an operator.
 */

#include "queue/model_part.h"

enum { MS_PER_S = 1000, PASSED_MAX = 1000 };

/* ---- how an attempt ends --------------------------------------------------------------------- */

static struct slice cut(struct slice text)
{
    return slice_make(text.ptr, text.len < JOB_ERROR_MAX ? text.len : JOB_ERROR_MAX);
}

static void set_error(struct model *model, uint32_t number, enum job_error error, struct slice text)
{
    struct job_extra *extra = job_extra_of(&model->store, number);
    extra->error = (uint8_t)error;
    job_set_text(&extra->error_text, cut(text));
}

/* In place of the one that it had. */
static void set_result(struct model *model, uint32_t number, struct slice result)
{
    const struct job *job = job_at(&model->store, number);
    struct tube *tube = tube_of(model, job);
    if (!job->extra && result.len == 0)
        return;
    struct job_extra *extra = job_extra_of(&model->store, number);
    uint64_t former = extra->result_bytes;
    job_set_text(&extra->result, result);
    extra->result_bytes = (uint32_t)result.len;
    tube->n_bytes += result.len - former;
    model->n_bytes += result.len - former;
    model->n_result_bytes += result.len - former;
}

/*
 * Seconds for which a result is kept; 0: it is not, or there is no room for it beside all else, of
 * which `others` bytes stay.
 */
static uint32_t result_time(const struct model *model, const struct job *job, uint64_t others,
                            uint64_t n_bytes)
{
    const struct job_extra *extra = job_extra(&model->store, job);
    const struct tube *tube = tube_of(model, job);
    if (n_bytes > model->limits.bytes_max || others > model->limits.bytes_max - n_bytes)
        return 0;
    if (model->n_result_bytes + n_bytes > model->results_max)
        return 0;
    return extra && extra->result_s > 0 ? extra->result_s : tube->policy.result_s;
}

static bool is_last_attempt(const struct model *model, const struct job *job)
{
    const struct job_extra *extra = job_extra(&model->store, job);
    uint32_t max = extra && extra->attempts_max > 0 ? extra->attempts_max
                                                    : tube_of(model, job)->policy.attempts_max;
    return max > 0 && job->n_attempts >= max;
}

/* In the log it would be somewhere else than where it goes by itself now. */
static bool is_news(const struct job *job, struct model_now now)
{
    return job->logged == JOB_BURIED || (job->logged == JOB_DELAYED && job->due_ms > now.wall_ms);
}

/*
 * A job that has left its order waits again, from `due_ms` on. `is_told`: somebody waits for the
 * log to know.
 */
static void wait_again(struct model *model, uint32_t number, uint64_t due_ms, bool is_told,
                       struct model_now now)
{
    struct job *job = job_at(&model->store, number);
    struct tube *tube = tube_of(model, job);
    if (model_is_expired(model, job, now) && model_may_fail(model, job)) {
        tube->counts.n_expired++;
        model_call_expired(model, number, now);
        model_drop(model, number, true);
        model_serve(model, tube, now);
        model_tube_release(model, tube);
        return;
    }
    bool is_later = due_ms > now.wall_ms;
    bool is_logged = is_told || is_later || is_news(job, now);
    if (is_later)
        job->due_ms = due_ms;
    set_result(model, number, SLICE(""));
    model_enter(model, number, is_later ? JOB_DELAYED : JOB_READY);
    model_log(model, is_logged ? MODEL_LOG_STATE : MODEL_LOG_LEASE, number);
    model_serve(model, tube, now);
}

static void bury(struct model *model, uint32_t number, struct slice result, struct model_now now)
{
    struct job *job = job_at(&model->store, number);
    bool is_kept = result.len > 0 && result_time(model, job, model->n_bytes, result.len) > 0;
    job_count(&job->n_buries);
    set_result(model, number, is_kept ? result : SLICE(""));
    model_enter(model, number, JOB_BURIED);
    model_log(model, MODEL_LOG_STATE, number);
    model_serve(model, tube_of(model, job), now);
}

/* Computed before an attempt that is held back is taken off: that is no reason to come sooner. */
static uint64_t delay_of(struct model *model, const struct job *job,
                         const struct model_failure *failure)
{
    const struct retry_rule *rule = &tube_of(model, job)->policy.retry[failure->error];
    uint64_t delay_ms = 0;
    if (rule->action != RETRY_DEAD && rule->base_ms > 0)
        delay_ms = retry_delay_ms(rule, job->n_attempts, rng_next(&model->rng));
    return delay_ms > failure->least_ms ? delay_ms : failure->least_ms;
}

static void count_timeout(struct model *model, struct job *job)
{
    job_count(&job->n_timeouts);
    tube_of(model, job)->counts.n_timeouts++;
    model->n_timeouts++;
}

enum model_result model_fail_attempt(struct model *model, uint32_t number,
                                     const struct model_failure *failure, struct model_now now)
{
    struct job *job = job_at(&model->store, number);
    struct tube *tube = tube_of(model, job);
    const struct retry_rule *rule = &tube->policy.retry[failure->error];
    bool is_told = failure->error != JOB_ERROR_TIMEOUT && failure->error != JOB_ERROR_LOST;
    model_end_lease(model, number);
    model_leave(model, number);
    if (failure->error == JOB_ERROR_TIMEOUT)
        count_timeout(model, job);
    uint64_t delay_ms = delay_of(model, job, failure);
    if (rule->action == RETRY_HELD && job->n_attempts > 0)
        job->n_attempts--;
    bool is_dead =
        rule->action == RETRY_DEAD || (rule->action == RETRY_LATER && is_last_attempt(model, job));
    is_dead &= is_told || model_may_fail(model, job); /* else it is tried once more */
    if (is_told || is_dead)
        set_error(model, number, failure->error, failure->text);
    if (is_dead) {
        tube->counts.n_dead++;
        model_call_back(model, number, CALLBACK_DEAD, failure->result, now);
        bury(model, number, failure->result, now);
        return MODEL_BURIED;
    }
    wait_again(model, number, now.wall_ms + delay_ms, is_told, now);
    return MODEL_OK;
}

/* ---- workers --------------------------------------------------------------------------------- */

enum model_result model_fail(struct model *model, struct model_conn *conn, uint64_t id,
                             enum job_error error, struct slice text, struct model_now now)
{
    const struct model_failure failure = {.error = error, .text = text};
    return model_fail_with(model, conn, id, &failure, now);
}

enum model_result model_fail_with(struct model *model, struct model_conn *conn, uint64_t id,
                                  const struct model_failure *failure, struct model_now now)
{
    model_begin(model);
    assert(failure->error > JOB_ERROR_NONE && failure->error < JOB_N_ERRORS);
    uint32_t number = model_leased(model, conn, id);
    if (number == JOB_NONE)
        return MODEL_NOT_FOUND;
    return model_fail_attempt(model, number, failure, now);
}

enum model_result model_give_back(struct model *model, struct model_conn *conn, uint64_t id,
                                  struct model_now now)
{
    return model_give_back_with(model, conn, id, SLICE(""), now);
}

enum model_result model_give_back_with(struct model *model, struct model_conn *conn, uint64_t id,
                                       struct slice why, struct model_now now)
{
    model_begin(model);
    uint32_t number = model_leased(model, conn, id);
    if (number == JOB_NONE)
        return MODEL_NOT_FOUND;
    struct job *job = job_at(&model->store, number);
    model_end_lease(model, number);
    model_leave(model, number);
    job->n_attempts = (uint16_t)(job->n_attempts - (job->n_attempts > 0));
    if (why.len > 0)
        set_error(model, number, JOB_ERROR_TEMPORARY, why);
    wait_again(model, number, now.wall_ms, true, now);
    return MODEL_OK;
}

enum model_result model_release(struct model *model, struct model_conn *conn, uint64_t id,
                                uint32_t priority, uint32_t delay_s, struct model_now now)
{
    model_begin(model);
    uint32_t number = model_leased(model, conn, id);
    if (number == JOB_NONE)
        return MODEL_NOT_FOUND;
    struct job *job = job_at(&model->store, number);
    model_end_lease(model, number);
    model_leave(model, number);
    job->priority = priority;
    job->delay_s = delay_s;
    job_count(&job->n_releases);
    wait_again(model, number, now.wall_ms + (uint64_t)delay_s * MS_PER_S, true, now);
    return MODEL_OK;
}

enum model_result model_bury(struct model *model, struct model_conn *conn, uint64_t id,
                             uint32_t priority, struct model_now now)
{
    model_begin(model);
    uint32_t number = model_leased(model, conn, id);
    if (number == JOB_NONE)
        return MODEL_NOT_FOUND;
    model_call_back(model, number, CALLBACK_DEAD, SLICE(""), now);
    model_end_lease(model, number);
    model_leave(model, number);
    job_at(&model->store, number)->priority = priority;
    bury(model, number, SLICE(""), now);
    return MODEL_OK;
}

enum model_result model_touch(struct model *model, struct model_conn *conn, uint64_t id,
                              struct model_now now)
{
    model_begin(model);
    uint32_t number = model_leased(model, conn, id);
    if (number == JOB_NONE)
        return MODEL_NOT_FOUND;
    const struct job *job = job_at(&model->store, number);
    uint64_t end_ms = now.mono_ms + (uint64_t)job->ttr_s * MS_PER_S;
    heap_move(&conn->leases, &lease_at(model, job->at)->node, key_make(end_ms, job->id));
    model_arm_conn(model, conn);
    return MODEL_OK;
}

enum model_result model_progress(struct model *model, struct model_conn *conn, uint64_t id,
                                 uint32_t percent, struct slice text, struct model_now now)
{
    assert(percent <= 100);
    enum model_result result = model_touch(model, conn, id, now);
    if (result != MODEL_OK)
        return result;
    struct job_extra *extra = job_extra_of(&model->store, job_find(&model->store, id));
    extra->percent = (uint8_t)percent;
    job_set_text(&extra->progress_text, cut(text));
    return MODEL_OK;
}

static void keep_result(struct model *model, uint32_t number, struct slice result,
                        uint64_t expire_ms)
{
    struct job *job = job_at(&model->store, number);
    struct tube *tube = tube_of(model, job);
    tube->n_bytes -= job->body_bytes;
    model->n_bytes -= job->body_bytes;
    job_drop_body(&model->store, job);
    set_result(model, number, result);
    job_extra_of(&model->store, number)->expire_ms = expire_ms;
    model_enter(model, number, JOB_DONE);
    model_log(model, MODEL_LOG_STATE, number);
}

enum model_result model_finish(struct model *model, struct model_conn *conn, uint64_t id,
                               struct slice result, struct model_now now)
{
    model_begin(model);
    uint32_t number = model_leased(model, conn, id);
    if (number == JOB_NONE)
        return MODEL_NOT_FOUND;
    const struct job *job = job_at(&model->store, number);
    struct tube *tube = tube_of(model, job);
    model_call_back(model, number, CALLBACK_DONE, result, now);
    uint64_t others = model->n_bytes - job->body_bytes;
    uint64_t kept_ms = (uint64_t)result_time(model, job, others, result.len) * MS_PER_S;
    model_end_lease(model, number);
    model_leave(model, number);
    tube->counts.n_deletes++;
    if (kept_ms > 0)
        keep_result(model, number, result, now.wall_ms + kept_ms);
    else
        model_drop(model, number, true);
    model_serve(model, tube, now);
    model_tube_release(model, tube);
    return MODEL_OK;
}

/* ---- anybody --------------------------------------------------------------------------------- */

enum model_result model_delete(struct model *model, struct model_conn *conn, uint64_t id,
                               struct model_now now)
{
    model_begin(model);
    uint32_t number = job_find(&model->store, id);
    if (number == JOB_NONE)
        return MODEL_NOT_FOUND;
    const struct job *job = job_at(&model->store, number);
    struct tube *tube = tube_of(model, job);
    bool is_others = job->state == JOB_RESERVED && lease_at(model, job->at)->conn != conn;
    if (conn && (is_others || job->state == JOB_DONE))
        return MODEL_NOT_FOUND;
    if (conn && job->state == JOB_RESERVED) /* how beanstalkd's workers say that it is done */
        model_call_back(model, number, CALLBACK_DONE, SLICE(""), now);
    if (job->state == JOB_RESERVED)
        model_end_lease(model, number);
    model_leave(model, number);
    model_drop(model, number, true);
    tube->counts.n_deletes++;
    model_serve(model, tube, now);
    model_tube_release(model, tube);
    return MODEL_OK;
}

static void kick(struct model *model, uint32_t number, struct model_now now)
{
    struct job *job = job_at(&model->store, number);
    struct job_extra *extra = job_extra(&model->store, job);
    struct tube *tube = tube_of(model, job);
    model_leave(model, number);
    job_count(&job->n_kicks);
    /* Somebody wants it after all: its time begins anew, and has no end. */
    if (job->state == JOB_BURIED)
        job->n_attempts = 0;
    if (extra)
        extra->expire_ms = 0;
    set_result(model, number, SLICE(""));
    model_enter(model, number, JOB_READY);
    model_log(model, MODEL_LOG_STATE, number);
    model_serve(model, tube, now);
}

/* Who wants failed jobs done does not mean those of the clock: so many are passed over. */
static uint32_t kick_delayed(struct model *model, struct tube *tube, uint32_t n,
                             struct model_now now)
{
    uint32_t passed[PASSED_MAX], number;
    uint32_t n_passed = 0, n_kicked = 0;
    while (n_kicked < n && n_passed < PASSED_MAX &&
           (number = job_heap_first(&tube->delayed)) != JOB_NONE) {
        if (job_waits_for_schedule(&model->store, job_at(&model->store, number))) {
            job_heap_remove(&tube->delayed, &model->store, number);
            passed[n_passed++] = number;
        } else {
            kick(model, number, now);
            n_kicked++;
        }
    }
    for (uint32_t i = 0; i < n_passed; i++)
        job_heap_insert(&tube->delayed, &model->store, passed[i]);
    model_arm_tube(model, tube, now);
    return n_kicked;
}

uint32_t model_kick(struct model *model, struct tube *tube, enum job_state state, uint32_t n,
                    struct model_now now)
{
    model_begin(model);
    assert(state == JOB_BURIED || state == JOB_DELAYED);
    n = n < MODEL_KICK_MAX ? n : MODEL_KICK_MAX;
    if (state == JOB_DELAYED)
        return kick_delayed(model, tube, n, now);
    uint32_t n_kicked = 0;
    for (; n_kicked < n && tube->buried.next != JOB_NONE; n_kicked++)
        kick(model, tube->buried.next, now);
    return n_kicked;
}

enum model_result model_kick_job(struct model *model, uint64_t id, struct model_now now)
{
    model_begin(model);
    uint32_t number = job_find(&model->store, id);
    if (number == JOB_NONE)
        return MODEL_NOT_FOUND;
    const struct job *job = job_at(&model->store, number);
    if (job->state != JOB_BURIED && job->state != JOB_DELAYED)
        return MODEL_NOT_FOUND;
    kick(model, number, now);
    return MODEL_OK;
}

enum model_result model_bury_job(struct model *model, uint64_t id, struct model_now now)
{
    model_begin(model);
    uint32_t number = job_find(&model->store, id);
    if (number == JOB_NONE)
        return MODEL_NOT_FOUND;
    const struct job *job = job_at(&model->store, number);
    if (job->state != JOB_READY && job->state != JOB_DELAYED)
        return MODEL_NOT_FOUND;
    model_leave(model, number);
    bury(model, number, SLICE(""), now);
    return MODEL_OK;
}

static void log_tube(struct model *model, const struct tube *tube)
{
    model_act(model, MODEL_LOG_TUBE, 0)->tube = tube->number;
}

void model_pause(struct model *model, struct tube *tube, uint64_t pause_ms, struct model_now now)
{
    model_begin(model);
    bool is_endless = pause_ms >= KEY_MS_MAX - now.wall_ms;
    tube->pause_ms = pause_ms;
    tube->paused_until_ms = is_endless ? TUBE_FOR_EVER : now.wall_ms + pause_ms;
    if (pause_ms == 0)
        tube->paused_until_ms = 0;
    tube->counts.n_pauses++;
    model->has_idle_tubes |= pause_ms == 0;
    log_tube(model, tube);
    model_serve(model, tube, now);
}

void model_drain_tube(struct model *model, struct tube *tube, bool is_draining)
{
    model_begin(model);
    tube->is_draining = is_draining;
    model->has_idle_tubes |= !is_draining;
    log_tube(model, tube);
}

void model_drain(struct model *model, bool is_draining)
{
    model_begin(model);
    model->is_draining = is_draining;
}

/* ---- the operator's file --------------------------------------------------------------------- */

static void set_policy(struct model *model, struct tube *tube, const struct tube_policy *policy,
                       struct model_now now)
{
    uint64_t due_ns = tube->rate.due_ns;
    tube->policy = *policy;
    limit_rate_init(&tube->rate, policy->rate_n, policy->rate_per_ns, policy->rate_burst);
    tube->rate.due_ns = due_ns;
    model_serve(model, tube, now);
}

enum model_result model_configure(struct model *model, struct slice name,
                                  const struct tube_policy *policy, struct model_now now)
{
    model_begin(model);
    struct tube *tube = model_tube_make(model, name, true);
    if (!tube)
        return MODEL_FULL;
    tube->is_configured = true;
    set_policy(model, tube, policy, now);
    return MODEL_OK;
}

void model_unconfigure(struct model *model, struct slice name, struct model_now now)
{
    struct tube_policy policy;
    model_begin(model);
    struct tube *tube = model_tube(model, name);
    if (!tube)
        return;
    tube_policy_init(&policy);
    tube->is_configured = slice_is(name, "default");
    set_policy(model, tube, &policy, now);
    model_tube_release(model, tube);
}
