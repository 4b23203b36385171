/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The life of the process of floating addresses.
 */

#include "vip/vip.h"

#include "base/mem.h"
#include "core/urgent.h"
#include "vip/count.h"
#include "vip/explain.h"
#include "vip/hook.h"
#include "vip/internal.h"
#include <assert.h>
#include <linux/capability.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

const struct vips_conf *vips_conf_of(const struct snapshot *snap)
{
    return snapshot_conf(snap, &vip_module);
}

/* ---- the start ---- */

static void on_change(void *ctx, const struct board_change *change)
{
    const struct vips *vips = ctx;
    for (uint32_t i = 0; i < vips->n_items; i++) {
        struct vip *vip = vips->items[i];
        if (vip->watch)
            lack_watch_on_change(vip->watch, change);
        if (vips->is_let_go || !vip_is_peers_fact(change->name))
            continue;
        vip_hear_peers(vip);
        for (size_t f = 0; f < VIP_FAMILIES; f++)
            vip_arm(&vip->groups[f]);
    }
}

static void on_lost(void *ctx, size_t segment)
{
    const struct vips *vips = ctx;
    (void)segment;
    for (uint32_t i = 0; i < vips->n_items; i++)
        if (vips->items[i]->watch)
            lack_watch_on_lost(vips->items[i]->watch);
}

static void on_again(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    vips_reconsider(CONTAINER_OF(timer, struct vips, again));
}

/* An interface of which netlink told nothing more, and whose socket could not be opened. */
static void on_retry(struct loop *loop, struct loop_timer *timer)
{
    struct vips *vips = CONTAINER_OF(timer, struct vips, retry);
    for (uint32_t i = 0; i < vips->ports.n_items; i++) {
        struct port *port = vips->ports.items[i];
        bool is_up = true;
        for (size_t f = 0; f < VIP_FAMILIES; f++)
            is_up = is_up && (!port->sockets[f].is_wanted || port_is_up(port, f));
        if (!is_up)
            port_look(port);
    }
    loop_timer_set(loop, timer, loop_now_ns(loop) + NS_PER_S);
}

/* What the board knows of an earlier life. */
static void remember(struct vips *vips)
{
    const struct process *process = vips->process;
    int own = board_segment(process->board, process->kind);
    assert(own >= 0);
    uint64_t now_ns = loop_clock_ns();
    uint64_t silence_ns = board_silence(process->board, (size_t)own, now_ns);
    struct fact fact;
    uint32_t cursor = 0;
    /* An upgrade has brought the facts of the former build, whose process lives still. */
    vips->has_former =
        !process->is_first_life || board_next(process->board, (size_t)own, &cursor, &fact);
    if (vips->has_former && silence_ns < now_ns)
        vips->died_ns = now_ns - silence_ns;
}

static int vip_start(struct process *process, void **ret_state, struct err *err)
{
    struct vips *vips = MEM_NEW(struct vips);
    struct loop *loop = process->loops[0];
    vips->process = process;
    loop_timer_init(&vips->again, on_again);
    loop_timer_init(&vips->retry, on_retry);
    slabs_init(&vips->slabs, process->board, process->n_loops, process->seed);
    remember(vips);
    urgent_become(process, URGENT_DECIDES);
    process_watch(process, on_change, on_lost, vips);
    loop_timer_set(loop, &vips->retry, loop_now_ns(loop) + NS_PER_S);
    *ret_state = vips;
    return ports_open(&vips->ports, loop, &vips->slabs, &vip_port_calls, vips, err);
}

/* ---- plans ---- */

static int vip_prepare(void *state, struct snapshot *snap, struct err *err)
{
    struct vips *vips = state;
    assert(!vips->coming);
    vips->coming = vip_plan_create(vips, snap, err);
    return vips->coming ? 0 : -1;
}

static void vip_abort(void *state, struct snapshot *snap)
{
    struct vips *vips = state;
    (void)snap;
    vip_plan_abort(vips, &vips->coming);
}

static bool is_told(void *ctx, const char *name)
{
    const struct vips *vips = ctx;
    for (uint32_t i = 0; i < vips->n_items; i++)
        if (strcmp(vips->items[i]->fact, name) == 0)
            return true;
    return false;
}

static void vip_commit(void *state, struct snapshot *snap)
{
    struct vips *vips = state;
    bool is_first = !vips->snap;
    assert(vips->coming && vips->coming->snap == snap);
    vip_plan_commit(vips, &vips->coming);
    if (!is_first)
        return;
    vip_sweep(vips);
    board_sweep(vips->process->board, "vip:", is_told, vips, loop_wall_ns(vips->process->loops[0]));
}

/* ---- the end ---- */

static void let_go(struct vips *vips)
{
    vips->is_let_go = true;
    for (uint32_t i = 0; i < vips->n_items; i++) {
        struct vip *vip = vips->items[i];
        for (size_t f = 0; f < VIP_FAMILIES; f++) {
            if (!vip->groups[f].is_started)
                continue;
            group_let_go(&vip->groups[f].group);
            vip_arm(&vip->groups[f]);
        }
        if (vip->hooks)
            hook_runner_destroy(&vip->hooks, false);
    }
}

static void vip_drain(void *state, uint64_t deadline_ns)
{
    struct vips *vips = state;
    (void)deadline_ns;
    vips->is_draining = true;
    if (vips->process->is_former)
        let_go(vips);
    else
        vips_reconsider(vips);
}

static bool vip_drained(void *state)
{
    const struct vips *vips = state;
    for (uint32_t i = 0; i < vips->n_items && !vips->is_let_go; i++)
        if (!vip_is_drained(vips->items[i]))
            return false;
    return true;
}

static void end_all(struct vips *vips)
{
    for (uint32_t i = 0; i < vips->n_items && !vips->is_let_go; i++)
        vip_end(vips->items[i], true);
}

static void vip_stop(void *state)
{
    struct vips *vips = state;
    struct loop *loop = vips->process->loops[0];
    end_all(vips);
    for (uint32_t i = 0; i < vips->n_items; i++)
        vip_destroy(&vips->items[i]);
    mem_free(vips->items);
    loop_timer_clear(loop, &vips->again);
    loop_timer_clear(loop, &vips->retry);
    ports_close(&vips->ports);
    slabs_deinit(&vips->slabs);
    mem_free(vips);
}

static void vip_orphaned(void *state)
{
    end_all(state);
}

/* ---- from the outside ---- */

static bool vip_is_needed(const struct snapshot *snap)
{
    return vips_conf_of(snap)->vip_list.n_items > 0;
}

static int vip_programs(const struct snapshot *snap, program_want_fn *want, void *ctx)
{
    const struct vips_conf *conf = vips_conf_of(snap);
    for (size_t i = 0; i < conf->vip_list.n_items; i++) {
        const struct vip_conf *vip = conf->vip_list.items[i];
        if (hooks_programs(&vip->hook_list, want, ctx) < 0)
            return -1;
    }
    return 0;
}

static void vip_floats(const struct snapshot *snap, float_fn *fn, void *ctx)
{
    const struct vips_conf *conf = vips_conf_of(snap);
    for (size_t i = 0; i < conf->vip_list.n_items; i++)
        fn(ctx, ((const struct vip_conf *)conf->vip_list.items[i])->name);
}

static bool has_ip(const struct vip_family *family, const struct vrrp_ip *ip)
{
    for (uint32_t i = 0; i < family->n_addresses; i++)
        if (vrrp_ip_compare(&family->addresses[i].ip, ip) == 0)
            return true;
    return false;
}

/* The vip that has the address; NULL: none. */
static const struct vip_conf *vip_of_addr(const struct snapshot *snap, const struct addr *addr)
{
    const struct vips_conf *conf = vips_conf_of(snap);
    int family = addr_family(addr);
    if (family != AF_INET && family != AF_INET6)
        return NULL;
    const struct vrrp_ip ip = vip_ip_of(addr);
    for (size_t i = 0; i < conf->vip_list.n_items; i++) {
        const struct vip_conf *vip = conf->vip_list.items[i];
        if (has_ip(&vip->families[family == AF_INET6 ? VIP_IPV6 : VIP_IPV4], &ip))
            return vip;
    }
    return NULL;
}

static bool vip_is_floating(const struct snapshot *snap, const struct addr *addr)
{
    return vip_of_addr(snap, addr) != NULL;
}

/* Where programs alone move the address, nobody here knows when it has gone. */
static const char *vip_floating_fact(const struct snapshot *snap, const struct addr *addr)
{
    const struct vip_conf *vip = vip_of_addr(snap, addr);
    return vip && !vip->has_no_address ? vip->fact : NULL;
}

static void vip_interfaces(const struct snapshot *snap, interface_want_fn *want, void *ctx)
{
    const struct vips_conf *conf = vips_conf_of(snap);
    for (size_t i = 0; i < conf->vip_list.n_items; i++) {
        const struct vip_conf *vip = conf->vip_list.items[i];
        const struct interface_want one = {.name = vip->interface, .at = vip->interface_at};
        want(ctx, &one);
    }
}

static int vip_program(const struct snapshot *snap, const struct slice *texts, size_t n_texts,
                       struct arena *arena, struct program_plan *ret_plan)
{
    const struct vips_conf *conf = vips_conf_of(snap);
    struct slice name;
    if (!hook_is_ask(texts, n_texts, &name))
        return 1;
    for (size_t i = 0; i < conf->vip_list.n_items; i++) {
        const struct vip_conf *vip = conf->vip_list.items[i];
        const struct hook_subject subject = {
            .vip = arena_dup(arena, vip->name).ptr,
            .addresses = vip->addresses,
            .interface = vip->interface,
            .node = snap->node,
            .hooks = &vip->hook_list,
        };
        if (slice_equal(vip->name, name))
            return hook_plan(&subject, texts, arena, ret_plan);
    }
    return 1;
}

static void tell_status(void *state, struct json *json)
{
    vip_status(state, json);
}

static const struct fact_kind fact_kinds[] = {
    {.name = "vip",
     .rule = FACT_DISTRUST,
     .patience_ms = 2000,
     .doc = "a floating address: active (here), degraded (here in one family alone), draining (it "
            "is to go elsewhere), drained (it did, and is to stay there), backup, down (takes no "
            "part); the value is what this node lacks"},
    {.name = HOOK_FACT, .rule = FACT_KEEP, .doc = HOOK_FACT_DOC},
    {0},
};

static const struct metric_table *const metrics[] = {&vip_metrics, &vrrp_metrics, &hook_metrics,
                                                     NULL};

const struct module vip_module = {
    .name = "vip",
    .doc = "floating addresses",
    .words = vip_words,
    .conf_size = sizeof(struct vips_conf),
    .check = vip_check,
    .fact_kinds = fact_kinds,
    .metrics = metrics,
    .process = "vip",
    .is_needed = vip_is_needed,
    .sandbox = {.allow = SANDBOX_NETLINK | SANDBOX_RAW,
                .capabilities = UINT64_C(1) << CAP_NET_ADMIN | UINT64_C(1) << CAP_NET_RAW},
    .floats = vip_floats,
    .is_floating = vip_is_floating,
    .floating_fact = vip_floating_fact,
    .interfaces = vip_interfaces,
    .programs = vip_programs,
    .program = vip_program,
    .starts_programs = true,
    .start = vip_start,
    .prepare = vip_prepare,
    .commit = vip_commit,
    .abort = vip_abort,
    .drain = vip_drain,
    .is_drained = vip_drained,
    .stop = vip_stop,
    .orphaned = vip_orphaned,
    .status = tell_status,
    .drains_first = true,
    .relinquish = vip_relinquish,
    .explains = "vip",
    .explain = vip_explain,
};
