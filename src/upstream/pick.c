/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which member takes a request: its fact, what the request has tried, what this loop suspects, and
 * then the pool's method.
 */

#include "upstream/internal.h"

struct pick {
    const struct upstream_pool *pool;
    const struct upstream_tried *tried;
    uint64_t now_ns;
    bool takes_suspects;
};

/* ---- one member ---- */

static enum fact_state state_of(const struct upstream_member *member)
{
    return board_peek(member->pool->set->board, member->view.state_ref);
}

/* Has a check that nobody has heard of yet. */
static bool is_unjudged(const struct upstream_member *member, enum fact_state state)
{
    return member->pool->conf->check && (state == FACT_UNKNOWN || state == FACT_NONE);
}

/* Its pool fails open, so that it is used although it is down; unless the operator wants it down,
 * which takes its weight. */
static bool is_used_all_the_same(const struct upstream_member *member)
{
    const struct upstream_pool *pool = member->pool;
    struct fact fact;
    return pool->open_ref.is_set && board_peek(pool->set->board, pool->open_ref) == FACT_UP &&
           board_read(pool->set->board, member->view.state_ref, &fact) && fact.value > 0;
}

bool upstream_is_usable(const struct upstream_member *member)
{
    if (member->view.addr.len == 0)
        return false;
    enum fact_state state = state_of(member);
    if (state == FACT_DOWN)
        return is_used_all_the_same(member);
    return state != FACT_DRAINING && state != FACT_FAILED && !is_unjudged(member, state);
}

/* A session's own member serves it while it drains, too. */
static bool is_usable_for_session(const struct upstream_member *member)
{
    return member->view.addr.len > 0 &&
           (upstream_is_usable(member) || state_of(member) == FACT_DRAINING);
}

static bool is_tried(const struct upstream_tried *tried, uint32_t index)
{
    return tried && (tried->bits[index / 64] >> (index % 64) & 1);
}

bool member_is_waiting_over(const struct upstream_member *member)
{
    (void)member;
    return true;
}

/* ---- all of them ---- */

static bool is_candidate(void *ctx, uint32_t index)
{
    const struct pick *pick = ctx;
    const struct upstream_member *member = &pick->pool->members[index];
    if (is_tried(pick->tried, index))
        return false;
    if (!pick->takes_suspects && member->suspect_until_ns > pick->now_ns)
        return false;
    return upstream_is_usable(member);
}

/* Nobody could be picked: is there somebody to wait for? */
static enum upstream_answer look_for_hope(const struct upstream_pool *pool,
                                          const struct upstream_tried *tried)
{
    for (uint32_t m = 0; m < pool->n_members; m++)
        if (!is_tried(tried, m) && is_unjudged(&pool->members[m], state_of(&pool->members[m])))
            return UPSTREAM_UNJUDGED;
    return UPSTREAM_NOBODY;
}

enum upstream_answer pool_look(const struct upstream_pool *pool)
{
    for (uint32_t m = 0; m < pool->n_members; m++)
        if (upstream_is_usable(&pool->members[m]))
            return UPSTREAM_MEMBER;
    return look_for_hope(pool, NULL);
}

static void reserve(struct upstream_member *member)
{
    metric_add(member->row, MEMBER_REQUESTS, 1);
    metric_add(member->row, MEMBER_IN_FLIGHT, 1);
}

static struct upstream_member *pick_preferred(struct upstream_pool *pool,
                                              const struct upstream_ask *ask)
{
    if (!ask->preferred || is_tried(ask->tried, ask->preferred->view.member->index))
        return NULL;
    struct upstream_member *member = &pool->members[ask->preferred->view.member->index];
    return is_usable_for_session(member) ? member : NULL;
}

enum upstream_answer upstream_pick(struct upstream_pool *pool, const struct upstream_ask *ask,
                                   struct upstream_member **ret_member)
{
    struct pick pick = {.pool = pool, .tried = ask->tried, .now_ns = ask->now_ns};
    struct upstream_member *member = pick_preferred(pool, ask);
    if (!member) {
        int index = balancer_pick(pool->balancer, is_candidate, &pick);
        if (index == BALANCE_NOBODY) {
            pick.takes_suspects = true;
            index = balancer_pick(pool->balancer, is_candidate, &pick);
        }
        if (index == BALANCE_NOBODY)
            return look_for_hope(pool, ask->tried);
        member = &pool->members[index];
    }
    reserve(member);
    *ret_member = member;
    return UPSTREAM_MEMBER;
}

void upstream_end(struct upstream_member *member, const struct upstream_outcome *outcome)
{
    (void)outcome;
    metric_sub(member->row, MEMBER_IN_FLIGHT, 1);
}

void reservation_move(struct upstream_member *from, struct upstream_member *to)
{
    if (to)
        metric_add(to->row, MEMBER_IN_FLIGHT, 1);
    upstream_end(from, &(struct upstream_outcome){0});
}

void upstream_tried_add(struct upstream_tried *tried, const struct upstream_member *member)
{
    uint32_t index = member->view.member->index;
    tried->bits[index / 64] |= (uint64_t)1 << (index % 64);
}

void upstream_suspect(struct upstream_member *member, uint64_t now_ns, bool is_connect)
{
    metric_add(member->row, is_connect ? MEMBER_CONNECT_FAILED : MEMBER_BROKEN, 1);
    member->suspect_until_ns = now_ns + ms_to_ns(UPSTREAM_SUSPECT_MS);
}
