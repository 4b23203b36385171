/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_OPERATE_H
#define ADMIN_OPERATE_H

/*
 * What the operator forces, at work: the store (admin/forced.h), its file, and the facts that admin
 * states of it, which health combines with what it sees itself:
 *
 *     force:web/app1          draining, up, down       what is forced; value: the TTL of DNS
 *                                                      answers meanwhile, in seconds, or 0
 *     weight:web/app1         up, value: the weight    which weight counts instead of the file's
 *     drain:member/web/app1   draining, drained        a drain and how far it is; value: in flight
 *     drain:vip/front         draining, drained        of a floating address, which yields while
 *     drain:node/a            draining, drained        there is such a fact, and of this node: all
 *                                                      of its addresses; value: how many are here
 *
 * A drain is an operation of admin's own:
 *
 *     weir drain -> draining: force:... is draining: no new requests but those of bound sessions
 *                      |
 *                      | nothing in flight, seen twice after health has turned the member, and no
 *                      | session used for the drain's time-out
 *                      v
 *                   drained: force:... is down, so that it stays so: whoever holds a session moves,
 *                            and the server may be switched off
 *     weir undrain -> nothing is forced
 *
 * The drain of a vip or a node is over when no address of it is here (admin/floating.h), and begins
 * anew where one comes back because nobody else serves it. A node's members and its records in DNS
 * are as they were: the former serve every node, the latter follow what health says.
 *
 * Where DNS answers the member's address, a drain also waits until nobody can remember it any more:
 * the fact answer:POOL/NAME (dns/record_set.h) says until when.
 *
 * A change is on disk before its facts are stated and before it is answered. The facts of the first
 * life are stated in prepare(), before any process of a starting weir commits, so that a member
 * that drains gets no request between the start and the first look.
 */

#include "admin/forced.h"
#include "core/loop.h"
#include "core/module.h"
#include <stdbool.h>
#include <stdint.h>

#define OPERATE_FILE "forced" /* in the state directory */

enum {
    OPERATE_LOOK_MS = 500,    /* from one look at the drains to the next */
    OPERATE_IDLE_MS = 300000, /* a drain's time-out where nobody says another: 5 m */
    OPERATE_IDLE_MAX_MS = 604800000,
};

struct process;

/* How far a drain is. */
struct drain_progress {
    bool is_draining; /* or drained */
    bool is_drained;
    uint64_t n_in_flight;
    bool is_answered;      /* its address is in answers of DNS */
    uint64_t dns_until_ms; /* wall clock: till then others may remember its address; 0: nobody */
    bool has_sessions;     /* a session of it was used at all */
    uint64_t sessions_ms;  /* wall clock: when one was used last */
    uint64_t idle_ms;      /* its time-out */
    uint64_t since_ms, drained_ms;
};

struct operate {
    struct process *process;
    const struct snapshot *snap; /* in force; NULL: none yet */
    struct forced forced;
    struct loop_timer timer;
    bool is_loaded;
};

void operate_start(struct operate *operate, struct process *process);
/* Reads the file, once, and states what it says. */
void operate_load(struct operate *operate);
/* Another snapshot is in force: forgets members that are configured no more. */
void operate_configure(struct operate *operate, const struct snapshot *snap);
void operate_stop(struct operate *operate);

/* What is forced upon what has the label now; nothing: a fresh entry. */
struct forced_entry operate_entry(const struct operate *operate, const char *label);
/* Keeps the entry and states its facts. 0, or -1 with err: nothing has changed. */
int operate_change(struct operate *operate, const struct forced_entry *entry, struct err *err);
/* Milliseconds of the wall clock. */
uint64_t operate_now_ms(const struct operate *operate);

/* --- drains of vips and nodes (admin/drain_move.c) --- */

/* "still here: nobody else takes it" */
void drain_move_describe(const struct operate *operate, const struct forced_entry *entry,
                         struct text *out);
/* Appends what stands in its way; nothing where nothing does. */
void drain_move_warn(const struct operate *operate, const struct forced_entry *entry,
                     struct text *out);
/* One look, which may end it or begin it anew. */
void drain_move_look(struct operate *operate, struct forced_entry *entry);
/* States its fact, or takes it away. */
void drain_move_state(const struct operate *operate, const struct forced_entry *entry);

/* --- drains of members, and all (admin/drain.c) --- */

/* What DNS has told others of a member, "web/app1": is_answered, dns_until_ms. */
void drain_look_at_dns(const struct operate *operate, const char *label,
                       struct drain_progress *progress);
/* Appends ", DNS still answers it" or for how long its address may be remembered, or nothing. */
void drain_describe_dns(const struct operate *operate, const struct drain_progress *progress,
                        struct text *out);
/* How far the drain of this entry is, as the board says. */
struct drain_progress drain_look(const struct operate *operate, const struct forced_entry *entry);
/* "12 in flight; a session was used 30 s ago, 5m are waited for" */
void drain_describe(const struct operate *operate, const struct drain_progress *progress,
                    struct text *out);
/* Looks at all drains, states how far they are, and ends those that are over. */
void drain_look_all(struct operate *operate);
/* States the fact of one. */
void drain_state(struct operate *operate, const struct forced_entry *entry);

#endif
