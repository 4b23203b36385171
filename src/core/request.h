/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_REQUEST_H
#define CORE_REQUEST_H

/*
 * What a process may ask of the supervisor, over its control socket. Only admin is heard; any other
 * is told so in the answer.
 *
 *     reload   reads the files again, in two phases over all processes. The answer is_ok when
 *              the new configuration is in force ("generation 7"); otherwise nothing has changed,
 *              and the text holds what `weir check` would have printed, or which process refused
 *              and why
 *     upgrade [PATH]
 *              another binary takes over (super/upgrade.h). is_ok when its processes serve
 *     stop     drains and stops everything. is_ok as soon as it has begun
 *     stop now without draining
 *
 * A request has no limit of its own: a reload ends by the supervisor's. When the supervisor dies,
 * so does the process that waits.
 */

#include "base/slice.h"
#include "core/process.h"
#include <stdbool.h>

enum { REQUEST_PENDING_MAX = 64 };

typedef void request_fn(void *ctx, bool is_ok, struct slice text);

/* fn is always called, once, from loop 0, never from within this call. `text` lives until it
 * returns. */
void supervisor_request(struct process *process, const char *verb, request_fn *fn, void *ctx);

/* Forgets the requests of this ctx: their callbacks do not come any more. */
void supervisor_request_forget(struct process *process, const void *ctx);

#endif
