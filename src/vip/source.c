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

/* The first address of a network is a better one than those that came later. */
static void choose_ipv4(struct sources *sources, const struct rtnl_address *address)
{
    struct vrrp_ip *best = &sources->best[VIP_IPV4];
    if (best->n_bytes > 0 && (!sources->is_best_secondary || address->is_secondary))
        return;
    *best = address->ip;
    sources->is_best_secondary = address->is_secondary;
}

void sources_add(struct sources *sources, const struct rtnl_address *address)
{
    if (address->is_tentative)
        return;
    if (address->ip.n_bytes == 4)
        choose_ipv4(sources, address);
    else if (address->is_link_local && sources->best[VIP_IPV6].n_bytes == 0)
        sources->best[VIP_IPV6] = address->ip;
    if (sources->n < SOURCES_MAX)
        sources->items[sources->n++] = address->ip;
}

/* Leaves out what floats. */
struct finding {
    source_floating_fn *is_floating;
    void *ctx;
    struct sources *sources;
};

static void look_at(void *ctx, const struct rtnl_address *address)
{
    const struct finding *finding = ctx;
    if (!source_is_ours(address, finding->is_floating, finding->ctx))
        sources_add(finding->sources, address);
}

int sources_find(struct rtnl *rtnl, uint32_t index, source_floating_fn *is_floating, void *ctx,
                 struct sources *ret_sources, struct err *err)
{
    struct sources sources = {.n = 0};
    struct finding finding = {.is_floating = is_floating, .ctx = ctx, .sources = &sources};
    if (rtnl_addr_each(rtnl, index, look_at, &finding, err) < 0)
        return -1;
    *ret_sources = sources;
    return 0;
}

struct vrrp_ip sources_choose(const struct sources *sources, size_t family,
                              const struct vrrp_ip *wanted)
{
    for (uint32_t i = 0; i < sources->n && wanted->n_bytes > 0; i++)
        if (sources->items[i].n_bytes == wanted->n_bytes &&
            vrrp_ip_compare(&sources->items[i], wanted) == 0)
            return *wanted;
    return sources->best[family];
}
