/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The orders of a tube's jobs, and the back-off of its policy.
 */

#include "queue/tube.h"

#include <assert.h>

enum { LOST_BACKOFF_MS = 0, FAIL_BASE_MS = 1000, FAIL_MAX_MS = 3600 * 1000 };

void tube_policy_init(struct tube_policy *policy)
{
    *policy = (struct tube_policy){.rate_burst = 1, .rate_per_ns = 1};
    policy->retry[JOB_ERROR_TEMPORARY] =
        (struct retry_rule){RETRY_LATER, FAIL_BASE_MS, FAIL_MAX_MS};
    policy->retry[JOB_ERROR_PERMANENT] = (struct retry_rule){RETRY_DEAD, 0, 0};
    policy->retry[JOB_ERROR_BUSY] = (struct retry_rule){RETRY_HELD, FAIL_BASE_MS, FAIL_MAX_MS};
    policy->retry[JOB_ERROR_TIMEOUT] = (struct retry_rule){RETRY_LATER, LOST_BACKOFF_MS, 0};
    policy->retry[JOB_ERROR_LOST] = (struct retry_rule){RETRY_LATER, LOST_BACKOFF_MS, 0};
}

uint64_t retry_delay_ms(const struct retry_rule *rule, uint32_t n_attempts, uint64_t random)
{
    uint64_t ceiling = rule->base_ms;
    for (uint32_t i = 1; i < n_attempts && ceiling < rule->max_ms; i++)
        ceiling *= 2;
    if (ceiling > rule->max_ms)
        ceiling = rule->max_ms;
    /* The upper half of random * (ceiling + 1): evenly 0..ceiling, up to a share of 2^-31. */
    return (random >> 32) * (ceiling + 1) >> 32;
}

void tube_init(struct tube *tube, struct slice name, uint32_t number, uint64_t seed)
{
    assert(name.len > 0 && name.len <= TUBE_NAME_MAX);
    *tube = (struct tube){.number = number};
    tube->name_len = slice_copy(name, tube->name, sizeof(tube->name));
    job_heap_init(&tube->ready, JOB_BY_PRIORITY);
    job_heap_init(&tube->delayed, JOB_BY_DUE);
    list_init(&tube->waiters);
    map_init(&tube->keys, seed, false);
    heap_node_init(&tube->wall_timer);
    heap_node_init(&tube->mono_timer);
    tube_policy_init(&tube->policy);
    limit_rate_init(&tube->rate, 0, 1, 1);
}

void tube_deinit(struct tube *tube)
{
    job_heap_deinit(&tube->ready);
    job_heap_deinit(&tube->delayed);
    map_deinit(&tube->keys);
}

bool tube_is_needed(const struct tube *tube)
{
    return tube->is_configured || tube->n_using > 0 || tube->n_watching > 0 ||
           tube->paused_until_ms > 0 || tube->is_draining || tube_n_jobs(tube) > 0;
}

static void link_buried(struct tube *tube, struct job_store *store, uint32_t number)
{
    struct job *job = job_at(store, number);
    job->link = (struct job_link){.prev = tube->buried.prev, .next = JOB_NONE};
    if (tube->buried.prev != JOB_NONE)
        job_at(store, tube->buried.prev)->link.next = number;
    else
        tube->buried.next = number;
    tube->buried.prev = number;
    tube->n_buried++;
}

static void unlink_buried(struct tube *tube, struct job_store *store, uint32_t number)
{
    struct job_link link = job_at(store, number)->link;
    if (link.prev != JOB_NONE)
        job_at(store, link.prev)->link.next = link.next;
    else
        tube->buried.next = link.next;
    if (link.next != JOB_NONE)
        job_at(store, link.next)->link.prev = link.prev;
    else
        tube->buried.prev = link.prev;
    tube->n_buried--;
}

void tube_link(struct tube *tube, struct job_store *store, uint32_t number)
{
    const struct job *job = job_at(store, number);
    switch ((enum job_state)job->state) {
    case JOB_READY:
        job_heap_insert(&tube->ready, store, number);
        tube->n_urgent += job->priority < TUBE_URGENT;
        break;
    case JOB_DELAYED:
        job_heap_insert(&tube->delayed, store, number);
        break;
    case JOB_RESERVED:
        tube->n_reserved++;
        break;
    case JOB_BURIED:
        link_buried(tube, store, number);
        break;
    case JOB_DONE:
        tube->n_done++;
        break;
    case JOB_N_STATES:
        assert(false && "a state");
    }
}

void tube_unlink(struct tube *tube, struct job_store *store, uint32_t number)
{
    const struct job *job = job_at(store, number);
    switch ((enum job_state)job->state) {
    case JOB_READY:
        job_heap_remove(&tube->ready, store, number);
        tube->n_urgent -= job->priority < TUBE_URGENT;
        break;
    case JOB_DELAYED:
        job_heap_remove(&tube->delayed, store, number);
        break;
    case JOB_RESERVED:
        tube->n_reserved--;
        break;
    case JOB_BURIED:
        unlink_buried(tube, store, number);
        break;
    case JOB_DONE:
        tube->n_done--;
        break;
    case JOB_N_STATES:
        assert(false && "a state");
    }
}
