/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_ORDER_H
#define ADMIN_ORDER_H

/*
 * A command of the operator under way: its body read, the thing that is meant found, what is forced
 * upon it at hand to be changed; then kept, logged and answered:
 *
 *     {"target": "member:web/app1", "member": "web/app1", "text": "...", "warning": "..."}
 *
 * with "vip" or "node" in the place of "member" where that is what drains. Whoever is refused is
 * answered and the order is over.
 */

#include "admin/body.h"
#include "admin/find.h"
#include "admin/internal.h"
#include "base/text.h"
#include <stdbool.h>

struct order {
    struct web_exchange *exchange;
    struct admin *admin;
    struct operate *operate;
    json_t *document;
    const char *target; /* as it was asked for */
    struct find_thing thing;
    struct forced_entry entry; /* of it, as it is to become */
    struct text text, warning;
};

/* Reads the body and finds what is meant, a member, or where is_move a vip or this node as well.
 * False: it has been answered. */
bool order_begin(struct order *order, struct web_exchange *exchange, void *ctx,
                 const struct body_want *wants, bool is_move);
/* Answers with why not, and ends. */
void order_refuse(struct order *order, uint16_t status, const char *why);
/* Answers with the text, and ends; nothing has changed. */
void order_answer(struct order *order);
/* Keeps the entry, and answers. */
void order_carry_out(struct order *order);
/* A warning where no other member of the pool can serve. */
void order_warn_of_nobody(struct order *order);

/* "member": NAME and "target": KIND:NAME, into an object that is open. */
void order_put_name(struct json *json, const char *label);

#endif
