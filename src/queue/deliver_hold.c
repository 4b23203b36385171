/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How much may be under way: the window, and when a pool holds it up.
 */

#include "queue/deliver.h"

#include <stdio.h>

#define NS_PER_MS UINT64_C(1000000)

static bool is_closed(enum fact_state state)
{
    return state == FACT_DOWN || state == FACT_DRAINING || state == FACT_FAILED;
}

static enum fact_state state_of(const struct deliverer *deliverer, const char *name)
{
    const struct board *board = deliverer->hall->process->board;
    struct fact_ref ref = {.is_set = false};
    if (name)
        ref = board_find(board, name);
    return ref.is_set ? board_peek(board, ref) : FACT_NONE;
}

static bool is_pool_closed(const struct deliverer *deliverer)
{
    const struct deliver_rule *rule = &deliverer->rule;
    return is_closed(state_of(deliverer, rule->pool_fact)) &&
           state_of(deliverer, rule->open_fact) != FACT_UP;
}

static void say(const struct deliverer *deliverer, const char *what)
{
    const char *why = deliverer->held_why;
    log_write(process_log(deliverer->hall->loop), LOG_LEVEL_INFO, "queue %s: %s (pool %s)%s%s",
              deliverer->rule.queue, what, deliverer->rule.pool, why[0] ? ": " : "", why);
}

/* Said once, until somebody has taken a job again. */
void deliver_look(struct deliverer *deliverer)
{
    uint64_t now_ns = loop_now_ns(deliverer->hall->loop);
    bool is_held = is_pool_closed(deliverer) || now_ns < deliverer->hold_until_ns;
    if (is_held && !deliverer->is_held_told)
        say(deliverer, "held, as nobody can take its jobs");
    deliverer->is_held_told |= is_held;
    if (is_held)
        deliverer->window = 1;
    deliverer->is_held = is_held;
}

static bool is_full(const struct tube *tube)
{
    const struct tube_policy *policy = &tube->policy;
    return (policy->jobs_max > 0 && tube_n_jobs(tube) >= policy->jobs_max) ||
           (policy->bytes_max > 0 && tube->n_bytes >= policy->bytes_max);
}

const char *deliver_full_callback(const struct deliverer *deliverer)
{
    const struct model *model = deliverer->hall->engine.model;
    const struct tube *tube = model_tube(model, slice_from(deliverer->rule.queue));
    for (int end = 0; tube && end < CALLBACK_N_ENDS; end++) {
        const struct callback_rule *rule = tube->policy.callbacks[end];
        const struct tube *called = rule ? model_tube(model, slice_from(rule->queue)) : NULL;
        if (called && is_full(called))
            return rule->queue;
    }
    return NULL;
}

static void note_taken(struct deliverer *deliverer)
{
    deliverer->held_why[0] = '\0';
    if (deliverer->is_held_told && !deliverer->is_held)
        say(deliverer, "delivered again");
    deliverer->is_held_told = deliverer->is_held;
}

static void on_hold_end(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    struct deliverer *deliverer = CONTAINER_OF(timer, struct deliverer, hold);
    engine_later(&deliverer->hall->engine);
}

void deliver_hold_init(struct deliverer *deliverer)
{
    deliverer->window = 1;
    loop_timer_init(&deliverer->hold, on_hold_end);
}

/* Nobody took the job. */
static void hold(struct deliverer *deliverer, const char *why)
{
    snprintf(deliverer->held_why, sizeof(deliverer->held_why), "%s", why);
    struct loop *loop = deliverer->hall->loop;
    deliverer->hold_until_ns = loop_now_ns(loop) + deliverer->rule.hold_ms * NS_PER_MS;
    loop_timer_set(loop, &deliverer->hold, deliverer->hold_until_ns);
    deliver_look(deliverer);
}

/* The window grows with what is done, and a hold begins it anew. */
void deliver_note(struct deliverer *deliverer, enum deliver_end end, const char *why)
{
    deliverer->n_ends[end]++;
    if (end == DELIVER_DONE || end == DELIVER_AGAIN || end == DELIVER_DEAD)
        note_taken(deliverer);
    if (end == DELIVER_HELD) {
        hold(deliverer, why);
    } else if (end == DELIVER_DONE && deliverer->window < deliverer->rule.concurrency) {
        uint32_t most = deliverer->rule.concurrency;
        deliverer->window = deliverer->window > most / 2 ? most : deliverer->window * 2;
    }
}
