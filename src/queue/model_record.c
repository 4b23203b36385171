/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The model as records, and again from them.
 */

#include "queue/model_part.h"

/* ---- out ------------------------------------------------------------------------------------- */

static void take_counters(const struct job *job, struct job_record *record)
{
    record->n_attempts = job->n_attempts;
    record->n_reserves = job->n_reserves;
    record->n_timeouts = job->n_timeouts;
    record->n_releases = job->n_releases;
    record->n_buries = job->n_buries;
    record->n_kicks = job->n_kicks;
}

/* As the log has it: what is reserved is where it was before. */
static void take_state(const struct model *model, const struct job *job, struct job_record *record)
{
    const struct job_extra *extra = job_extra(&model->store, job);
    record->state =
        job->state == JOB_RESERVED ? (enum job_state)job->logged : (enum job_state)job->state;
    record->priority = job->priority;
    record->delay_s = job->delay_s;
    record->due_ms = record->state == JOB_DELAYED ? job->due_ms : 0;
    take_counters(job, record);
    if (!extra)
        return;
    record->expire_ms = extra->expire_ms;
    record->error = (enum job_error)extra->error;
    record->error_text = slice_from(extra->error_text);
    record->result = slice_make(extra->result, extra->result ? extra->result_bytes : 0);
}

void model_snapshot(const struct model *model, const struct job *job, struct job_record *ret_record)
{
    const struct job_extra *extra = job_extra(&model->store, job);
    *ret_record = (struct job_record){.kind = JOB_RECORD_PUT,
                                      .id = job->id,
                                      .tube = tube_name(tube_of(model, job)),
                                      .ttr_s = job->ttr_s,
                                      .created_s = job->created_s,
                                      .body_bytes = job->body_bytes,
                                      .body = job_body(&model->store, job)};
    take_state(model, job, ret_record);
    if (!extra)
        return;
    ret_record->attempts_max = extra->attempts_max;
    ret_record->result_s = extra->result_s;
    ret_record->key = slice_from(extra->key);
}

static void take_tube(const struct tube *tube, struct job_record *record)
{
    *record = (struct job_record){.kind = JOB_RECORD_TUBE,
                                  .tube = tube_name(tube),
                                  .paused_until_ms = tube->paused_until_ms,
                                  .is_draining = tube->is_draining};
}

void model_record(const struct model *model, const struct model_action *action,
                  struct job_record *ret_record)
{
    *ret_record = (struct job_record){.id = action->id};
    const struct job *job = model_find_any(model, action->id);
    switch (action->kind) {
    case MODEL_LOG_PUT:
    case MODEL_LOG_CALL:
        assert(job);
        model_snapshot(model, job, ret_record);
        (void)model_has_body(model, action->id, &ret_record->body);
        return;
    case MODEL_LOG_STATE:
    case MODEL_LOG_LEASE:
        /* What is gone by the end of the call has its DEL behind this one. */
        ret_record->kind =
            action->kind == MODEL_LOG_STATE && job ? JOB_RECORD_STATE : JOB_RECORD_LEASE;
        if (job && ret_record->kind == JOB_RECORD_STATE)
            take_state(model, job, ret_record);
        else if (job)
            take_counters(job, ret_record);
        return;
    case MODEL_LOG_DEL:
        ret_record->kind = JOB_RECORD_DEL;
        return;
    case MODEL_LOG_TUBE:
        take_tube(model->tubes[action->tube], ret_record);
        return;
    case MODEL_LOG_MARK:
        ret_record->kind = JOB_RECORD_MARK;
        return;
    case MODEL_RESERVED:
    case MODEL_TIMED_OUT_NOW:
    case MODEL_DEADLINE_SOON_NOW:
        break;
    }
    assert(false && "an action for the log");
}

void model_placed(struct model *model, uint64_t id, struct wal_place place)
{
    uint32_t number = job_find(&model->store, id);
    if (number != JOB_NONE)
        job_at(&model->store, number)->places = (struct job_places){.put = place};
}

void model_updated(struct model *model, uint64_t id, struct wal_place place)
{
    uint32_t number = job_find(&model->store, id);
    if (number != JOB_NONE)
        job_at(&model->store, number)->places.update = place;
}

/* ---- in -------------------------------------------------------------------------------------- */

static void give_counters(struct job *job, const struct job_record *record)
{
    job->n_attempts = record->n_attempts;
    job->n_reserves = record->n_reserves;
    job->n_timeouts = record->n_timeouts;
    job->n_releases = record->n_releases;
    job->n_buries = record->n_buries;
    job->n_kicks = record->n_kicks;
}

static void add_bytes(struct model *model, struct tube *tube, uint64_t n)
{
    tube->n_bytes += n;
    model->n_bytes += n;
}

static void give_result(struct model *model, struct tube *tube, struct job_extra *extra,
                        struct slice result)
{
    uint64_t former = extra->result_bytes;
    job_set_text(&extra->result, result);
    extra->result_bytes = (uint32_t)result.len;
    model->n_result_bytes += result.len - former;
    add_bytes(model, tube, result.len - former);
}

/* Of a job that is in no order; the body is forgotten with DONE. */
static void give_state(struct model *model, uint32_t number, const struct job_record *record)
{
    struct job *job = job_at(&model->store, number);
    struct tube *tube = tube_of(model, job);
    bool has_extra = record->expire_ms > 0 || record->error != JOB_ERROR_NONE ||
                     record->state == JOB_DONE || record->result.len > 0 || job->extra;
    job->priority = record->priority;
    job->delay_s = record->delay_s;
    give_counters(job, record);
    if (record->state == JOB_DELAYED)
        job->due_ms = record->due_ms;
    if (!has_extra)
        return;
    struct job_extra *extra = job_extra_of(&model->store, number);
    extra->expire_ms = record->expire_ms;
    extra->error = (uint8_t)record->error;
    job_set_text(&extra->error_text, record->error_text);
    give_result(model, tube, extra, record->result);
    if (record->state != JOB_DONE)
        return;
    tube->n_bytes -= job->body_bytes;
    model->n_bytes -= job->body_bytes;
    job_drop_body(&model->store, job);
}

static void enter_as_logged(struct model *model, uint32_t number, enum job_state state)
{
    struct job *job = job_at(&model->store, number);
    job->logged = (uint8_t)state;
    model_enter(model, number, state);
}

static int replay_put(struct model *model, const struct job_record *record, struct wal_place place)
{
    uint32_t former = job_find(&model->store, record->id);
    if (former != JOB_NONE) { /* the cleaner has moved it: this one holds all */
        model_leave(model, former);
        model_drop(model, former, false);
    }
    struct tube *tube = model_tube_make(model, record->tube, false);
    if (record->key.len > 0 && map_get(&tube->keys, job_key_unique(record->key)))
        return -1;
    uint32_t number = job_add(&model->store, record->id);
    struct job *job = job_at(&model->store, number);
    job->tube = tube->number;
    job->places.put = place;
    job->ttr_s = record->ttr_s;
    job->created_s = record->created_s;
    job_set_body(&model->store, job, record->body);
    job->body_bytes = record->body_bytes;
    add_bytes(model, tube, record->body_bytes);
    if (record->key.len > 0 || record->attempts_max > 0 || record->result_s > 0) {
        struct job_extra *extra = job_extra_of(&model->store, number);
        extra->attempts_max = record->attempts_max;
        extra->result_s = record->result_s;
        job_set_text(&extra->key, record->key);
        if (extra->key)
            map_put(&tube->keys, job_key_unique(slice_from(extra->key)), extra);
    }
    give_state(model, number, record);
    enter_as_logged(model, number, record->state);
    if (record->id >= model->next_id)
        model->next_id = record->id + 1;
    return 0;
}

static void replay_job(struct model *model, uint32_t number, const struct job_record *record,
                       struct wal_place place)
{
    struct tube *tube = tube_of(model, job_at(&model->store, number));
    if (record->kind != JOB_RECORD_DEL)
        job_at(&model->store, number)->places.update = place;
    if (record->kind == JOB_RECORD_LEASE) {
        give_counters(job_at(&model->store, number), record);
        return;
    }
    model_leave(model, number);
    if (record->kind == JOB_RECORD_DEL) {
        model_drop(model, number, false);
        model_tube_release(model, tube);
        return;
    }
    give_state(model, number, record);
    enter_as_logged(model, number, record->state);
}

static void replay_tube(struct model *model, const struct job_record *record)
{
    struct tube *tube = model_tube_make(model, record->tube, false);
    tube->paused_until_ms = record->paused_until_ms;
    tube->is_draining = record->is_draining;
    model_tube_release(model, tube);
}

/* Timers of what was replayed; there are no rates and leases yet, so that the time is no matter. */
static void arm(struct model *model, struct slice name)
{
    struct tube *tube = model_tube(model, name);
    if (tube)
        model_arm_tube(model, tube, (struct model_now){0, 0});
}

int model_replay_at(struct model *model, const struct job_record *record, struct wal_place place)
{
    model_begin(model);
    assert(model->n_conns == 0);
    uint32_t number = job_find(&model->store, record->id);
    switch (record->kind) {
    case JOB_RECORD_PUT:
        if (replay_put(model, record, place) < 0)
            return -1;
        arm(model, record->tube);
        return 0;
    case JOB_RECORD_STATE:
    case JOB_RECORD_LEASE:
    case JOB_RECORD_DEL:
        if (number == JOB_NONE)
            return 0;
        struct tube *tube = tube_of(model, job_at(&model->store, number));
        char name[TUBE_NAME_MAX + 1];
        size_t len = slice_copy(tube_name(tube), name, sizeof(name));
        replay_job(model, number, record, place);
        arm(model, slice_make(name, len));
        return 0;
    case JOB_RECORD_TUBE:
        replay_tube(model, record);
        arm(model, record->tube);
        return 0;
    case JOB_RECORD_MARK:
        if (record->id > model->next_id)
            model->next_id = record->id;
        model->id_end = model->next_id;
        return 0;
    }
    return -1;
}
