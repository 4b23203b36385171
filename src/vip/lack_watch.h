/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIP_LACK_WATCH_H
#define VIP_LACK_WATCH_H

/*
 * The board beside what a vip needs (vip/lack.h): one watch a vip, in loop 0 of its process.
 *
 *     board's changes -> lack_watch_on_change() --+--> looks at what it needs --> on_change(ctx):
 *     a timer, LACK_LOOK_MS: silences, calm   ----+      score, text or drain is another now
 *
 * The owner has one process_watch() for all its vips and hands the changes on, for a watch comes
 * and goes with its vip. It also sees what the operator wants of the vip, in two facts of admin:
 *
 *     drain:vip/NAME     draining, drained: `weir drain vip:NAME`
 *     drain:node/NODE    likewise, of this node: all of its vips
 *
 * Where one of them is on the board the vip yields (VRRP_EVENT_YIELD), else it does not
 * (VRRP_EVENT_RETURN). A silent admin keeps its word.
 *
 * In return admin reads vip:NAME: while it is FACT_ACTIVE or FACT_DRAINING the address is here; a
 * vip that yields and has let go of the address is FACT_DRAINED, which none of the others takes for
 * one that would have it. And at:OTHER/vip:NAME says who has it.
 */

#include "core/process.h"
#include "vip/lack.h"

struct lack_watch;
typedef void lack_watch_fn(void *ctx);

/* `vip` is its name. It looks at once, and calls fn for the first time from a later turn. */
struct lack_watch *lack_watch_create(struct process *process, const struct snapshot *snap,
                                     const char *vip, const struct conf_list *needs,
                                     lack_watch_fn *fn, void *ctx);
void lack_watch_destroy(struct lack_watch **watch);
/* Another snapshot is in force: what is known of things that are needed still stays. Looks at once,
 * and calls fn where something is another then. */
void lack_watch_configure(struct lack_watch *watch, const struct snapshot *snap,
                          const struct conf_list *needs);

/* To be called from the process's process_watch(). */
void lack_watch_on_change(struct lack_watch *watch, const struct board_change *change);
void lack_watch_on_lost(struct lack_watch *watch);

struct lack_score lack_watch_score(const struct lack_watch *watch);
/* Of lack_list_show(), as a Backup counts; "" where nothing is lacking. Valid until the next
 * change. */
const char *lack_watch_text(const struct lack_watch *watch);
/* The sentence why it is to yield: "drained by the operator", "its node is drained by the
 * operator"; NULL: it is not. */
const char *lack_watch_drained(const struct lack_watch *watch);

/*
 * What the board says now of one thing; `ref` is of lack->fact. awake_ns as in lack_silence(). For
 * whoever explains, in any process.
 */
struct lack_look lack_see(const struct board *board, const struct module_table *table,
                          const struct lack *lack, struct fact_ref ref, uint64_t awake_ns,
                          uint64_t now_ns, struct fact *fact);
/* "drain:vip/NAME" into FACT_NAME_MAX bytes, and of this node; of no name: "". */
void lack_drain_fact(char *ret_name, const char *kind, const char *name);

#endif
