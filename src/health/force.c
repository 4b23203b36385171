/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the operator forces: facts of admin, `force:POOL/NAME` and `weight:POOL/NAME`, looked at
 * when they change. A weight that is changed from one number to another is no change of state; it
 * is found at the next look at what the edges count.
 */

#include "health/internal.h"

#include <stdio.h>

static struct fact_ref find(const struct target *target, const char *kind)
{
    char name[FACT_NAME_MAX];
    snprintf(name, sizeof(name), "%s:%s", kind, target->label);
    return board_find(target->health->board, name);
}

static enum fact_state state_in_force(const struct target *target)
{
    enum fact_state state = board_peek(target->health->board, target->force_ref);
    return state == FACT_UP || state == FACT_DOWN || state == FACT_DRAINING ? state : FACT_NONE;
}

static int64_t weight_in_force(const struct target *target)
{
    struct fact fact;
    if (!target->weight_ref.is_set ||
        !board_read(target->health->board, target->weight_ref, &fact) || fact.state != FACT_UP ||
        !(fact.value >= 0 && fact.value <= MEMBER_WEIGHT_MAX))
        return VERDICT_NO_WEIGHT;
    return (int64_t)fact.value;
}

/* Returns whether it is another than before. */
static bool take(struct target *target)
{
    enum fact_state forced = state_in_force(target);
    int64_t weight = weight_in_force(target);
    bool is_other = forced != target->forced || weight != target->forced_weight;
    target->forced = forced;
    target->forced_weight = weight;
    return is_other;
}

void force_find(struct target *target)
{
    target->force_ref = find(target, "force");
    target->weight_ref = find(target, "weight");
    (void)take(target);
}

static void look_at(struct target *target)
{
    if (take(target))
        fact_combine(target);
}

void force_look(struct health *health)
{
    uint32_t cursor = 0;
    struct slice label;
    for (struct target *target; (target = map_next(&health->targets, &cursor, &label)) != NULL;) {
        if (target->weight_ref.is_set)
            look_at(target);
    }
}

void force_on_change(void *ctx, const struct board_change *change)
{
    const struct health *health = ctx;
    struct slice rest = slice_from(change->name);
    struct slice kind = slice_cut(&rest, ':');
    bool is_force = slice_is(kind, "force");
    if (!is_force && !slice_is(kind, "weight"))
        return;
    struct target *target = map_get(&health->targets, rest);
    if (!target)
        return;
    struct fact_ref *ref = is_force ? &target->force_ref : &target->weight_ref;
    *ref = find(target, is_force ? "force" : "weight");
    look_at(target);
}

void force_on_lost(void *ctx, size_t segment)
{
    const struct health *health = ctx;
    (void)segment;
    uint32_t cursor = 0;
    struct slice label;
    for (struct target *target; (target = map_next(&health->targets, &cursor, &label)) != NULL;) {
        target->force_ref = find(target, "force");
        target->weight_ref = find(target, "weight");
        look_at(target);
    }
}
