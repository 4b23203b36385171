/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

/*
 * The commands of the program. main.c lists them in a table (core/command.h); cli_main() finds the
 * one that was asked for, tells an unknown one from a mistyped one, and prints the help from the
 * rows.
 *
 * Exit status: 0 done, 1 failed, 2 called wrongly, 3 damage was found (weir queue repair).
 */

#include "core/command.h"
#include <stdbool.h>

int cli_main(const struct command_env *env, int argc, char **argv);

extern const struct command command_run;
extern const struct command command_check;
extern const struct command command_manual;
extern const struct command command_help;
extern const struct command command_version;

/* --- arguments -------------------------------------------------------------------------------- */

/* What a command takes beside its positional values: `--name VALUE`, `--name=VALUE`, or a flag. */
struct cli_option {
    const char *name;  /* "--node"; NULL ends the list */
    const char **text; /* where its value goes; NULL: a flag */
    bool *flag;
    bool is_hidden; /* one weir's to another: in no usage */
};

/*
 * Sorts the arguments: options may stand anywhere, `--` ends them. Exactly n_values positional
 * values go to ret_values. Returns 0, or EXIT_USAGE after it has told standard error what is wrong
 * and the command's usage.
 */
int cli_arguments(const struct command_env *env, int argc, char **argv,
                  const struct cli_option *options, const char **ret_values, int n_values);

/* The same for n_min to n_max positional values; *ret_n is how many there are. */
int cli_arguments_some(const struct command_env *env, int argc, char **argv,
                       const struct cli_option *options, const char **ret_values, int n_min,
                       int n_max, int *ret_n);

/* What a command may say itself: standard error is told what is wrong and the command's usage. */
int cli_wrong(const struct command_env *env, const char *command_name, const char *what,
              const char *which);

/* The n-th argument, from 0, is missing: it is called as the usage has it. */
int cli_missing(const struct command_env *env, const char *command_name, int n);

/* --state or WEIR_STATE, absolute, for mem_free(); NULL where neither is given. */
char *cli_state_dir(const char *option);

#endif
