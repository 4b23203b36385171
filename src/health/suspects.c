/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the edges saw: the failures that they count for each member, looked at as they grow.
 */

#include "health/internal.h"

enum { WORDS = MEMBER_BROKEN + 1 };

/* A slab of one edge adds to the sum of its member, which is kept in n_seen until all are read. */
static void add_slab(struct health *health, const struct metric_view *view, const uint64_t *words)
{
    if (view->n_words < WORDS || strcmp(view->table, member_metrics.name) != 0)
        return;
    struct target *target = map_get(&health->targets, slice_from(view->object));
    if (target)
        target->n_edge_seen += words[MEMBER_CONNECT_FAILED] + words[MEMBER_BROKEN];
}

static void look_at(struct target *target, bool is_news)
{
    /* A sum that fell is a slab that was made anew: nothing is known of what it lost. */
    bool has_grown = target->n_edge_seen > target->n_edge_failures;
    target->n_edge_failures = target->n_edge_seen;
    target->n_edge_seen = 0;
    if (!has_grown || !is_news || !target->is_checked || target->machine.state != MACHINE_UP)
        return;
    target_count(target, CHECK_NUDGES);
    if (machine_nudge(&target->machine, loop_now_ns(target->health->loop)))
        schedule_put(target);
}

void suspects_look(struct health *health)
{
    size_t own = (size_t)board_segment(health->board, health->process->kind);
    for (size_t segment = 0; segment < board_n_segments(health->board); segment++) {
        uint64_t cursor = 0;
        struct metric_view view;
        uint64_t words[WORDS];
        while (segment != own && metric_next(health->board, segment, &cursor, &view, words, WORDS))
            add_slab(health, &view, words);
    }
    uint32_t cursor = 0;
    struct slice label;
    for (struct target *target; (target = map_next(&health->targets, &cursor, &label)) != NULL;)
        look_at(target, health->is_counting);
    health->is_counting = true;
}
