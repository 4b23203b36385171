/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Drains of floating addresses and of this node: how far each is, and when it is over. It is over
 * when no address is here and nobody can remember the node's own ones from DNS, and begins anew
 * where one comes back because nobody else serves it.
 */

#include "admin/floating.h"
#include "admin/operate.h"
#include "admin/tallies.h"
#include "core/node.h"
#include "core/process.h"
#include "pool/pool.h"
#include <inttypes.h>
#include <stdio.h>

enum { NS_PER_MS = 1000000, CALM_LOOKS = 2 };

/* ---- looking ---- */

/* The addresses that a drain is about: one, or all. */
struct moving {
    const struct operate *operate;
    struct slice name; /* of the vip or the node */
    bool is_node;
};

static struct moving moving_of(const struct operate *operate, const struct forced_entry *entry)
{
    struct moving moving = {.operate = operate};
    moving.is_node = forced_kind_of(slice_from(entry->label), &moving.name) == FORCED_NODE;
    return moving;
}

static struct floating look_at(const struct moving *moving, struct slice vip)
{
    const struct process *process = moving->operate->process;
    return floating_look(moving->operate->snap, process->board, vip,
                         loop_now_ns(process->loops[0]));
}

static uint32_t count_here(const struct moving *moving)
{
    const struct snapshot *snap = moving->operate->snap;
    uint32_t n = 0;
    if (!moving->is_node)
        return look_at(moving, moving->name).is_here;
    const struct floating_names vips = floating_names(snap);
    for (uint32_t i = 0; i < vips.n; i++)
        n += look_at(moving, vips.items[i]).is_here;
    return n;
}

/* Connections of clients in all listens. */
static uint64_t count_clients(const struct operate *operate)
{
    struct arena arena;
    struct tallies tallies;
    uint64_t n = 0;
    arena_init(&arena);
    tallies_init(&tallies, operate->process->board, operate->process->table, &arena);
    for (size_t i = 0; i < tallies.n_items; i++) {
        if (slice_is(SLICE("listen"), tallies.items[i].table->name))
            n += tally_value(&tallies.items[i], "connections_active", NULL);
    }
    tallies_deinit(&tallies);
    arena_deinit(&arena);
    return n;
}

/* What DNS still says, or others remember, of the node's own addresses: of all such members. */
static struct drain_progress look_at_dns(const struct moving *moving)
{
    const struct operate *operate = moving->operate;
    const struct snapshot *snap = operate->snap;
    const struct pool_conf *pools = pool_conf_of(snap);
    struct drain_progress all = {.is_answered = false};
    for (uint32_t p = 0; moving->is_node && p < pools->n_pools; p++) {
        for (uint32_t i = 0; i < pools->pools[p]->n_members; i++) {
            struct member_view view;
            struct drain_progress one = {.is_answered = false};
            member_view_init(&view, pools->pools[p]->members[i], operate->process->board);
            member_view_update(&view, operate->process->board);
            const struct node_conf *node = view.addr.len ? node_of_addr(snap, &view.addr) : NULL;
            if (!node || !slice_equal(node->name, moving->name))
                continue;
            drain_look_at_dns(operate, view.member->label, &one);
            all.is_answered = all.is_answered || one.is_answered;
            if (one.dns_until_ms > all.dns_until_ms)
                all.dns_until_ms = one.dns_until_ms;
        }
    }
    return all;
}

/* ---- saying ---- */

static void describe_node(const struct moving *moving, struct text *out)
{
    const struct floating_names vips = floating_names(moving->operate->snap);
    const char *between = "";
    for (uint32_t i = 0; i < vips.n; i++) {
        const struct floating floating = look_at(moving, vips.items[i]);
        if (!floating.is_here)
            continue;
        text_printf(out, "%svip:%.*s is ", between, SLICE_ARG(vips.items[i]));
        floating_describe(&floating, out);
        between = "; ";
    }
    if (between[0] == '\0')
        text_append(out, SLICE("no floating address is here"));
    text_printf(out, "; %" PRIu64 " connections of clients", count_clients(moving->operate));
    const struct drain_progress dns = look_at_dns(moving);
    drain_describe_dns(moving->operate, &dns, out);
}

void drain_move_describe(const struct operate *operate, const struct forced_entry *entry,
                         struct text *out)
{
    const struct moving moving = moving_of(operate, entry);
    if (moving.is_node) {
        describe_node(&moving, out);
        return;
    }
    const struct floating floating = look_at(&moving, moving.name);
    floating_describe(&floating, out);
}

void drain_move_warn(const struct operate *operate, const struct forced_entry *entry,
                     struct text *out)
{
    const struct moving moving = moving_of(operate, entry);
    const char *between = "";
    const struct floating_names vips = floating_names(operate->snap);
    for (uint32_t i = 0; i < vips.n; i++) {
        struct slice vip = vips.items[i];
        if (!moving.is_node && !slice_equal(vip, moving.name))
            continue;
        const struct floating floating = look_at(&moving, vip);
        if (!floating.is_here || floating.at[0] || floating.next[0])
            continue;
        text_printf(out, "%sno other node would take vip:%.*s now: it stays here until one does",
                    between, SLICE_ARG(vip));
        between = "; ";
    }
}

static void fact_name(const struct moving *moving, char *ret_name)
{
    snprintf(ret_name, FACT_NAME_MAX, "drain:%s/%.*s", moving->is_node ? "node" : "vip",
             SLICE_ARG(moving->name));
}

void drain_move_state(const struct operate *operate, const struct forced_entry *entry)
{
    const struct moving moving = moving_of(operate, entry);
    struct board *board = operate->process->board;
    struct text reason = TEXT_NONE;
    char name[FACT_NAME_MAX];
    fact_name(&moving, name);
    if (entry->state != FACT_DRAINING) {
        board_remove(board, name, loop_wall_ns(operate->process->loops[0]));
        return;
    }
    uint32_t n_here = 0;
    if (operate->snap) { /* none before the first is in force */
        n_here = count_here(&moving);
        drain_move_describe(operate, entry, &reason);
    }
    uint64_t since_ms = entry->drained_ms ? entry->drained_ms : entry->state_since_ms;
    (void)board_state(board, name, entry->drained_ms ? FACT_DRAINED : FACT_DRAINING, n_here,
                      text_cstr(&reason), since_ms * NS_PER_MS);
    text_deinit(&reason);
}

/* ---- the end of one, and its beginning again ---- */

static void keep(struct operate *operate, const struct forced_entry *entry, uint64_t drained_ms)
{
    struct log *log = process_log(operate->process->loops[0]);
    struct forced_entry next = *entry;
    struct err err = ERR_NONE;
    next.drained_ms = drained_ms;
    next.n_calm = 0;
    if (operate_change(operate, &next, &err) < 0)
        log_write(log, LOG_LEVEL_ERROR, "how far the drain of %s is, is not kept yet: %s",
                  next.label, err.text);
    else if (drained_ms)
        log_write(log, LOG_LEVEL_INFO, "%s is drained: no address of it is here", next.label);
    else
        log_write(log, LOG_LEVEL_WARN, "%s drains again: an address is here, nobody else serves it",
                  next.label);
}

void drain_move_look(struct operate *operate, struct forced_entry *entry)
{
    const struct moving moving = moving_of(operate, entry);
    const struct drain_progress dns = look_at_dns(&moving);
    bool is_over =
        count_here(&moving) == 0 && !dns.is_answered && dns.dns_until_ms <= operate_now_ms(operate);
    bool was_over = entry->drained_ms != 0;
    entry->n_calm = is_over != was_over ? entry->n_calm + 1 : 0;
    if (entry->n_calm >= CALM_LOOKS)
        keep(operate, entry, is_over ? operate_now_ms(operate) : 0);
    else
        drain_move_state(operate, entry);
}
