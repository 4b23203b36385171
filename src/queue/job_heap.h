/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_JOB_HEAP_H
#define QUEUE_JOB_HEAP_H

/*
 * An order of jobs in 4 bytes a job: a 4-ary min-heap of their numbers, whose keys lie in the jobs.
 * Ready jobs are in the order of (priority, id), delayed ones in that of (due_ms, id). A job knows
 * its place (job->at), so that any can be taken out.
 */

#include "queue/job.h"
#include <stdint.h>

enum job_order { JOB_BY_PRIORITY, JOB_BY_DUE };

struct job_heap {
    uint32_t *slots; /* numbers of jobs */
    uint32_t n, cap;
    enum job_order order;
};

void job_heap_init(struct job_heap *heap, enum job_order order);
void job_heap_deinit(struct job_heap *heap);
/* The job is in no heap. */
void job_heap_insert(struct job_heap *heap, const struct job_store *store, uint32_t number);
/* The job is in this heap. */
void job_heap_remove(struct job_heap *heap, const struct job_store *store, uint32_t number);

/* The number of the first, or JOB_NONE. */
static inline uint32_t job_heap_first(const struct job_heap *heap)
{
    return heap->n ? heap->slots[0] : JOB_NONE;
}

/* In the order of ready jobs: is `a` before `b`? */
static inline bool job_is_before(const struct job *a, const struct job *b)
{
    return a->priority != b->priority ? a->priority < b->priority : a->id < b->id;
}

#endif
