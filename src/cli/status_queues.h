/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_STATUS_QUEUES_H
#define CLI_STATUS_QUEUES_H

/*
 * The part of `weir status` about the queue: a line that says how many jobs there are and whether
 * an accepted one survives the loss of power, and a row for each queue. Taken from what the process
 * queue answered in /v1/status; the answer is the caller's.
 */

#include "base/text.h"
#include "cli/table.h"
#include <jansson.h>

/* Appends it behind an empty line; nothing where there is no queue. */
void status_queues_tell(const json_t *status, const struct table_style *style, struct text *out);

#endif
