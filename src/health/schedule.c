/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whose turn it is: a heap of targets by the time of their next check, a line for those that are
 * due while too many checks run.
 */

#include "health/internal.h"

#include <assert.h>

static void schedule_rearm(struct health *health)
{
    uint64_t first_ns = heap_first_key(&health->due);
    if (first_ns == UINT64_MAX)
        loop_timer_clear(health->loop, &health->due_timer);
    else
        loop_timer_set(health->loop, &health->due_timer, first_ns);
}

void schedule_next(struct health *health)
{
    while (health->n_running < HEALTH_RUNNING_MAX && !list_is_empty(&health->waiting)) {
        struct target *target = LIST_FIRST(&health->waiting, struct target, turn);
        list_remove(&target->turn);
        target_check(target);
    }
}

static void schedule_on_timer(struct loop *loop, struct loop_timer *timer)
{
    struct health *health = CONTAINER_OF(timer, struct health, due_timer);
    struct heap_node *first;
    while ((first = heap_first(&health->due)) != NULL &&
           heap_first_key(&health->due) <= loop_now_ns(loop)) {
        struct target *target = CONTAINER_OF(first, struct target, due);
        heap_remove(&health->due, first);
        list_add_back(&health->waiting, &target->turn);
        if (health->n_running >= HEALTH_RUNNING_MAX)
            target_count(target, CHECK_DELAYED);
        schedule_next(health);
    }
    schedule_rearm(health);
}

void schedule_put(struct target *target)
{
    struct health *health = target->health;
    assert(!target->run);
    if (list_is_linked(&target->turn))
        return; /* it is due already */
    if (heap_has(&target->due))
        heap_move(&health->due, &target->due, target->machine.due_ns);
    else
        heap_insert(&health->due, &target->due, target->machine.due_ns);
    schedule_rearm(health);
}

void schedule_remove(struct target *target)
{
    list_remove(&target->turn);
    if (heap_has(&target->due))
        heap_remove(&target->health->due, &target->due);
    schedule_rearm(target->health);
}

void schedule_init(struct health *health)
{
    heap_init(&health->due);
    list_init(&health->waiting);
    loop_timer_init(&health->due_timer, schedule_on_timer);
}

void schedule_deinit(struct health *health)
{
    loop_timer_clear(health->loop, &health->due_timer);
    heap_deinit(&health->due);
}
