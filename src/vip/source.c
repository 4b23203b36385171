/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which of an interface's addresses float, and which of the others is the source.
 */

#include "vip/source.h"

bool source_is_ours(const struct rtnl_address *address, source_floating_fn *is_floating, void *ctx)
{
    if (address->protocol)
        return address->protocol == VIP_ADDRESS_PROTOCOL;
    return address->valid_s != RTNL_FOREVER && is_floating(ctx, &address->ip);
}

/* The best of each family that was seen. */
struct choosing {
    source_floating_fn *is_floating;
    void *ctx;
    struct rtnl_address best[VIP_FAMILIES]; /* ip.n_bytes 0: none yet */
};

static bool may_be_source(const struct choosing *choosing, const struct rtnl_address *address)
{
    if (source_is_ours(address, choosing->is_floating, choosing->ctx) || address->is_tentative)
        return false;
    return address->ip.n_bytes == 4 || address->is_link_local;
}

/* The first address of a network is a better one than those that came later. */
static void choose(void *ctx, const struct rtnl_address *address)
{
    struct choosing *choosing = ctx;
    struct rtnl_address *best = &choosing->best[address->ip.n_bytes == 16 ? VIP_IPV6 : VIP_IPV4];
    if (!may_be_source(choosing, address))
        return;
    if (best->ip.n_bytes == 0 || (best->is_secondary && !address->is_secondary))
        *best = *address;
}

int source_find(struct rtnl *rtnl, uint32_t index, source_floating_fn *is_floating, void *ctx,
                struct vrrp_ip ret_sources[VIP_FAMILIES], struct err *err)
{
    struct choosing choosing = {.is_floating = is_floating, .ctx = ctx};
    if (rtnl_addr_each(rtnl, index, choose, &choosing, err) < 0)
        return -1;
    for (size_t f = 0; f < VIP_FAMILIES; f++)
        ret_sources[f] = choosing.best[f].ip;
    return 0;
}
