/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_FIND_H
#define ADMIN_FIND_H

/*
 * What an operator means by a name: `member:web/app1`, or without its kind `web/app1`, or `app1`
 * where only one pool has a member of that name; `vip:front`, `node:a`, or without its kind where
 * no member is called so. What is not found is answered with what was
 * probably meant. Nothing here makes a system call.
 */

#include "admin/forced.h"
#include "base/err.h"
#include "base/slice.h"
#include "core/module.h"
#include "pool/pool.h"

enum find_result {
    FIND_OK = 0,
    FIND_NOTHING = 1, /* there is no such member, or it may be several */
    FIND_OTHER = 2,   /* a thing of another kind, with which this cannot be done */
};

/* Sets *ret_member on FIND_OK; otherwise err has the sentence. */
enum find_result find_member(const struct snapshot *snap, struct slice text,
                             const struct member **ret_member, struct err *err);

/* Something upon which something may be forced. */
struct find_thing {
    enum forced_kind kind;
    char label[FORCED_LABEL_MAX];
    const struct member *member; /* FORCED_MEMBER */
};

/* The same for a member, or where is_move also for a vip of the file and for this node. */
enum find_result find_thing(const struct snapshot *snap, struct slice text, bool is_move,
                            struct find_thing *ret_thing, struct err *err);
/* The pool of that name, or NULL and err has the sentence. */
const struct pool *find_pool(const struct snapshot *snap, struct slice name, struct err *err);

#endif
