/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Queues that a reload takes out of the file while they have jobs. Nothing of theirs is lost, and
 * nobody is told by their silence.
 */

#include "core/board.h"
#include "queue/internal.h"
#include "queue/queue.h"

/* As the queue's own process says, without those that wait for the clock, which go with their
 * schedule. */
static double jobs_of(const struct board *board, const struct queue_conf *queue)
{
    struct fact fact;
    struct fact_ref ref = board_find(board, queue->fact);
    double n = board_read(board, ref, &fact) ? fact.value : 0;
    double n_scheduled = (double)queue->schedules.n_items;
    return n > n_scheduled ? n - n_scheduled : 0;
}

static void tell_queue(const struct queue_conf *queue, double n, struct conf_diag *diag)
{
    conf_warning(diag, (struct conf_at){0}, "a `queue` of its name in the file takes them up again",
                 "queue %.*s leaves the file with %.0f job%s: %s", SLICE_ARG(queue->name), n,
                 n > 1 ? "s" : "",
                 queue->deliver ? "delivered no more, they wait for a worker"
                                : "what fails is tried again without an end");
}

void queue_leaves(const struct snapshot *before, const struct snapshot *after,
                  const struct board *board, struct conf_diag *diag)
{
    const struct conf_list *list = &queue_conf_of(before)->queue_list;
    bool is_needed = queue_module.is_needed(after);
    double n_left = 0;
    for (size_t i = 0; i < list->n_items; i++) {
        const struct queue_conf *queue = list->items[i];
        double n = jobs_of(board, queue);
        n_left += n;
        if (n > 0 && is_needed && !queue_conf_find(queue_conf_of(after), queue->name))
            tell_queue(queue, n, diag);
    }
    if (n_left > 0 && !is_needed)
        conf_warning(diag, (struct conf_at){0}, "jobs 127.0.0.1:11300",
                     "the log keeps %.0f job%s, and nobody reads it without a `jobs` or an "
                     "asynchronous route",
                     n_left, n_left > 1 ? "s" : "");
}
