/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What time brings: ends of lives, of results, of delays, of pauses, of leases and of patience.
 */

#include "queue/model_part.h"

#include "base/mem.h"

/* Is the first of the heap due? */
static bool is_due(const struct heap *heap, uint64_t now_ms)
{
    return heap->n_slots > 0 && key_ms(heap_first_key(heap)) <= now_ms;
}

static uint64_t n_callbacks(const struct tube *tube)
{
    return tube->counts.n_callbacks[CALLBACK_DEAD];
}

/* The first that is due. Returns how much it did. */
static uint32_t expire(struct model *model, struct model_now now)
{
    struct heap_node *node = heap_first(&model->expiries);
    uint32_t number = CONTAINER_OF(node, struct job_extra, expiry)->job;
    const struct job *job = job_at(&model->store, number);
    struct tube *tube = tube_of(model, job);
    uint64_t n_before = n_callbacks(tube);
    bool is_drop = job->state != JOB_DONE;
    if (is_drop && !model_may_fail(model, job)) {
        uint64_t again_ms = now.wall_ms + MODEL_EXPIRE_AGAIN_MS;
        heap_move(&model->expiries, node, key_make(again_ms, job->id));
        return 1;
    }
    tube->counts.n_expired += is_drop;
    if (is_drop)
        model_call_expired(model, number, now);
    uint32_t n_done = n_callbacks(tube) > n_before ? MODEL_EXPIRE_WORK : 1;
    model_leave(model, number);
    model_drop(model, number, true);
    model_arm_tube(model, tube, now);
    model_tube_release(model, tube);
    return n_done;
}

static uint32_t less(uint32_t left, uint32_t n)
{
    return left - (n < left ? n : left);
}

/* Returns how many jobs became ready, at most `max`. */
static uint32_t wake_delayed(struct model *model, struct tube *tube, uint32_t max,
                             struct model_now now)
{
    uint32_t n = 0;
    for (; n < max; n++) {
        uint32_t number = job_heap_first(&tube->delayed);
        if (number == JOB_NONE || job_at(&model->store, number)->due_ms > now.wall_ms)
            break;
        model_leave(model, number);
        model_enter(model, number, JOB_READY);
    }
    return n;
}

static uint32_t wake_tube(struct model *model, uint32_t max, struct model_now now)
{
    struct tube *tube = CONTAINER_OF(heap_first(&model->wall_timers), struct tube, wall_timer);
    if (tube->paused_until_ms <= now.wall_ms)
        tube->paused_until_ms = 0;
    uint32_t n = wake_delayed(model, tube, max, now);
    model_serve(model, tube, now);
    model_tube_release(model, tube);
    return n + 1;
}

static void say(struct model *model, struct model_conn *conn, enum model_action_kind kind)
{
    model_stop_waiting(model, conn);
    model_act(model, kind, 0)->conn = conn;
}

/* Returns how much it did, at most about `max`. */
static uint32_t wake_conn(struct model *model, uint32_t max, struct model_now now)
{
    struct model_conn *conn =
        CONTAINER_OF(heap_first(&model->conn_timers), struct model_conn, timer);
    const struct model_failure failure = {.error = JOB_ERROR_TIMEOUT};
    uint32_t n = 1;
    if (conn->is_waiting && model_is_soon(conn, now))
        say(model, conn, MODEL_DEADLINE_SOON_NOW);
    while (n < max && is_due(&conn->leases, now.mono_ms)) {
        const struct lease *lease = CONTAINER_OF(heap_first(&conn->leases), struct lease, node);
        model_fail_attempt(model, lease->job, &failure, now);
        n++;
    }
    if (conn->is_waiting && conn->wait_until_ms <= now.mono_ms)
        say(model, conn, MODEL_TIMED_OUT_NOW);
    return n;
}

static void release_idle_tubes(struct model *model)
{
    model->has_idle_tubes = false;
    for (uint32_t i = 0; i < model->n_tube_slots; i++)
        if (model->tubes[i])
            model_tube_release(model, model->tubes[i]);
}

bool model_tick(struct model *model, struct model_now now)
{
    uint32_t left = MODEL_TICK_MAX;
    model_begin(model);
    if (model->has_idle_tubes)
        release_idle_tubes(model);
    while (left > 0 && is_due(&model->expiries, now.wall_ms))
        left = less(left, expire(model, now));
    while (left > 0 && is_due(&model->wall_timers, now.wall_ms))
        left = less(left, wake_tube(model, left, now));
    for (; left > 0 && is_due(&model->mono_timers, now.mono_ms); left--)
        model_serve(model, CONTAINER_OF(heap_first(&model->mono_timers), struct tube, mono_timer),
                    now);
    while (left > 0 && is_due(&model->conn_timers, now.mono_ms))
        left = less(left, wake_conn(model, left + 1, now));
    return left == 0;
}

static uint64_t first_ms(const struct heap *heap)
{
    return heap->n_slots > 0 ? key_ms(heap_first_key(heap)) : UINT64_MAX;
}

uint64_t model_next_wall_ms(const struct model *model)
{
    uint64_t tubes_ms = first_ms(&model->wall_timers);
    uint64_t expiries_ms = first_ms(&model->expiries);
    return tubes_ms < expiries_ms ? tubes_ms : expiries_ms;
}

uint64_t model_next_mono_ms(const struct model *model)
{
    uint64_t tubes_ms = first_ms(&model->mono_timers);
    uint64_t conns_ms = first_ms(&model->conn_timers);
    return tubes_ms < conns_ms ? tubes_ms : conns_ms;
}
