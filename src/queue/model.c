/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The model's own life, its actions, the states of jobs, and its tubes.
 */

#include "queue/model_part.h"

#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

enum { TUBE_SLOTS_MIN = 16, ACTIONS_MIN = 64, TUBES_LIMIT = 1 << KEY_BITS, NS_PER_MS = 1000000 };

struct model *model_create(const struct model_limits *limits, uint64_t seed)
{
    assert(limits->jobs_max > 0 && limits->jobs_max < UINT32_MAX / 2);
    assert(limits->tubes_max > 0 && limits->tubes_max <= TUBES_LIMIT && limits->watches_max > 0);
    struct model *model = MEM_NEW(struct model);
    model->limits = *limits;
    model->seed = hash_mix(seed);
    rng_init(&model->rng, seed);
    job_store_init(&model->store);
    job_pool_init(&model->leases, sizeof(struct lease));
    map_init(&model->names, model->seed, false);
    heap_init(&model->wall_timers);
    heap_init(&model->mono_timers);
    heap_init(&model->conn_timers);
    heap_init(&model->expiries);
    model->results_max = UINT64_MAX;
    model->next_id = model->id_end = 1;
    model_tube_make(model, SLICE("default"), false)->is_configured = true;
    return model;
}

void model_destroy(struct model **model_ptr)
{
    struct model *model = *model_ptr;
    assert(model->n_conns == 0);
    for (uint32_t i = 0; i < model->n_tube_slots; i++) {
        if (!model->tubes[i])
            continue;
        tube_deinit(model->tubes[i]);
        mem_free(model->tubes[i]);
    }
    mem_free(model->tubes);
    mem_free(model->actions);
    mem_free(model->calls);
    text_deinit(&model->call_bytes);
    map_deinit(&model->names);
    heap_deinit(&model->wall_timers);
    heap_deinit(&model->mono_timers);
    heap_deinit(&model->conn_timers);
    heap_deinit(&model->expiries);
    job_pool_deinit(&model->leases);
    job_store_deinit(&model->store);
    mem_free(model);
    *model_ptr = NULL;
}

/* ---- actions --------------------------------------------------------------------------------- */

void model_begin(struct model *model)
{
    model->n_actions = 0;
    model_forget_body(model);
}

void model_forget_body(struct model *model)
{
    model->put_id = 0;
    model->put_body = SLICE("");
    model->n_calls = 0;
    text_clear(&model->call_bytes);
}

struct model_action *model_act(struct model *model, enum model_action_kind kind, uint64_t id)
{
    if (model->n_actions == model->cap_actions) {
        model->cap_actions = model->cap_actions ? 2 * model->cap_actions : ACTIONS_MIN;
        model->actions = mem_realloc(model->actions, model->cap_actions * sizeof(*model->actions));
    }
    struct model_action *action = &model->actions[model->n_actions++];
    *action = (struct model_action){.kind = kind, .id = id};
    return action;
}

void model_log(struct model *model, enum model_action_kind kind, uint32_t number)
{
    struct job *job = job_at(&model->store, number);
    struct model_action *action = model_act(model, kind, job->id);
    if (kind == MODEL_LOG_DEL)
        action->places = job->places;
    if (kind == MODEL_LOG_PUT || kind == MODEL_LOG_STATE || kind == MODEL_LOG_CALL)
        job->logged = job->state;
}

/* ---- states ---------------------------------------------------------------------------------- */

/* Whom a state may follow, a bit each; a new job comes from nowhere into the first four. */
static const uint8_t allowed_from[JOB_N_STATES] = {
    [JOB_READY] = 1 << JOB_READY | 1 << JOB_DELAYED | 1 << JOB_RESERVED | 1 << JOB_BURIED,
    [JOB_DELAYED] = 1 << JOB_READY | 1 << JOB_DELAYED | 1 << JOB_RESERVED | 1 << JOB_BURIED,
    [JOB_RESERVED] = 1 << JOB_READY | 1 << JOB_DELAYED | 1 << JOB_BURIED,
    [JOB_BURIED] = 1 << JOB_READY | 1 << JOB_DELAYED | 1 << JOB_RESERVED | 1 << JOB_BURIED,
    [JOB_DONE] =
        1 << JOB_READY | 1 << JOB_DELAYED | 1 << JOB_RESERVED | 1 << JOB_BURIED | 1 << JOB_DONE,
};

/* In these a job's expire_ms counts. */
static bool has_expiry(enum job_state state)
{
    return state == JOB_READY || state == JOB_DELAYED || state == JOB_DONE;
}

void model_leave(struct model *model, uint32_t number)
{
    struct job *job = job_at(&model->store, number);
    struct job_extra *extra = job_extra(&model->store, job);
    if (extra && job_waits_for_schedule(&model->store, job))
        model->has_schedule_left = true;
    tube_unlink(tube_of(model, job), &model->store, number);
    if (extra && heap_has(&extra->expiry))
        heap_remove(&model->expiries, &extra->expiry);
}

void model_enter(struct model *model, uint32_t number, enum job_state state)
{
    struct job *job = job_at(&model->store, number);
    struct job_extra *extra = job_extra(&model->store, job);
    assert(allowed_from[state] & 1 << job->state);
    job->state = (uint8_t)state;
    tube_link(tube_of(model, job), &model->store, number);
    if (extra && extra->expire_ms > 0 && has_expiry(state))
        heap_insert(&model->expiries, &extra->expiry, key_make(extra->expire_ms, job->id));
}

void model_drop(struct model *model, uint32_t number, bool is_logged)
{
    struct job *job = job_at(&model->store, number);
    struct job_extra *extra = job_extra(&model->store, job);
    struct tube *tube = tube_of(model, job);
    uint64_t n_bytes = job->body_bytes + (extra ? extra->result_bytes : 0);
    tube->n_bytes -= n_bytes;
    model->n_bytes -= n_bytes;
    model->n_result_bytes -= extra ? extra->result_bytes : 0;
    if (extra && extra->key)
        map_remove(&tube->keys, job_key_unique(slice_from(extra->key)));
    if (is_logged)
        model_log(model, MODEL_LOG_DEL, number);
    job_free(&model->store, number);
}

bool model_is_expired(const struct model *model, const struct job *job, struct model_now now)
{
    const struct job_extra *extra = job_extra(&model->store, job);
    return extra && extra->expire_ms > 0 && extra->expire_ms <= now.wall_ms;
}

/* ---- tubes ----------------------------------------------------------------------------------- */

static uint32_t free_slot(struct model *model)
{
    for (uint32_t i = 0; model->n_tubes < model->n_tube_slots; i++)
        if (!model->tubes[i])
            return i;
    uint32_t former = model->n_tube_slots;
    model->n_tube_slots = former ? 2 * former : TUBE_SLOTS_MIN;
    model->tubes = mem_realloc(model->tubes, model->n_tube_slots * sizeof(struct tube *));
    memset(model->tubes + former, 0, (model->n_tube_slots - former) * sizeof(struct tube *));
    return former;
}

struct tube *model_tube(const struct model *model, struct slice name)
{
    return map_get(&model->names, name);
}

struct tube *model_tube_make(struct model *model, struct slice name, bool is_limited)
{
    struct tube *tube = model_tube(model, name);
    if (tube)
        return tube;
    if (is_limited && model->n_tubes >= model->limits.tubes_max)
        return NULL;
    uint32_t number = free_slot(model);
    tube = MEM_NEW(struct tube);
    tube_init(tube, name, number, model->seed);
    model->tubes[number] = tube;
    model->n_tubes++;
    map_put(&model->names, tube_name(tube), tube);
    return tube;
}

void model_tube_release(struct model *model, struct tube *tube)
{
    if (tube_is_needed(tube))
        return;
    assert(list_is_empty(&tube->waiters) && tube->keys.n_live == 0);
    if (heap_has(&tube->wall_timer))
        heap_remove(&model->wall_timers, &tube->wall_timer);
    if (heap_has(&tube->mono_timer))
        heap_remove(&model->mono_timers, &tube->mono_timer);
    map_remove(&model->names, tube_name(tube));
    model->tubes[tube->number] = NULL;
    model->n_tubes--;
    tube_deinit(tube);
    mem_free(tube);
}

/* ms UINT64_MAX: never. */
static void arm(struct heap *heap, struct heap_node *node, uint64_t ms, uint32_t number)
{
    if (ms == UINT64_MAX && heap_has(node))
        heap_remove(heap, node);
    else if (ms != UINT64_MAX && heap_has(node))
        heap_move(heap, node, key_make(ms, number));
    else if (ms != UINT64_MAX)
        heap_insert(heap, node, key_make(ms, number));
}

static uint64_t ns_of(struct model_now now)
{
    return now.mono_ms * NS_PER_MS;
}

enum model_hold model_hold(const struct tube *tube, struct model_now now)
{
    uint32_t most = tube->policy.concurrency_max;
    if (tube->ready.n == 0)
        return MODEL_HOLD_EMPTY;
    if (tube->paused_until_ms > now.wall_ms)
        return MODEL_HOLD_PAUSE;
    if (most > 0 && tube->n_reserved >= most)
        return MODEL_HOLD_CONCURRENCY;
    bool is_slow = limit_rate_next_ns(&tube->rate, ns_of(now)) != ns_of(now);
    return is_slow ? MODEL_HOLD_RATE : MODEL_HOLD_NONE;
}

bool model_may_give(const struct tube *tube, struct model_now now)
{
    return model_hold(tube, now) == MODEL_HOLD_NONE;
}

/* When the rate lets who waits have what is ready; UINT64_MAX: something else forbids it. */
static uint64_t next_given_ms(const struct tube *tube, struct model_now now)
{
    uint64_t next_ns = limit_rate_next_ns(&tube->rate, ns_of(now));
    if (next_ns > ns_of(now))
        return (next_ns + NS_PER_MS - 1) / NS_PER_MS;
    return model_may_give(tube, now) ? now.mono_ms : UINT64_MAX;
}

void model_arm_tube(struct model *model, struct tube *tube, struct model_now now)
{
    uint64_t wall_ms = UINT64_MAX;
    uint64_t mono_ms = UINT64_MAX;
    if (tube->paused_until_ms > 0 && tube->paused_until_ms != TUBE_FOR_EVER)
        wall_ms = tube->paused_until_ms;
    if (tube->delayed.n > 0) {
        uint64_t due_ms = job_at(&model->store, job_heap_first(&tube->delayed))->due_ms;
        wall_ms = due_ms < wall_ms ? due_ms : wall_ms;
    }
    if (tube->rate.interval_ns > 0 && tube->ready.n > 0 && tube->n_waiting > 0)
        mono_ms = next_given_ms(tube, now);
    arm(&model->wall_timers, &tube->wall_timer, wall_ms, tube->number);
    arm(&model->mono_timers, &tube->mono_timer, mono_ms, tube->number);
}

void model_serve(struct model *model, struct tube *tube, struct model_now now)
{
    while (tube->n_waiting > 0 && model_may_give(tube, now)) {
        struct model_watch *watch = LIST_FIRST(&tube->waiters, struct model_watch, waiting);
        assert(watch);
        struct model_conn *conn = watch->conn;
        uint32_t number = job_heap_first(&tube->ready);
        model_stop_waiting(model, conn);
        model_leave(model, number);
        model_lease(model, conn, number, now);
        limit_rate_note(&tube->rate, ns_of(now));
        model_act(model, MODEL_RESERVED, job_at(&model->store, number)->id)->conn = conn;
    }
    model_arm_tube(model, tube, now);
}
