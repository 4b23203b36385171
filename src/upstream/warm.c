/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Weights while serving: as the facts say, and less of it for a member whose slow start is under
 * way.
 */

#include "upstream/internal.h"

/* In these a balancer counts, so that a tenth of a weight of 1 is still a whole number. */
enum { WEIGHT_UNITS = 100 };

static const struct balance_method *const methods[] = {
    [POOL_ROUND_ROBIN] = &balance_round_robin,
    [POOL_LEAST_LOAD] = &balance_least_load,
    [POOL_LATENCY] = &balance_latency,
    [POOL_RANDOM] = &balance_random,
    [POOL_FIRST] = &balance_first,
    [POOL_HASH] = &balance_hash,
};

const struct balance_method *method_of(const struct pool *pool)
{
    return methods[pool->balance.method];
}

/* Hashing would move keys with each step, and first knows no shares. */
static bool has_slow_start(const struct upstream_member *member)
{
    int method = member->pool->conf->balance.method;
    return member->view.member->slow_start_ms > 0 && method != POOL_HASH && method != POOL_FIRST;
}

static uint32_t weight_by_fact(const struct upstream_member *member)
{
    struct fact fact;
    if (board_read(member->pool->set->board, member->view.state_ref, &fact) && fact.value >= 0 &&
        fact.value <= MEMBER_WEIGHT_MAX)
        return (uint32_t)fact.value;
    return (uint32_t)member->view.member->weight;
}

void member_weigh(struct upstream_member *member, enum fact_state state, uint64_t now_ns)
{
    member->weight = weight_by_fact(member);
    if (state == FACT_DOWN || state == FACT_FAILED) {
        member->is_cold = true;
        member->warm_since_ns = 0;
    } else if (state == FACT_UP && member->is_cold) {
        member->is_cold = false;
        member->warm_since_ns = has_slow_start(member) ? now_ns : 0;
    }
}

/* Also ends the slow start when its time is over. */
static uint32_t units_of(struct upstream_member *member, uint64_t now_ns)
{
    uint32_t units = member->weight * WEIGHT_UNITS;
    if (member->warm_since_ns == 0)
        return units;
    uint64_t whole_ns = ms_to_ns((uint64_t)member->view.member->slow_start_ms);
    uint64_t past_ns = now_ns - member->warm_since_ns;
    if (past_ns >= whole_ns) {
        member->warm_since_ns = 0;
        return units;
    }
    uint64_t percent = UPSTREAM_COLD_PERCENT + (100 - UPSTREAM_COLD_PERCENT) * past_ns / whole_ns;
    return (uint32_t)(units * percent / 100);
}

void pool_weigh(struct upstream_pool *pool, uint64_t now_ns)
{
    pool->is_warming = false;
    for (uint32_t m = 0; m < pool->n_members; m++) {
        struct upstream_member *member = &pool->members[m];
        balancer_set_weight(pool->balancer, m, units_of(member, now_ns));
        pool->is_warming = pool->is_warming || member->warm_since_ns;
    }
}
