/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The records from pools of one snapshot: which facts each depends on, and their answers, made anew
 * where one has changed.
 */

#include "dns/record_set.h"

#include "base/mem.h"
#include "core/node.h"
#include "dns/ledger.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

/* A member, and where its facts are. */
struct set_member {
    struct member_view view;
    struct fact_ref force_ref, turn_ref;
};

/* A pool that records name. */
struct set_pool {
    const struct pool *conf;
    struct set_member *members;
    struct record_member *facts; /* as last read */
    bool is_dirty;
};

/* The drain of a node, in the words of admin here or there. */
struct set_drain {
    char fact[FACT_NAME_MAX];
    struct fact_ref ref;
};

struct record_set {
    const struct snapshot *snap;
    const struct dns_conf *conf;
    const struct board *board;
    struct set_pool **pools; /* by pool->index; NULL: no record names it */
    uint32_t n_pools;
    struct set_drain drains[NODES_MAX]; /* by place in `nodes` */
    size_t n_drains;
    struct record_view *view;
    bool is_committed;
};

/* ---- views ---- */

static struct record_view *view_create(uint32_t n_answers)
{
    struct record_view *view = MEM_NEW(struct record_view);
    view->answers = MEM_NEW_ARRAY(struct record_answer *, n_answers + 1);
    view->n_answers = n_answers;
    view->n_refs = 1;
    return view;
}

struct record_view *record_view_ref(struct record_view *view)
{
    view->n_refs++;
    return view;
}

void record_view_unref(struct record_view **view_ptr)
{
    struct record_view *view = *view_ptr;
    *view_ptr = NULL;
    assert(view->n_refs > 0);
    if (--view->n_refs)
        return;
    for (uint32_t i = 0; i < view->n_answers; i++)
        record_answer_unref(&view->answers[i]);
    mem_free((void *)view->answers);
    mem_free(view);
}

/* ---- facts ---- */

static struct fact_ref find(const struct record_set *set, const char *kind,
                            const struct member *member)
{
    char name[FACT_NAME_MAX];
    snprintf(name, sizeof(name), "%s:%s", kind, member->label);
    return board_find(set->board, name);
}

static void find_all(const struct record_set *set, struct set_pool *pool)
{
    for (uint32_t i = 0; i < pool->conf->n_members; i++) {
        struct set_member *member = &pool->members[i];
        const struct member *conf = pool->conf->members[i];
        member->force_ref = find(set, "force", conf);
        member->turn_ref = find(set, "turn", conf);
        member_view_init(&member->view, conf, set->board);
    }
}

static const struct nodes_conf *nodes_of(const struct record_set *set)
{
    const struct settings *settings = settings_of(set->snap);
    return settings ? settings->nodes : NULL;
}

static void name_drains(struct record_set *set)
{
    const struct nodes_conf *nodes = nodes_of(set);
    set->n_drains = nodes ? nodes->list.n_items : 0;
    for (size_t i = 0; i < set->n_drains; i++) {
        struct slice node = ((const struct node_conf *)nodes->list.items[i])->name;
        struct set_drain *drain = &set->drains[i];
        if (slice_is(node, set->snap->node))
            snprintf(drain->fact, sizeof(drain->fact), "drain:node/%.*s", SLICE_ARG(node));
        else
            snprintf(drain->fact, sizeof(drain->fact), "at:%.*s/drain:node/%.*s", SLICE_ARG(node),
                     SLICE_ARG(node));
    }
}

static void find_drains(struct record_set *set)
{
    for (size_t i = 0; i < set->n_drains; i++)
        set->drains[i].ref = board_find(set->board, set->drains[i].fact);
}

static bool is_node_drained(const struct record_set *set, const struct addr *addr)
{
    const struct nodes_conf *nodes = nodes_of(set);
    const struct node_conf *node = addr->len ? node_of_addr(set->snap, addr) : NULL;
    for (size_t i = 0; node && i < set->n_drains; i++) {
        if (nodes->list.items[i] != node || !set->drains[i].ref.is_set)
            continue;
        enum fact_state state = board_peek(set->board, set->drains[i].ref);
        return state == FACT_DRAINING || state == FACT_DRAINED;
    }
    return false;
}

static bool read_fact(const struct record_set *set, struct fact_ref ref, struct fact *ret_fact)
{
    return ref.is_set && board_read(set->board, ref, ret_fact);
}

/* What nothing but the operator turns has no time of its own. */
static uint32_t turn_of(const struct record_set *set, const struct set_member *member,
                        const struct record_member *facts)
{
    struct fact fact;
    const struct member *conf = facts->member;
    if (facts->forced == FACT_UP || facts->forced == FACT_DOWN)
        return RECORD_NO_TURN;
    if (!conf->listen_fact && !conf->pool->check)
        return RECORD_NO_TURN;
    if (conf->listen_fact || facts->state == FACT_UNKNOWN ||
        !read_fact(set, member->turn_ref, &fact) || !(fact.value > 0))
        return 0;
    return fact.value < RECORD_TTL_MAX_S ? (uint32_t)fact.value : RECORD_TTL_MAX_S;
}

static void read_member(const struct record_set *set, struct set_member *member,
                        struct record_member *ret_facts)
{
    const struct member *conf = member->view.member;
    struct fact fact;
    member_view_update(&member->view, set->board);
    *ret_facts = (struct record_member){.member = conf,
                                        .addr = member->view.addr,
                                        .state = FACT_UNKNOWN,
                                        .forced = FACT_NONE,
                                        .weight = (uint32_t)conf->weight,
                                        .force_ttl_s = RECORD_NO_TURN};
    if (read_fact(set, member->view.state_ref, &fact)) {
        ret_facts->state = fact.state;
        if (fact.value >= 0 && fact.value <= MEMBER_WEIGHT_MAX)
            ret_facts->weight = (uint32_t)fact.value;
    }
    if (read_fact(set, member->force_ref, &fact)) {
        ret_facts->forced = fact.state;
        if (fact.value >= 1 && fact.value <= RECORD_TTL_MAX_S)
            ret_facts->force_ttl_s = (uint32_t)fact.value;
    }
    /* A word of the operator that health has not combined yet is in force here already. */
    if (ret_facts->forced == FACT_UP)
        ret_facts->state = FACT_UP;
    ret_facts->is_node_drained = is_node_drained(set, &member->view.addr);
    ret_facts->turn_s = turn_of(set, member, ret_facts);
}

static void read_pool(const struct record_set *set, struct set_pool *pool)
{
    for (uint32_t i = 0; i < pool->conf->n_members; i++)
        read_member(set, &pool->members[i], &pool->facts[i]);
    pool->is_dirty = false;
}

const struct record_member *record_set_facts(void *ctx, const struct pool *pool)
{
    const struct record_set *set = ctx;
    assert(set->pools[pool->index]);
    return set->pools[pool->index]->facts;
}

/* ---- answers ---- */

static bool is_affected(const struct record_conf *record, const bool *is_dirty)
{
    for (uint32_t b = 0; b < record->n_branches; b++) {
        for (uint32_t i = 0; i < record->branches[b].n_choices; i++) {
            if (is_dirty[record->branches[b].choices[i].pool->index])
                return true;
        }
    }
    return false;
}

static struct record_answer *make(struct record_set *set, uint32_t index)
{
    return record_answer_make(set->conf->pool_records[index], set->conf->pool_zones[index],
                              record_set_facts, set);
}

static void make_all(struct record_set *set)
{
    set->view = view_create(set->conf->n_pool_records);
    for (uint32_t i = 0; i < set->view->n_answers; i++)
        set->view->answers[i] = make(set, i);
}

/* The answer where it says something new, or NULL. */
static struct record_answer *make_news(struct record_set *set, uint32_t index)
{
    struct record_answer *answer = make(set, index);
    if (record_answer_equal(answer, set->view->answers[index]))
        record_answer_unref(&answer);
    return answer;
}

/* A copy of the view now, where there is none yet. */
static struct record_view *copy_view(const struct record_set *set)
{
    struct record_view *view = view_create(set->view->n_answers);
    for (uint32_t i = 0; i < view->n_answers; i++)
        view->answers[i] = record_answer_ref(set->view->answers[i]);
    return view;
}

static struct record_view *make_dirty(struct record_set *set, struct record_ledger *ledger,
                                      const bool *is_dirty)
{
    struct record_view *view = NULL;
    for (uint32_t i = 0; i < set->view->n_answers; i++) {
        if (!is_affected(set->conf->pool_records[i], is_dirty))
            continue;
        struct record_answer *answer = make_news(set, i);
        if (!answer)
            continue;
        if (!view)
            view = copy_view(set);
        ledger_remove(ledger, view->answers[i]);
        ledger_add(ledger, answer);
        record_answer_unref(&view->answers[i]);
        view->answers[i] = answer;
    }
    return view;
}

struct record_view *record_set_refresh(struct record_set *set, struct record_ledger *ledger,
                                       uint64_t wall_ns)
{
    assert(set->is_committed);
    bool is_any = false;
    bool *is_dirty = MEM_NEW_ARRAY(bool, set->n_pools + 1);
    for (uint32_t i = 0; i < set->n_pools; i++) {
        if (!set->pools[i] || !set->pools[i]->is_dirty)
            continue;
        read_pool(set, set->pools[i]);
        is_any = is_dirty[i] = true;
    }
    struct record_view *view = is_any ? make_dirty(set, ledger, is_dirty) : NULL;
    mem_free(is_dirty);
    if (!view)
        return NULL;
    ledger_settle(ledger, wall_ns);
    record_view_unref(&set->view);
    set->view = view;
    return record_view_ref(view);
}

/* ---- life ---- */

static void take_pool(struct record_set *set, const struct pool *conf)
{
    if (set->pools[conf->index])
        return;
    struct set_pool *pool = MEM_NEW(struct set_pool);
    pool->conf = conf;
    pool->members = MEM_NEW_ARRAY(struct set_member, conf->n_members);
    pool->facts = MEM_NEW_ARRAY(struct record_member, conf->n_members);
    set->pools[conf->index] = pool;
    find_all(set, pool);
    read_pool(set, pool);
}

struct record_set *record_set_create(const struct snapshot *snap, const struct dns_conf *conf,
                                     const struct board *board)
{
    struct record_set *set = MEM_NEW(struct record_set);
    set->snap = snap;
    set->conf = conf;
    set->board = board;
    set->n_pools = pool_conf_of(snap)->n_pools;
    name_drains(set);
    find_drains(set);
    set->pools = MEM_NEW_ARRAY(struct set_pool *, set->n_pools + 1);
    for (uint32_t r = 0; r < conf->n_pool_records; r++) {
        const struct record_conf *record = conf->pool_records[r];
        for (uint32_t b = 0; b < record->n_branches; b++) {
            for (uint32_t i = 0; i < record->branches[b].n_choices; i++)
                take_pool(set, record->branches[b].choices[i].pool);
        }
    }
    make_all(set);
    return set;
}

void record_set_destroy(struct record_set **set_ptr)
{
    struct record_set *set = *set_ptr;
    *set_ptr = NULL;
    record_view_unref(&set->view);
    for (uint32_t i = 0; i < set->n_pools; i++) {
        if (!set->pools[i])
            continue;
        mem_free(set->pools[i]->members);
        mem_free(set->pools[i]->facts);
        mem_free(set->pools[i]);
    }
    mem_free((void *)set->pools);
    mem_free(set);
}

struct record_view *record_set_view(const struct record_set *set)
{
    return set->view;
}

void record_set_commit(struct record_set *set, struct record_ledger *ledger, uint64_t wall_ns)
{
    ledger_clear(ledger);
    for (uint32_t i = 0; i < set->view->n_answers; i++)
        ledger_add(ledger, set->view->answers[i]);
    ledger_settle(ledger, wall_ns);
    ledger_forget(ledger, wall_ns);
    set->is_committed = true;
    record_set_on_lost(set);
}

/* ---- changes ---- */

static struct set_member *find_member(const struct set_pool *pool, struct slice name)
{
    for (uint32_t i = 0; i < pool->conf->n_members; i++) {
        if (slice_equal(pool->conf->members[i]->name, name))
            return &pool->members[i];
    }
    return NULL;
}

static void mark_all(struct record_set *set)
{
    for (uint32_t i = 0; i < set->n_pools; i++)
        if (set->pools[i])
            set->pools[i]->is_dirty = true;
}

/* A node that drains may have any member's address. */
static bool take_drain(struct record_set *set, const struct board_change *change)
{
    for (size_t i = 0; i < set->n_drains; i++) {
        if (strcmp(set->drains[i].fact, change->name) != 0)
            continue;
        set->drains[i].ref = change->ref;
        mark_all(set);
        return true;
    }
    return false;
}

bool record_set_on_change(struct record_set *set, const struct board_change *change)
{
    struct slice name = slice_from(change->name);
    struct slice kind = slice_cut(&name, ':');
    bool is_force = slice_is(kind, "force");
    bool is_turn = slice_is(kind, "turn");
    if (slice_is(kind, "drain") || slice_is(kind, "at"))
        return take_drain(set, change);
    if (!is_force && !is_turn && !slice_is(kind, "member") && !slice_is(kind, "address"))
        return false;
    const struct pool *conf = pool_find(set->snap, slice_cut(&name, '/'));
    struct set_pool *pool = conf ? set->pools[conf->index] : NULL;
    struct set_member *member = pool ? find_member(pool, name) : NULL;
    if (!member)
        return false;
    if (is_force)
        member->force_ref = change->ref;
    if (is_turn)
        member->turn_ref = change->ref;
    pool->is_dirty = true;
    return true;
}

void record_set_on_lost(struct record_set *set)
{
    find_drains(set);
    mark_all(set);
    for (uint32_t i = 0; i < set->n_pools; i++)
        if (set->pools[i])
            find_all(set, set->pools[i]);
}
