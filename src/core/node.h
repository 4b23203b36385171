/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_NODE_H
#define CORE_NODE_H

/*
 * Which node of the file this machine is: the one that --node names, otherwise the one whose
 * address this host has. Only the supervisor and `weir check` look at the host; every other process
 * is told its node's name.
 */

#include "base/addr.h"
#include "base/err.h"
#include "conf/schema.h"
#include "core/module.h"
#include <stdbool.h>

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
