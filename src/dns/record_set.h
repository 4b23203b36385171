/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_RECORD_SET_H
#define DNS_RECORD_SET_H

/*
 * All records from pools of one snapshot, and the board: whose facts they depend on, and what they
 * answer now. Everything here is loop 0's; what loops read is a view, immutable.
 *
 *     board's change -> record_set_on_change()   marks the records that the member is in
 *                       record_set_refresh()     makes those anew -> a new view, or NULL: nobody
 *                                                 would see a difference
 *                       process_each_loop()      hands it over; when all loops have it,
 *                       record_view_unref()      of the former one
 *
 * A reload makes another set, over the new snapshot. What must outlive sets is the ledger's:
 *
 *     answer:POOL/NAME    serving     some record answers the member's address; value: the TTL in
 *                                     seconds that it carries
 *                         draining    none does any more, but others may remember it; value: until
 *                                     when, seconds of the wall clock since 1970
 *
 * The fact stays draining for good: whoever waits compares its value with the clock. It says how
 * long the largest TTL lasts that was ever served with the address, also where a shorter one was
 * served last. A member that no record knows has no such fact.
 */

#include "core/board.h"
#include "core/module.h"
#include "dns/conf.h"
#include "dns/record.h"
#include <stdbool.h>
#include <stdint.h>

/* What all records answer; counted by loop 0. */
struct record_view {
    struct record_answer **answers; /* by record_conf.index; answer_view.records */
    uint32_t n_answers;
    uint32_t n_refs;
};

struct record_view *record_view_ref(struct record_view *view);
/* The last one frees it, and the answers that no other view has. Sets *view to NULL. */
void record_view_unref(struct record_view **view);

struct record_ledger;

/* Takes over what an earlier life has served, from the board. One a process. */
struct record_ledger *record_ledger_create(struct board *board, uint64_t seed);

struct record_set;

/* For prepare(): looks at the board, states nothing. Borrows the snapshot. */
struct record_set *record_set_create(const struct snapshot *snap, const struct dns_conf *conf,
                                     const struct board *board);
void record_set_destroy(struct record_set **set);
/* The view now, without a reference of the caller's own. */
struct record_view *record_set_view(const struct record_set *set);

/* commit(): this set answers from now on, and the ledger states so. What has changed since
 * prepare() is found by the refresh that must follow. */
void record_set_commit(struct record_set *set, struct record_ledger *ledger, uint64_t wall_ns);

/* For process_watch(): returns whether a record may have to be made anew. */
bool record_set_on_change(struct record_set *set, const struct board_change *change);
/* Changes were lost: all may have to. */
void record_set_on_lost(struct record_set *set);
/*
 * Makes those anew that depend on what has changed. Returns the new view with a reference for the
 * caller, or NULL where all say what they said. Call it once a turn, not once a change.
 */
struct record_view *record_set_refresh(struct record_set *set, struct record_ledger *ledger,
                                       uint64_t wall_ns);

/* The facts of a pool's members, as record_facts_fn wants them; ctx is a struct record_set. */
const struct record_member *record_set_facts(void *ctx, const struct pool *pool);

#endif
