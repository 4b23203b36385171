/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir reload, weir upgrade, weir stop: what a running weir is told to do.
 */
#include "cli/ask.h"
#include "cli/remote.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STOP_LOOK_MS = 50 };

/*
 * Prints what was answered: the text, or the diagnostics and the sentence. Returns the exit status.
 */
static int tell(const struct command *command, const struct remote_options *options,
                const char *target, const json_t *request)
{
    struct err err = ERR_NONE;
    json_t *answer = NULL;
    int result = request
                     ? ask_json_with(options->state_dir, "POST", target, request, ASK_COMMAND_MS,
                                     &answer, &err)
                     : ask_json(options->state_dir, "POST", target, ASK_COMMAND_MS, &answer, &err);
    remote_print_answer(command->name, result, answer, &err);
    json_decref(answer);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_reload(const struct command_env *env, int argc, char **argv)
{
    struct remote_options options;
    int result = remote_options(env, argc, argv, 0, &options);
    if (result != 0)
        return result;
    result = tell(&command_reload, &options, "/v1/reload", NULL);
    remote_options_deinit(&options);
    return result;
}

/* The supervisor has a working folder of its own, so it gets a path from / on. Links stay links. */
static json_t *upgrade_request(const char *binary)
{
    char here[PATH_MAX], path[2 * PATH_MAX];
    if (binary[0] == '/' || !getcwd(here, sizeof(here)))
        snprintf(path, sizeof(path), "%s", binary);
    else
        snprintf(path, sizeof(path), "%s/%s", here, binary);
    return json_pack("{s:s}", "binary", path);
}

static int run_upgrade(const struct command_env *env, int argc, char **argv)
{
    struct remote_options options;
    json_t *request = NULL;
    int result = remote_arguments(env, argc, argv, 0, 0, 1, &options);
    if (result != 0)
        return result;
    if (options.n_values > 0 && !(request = upgrade_request(options.values[0]))) {
        fprintf(stderr, "weir upgrade: the path is not UTF-8\n");
        result = EXIT_FAILURE;
    } else {
        result = tell(&command_upgrade, &options, "/v1/upgrade", request);
    }
    json_decref(request);
    remote_options_deinit(&options);
    return result;
}

/* The supervisor ends last, within the file's stop-timeout; its socket goes with it. */
static int wait_until_gone(const char *state_dir)
{
    for (int waited_ms = 0; waited_ms < ASK_COMMAND_MS; waited_ms += STOP_LOOK_MS) {
        struct timespec pause = {.tv_nsec = STOP_LOOK_MS * 1000000L};
        if (!ask_is_alive(state_dir))
            return EXIT_SUCCESS;
        nanosleep(&pause, NULL);
    }
    fprintf(stderr, "weir stop: weir still runs after %d s; --now does not let it finish\n",
            ASK_COMMAND_MS / 1000);
    return EXIT_FAILURE;
}

static int run_stop(const struct command_env *env, int argc, char **argv)
{
    struct remote_options options;
    int result = remote_options(env, argc, argv, REMOTE_NOW | REMOTE_NO_WAIT, &options);
    if (result != 0)
        return result;
    result = tell(&command_stop, &options, options.is_now ? "/v1/stop?now" : "/v1/stop", NULL);
    if (result == EXIT_SUCCESS && !options.is_no_wait)
        result = wait_until_gone(options.state_dir);
    remote_options_deinit(&options);
    return result;
}

const struct command command_reload = {
    .name = "reload",
    .usage = "reload [--state DIR]",
    .doc = "has the running weir read its file again; one refusal and nothing has changed",
    .run = run_reload,
};

const struct command command_upgrade = {
    .name = "upgrade",
    .usage = "upgrade [BINARY] [--state DIR]",
    .doc =
        "has another binary take over without a client noticing; one refusal and nothing changes",
    .run = run_upgrade,
};

const struct command command_stop = {
    .name = "stop",
    .usage = "stop [--now] [--no-wait] [--state DIR]",
    .doc = "lets the running weir finish what it has, then ends it; --now does not let it finish",
    .run = run_stop,
};
