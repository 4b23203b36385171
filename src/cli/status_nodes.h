/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_STATUS_NODES_H
#define CLI_STATUS_NODES_H

/*
 * The part of `weir status` about what several nodes share: a row for each group of each floating
 * address on this node, and a row for each other node, with what it says of its own. Taken from
 * what the processes vip and peer answered and from the facts of /v1/status; the answer is the
 * caller's.
 */

#include "base/text.h"
#include "cli/table.h"
#include <jansson.h>

/* Appends both tables, each behind an empty line; nothing where there are none. */
void status_nodes_tell(const json_t *status, const struct table_style *style, struct text *out);

#endif
