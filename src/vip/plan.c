/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Plans: which vips a snapshot has, and which of them live already.
 */

#include "base/mem.h"
#include "vip/internal.h"
#include "vip/vip.h"
#include <assert.h>
#include <string.h>

/* Does the living vip go on as this one? Otherwise it ends, and another begins. */
static bool is_same(const struct vip *vip, const struct vip_conf *conf)
{
    const struct vip_conf *former = vip->conf;
    return !vip->is_ending && slice_equal(former->name, conf->name) && former->id == conf->id &&
           former->has_virtual_mac == conf->has_virtual_mac &&
           strcmp(former->interface, conf->interface) == 0;
}

static struct vip *find(const struct vips *vips, const struct vip_conf *conf)
{
    for (uint32_t i = 0; i < vips->n_items; i++)
        if (is_same(vips->items[i], conf))
            return vips->items[i];
    return NULL;
}

static void plan_destroy(struct vip_plan **plan_ptr)
{
    struct vip_plan *plan = *plan_ptr;
    *plan_ptr = NULL;
    mem_free(plan->items);
    mem_free(plan->is_new);
    mem_free(plan);
}

void vip_plan_abort(struct vips *vips, struct vip_plan **plan_ptr)
{
    struct vip_plan *plan = *plan_ptr;
    (void)vips;
    if (!plan)
        return;
    for (uint32_t i = 0; i < plan->n_items; i++)
        if (plan->is_new[i])
            vip_destroy(&plan->items[i]);
    plan_destroy(plan_ptr);
}

struct vip_plan *vip_plan_create(struct vips *vips, struct snapshot *snap, struct err *err)
{
    const struct vips_conf *conf = vips_conf_of(snap);
    struct vip_plan *plan = MEM_NEW(struct vip_plan);
    plan->snap = snap;
    plan->n_items = (uint32_t)conf->vip_list.n_items;
    plan->items = MEM_NEW_ARRAY(struct vip *, plan->n_items);
    plan->is_new = MEM_NEW_ARRAY(bool, plan->n_items);
    for (uint32_t i = 0; i < plan->n_items; i++) {
        const struct vip_conf *vip = conf->vip_list.items[i];
        plan->items[i] = find(vips, vip);
        if (plan->items[i])
            continue;
        plan->items[i] = vip_create(vips, snap, vip, err);
        if (!plan->items[i]) {
            vip_plan_abort(vips, &plan);
            return NULL;
        }
        plan->is_new[i] = true;
    }
    return plan;
}

static bool is_in_plan(const struct vip_plan *plan, const struct vip *vip)
{
    for (uint32_t i = 0; i < plan->n_items; i++)
        if (plan->items[i] == vip)
            return true;
    return false;
}

static bool has_name(const struct vip_plan *plan, const char *name)
{
    for (uint32_t i = 0; i < plan->n_items; i++)
        if (strcmp(plan->items[i]->name, name) == 0)
            return true;
    return false;
}

/*
 * The vips that are no longer in the file end; one whose name goes on, on another interface or with
 * another id, does so at once, for its successor has the same addresses.
 */
static uint32_t end_others(struct vips *vips, const struct vip_plan *plan, struct vip **ret_ending)
{
    uint32_t n_ending = 0;
    for (uint32_t i = 0; i < vips->n_items; i++) {
        struct vip *vip = vips->items[i];
        if (is_in_plan(plan, vip))
            continue;
        bool is_replaced = has_name(plan, vip->name);
        if (!vip->is_ending || is_replaced)
            vip_end(vip, is_replaced);
        if (is_replaced)
            vip_destroy(&vip);
        else
            ret_ending[n_ending++] = vip;
    }
    return n_ending;
}

void vip_plan_commit(struct vips *vips, struct vip_plan **plan_ptr)
{
    struct vip_plan *plan = *plan_ptr;
    const struct vips_conf *conf = vips_conf_of(plan->snap);
    uint32_t n_max = plan->n_items + vips->n_items;
    struct vip **items = MEM_NEW_ARRAY(struct vip *, n_max);
    uint32_t n_ending = end_others(vips, plan, items + plan->n_items);
    memcpy(items, plan->items, plan->n_items * sizeof(struct vip *));
    mem_free(vips->items);
    vips->items = items;
    vips->n_items = plan->n_items + n_ending;
    for (uint32_t i = 0; i < plan->n_items; i++) {
        if (plan->is_new[i])
            vip_begin(plan->items[i]);
        else
            vip_replan(plan->items[i], plan->snap, conf->vip_list.items[i]);
    }
    vips->snap = plan->snap;
    plan_destroy(plan_ptr);
    vips_reconsider(vips);
}

/* ---- leftovers ---- */

enum { LEFTOVERS_MAX = 256 };

struct sweep {
    struct vips *vips;
    struct rtnl_address addresses[LEFTOVERS_MAX];
    uint32_t n_addresses;
    uint32_t links[LEFTOVERS_MAX];
    uint32_t n_links;
};

/* Is it one of those that some vip has or may have? */
static bool is_wanted(const struct vips *vips, const struct rtnl_address *address)
{
    return vip_port_calls.is_floating((void *)(uintptr_t)vips, &address->ip);
}

static bool is_on_port(const struct vips *vips, uint32_t index)
{
    for (uint32_t i = 0; i < vips->ports.n_items; i++)
        if (vips->ports.items[i]->link.index == index)
            return true;
    return false;
}

static void sweep_address(void *ctx, const struct rtnl_address *address)
{
    struct sweep *sweep = ctx;
    bool is_left = address->protocol == VIP_ADDRESS_PROTOCOL &&
                   is_on_port(sweep->vips, address->index) && !is_wanted(sweep->vips, address);
    if (is_left && sweep->n_addresses < LEFTOVERS_MAX)
        sweep->addresses[sweep->n_addresses++] = *address;
}

static bool has_mac(const struct vips *vips, uint32_t index)
{
    for (uint32_t i = 0; i < vips->n_items; i++)
        for (size_t f = 0; f < VIP_FAMILIES; f++)
            if (vips->items[i]->groups[f].mac.index == index)
                return true;
    return false;
}

static void sweep_link(void *ctx, const struct rtnl_link *link)
{
    struct sweep *sweep = ctx;
    bool is_left = mac_link_is_ours(link) && is_on_port(sweep->vips, link->parent) &&
                   !has_mac(sweep->vips, link->index);
    if (is_left && sweep->n_links < LEFTOVERS_MAX)
        sweep->links[sweep->n_links++] = link->index;
}

/*
 * Only on the interfaces that this file's vips are on, for elsewhere another weir may be at home.
 */
void vip_sweep(struct vips *vips)
{
    struct rtnl *rtnl = &vips->ports.rtnl;
    struct sweep *sweep = MEM_NEW(struct sweep);
    struct err err = ERR_NONE;
    sweep->vips = vips;
    if (rtnl_addr_each(rtnl, 0, sweep_address, sweep, &err) < 0 ||
        rtnl_link_each(rtnl, sweep_link, sweep, &err) < 0)
        log_write(vips->process->logs[0], LOG_LEVEL_WARN, "what an earlier life has left: %s",
                  err.text);
    for (uint32_t i = 0; i < sweep->n_addresses; i++)
        (void)rtnl_addr_remove_alone(rtnl, &sweep->addresses[i], NULL);
    for (uint32_t i = 0; i < sweep->n_links; i++)
        (void)mac_link_remove(rtnl, sweep->links[i], NULL);
    mem_free(sweep);
}
