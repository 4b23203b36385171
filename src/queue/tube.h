/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_TUBE_H
#define QUEUE_TUBE_H

/*
 * A tube: the jobs of one name in their orders, who waits for one, and its policy. Tubes are made
 * when they are first named and go when nobody needs them; one that the file names (a `queue`) has
 * a policy of its own and stays.
 *
 *     ready     heap by (priority, id)        buried    list, the longest buried first
 *     delayed   heap by (due, id)             waiters   list, who has waited longest first
 *
 * The model changes tubes; everybody may read them.
 */

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/slice.h"
#include "limit/rate.h"
#include "queue/callback.h"
#include "queue/job.h"
#include "queue/job_heap.h"
#include <stdbool.h>
#include <stdint.h>

enum { TUBE_NAME_MAX = 200, TUBE_URGENT = 1024 /* priorities below are counted as urgent */ };

#define TUBE_FOR_EVER UINT64_MAX /* tube.paused_until_ms */

/* What becomes of a job whose attempt ended so. */
enum retry_action {
    RETRY_LATER, /* after the back-off, or dead where this was the last attempt */
    RETRY_DEAD,  /* buried at once */
    RETRY_HELD,  /* after the back-off; the attempt does not count */
};

/*
 * The back-off before attempt n + 1 is random within 0 .. min(max, base * 2^(n - 1)): full jitter,
 * so that jobs that failed together do not come together again.
 */
struct retry_rule {
    enum retry_action action;
    uint32_t base_ms; /* 0: again at once */
    uint32_t max_ms;
};

struct tube_policy {
    struct retry_rule retry[JOB_N_ERRORS]; /* [JOB_ERROR_NONE] is not used */
    uint32_t attempts_max;                 /* 0: no limit; above UINT16_MAX is none either */
    uint32_t ttl_s;                        /* of a job that waits; 0: for ever */
    uint32_t result_s;                     /* how long results are kept; 0: not at all */
    uint32_t concurrency_max;              /* leases at once; 0: no limit */
    uint64_t rate_n, rate_per_ns;          /* leases in that time; rate_n 0: no limit */
    uint64_t rate_burst;                   /* 1.. */
    uint64_t jobs_max, bytes_max;          /* 0: no limit but the model's */
    /* Borrowed from whoever set the policy, until another is set; NULL: none. */
    const struct callback_rule *callbacks[CALLBACK_N_ENDS];
};

/* beanstalkd's: whatever is lost is ready again at once, and for ever; nothing else is limited. */
void tube_policy_init(struct tube_policy *policy);

/*
 * The back-off in ms after n_attempts (1..) under a rule. `random` is any 64 bits that are evenly
 * distributed.
 */
uint64_t retry_delay_ms(const struct retry_rule *rule, uint32_t n_attempts, uint64_t random);

/* Cumulative, since this process began. */
struct tube_counts {
    uint64_t n_puts, n_deletes, n_pauses, n_timeouts, n_dead, n_expired;
    uint64_t n_refused;                    /* puts, for limits */
    uint64_t n_callbacks[CALLBACK_N_ENDS]; /* put for jobs of this tube */
    /* By schedule.c: jobs put ready by the clock, left out for the one before, ready late, and left
     * out because they would have been. */
    uint64_t n_scheduled, n_overlaps, n_late, n_missed;
};

struct tube {
    char name[TUBE_NAME_MAX + 1];
    size_t name_len;
    uint32_t number;
    struct job_heap ready;
    struct job_heap delayed;
    struct job_link buried; /* prev: the last, next: the first */
    struct list waiters;    /* struct model_watch.waiting */
    struct map keys;        /* unique key -> struct job_extra */
    struct tube_policy policy;
    struct limit_rate rate;
    struct heap_node wall_timer; /* the first delayed job, the end of a pause */
    struct heap_node mono_timer; /* when the rate allows the next */
    uint64_t paused_until_ms;    /* wall clock; 0: not paused */
    uint64_t pause_ms;           /* how long the pause was meant to be, for statistics */
    uint64_t n_urgent, n_reserved, n_buried, n_done;
    uint64_t n_bytes;             /* of bodies and results */
    uint32_t n_using, n_watching; /* connections */
    uint32_t n_waiting;           /* connections that wait for a job of it */
    bool is_configured;           /* the file names it: it stays */
    bool is_draining;             /* takes no new jobs */
    struct tube_counts counts;
};

void tube_init(struct tube *tube, struct slice name, uint32_t number, uint64_t seed);
void tube_deinit(struct tube *tube);

static inline struct slice tube_name(const struct tube *tube)
{
    return slice_make(tube->name, tube->name_len);
}

/* Jobs that it has, reserved and done ones too. */
static inline uint64_t tube_n_jobs(const struct tube *tube)
{
    return tube->ready.n + tube->delayed.n + tube->n_reserved + tube->n_buried + tube->n_done;
}

/* Those that somebody will still do. */
static inline uint64_t tube_n_unfinished(const struct tube *tube)
{
    return (uint64_t)tube->ready.n + tube->delayed.n + tube->n_reserved;
}

/* Does anybody or anything need it? */
bool tube_is_needed(const struct tube *tube);

/* May an end of a job bring one into another tube? */
static inline bool tube_has_callbacks(const struct tube *tube)
{
    return tube->policy.callbacks[CALLBACK_DONE] || tube->policy.callbacks[CALLBACK_DEAD];
}

/* Takes a job, whose state says where, in and out of its order, and counts it. */
void tube_link(struct tube *tube, struct job_store *store, uint32_t number);
void tube_unlink(struct tube *tube, struct job_store *store, uint32_t number);

#endif
