/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Draws by weight: the alias table, and the method that is nothing but a draw.
 *
 * A draw of somebody who may not be taken is thrown away and repeated, which leaves the ratios of
 * the others as they are; after a few, one walk over all of them settles it.
 */

#include "balance/internal.h"

enum { DRAWS_MAX = 4 };

/*
 * Each column holds `total`; a member has weight * n of it to give away. Those with less than a
 * column take the rest from one that has more (Vose).
 */
static void alias_build(struct balancer *balancer)
{
    uint32_t n = balancer->n_members;
    uint64_t total = balancer->total;
    uint32_t n_small = 0, n_large = 0; /* stacks: small ones from the front, large from the back */
    uint32_t *stack = balancer->scratch;
    struct alias *aliases = balancer->aliases;
    for (uint32_t i = 0; i < n; i++) {
        aliases[i].cut = (uint64_t)balancer->weights[i] * n;
        aliases[i].other = i;
        if (aliases[i].cut < total)
            stack[n_small++] = i;
        else
            stack[n - ++n_large] = i;
    }
    while (n_small > 0 && n_large > 0) {
        uint32_t small = stack[--n_small], large = stack[n - n_large];
        aliases[small].other = large;
        aliases[large].cut -= total - aliases[small].cut;
        if (aliases[large].cut < total) {
            n_large--;
            stack[n_small++] = large;
        }
    }
    balancer->is_alias_fresh = true;
}

static uint32_t alias_draw(struct balancer *balancer)
{
    uint32_t column = (uint32_t)rng_below(&balancer->rng, balancer->n_members);
    const struct alias *alias = &balancer->aliases[column];
    return rng_below(&balancer->rng, balancer->total) < alias->cut ? column : alias->other;
}

/* Looks at everybody once, then draws among those who may be taken. */
static int sample_slowly(struct balancer *balancer, const struct balance_ask *ask, int except)
{
    uint32_t n = 0, *candidates = balancer->scratch;
    uint64_t total = 0;
    for (uint32_t i = 0; i < balancer->n_members; i++) {
        if (balancer->weights[i] == 0 || (int)i == except || !ask->is_candidate(ask->ctx, i))
            continue;
        candidates[n++] = i;
        total += balancer->weights[i];
    }
    if (n == 0)
        return BALANCE_NOBODY;
    uint64_t draw = rng_below(&balancer->rng, total);
    uint32_t at = 0;
    while (draw >= balancer->weights[candidates[at]])
        draw -= balancer->weights[candidates[at++]];
    return (int)candidates[at];
}

int sample(struct balancer *balancer, const struct balance_ask *ask, int except)
{
    if (balancer->total == 0)
        return BALANCE_NOBODY;
    if (!balancer->is_alias_fresh)
        alias_build(balancer);
    for (int i = 0; i < DRAWS_MAX; i++) {
        uint32_t member = alias_draw(balancer);
        if ((int)member != except && ask->is_candidate(ask->ctx, member))
            return (int)member;
    }
    return sample_slowly(balancer, ask, except);
}

static int random_pick(struct balancer *balancer, const struct balance_ask *ask)
{
    return sample(balancer, ask, BALANCE_NOBODY);
}

const struct balance_method balance_random = {.pick = random_pick};
