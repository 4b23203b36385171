/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The better of two draws: by requests in flight, or by how long answers take.
 */

#include "balance/internal.h"

#include "base/mem.h"
#include <math.h>

struct latency {
    double cost_ns;   /* 0: nothing is known */
    uint64_t last_ns; /* when it last answered */
};

/* ---- least-load ---- */

static int load_pick(struct balancer *balancer, const struct balance_ask *ask)
{
    int one = sample(balancer, ask, BALANCE_NOBODY);
    int two = one == BALANCE_NOBODY ? one : sample(balancer, ask, one);
    if (two == BALANCE_NOBODY)
        return one;
    uint64_t load_one = ask->load(ask->ctx, (uint32_t)one) * balancer->weights[two];
    uint64_t load_two = ask->load(ask->ctx, (uint32_t)two) * balancer->weights[one];
    return load_two < load_one ? two : one;
}

const struct balance_method balance_least_load = {.pick = load_pick};

/* ---- latency ---- */

static void latency_init(struct balancer *balancer, const struct balance_options *options)
{
    (void)options;
    balancer->state.latency = MEM_NEW_ARRAY(struct latency, balancer->n_members + 1);
}

static void latency_deinit(struct balancer *balancer)
{
    mem_free(balancer->state.latency);
}

static double faded(double cost_ns, uint64_t past_ns)
{
    return cost_ns * exp(-(double)past_ns / (double)LATENCY_DECAY_NS);
}

static void latency_observe(struct balancer *balancer, uint32_t member, uint64_t latency_ns,
                            uint64_t now_ns)
{
    struct latency *latency = &balancer->state.latency[member];
    double seen_ns = (double)latency_ns;
    if (seen_ns >= latency->cost_ns) {
        latency->cost_ns = seen_ns;
    } else {
        double share = faded(1, now_ns - latency->last_ns);
        latency->cost_ns = latency->cost_ns * share + seen_ns * (1 - share);
    }
    latency->last_ns = now_ns;
}

/*
 * One of whom nothing is known has the cost of nothing while it has nothing to do, and that of a
 * second once it has: it gets one request, and the others wait for what comes of it.
 */
static double latency_cost(const struct balancer *balancer, const struct balance_ask *ask,
                           uint32_t member)
{
    const struct latency *latency = &balancer->state.latency[member];
    uint64_t past_ns = ask->now_ns - latency->last_ns;
    double cost_ns = latency->cost_ns;
    uint64_t load = ask->load(ask->ctx, member);
    if (cost_ns == 0)
        return load ? 1e9 * (double)load : 0;
    if (past_ns > LATENCY_QUIET_NS)
        cost_ns = faded(cost_ns, past_ns - LATENCY_QUIET_NS);
    double usual = (double)balancer->total / balancer->n_members;
    return cost_ns * ((double)load * usual / balancer->weights[member] + 1);
}

static int latency_pick(struct balancer *balancer, const struct balance_ask *ask)
{
    int one = sample(balancer, ask, BALANCE_NOBODY);
    int two = one == BALANCE_NOBODY ? one : sample(balancer, ask, one);
    if (two == BALANCE_NOBODY)
        return one;
    double cost_one = latency_cost(balancer, ask, (uint32_t)one);
    double cost_two = latency_cost(balancer, ask, (uint32_t)two);
    return cost_two < cost_one ? two : one;
}

static void latency_inherit(struct balancer *balancer, struct balancer *old)
{
    for (uint32_t i = 0; i < balancer->n_members; i++) {
        int from = balancer_find(old, balancer->names[i], i);
        if (from >= 0)
            balancer->state.latency[i] = old->state.latency[from];
    }
}

const struct balance_method balance_latency = {
    .init = latency_init,
    .deinit = latency_deinit,
    .inherit = latency_inherit,
    .observe = latency_observe,
    .pick = latency_pick,
};
