/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UPSTREAM_UPSTREAM_H
#define UPSTREAM_UPSTREAM_H

/*
 * The members as one loop uses them: which may take a request, the connections to them, and those
 * that are idle and kept for the next request.
 *
 *     struct upstream_set (a loop, a snapshot)
 *        pools[p] -> balancer, members[m] -> view of its facts, metric row, idle: newest first
 *                                                                           |
 *                                                    struct upstream (a connection) <-> ...
 *
 * A connection is owned by the set while idle and by its user while taken. Idle ones stay armed:
 * when the member closes one, the loop says so and it is gone before anybody takes it. The newest
 * is taken first, so that the surplus grows old at the back, where a timer sweeps it out.
 *
 * A new snapshot brings a new set; upstream_set_adopt() hands over the idle connections of members
 * that are the same in both (same pool, name and address). A connection that was taken under the
 * old set and is given back after that goes to the set that is current then.
 *
 * A member on which a connect just failed, or which broke an answer off, is a suspect: this loop
 * avoids it for UPSTREAM_SUSPECT_MS while there is somebody else; health alone decides whether it
 * is down.
 */

#include "balance/balance.h"
#include "base/list.h"
#include "core/board.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/module.h"
#include "net/conn.h"
#include "pool/pool.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    UPSTREAM_SUSPECT_MS = 2000,
    UPSTREAM_IDLE_MS = 55000,  /* below the 60 s after which many servers close */
    UPSTREAM_IDLE_MAX = 512,   /* kept idle for a member, a loop */
    UPSTREAM_AGE_MS = 3600000, /* an older connection is not kept */
};

struct upstream_set;
struct upstream_pool;

/* A member as this loop sees it. */
struct upstream_member {
    struct member_view view;
    struct upstream_pool *pool;
    metric_word *row; /* MEMBER_* words of this loop */
    uint64_t suspect_until_ns;
    uint32_t n_moves; /* times that its address in force has changed */
    struct list idle; /* of struct upstream, newest first */
    uint32_t n_idle;
};

struct upstream_pool {
    const struct pool *conf;
    struct upstream_set *set;
    struct balancer *balancer;
    uint32_t n_members;
    struct upstream_member *members;
};

/* A connection to a member. Users embed nothing; they hang themselves on `user`. */
struct upstream {
    struct conn conn;
    struct upstream_member *member;
    struct list link; /* in member->idle while idle */
    uint64_t idle_since_ns;
    uint64_t born_ns;
    uint32_t n_requests; /* given to it so far; above 1 it is a reused one */
    uint32_t n_moves;    /* the member's when it connected: an old one leads to an old address */
    void *user;          /* NULL while idle */
};

/*
 * Makes the set of one loop. `rows` gives the metric row of a member for this loop. May be called
 * by another thread than the loop's, before the loop uses it.
 */
struct upstream_set *upstream_set_create(
    struct snapshot *snap, const struct board *board, uint32_t loop_index, uint64_t seed,
    metric_word *(*row)(void *ctx, const struct member *member), void *ctx);
/* Closes what is idle. Nothing taken from it may be left. In the loop's thread. */
void upstream_set_destroy(struct upstream_set **set);
/* Starts serving in the loop (sweeping); takes over the idle connections of `old` (NULL: none),
 * whose users give back to `set` from now on. In the loop's thread. */
void upstream_set_adopt(struct upstream_set *set, struct loop *loop, struct upstream_set *old);
/* Facts have changed: addresses in force are looked up again. In the loop's thread. */
void upstream_set_refresh(struct upstream_set *set);
/* The loop's view of a pool of the set's snapshot. */
struct upstream_pool *upstream_pool_of(struct upstream_set *set, const struct pool *pool);

/*
 * The member for the next request: usable by its fact, not one of `tried` (a set of member indexes;
 * NULL: none), not a suspect unless only suspects are left. NULL: nobody.
 */
enum { UPSTREAM_TRIED_WORDS = POOL_MEMBERS_MAX / 64 };
struct upstream_tried {
    uint64_t bits[UPSTREAM_TRIED_WORDS];
};
struct upstream_member *upstream_pick(struct upstream_pool *pool, uint64_t now_ns,
                                      const struct upstream_tried *tried);
void upstream_tried_add(struct upstream_tried *tried, const struct upstream_member *member);

/*
 * A connection to the member for `user`: an idle one (is_fresh false), or a new one that may still
 * be connecting. on_event as in net/conn.h. NULL when connect(2) failed at once; err says why.
 */
struct upstream *upstream_take(struct upstream_member *member, struct loop *loop, void *user,
                               void (*on_event)(struct conn *conn, uint32_t events),
                               struct err *err);
/* The same, but never an idle one: for a second try after an idle one died. */
struct upstream *upstream_take_fresh(struct upstream_member *member, struct loop *loop, void *user,
                                     void (*on_event)(struct conn *conn, uint32_t events),
                                     struct err *err);
/* Gives it back, clean and between messages; it becomes idle or is closed. */
void upstream_keep(struct upstream *upstream);
/* Closes it. */
void upstream_drop(struct upstream *upstream);
/* The user says that the member looks dead; counted as connect failure or as broken. */
void upstream_suspect(struct upstream_member *member, uint64_t now_ns, bool is_connect);

/* A request begins and ends at a member, for the gauge of what is in flight. */
static inline void upstream_begin(struct upstream_member *member)
{
    metric_add(member->row, MEMBER_REQUESTS, 1);
    metric_add(member->row, MEMBER_IN_FLIGHT, 1);
}
static inline void upstream_end(struct upstream_member *member)
{
    metric_sub(member->row, MEMBER_IN_FLIGHT, 1);
}

#endif
