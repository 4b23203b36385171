/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UPSTREAM_COMMONS_H
#define UPSTREAM_COMMONS_H

/*
 * What the loops of one process share about members: idle connections that a loop has no use for,
 * how many connections a member has where that is limited, and which loops wait for one.
 *
 *     struct commons (a process)
 *        "web"      -> struct common_pool     who waits: a bit a loop, for each class
 *        "web/app1" -> struct common_member   n_used, grants[loop]; idle connections
 *
 * It lives beside the sets, by name, so that a reload finds what was counted before it.
 *
 * Idle connections. A loop keeps its own, and touches the common place only when it has none, or
 * once a second with those that it had no use for in all that time. What lies there is in no
 * loop: nobody hears of its end, so it is looked at before it is used. Only a connection to the
 * same address, by the same terms of TLS, is of use.
 *
 * Slots. A member with max-connections has that many, whichever loop uses them. Nobody takes one
 * while somebody waits: who gives one back passes it on, as a grant, to a loop that waits, each in
 * its turn, those with high waiters before the others; the loop is woken, and a slot that nobody
 * there could use goes back into the heap.
 *
 *      free --acquire--> used --release, nobody waits--> free
 *                         |  \-release, loop j waits---> granted to j --acquire by j--> used
 *                         ^                                     \--j had no use--> free, all woken
 *
 * So a loop under steady load starves no other, and n_used is never above the limit. It is one
 * atomic word, touched only where a limit is set. The limit comes with the question, because two
 * snapshots may know different ones; a member that gets its first limit by a reload does not know
 * of the requests that were in flight before it.
 *
 * Threads. References are taken and given back under the commons' own lock. A common_member's list
 * has a lock of its own. All else is atomic, and sequentially consistent: a loop says that it
 * waits and then looks for a slot, who frees a slot does so and then looks for loops that wait;
 * one of them sees the other.
 */

#include "base/list.h"
#include "core/board.h"
#include "core/loop.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    COMMON_CLASSES = 3,
    COMMON_IDLE_MAX = 32, /* connections for a member, beside those that the loops keep */
};

struct commons;

struct common_pool {
    struct commons *commons;
    char *name;
    uint32_t n_refs;                          /* under the commons' lock */
    _Atomic uint32_t n_waiters;               /* requests, in all loops */
    _Atomic uint64_t waiting[COMMON_CLASSES]; /* a bit a loop */
    _Atomic uint32_t turn;                    /* the loop behind the one that got the last grant */
};

struct common_member {
    struct common_pool *pool; /* a reference */
    char *label;
    uint32_t n_refs; /* under the commons' lock */
    _Atomic uint32_t n_used;
    _Atomic uint32_t *grants; /* [loop]: slots of n_used that are this loop's to take */
    pthread_mutex_t lock;
    struct list idle; /* newest first; whose they are is the caller's affair */
    _Atomic uint32_t n_idle;
};

/* One for each process, for at most BOARD_LOOPS_MAX loops. */
struct commons *commons_create(uint32_t n_loops);
/* Nothing may refer to it any more. */
void commons_destroy(struct commons **commons);
uint32_t commons_n_loops(const struct commons *commons);

/*
 * From now on on_wake() runs in that loop, from the loop, when another has passed something on to
 * it, until commons_leave(). In the loop's thread.
 */
void commons_join(struct commons *commons, uint32_t loop_index, struct loop *loop,
                  void (*on_wake)(void *ctx), void *ctx);
void commons_leave(struct commons *commons, uint32_t loop_index);

/* References, from any thread. The names are copied. */
struct common_pool *common_pool_ref(struct commons *commons, const char *name);
void common_pool_unref(struct common_pool **pool);
struct common_member *common_member_ref(struct commons *commons, const char *pool,
                                        const char *label);
/* The last reference: what is idle must have been taken out. Returns whether it was the last but
 * for `idle`, which then holds what was idle and is the caller's. */
void common_member_unref(struct common_member **member, struct list *ret_idle);

/* --- slots ------------------------------------------------------------------------------------ */

/* Could this loop take one? */
bool common_has_slot(struct common_member *member, uint32_t loop_index, uint32_t max);
/* Takes one of `max`, or one that was granted; false: all are used. */
bool common_acquire(struct common_member *member, uint32_t loop_index, uint32_t max);
/* Takes one whatever the limit says, for somebody who is there already. */
void common_occupy(struct common_member *member);
/* Gives it back, or passes it on. */
void common_release(struct common_member *member, uint32_t max);
/* Grants that this loop had no use for go back; loops that wait are woken to look again. */
void common_give_back(struct common_member *member, uint32_t loop_index);
/* This loop has waiters of that class, or none any more. */
void common_set_waiting(struct common_pool *pool, uint32_t loop_index, int class, bool is_waiting);

/* --- idle connections ------------------------------------------------------------------------- */

/* Puts one in front; false: there are enough. */
bool common_put(struct common_member *member, struct list *link, uint32_t max);
/* Takes out the first for which is_it() says yes, newest first; NULL: none. */
struct list *common_take(struct common_member *member, bool (*is_it)(void *ctx, struct list *link),
                         void *ctx);
static inline bool common_has_idle(struct common_member *member)
{
    return atomic_load_explicit(&member->n_idle, memory_order_relaxed) > 0;
}

#endif
