/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_DELIVER_REPLY_H
#define QUEUE_DELIVER_REPLY_H

/*
 * What the answer to a delivery means for its job: a table, without a socket or a clock.
 *
 *     2xx                                      done
 *     408 409 425 429 5xx, no answer           again, as the queue's retry policy says, and not
 *                                              before Retry-After
 *     3xx (never followed), other 4xx          dead
 *     Weir-Answer: no_member, queue_full, ...  held: nobody has seen the job, the attempt does not
 *                                              count
 *
 * Weir-Answer is of the edge alone (queue/deliver_conf.h).
 */

#include "base/slice.h"
#include "queue/job.h"
#include <stdint.h>

enum deliver_end {
    DELIVER_DONE,
    DELIVER_AGAIN,
    DELIVER_DEAD,
    DELIVER_HELD,
    DELIVER_LOST,      /* the job was deleted, or its lease ran out, while it was delivered */
    DELIVER_CANCELLED, /* given back as this process ends */
    DELIVER_N_ENDS
};

struct deliver_reply {
    unsigned status;          /* 0: no answer */
    const char *failure;      /* why there is none */
    struct slice reason;      /* behind the status, as the member says it */
    struct slice answer;      /* of Weir-Answer, empty: a member's */
    struct slice retry_after; /* of Retry-After, or empty */
    struct slice body;        /* what came of it */
};

struct deliver_verdict {
    enum deliver_end end;
    uint64_t least_ms;            /* AGAIN: not before that; from now */
    char text[JOB_ERROR_MAX + 1]; /* AGAIN, DEAD, HELD: "503 Service Unavailable: its first line" */
};

/* retry_after_max_ms is the longest that a Retry-After counts. */
void deliver_judge(const struct deliver_reply *reply, uint64_t wall_s, uint64_t retry_after_max_ms,
                   struct deliver_verdict *ret_verdict);

/* Seconds from wall_s on, of a Retry-After (RFC 9110 section 10.2.3): a number, or a date in the
 * form that is to be generated (section 5.6.7). 0 for a date that has passed and for nonsense. */
uint64_t deliver_retry_after_s(struct slice value, uint64_t wall_s);

#endif
