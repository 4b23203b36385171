/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIMIT_BUDGET_H
#define LIMIT_BUDGET_H

/*
 * A budget of retries: of all that is asked only a share may be asked again, so that members in
 * trouble are not drowned in second tries.
 *
 * Allowed, in the last LIMIT_BUDGET_SECONDS seconds: percent of the requests noted in that time,
 * and floor a second at least. The window is that many slots of a second, used in turn:
 *
 *     second    ... 41  42  43  44 ... 50 (now)
 *     slot          [requests, retries]           sums of the last 10 are kept beside them
 *
 * so that a note costs two additions, and a second without any costs one slot's subtraction. It is
 * nobody's but its owner's: one for each loop and pool, the floor divided by the loops.
 */

#include <stdbool.h>
#include <stdint.h>

enum { LIMIT_BUDGET_SECONDS = 10 };

struct limit_budget {
    uint32_t percent;          /* of the requests, 0: the floor alone */
    uint32_t floor_per_minute; /* what is allowed whatever was asked; a minute's, so that a share of
                                  a small floor is not lost */
    uint64_t second;           /* the newest slot's */
    uint32_t n_requests, n_retries; /* in all slots */
    struct {
        uint32_t n_requests, n_retries;
    } slots[LIMIT_BUDGET_SECONDS];
};

/*
 * percent 0..100 of the requests, and floor 0.. retries a second divided among n_loops 1.., at
 * least one in the whole window unless floor is 0.
 */
void limit_budget_init(struct limit_budget *budget, uint32_t percent, uint32_t floor,
                       uint32_t n_loops);
/* A request came; now_ns is monotonic and never falls. */
void limit_budget_note(struct limit_budget *budget, uint64_t now_ns);
/* May a request be tried once more? If so, it counts. */
bool limit_budget_take(struct limit_budget *budget, uint64_t now_ns);

#endif
