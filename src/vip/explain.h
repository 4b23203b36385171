/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIP_EXPLAIN_H
#define VIP_EXPLAIN_H

/*
 * `weir explain vip [NAME]`: of each floating address what this node says of it, each thing that it
 * needs and what that is worth, what the other nodes say of themselves, and what would become of
 * the address now if they fell silent, or if this node were drained.
 *
 * By the configuration and the facts alone, as struct module's explain(). What is lacking is judged
 * anew from the facts; how long something has been well is known to the process alone, so that the
 * priority may be what it says here a second later.
 */

#include "core/module.h"

int vip_explain(const struct snapshot *snap, const struct board *board,
                const struct explain_ask *ask, struct json *json, struct err *err);

#endif
