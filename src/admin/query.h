/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_QUERY_H
#define ADMIN_QUERY_H

/*
 * The parameters of a query string (application/x-www-form-urlencoded), decoded, one after the
 * other, for questions whose parameters may repeat. Nothing here makes a system call.
 */

#include "base/arena.h"
#include "base/slice.h"
#include <stdbool.h>

/*
 * The next parameter: *rest begins as the query and becomes what follows. Both parts lie in the
 * arena with a NUL behind them. Returns 1; 0 at the end; -1 where it is malformed: `%` without two
 * hexadecimal digits, or a NUL.
 */
int query_next(struct slice *rest, struct arena *arena, struct slice *ret_name,
               struct slice *ret_value);

#endif
