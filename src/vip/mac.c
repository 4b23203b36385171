/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Interfaces with a virtual MAC.
 */

#include "vip/mac.h"

#include "wire/announce.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* What the interface below a macvlan of IPv4 is changed to. */
enum { LOWER_ARP_IGNORE = 1, LOWER_ARP_ANNOUNCE = 2 };

/* The alias of the macvlan: what the interface below was before. */
#define ALIAS_FORMAT "weir: below arp_ignore %d arp_announce %d"

struct former {
    int arp_ignore, arp_announce;
};

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

/* ---- what was before ---- */

static bool cut_word(struct slice *rest, const char *word)
{
    struct slice found = slice_cut(rest, ' ');
    return slice_is(found, word);
}

static bool cut_number(struct slice *rest, int *ret_number)
{
    uint64_t number;
    if (slice_to_u64(slice_cut(rest, ' '), &number) < 0 || number > INT_MAX)
        return false;
    *ret_number = (int)number;
    return true;
}

/* Does its alias say what was before? */
static bool read_alias(const struct rtnl_link *link, struct former *ret_former)
{
    struct slice rest = slice_from(link->alias);
    struct former former;
    if (!cut_word(&rest, "weir:") || !cut_word(&rest, "below") || !cut_word(&rest, "arp_ignore") ||
        !cut_number(&rest, &former.arp_ignore) || !cut_word(&rest, "arp_announce") ||
        !cut_number(&rest, &former.arp_announce) || rest.len > 0)
        return false;
    *ret_former = former;
    return true;
}

/* Looks for another one above the same interface that knows what was before. */
struct siblings {
    uint32_t index, parent;
    bool has_any;
    struct former former;
};

static void look_at_sibling(void *ctx, const struct rtnl_link *link)
{
    struct siblings *siblings = ctx;
    if (link->index != siblings->index && link->parent == siblings->parent &&
        mac_link_is_ours(link) && read_alias(link, &siblings->former))
        siblings->has_any = true;
}

static int find_siblings(struct rtnl *rtnl, uint32_t index, uint32_t parent,
                         struct siblings *ret_siblings, struct err *err)
{
    *ret_siblings = (struct siblings){.index = index, .parent = parent};
    return rtnl_link_each(rtnl, look_at_sibling, ret_siblings, err);
}

/*
 * Before anything is changed: a life that ends here has changed nothing. Where another macvlan is
 * there already, the interface below is as we have made it, and the other one knows how it was.
 */
static int note_former(struct rtnl *rtnl, uint32_t index, uint32_t parent, struct err *err)
{
    struct rtnl_link own, below;
    struct siblings siblings;
    struct former former;
    char alias[RTNL_ALIAS_BYTES];
    if (rtnl_link_by_index(rtnl, index, &own, err) != 0 ||
        rtnl_link_by_index(rtnl, parent, &below, err) != 0)
        return err_set(err, "interface %u comes and goes", index);
    if (read_alias(&own, &former))
        return 0;
    if (find_siblings(rtnl, index, parent, &siblings, err) < 0)
        return -1;
    former = (struct former){below.arp_ignore, below.arp_announce};
    if (siblings.has_any)
        former = siblings.former;
    if (former.arp_ignore < 0 || former.arp_announce < 0)
        return 0; /* the kernel does not tell */
    snprintf(alias, sizeof(alias), ALIAS_FORMAT, former.arp_ignore, former.arp_announce);
    return rtnl_link_alias(rtnl, index, alias, err);
}

/* Puts back what is still as it was made here. */
static int restore_below(struct rtnl *rtnl, uint32_t parent, const struct former *former,
                         struct err *err)
{
    struct rtnl_link below;
    int rc = rtnl_link_by_index(rtnl, parent, &below, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    const struct rtnl_conf conf = {
        .arp_ignore = below.arp_ignore == LOWER_ARP_IGNORE ? former->arp_ignore : -1,
        .arp_announce = below.arp_announce == LOWER_ARP_ANNOUNCE ? former->arp_announce : -1,
        .arp_filter = -1,
        .rp_filter = -1,
        .accept_local = -1,
        .promote_secondaries = -1,
        .addr_gen_mode = -1};
    rc = rtnl_link_conf(rtnl, parent, &conf, err);
    return rc < 0 ? rc : 0;
}

int mac_link_remove(struct rtnl *rtnl, uint32_t index, struct err *err)
{
    struct rtnl_link own;
    struct siblings siblings;
    struct former former;
    int rc = rtnl_link_by_index(rtnl, index, &own, err);
    if (rc != 0)
        return rc;
    if (read_alias(&own, &former)) {
        rc = find_siblings(rtnl, index, own.parent, &siblings, err);
        if (rc == 0 && !siblings.has_any)
            rc = restore_below(rtnl, own.parent, &former, err);
    }
    int removed = rtnl_link_remove(rtnl, index, rc < 0 ? NULL : err);
    return rc < 0 ? rc : removed;
}

/* ---- making one ---- */

/*
 * The macvlan has no address but the floating ones, and what comes for them is answered by the
 * interface below, whose route to the client is the better one: a strict check of the way back
 * would refuse it. The kernel takes the greatest of what is set for all interfaces and for this
 * one, so that 0 would not do where all of them are strict (1), and loose (2) does.
 *
 * Each of the two is to answer for its own addresses alone, and the one below is not to ask for a
 * neighbour in the name of a floating one: the neighbour would take its MAC for the address's.
 * (With IPv6 it does neither anyway.)
 */
static int settle(struct rtnl *rtnl, const struct rtnl_link *parent, uint32_t index, bool is_ipv6,
                  struct err *err)
{
    static const struct rtnl_conf upper = {.arp_ignore = 1,
                                           .arp_announce = -1,
                                           .arp_filter = 0,
                                           .rp_filter = 2,
                                           .accept_local = 1,
                                           .promote_secondaries = 1,
                                           .addr_gen_mode = 1};
    static const struct rtnl_conf lower = {.arp_ignore = LOWER_ARP_IGNORE,
                                           .arp_announce = LOWER_ARP_ANNOUNCE,
                                           .arp_filter = -1,
                                           .rp_filter = -1,
                                           .accept_local = -1,
                                           .promote_secondaries = -1,
                                           .addr_gen_mode = -1};
    int rc = rtnl_link_conf(rtnl, index, &upper, err);
    if (rc == 0 && !is_ipv6)
        rc = note_former(rtnl, index, parent->index, err);
    if (rc == 0 && !is_ipv6)
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
    if (settle(rtnl, parent, index, is_ipv6, err) < 0 || raw_open(&mac->raw, &options, err) < 0) {
        mac_link_remove(rtnl, index, NULL);
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
        mac_link_remove(rtnl, mac->index, &err); /* gone with its parent, it is no loss */
    mac_link_init(mac);
}
