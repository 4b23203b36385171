/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_NODE_H
#define CORE_NODE_H

/*
 * Which node of the file this machine is: the one that --node names, otherwise the one that has an
 * address of this host. Only the supervisor and `weir check` look at the host; every other process
 * is told its node's name.
 *
 * A node has an address of its own, and further ones in other nets: node_addr() counts through all
 * of them, its own first.
 */

#include "base/addr.h"
#include "base/err.h"
#include "conf/schema.h"
#include "core/module.h"
#include "core/settings.h"
#include <stdbool.h>

static inline size_t node_n_addrs(const struct node_conf *node)
{
    return 1 + node->addrs.n_items;
}

static inline const struct conf_addr *node_addr(const struct node_conf *node, size_t nth)
{
    return nth == 0 ? &node->addr : node->addrs.items[nth - 1];
}

/* The first address of the node in the net; NULL: it has none there. */
const struct conf_addr *node_addr_in(const struct node_conf *node, const struct addr_net *net);
/* The node of that name; NULL where the file has none. */
const struct node_conf *node_find(const struct snapshot *snap, struct slice name);

/* Is it one of its addresses, whatever the port? */
bool node_has_addr(const struct node_conf *node, const struct addr *addr);

/* The node that has the address for itself, whatever the port; NULL: none has, or it floats. */
const struct node_conf *node_of_addr(const struct snapshot *snap, const struct addr *addr);

/* Has an interface of this host the address (its port is not looked at)? Wildcards and unix:
 * true. */
bool node_host_has(const struct addr *addr);

/*
 * The name of this node, "" where the file has no nodes; options->node and is_every_node as in
 * struct snapshot_options. Returns 0, or -1 after it has told load->diag.
 */
int node_choose(const struct snapshot *snap, const struct snapshot_options *options,
                struct conf_load *load, const char **ret_name);

#endif
