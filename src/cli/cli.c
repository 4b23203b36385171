/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From the command line to a command.
 */

#include "cli/cli.h"
#include "base/mem.h"
#include "base/slice.h"
#include "cli/usage.h"
#include "config.h"
#include "core/build.h"
#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TYPO_MAX = 2, USAGE_WIDTH = 44 };

static const struct command *find(const struct command_env *env, const char *name)
{
    for (const struct command *const *command = env->commands; *command; command++) {
        if (strcmp((*command)->name, name) == 0)
            return *command;
    }
    return NULL;
}

static void print_usage(const struct command_env *env, FILE *out)
{
    fputs("usage: weir COMMAND ...\n\n", out);
    for (const struct command *const *command = env->commands; *command; command++) {
        bool is_long = strlen((*command)->usage) > USAGE_WIDTH;
        fprintf(out, "  weir %-*s%s%*s%s\n", USAGE_WIDTH, (*command)->usage, is_long ? "\n" : "",
                is_long ? USAGE_WIDTH + 8 : 1, "", (*command)->doc);
    }
}

/* The command whose name is a slip away, or NULL. */
static const char *nearest(const struct command_env *env, const char *name)
{
    const char *best = NULL;
    unsigned best_distance = TYPO_MAX + 1;
    for (const struct command *const *command = env->commands; *command; command++) {
        unsigned distance = slice_distance(slice_from(name), slice_from((*command)->name));
        if (distance < best_distance) {
            best = (*command)->name;
            best_distance = distance;
        }
    }
    return best;
}

static int unknown(const struct command_env *env, const char *name)
{
    const char *meant = nearest(env, name);
    fprintf(stderr, "weir: there is no command \"%s\"", name);
    if (meant)
        fprintf(stderr, "; did you mean \"%s\"?\n", meant);
    else
        fputs("; `weir help` lists them\n", stderr);
    return EXIT_USAGE;
}

int cli_main(const struct command_env *env, int argc, char **argv)
{
    if (argc < 2) {
        print_usage(env, stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    const struct command *command = find(env, name);
    return command ? command->run(env, argc - 1, argv + 1) : unknown(env, name);
}

static int run_help(const struct command_env *env, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    print_usage(env, stdout);
    return EXIT_SUCCESS;
}

static int run_version(const struct command_env *env, int argc, char **argv)
{
    (void)env;
    (void)argc;
    (void)argv;
    printf("weir %s build %s%s\n", WEIR_VERSION, build_id(),
           sandbox_has_filter() ? "" : " (sanitized)");
    return EXIT_SUCCESS;
}

const struct command command_help = {
    .name = "help",
    .usage = "help",
    .doc = "lists the commands",
    .run = run_help,
};

const struct command command_version = {
    .name = "version",
    .usage = "version",
    .doc = "says which weir this is",
    .run = run_version,
};

/* --- arguments -------------------------------------------------------------------------------- */

int cli_wrong(const struct command_env *env, const char *command_name, const char *what,
              const char *which)
{
    const struct command *command = find(env, command_name);
    fprintf(stderr, "weir %s: %s%s\n", command_name, what, which);
    if (command)
        fprintf(stderr, "usage: weir %s\n", command->usage);
    return EXIT_USAGE;
}

/* Matches "--name" or "--name=VALUE"; *ret_value is the part behind '=', or NULL. */
static const struct cli_option *match(const struct cli_option *options, const char *argument,
                                      const char **ret_value)
{
    for (; options->name; options++) {
        size_t len = strlen(options->name);
        if (strncmp(argument, options->name, len) != 0 ||
            (argument[len] != 0 && argument[len] != '='))
            continue;
        *ret_value = argument[len] == '=' ? argument + len + 1 : NULL;
        return options;
    }
    return NULL;
}

int cli_missing(const struct command_env *env, const char *command_name, int n)
{
    const struct command *command = find(env, command_name);
    struct slice form = command ? usage_argument(command->usage, n) : SLICE("");
    char what[64];
    if (form.len == 0 || form.len >= sizeof(what) - sizeof(" is missing"))
        return cli_wrong(env, command_name, "something is missing", "");
    snprintf(what, sizeof(what), "%.*s is missing", SLICE_ARG(form));
    return cli_wrong(env, command_name, what, "");
}

int cli_arguments_some(const struct command_env *env, int argc, char **argv,
                       const struct cli_option *options, const char **ret_values, int n_min,
                       int n_max, int *ret_n)
{
    int n = 0;
    bool has_options = true;
    const struct command *command = find(env, argv[0]);
    for (size_t i = 0; command && options[i].name; i++)
        assert(options[i].is_hidden || usage_has_option(command->usage, options[i].name));
    for (int i = 1; i < argc; i++) {
        const char *value = NULL;
        if (has_options && strcmp(argv[i], "--") == 0) {
            has_options = false;
            continue;
        }
        if (!has_options || argv[i][0] != '-') {
            if (n == n_max)
                return cli_wrong(env, argv[0], "one too many: ", argv[i]);
            ret_values[n++] = argv[i];
            continue;
        }
        const struct cli_option *option = match(options, argv[i], &value);
        if (!option)
            return cli_wrong(env, argv[0], "there is no option ", argv[i]);
        if (!option->text && value)
            return cli_wrong(env, argv[0], "this option takes no value: ", argv[i]);
        if (!option->text) {
            *option->flag = true;
            continue;
        }
        if (!value && i + 1 == argc)
            return cli_wrong(env, argv[0], "this option wants a value: ", argv[i]);
        *option->text = value ? value : argv[++i];
    }
    *ret_n = n;
    return n >= n_min ? 0 : cli_missing(env, argv[0], n);
}

int cli_arguments(const struct command_env *env, int argc, char **argv,
                  const struct cli_option *options, const char **ret_values, int n_values)
{
    int n;
    return cli_arguments_some(env, argc, argv, options, ret_values, n_values, n_values, &n);
}

char *cli_state_dir(const char *option)
{
    const char *path = option ? option : getenv("WEIR_STATE");
    char here[PATH_MAX], absolute[2 * PATH_MAX];
    if (!path || !path[0])
        return NULL;
    if (path[0] == '/' || !getcwd(here, sizeof(here)))
        return mem_strdup(path);
    snprintf(absolute, sizeof(absolute), "%s/%s", here, path);
    return mem_strdup(absolute);
}
