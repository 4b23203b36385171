/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What health says: the facts of members, pools and addresses, and a line in the log for each
 * transition.
 */

#include "health/internal.h"

#include <inttypes.h>
#include <stdio.h>

enum { WHOLE_PERCENT = 100, NS_PER_S = 1000000000 };

static struct log *log_of(const struct health *health)
{
    return process_log(health->loop);
}

/* ---- members ---- */

static struct verdict combine(const struct target *target)
{
    const struct verdict_words words = {
        .checked = target->checked,
        .checked_reason = target->checked_reason,
        .forced = target->forced,
        .ejected = eject_is_out(&target->eject) ? target->ejected : NULL,
        .drained = target->is_drained ? target->checked_reason : NULL,
        .weight = (uint32_t)target->member->weight,
        .forced_weight = target->forced_weight,
        .share = target->share,
    };
    return verdict_of(&words);
}

/* The time is stated, and bells ring, only when it is another: not as it runs out. */
void fact_turn(struct target *target)
{
    struct health *health = target->health;
    if (!target->is_checked || !target->member->pool->is_timed) {
        target->told_turn_s = -1;
        return;
    }
    const struct machine *machine = &target->machine;
    double turn_s = (double)machine_turn_ns(machine) / NS_PER_S;
    if (turn_s == target->told_turn_s)
        return;
    char reason[FACT_REASON_MAX];
    uint64_t wall_ns = loop_wall_ns(health->loop);
    bool is_first = target->told_turn_s < 0;
    target->told_turn_s = turn_s;
    snprintf(reason, sizeof(reason), "no sooner than in %.3g s can its checks turn it", turn_s);
    (void)board_state(health->board, target->turn_fact, FACT_UP, turn_s, reason, wall_ns);
    if (!is_first || !health->process->is_first_life)
        board_tell(health->board, target->turn_fact, wall_ns);
}

/* Returns the state that was published before. */
static enum fact_state publish(struct target *target)
{
    struct health *health = target->health;
    struct verdict former = target->published;
    uint64_t wall_ns = loop_wall_ns(health->loop);
    target->published = combine(target);
    const struct verdict *now = &target->published;
    fact_turn(target);
    (void)board_state(health->board, target->fact, now->state, (double)now->weight, now->reason,
                      wall_ns);
    /* An earlier life may have died before it could tell of a weight. */
    bool is_adopted = former.state == FACT_NONE && !health->process->is_first_life;
    if (is_adopted || (former.state == now->state && former.weight != now->weight))
        board_tell(health->board, target->fact, wall_ns);
    /* A commit looks at all pools when it is through with all members. */
    if (former.state != now->state && !health->is_committing)
        fact_pool(health, target->pool);
    return former.state;
}

void fact_member(struct target *target, enum fact_state state, const char *reason)
{
    target->checked = state;
    if (reason != target->checked_reason)
        snprintf(target->checked_reason, sizeof(target->checked_reason), "%s", reason);
    publish(target);
}

void fact_combine(struct target *target)
{
    enum fact_state former = publish(target);
    const struct verdict *now = &target->published;
    if (former == now->state)
        return;
    const struct log_field fields[] = {
        {"member", target->label},
        {"from", fact_state_name(former)},
        {"to", fact_state_name(now->state)},
    };
    enum log_level level = now->state == FACT_UP ? LOG_LEVEL_INFO : LOG_LEVEL_WARN;
    log_fields(log_of(target->health), level, fields, ARRAY_LEN(fields), "%s %s: %s", target->fact,
               fact_state_name(now->state), now->reason);
}

static enum fact_state fact_of(enum machine_state state)
{
    switch (state) {
    case MACHINE_UP:
        return FACT_UP;
    case MACHINE_DOWN:
        return FACT_DOWN;
    case MACHINE_UNKNOWN:
        break;
    }
    return FACT_UNKNOWN;
}

static void log_transition(const struct target *target, const struct check_result *result,
                           const struct machine_step *step)
{
    char n_checks[12];
    snprintf(n_checks, sizeof(n_checks), "%" PRIu32, step->n_results);
    const struct log_field fields[] = {
        {"member", target->label},
        {"from", fact_state_name(fact_of(step->from))},
        {"to", fact_state_name(fact_of(step->to))},
        {"reason", reason_name(result->reason)},
        {"checks", n_checks},
    };
    enum log_level level = step->to == MACHINE_DOWN ? LOG_LEVEL_WARN : LOG_LEVEL_INFO;
    bool is_covered = target->published.state != target->checked;
    log_fields(log_of(target->health), level, fields, ARRAY_LEN(fields), "%s %s%s: %s",
               target->fact, is_covered ? "would be " : "", fact_state_name(fact_of(step->to)),
               target->checked_reason);
}

void fact_checked(struct target *target, const struct check_result *result,
                  const struct machine_step *step)
{
    const struct machine *machine = &target->machine;
    char sentence[FACT_REASON_MAX], reason[FACT_REASON_MAX];
    target->unchecked_by = REASON_OK;
    reason_format(result, target->member->pool->check, sentence);
    if (machine->n_row == 0)
        snprintf(reason, sizeof(reason), "%s", sentence);
    else /* the state stands, but this result speaks against it */
        snprintf(reason, sizeof(reason), "%.60s (%" PRIu32 " of %" PRIu32 ")", sentence,
                 machine->n_row,
                 machine->state == MACHINE_UP ? machine->rules.fall : machine->rules.rise);
    if (machine->state == MACHINE_DOWN)
        ejection_lift(target);
    fact_member(target, fact_of(machine->state), reason);
    if (step->has_changed) {
        target_count(target, CHECK_TRANSITIONS);
        log_transition(target, result, step);
    }
}

void fact_not_checked(struct target *target, const struct check_result *result)
{
    char reason[FACT_REASON_MAX];
    reason_format(result, target->member->pool->check, reason);
    if (target->unchecked_by != result->reason)
        log_write(log_of(target->health), LOG_LEVEL_WARN, "%s: %s", target->fact, reason);
    target->unchecked_by = result->reason;
    if (target->machine.state == MACHINE_UNKNOWN)
        fact_member(target, FACT_UNKNOWN, reason);
}

void fact_unchecked(struct target *target)
{
    char reason[FACT_REASON_MAX];
    if (target->addr.len) {
        fact_member(target, FACT_UP, "not checked");
    } else if (!target->name.is_answered) {
        fact_member(target, FACT_UNKNOWN, "its name has not been resolved yet");
    } else {
        snprintf(reason, sizeof(reason), "name not resolved: %s",
                 resolver_status_text(target->name.status));
        fact_member(target, FACT_DOWN, reason);
    }
}

/* ---- pools ---- */

struct pool_count {
    uint32_t n, n_up, n_draining, n_unknown;
};

static struct pool_count pool_count(const struct health_pool *pool)
{
    struct pool_count count = {.n = pool->conf->n_members};
    for (uint32_t i = 0; i < count.n; i++) {
        enum fact_state state = pool->targets[i]->published.state;
        count.n_up += state == FACT_UP;
        count.n_draining += state == FACT_DRAINING;
        count.n_unknown += state == FACT_UNKNOWN || state == FACT_NONE;
    }
    return count;
}

/*
 * Members that are not judged yet count for neither side: a new one degrades no pool. Nor does one
 * that drains, which is gone because somebody wants it so; but a pool that has none else is not up.
 */
static enum fact_state pool_state(const struct pool_count *count)
{
    uint32_t n_down = count->n - count->n_up - count->n_draining - count->n_unknown;
    if (count->n_up)
        return n_down ? FACT_DEGRADED : FACT_UP;
    if (count->n_unknown)
        return FACT_UNKNOWN;
    return count->n_draining ? FACT_DRAINING : FACT_DOWN;
}

static void log_pool(const struct health *health, struct health_pool *pool)
{
    const struct log_field fields[] = {
        {"from", fact_state_name(pool->logged)},
        {"to", fact_state_name(pool->state)},
    };
    pool->logged = pool->state;
    enum log_level level = LOG_LEVEL_INFO;
    if (pool->state == FACT_DOWN)
        level = LOG_LEVEL_ERROR;
    else if (pool->state == FACT_DEGRADED || pool->state == FACT_DRAINING)
        level = LOG_LEVEL_WARN;
    log_fields(log_of(health), level, fields, ARRAY_LEN(fields), "%s %s: %s", pool->conf->fact,
               fact_state_name(pool->state), pool->reason);
}

/* Fewer are up than the pool's word allows; who drains or is not judged yet counts for nothing. */
static bool is_open(const struct health_pool *pool, const struct pool_count *count)
{
    uint32_t n_judged = count->n - count->n_draining - count->n_unknown;
    return (uint64_t)count->n_up * WHOLE_PERCENT <
           (uint64_t)n_judged * (uint64_t)pool->conf->fail_open->below_percent;
}

static void state_fail_open(struct health *health, const struct health_pool *pool,
                            const struct pool_count *count)
{
    char reason[FACT_REASON_MAX];
    bool was_open =
        board_peek(health->board, board_find(health->board, pool->conf->open_fact)) == FACT_UP;
    bool is_now = is_open(pool, count);
    snprintf(reason, sizeof(reason), "%.50s, %s %d%%", pool->reason,
             is_now ? "below" : "open below", (int)pool->conf->fail_open->below_percent);
    (void)board_state(health->board, pool->conf->open_fact, is_now ? FACT_UP : FACT_DOWN, 0, reason,
                      loop_wall_ns(health->loop));
    if (is_now != was_open)
        log_write(log_of(health), is_now ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
                  is_now ? "%s fails open: members that are down are used too (%s)"
                         : "%s fails open no more (%s)",
                  pool->conf->fact, pool->reason);
}

void fact_pool(struct health *health, struct health_pool *pool)
{
    struct pool_count count = pool_count(pool);
    char draining[32] = "", unknown[32] = "";
    if (count.n_draining)
        snprintf(draining, sizeof(draining), ", %" PRIu32 " draining", count.n_draining);
    if (count.n_unknown)
        snprintf(unknown, sizeof(unknown), ", %" PRIu32 " not judged yet", count.n_unknown);
    snprintf(pool->reason, sizeof(pool->reason), "%" PRIu32 "/%" PRIu32 " up%s%s", count.n_up,
             count.n, draining, unknown);
    pool->state = pool_state(&count);
    (void)board_state(health->board, pool->conf->fact, pool->state, (double)count.n_up,
                      pool->reason, loop_wall_ns(health->loop));
    if (pool->conf->fail_open)
        state_fail_open(health, pool, &count);
    /* While members are still judged for the first time, what is so far is no news. */
    if (pool->logged != pool->state && count.n_unknown == 0)
        log_pool(health, pool);
}

/* ---- addresses ---- */

static void log_name(const struct target *target)
{
    char addr[ADDR_TEXT_MAX];
    struct log *log = log_of(target->health);
    const struct resolver_name *name = &target->name;
    if (name->status == RESOLVER_OK)
        log_write(log, LOG_LEVEL_INFO, "%s: %s is %s", target->address_fact, target->host,
                  addr_format(&target->addr, addr));
    else if (target->addr.len)
        log_write(log, LOG_LEVEL_WARN, "%s: %s: %s; %s stays in force", target->address_fact,
                  target->host, resolver_status_text(name->status),
                  addr_format(&target->addr, addr));
    else
        log_write(log, LOG_LEVEL_WARN, "%s: %s: %s", target->address_fact, target->host,
                  resolver_status_text(name->status));
}

/* The address of a fact that stands on the board; len 0: there is none. */
static struct addr address_on_board(const struct target *target)
{
    struct fact fact;
    struct addr addr = {.len = 0};
    struct fact_ref ref = board_find(target->health->board, target->address_fact);
    if (!ref.is_set || !board_read(target->health->board, ref, &fact) ||
        fact.state != FACT_RESOLVED)
        return addr;
    struct slice rest = slice_from(fact.reason);
    if (addr_parse(slice_cut(&rest, ' '), &addr, NULL) < 0)
        addr.len = 0;
    return addr;
}

static void state_address(const struct target *target, enum fact_state state, const char *reason)
{
    struct health *health = target->health;
    (void)board_state(health->board, target->address_fact, state, 0, reason,
                      loop_wall_ns(health->loop));
}

void fact_address(struct target *target)
{
    const struct resolver_name *name = &target->name;
    char addr[ADDR_TEXT_MAX];
    char reason[ADDR_TEXT_MAX + FACT_REASON_MAX];
    bool is_failed = name->is_answered && name->status != RESOLVER_OK;
    if (!target->addr.len) {
        state_address(target, is_failed ? FACT_DOWN : FACT_UNKNOWN,
                      is_failed ? resolver_status_text(name->status) : "not resolved yet");
    } else {
        snprintf(reason, sizeof(reason), "%s%s%s%s", addr_format(&target->addr, addr),
                 is_failed ? " (" : "", is_failed ? resolver_status_text(name->status) : "",
                 is_failed ? ")" : "");
        struct addr before = address_on_board(target);
        if (before.len && !addr_equal(&before, &target->addr))
            state_address(target, FACT_UNKNOWN, reason); /* so that all bells ring */
        state_address(target, FACT_RESOLVED, reason);
    }
}

void fact_name(struct target *target, bool has_moved)
{
    if (!has_moved && target->name.status == target->name_status)
        return;
    target->name_status = target->name.status;
    log_name(target);
}

/* ---- an earlier life ---- */

bool fact_adopt(struct target *target)
{
    struct fact fact;
    if (target->host) {
        target->addr = address_on_board(target);
        if (target->addr.len)
            addr_set_port(&target->addr, target->port);
    }
    struct fact_ref ref = board_find(target->health->board, target->fact);
    if (!ref.is_set || !board_read(target->health->board, ref, &fact))
        return false;
    /* It drained by its agent's word, which a check that ends well says again. */
    target->is_drained = target->forced == FACT_NONE && fact.state == FACT_DRAINING;
    if (target->forced != FACT_NONE ||
        (fact.state != FACT_UP && fact.state != FACT_DOWN && !target->is_drained))
        return false;
    bool is_ejected = slice_starts(slice_from(fact.reason), SLICE("ejected for "));
    if (is_ejected)
        ejection_adopt(target, fact.reason);
    target->checked = target->is_drained || is_ejected ? FACT_UP : fact.state;
    if (target->forced_weight == VERDICT_NO_WEIGHT && fact.value < (double)target->member->weight)
        target->share =
            (uint32_t)(fact.value * VERDICT_WHOLE_SHARE / (double)target->member->weight);
    snprintf(target->checked_reason, sizeof(target->checked_reason), "%s", fact.reason);
    return true;
}
