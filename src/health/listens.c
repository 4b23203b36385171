/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Members that are listens of this node: the edge says of each of its listens whether it serves,
 * and that takes the place of a check. What a silent edge has said last is worth nothing after the
 * patience that belongs to the fact.
 */

#include "health/internal.h"

#include <stdio.h>

/* The edge has been silent for longer than its facts are good. */
static bool is_silent(const struct target *target)
{
    const struct health *health = target->health;
    const struct fact_kind *kind =
        module_fact_kind(health->process->table, target->member->listen_fact);
    if (!kind || kind->rule == FACT_KEEP)
        return false;
    uint64_t silence_ns =
        board_silence(health->board, target->listen_ref.segment, loop_now_ns(health->loop));
    return silence_ns > (uint64_t)kind->patience_ms * 1000000u;
}

static void say(struct target *target, enum fact_state state, const char *what)
{
    char reason[FACT_REASON_MAX];
    snprintf(reason, sizeof(reason), "%.60s %s", target->member->listen_fact, what);
    if (state == target->checked && strcmp(reason, target->checked_reason) == 0)
        return;
    target->checked = state;
    snprintf(target->checked_reason, sizeof(target->checked_reason), "%s", reason);
    fact_combine(target);
}

void listen_look(struct target *target)
{
    const struct board *board = target->health->board;
    enum fact_state state = board_peek(board, target->listen_ref);
    if (state == FACT_NONE) {
        target->listen_ref = board_find(board, target->member->listen_fact);
        state = board_peek(board, target->listen_ref);
    }
    if (state == FACT_NONE)
        say(target, FACT_DOWN, "is not there");
    else if (is_silent(target))
        say(target, FACT_DOWN, "is silent: its edge hangs or is gone");
    else if (state == FACT_SERVING)
        say(target, FACT_UP, "serves");
    else if (state == FACT_DRAINING)
        say(target, FACT_DOWN, "is draining");
    else
        say(target, FACT_DOWN, "does not serve");
}

void listen_configure(struct target *target)
{
    target->listen_ref = (struct fact_ref){.is_set = false};
    listen_look(target);
    fact_combine(target);
}

static void look_at_all(struct health *health, const char *fact)
{
    uint32_t cursor = 0;
    struct slice label;
    for (struct target *target; (target = map_next(&health->targets, &cursor, &label)) != NULL;) {
        const char *own = target->member->listen_fact;
        if (own && (!fact || strcmp(own, fact) == 0))
            listen_look(target);
    }
}

void listens_look(struct health *health)
{
    look_at_all(health, NULL);
}

void listens_on_change(void *ctx, const struct board_change *change)
{
    if (slice_starts(slice_from(change->name), SLICE("listen:")))
        look_at_all(ctx, change->name);
}
