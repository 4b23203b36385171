/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Vips at work: their timers, their interface, and what is reconsidered when something about one of
 * them is another.
 */

#include "base/mem.h"
#include "vip/count.h"
#include "vip/internal.h"
#include "vip/together.h"
#include "wire/announce.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

static struct loop *loop_of(const struct vips *vips)
{
    return vips->process->loops[0];
}

/* ---- timers ---- */

void vip_arm(struct vip_group *at)
{
    struct loop *loop = loop_of(at->vip->vips);
    uint64_t deadline_ns = at->is_started ? group_deadline(&at->group) : VRRP_NEVER;
    if (deadline_ns == VRRP_NEVER) {
        loop_timer_clear(loop, &at->timer);
        return;
    }
    uint64_t now_ns = loop_boot_ns();
    uint64_t wait_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    loop_timer_set(loop, &at->timer, loop_clock_ns() + wait_ns);
}

/* The socket is read first, for in it may be what the silence is missing. */
static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    struct vip_group *at = CONTAINER_OF(timer, struct vip_group, timer);
    (void)loop;
    port_read(at->vip->port, vip_family_of(at));
    vip_hear_peers(at->vip);
    group_time(&at->group, loop_boot_ns());
    vip_arm(at);
}

/* ---- the interface ---- */

/* The MAC that the addresses are behind; false where there can be none now. */
static bool find_mac(struct vip_group *at, uint8_t ret_mac[VRRP_MAC_BYTES], struct err *err)
{
    const struct vip *vip = at->vip;
    const struct rtnl_link *link = &vip->port->link;
    bool is_ipv6 = at->group.plan.is_ipv6;
    memcpy(ret_mac, link->mac, VRRP_MAC_BYTES);
    if (!vip->conf->has_virtual_mac || link->index == 0)
        return true;
    announce_virtual_mac((uint8_t)vip->conf->id, is_ipv6, ret_mac);
    return mac_link_open(&at->mac, &vip->vips->ports.rtnl, link, (uint8_t)vip->conf->id, is_ipv6,
                         err) == 0;
}

/* A group without a link makes no move that would be told. */
static void say_trouble(const struct vip_group *at, const char *former)
{
    if (at->trouble[0] && strcmp(at->trouble, former) != 0 &&
        group_state(&at->group) == VRRP_INITIALIZE)
        log_write(at->vip->vips->process->logs[0], LOG_LEVEL_WARN, "%s (%s) takes no part: %s",
                  at->vip->fact, vip_family_name(vip_family_of(at)), at->trouble);
}

static void look_at_port(struct vip_group *at)
{
    const struct port *port = at->vip->port;
    size_t family = vip_family_of(at);
    struct err err = ERR_NONE;
    struct group_link link = {
        .source = sources_choose(&port->sources, family, &at->group.plan.family->source)};
    char former[PORT_TROUBLE_MAX];
    slice_copy(slice_from(at->trouble), former, sizeof(former));
    slice_copy(slice_from(port->sockets[family].trouble), at->trouble, sizeof(at->trouble));
    if (!find_mac(at, link.mac, &err))
        slice_copy(slice_from(err.text), at->trouble, sizeof(at->trouble));
    link.is_up = port_is_up(port, family) && at->trouble[0] == '\0';
    group_set_link(&at->group, &link, loop_boot_ns());
    say_trouble(at, former);
}

void vip_on_port(struct vip *vip)
{
    for (size_t f = 0; f < VIP_FAMILIES; f++) {
        struct vip_group *at = &vip->groups[f];
        if (!at->is_started)
            continue;
        look_at_port(at);
        vip_arm(at);
    }
    vip->has_news = true;
    vips_reconsider(vip->vips);
}

/* ---- what is reconsidered ---- */

/* What the vips of a set are like together, by the place of their leader. */
struct set {
    struct lack_score worst;
    uint32_t n_groups, n_down, n_active;
    bool is_broken, is_yielding;
};

static struct vip *leader_of(const struct vip *vip)
{
    assert(!vip->is_ending);
    return vip->vips->items[vip->conf->leader->index];
}

/* The group that the others of the set follow. */
static struct vip_group *first_of(struct vip *vip)
{
    return &vip->groups[vip->groups[VIP_IPV4].is_there ? VIP_IPV4 : VIP_IPV6];
}

static unsigned most(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

static void add_to_set(struct set *set, const struct vip *vip)
{
    struct lack_score score = {.as_active = 0};
    if (vip->watch)
        score = lack_watch_score(vip->watch);
    set->worst.as_active = most(score.as_active, set->worst.as_active);
    set->worst.as_backup = most(score.as_backup, set->worst.as_backup);
    set->is_yielding = set->is_yielding || vip->vips->is_draining ||
                       (vip->watch && lack_watch_drained(vip->watch));
    for (size_t f = 0; f < VIP_FAMILIES; f++) {
        const struct vip_group *at = &vip->groups[f];
        if (!at->is_started)
            continue;
        set->n_groups++;
        set->n_down += !at->group.machine.is_linked;
        set->n_active += group_state(&at->group) == VRRP_ACTIVE;
        set->is_broken = set->is_broken || at->group.is_broken;
    }
}

/* Who lacks more than before does not wait for its next advertisement to see who is better off. */
static void hear_at_once(struct vip *vip)
{
    vip_hear_peers(vip);
    for (size_t f = 0; f < VIP_FAMILIES; f++)
        vip_arm(&vip->groups[f]);
}

static void apply_to_group(struct vip_group *at, const struct set *set, uint64_t *again_ns)
{
    struct vip *vip = at->vip;
    struct vip_group *first = first_of(leader_of(vip));
    uint64_t now_ns = loop_boot_ns(), again_at_ns = VRRP_NEVER;
    uint8_t priority = together_priority(at->group.plan.base, vip->lack);
    bool is_yielding = set->is_yielding ||
                       (at != first && together_yields(&first->group.machine, &at->group.machine,
                                                       now_ns, &again_at_ns));
    group_set_priority(&at->group, priority, !vip->conf->is_no_preempt && vip->lack == 0, now_ns);
    group_set_yielding(&at->group, is_yielding, now_ns);
    *again_ns = again_at_ns < *again_ns ? again_at_ns : *again_ns;
    vip_arm(at);
}

/* A set that is Active here in part counts as Active: all of it is to come to one place. */
static unsigned lack_of(const struct set *set)
{
    bool is_down = set->n_down > 0 && set->n_down < set->n_groups;
    return together_lack(set->n_active > 0 ? set->worst.as_active : set->worst.as_backup, is_down,
                         set->is_broken);
}

static void apply_to_vip(struct vip *vip, const struct set *set, uint64_t *again_ns)
{
    unsigned former = vip->lack;
    vip->lack = lack_of(set);
    vip->is_yielding = set->is_yielding;
    for (size_t f = 0; f < VIP_FAMILIES; f++)
        if (vip->groups[f].is_started && !vip->is_ending)
            apply_to_group(&vip->groups[f], set, again_ns);
    vip_publish(vip);
    if (vip->lack > former)
        hear_at_once(vip);
}

static bool has_ended(const struct vip *vip)
{
    for (size_t f = 0; f < VIP_FAMILIES; f++)
        if (vip->groups[f].is_started && group_state(&vip->groups[f].group) != VRRP_INITIALIZE)
            return false;
    return vip->is_ending;
}

static void bury(struct vips *vips)
{
    for (uint32_t i = vips->n_items; i-- > 0;) {
        if (!has_ended(vips->items[i]))
            continue;
        vip_destroy(&vips->items[i]);
        memmove(&vips->items[i], &vips->items[i + 1],
                (vips->n_items - i - 1) * sizeof(struct vip *));
        vips->n_items--;
    }
}

static void reconsider(struct vips *vips)
{
    struct set sets[VIPS_MAX] = {{.n_groups = 0}};
    uint64_t again_ns = VRRP_NEVER;
    bury(vips);
    for (uint32_t i = 0; i < vips->n_items; i++)
        if (!vips->items[i]->is_ending)
            add_to_set(&sets[vips->items[i]->conf->leader->index], vips->items[i]);
    for (uint32_t i = 0; i < vips->n_items; i++) {
        static const struct set alone = {.n_groups = 0};
        struct vip *vip = vips->items[i];
        apply_to_vip(vip, vip->is_ending ? &alone : &sets[vip->conf->leader->index], &again_ns);
    }
    if (again_ns != VRRP_NEVER)
        loop_timer_set(loop_of(vips), &vips->again, loop_clock_ns() + (again_ns - loop_boot_ns()));
}

static void on_task(struct loop *loop, struct loop_task *task)
{
    struct vips *vips = CONTAINER_OF(task, struct vips, task);
    (void)loop;
    vips->is_task_due = false;
    if (vips->snap && !vips->is_let_go)
        reconsider(vips);
}

void vips_reconsider(struct vips *vips)
{
    if (vips->is_task_due)
        return;
    vips->is_task_due = true;
    loop_defer(loop_of(vips), &vips->task, on_task);
}

/* ---- beginning ---- */

static void on_lack(void *ctx)
{
    const struct vip *vip = ctx;
    vips_reconsider(vip->vips);
}

static struct group_plan plan_of(const struct vip *vip, size_t family)
{
    return (struct group_plan){
        .vip = vip->conf,
        .family = &vip->conf->families[family],
        .is_ipv6 = family == VIP_IPV6,
        .base = vip_base_priority(vip->conf, vip->snap->node),
    };
}

struct vip *vip_create(struct vips *vips, struct snapshot *snap, const struct vip_conf *conf,
                       struct err *err)
{
    struct vip *vip = MEM_NEW(struct vip);
    vip->vips = vips;
    vip->snap = snapshot_ref(snap);
    vip->conf = conf;
    vip->name = slice_dup(conf->name);
    vip->fact = slice_dup(slice_from(conf->fact));
    for (size_t f = 0; f < VIP_FAMILIES; f++) {
        vip->groups[f].vip = vip;
        mac_link_init(&vip->groups[f].mac);
        loop_timer_init(&vip->groups[f].timer, on_timer);
    }
    vip->slab = slabs_take(&vips->slabs, &vip_metrics, vip->name);
    if (!vip->slab)
        err_set(err, "no room on the board for the counters of vip %s", vip->name);
    else if (port_take(&vips->ports, conf->interface, &vip->port, err) == 0)
        return vip;
    vip_destroy(&vip);
    return NULL;
}

void vip_destroy(struct vip **vip_ptr)
{
    struct vip *vip = *vip_ptr;
    *vip_ptr = NULL;
    if (!vip)
        return;
    struct vips *vips = vip->vips;
    for (size_t f = 0; f < VIP_FAMILIES; f++) {
        loop_timer_clear(loop_of(vips), &vip->groups[f].timer);
        mac_link_close(&vip->groups[f].mac, &vips->ports.rtnl, vips->is_let_go);
    }
    if (vip->watch)
        lack_watch_destroy(&vip->watch);
    if (vip->hooks)
        hook_runner_destroy(&vip->hooks, vip->is_ending);
    if (vip->is_told && vip->is_ending)
        board_remove(vips->process->board, vip->fact, loop_wall_ns(loop_of(vips)));
    port_leave(&vip->port);
    if (vip->slab)
        slabs_leave(&vips->slabs, vip->slab);
    snapshot_unref(&vip->snap);
    mem_free(vip->name);
    mem_free(vip->fact);
    mem_free(vip);
}

/* Was this node Active a moment ago, as the board says? Then *ret_age_ns. */
static bool was_active(const struct vip *vip, uint64_t *ret_age_ns)
{
    const struct vips *vips = vip->vips;
    const struct board *board = vips->process->board;
    struct fact fact;
    if (vips->snap || !vips->has_former || !board_read(board, board_find(board, vip->fact), &fact))
        return false;
    *ret_age_ns = vips->died_ns ? loop_clock_ns() - vips->died_ns : 0;
    return fact.state == FACT_ACTIVE || fact.state == FACT_DRAINING || fact.state == FACT_DEGRADED;
}

static void begin_group(struct vip *vip, size_t family)
{
    struct vip_group *at = &vip->groups[family];
    struct group_plan plan = plan_of(vip, family);
    uint64_t age_ns = 0;
    at->is_there = at->is_started = true;
    group_init(&at->group, &plan, &vip_group_ops, at, metric_row(vip->slab->slab, 0));
    look_at_port(at);
    if (was_active(vip, &age_ns) && vip_has_addresses(at))
        group_adopt(&at->group, age_ns, loop_boot_ns());
    else
        group_start(&at->group, loop_boot_ns());
    vip_arm(at);
}

static void want_port(const struct vip *vip)
{
    for (size_t f = 0; f < VIP_FAMILIES; f++)
        if (vip->conf->families[f].n_addresses > 0)
            port_want(vip->port, f, vip->conf->families[f].n_peers == 0);
    port_look(vip->port);
}

void vip_begin(struct vip *vip)
{
    struct process *process = vip->vips->process;
    want_port(vip);
    for (size_t f = 0; f < VIP_FAMILIES; f++)
        if (vip->conf->families[f].n_addresses > 0)
            begin_group(vip, f);
    vip->hooks = hook_runner_create(process, vip->name);
    hook_runner_configure(vip->hooks, &vip->conf->hook_list);
    vip->watch =
        lack_watch_create(process, vip->snap, vip->name, &vip->conf->need_list, on_lack, vip);
    vip->has_news = true;
}

void vip_replan(struct vip *vip, struct snapshot *snap, const struct vip_conf *conf)
{
    struct snapshot *former = vip->snap; /* has the former addresses until all have gone over */
    vip->snap = snapshot_ref(snap);
    vip->conf = conf;
    want_port(vip);
    for (size_t f = 0; f < VIP_FAMILIES; f++) {
        struct vip_group *at = &vip->groups[f];
        struct group_plan plan = plan_of(vip, f);
        if (at->is_started && plan.family->n_addresses > 0) {
            group_replan(&at->group, &plan, loop_boot_ns());
            look_at_port(at); /* it may speak from another address now */
            vip_arm(at);
        } else if (at->is_started) {
            group_stop(&at->group, true, loop_boot_ns());
            mac_link_close(&at->mac, &vip->vips->ports.rtnl, false);
            at->is_started = at->is_there = false;
            vip_arm(at);
        } else if (plan.family->n_addresses > 0) {
            begin_group(vip, f);
        }
    }
    hook_runner_configure(vip->hooks, &conf->hook_list);
    lack_watch_configure(vip->watch, snap, &conf->need_list);
    vip->has_news = true;
    snapshot_unref(&former);
}

void vip_end(struct vip *vip, bool is_now)
{
    vip->is_ending = true;
    for (size_t f = 0; f < VIP_FAMILIES; f++) {
        struct vip_group *at = &vip->groups[f];
        if (!at->is_started)
            continue;
        group_stop(&at->group, is_now, loop_boot_ns());
        vip_arm(at);
    }
    vips_reconsider(vip->vips);
}

bool vip_is_drained(const struct vip *vip)
{
    for (size_t f = 0; f < VIP_FAMILIES; f++) {
        const struct vip_group *at = &vip->groups[f];
        if (at->is_started && group_state(&at->group) == VRRP_ACTIVE &&
            (at->group.machine.is_leaving || !at->group.machine.is_yielding))
            return false;
    }
    return true;
}
