/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_BODY_H
#define ADMIN_BODY_H

/*
 * The body of a command: one JSON object with known members, and nothing else. What a handler wants
 * is a row; what is missing, of another type or not known is told in one sentence, which names the
 * member. Nothing here makes a system call.
 */

#include "base/err.h"
#include "base/slice.h"
#include <jansson.h>
#include <stdbool.h>

struct body_want {
    const char *key;  /* NULL ends the rows */
    const char *what; /* what would be right: "a member's name, as \"member:web/app1\"" */
    bool is_required;
    const char **text;  /* where a string goes; NULL: no string will do */
    const json_t **any; /* where any value goes; NULL: a string alone will do */
};

/*
 * 0, and *ret_document owns what the rows point at (json_decref); targets of members that are
 * absent stay as they are. -1 with err otherwise.
 */
int body_read(struct slice bytes, const struct body_want *wants, json_t **ret_document,
              struct err *err);

#endif
