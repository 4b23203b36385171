/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Smooth weighted round-robin over the members that may be taken now.
 */

#include "balance/internal.h"

#include "base/mem.h"

struct robin {
    int64_t credit;
    uint32_t last_pick; /* for which it was a candidate; who was away starts without credit */
};

static void robin_init(struct balancer *balancer, const struct balance_options *options)
{
    (void)options;
    uint32_t n = balancer->n_members;
    struct robin *robin = MEM_NEW_ARRAY(struct robin, n + 1);
    /* Any state whose credits sum to zero is one that round-robin itself passes through. */
    for (uint32_t i = 0; n > 1 && i < n; i++) {
        int64_t gift = (int64_t)rng_below(&balancer->rng, balancer->total / n + 1);
        robin[i].credit += gift;
        robin[rng_below(&balancer->rng, n)].credit -= gift;
    }
    balancer->state.robin = robin;
}

static void robin_deinit(struct balancer *balancer)
{
    mem_free(balancer->state.robin);
}

/* The number of picks that found somebody lies behind the last member: a pick that did not leaves
 * everything as it was. */
static int robin_pick(struct balancer *balancer, const struct balance_ask *ask)
{
    struct robin *robin = balancer->state.robin;
    uint32_t n = balancer->n_members, n_picks = robin[n].last_pick;
    int best = BALANCE_NOBODY;
    int64_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        int64_t weight = balancer->weights[i];
        if (weight == 0 || !ask->is_candidate(ask->ctx, i))
            continue;
        if (robin[i].last_pick != n_picks)
            robin[i].credit = 0;
        robin[i].last_pick = n_picks + 1;
        robin[i].credit += weight;
        total += weight;
        if (best < 0 || robin[i].credit > robin[best].credit)
            best = (int)i;
    }
    if (best < 0)
        return BALANCE_NOBODY;
    robin[best].credit -= total;
    robin[n].last_pick++;
    return best;
}

const struct balance_method balance_round_robin = {
    .init = robin_init,
    .deinit = robin_deinit,
    .pick = robin_pick,
};
