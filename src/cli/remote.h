/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

/*
 * The commands that talk to a running weir: rows for the table of commands, and the options that
 * they have in common. Each finds its weir by the state directory (cli/ask.h).
 */

#include "base/err.h"
#include "base/text.h"
#include "cli/table.h"
#include "core/command.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern const struct command command_status;
extern const struct command command_facts;
extern const struct command command_reload;
extern const struct command command_stop;
extern const struct command command_upgrade;
extern const struct command command_drain;
extern const struct command command_undrain;
extern const struct command command_force;
extern const struct command command_weight;
extern const struct command command_member;
extern const struct command command_runtime;
extern const struct command command_explain;
extern const struct command command_top;
extern const struct command command_completion;

enum { REMOTE_VALUES_MAX = 64 };

/* The tables of weir status, from what /v1/status answered (status.c). */
void status_print(const json_t *status, const struct table_style *style, struct text *out);

struct remote_options {
    char *state_dir;                       /* never NULL; remote_options_deinit() frees it */
    bool is_json;                          /* --json */
    bool is_now;                           /* --now */
    bool is_no_wait;                       /* --no-wait */
    const char *values[REMOTE_VALUES_MAX]; /* positional; borrowed from argv */
    int n_values;
};

/* Which of the options beside --state DIR a command knows. */
enum { REMOTE_JSON = 1 << 0, REMOTE_NOW = 1 << 1, REMOTE_NO_WAIT = 1 << 2 };

/* 0, or EXIT_USAGE after it has said what is wrong on standard error. */
int remote_options(const struct command_env *env, int argc, char **argv, unsigned known,
                   struct remote_options *ret_options);
/* The same with n_min to n_max positional values, at most REMOTE_VALUES_MAX. */
int remote_arguments(const struct command_env *env, int argc, char **argv, unsigned known,
                     int n_min, int n_max, struct remote_options *ret_options);
void remote_options_deinit(struct remote_options *options);

/*
 * What was answered to a command (ask_json()): the text and a warning, or the diagnostics and the
 * sentence in err.
 */
void remote_print_answer(const char *command, int result, const json_t *answer,
                         const struct err *err);
/* Appends the document as it is, indented. */
void remote_dump(const json_t *document, struct text *out);

/* --- members of a JSON answer, with a fallback for what is not there --- */

const char *remote_text(const json_t *object, const char *key);
double remote_number(const json_t *object, const char *key);
uint64_t remote_count(const json_t *object, const char *key);
/* A cell with that number, which looks so where it is not 0. */
void remote_cell_count(struct table *table, const json_t *object, const char *key,
                       enum table_look look);

/* What the process of that name told of its module in /v1/status; NULL: nothing. */
const json_t *remote_module(const json_t *status, const char *module);

/* "3 s", "12 m", "4 h", "6 d" for a number of seconds. */
const char *remote_age(double seconds, char buf[24]);
/*
 * The same for the time from `since` to `now`, RFC 3339 as weir writes it; "" where one is missing.
 */
const char *remote_since(const char *since, const char *now, char buf[24]);

#endif
