/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_EXPLAIN_VIP_H
#define CLI_EXPLAIN_VIP_H

/*
 * What `weir explain vip` was answered (vip/explain.h), for a person: a line of where each address
 * is and why, a table of what it needs here, a table of the other nodes, and what would become of
 * it. cli/explain.c calls it; the answer is the caller's.
 */

#include "base/text.h"
#include "cli/table.h"
#include <jansson.h>

void explain_vip_tell(const json_t *answer, const struct table_style *style, struct text *out);

#endif
