/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIP_SOURCE_H
#define VIP_SOURCE_H

/*
 * The addresses that an interface has for itself, told from those that float: VRRP speaks from the
 * former, and a vip puts and removes the latter alone.
 *
 * What a vip puts is marked (VIP_ADDRESS_PROTOCOL). Kernels before Linux 5.18 keep no marks; there
 * it is known by its short life and by being an address of a vip in the file.
 */

#include "net/rtnl.h"
#include "vip/conf.h"
#include <stdbool.h>

enum { VIP_ADDRESS_PROTOCOL = 87 /* IFA_PROTO of what a vip puts */ };

/* May the address be one that a vip of this file put there? */
typedef bool source_floating_fn(void *ctx, const struct vrrp_ip *ip);

/* Did a vip put it there? */
bool source_is_ours(const struct rtnl_address *address, source_floating_fn *is_floating, void *ctx);

/*
 * What VRRP speaks from on the interface, one a family: its first IPv4 address, its link-local IPv6
 * address; n_bytes 0 where it has none of its own yet. 0, or -1 with err.
 */
int source_find(struct rtnl *rtnl, uint32_t index, source_floating_fn *is_floating, void *ctx,
                struct vrrp_ip ret_sources[VIP_FAMILIES], struct err *err);

#endif
