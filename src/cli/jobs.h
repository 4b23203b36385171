/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_JOBS_H
#define CLI_JOBS_H

/*
 * The queue from a shell: rows for the table of commands. Each speaks the job protocol with the
 * queue of the weir that runs here, but for `weir queue repair`, which reads the files of one that
 * does not.
 */

#include "core/command.h"
#include <stdbool.h>

extern const struct command command_put;
extern const struct command command_jobs;
extern const struct command command_kick;
extern const struct command command_bury;
extern const struct command command_delete;
extern const struct command command_pause;
extern const struct command command_queue;

/*
 * `weir drain queue:NAME [timeout TIME] [--no-wait]` and `weir undrain queue:NAME`, which have the
 * words of all other drains. Is it one of a queue? And if so, does it.
 */
bool queue_drain_is(int argc, char **argv);
int queue_drain(const struct command_env *env, int argc, char **argv);
int queue_undrain(const struct command_env *env, int argc, char **argv);

#endif
