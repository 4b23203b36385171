/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Requests that wait for a member: three classes, first in first out within each. A turn takes a
 * waiter out; whoever finds nothing waits again, at the place that it had.
 */

#include "base/mem.h"
#include "upstream/internal.h"
#include <assert.h>
#include <string.h>

/* ---- queues of a lineage ---- */

void queue_enter(struct lineage *lineage, struct upstream_pool *pool)
{
    LIST_EACH (node, &lineage->queues) {
        struct upstream_queue *queue = LIST_ENTRY(node, struct upstream_queue, link);
        if (!slice_is(pool->conf->name, queue->name))
            continue;
        queue->n_pools++;
        pool->queue = queue;
        return;
    }
    struct upstream_queue *queue = MEM_NEW(struct upstream_queue);
    slice_copy(pool->conf->name, queue->name, sizeof(queue->name));
    for (int c = 0; c < UPSTREAM_PRIORITIES; c++)
        list_init(&queue->classes[c]);
    queue->n_pools = 1;
    list_add_back(&lineage->queues, &queue->link);
    pool->queue = queue;
}

void queue_leave(struct upstream_queue *queue, struct common_pool *common, uint32_t loop_index)
{
    assert(queue->n_pools > 0);
    if (--queue->n_pools > 0)
        return;
    assert(queue->n_waiters == 0);
    for (int class = 0; class < UPSTREAM_PRIORITIES; class ++)
        common_set_waiting(common, loop_index, class, false);
    list_remove(&queue->link);
    mem_free(queue);
}

/* ---- waiting ---- */

void upstream_waiter_init(struct upstream_waiter *waiter, enum upstream_priority priority,
                          void (*on_turn)(struct upstream_waiter *waiter))
{
    *waiter = (struct upstream_waiter){.priority = (uint8_t)priority, .on_turn = on_turn};
    list_init(&waiter->link);
}

/* Behind those who came earlier; most come last, so the search begins at the back. */
static void waiter_link(struct upstream_queue *queue, struct upstream_waiter *waiter)
{
    struct list *head = &queue->classes[waiter->priority], *before = head->prev;
    while (before != head &&
           LIST_ENTRY(before, struct upstream_waiter, link)->since_ns > waiter->since_ns)
        before = before->prev;
    list_add_after(before, &waiter->link);
}

/*
 * Tells the other loops that somebody waits here, and looks again: a slot that was freed before
 * they knew is nobody's.
 */
static void class_announce(struct upstream_pool *pool, int class)
{
    struct upstream_queue *queue = pool->queue;
    if (queue->waiting >> class & 1)
        return;
    queue->waiting |= (uint8_t)(1u << class);
    common_set_waiting(pool->common, pool->set->loop_index, class, true);
    if (pool_look(pool) == UPSTREAM_MEMBER)
        queues_run_later(pool->set->lineage);
}

static void class_conclude(struct upstream_queue *queue, struct common_pool *common,
                           uint32_t loop_index, int class)
{
    if (queue->is_run || !(queue->waiting >> class & 1) || !list_is_empty(&queue->classes[class]))
        return;
    queue->waiting &= (uint8_t) ~(1u << class);
    common_set_waiting(common, loop_index, class, false);
}

int upstream_wait(struct upstream_pool *pool, struct upstream_waiter *waiter, uint64_t now_ns)
{
    struct upstream_queue *queue = pool->queue;
    assert(!list_is_linked(&waiter->link) && waiter->priority < UPSTREAM_PRIORITIES);
    bool is_first = waiter->since_ns == 0;
    uint32_t n_before = atomic_fetch_add(&pool->common->n_waiters, 1);
    if (is_first && n_before >= (uint64_t)pool->conf->queue.max) {
        atomic_fetch_sub(&pool->common->n_waiters, 1);
        metric_add(pool->row, POOL_QUEUE_REFUSED, 1);
        return 1;
    }
    if (is_first) {
        waiter->since_ns = now_ns;
        metric_add(pool->row, POOL_QUEUED, 1);
    }
    waiter->pool = pool;
    waiter_link(queue, waiter);
    queue->n_waiters++;
    metric_add(pool->row, POOL_WAITING, 1);
    class_announce(pool, waiter->priority);
    return 0;
}

static void waiter_unlink(struct upstream_waiter *waiter)
{
    struct upstream_pool *pool = waiter->pool;
    assert(pool->queue->n_waiters > 0);
    list_remove(&waiter->link);
    pool->queue->n_waiters--;
    atomic_fetch_sub(&pool->common->n_waiters, 1);
    metric_sub(pool->row, POOL_WAITING, 1);
}

void upstream_unwait(struct upstream_waiter *waiter, bool is_late)
{
    if (!list_is_linked(&waiter->link))
        return;
    struct upstream_pool *pool = waiter->pool;
    waiter_unlink(waiter);
    class_conclude(pool->queue, pool->common, pool->set->loop_index, waiter->priority);
    if (is_late)
        metric_add(pool->row, POOL_QUEUE_LATE, 1);
}

/* ---- turns ---- */

static bool is_hope(enum upstream_answer answer)
{
    return answer == UPSTREAM_FULL || answer == UPSTREAM_UNJUDGED;
}

/* Nothing can have changed for those who wait for anyone in the pool `shut`. */
static bool has_chance(const struct upstream_waiter *waiter, const struct upstream_pool **shut)
{
    if (waiter->wanted)
        return member_is_waiting_over(waiter->wanted);
    if (*shut == waiter->pool || is_hope(pool_look(waiter->pool))) {
        *shut = waiter->pool;
        return false;
    }
    return true;
}

/* One look at everybody of a class who is there now. */
static void class_run(struct upstream_queue *queue, int class)
{
    struct list due;
    const struct upstream_pool *shut = NULL;
    list_init(&due);
    list_move_all(&due, &queue->classes[class]);
    struct upstream_waiter *waiter;
    while ((waiter = LIST_FIRST(&due, struct upstream_waiter, link)) != NULL) {
        if (has_chance(waiter, &shut)) {
            waiter_unlink(waiter);
            waiter->on_turn(waiter);
        } else {
            list_remove(&waiter->link);
            waiter_link(queue, waiter);
        }
    }
}

/*
 * A callback may end the last request of an old set and with it the set; so that a queue stays
 * while it is run, the run counts as one of its pools, and holds on to what the loops share of it.
 */
static void queue_run(struct lineage *lineage, struct upstream_queue *queue)
{
    struct common_pool *common = common_pool_ref(lineage->commons, queue->name);
    queue->n_pools++;
    queue->is_run = true;
    for (int class = 0; class < UPSTREAM_PRIORITIES && queue->n_waiters > 0; class ++)
        class_run(queue, class);
    queue->is_run = false;
    for (int class = 0; class < UPSTREAM_PRIORITIES; class ++)
        class_conclude(queue, common, lineage->loop_index, class);
    queue_leave(queue, common, lineage->loop_index);
    common_pool_unref(&common);
}

void queues_run(struct lineage *lineage)
{
    bool was_busy = lineage->is_busy;
    lineage->is_busy = true;
    struct list *node = lineage->queues.next;
    while (node != &lineage->queues) {
        struct upstream_queue *queue = LIST_ENTRY(node, struct upstream_queue, link);
        node = node->next;
        if (queue->n_waiters > 0)
            queue_run(lineage, queue);
    }
    lineage->is_busy = was_busy;
}
