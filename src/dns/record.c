/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who of a pool is answered, and how long that may be remembered.
 */

#include "dns/record.h"

#include "base/mem.h"
#include "wire/dns.h"
#include <assert.h>
#include <string.h>

enum { WHOLE_PERCENT = 100 };

static const char *const why_texts[RECORD_N_WHYS] = {
    [RECORD_OUT_UNUSED] = "out: another pool answers",
    [RECORD_IN_UP] = "in: up",
    [RECORD_IN_ALL] = "in: all are answered",
    [RECORD_IN_UNKNOWN] = "in: not judged yet, and nobody is up",
    [RECORD_IN_OPEN] = "in: too few are up, the record fails open",
    [RECORD_OUT_NO_ADDRESS] = "out: its name is not resolved",
    [RECORD_OUT_FAMILY] = "out: no address of this type",
    [RECORD_OUT_DOWN] = "out: down",
    [RECORD_OUT_UNKNOWN] = "out: not judged yet",
    [RECORD_OUT_DRAINING] = "out: it drains",
    [RECORD_OUT_NODE] = "out: its node drains",
    [RECORD_OUT_FORCED] = "out: the operator forces it down",
    [RECORD_OUT_WEIGHT] = "out: it weighs nothing",
    [RECORD_OUT_BACKUP] = "out: a backup, and others are answered",
    [RECORD_OUT_NOT_FIRST] = "out: not the first",
};

const char *record_why_text(enum record_why why)
{
    assert(why < RECORD_N_WHYS);
    return why_texts[why];
}

/* ---- who ---- */

static bool has_family(const struct record_conf *record, const struct addr *addr)
{
    int family = addr_family(addr);
    if (record->type == DNS_A)
        return family == AF_INET;
    if (record->type == DNS_AAAA)
        return family == AF_INET6;
    return family == AF_INET || family == AF_INET6;
}

/* What keeps a member out whatever the others are, or RECORD_IN_ALL. */
static enum record_why refusal(const struct record_conf *record, const struct record_member *member)
{
    if (member->addr.len == 0)
        return RECORD_OUT_NO_ADDRESS;
    if (!has_family(record, &member->addr))
        return RECORD_OUT_FAMILY;
    if (member->forced == FACT_DOWN)
        return RECORD_OUT_FORCED;
    if (member->state == FACT_DRAINING || member->forced == FACT_DRAINING)
        return RECORD_OUT_DRAINING;
    if (member->is_node_drained)
        return RECORD_OUT_NODE;
    if (member->weight == 0)
        return RECORD_OUT_WEIGHT;
    return RECORD_IN_ALL;
}

static enum record_why judgement(const struct record_member *member)
{
    if (member->state == FACT_UP)
        return RECORD_IN_UP;
    if (member->state == FACT_UNKNOWN || member->state == FACT_NONE)
        return RECORD_IN_UNKNOWN;
    return RECORD_OUT_DOWN;
}

/* Of those that nothing else keeps out, by what is known of them. */
struct census {
    uint32_t n_up, n_unknown, n_down;
};

static struct census count(const enum record_why *whys, uint32_t n)
{
    struct census census = {0, 0, 0};
    for (uint32_t i = 0; i < n; i++) {
        census.n_up += whys[i] == RECORD_IN_UP;
        census.n_unknown += whys[i] == RECORD_IN_UNKNOWN;
        census.n_down += whys[i] == RECORD_OUT_DOWN;
    }
    return census;
}

static bool is_below(const struct record_choice *choice, const struct census *census)
{
    uint64_t n_judged = (uint64_t)census->n_up + census->n_down;
    return (uint64_t)census->n_up * WHOLE_PERCENT < n_judged * (uint64_t)choice->open_below_percent;
}

static void turn(enum record_why *whys, uint32_t n, enum record_why from, enum record_why to)
{
    for (uint32_t i = 0; i < n; i++) {
        if (whys[i] == from)
            whys[i] = to;
    }
}

static void open_up(enum record_why *whys, uint32_t n)
{
    turn(whys, n, RECORD_IN_UP, RECORD_IN_OPEN);
    turn(whys, n, RECORD_IN_UNKNOWN, RECORD_IN_OPEN);
    turn(whys, n, RECORD_OUT_DOWN, RECORD_IN_OPEN);
}

/* SRV, HTTPS and SVCB have priorities of their own. */
static bool has_priorities(const struct record_conf *record)
{
    return record->type != DNS_A && record->type != DNS_AAAA;
}

static void drop_backups(const struct pool *pool, enum record_why *whys)
{
    bool has_other = false;
    for (uint32_t i = 0; i < pool->n_members; i++)
        has_other |= record_is_in(whys[i]) && !pool->members[i]->is_backup;
    for (uint32_t i = 0; i < pool->n_members && has_other; i++) {
        if (record_is_in(whys[i]) && pool->members[i]->is_backup)
            whys[i] = RECORD_OUT_BACKUP;
    }
}

static void keep_first(const struct pool *pool, enum record_why *whys)
{
    uint32_t first = pool->n_members;
    for (uint32_t i = pool->n_members; i-- > 0;) {
        if (!record_is_in(whys[i]))
            continue;
        if (first == pool->n_members || !pool->members[i]->is_backup ||
            pool->members[first]->is_backup)
            first = i;
    }
    for (uint32_t i = 0; i < pool->n_members; i++) {
        if (record_is_in(whys[i]) && i != first)
            whys[i] = RECORD_OUT_NOT_FIRST;
    }
}

static uint32_t count_in(const enum record_why *whys, uint32_t n)
{
    uint32_t n_in = 0;
    for (uint32_t i = 0; i < n; i++)
        n_in += record_is_in(whys[i]);
    return n_in;
}

uint32_t record_choose(const struct record_conf *record, const struct record_choice *choice,
                       const struct record_member *members, bool is_open, enum record_why *ret_whys)
{
    const struct pool *pool = choice->pool;
    uint32_t n = pool->n_members;
    for (uint32_t i = 0; i < n; i++) {
        ret_whys[i] = refusal(record, &members[i]);
        if (ret_whys[i] == RECORD_IN_ALL && choice->mode == RECORD_HEALTHY)
            ret_whys[i] = judgement(&members[i]);
    }
    struct census census = count(ret_whys, n);
    bool is_opened = is_open || (census.n_up && is_below(choice, &census));
    if (is_opened && choice->mode == RECORD_HEALTHY)
        open_up(ret_whys, n);
    else if (census.n_up)
        turn(ret_whys, n, RECORD_IN_UNKNOWN, RECORD_OUT_UNKNOWN);
    if (!is_opened && !has_priorities(record))
        drop_backups(pool, ret_whys);
    if (choice->is_first)
        keep_first(pool, ret_whys);
    return count_in(ret_whys, n);
}

/* ---- for how long ---- */

struct patience {
    uint32_t turn_s, force_s;
};

/* Those that could be in the answer, now or after a turn. */
static bool is_concerned(enum record_why why)
{
    return why != RECORD_OUT_FAMILY;
}

static void add_patience(const struct record_choice *choice, const struct record_member *members,
                         const enum record_why *whys, struct patience *patience)
{
    for (uint32_t i = 0; i < choice->pool->n_members; i++) {
        if (!is_concerned(whys[i]))
            continue;
        if (choice->mode == RECORD_HEALTHY && members[i].turn_s < patience->turn_s)
            patience->turn_s = members[i].turn_s;
        if (members[i].force_ttl_s < patience->force_s)
            patience->force_s = members[i].force_ttl_s;
    }
}

static uint32_t ttl_of(const struct record_conf *record, const struct patience *patience)
{
    uint32_t ttl_s = patience->turn_s;
    if (ttl_s < record->ttl_min_s)
        ttl_s = record->ttl_min_s;
    if (ttl_s > record->ttl_max_s)
        ttl_s = record->ttl_max_s;
    return patience->force_s < ttl_s ? patience->force_s : ttl_s;
}

/* ---- a branch ---- */

void record_outcome_make(const struct record_conf *record, const struct record_branch *branch,
                         record_facts_fn *facts, void *ctx, struct record_outcome *ret_outcome)
{
    struct patience patience = {RECORD_NO_TURN, RECORD_NO_TURN};
    *ret_outcome = (struct record_outcome){.choice = RECORD_NO_CHOICE};
    for (uint32_t i = 0; i < branch->n_choices && ret_outcome->n == 0; i++) {
        const struct record_choice *choice = &branch->choices[i];
        const struct record_member *members = facts(ctx, choice->pool);
        ret_outcome->n = record_choose(record, choice, members, false, ret_outcome->whys[i]);
        add_patience(choice, members, ret_outcome->whys[i], &patience);
        if (ret_outcome->n)
            ret_outcome->choice = i;
    }
    for (uint32_t i = 0; i < branch->n_choices && ret_outcome->n == 0; i++) {
        const struct record_choice *choice = &branch->choices[i];
        if (choice->is_closed || choice->mode != RECORD_HEALTHY)
            continue;
        const struct record_member *members = facts(ctx, choice->pool);
        ret_outcome->n = record_choose(record, choice, members, true, ret_outcome->whys[i]);
        if (ret_outcome->n) {
            ret_outcome->choice = i;
            ret_outcome->is_open = true;
        }
    }
    ret_outcome->ttl_s = ttl_of(record, &patience);
    ret_outcome->turn_s = patience.turn_s;
    ret_outcome->force_s = patience.force_s;
}
