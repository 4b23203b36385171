/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who is ejected: what the edges counted goes through the machine of health/eject.h, and what comes
 * out is one more word on what the member is.
 */

#include "health/internal.h"

#include <inttypes.h>
#include <stdio.h>

enum { NS_PER_MS = 1000000, NS_PER_SECOND = 1000000000 };

static struct eject_rules rules_of(const struct target *target)
{
    const struct eject_conf *conf = &target->member->pool->eject;
    return (struct eject_rules){
        .failures = (uint32_t)conf->failures,
        .rate_percent = (uint32_t)conf->rate_percent,
        .rate_requests = (uint32_t)conf->rate_requests,
        .min_ns = (uint64_t)conf->time.low * NS_PER_MS,
        .max_ns = (uint64_t)conf->time.high * NS_PER_MS,
    };
}

static void count(const struct health_pool *pool, enum eject_word word)
{
    if (pool->slab)
        metric_add(metric_row(pool->slab, 0), word, 1);
}

static void set_gauge(const struct health_pool *pool)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < pool->conf->n_members; i++)
        n += pool->targets[i] && eject_is_out(&pool->targets[i]->eject);
    if (pool->slab)
        metric_set(metric_row(pool->slab, 0), EJECT_MEMBERS, n);
}

static bool may_go(const struct target *target)
{
    const struct health_pool *pool = target->pool;
    uint32_t n_out = 0;
    for (uint32_t i = 0; i < pool->conf->n_members; i++)
        n_out += pool->targets[i]->published.state != FACT_UP;
    return eject_may(pool->conf->n_members, n_out, (uint32_t)pool->conf->eject.at_most_percent);
}

static void describe(struct target *target, uint64_t time_ns, enum eject_why why,
                     const struct eject_sums *sums)
{
    char *text = target->ejected;
    size_t cap = sizeof(target->ejected);
    uint64_t seconds = time_ns / NS_PER_SECOND;
    if (why == EJECT_ROW)
        snprintf(text, cap, "ejected for %" PRIu64 "s: %" PRIu64 " failures in a row", seconds,
                 sums->n_bad);
    else
        snprintf(text, cap, "ejected for %" PRIu64 "s: %" PRIu64 " of %" PRIu64 " requests failed",
                 seconds, sums->n_bad, sums->n_all);
}

static void eject(struct target *target, enum eject_why why, const struct eject_sums *sums)
{
    struct eject_rules rules = rules_of(target);
    uint64_t time_ns = eject_begin(&target->eject, &rules, loop_now_ns(target->health->loop));
    describe(target, time_ns, why, sums);
    count(target->pool, why == EJECT_ROW ? EJECT_BY_ROW : EJECT_BY_RATE);
    set_gauge(target->pool);
    fact_combine(target);
}

void ejection_look(struct target *target, const struct edge_sums *news)
{
    uint64_t now_ns = loop_now_ns(target->health->loop);
    struct eject_rules rules = rules_of(target);
    struct eject_sums sums;
    if (eject_end(&target->eject, now_ns)) {
        set_gauge(target->pool);
        fact_combine(target);
    }
    if (eject_is_out(&target->eject) || target->checked != FACT_UP ||
        target->pool->conf->eject.mode == EJECT_OFF)
        return;
    enum eject_why why = eject_count(&target->eject, &rules, news->n_answers - news->n_bad_statuses,
                                     news->n_failures + news->n_bad_statuses, now_ns, &sums);
    if (why == EJECT_NOT)
        return;
    if (may_go(target)) {
        eject(target, why, &sums);
    } else {
        eject_refuse(&target->eject);
        count(target->pool, EJECT_REFUSED);
    }
}

void ejection_lift(struct target *target)
{
    bool was_out = eject_is_out(&target->eject);
    eject_forget(&target->eject);
    if (was_out)
        set_gauge(target->pool);
}

void ejection_adopt(struct target *target, const char *reason)
{
    struct eject_rules rules = rules_of(target);
    if (target->pool->conf->eject.mode == EJECT_OFF)
        return;
    (void)eject_begin(&target->eject, &rules, loop_now_ns(target->health->loop));
    snprintf(target->ejected, sizeof(target->ejected), "%s", reason);
    set_gauge(target->pool);
}
