/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Hashing by a Maglev table, and the order in which a key goes on from a member that may not be
 * taken.
 */

#include "balance/internal.h"

#include "base/hash.h"
#include "base/mem.h"
#include <math.h>

enum { SLOTS = MAGLEV_SLOTS, NO_MEMBER = UINT16_MAX, PROBES_MAX = 64 };

/* Not secret: every node must have the same table, and names are the operator's. */
static const struct hash_key offset_key = {0x6d61676c65762d6f, 0x6666736574000001};
static const struct hash_key skip_key = {0x6d61676c65762d73, 0x6b69700000000001};

struct maglev {
    uint16_t *slots; /* [SLOTS] of members; NULL until the first pick */
    bool is_fresh;
    uint32_t bound_percent;
};

/* A member while the table is filled: its next slot, and its turns. */
struct claim {
    uint32_t at, skip;
    uint64_t due; /* in turns of the heaviest, times its weight */
};

/* ---- the table ---- */

static uint32_t claims_init(const struct balancer *balancer, struct claim *claims)
{
    uint32_t heaviest = 0;
    for (uint32_t i = 0; i < balancer->n_members; i++) {
        struct slice name = balancer->names[i];
        claims[i].at = (uint32_t)(hash_bytes(&offset_key, name) % SLOTS);
        claims[i].skip = (uint32_t)(hash_bytes(&skip_key, name) % (SLOTS - 1)) + 1;
        claims[i].due = 0;
        heaviest = balancer->weights[i] > heaviest ? balancer->weights[i] : heaviest;
    }
    return heaviest;
}

/* The next slot in the member's own order that is free. */
static void claim_take(struct claim *claim, uint16_t *slots, uint32_t member)
{
    while (slots[claim->at] != NO_MEMBER)
        claim->at = (claim->at + claim->skip) % SLOTS;
    slots[claim->at] = (uint16_t)member;
}

/* Turn by turn; the heaviest takes a slot each time, one of half its weight every other time. */
static void table_fill(const struct balancer *balancer, uint16_t *slots)
{
    struct claim *claims = MEM_NEW_ARRAY(struct claim, balancer->n_members + 1);
    uint64_t heaviest = claims_init(balancer, claims);
    uint32_t n_taken = 0;
    for (uint32_t i = 0; i < SLOTS; i++)
        slots[i] = NO_MEMBER;
    for (uint64_t turn = 1; n_taken < SLOTS; turn++) {
        for (uint32_t i = 0; i < balancer->n_members && n_taken < SLOTS; i++) {
            if (balancer->weights[i] * turn < claims[i].due + heaviest)
                continue;
            claims[i].due += heaviest;
            claim_take(&claims[i], slots, i);
            n_taken++;
        }
    }
    mem_free(claims);
}

static void table_refresh(struct balancer *balancer)
{
    struct maglev *maglev = balancer->state.maglev;
    if (!maglev->slots)
        maglev->slots = MEM_NEW_ARRAY(uint16_t, SLOTS);
    table_fill(balancer, maglev->slots);
    maglev->is_fresh = true;
}

/* ---- bounds ---- */

/* What is in flight at all candidates; their weights. */
struct bound {
    uint64_t load, weight;
    uint32_t percent; /* 0: none */
};

static struct bound bound_of(const struct balancer *balancer, const struct balance_ask *ask)
{
    struct bound bound = {.percent = balancer->state.maglev->bound_percent};
    for (uint32_t i = 0; bound.percent && i < balancer->n_members; i++) {
        if (balancer->weights[i] == 0 || !ask->is_candidate(ask->ctx, i))
            continue;
        bound.load += ask->load(ask->ctx, i);
        bound.weight += balancer->weights[i];
    }
    return bound;
}

/* With this request, too, within the member's share? Some member always is. */
static bool is_within(const struct balancer *balancer, const struct balance_ask *ask,
                      const struct bound *bound, uint32_t member)
{
    if (bound->percent == 0 || bound->weight == 0) /* nobody was a candidate a moment ago */
        return true;
    uint64_t part = bound->percent * (bound->load + 1) * balancer->weights[member];
    uint64_t room = (part + 100 * bound->weight - 1) / (100 * bound->weight);
    return ask->load(ask->ctx, member) < room;
}

/* ---- picking ---- */

/* Who is left when the table does not find one: the highest of a number for each, by weight. */
static int rendezvous(const struct balancer *balancer, const struct balance_ask *ask,
                      const struct bound *bound)
{
    int best = BALANCE_NOBODY;
    double best_score = 0;
    for (uint32_t i = 0; i < balancer->n_members; i++) {
        if (balancer->weights[i] == 0 || !ask->is_candidate(ask->ctx, i) ||
            !is_within(balancer, ask, bound, i))
            continue;
        uint64_t mixed = hash_mix(ask->key ^ hash_bytes(&offset_key, balancer->names[i]));
        double unit = ((double)(mixed >> 11) + 0.5) * 0x1p-53;
        double score = balancer->weights[i] / -log(unit);
        if (score > best_score) {
            best_score = score;
            best = (int)i;
        }
    }
    return best;
}

static int maglev_pick(struct balancer *balancer, const struct balance_ask *ask)
{
    struct maglev *maglev = balancer->state.maglev;
    if (!ask->has_key)
        return sample(balancer, ask, BALANCE_NOBODY);
    if (balancer->total == 0)
        return BALANCE_NOBODY;
    if (!maglev->is_fresh)
        table_refresh(balancer);
    struct bound bound = bound_of(balancer, ask);
    uint32_t slot = (uint32_t)(ask->key % SLOTS);
    uint32_t step = (uint32_t)(hash_mix(ask->key) % (SLOTS - 1)) + 1;
    for (int i = 0; i < PROBES_MAX; i++) {
        uint32_t member = maglev->slots[slot];
        if (ask->is_candidate(ask->ctx, member) && is_within(balancer, ask, &bound, member))
            return (int)member;
        slot = (slot + step) % SLOTS;
    }
    int member = rendezvous(balancer, ask, &bound);
    if (member != BALANCE_NOBODY || bound.percent == 0)
        return member;
    bound.percent = 0; /* other loops took what room there was while this one looked */
    return rendezvous(balancer, ask, &bound);
}

/* ---- life ---- */

static void maglev_init(struct balancer *balancer, const struct balance_options *options)
{
    balancer->state.maglev = MEM_NEW(struct maglev);
    balancer->state.maglev->bound_percent = options->bound_percent;
}

static void maglev_deinit(struct balancer *balancer)
{
    mem_free(balancer->state.maglev->slots);
    mem_free(balancer->state.maglev);
}

static void maglev_weigh(struct balancer *balancer)
{
    balancer->state.maglev->is_fresh = false;
}

static bool is_same_table(const struct balancer *a, const struct balancer *b)
{
    if (a->n_members != b->n_members)
        return false;
    for (uint32_t i = 0; i < a->n_members; i++)
        if (a->weights[i] != b->weights[i] || !slice_equal(a->names[i], b->names[i]))
            return false;
    return true;
}

/* The table itself; the old one makes another, should it still be asked. */
static void maglev_inherit(struct balancer *balancer, struct balancer *old)
{
    struct maglev *to = balancer->state.maglev, *from = old->state.maglev;
    if (!from->is_fresh || to->slots || !is_same_table(balancer, old))
        return;
    to->slots = from->slots;
    to->is_fresh = true;
    from->slots = NULL;
    from->is_fresh = false;
}

const struct balance_method balance_hash = {
    .init = maglev_init,
    .deinit = maglev_deinit,
    .weigh = maglev_weigh,
    .inherit = maglev_inherit,
    .pick = maglev_pick,
};
