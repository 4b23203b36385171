/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Looking at jobs without changing any.
 */

#include "queue/model_part.h"

#include "base/mem.h"

const struct job *model_find_any(const struct model *model, uint64_t id)
{
    uint32_t number = job_find(&model->store, id);
    return number == JOB_NONE ? NULL : job_at(&model->store, number);
}

const struct job *model_find_key(const struct model *model, const struct tube *tube,
                                 struct slice key)
{
    const struct job_extra *extra = map_get(&tube->keys, job_key_unique(key));
    return extra ? job_at(&model->store, extra->job) : NULL;
}

const struct job *model_find(const struct model *model, uint64_t id)
{
    const struct job *job = model_find_any(model, id);
    return job && job->state != JOB_DONE ? job : NULL;
}

bool model_has(const struct model *model, const struct model_conn *conn, uint64_t id)
{
    const struct job *job = model_find(model, id);
    return job && job->state == JOB_RESERVED && lease_at(model, job->at)->conn == conn;
}

uint64_t model_first_leased(const struct model *model, const struct model_conn *conn)
{
    if (conn->leases.n_slots == 0)
        return 0;
    const struct lease *lease = CONTAINER_OF(heap_first(&conn->leases), struct lease, node);
    return job_at(&model->store, lease->job)->id;
}

const struct job *model_peek(const struct model *model, const struct tube *tube,
                             enum job_state state)
{
    uint32_t number = JOB_NONE;
    if (state == JOB_READY)
        number = job_heap_first(&tube->ready);
    else if (state == JOB_DELAYED)
        number = job_heap_first(&tube->delayed);
    else if (state == JOB_BURIED)
        number = tube->buried.next;
    return number == JOB_NONE ? NULL : job_at(&model->store, number);
}

uint32_t model_list(const struct model *model, const struct tube *tube, enum job_state state,
                    uint32_t *cursor, const struct job **ret_jobs, uint32_t n_max)
{
    const struct job_store *store = &model->store;
    uint32_t n_left = store->jobs.n_used > *cursor ? store->jobs.n_used - *cursor : 0;
    uint32_t end = *cursor + (n_left < MODEL_LIST_SCAN ? n_left : MODEL_LIST_SCAN);
    uint32_t n = 0, number = *cursor;
    for (; number < end && n < n_max; number++) {
        if (number == JOB_NONE)
            continue;
        /* Also what is free has a tube and a state, those of its last job. */
        const struct job *job = job_at(store, number);
        if (job->tube == tube->number && job->state == state && job_is_at(store, number))
            ret_jobs[n++] = job;
    }
    *cursor = number < store->jobs.n_used ? number : 0;
    return n;
}

uint64_t model_left_ms(const struct model *model, const struct job *job, struct model_now now)
{
    uint64_t end_ms;
    uint64_t now_ms;
    if (job->state == JOB_RESERVED) {
        const struct lease *lease = lease_at(model, job->at);
        end_ms = key_ms(heap_key(&lease->conn->leases, &lease->node));
        now_ms = now.mono_ms;
    } else if (job->state == JOB_DELAYED) {
        end_ms = job->due_ms;
        now_ms = now.wall_ms;
    } else if (job->state == JOB_DONE) {
        const struct job_extra *extra = job_extra(&model->store, job);
        assert(extra);
        end_ms = extra->expire_ms;
        now_ms = now.wall_ms;
    } else {
        return 0;
    }
    return end_ms > now_ms ? end_ms - now_ms : 0;
}

uint64_t model_oldest_ms(const struct model *model, const struct tube *tube, struct model_now now)
{
    enum { LOOKS = 1000, MS_PER_S = 1000 };
    uint64_t oldest_s = UINT64_MAX / MS_PER_S;
    for (uint32_t i = 0; i < tube->ready.n && i < LOOKS; i++) {
        const struct job *job = job_at(&model->store, tube->ready.slots[i]);
        oldest_s = job->created_s < oldest_s ? job->created_s : oldest_s;
    }
    uint64_t created_ms = oldest_s * MS_PER_S;
    return now.wall_ms > created_ms ? now.wall_ms - created_ms : 0;
}
