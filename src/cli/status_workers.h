/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_STATUS_WORKERS_H
#define CLI_STATUS_WORKERS_H

/*
 * The part of `weir status` about the workers of the file: a row each, with the jobs that are under
 * way, what became of those before, and what is wrong. Taken from what the process worker answered
 * in /v1/status; the answer is the caller's.
 */

#include "base/text.h"
#include "cli/table.h"
#include <jansson.h>

/* Appends it behind an empty line; nothing where there is no worker. */
void status_workers_tell(const json_t *status, const struct table_style *style, struct text *out);

#endif
