/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UPSTREAM_UPSTREAM_H
#define UPSTREAM_UPSTREAM_H

/*
 * The members as one loop uses them: which may take a request, the connections to them, those that
 * are idle and kept for the next request, and the requests that wait until a member has room.
 *
 *     struct upstream_set (a loop, a snapshot)
 *        pools[p] -> balancer, members[m] -> view of its facts, metric row, idle: newest first
 *                                                           |               taken: with their users
 *                                              struct upstream (a connection) <-> its user
 *
 * A request's way through:
 *
 *     upstream_pick() --MEMBER--> upstream_take() ... upstream_keep() or _drop(), upstream_end()
 *          |  \--FULL, UNJUDGED--> upstream_wait() ... on_turn() -> upstream_pick() again
 *          \--NOBODY--> no member could take it
 *
 * A pick reserves the member for the request: it counts as in flight, and against the member's
 * max-connections, until upstream_end(). So each MEMBER is followed by exactly one upstream_end(),
 * after its connection has been given back, whatever became of it.
 *
 * A connection is owned by the set while idle and by its user while taken. Idle ones stay armed:
 * when the member closes one, the loop says so and it is gone before anybody takes it. The newest
 * is taken first, so that the surplus grows old at the back, where a timer sweeps it out. What a
 * loop had no use for in the last second it lays into the commons (commons.h), half of it at a
 * time, and a loop that has none looks there before it connects.
 *
 * A member with max-connections has at most so many connections, those that are idle too: so that
 * these serve any loop, all of them lie in the commons where there is more than one loop.
 *
 * A backup member is a candidate only while no other one may be used. A member that was down, or
 * that a reload added to its pool, starts slowly where the pool says so: its share grows evenly
 * from UPSTREAM_COLD_PERCENT to the whole.
 *
 * A member that turns down: its idle connections are closed, and each user of a taken one is told
 * by on_down(), from the loop and never from inside a call that the user made. The user may drop
 * its connection and try elsewhere, or wait for what the member may still say.
 *
 * A new snapshot brings a new set; upstream_set_adopt() hands over the idle connections of members
 * that are the same in both (same pool, name and address). A connection that was taken under the
 * old set and is given back after that goes to the set that is current then. The sets of one loop
 * that live side by side are its lineage: refreshing one refreshes all of them, because requests of
 * the old ones want to know as well when their member turns down.
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
#include "pool/pool_tls.h"
#include "upstream/commons.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    UPSTREAM_SUSPECT_MS = 2000,
    UPSTREAM_IDLE_MS = 55000,   /* below the 60 s after which many servers close */
    UPSTREAM_IDLE_MAX = 512,    /* kept idle for a member, a loop */
    UPSTREAM_AGE_MS = 3600000,  /* an older connection is not kept */
    UPSTREAM_COLD_PERCENT = 10, /* of its weight has a member when its slow start begins */
};

struct upstream;
struct upstream_set;
struct upstream_pool;
struct upstream_queue;

/* A member as this loop sees it. */
struct upstream_member {
    struct member_view view;
    struct upstream_pool *pool;
    metric_word *row;   /* MEMBER_* words of this loop */
    metric_word **rows; /* of every loop, where the method goes by load; else NULL */
    struct common_member *common;
    uint32_t max;    /* requests at a time, in all loops; 0: no limit */
    uint32_t weight; /* by its fact, as of the last refresh; 0: takes nothing new */
    uint64_t suspect_until_ns;
    uint64_t warm_since_ns; /* when its slow start began; 0: it has its whole weight */
    bool is_cold;           /* was down, or is new: a slow start begins when it comes up */
    uint32_t n_moves;       /* times that its address in force has changed */
    bool is_down;           /* by its fact, at the last refresh */
    uint32_t n_idle;
    uint32_t n_spare;          /* the least that were idle since the last sweep */
    struct tls_resume *resume; /* the last session with it; NULL: in the clear */
    struct list idle;          /* of struct upstream, newest first */
    struct list taken;         /* of struct upstream */
};

struct upstream_pool {
    const struct pool *conf;
    struct upstream_set *set;
    metric_word *row;             /* POOL_* words of this loop */
    const struct tls_client *tls; /* NULL: in the clear */
    struct fact_ref open_ref;     /* of a pool with fail-open */
    struct balancer *balancer;
    struct upstream_queue *queue; /* of the lineage; NULL until the set is adopted */
    struct common_pool *common;
    bool has_limits; /* some member has max-connections */
    bool has_backups;
    bool is_warming; /* some member's slow start is under way */
    uint32_t n_members;
    struct upstream_member *members;
};

/* What a connection's user is told; both run in the loop. */
struct upstream_user {
    /* As in net/conn.h. */
    void (*on_event)(struct conn *conn, uint32_t events);
    /* The member has turned down. NULL: the user does not care. */
    void (*on_down)(struct upstream *upstream);
};

/* A connection to a member. Users embed nothing; they hang themselves on `user`. */
struct upstream {
    struct conn conn;
    struct upstream_member *member;
    struct list link; /* in member->idle or member->taken, or among the commons' */
    struct addr addr; /* where it leads */
    uint64_t idle_since_ns;
    uint64_t born_ns;
    uint32_t n_requests; /* given to it so far; above 1 it is a reused one */
    uint32_t n_moves;    /* the member's when it connected: an old one leads to an old address */
    void *user;          /* NULL while idle */
    const struct upstream_user *calls;
};

/* --- sets ------------------------------------------------------------------------------------- */

/* What a set is made of; needed only while upstream_set_create() runs, but for snap, board and
 * commons. */
struct upstream_set_options {
    struct snapshot *snap;
    const struct pool_tls *tls; /* lives as long as the set; NULL: no pool speaks TLS */
    /* One pool more, which is not of the file, has neither facts nor TLS, and the index behind the
     * last of these; NULL: none. */
    const struct pool *own;
    const struct board *board;
    struct commons *commons; /* of the process */
    uint32_t loop_index;
    uint64_t seed;
    /* A member's row of any loop, a pool's of this one. */
    metric_word *(*member_row)(void *ctx, const struct member *member, uint32_t loop_index);
    metric_word *(*pool_row)(void *ctx, const struct pool *pool);
    void *ctx;
};

/* Makes the set of one loop. May be called by another thread than the loop's, before the loop uses
 * it. */
struct upstream_set *upstream_set_create(const struct upstream_set_options *options);
/* Closes what is idle. Nothing taken from it may be left. In the loop's thread. */
void upstream_set_destroy(struct upstream_set **set);
/* Starts serving in the loop (sweeping); takes over the idle connections of `old` (NULL: none),
 * whose users give back to `set` from now on. In the loop's thread. */
void upstream_set_adopt(struct upstream_set *set, struct loop *loop, struct upstream_set *old);
/*
 * Facts have changed: every set of the lineage looks at its members again. Users of connections to
 * members that have turned down are told, and those who wait get a turn where they may have a
 * chance. In the loop's thread, with nobody's call on the stack.
 */
void upstream_set_refresh(struct upstream_set *set);
/* The loop's view of a pool of the set's snapshot. */
struct upstream_pool *upstream_pool_of(struct upstream_set *set, const struct pool *pool);

/* --- picking ---------------------------------------------------------------------------------- */

/* A set of members of one pool: those that a request has tried. */
enum { UPSTREAM_TRIED_WORDS = POOL_MEMBERS_MAX / 64 };
struct upstream_tried {
    uint64_t bits[UPSTREAM_TRIED_WORDS];
};
void upstream_tried_add(struct upstream_tried *tried, const struct upstream_member *member);

/* Who asks. */
struct upstream_ask {
    uint64_t now_ns;
    const struct upstream_tried *tried; /* never these; NULL: none were tried */
    /* Of a session: taken whatever the method says while it may be, even while it drains; NULL:
     * none. Of the same pool. */
    const struct upstream_member *preferred;
    uint64_t key; /* for the hash methods, already hashed */
    bool has_key; /* without one they pick as random does */
};

enum upstream_answer {
    UPSTREAM_MEMBER,   /* *ret_member is reserved for this request until upstream_end() */
    UPSTREAM_FULL,     /* those that are up have max-connections: wait in the queue */
    UPSTREAM_UNJUDGED, /* nobody is up, but somebody's first check is under way: wait as well */
    UPSTREAM_NOBODY,
};

/*
 * The member for the next request: usable by its fact, not tried, not a suspect unless only
 * suspects are left. A member with a check that has not ended yet takes nothing.
 */
enum upstream_answer upstream_pick(struct upstream_pool *pool, const struct upstream_ask *ask,
                                   struct upstream_member **ret_member);

/* May it take a new request by its fact, and has it an address? For those who choose for
 * themselves; what else a pick looks at (room, suspicion) is not asked. */
bool upstream_is_usable(const struct upstream_member *member);

/* How a request ended at a member. */
struct upstream_outcome {
    bool is_failed;      /* no whole response head came */
    uint64_t latency_ns; /* from the request sent to the response head; 0: none came */
};
/* The reservation is over. The connection, if there was one, was given back before. */
void upstream_end(struct upstream_member *member, const struct upstream_outcome *outcome);

/* The user says that the member looks dead; counted as connect failure or as broken. */
void upstream_suspect(struct upstream_member *member, uint64_t now_ns, bool is_connect);

/* --- connections ------------------------------------------------------------------------------ */

/*
 * A connection to the member for `user`: an idle one, or a new one that may still be connecting.
 * `user` is not NULL. NULL when connect(2) failed at once; err says why.
 */
struct upstream *upstream_take(struct upstream_member *member, struct loop *loop, void *user,
                               const struct upstream_user *calls, struct err *err);
/* The same, but never an idle one: for a second try after an idle one died. */
struct upstream *upstream_take_fresh(struct upstream_member *member, struct loop *loop, void *user,
                                     const struct upstream_user *calls, struct err *err);
/* Gives it back, clean and between messages; it becomes idle or is closed. */
void upstream_keep(struct upstream *upstream);
/* Closes it. */
void upstream_drop(struct upstream *upstream);
/* Another user goes on with it, as with one that it took. */
void upstream_hand(struct upstream *upstream, void *user, const struct upstream_user *calls);
/*
 * For users that outlive the set in which they began: the connection goes over to the same member
 * of the current set, and its reservation with it. Returns that member, or NULL where there is none
 * (or none any more): the reservation is over then, upstream->member is NULL, and nothing is left
 * to be done with the connection but using and dropping it.
 */
struct upstream_member *upstream_follow(struct upstream *upstream);

/* --- waiting ---------------------------------------------------------------------------------- */

enum upstream_priority { UPSTREAM_HIGH, UPSTREAM_NORMAL, UPSTREAM_LOW, UPSTREAM_PRIORITIES };

/* A request that waits; embedded in what asks. */
struct upstream_waiter {
    struct list link;                     /* in the queue's list of its class */
    struct upstream_pool *pool;           /* while it waits */
    const struct upstream_member *wanted; /* it waits for this one alone; NULL: for anyone */
    uint64_t since_ns;                    /* when it first waited, and with that its place */
    uint8_t priority;                     /* enum upstream_priority */
    void (*on_turn)(struct upstream_waiter *waiter);
};

void upstream_waiter_init(struct upstream_waiter *waiter, enum upstream_priority priority,
                          void (*on_turn)(struct upstream_waiter *waiter));
/*
 * Waits, first in first out within its class; high goes before normal, normal before low. One that
 * had a turn and found nothing keeps its place: since_ns is set by the first wait and counts in the
 * others. 0; or 1: the queue is full (counted), the waiter is not in it. The time-out is the
 * caller's: pool->conf->queue.timeout_ms from since_ns.
 */
int upstream_wait(struct upstream_pool *pool, struct upstream_waiter *waiter, uint64_t now_ns);
/* Out of the queue, if it is there. is_late: it has waited too long, which is counted. */
void upstream_unwait(struct upstream_waiter *waiter, bool is_late);
/*
 * on_turn: out of the queue now, pick again (a slot may be free, a member was judged, nobody is
 * left to wait for); from the loop, never from within a call.
 */

#endif
