/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The sets of a loop: how one is made of a snapshot, takes over from the last, and looks at the
 * facts.
 */

#include "base/mem.h"
#include "upstream/internal.h"
#include <assert.h>

enum { SWEEP_MS = 1000 };

/* ---- lineage ---- */

static void lineage_on_turn(struct loop *loop, struct loop_task *task)
{
    (void)loop;
    struct lineage *lineage = CONTAINER_OF(task, struct lineage, turn);
    lineage->is_turn_due = false;
    queues_run(lineage);
    lineage_leave(lineage);
}

void queues_run_later(struct lineage *lineage)
{
    if (lineage->is_turn_due)
        return;
    lineage->is_turn_due = true;
    loop_defer(lineage->loop, &lineage->turn, lineage_on_turn);
}

/* Another loop has passed slots on to this one; those that nobody here wants go back. */
static void lineage_on_wake(void *ctx)
{
    struct lineage *lineage = ctx;
    queues_run(lineage);
    LIST_EACH (node, &lineage->sets) {
        struct upstream_set *set = LIST_ENTRY(node, struct upstream_set, link);
        for (uint32_t p = 0; p < set->n_pools; p++)
            for (uint32_t m = 0; set->pools[p].has_limits && m < set->pools[p].n_members; m++)
                common_give_back(set->pools[p].members[m].common, lineage->loop_index);
    }
    lineage_leave(lineage);
}

static struct lineage *lineage_create(struct loop *loop, const struct upstream_set *set)
{
    struct lineage *lineage = MEM_NEW(struct lineage);
    lineage->loop = loop;
    lineage->commons = set->commons;
    lineage->loop_index = set->loop_index;
    commons_join(lineage->commons, lineage->loop_index, loop, lineage_on_wake, lineage);
    list_init(&lineage->sets);
    list_init(&lineage->telling);
    list_init(&lineage->queues);
    return lineage;
}

void lineage_leave(struct lineage *lineage)
{
    if (!list_is_empty(&lineage->sets) || lineage->is_turn_due || lineage->is_busy)
        return;
    commons_leave(lineage->commons, lineage->loop_index);
    mem_free(lineage);
}

/* ---- making and freeing ---- */

static void pool_balance(struct upstream_pool *pool, uint64_t seed)
{
    uint32_t weights[POOL_MEMBERS_MAX];
    struct slice names[POOL_MEMBERS_MAX];
    assert(pool->n_members <= POOL_MEMBERS_MAX);
    for (uint32_t m = 0; m < pool->n_members; m++) {
        weights[m] = pool->members[m].weight;
        names[m] = pool->conf->members[m]->name;
    }
    const struct balance_options options = {.method = method_of(pool->conf),
                                            .n_members = pool->n_members,
                                            .weights = weights,
                                            .names = names,
                                            .seed = seed,
                                            .bound_percent = (uint32_t)pool->conf->balance.bound};
    pool->balancer = balancer_create(&options);
}

/* Of every loop, where the method wants to know what is in flight in all of them. */
static metric_word **member_rows(const struct upstream_member *member,
                                 const struct upstream_set_options *options)
{
    const struct balance_conf *balance = &member->pool->conf->balance;
    bool goes_by_load = balance->method == POOL_LEAST_LOAD || balance->method == POOL_LATENCY ||
                        (balance->method == POOL_HASH && balance->bound);
    if (!goes_by_load)
        return NULL;
    uint32_t n_loops = commons_n_loops(options->commons);
    metric_word **rows = MEM_NEW_ARRAY(metric_word *, n_loops);
    for (uint32_t l = 0; l < n_loops; l++)
        rows[l] = options->member_row(options->ctx, member->view.member, l);
    return rows;
}

static void member_init(struct upstream_member *member, struct upstream_pool *pool, uint32_t index,
                        const struct upstream_set_options *options)
{
    member_view_init(&member->view, pool->conf->members[index], options->board);
    member->pool = pool;
    member->row = options->member_row(options->ctx, member->view.member, options->loop_index);
    member->rows = member_rows(member, options);
    member->max = (uint32_t)member->view.member->max_connections;
    member->common =
        common_member_ref(options->commons, pool->conf->name.ptr, member->view.member->label);
    member_weigh(member, FACT_NONE, 0);
    pool->has_limits = pool->has_limits || member->max;
    pool->has_backups = pool->has_backups || member->view.member->is_backup;
    list_init(&member->idle);
    list_init(&member->taken);
    member->resume = pool->tls ? tls_resume_create() : NULL;
    map_put(&pool->set->members, slice_from(member->view.member->label), member);
}

/* The pool's fact that says whether it fails open. */
static void pool_find_open(struct upstream_pool *pool, const struct board *board)
{
    if (pool->conf->open_fact && board_peek(board, pool->open_ref) == FACT_NONE)
        pool->open_ref = board_find(board, pool->conf->open_fact);
}

static void pool_init(struct upstream_pool *pool, struct upstream_set *set, const struct pool *conf,
                      const struct tls_client *tls, const struct upstream_set_options *options)
{
    pool->conf = conf;
    pool->set = set;
    pool->row = options->pool_row(options->ctx, conf);
    pool->tls = tls;
    pool_find_open(pool, options->board);
    pool->n_members = conf->n_members;
    pool->members = MEM_NEW_ARRAY(struct upstream_member, conf->n_members);
    pool->common = common_pool_ref(options->commons, conf->name.ptr);
    for (uint32_t m = 0; m < pool->n_members; m++)
        member_init(&pool->members[m], pool, m, options);
    pool_balance(pool, hash_mix(options->seed + options->loop_index * 1000003u + conf->index));
}

static void set_on_sweep(struct loop *loop, struct loop_timer *timer)
{
    struct upstream_set *set = CONTAINER_OF(timer, struct upstream_set, sweep);
    for (uint32_t p = 0; p < set->n_pools; p++) {
        if (set->pools[p].is_warming)
            pool_weigh(&set->pools[p], loop_now_ns(loop));
        for (uint32_t m = 0; m < set->pools[p].n_members; m++)
            member_sweep(&set->pools[p].members[m], loop);
    }
    queues_run_later(set->lineage);
    loop_timer_set(loop, timer, loop_now_ns(loop) + ms_to_ns(SWEEP_MS));
}

struct upstream_set *upstream_set_create(const struct upstream_set_options *options)
{
    const struct pool_conf *conf = pool_conf_of(options->snap);
    struct upstream_set *set = MEM_NEW(struct upstream_set);
    set->board = options->board;
    set->commons = options->commons;
    set->loop_index = options->loop_index;
    set->n_pools = conf->n_pools + (options->own ? 1 : 0);
    set->pools = MEM_NEW_ARRAY(struct upstream_pool, set->n_pools);
    list_init(&set->link);
    map_init(&set->members, options->seed, false);
    loop_timer_init(&set->sweep, set_on_sweep);
    for (uint32_t p = 0; p < conf->n_pools; p++)
        pool_init(&set->pools[p], set, conf->pools[p], pool_tls_of(options->tls, conf->pools[p]),
                  options);
    if (options->own)
        pool_init(&set->pools[conf->n_pools], set, options->own, NULL, options);
    return set;
}

static void pool_deinit(struct upstream_pool *pool)
{
    for (uint32_t m = 0; m < pool->n_members; m++) {
        assert(list_is_empty(&pool->members[m].taken));
        idle_close_all(&pool->members[m]);
        tls_resume_unref(&pool->members[m].resume);
        member_leave_commons(&pool->members[m]);
        mem_free(pool->members[m].rows);
    }
    if (pool->queue)
        queue_leave(pool->queue, pool->common, pool->set->loop_index);
    common_pool_unref(&pool->common);
    balancer_destroy(&pool->balancer);
    mem_free(pool->members);
}

void upstream_set_destroy(struct upstream_set **set_ptr)
{
    struct upstream_set *set = *set_ptr;
    *set_ptr = NULL;
    if (!set)
        return;
    struct lineage *lineage = set->lineage;
    if (set->loop)
        loop_timer_clear(set->loop, &set->sweep);
    for (uint32_t p = 0; p < set->n_pools; p++)
        pool_deinit(&set->pools[p]);
    if (lineage) {
        list_remove(&set->link);
        if (lineage->current == set)
            lineage->current = NULL;
        lineage_leave(lineage);
    }
    map_deinit(&set->members);
    mem_free(set->pools);
    mem_free(set);
}

/* ---- from one to the next ---- */

struct upstream_member *set_same(const struct upstream_set *set,
                                 const struct upstream_member *member)
{
    struct upstream_member *same = map_get(&set->members, slice_from(member->view.member->label));
    if (!same || !addr_equal(&same->view.addr, &member->view.addr) ||
        !tls_client_is_same(same->pool->tls, member->pool->tls))
        return NULL;
    return same;
}

/* What the pool of that name in the old set knew; who is new among its members starts slowly. */
static void pool_follow(struct upstream_pool *pool, const struct upstream_set *old)
{
    const struct upstream_pool *former = NULL;
    for (uint32_t p = 0; p < old->n_pools && !former; p++)
        if (slice_equal(old->pools[p].conf->name, pool->conf->name))
            former = &old->pools[p];
    if (!former)
        return;
    balancer_inherit(pool->balancer, former->balancer);
    for (uint32_t m = 0; m < pool->n_members; m++) {
        struct slice label = slice_from(pool->members[m].view.member->label);
        if (!map_get(&old->members, label))
            pool->members[m].is_cold = true;
    }
}

void upstream_set_adopt(struct upstream_set *set, struct loop *loop, struct upstream_set *old)
{
    assert(!set->loop);
    set->loop = loop;
    set->lineage = old ? old->lineage : lineage_create(loop, set);
    set->lineage->current = set;
    list_add_back(&set->lineage->sets, &set->link);
    loop_timer_set(loop, &set->sweep, loop_now_ns(loop) + ms_to_ns(SWEEP_MS));
    for (uint32_t p = 0; p < set->n_pools; p++)
        queue_enter(set->lineage, &set->pools[p]);
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
    for (uint32_t p = 0; p < set->n_pools; p++)
        pool_follow(&set->pools[p], old);
    queues_run_later(set->lineage);
}

/* ---- facts ---- */

static void member_refresh(struct upstream_member *member, struct lineage *lineage,
                           const struct board *board, uint64_t now_ns)
{
    struct addr before = member->view.addr;
    bool was_down = member->is_down;
    member_view_update(&member->view, board);
    enum fact_state state = board_peek(board, member->view.state_ref);
    member->is_down = state == FACT_DOWN || state == FACT_FAILED;
    member_weigh(member, state, now_ns);
    if (!addr_equal(&before, &member->view.addr)) {
        member->n_moves++;
        member_forsake(member); /* they lead to where the member was */
    }
    if (member->is_down && !was_down) {
        member_forsake(member);
        if (lineage)
            list_move_all(&lineage->telling, &member->taken);
    }
}

static void set_refresh(struct upstream_set *set)
{
    uint64_t now_ns = set->loop ? loop_now_ns(set->loop) : 0;
    for (uint32_t p = 0; p < set->n_pools; p++) {
        struct upstream_pool *pool = &set->pools[p];
        pool_find_open(pool, set->board);
        for (uint32_t m = 0; m < pool->n_members; m++)
            member_refresh(&pool->members[m], set->lineage, set->board, now_ns);
        pool_weigh(pool, now_ns);
    }
}

/*
 * Each of them once. A callback may give back any connection, and with the last one of an old set
 * the set itself may go; both only take things out of the list.
 */
static void lineage_tell(struct lineage *lineage)
{
    struct upstream *upstream;
    while ((upstream = LIST_FIRST(&lineage->telling, struct upstream, link)) != NULL) {
        list_remove(&upstream->link);
        list_add_back(&upstream->member->taken, &upstream->link);
        if (upstream->calls->on_down)
            upstream->calls->on_down(upstream);
    }
}

void upstream_set_refresh(struct upstream_set *set)
{
    struct lineage *lineage = set->lineage;
    if (!lineage) {
        set_refresh(set);
        return;
    }
    assert(!lineage->is_busy);
    LIST_EACH (node, &lineage->sets)
        set_refresh(LIST_ENTRY(node, struct upstream_set, link));
    lineage->is_busy = true;
    lineage_tell(lineage);
    lineage->is_busy = false;
    queues_run(lineage);
    lineage_leave(lineage);
}

struct upstream_pool *upstream_pool_of(struct upstream_set *set, const struct pool *pool)
{
    assert(pool->index < set->n_pools);
    return &set->pools[pool->index];
}
