/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which member takes a request: its fact, what the request has tried, what this loop suspects, who
 * has room, and then the pool's method.
 */

#include "upstream/internal.h"

/* Who comes into question now; the pool's method asks about one after the other. */
struct pick {
    const struct upstream_pool *pool;
    const struct upstream_tried *tried;
    uint64_t now_ns;
    bool takes_suspects;
    bool takes_backups;
    bool is_full; /* somebody would do, but has no room */
};

/* ---- one member ---- */

static enum fact_state state_of(const struct upstream_member *member)
{
    return board_peek(member->pool->set->board, member->view.state_ref);
}

/* Has a check, or a listen that it is, of which nobody has heard yet. */
static bool is_unjudged(const struct upstream_member *member, enum fact_state state)
{
    bool is_judged_once = member->pool->conf->check || member->view.member->listen_fact;
    return is_judged_once && (state == FACT_UNKNOWN || state == FACT_NONE);
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
    if (member->view.addr.len == 0 || member->weight == 0)
        return false;
    enum fact_state state = state_of(member);
    if (state == FACT_DOWN)
        return is_used_all_the_same(member);
    return state != FACT_DRAINING && state != FACT_FAILED && !is_unjudged(member, state);
}

/* A session's own member serves it while it drains, too, and with a weight of nothing. */
static bool is_usable_for_session(const struct upstream_member *member)
{
    if (member->view.addr.len == 0)
        return false;
    enum fact_state state = state_of(member);
    if (state == FACT_DOWN)
        return is_used_all_the_same(member);
    return state != FACT_FAILED && !is_unjudged(member, state);
}

static bool has_room(const struct upstream_member *member)
{
    return member->max == 0 ||
           common_has_slot(member->common, member->pool->set->loop_index, member->max);
}

static bool is_tried(const struct upstream_tried *tried, uint32_t index)
{
    return tried && (tried->bits[index / 64] >> (index % 64) & 1);
}

bool member_is_waiting_over(const struct upstream_member *member)
{
    return !is_usable_for_session(member) || has_room(member);
}

/* Counts as in flight; false: another loop was faster. */
static bool reserve(struct upstream_member *member)
{
    if (member->max > 0 &&
        !common_acquire(member->common, member->pool->set->loop_index, member->max))
        return false;
    metric_add(member->row, MEMBER_REQUESTS, 1);
    metric_add(member->row, MEMBER_IN_FLIGHT, 1);
    return true;
}

/* ---- all of them ---- */

static bool is_candidate(void *ctx, uint32_t index)
{
    struct pick *pick = ctx;
    const struct upstream_member *member = &pick->pool->members[index];
    if (is_tried(pick->tried, index) || member->view.member->is_backup != pick->takes_backups)
        return false;
    if (!pick->takes_suspects && member->suspect_until_ns > pick->now_ns)
        return false;
    if (!upstream_is_usable(member))
        return false;
    if (has_room(member))
        return true;
    pick->is_full = true;
    return false;
}

/* Requests in flight, of all loops. */
static uint64_t load_of(void *ctx, uint32_t index)
{
    const struct pick *pick = ctx;
    const struct upstream_member *member = &pick->pool->members[index];
    uint32_t n_loops = commons_n_loops(pick->pool->set->commons);
    uint64_t load = 0;
    for (uint32_t l = 0; l < n_loops; l++)
        load += atomic_load_explicit(&member->rows[l][MEMBER_IN_FLIGHT], memory_order_relaxed);
    return load;
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
    bool is_full = false;
    for (int backups = 0; backups < 2 && !is_full; backups++) {
        for (uint32_t m = 0; m < pool->n_members; m++) {
            const struct upstream_member *member = &pool->members[m];
            if (member->view.member->is_backup != backups || !upstream_is_usable(member))
                continue;
            if (has_room(member))
                return UPSTREAM_MEMBER;
            is_full = true;
        }
    }
    return is_full ? UPSTREAM_FULL : look_for_hope(pool, NULL);
}

/* First those that nobody suspects, then these; backup members when there is nobody else. */
static int pick_by_method(struct upstream_pool *pool, const struct balance_ask *how,
                          struct pick *pick)
{
    for (int backups = 0; backups <= (pool->has_backups ? 1 : 0) && !pick->is_full; backups++) {
        pick->takes_backups = backups;
        for (int suspects = 0; suspects < 2; suspects++) {
            pick->takes_suspects = suspects;
            int index = balancer_pick(pool->balancer, how);
            if (index != BALANCE_NOBODY)
                return index;
        }
    }
    return BALANCE_NOBODY;
}

/* The session's own member; NULL: the method decides. */
static struct upstream_member *preferred_of(struct upstream_pool *pool,
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
    const struct balance_ask how = {.is_candidate = is_candidate,
                                    .load = load_of,
                                    .ctx = &pick,
                                    .now_ns = ask->now_ns,
                                    .key = ask->key,
                                    .has_key = ask->has_key};
    struct upstream_member *member = preferred_of(pool, ask);
    if (member) {
        *ret_member = member;
        return reserve(member) ? UPSTREAM_MEMBER : UPSTREAM_FULL;
    }
    for (uint32_t i = 0; i <= pool->n_members; i++) {
        int index = pick_by_method(pool, &how, &pick);
        if (index == BALANCE_NOBODY)
            return pick.is_full ? UPSTREAM_FULL : look_for_hope(pool, ask->tried);
        if (reserve(&pool->members[index])) {
            *ret_member = &pool->members[index];
            return UPSTREAM_MEMBER;
        }
    }
    return UPSTREAM_FULL;
}

/* ---- afterwards ---- */

/* What was learnt belongs to the current set's balancer. */
static void observe(struct upstream_member *member, uint64_t latency_ns)
{
    struct upstream_set *set = member->pool->set;
    uint64_t now_ns = loop_now_ns(set->loop);
    if (set->lineage->current != set)
        member = set->lineage->current ? set_same(set->lineage->current, member) : NULL;
    if (member)
        balancer_observe(member->pool->balancer, member->view.member->index, latency_ns, now_ns);
}

void upstream_end(struct upstream_member *member, const struct upstream_outcome *outcome)
{
    metric_sub(member->row, MEMBER_IN_FLIGHT, 1);
    if (member->max > 0)
        common_release(member->common, member->max);
    if (outcome->latency_ns > 0 && member->pool->conf->balance.method == POOL_LATENCY)
        observe(member, outcome->latency_ns);
}

/* A slot stays one of the same member; a limit that is new counts who is there already. */
void reservation_move(struct upstream_member *from, struct upstream_member *to)
{
    if (to) {
        metric_add(to->row, MEMBER_IN_FLIGHT, 1);
        if (to->max > 0)
            common_occupy(to->common);
    }
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
