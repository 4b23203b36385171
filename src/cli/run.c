/* SPDX-License-Identifier: Apache-2.0 */

/*
 * weir run FILE: becomes the supervisor.
 */

#include "base/mem.h"
#include "cli/cli.h"
#include <string.h>

/* ps shows how weir was started, whatever became of it since. */
static void hide(int argc, char **argv, const char *option)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], option) != 0)
            continue;
        memset(argv[i], 0, strlen(argv[i]));
        memset(argv[i + 1], 0, strlen(argv[i + 1]));
    }
}

static int run_run(const struct command_env *env, int argc, char **argv)
{
    const char *file = NULL, *node = NULL, *state = NULL, *candidate = NULL, *resume = NULL;
    /* The last two are one weir's to another, in an upgrade; no person gives them. */
    const struct cli_option options[] = {
        {.name = "--node", .text = &node},
        {.name = "--state", .text = &state},
        {.name = "--candidate", .text = &candidate, .is_hidden = true},
        {.name = "--resume", .text = &resume, .is_hidden = true},
        {.name = NULL},
    };
    int result = cli_arguments(env, argc, argv, options, &file, 1);
    if (result != 0)
        return result;
    char *state_dir = cli_state_dir(state);
    struct command_conf conf = {
        .path = file, .node = node, .state_dir = state_dir, .candidate = candidate};
    char *resume_fd = resume ? mem_strdup(resume) : NULL;
    conf.resume = resume_fd;
    hide(argc, argv, "--resume");
    result = env->supervise(env->table, &conf);
    mem_free(resume_fd);
    mem_free(state_dir);
    return result;
}

const struct command command_run = {
    .name = "run",
    .usage = "run FILE [--node NAME] [--state DIR]",
    .doc = "serves in the foreground; logs to standard error",
    .run = run_run,
};
