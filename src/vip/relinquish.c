/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the supervisor does when the process of vips has died and does not come back: it says for
 * each address that is still here that another may have it, and takes it away. Nothing here waits:
 * a socket is opened, one packet a target is sent.
 */

#include "base/mem.h"
#include "vip/group.h"
#include "vip/internal.h"
#include "vip/source.h"
#include "vip/vip.h"

/* The work on one family of a vip. */
struct leaving {
    struct rtnl rtnl;
    const struct snapshot *snap;
    struct log *log;
    struct group_plan plan;
    struct rtnl_link link; /* the vip's interface */
    uint32_t mac_index;    /* of the one with the virtual MAC; 0: none */
    struct rtnl_address here[VRRP_ADDRESSES_MAX];
    uint32_t n_here;
};

static bool is_of_family(const struct vip_family *family, const struct vrrp_ip *ip)
{
    for (uint32_t i = 0; i < family->n_addresses; i++)
        if (vrrp_ip_compare(&family->addresses[i].ip, ip) == 0)
            return true;
    return false;
}

static bool is_floating(void *ctx, const struct vrrp_ip *ip)
{
    const struct vips_conf *conf = vips_conf_of(ctx);
    for (size_t i = 0; i < conf->vip_list.n_items; i++) {
        const struct vip_conf *vip = conf->vip_list.items[i];
        for (size_t f = 0; f < VIP_FAMILIES; f++)
            if (is_of_family(&vip->families[f], ip))
                return true;
    }
    return false;
}

static void *snap_ctx(const struct snapshot *snap)
{
    return (void *)(uintptr_t)snap; /* is_floating() reads it */
}

static void find_here(void *ctx, const struct rtnl_address *address)
{
    struct leaving *leaving = ctx;
    bool is_place = address->index == leaving->link.index ||
                    (leaving->mac_index && address->index == leaving->mac_index);
    if (is_place && is_of_family(leaving->plan.family, &address->ip) &&
        source_is_ours(address, is_floating, snap_ctx(leaving->snap)) &&
        leaving->n_here < VRRP_ADDRESSES_MAX)
        leaving->here[leaving->n_here++] = *address;
}

static void find_mac(struct leaving *leaving)
{
    const struct vip_conf *vip = leaving->plan.vip;
    char name[RTNL_NAME_BYTES];
    struct rtnl_link link;
    leaving->mac_index = 0;
    if (!vip->has_virtual_mac)
        return;
    mac_link_name(name, leaving->link.index, (uint8_t)vip->id, leaving->plan.is_ipv6);
    if (rtnl_link_by_name(&leaving->rtnl, name, &link, NULL) == 0 && mac_link_is_ours(&link))
        leaving->mac_index = link.index;
}

static int resign(struct leaving *leaving, struct err *err)
{
    const struct group_plan *plan = &leaving->plan;
    struct sources sources;
    const struct raw_options options = {.is_ipv6 = plan->is_ipv6,
                                        .is_unicast = true,
                                        .is_write_only = true,
                                        .index = leaving->link.index,
                                        .name = leaving->link.name};
    struct raw raw;
    int rc = sources_find(&leaving->rtnl, leaving->link.index, is_floating, snap_ctx(leaving->snap),
                          &sources, err);
    if (rc < 0 || raw_open(&raw, &options, err) < 0)
        return -1;
    struct vrrp_carrier carrier = {
        .source =
            sources_choose(&sources, plan->is_ipv6 ? VIP_IPV6 : VIP_IPV4, &plan->family->source),
        .ttl = VRRP_TTL};
    for (uint32_t i = 0; i < group_n_targets(plan) && carrier.source.n_bytes; i++) {
        uint8_t bytes[VRRP_PACKET_MAX_BYTES];
        carrier.target = group_target(plan, i);
        size_t len = group_write_advert(plan, VRRP_PRIORITY_RESIGN, &carrier, bytes);
        if (raw_write(&raw, &carrier, slice_make((const char *)bytes, len), err) < 0)
            rc = -1;
    }
    raw_close(&raw);
    return rc;
}

/* In the order in which a machine at its end does it: said first, then done. */
static void leave(struct leaving *leaving)
{
    const struct vip_conf *vip = leaving->plan.vip;
    struct err err = ERR_NONE;
    if (resign(leaving, &err) < 0)
        log_write(leaving->log, LOG_LEVEL_WARN, "%s cannot resign: %s", vip->fact, err.text);
    for (uint32_t i = 0; i < leaving->n_here; i++)
        if (rtnl_addr_remove_alone(&leaving->rtnl, &leaving->here[i], &err) < 0)
            log_write(leaving->log, LOG_LEVEL_ERROR, "%s keeps an address: %s", vip->fact,
                      err.text);
    log_write(leaving->log, LOG_LEVEL_WARN,
              "%s: its process does not come back, so the addresses were given up here", vip->fact);
}

static void look_at_family(struct leaving *leaving, const struct vip_conf *vip, size_t family)
{
    leaving->plan = (struct group_plan){
        .vip = vip, .family = &vip->families[family], .is_ipv6 = family == VIP_IPV6};
    leaving->n_here = 0;
    if (leaving->plan.family->n_addresses == 0 ||
        rtnl_link_by_name(&leaving->rtnl, vip->interface, &leaving->link, NULL) != 0)
        return;
    find_mac(leaving);
    if (rtnl_addr_each(&leaving->rtnl, 0, find_here, leaving, NULL) == 0 && leaving->n_here > 0)
        leave(leaving);
    if (leaving->mac_index)
        (void)mac_link_remove(&leaving->rtnl, leaving->mac_index, NULL);
}

void vip_relinquish(const struct snapshot *snap, const struct board *board, struct log *log)
{
    const struct vips_conf *conf = vips_conf_of(snap);
    struct leaving *leaving = MEM_NEW(struct leaving);
    struct err err = ERR_NONE;
    leaving->snap = snap;
    leaving->log = log;
    if (rtnl_open(NULL, &leaving->rtnl, NULL, NULL, &err) < 0) {
        log_write(log, LOG_LEVEL_ERROR, "vips are not given up: %s", err.text);
    } else {
        for (size_t i = 0; i < conf->vip_list.n_items; i++) {
            const struct vip_conf *vip = conf->vip_list.items[i];
            for (size_t f = 0; f < VIP_FAMILIES; f++)
                if (board_find(board, vip->fact).is_set)
                    look_at_family(leaving, vip, f);
        }
    }
    rtnl_close(&leaving->rtnl);
    mem_free(leaving);
}
