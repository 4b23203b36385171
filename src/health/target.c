/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A member under watch: from the configuration to its name, its address, its machine and its
 * checks.
 */

#include "health/internal.h"

#include <assert.h>
#include <stdio.h>

enum { NS_PER_MS = 1000000 };

static uint64_t now_of(const struct target *target)
{
    return loop_now_ns(target->health->loop);
}

/* ---- checks ---- */

static void count_result(struct target *target, const struct check_result *result)
{
    target_count(target, CHECK_RUNS);
    if (result->reason == REASON_OK)
        metric_observe(target->row, CHECK_LATENCY, result->took_ns / 1000);
    else
        target_count(target, CHECK_FAILURES + (uint32_t)result->reason - 1);
}

/* Its word holds until it says another, also while it cannot be asked. */
static void take_agent(struct target *target, const struct agent_says *says)
{
    target->is_drained = says->state == AGENT_DRAIN;
    target->share = says->share == AGENT_NO_SHARE ? VERDICT_WHOLE_SHARE : (uint32_t)says->share;
}

static void target_result(struct target *target, const struct check_result *result)
{
    enum machine_verdict verdict = reason_verdict(result->reason);
    struct machine_step step =
        machine_result(&target->machine, verdict, now_of(target), &target->health->rng);
    count_result(target, result);
    if (result->agent)
        take_agent(target, result->agent);
    if (verdict != MACHINE_NOTHING)
        fact_checked(target, result, &step);
    else
        fact_not_checked(target, result);
    schedule_put(target);
}

static void target_on_done(void *ctx, const struct check_result *result)
{
    struct target *target = ctx;
    struct health *health = target->health;
    target->run = NULL;
    health->n_running--;
    target_result(target, result);
    schedule_next(health);
}

void target_check(struct target *target)
{
    struct health *health = target->health;
    if (!target->addr.len && !target->name.is_answered)
        return; /* scheduled when its name is answered, one way or the other */
    machine_begin(&target->machine, now_of(target));
    if (!target->addr.len) {
        const struct check_result result = {
            .reason = REASON_UNRESOLVED,
            .why = resolver_status_text(target->name.status),
        };
        target_result(target, &result);
        return;
    }
    health->n_running++;
    const struct tls_client *tls = pool_tls_of_check(health->tls, target->member->pool);
    target->run =
        check_start(health->loop, target->member, &target->addr, tls, target_on_done, target);
}

static void target_cancel(struct target *target)
{
    if (!target->run)
        return;
    check_cancel(&target->run);
    target->health->n_running--;
    machine_cancel(&target->machine, now_of(target));
}

/* ---- addresses ---- */

/* Another server behind the same name: it is judged anew, at once. */
static void target_moved(struct target *target)
{
    ejection_lift(target);
    if (!target->is_checked)
        return;
    target_cancel(target);
    machine_renew(&target->machine, now_of(target));
    schedule_put(target);
}

static void target_on_name(struct resolver_name *name)
{
    struct target *target = CONTAINER_OF(name, struct target, name);
    struct addr addr = name->addr;
    if (addr.len)
        addr_set_port(&addr, target->port);
    bool has_moved = addr.len && !addr_equal(&addr, &target->addr);
    if (has_moved)
        target->addr = addr;
    fact_address(target);
    fact_name(target, has_moved);
    if (target->member->listen_fact)
        listen_look(target);
    else if (!target->is_checked)
        fact_unchecked(target);
    else if (has_moved)
        target_moved(target);
    else if (!target->run && !list_is_linked(&target->turn) && !heap_has(&target->due))
        schedule_put(target); /* there is no address, and now it is known why */
}

static void target_watch(struct target *target)
{
    resolver_name_init(&target->name);
    target->name.addr = target->addr;
    target->name_status = RESOLVER_OK;
    resolver_watch(target->health->resolver, &target->name, slice_from(target->host),
                   target_on_name);
}

/* Takes the endpoint over. Returns whether the member is somewhere else than before. */
static bool configure_endpoint(struct target *target, const struct conf_addr *endpoint)
{
    struct addr before = target->addr;
    bool is_same_host =
        target->host && slice_equal_nocase(slice_from(target->host), endpoint->host);
    target->port = endpoint->port;
    if (!is_same_host) {
        resolver_unwatch(&target->name);
        mem_free(target->host);
        target->host = endpoint->host.len ? slice_dup(endpoint->host) : NULL;
        target->addr = endpoint->host.len ? (struct addr){.len = 0} : endpoint->addr;
    } else if (target->addr.len) {
        addr_set_port(&target->addr, target->port);
    }
    return !addr_equal(&before, &target->addr);
}

/* ---- configuration ---- */

static struct machine_rules rules_of(const struct check_conf *check)
{
    return (struct machine_rules){
        .every_ns = (uint64_t)check->every_ms * NS_PER_MS,
        .fall = (uint32_t)check->fall,
        .rise = (uint32_t)check->rise,
    };
}

static void open_slab(struct target *target)
{
    struct health *health = target->health;
    target->slab =
        metric_open(health->board, &check_metrics, target->label, 1, health->is_starting);
    target->row = target->slab ? metric_row(target->slab, 0) : health->sink;
}

static void close_slab(struct target *target)
{
    if (target->slab)
        metric_close(target->health->board, target->slab);
    target->slab = NULL;
    target->row = target->health->sink;
}

static void begin_checks(struct target *target, bool is_adopted)
{
    struct health *health = target->health;
    struct machine_rules rules = rules_of(target->member->pool->check);
    target->is_checked = true;
    open_slab(target);
    if (is_adopted) {
        machine_adopt(&target->machine, &rules,
                      target->checked == FACT_UP ? MACHINE_UP : MACHINE_DOWN, now_of(target),
                      &health->rng);
        fact_member(target, target->checked, target->checked_reason);
    } else {
        machine_init(&target->machine, &rules,
                     now_of(target) + health->n_first++ * health->first_spread_ns);
        fact_member(target, FACT_UNKNOWN, "not checked yet");
    }
    schedule_put(target);
}

static void end_checks(struct target *target)
{
    target_cancel(target);
    schedule_remove(target);
    close_slab(target);
    target->is_checked = false;
}

static void go_on_checking(struct target *target, bool has_moved)
{
    struct machine_rules rules = rules_of(target->member->pool->check);
    machine_set_rules(&target->machine, &rules, now_of(target));
    fact_member(target, target->checked, target->checked_reason); /* the weight may be another */
    if (has_moved)
        target_moved(target);
    else if (!target->run)
        schedule_put(target);
}

void target_configure(struct target *target, struct health_pool *pool, const struct member *member)
{
    bool is_new = target->published.state == FACT_NONE;
    bool is_checked = member->pool->check != NULL && !member->listen_fact;
    target->member = member;
    target->pool = pool;
    bool has_moved = configure_endpoint(target, &member->endpoint);
    if (has_moved || pool->conf->eject.mode == EJECT_OFF)
        ejection_lift(target);
    if (is_new)
        force_find(target);
    bool is_adopted = is_new && target->health->is_starting && fact_adopt(target);
    if (!is_checked || member->pool->check->kind != CHECK_AGENT) {
        target->is_drained = false;
        target->share = VERDICT_WHOLE_SHARE;
    }
    if (target->host) {
        if (!target->name.resolver)
            target_watch(target);
        fact_address(target);
    }
    if (!is_checked && target->is_checked)
        end_checks(target);
    if (member->listen_fact)
        listen_configure(target);
    else if (!is_checked)
        fact_unchecked(target);
    else if (!target->is_checked)
        begin_checks(target, is_adopted);
    else
        go_on_checking(target, has_moved);
}

/* ---- life ---- */

static char *join(const char *kind, const char *label)
{
    struct text text = TEXT_NONE;
    text_printf(&text, "%s%s", kind, label);
    return text.ptr;
}

struct target *target_create(struct health *health, const struct member *member)
{
    struct target *target = MEM_NEW(struct target);
    target->health = health;
    target->label = join("", member->label);
    target->fact = join("member:", member->label);
    target->address_fact = join("address:", member->label);
    target->turn_fact = join("turn:", member->label);
    target->told_turn_s = -1;
    target->row = health->sink;
    target->share = VERDICT_WHOLE_SHARE;
    target->forced_weight = VERDICT_NO_WEIGHT;
    resolver_name_init(&target->name);
    heap_node_init(&target->due);
    list_init(&target->turn);
    return target;
}

void target_destroy(struct target **target_ptr)
{
    struct target *target = *target_ptr;
    *target_ptr = NULL;
    resolver_unwatch(&target->name);
    if (target->run) {
        check_cancel(&target->run);
        target->health->n_running--;
    }
    schedule_remove(target);
    if (target->slab)
        metric_forget(target->slab);
    mem_free(target->label);
    mem_free(target->fact);
    mem_free(target->address_fact);
    mem_free(target->turn_fact);
    mem_free(target->host);
    mem_free(target);
}

void target_remove(struct target **target)
{
    close_slab(*target);
    target_destroy(target);
}
