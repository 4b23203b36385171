/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Interfaces with a virtual MAC.
 */

#include "vip/mac.h"

#include "wire/announce.h"
#include <stdio.h>
#include <string.h>

void mac_link_init(struct mac_link *mac)
{
    *mac = (struct mac_link){.index = 0};
    raw_init(&mac->raw);
}

void mac_link_name(char ret_name[RTNL_NAME_BYTES], uint32_t parent, uint8_t vrid, bool is_ipv6)
{
    enum { PARENT_MAX = 100000 }; /* five digits: a name has 15 bytes */
    snprintf(ret_name, RTNL_NAME_BYTES, "%s%u-%u", is_ipv6 ? MAC_PREFIX6 : MAC_PREFIX4,
             parent % PARENT_MAX, vrid);
}

bool mac_link_is_ours(const struct rtnl_link *link)
{
    return strcmp(link->kind, "macvlan") == 0 &&
           (strncmp(link->name, MAC_PREFIX4, strlen(MAC_PREFIX4)) == 0 ||
            strncmp(link->name, MAC_PREFIX6, strlen(MAC_PREFIX6)) == 0);
}

/* The index of the one that is made, or that an earlier life has made. */
static int find_or_add(struct rtnl *rtnl, const struct rtnl_link *parent, const char *name,
                       const uint8_t mac[VRRP_MAC_BYTES], uint32_t *ret_index, struct err *err)
{
    struct rtnl_link link;
    int rc = rtnl_macvlan_add(rtnl, parent->index, name, mac, ret_index, err);
    if (rc <= 0)
        return rc;
    if (rtnl_link_by_name(rtnl, name, &link, err) != 0)
        return err_set(err, "%s comes and goes", name);
    if (!mac_link_is_ours(&link) || link.parent != parent->index ||
        memcmp(link.mac, mac, VRRP_MAC_BYTES) != 0)
        return err_set(err, "%s is there, and is not the macvlan of a vip: remove it", name);
    *ret_index = link.index;
    return 0;
}

/*
 * The macvlan has no address but the floating ones, and what comes for them is answered by the
 * interface below, whose route to the client is the better one: a strict check of the way back
 * would refuse it. The kernel takes the greatest of what is set for all interfaces and for this
 * one, so that 0 would not do where all of them are strict (1), and loose (2) does.
 *
 * Each of the two is to answer for its own addresses alone, and the one below is not to ask for a
 * neighbour in the name of a floating one: the neighbour would take its MAC for the address's.
 */
static int settle(struct rtnl *rtnl, const struct rtnl_link *parent, uint32_t index,
                  struct err *err)
{
    static const struct rtnl_conf upper = {.arp_ignore = 1,
                                           .arp_announce = -1,
                                           .arp_filter = 0,
                                           .rp_filter = 2,
                                           .accept_local = 1,
                                           .promote_secondaries = 1,
                                           .addr_gen_mode = 1};
    static const struct rtnl_conf lower = {.arp_ignore = 1,
                                           .arp_announce = 2,
                                           .arp_filter = -1,
                                           .rp_filter = -1,
                                           .accept_local = -1,
                                           .promote_secondaries = -1,
                                           .addr_gen_mode = -1};
    int rc = rtnl_link_conf(rtnl, index, &upper, err);
    if (rc == 0)
        rc = rtnl_link_conf(rtnl, parent->index, &lower, err);
    if (rc == 0)
        rc = rtnl_link_enable(rtnl, index, true, err);
    return rc > 0 ? err_set(err, "%s is gone", parent->name) : rc;
}

int mac_link_open(struct mac_link *mac, struct rtnl *rtnl, const struct rtnl_link *parent,
                  uint8_t vrid, bool is_ipv6, struct err *err)
{
    uint8_t bytes[VRRP_MAC_BYTES];
    char name[RTNL_NAME_BYTES];
    uint32_t index;
    if (mac->index && mac->parent == parent->index)
        return 0;
    mac_link_close(mac, rtnl, false);
    announce_virtual_mac(vrid, is_ipv6, bytes);
    mac_link_name(name, parent->index, vrid, is_ipv6);
    if (find_or_add(rtnl, parent, name, bytes, &index, err) < 0)
        return -1;
    const struct raw_options options = {
        .is_ipv6 = is_ipv6, .is_write_only = true, .index = index, .name = name};
    if (settle(rtnl, parent, index, err) < 0 || raw_open(&mac->raw, &options, err) < 0) {
        rtnl_link_remove(rtnl, index, NULL);
        return -1;
    }
    mac->index = index;
    mac->parent = parent->index;
    return 0;
}

void mac_link_close(struct mac_link *mac, struct rtnl *rtnl, bool is_kept)
{
    struct err err = ERR_NONE;
    raw_close(&mac->raw);
    if (mac->index && !is_kept)
        rtnl_link_remove(rtnl, mac->index, &err); /* gone with its parent, it is no loss */
    mac_link_init(mac);
}
