/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_EXPLAIN_QUEUE_H
#define CLI_EXPLAIN_QUEUE_H

/*
 * What `weir explain queue` was answered (queue/explain.h), for a person: of one queue what a put
 * and a worker would meet, and its values with their places; of all of them a row each, and the
 * listeners. cli/explain.c calls it; the answer is the caller's.
 */

#include "base/text.h"
#include "cli/table.h"
#include <jansson.h>

void explain_queue_tell(const json_t *answer, const struct table_style *style, struct text *out);

#endif
