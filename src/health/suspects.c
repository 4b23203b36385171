/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the edges saw: the failures that they count for each member, looked at as they grow; and
 * what the other nodes found.
 */

#include "health/internal.h"

enum { WORDS = MEMBER_BAD_STATUS + 1 };

/* A slab of one edge adds to the sums of its member, until all are read. */
static void add_slab(struct health *health, const struct metric_view *view, const uint64_t *words)
{
    if (view->n_words < WORDS || strcmp(view->table, member_metrics.name) != 0)
        return;
    struct target *target = map_get(&health->targets, slice_from(view->object));
    if (!target)
        return;
    target->coming.n_failures += words[MEMBER_CONNECT_FAILED] + words[MEMBER_BROKEN];
    target->coming.n_bad_statuses += words[MEMBER_BAD_STATUS];
    target->coming.n_answers += words[MEMBER_RESPONSES];
}

/* A sum that fell is a slab that was made anew: nothing is known of what it lost. */
static uint64_t growth(uint64_t before, uint64_t now)
{
    return now > before ? now - before : 0;
}

static struct edge_sums news_of(struct target *target)
{
    const struct edge_sums before = target->edges, now = target->coming;
    target->edges = now;
    target->coming = (struct edge_sums){.n_failures = 0};
    return (struct edge_sums){
        .n_failures = growth(before.n_failures, now.n_failures),
        .n_bad_statuses = growth(before.n_bad_statuses, now.n_bad_statuses),
        .n_answers = growth(before.n_answers, now.n_answers),
    };
}

static void nudge(struct target *target)
{
    if (!target->is_checked || target->machine.state != MACHINE_UP)
        return;
    target_count(target, CHECK_NUDGES);
    if (machine_nudge(&target->machine, loop_now_ns(target->health->loop)))
        schedule_put(target);
    fact_turn(target);
}

static void look_at(struct target *target, bool is_news)
{
    struct edge_sums news = news_of(target);
    if (!is_news)
        news = (struct edge_sums){.n_failures = 0};
    if (news.n_failures)
        nudge(target);
    ejection_look(target, &news);
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

void suspects_on_change(void *ctx, const struct board_change *change)
{
    const struct health *health = ctx;
    struct slice fact = slice_from(change->name);
    bool is_word = slice_starts(fact, SLICE("at:"));
    slice_cut(&fact, '/');
    if (!is_word || change->to != FACT_DOWN || !slice_starts(fact, SLICE("pool:")))
        return;
    for (uint32_t i = 0; i < health->n_pools; i++) {
        const struct health_pool *pool = &health->pools[i];
        for (uint32_t m = 0; m < pool->conf->n_members && slice_is(fact, pool->conf->fact); m++)
            nudge(pool->targets[m]);
    }
}
