/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Looking at jobs without changing any.
 */

#include "queue/model_part.h"

const struct job *model_find_any(const struct model *model, uint64_t id)
{
    uint32_t number = job_find(&model->store, id);
    return number == JOB_NONE ? NULL : job_at(&model->store, number);
}

const struct job *model_find(const struct model *model, uint64_t id)
{
    const struct job *job = model_find_any(model, id);
    return job && job->state != JOB_DONE ? job : NULL;
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
    } else {
        return 0;
    }
    return end_ms > now_ms ? end_ms - now_ms : 0;
}
