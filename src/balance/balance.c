/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What all methods have: a balancer's memory, its weights and its names.
 */

#include "balance/balance.h"

#include "balance/internal.h"
#include "base/mem.h"
#include <assert.h>
#include <string.h>

struct balancer *balancer_create(const struct balance_options *options)
{
    struct balancer *balancer = MEM_NEW(struct balancer);
    uint32_t n = options->n_members;
    assert(n <= BALANCE_MEMBERS_MAX);
    balancer->method = options->method;
    balancer->n_members = n;
    balancer->weights = MEM_NEW_ARRAY(uint32_t, n + 1);
    balancer->aliases = MEM_NEW_ARRAY(struct alias, n + 1);
    balancer->scratch = MEM_NEW_ARRAY(uint32_t, n + 1);
    struct slice *names = MEM_NEW_ARRAY(struct slice, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        assert(options->weights[i] <= BALANCE_WEIGHT_MAX);
        balancer->weights[i] = options->weights[i];
        balancer->total += options->weights[i];
        names[i] = options->names[i];
    }
    balancer->names = names;
    rng_init(&balancer->rng, options->seed);
    if (balancer->method->init)
        balancer->method->init(balancer, options);
    return balancer;
}

void balancer_destroy(struct balancer **balancer_ptr)
{
    struct balancer *balancer = *balancer_ptr;
    *balancer_ptr = NULL;
    if (!balancer)
        return;
    if (balancer->method->deinit)
        balancer->method->deinit(balancer);
    struct slice *names;
    memcpy(&names, &balancer->names, sizeof(names)); /* ours, though the methods only read them */
    mem_free(names);
    mem_free(balancer->weights);
    mem_free(balancer->aliases);
    mem_free(balancer->scratch);
    mem_free(balancer);
}

void balancer_set_weight(struct balancer *balancer, uint32_t member, uint32_t weight)
{
    assert(member < balancer->n_members && weight <= BALANCE_WEIGHT_MAX);
    if (balancer->weights[member] == weight)
        return;
    balancer->total += weight;
    balancer->total -= balancer->weights[member];
    balancer->weights[member] = weight;
    balancer->is_alias_fresh = false;
    if (balancer->method->weigh)
        balancer->method->weigh(balancer);
}

int balancer_find(const struct balancer *balancer, struct slice name, uint32_t hint)
{
    if (hint < balancer->n_members && slice_equal(balancer->names[hint], name))
        return (int)hint;
    for (uint32_t i = 0; i < balancer->n_members; i++)
        if (slice_equal(balancer->names[i], name))
            return (int)i;
    return BALANCE_NOBODY;
}

void balancer_inherit(struct balancer *balancer, struct balancer *old)
{
    if (balancer->method == old->method && balancer->method->inherit)
        balancer->method->inherit(balancer, old);
}

void balancer_observe(struct balancer *balancer, uint32_t member, uint64_t latency_ns,
                      uint64_t now_ns)
{
    assert(member < balancer->n_members);
    if (balancer->method->observe)
        balancer->method->observe(balancer, member, latency_ns, now_ns);
}

int balancer_pick(struct balancer *balancer, const struct balance_ask *ask)
{
    return balancer->method->pick(balancer, ask);
}
