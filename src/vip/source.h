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

enum {
    VIP_ADDRESS_PROTOCOL = 87, /* IFA_PROTO of what a vip puts */
    SOURCES_MAX = 64,          /* own addresses of an interface that are looked at */
};

/* May the address be one that a vip of this file put there? */
typedef bool source_floating_fn(void *ctx, const struct vrrp_ip *ip);

/* Did a vip put it there? */
bool source_is_ours(const struct rtnl_address *address, source_floating_fn *is_floating, void *ctx);

/* What an interface has of its own. */
struct sources {
    struct vrrp_ip best[VIP_FAMILIES]; /* n_bytes 0: none yet */
    bool is_best_secondary;            /* of IPv4 */
    struct vrrp_ip items[SOURCES_MAX];
    uint32_t n;
};

/* Notes an address of the interface that did not float; those that are not of use yet are left out.
 * More than SOURCES_MAX cannot be asked for. */
void sources_add(struct sources *sources, const struct rtnl_address *address);

/* All of an interface's own addresses. 0, or -1 with err. */
int sources_find(struct rtnl *rtnl, uint32_t index, source_floating_fn *is_floating, void *ctx,
                 struct sources *ret_sources, struct err *err);

/*
 * What VRRP speaks from there: `wanted` where the interface has it, otherwise its first IPv4
 * address, or its link-local IPv6 address (RFC 9568 sections 5.1.1.1 and 5.1.2.1); n_bytes 0 where
 * it has none of its own yet. wanted->n_bytes may be 0.
 */
struct vrrp_ip sources_choose(const struct sources *sources, size_t family,
                              const struct vrrp_ip *wanted);

#endif
