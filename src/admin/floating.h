/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_FLOATING_H
#define ADMIN_FLOATING_H

/*
 * Floating addresses as admin sees them: which the file has, and by the facts of this node and what
 * the others say of themselves, where each is. Asks nobody and changes nothing.
 */

#include "base/text.h"
#include "core/board.h"
#include "core/module.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    FLOATING_MAX = 256,     /* addresses; VRRP has no more groups on a network */
    FLOATING_NODE_MAX = 64, /* bytes of a node's name, with the NUL */
};

struct floating {
    bool is_here;                 /* as vip:NAME says */
    bool has_others;              /* the file has other nodes */
    char at[FLOATING_NODE_MAX];   /* another node that says that it has it; "": none */
    char next[FLOATING_NODE_MAX]; /* another that would take it; "": none */
};

struct floating_names {
    uint32_t n;
    struct slice items[FLOATING_MAX];
};

/* Those of the file. */
struct floating_names floating_names(const struct snapshot *snap);
bool floating_has(const struct snapshot *snap, struct slice name);

struct floating floating_look(const struct snapshot *snap, const struct board *board,
                              struct slice name, uint64_t now_ns);
/* "still here: nobody else takes it", "it is at b" */
void floating_describe(const struct floating *floating, struct text *out);

#endif
