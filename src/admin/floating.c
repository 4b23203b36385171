/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where floating addresses are.
 */

#include "admin/floating.h"

#include "core/settings.h"
#include <stdio.h>

enum { NS_PER_MS = 1000000 };

static void add_name(void *ctx, struct slice name)
{
    struct floating_names *names = ctx;
    if (names->n < FLOATING_MAX)
        names->items[names->n++] = name;
}

struct floating_names floating_names(const struct snapshot *snap)
{
    struct floating_names names = {.n = 0};
    for (size_t i = 0; i < snap->table->n_items; i++) {
        if (snap->table->items[i]->floats)
            snap->table->items[i]->floats(snap, add_name, &names);
    }
    return names;
}

bool floating_has(const struct snapshot *snap, struct slice name)
{
    const struct floating_names names = floating_names(snap);
    for (uint32_t i = 0; i < names.n; i++) {
        if (slice_equal(names.items[i], name))
            return true;
    }
    return false;
}

/* The state of a fact; FACT_NONE also where its writer is silent and its kind is not to be trusted
 * then. */
static enum fact_state state_of(const struct snapshot *snap, const struct board *board,
                                const char *name, uint64_t now_ns)
{
    struct fact_ref ref = board_find(board, name);
    const struct fact_kind *kind = module_fact_kind(snap->table, name);
    if (!ref.is_set)
        return FACT_NONE;
    if (kind && kind->rule == FACT_DISTRUST &&
        board_silence(board, ref.segment, now_ns) > (uint64_t)kind->patience_ms * NS_PER_MS)
        return FACT_NONE;
    return board_peek(board, ref);
}

static bool has_it(enum fact_state state)
{
    return state == FACT_ACTIVE || state == FACT_DEGRADED;
}

static void look_at_node(const struct snapshot *snap, const struct board *board, struct slice name,
                         struct slice node, uint64_t now_ns, struct floating *floating)
{
    char fact[FACT_NAME_MAX];
    snprintf(fact, sizeof(fact), "at:%.*s/vip:%.*s", SLICE_ARG(node), SLICE_ARG(name));
    enum fact_state state = state_of(snap, board, fact, now_ns);
    if (has_it(state))
        slice_copy(node, floating->at, sizeof(floating->at));
    else if (state == FACT_BACKUP)
        slice_copy(node, floating->next, sizeof(floating->next));
}

struct floating floating_look(const struct snapshot *snap, const struct board *board,
                              struct slice name, uint64_t now_ns)
{
    struct floating floating = {.is_here = false};
    const struct settings *settings = settings_of(snap);
    char fact[FACT_NAME_MAX];
    snprintf(fact, sizeof(fact), "vip:%.*s", SLICE_ARG(name));
    /* A process that is silent or dead leaves its addresses where they are. */
    struct fact_ref ref = board_find(board, fact);
    enum fact_state state = ref.is_set ? board_peek(board, ref) : FACT_NONE;
    floating.is_here = has_it(state) || state == FACT_DRAINING;
    for (size_t i = 0; settings->nodes && i < settings->nodes->list.n_items; i++) {
        const struct node_conf *node = settings->nodes->list.items[i];
        if (slice_is(node->name, snap->node))
            continue;
        floating.has_others = true;
        look_at_node(snap, board, name, node->name, now_ns, &floating);
    }
    return floating;
}

void floating_describe(const struct floating *floating, struct text *out)
{
    if (floating->is_here && floating->at[0])
        text_printf(out, "here and at %s, which takes it", floating->at);
    else if (floating->is_here && floating->next[0])
        text_printf(out, "still here, %s is to take it", floating->next);
    else if (floating->is_here)
        text_append(out, SLICE("still here: nobody else takes it"));
    else if (floating->at[0])
        text_printf(out, "it is at %s", floating->at);
    else if (floating->has_others)
        text_append(out, SLICE("not here, and no other node says that it has it"));
    else
        text_append(out, SLICE("not here"));
}
