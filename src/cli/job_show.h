/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_JOB_SHOW_H
#define CLI_JOB_SHOW_H

/*
 * `weir jobs show ID [body|result]`: what is known of a job goes to standard error, the lines of
 * `show-job` (docs/formats/jobs-protocol.md) with times for people behind the numbers, and what
 * comes next for it; its body to standard output, as it is, so that it can be used.
 *
 *     ---
 *     id: 7
 *     tube: "mail"
 *     state: buried
 *     ...
 *     created: 1795795200   2026-11-27T16:00:00Z
 *     error: permanent
 *     text: "no such user"
 *     next: nothing, until `weir kick mail` or `weir delete 7`
 */

#include "cli/asking.h"

/* part: "body", "result", NULL: the body, or of a job that is done the result. 0 or the exit
 * status. */
int job_show(struct asking *asking, uint64_t id, const char *part);

#endif
