/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIP_HOOK_RUNNER_H
#define VIP_HOOK_RUNNER_H

/*
 * One vip's hooks (vip/hook.h) at work, in loop 0 of its process: which state was told, what runs,
 * when it is repeated, and what has become of it:
 *
 *     hook:NAME    unknown: it runs for the first time in this state; up: it ended well; failed
 *                  reason: "active: exit status 3: no such instance"
 *                  value: failures in a row
 *
 *     hook_runner_become() -- another state --> what runs is cancelled
 *                |
 *                v      has the state a program?
 *             started -> ended well -> every ----+
 *                ^  \--> failed -----> back-off -+
 *                +-------------------------------+
 *
 * A reload that changes the program of the state starts the new one a second later, for worker may
 * go over to the new file a little later than this process.
 */

#include "core/metric.h"
#include "core/process.h"
#include "vip/hook.h"

enum hook_word { HOOK_RUNS, HOOK_FAILED, HOOK_LATE, HOOK_CANCELLED, HOOK_WORDS };

extern const struct metric_table hook_metrics; /* table "hook", label vip */
#define HOOK_FACT "hook"
#define HOOK_FACT_DOC                                                                              \
    "the programs that are told of a vip's state: unknown until the first has ended, up, failed; " \
    "the value counts failures in a row"

struct hook_runner;

/* `vip` is its name; it is copied. Nothing runs before hook_runner_become(). */
struct hook_runner *hook_runner_create(struct process *process, const char *vip);
/* Cancels what runs, and takes the fact away where the vip is gone for good. */
void hook_runner_destroy(struct hook_runner **runner, bool is_for_good);
/* The hooks of the snapshot in force, a list of struct hook_conf; they are copied. */
void hook_runner_configure(struct hook_runner *runner, const struct conf_list *hooks);
/* The vip is in that state from now on, for that reason, or has been; then nothing. */
void hook_runner_become(struct hook_runner *runner, enum hook_state state, const char *reason);

#endif
