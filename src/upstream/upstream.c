/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A loop's connections to the members: taken, given back, kept idle for a while, handed to the next
 * snapshot's set.
 */

#include "upstream/upstream.h"

#include "base/map.h"
#include "base/mem.h"
#include <assert.h>
#include <errno.h>

enum { SWEEP_MS = 1000 };

/* What the successive sets of one loop share: who is current. */
struct lineage {
    struct upstream_set *current;
    uint32_t n_sets;
};

struct upstream_set {
    struct loop *loop; /* NULL until it is adopted */
    const struct board *board;
    struct lineage *lineage;
    struct upstream_pool *pools;
    uint32_t n_pools;
    struct map members; /* "web/app1" -> struct upstream_member */
    struct loop_timer sweep;
};

static uint64_t ms_to_ns(uint64_t ms)
{
    return ms * 1000000u;
}

/* ---- idle connections ---- */

static void idle_unlink(struct upstream *upstream)
{
    struct upstream_member *member = upstream->member;
    assert(list_is_linked(&upstream->link) && member->n_idle > 0);
    list_remove(&upstream->link);
    member->n_idle--;
    metric_sub(member->row, MEMBER_IDLE, 1);
}

static void upstream_free(struct upstream *upstream)
{
    conn_close(&upstream->conn);
    mem_free(upstream);
}

static void idle_close(struct upstream *upstream)
{
    idle_unlink(upstream);
    upstream_free(upstream);
}

static void idle_close_all(struct upstream_member *member)
{
    struct upstream *upstream;
    while ((upstream = LIST_FIRST(&member->idle, struct upstream, link)) != NULL)
        idle_close(upstream);
}

/* An idle member connection has nothing to say: it was closed, or it is out of step. */
static void idle_on_event(struct conn *conn, uint32_t events)
{
    if (events == LOOP_WRITE)
        return; /* room to send is no news */
    struct upstream *upstream = CONTAINER_OF(conn, struct upstream, conn);
    if ((events & (LOOP_HANGUP | LOOP_ERROR)) || conn_is_stale(conn))
        idle_close(upstream);
}

static void idle_link(struct upstream *upstream, struct upstream_member *member, uint64_t now_ns)
{
    upstream->member = member;
    upstream->n_moves = member->n_moves;
    upstream->user = NULL;
    upstream->idle_since_ns = now_ns;
    upstream->conn.on_event = idle_on_event;
    list_add_front(&member->idle, &upstream->link);
    member->n_idle++;
    metric_add(member->row, MEMBER_IDLE, 1);
}

static void member_sweep(struct upstream_member *member, uint64_t now_ns)
{
    while (!list_is_empty(&member->idle)) {
        struct upstream *oldest = LIST_ENTRY(member->idle.prev, struct upstream, link);
        if (oldest->idle_since_ns + ms_to_ns(UPSTREAM_IDLE_MS) > now_ns)
            return;
        idle_close(oldest);
    }
}

static void set_on_sweep(struct loop *loop, struct loop_timer *timer)
{
    struct upstream_set *set = CONTAINER_OF(timer, struct upstream_set, sweep);
    for (uint32_t p = 0; p < set->n_pools; p++)
        for (uint32_t m = 0; m < set->pools[p].n_members; m++)
            member_sweep(&set->pools[p].members[m], loop_now_ns(loop));
    loop_timer_set(loop, timer, loop_now_ns(loop) + ms_to_ns(SWEEP_MS));
}

/* ---- sets ---- */

static void pool_init(struct upstream_pool *pool, struct upstream_set *set, const struct pool *conf)
{
    pool->conf = conf;
    pool->set = set;
    pool->n_members = conf->n_members;
    pool->members = MEM_NEW_ARRAY(struct upstream_member, conf->n_members);
}

static void pool_balance(struct upstream_pool *pool, uint64_t seed)
{
    uint32_t weights[POOL_MEMBERS_MAX];
    assert(pool->n_members <= POOL_MEMBERS_MAX);
    for (uint32_t m = 0; m < pool->n_members; m++)
        weights[m] = (uint32_t)pool->conf->members[m]->weight;
    pool->balancer = balancer_create(weights, pool->n_members, seed);
}

struct upstream_set *upstream_set_create(
    struct snapshot *snap, const struct board *board, uint32_t loop_index, uint64_t seed,
    metric_word *(*row)(void *ctx, const struct member *member), void *ctx)
{
    const struct pool_conf *conf = pool_conf_of(snap);
    struct upstream_set *set = MEM_NEW(struct upstream_set);
    set->board = board;
    set->n_pools = conf->n_pools;
    set->pools = MEM_NEW_ARRAY(struct upstream_pool, conf->n_pools);
    map_init(&set->members, seed, false);
    loop_timer_init(&set->sweep, set_on_sweep);
    for (uint32_t p = 0; p < conf->n_pools; p++) {
        struct upstream_pool *pool = &set->pools[p];
        pool_init(pool, set, conf->pools[p]);
        pool_balance(pool, hash_mix(seed + loop_index * 1000003u + p));
        for (uint32_t m = 0; m < pool->n_members; m++) {
            struct upstream_member *member = &pool->members[m];
            member_view_init(&member->view, conf->pools[p]->members[m], board);
            member->pool = pool;
            member->row = row(ctx, member->view.member);
            list_init(&member->idle);
            map_put(&set->members, slice_from(member->view.member->label), member);
        }
    }
    return set;
}

static void set_free_pool(struct upstream_pool *pool)
{
    for (uint32_t m = 0; m < pool->n_members; m++)
        idle_close_all(&pool->members[m]);
    balancer_destroy(&pool->balancer);
    mem_free(pool->members);
}

void upstream_set_destroy(struct upstream_set **set_ptr)
{
    struct upstream_set *set = *set_ptr;
    *set_ptr = NULL;
    if (!set)
        return;
    if (set->loop)
        loop_timer_clear(set->loop, &set->sweep);
    for (uint32_t p = 0; p < set->n_pools; p++)
        set_free_pool(&set->pools[p]);
    if (set->lineage) {
        if (set->lineage->current == set)
            set->lineage->current = NULL;
        if (--set->lineage->n_sets == 0)
            mem_free(set->lineage);
    }
    map_deinit(&set->members);
    mem_free(set->pools);
    mem_free(set);
}

/* The member of the current set that is the same as this one, or NULL. */
static struct upstream_member *set_same(const struct upstream_set *set,
                                        const struct upstream_member *member)
{
    struct upstream_member *same = map_get(&set->members, slice_from(member->view.member->label));
    return same && addr_equal(&same->view.addr, &member->view.addr) ? same : NULL;
}

static void member_hand_over(struct upstream_member *from, struct upstream_member *to)
{
    while (!list_is_empty(&from->idle)) {
        /* From the back, so that the order is kept. */
        struct upstream *upstream = LIST_ENTRY(from->idle.prev, struct upstream, link);
        uint64_t since_ns = upstream->idle_since_ns;
        idle_unlink(upstream);
        idle_link(upstream, to, since_ns);
    }
    to->suspect_until_ns = from->suspect_until_ns;
}

void upstream_set_adopt(struct upstream_set *set, struct loop *loop, struct upstream_set *old)
{
    assert(!set->loop);
    set->loop = loop;
    set->lineage = old ? old->lineage : MEM_NEW(struct lineage);
    set->lineage->current = set;
    set->lineage->n_sets++;
    loop_timer_set(loop, &set->sweep, loop_now_ns(loop) + ms_to_ns(SWEEP_MS));
    if (!old)
        return;
    loop_timer_clear(loop, &old->sweep);
    for (uint32_t p = 0; p < old->n_pools; p++) {
        for (uint32_t m = 0; m < old->pools[p].n_members; m++) {
            struct upstream_member *from = &old->pools[p].members[m];
            struct upstream_member *to = set_same(set, from);
            if (to)
                member_hand_over(from, to);
        }
    }
}

void upstream_set_refresh(struct upstream_set *set)
{
    for (uint32_t p = 0; p < set->n_pools; p++) {
        for (uint32_t m = 0; m < set->pools[p].n_members; m++) {
            struct upstream_member *member = &set->pools[p].members[m];
            struct addr before = member->view.addr;
            member_view_update(&member->view, set->board);
            if (addr_equal(&before, &member->view.addr))
                continue;
            member->n_moves++;
            idle_close_all(member); /* they lead to where the member was */
        }
    }
}

struct upstream_pool *upstream_pool_of(struct upstream_set *set, const struct pool *pool)
{
    assert(pool->index < set->n_pools);
    return &set->pools[pool->index];
}

/* ---- choosing ---- */

struct pick {
    struct upstream_pool *pool;
    const struct upstream_tried *tried;
    uint64_t now_ns;
    bool takes_suspects;
};

static bool pick_is_candidate(void *ctx, uint32_t index)
{
    const struct pick *pick = ctx;
    const struct upstream_member *member = &pick->pool->members[index];
    if (pick->tried && (pick->tried->bits[index / 64] >> (index % 64) & 1))
        return false;
    if (!pick->takes_suspects && member->suspect_until_ns > pick->now_ns)
        return false;
    return member_is_usable(&member->view, pick->pool->set->board);
}

struct upstream_member *upstream_pick(struct upstream_pool *pool, uint64_t now_ns,
                                      const struct upstream_tried *tried)
{
    struct pick pick = {.pool = pool, .tried = tried, .now_ns = now_ns};
    int index = balancer_pick(pool->balancer, pick_is_candidate, &pick);
    if (index == BALANCE_NOBODY) {
        pick.takes_suspects = true;
        index = balancer_pick(pool->balancer, pick_is_candidate, &pick);
    }
    return index == BALANCE_NOBODY ? NULL : &pool->members[index];
}

void upstream_tried_add(struct upstream_tried *tried, const struct upstream_member *member)
{
    uint32_t index = member->view.member->index;
    tried->bits[index / 64] |= (uint64_t)1 << (index % 64);
}

/* ---- taking and giving back ---- */

struct upstream *upstream_take_fresh(struct upstream_member *member, struct loop *loop, void *user,
                                     void (*on_event)(struct conn *conn, uint32_t events),
                                     struct err *err)
{
    struct upstream *upstream = MEM_NEW(struct upstream);
    metric_add(member->row, MEMBER_CONNECTS, 1);
    if (conn_connect(&upstream->conn, loop, &member->view.addr, on_event, err) < 0) {
        mem_free(upstream);
        return NULL;
    }
    list_init(&upstream->link);
    upstream->member = member;
    upstream->n_moves = member->n_moves;
    upstream->born_ns = loop_now_ns(loop);
    upstream->n_requests = 1;
    upstream->user = user;
    return upstream;
}

struct upstream *upstream_take(struct upstream_member *member, struct loop *loop, void *user,
                               void (*on_event)(struct conn *conn, uint32_t events),
                               struct err *err)
{
    struct upstream *upstream = LIST_FIRST(&member->idle, struct upstream, link);
    if (!upstream)
        return upstream_take_fresh(member, loop, user, on_event, err);
    idle_unlink(upstream);
    upstream->n_requests++;
    upstream->user = user;
    upstream->conn.on_event = on_event;
    return upstream;
}

void upstream_keep(struct upstream *upstream)
{
    assert(upstream->user && !list_is_linked(&upstream->link));
    struct upstream_member *member = upstream->member;
    struct upstream_set *set = member->pool->set;
    uint64_t now_ns = loop_now_ns(set->loop);
    bool has_moved = upstream->n_moves != member->n_moves;
    if (set->lineage->current != set)
        member = set->lineage->current ? set_same(set->lineage->current, member) : NULL;
    bool is_old = upstream->born_ns + ms_to_ns(UPSTREAM_AGE_MS) <= now_ns;
    if (!member || has_moved || is_old || member->n_idle >= UPSTREAM_IDLE_MAX ||
        conn_pending(&upstream->conn)) {
        upstream_free(upstream);
        return;
    }
    idle_link(upstream, member, now_ns);
}

void upstream_drop(struct upstream *upstream)
{
    assert(!list_is_linked(&upstream->link));
    upstream_free(upstream);
}

void upstream_suspect(struct upstream_member *member, uint64_t now_ns, bool is_connect)
{
    metric_add(member->row, is_connect ? MEMBER_CONNECT_FAILED : MEMBER_BROKEN, 1);
    member->suspect_until_ns = now_ns + ms_to_ns(UPSTREAM_SUSPECT_MS);
}
