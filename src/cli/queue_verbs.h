/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_QUEUE_VERBS_H
#define CLI_QUEUE_VERBS_H

/*
 * What `weir queue` can do, by the word behind it. Each takes the arguments of the whole command,
 * argv[0] being "queue", and returns the exit status.
 */

#include "core/command.h"

/* export, import: speak with the queue that runs here. */
int queue_export(const struct command_env *env, int argc, char **argv);
int queue_import(const struct command_env *env, int argc, char **argv);
/* repair: works on the files of one that does not run. */
int queue_repair(const struct command_env *env, int argc, char **argv);

#endif
