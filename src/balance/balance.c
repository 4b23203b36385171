/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Smooth weighted round-robin over the members that may be taken now.
 */

#include "balance/balance.h"

#include "base/mem.h"
#include "base/rng.h"
#include <assert.h>

struct share {
    int64_t credit;
    uint32_t weight;
    uint32_t last_pick; /* for which it was a candidate; who was away starts without credit */
};

struct balancer {
    uint32_t n_members;
    uint32_t n_picks; /* that found somebody: one that did not leaves everything as it was */
    struct share shares[];
};

struct balancer *balancer_create(const uint32_t *weights, uint32_t n_members, uint64_t seed)
{
    struct balancer *balancer =
        mem_alloc_zero(1, sizeof(*balancer) + n_members * sizeof(balancer->shares[0]));
    balancer->n_members = n_members;
    int64_t total = 0;
    for (uint32_t i = 0; i < n_members; i++) {
        balancer->shares[i].weight = weights[i];
        total += weights[i];
    }
    /* Any state whose credits sum to zero is one that round-robin itself passes through. */
    struct rng rng;
    rng_init(&rng, seed);
    for (uint32_t i = 0; n_members > 1 && i < n_members; i++) {
        int64_t gift = (int64_t)rng_below(&rng, (uint64_t)total / n_members + 1);
        balancer->shares[i].credit += gift;
        balancer->shares[rng_below(&rng, n_members)].credit -= gift;
    }
    return balancer;
}

void balancer_destroy(struct balancer **balancer)
{
    mem_free(*balancer);
    *balancer = NULL;
}

void balancer_set_weight(struct balancer *balancer, uint32_t member, uint32_t weight)
{
    assert(member < balancer->n_members);
    balancer->shares[member].weight = weight;
}

int balancer_pick(struct balancer *balancer, bool (*is_candidate)(void *ctx, uint32_t member),
                  void *ctx)
{
    int best = BALANCE_NOBODY;
    int64_t total = 0;
    for (uint32_t i = 0; i < balancer->n_members; i++) {
        struct share *share = &balancer->shares[i];
        if (share->weight == 0 || !is_candidate(ctx, i))
            continue;
        if (share->last_pick != balancer->n_picks)
            share->credit = 0;
        share->last_pick = balancer->n_picks + 1;
        share->credit += share->weight;
        total += share->weight;
        if (best < 0 || share->credit > balancer->shares[best].credit)
            best = (int)i;
    }
    if (best < 0)
        return BALANCE_NOBODY;
    balancer->shares[best].credit -= total;
    balancer->n_picks++;
    return best;
}
