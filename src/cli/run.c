/* SPDX-License-Identifier: Apache-2.0 */

/*
 * weir run FILE: becomes the supervisor.
 */

#include "base/mem.h"
#include "cli/cli.h"

static int run_run(const struct command_env *env, int argc, char **argv)
{
    const char *file = NULL, *node = NULL, *state = NULL;
    const struct cli_option options[] = {
        {.name = "--node", .text = &node},
        {.name = "--state", .text = &state},
        {.name = NULL},
    };
    int result = cli_arguments(env, argc, argv, options, &file, 1);
    if (result != 0)
        return result;
    char *state_dir = cli_state_dir(state);
    const struct command_conf conf = {.path = file, .node = node, .state_dir = state_dir};
    result = env->supervise(env->table, &conf);
    mem_free(state_dir);
    return result;
}

const struct command command_run = {
    .name = "run",
    .usage = "run FILE [--node NAME] [--state DIR]",
    .doc = "serves in the foreground; logs to standard error",
    .run = run_run,
};
