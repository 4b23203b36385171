/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POOL_EJECT_CONF_H
#define POOL_EJECT_CONF_H

/*
 * When a member is taken out because requests to it fail, whatever its check says; the `eject` of a
 * pool. Edges count, health ejects (health/eject.h).
 *
 *     eject failures 5 rate 50% of 20 time 10s..5m at-most 50%      the default
 *     eject off
 *     eject status 500..599                                         these answers are failures too
 */

#include "conf/schema.h"
#include <stdbool.h>
#include <stdint.h>

enum eject_mode { EJECT_ON, EJECT_OFF };

struct eject_conf {
    struct conf_object object;
    int mode;                 /* enum eject_mode */
    int64_t failures;         /* in a row; 5 */
    int64_t rate_percent;     /* of the requests of the last 10 s; 50 % */
    int64_t rate_requests;    /* that it takes to judge the rate; 20 */
    struct conf_range time;   /* ms; the first ejection, and the longest; 10s..5m */
    int64_t at_most_percent;  /* of the pool; 50 % */
    struct conf_range status; /* of answers that are failures; 0..0: none is */
};

extern const struct conf_block eject_block;

/* Is an answer of that status a failure? For the edge that counts it. */
static inline bool eject_counts_status(const struct eject_conf *conf, unsigned status)
{
    return status >= conf->status.low && status <= conf->status.high;
}

#endif
