/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIP_MAC_H
#define VIP_MAC_H

/*
 * The virtual MAC of a group (RFC 9568 section 7.3): an interface of kind macvlan above the one
 * that the vip is on, which has the MAC and, while the group is Active, its addresses. It is there
 * as long as the group takes part, so that a takeover adds addresses only.
 *
 *     eth0             02:42:...            the node's address, what is heard of VRRP
 *     `- vip4-2-51     00-00-5E-00-01-33    203.0.113.10/24, what is sent of VRRP
 *
 * Its name has the family, the index of the interface below and the id, so that a next life finds
 * it. The interface below neither answers ARP for addresses that are not its own (arp_ignore) nor
 * asks in their name (arp_announce), for the macvlan's would be among them.
 *
 * What these two were before is written into the macvlan's alias, for no file lives as long as it
 * does, nor ends with it: whoever removes the last macvlan of an interface, this life, a later one
 * or the supervisor, puts them back. What the operator has set meanwhile stays.
 */

#include "net/raw.h"
#include "net/rtnl.h"
#include <stdbool.h>
#include <stdint.h>

#define MAC_PREFIX4 "vip4-"
#define MAC_PREFIX6 "vip6-"

struct mac_link {
    uint32_t index; /* 0: there is none */
    uint32_t parent;
    struct raw raw; /* sends; hears nothing */
};

void mac_link_init(struct mac_link *mac);
/* Makes it above `parent` or finds it there, and opens its socket. 0, or -1 with err. */
int mac_link_open(struct mac_link *mac, struct rtnl *rtnl, const struct rtnl_link *parent,
                  uint8_t vrid, bool is_ipv6, struct err *err);
/* Takes it away as mac_link_remove() does; is_kept: lets go of it alone. */
void mac_link_close(struct mac_link *mac, struct rtnl *rtnl, bool is_kept);
/* Takes away an interface of a vip's, and with the last one above the interface below what that was
 * changed to. 0; 1: it is not there; -1 with err. */
int mac_link_remove(struct rtnl *rtnl, uint32_t index, struct err *err);
/* "vip4-2-51" */
void mac_link_name(char ret_name[RTNL_NAME_BYTES], uint32_t parent, uint8_t vrid, bool is_ipv6);
/* Is it an interface of a vip's? */
bool mac_link_is_ours(const struct rtnl_link *link);

#endif
