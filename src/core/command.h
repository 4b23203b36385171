/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_COMMAND_H
#define CORE_COMMAND_H

/*
 * A command of the program: `weir NAME ...`. main.c holds the table; cli/cli.c finds the row,
 * prints the help from the rows, and knows no command by name. A row of src/cli is an ordinary
 * client; what needs a neighbour of cli (run: the supervisor) comes to it as a function in the
 * environment.
 */

#include "base/slice.h"
#include "core/module.h"
#include <stdbool.h>
#include <stddef.h>

/* Beside EXIT_SUCCESS and EXIT_FAILURE. DAMAGED: all went well, and what was looked at is not. */
enum { EXIT_USAGE = 2, EXIT_DAMAGED = 3 };

/* How `weir run` and `weir check` read a configuration. */
struct command_conf {
    const char *path;      /* FILE */
    const char *node;      /* --node, or NULL */
    const char *state_dir; /* --state or WEIR_STATE, absolute, or NULL */
    const char *candidate; /* the descriptor that an upgrade gives its candidate, or NULL */
    const char *resume;    /* that of the resumed supervisor, or NULL */
};

struct command_env {
    const struct module_table *table;
    const struct command *const *commands; /* ends with NULL */
    /* The supervisor: serves until it is stopped; returns the exit status. */
    int (*supervise)(const struct module_table *table, const struct command_conf *conf);
};

struct command {
    const char *name;  /* "check" */
    const char *usage; /* "check FILE [--node NAME] [--full]" */
    const char *doc;   /* one line */
    /* argv[0] is the command's name. Returns the exit status. */
    int (*run)(const struct command_env *env, int argc, char **argv);
};

#endif
