/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir drain, undrain, force, weight: what the operator wants of a member, or of a floating address
 * or this node, which drain. weir answers with what will happen next; a drain is waited for, one
 * line of progress that a terminal writes over.
 */
#include "base/mem.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/jobs.h"
#include "cli/remote.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOK_MS = 250,
    SILENCE_MS = 30000, /* admin may be started again meanwhile */
    LINE_MAX_BYTES = 200,
};

/* ---- one command ---- */

/* Prints the answer's text and warning, or why not. Returns the exit status; *ret_label (may be
 * NULL) is what it was about, "member:web/app1", for mem_free(). */
static int order(const struct command *command, const struct remote_options *options,
                 const char *target, json_t *take_request, char **ret_label)
{
    struct err err = ERR_NONE;
    json_t *answer = NULL;
    if (!take_request) {
        fprintf(stderr, "weir %s: what is asked for is not UTF-8\n", command->name);
        return EXIT_FAILURE;
    }
    int result = ask_json_with(options->state_dir, "POST", target, take_request, ASK_STATUS_MS,
                               &answer, &err);
    remote_print_answer(command->name, result, answer, &err);
    if (result == 0 && ret_label)
        *ret_label = mem_strdup(remote_text(answer, "target"));
    json_decref(answer);
    json_decref(take_request);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- waiting for a drain ---- */

struct waiting {
    const struct remote_options *options;
    const char *label;
    bool is_terminal;
    char line[LINE_MAX_BYTES]; /* as it stands there */
    int silent_ms;
};

/* On a terminal one line that changes; elsewhere a line for each change. */
static void show_line(struct waiting *waiting, const char *text)
{
    char line[LINE_MAX_BYTES];
    snprintf(line, sizeof(line), "%s drains: %s", waiting->label, text);
    if (strcmp(line, waiting->line) == 0)
        return;
    memcpy(waiting->line, line, sizeof(line));
    printf(waiting->is_terminal ? "\r\033[K%s" : "%s\n", line);
    fflush(stdout);
}

static void leave_line(const struct waiting *waiting)
{
    if (waiting->is_terminal && waiting->line[0])
        printf("\n");
    fflush(stdout);
}

/* Its row among the drains, or NULL. */
static const json_t *row_of(const json_t *drains, const char *label)
{
    const json_t *row;
    size_t i;
    json_array_foreach(drains, i, row)
    {
        if (strcmp(remote_text(row, "target"), label) == 0)
            return row;
    }
    return NULL;
}

/* An exit status, or -1: it goes on. */
static int look_at(struct waiting *waiting, const json_t *answer)
{
    const json_t *row = row_of(json_object_get(answer, "drains"), waiting->label);
    if (!row) {
        leave_line(waiting);
        fprintf(stderr, "weir drain: %s drains no more: somebody has taken it back\n",
                waiting->label);
        return EXIT_FAILURE;
    }
    if (strcmp(remote_text(row, "state"), "drained") != 0) {
        show_line(waiting, remote_text(row, "text"));
        return -1;
    }
    leave_line(waiting);
    printf("%s is drained: %s\n", waiting->label, remote_text(row, "text"));
    return EXIT_SUCCESS;
}

static int look(struct waiting *waiting)
{
    struct err err = ERR_NONE;
    json_t *answer = NULL;
    int status = -1;
    if (ask_json(waiting->options->state_dir, "GET", "/v1/drain", ASK_STATUS_MS, &answer, &err) ==
        0) {
        waiting->silent_ms = 0;
        status = look_at(waiting, answer);
    } else if ((waiting->silent_ms += LOOK_MS) >= SILENCE_MS) {
        leave_line(waiting);
        fprintf(stderr, "weir drain: %s; the drain is kept and goes on when weir runs\n", err.text);
        status = EXIT_FAILURE;
    }
    json_decref(answer);
    return status;
}

static int wait_until_drained(const struct remote_options *options, const char *label)
{
    struct waiting waiting = {
        .options = options, .label = label, .is_terminal = isatty(STDOUT_FILENO) != 0};
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    sigset_t interrupts;
    sigemptyset(&interrupts);
    sigaddset(&interrupts, SIGINT);
    sigaddset(&interrupts, SIGTERM);
    sigprocmask(SIG_BLOCK, &interrupts, NULL);
    do {
        int status = look(&waiting);
        if (status >= 0)
            return status;
    } while (sigtimedwait(&interrupts, NULL, &pause) < 0);
    leave_line(&waiting);
    fprintf(stderr,
            "weir drain: not waited for any longer; %s goes on draining "
            "(`weir undrain %s` takes it back)\n",
            label, label);
    return EXIT_FAILURE;
}

/* ---- the commands ---- */

static int run_drain(const struct command_env *env, int argc, char **argv)
{
    if (queue_drain_is(argc, argv))
        return queue_drain(env, argc, argv);
    struct remote_options options;
    int result = remote_arguments(env, argc, argv, REMOTE_NO_WAIT, 1, 3, &options);
    if (result != 0)
        return result;
    if (options.n_values == 2 ||
        (options.n_values == 3 && strcmp(options.values[1], "timeout") != 0)) {
        remote_options_deinit(&options);
        return cli_wrong(env, argv[0], "behind the member comes timeout TIME, not ",
                         options.values[1]);
    }
    json_t *request = json_pack("{s:s}", "target", options.values[0]);
    if (options.n_values == 3)
        json_object_set_new(request, "timeout", json_string(options.values[2]));
    char *label = NULL;
    result = order(&command_drain, &options, "/v1/drain", request, &label);
    if (result == EXIT_SUCCESS && !options.is_no_wait)
        result = wait_until_drained(&options, label);
    mem_free(label);
    remote_options_deinit(&options);
    return result;
}

static int run_undrain(const struct command_env *env, int argc, char **argv)
{
    if (queue_drain_is(argc, argv))
        return queue_undrain(env, argc, argv);
    struct remote_options options;
    int result = remote_arguments(env, argc, argv, 0, 1, 1, &options);
    if (result != 0)
        return result;
    result = order(&command_undrain, &options, "/v1/undrain",
                   json_pack("{s:s}", "target", options.values[0]), NULL);
    remote_options_deinit(&options);
    return result;
}

static int run_force(const struct command_env *env, int argc, char **argv)
{
    struct remote_options options;
    int result = remote_arguments(env, argc, argv, 0, 2, 4, &options);
    if (result != 0)
        return result;
    if (options.n_values == 3 || (options.n_values == 4 && strcmp(options.values[2], "ttl") != 0)) {
        remote_options_deinit(&options);
        return cli_wrong(env, argv[0], "behind the state comes ttl TIME, not ", options.values[2]);
    }
    json_t *request =
        json_pack("{s:s, s:s}", "target", options.values[0], "state", options.values[1]);
    if (options.n_values == 4)
        json_object_set_new(request, "ttl", json_string(options.values[3]));
    result = order(&command_force, &options, "/v1/force", request, NULL);
    remote_options_deinit(&options);
    return result;
}

static int run_weight(const struct command_env *env, int argc, char **argv)
{
    struct remote_options options;
    int result = remote_arguments(env, argc, argv, 0, 2, 2, &options);
    if (result != 0)
        return result;
    json_t *request =
        json_pack("{s:s, s:s}", "target", options.values[0], "weight", options.values[1]);
    result = order(&command_weight, &options, "/v1/weight", request, NULL);
    remote_options_deinit(&options);
    return result;
}

const struct command command_drain = {
    .name = "drain",
    .usage = "drain TARGET [timeout TIME] [--no-wait] [--state DIR]",
    .doc = "gives a member no requests, a queue no jobs, addresses to other nodes, and waits",
    .run = run_drain,
};

const struct command command_undrain = {
    .name = "undrain",
    .usage = "undrain TARGET [--state DIR]",
    .doc = "takes back what drains",
    .run = run_undrain,
};

const struct command command_force = {
    .name = "force",
    .usage = "force MEMBER up|down|auto [ttl TIME] [--state DIR]",
    .doc = "has a member be up or down whatever its checks find",
    .run = run_force,
};

const struct command command_weight = {
    .name = "weight",
    .usage = "weight MEMBER NUMBER|default [--state DIR]",
    .doc = "gives a member another share of the requests",
    .run = run_weight,
};
