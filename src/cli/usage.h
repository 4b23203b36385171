/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_USAGE_H
#define CLI_USAGE_H

/*
 * The usage of a command, taken apart: what may stand behind its name. The sentence in the row
 * (core/command.h) is the one list of options and words that there is; the help prints it, the
 * reading of arguments asserts that it names every option that is read, and completions are made of
 * it.
 *
 *     drain MEMBER [timeout TIME] [--no-wait] [--state DIR]
 *           |       |       |       |           |       |
 *           value   word    value   option      option with the value DIR
 *
 * `|` separates choices, brackets, quotes and dots are left out. Values are in capitals.
 */

#include "base/slice.h"
#include <stdbool.h>

enum usage_kind { USAGE_WORD, USAGE_VALUE, USAGE_OPTION };

struct usage_item {
    enum usage_kind kind;
    struct slice text;  /* "timeout", "MEMBER", "--state"; lies in the usage */
    struct slice value; /* of an option: "DIR"; empty: it takes none */
};

/* The next item; *rest begins as the usage. False at the end. */
bool usage_next(struct slice *rest, struct usage_item *ret_item);
/* The n-th argument as it stands there, from 0: "MEMBER", "TIME|off". Empty: there is none, or it
 * is a sentence in quotes. */
struct slice usage_argument(const char *usage, int n);
/* Does the usage name the option? */
bool usage_has_option(const char *usage, const char *option);

#endif
