/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UPSTREAM_INTERNAL_H
#define UPSTREAM_INTERNAL_H

/*
 * The parts of upstream among themselves: sets and their lineage (set.c), connections (upstream.c),
 * who is picked (pick.c), who waits (queue.c). All of it runs in one loop's thread.
 */

#include "base/map.h"
#include "upstream/upstream.h"

/* What the successive sets of one loop share. */
struct lineage {
    struct loop *loop;
    struct upstream_set *current;
    struct list sets;      /* of struct upstream_set, the oldest first */
    struct list telling;   /* of struct upstream: taken, and to be told that their member is down */
    struct list queues;    /* of struct upstream_queue */
    struct loop_task turn; /* gives turns to those who wait, at the end of the loop's turn */
    bool is_turn_due;
    bool is_busy; /* callbacks run: the lineage stays */
};

struct upstream_set {
    struct loop *loop; /* NULL until it is adopted */
    const struct board *board;
    struct lineage *lineage; /* NULL until it is adopted */
    struct list link;        /* in lineage->sets */
    struct upstream_pool *pools;
    uint32_t n_pools;
    struct map members; /* "web/app1" -> struct upstream_member */
    struct loop_timer sweep;
};

/* The requests that wait for a pool, by its name, whichever set they began in. */
struct upstream_queue {
    struct list link; /* in lineage->queues */
    char name[64];
    uint32_t n_pools; /* of living sets that use it */
    uint32_t n_waiters;
    struct list classes[UPSTREAM_PRIORITIES];
};

static inline uint64_t ms_to_ns(uint64_t ms)
{
    return ms * 1000000u;
}

/* --- set.c --- */
/* Frees the lineage when nothing is left of it and nobody is on the stack. */
void lineage_leave(struct lineage *lineage);
/* The member of the current set that is the same as this one, or NULL. */
struct upstream_member *set_same(const struct upstream_set *set,
                                 const struct upstream_member *member);

/* --- upstream.c --- */
void idle_close_all(struct upstream_member *member);
/* Closes those that have been idle too long. */
void member_sweep(struct upstream_member *member, uint64_t now_ns);
void member_hand_over(struct upstream_member *from, struct upstream_member *to);

/* --- pick.c --- */
/* What a pick by nobody in particular would say, reserving nobody. */
enum upstream_answer pool_look(const struct upstream_pool *pool);
/* Has it a free slot, or does it take nothing any more, so that waiting for it is over? */
bool member_is_waiting_over(const struct upstream_member *member);

/* A reservation goes over to another member, or is over (NULL). */
void reservation_move(struct upstream_member *from, struct upstream_member *to);

/* --- queue.c --- */
void queue_enter(struct lineage *lineage, struct upstream_pool *pool);
void queue_leave(struct upstream_pool *pool);
/* Turns for those who may have a chance now; callbacks run. */
void queues_run(struct lineage *lineage);
/* The same at the end of the loop's turn. */
void queues_run_later(struct lineage *lineage);

#endif
