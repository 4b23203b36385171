/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UPSTREAM_INTERNAL_H
#define UPSTREAM_INTERNAL_H

/*
 * The parts of upstream among themselves: sets and their lineage (set.c), connections (upstream.c),
 * who is picked (pick.c), who waits (queue.c), how weights change (warm.c). All of it runs in one
 * loop's thread; what loops share is the commons (commons.h).
 */

#include "base/map.h"
#include "upstream/upstream.h"

/* What the successive sets of one loop share. */
struct lineage {
    struct loop *loop;
    struct commons *commons;
    uint32_t loop_index;
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
    struct commons *commons;
    uint32_t loop_index;
    struct lineage *lineage; /* NULL until it is adopted */
    struct list link;        /* in lineage->sets */
    struct upstream_pool *pools;
    uint32_t n_pools;
    struct map members; /* "web/app1" -> struct upstream_member */
    struct loop_timer sweep;
};

/* What one loop lays into the commons lies there for all of them: not where there is but one. */
static inline bool set_has_others(const struct upstream_set *set)
{
    return commons_n_loops(set->commons) > 1;
}

/* The requests that wait for a pool, by its name, whichever set they began in. */
struct upstream_queue {
    struct list link; /* in lineage->queues */
    char name[64];
    uint32_t n_pools; /* of living sets that use it */
    uint32_t n_waiters;
    bool is_run;     /* a look at everybody is under way */
    uint8_t waiting; /* bits of the classes that the commons know of */
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

/* --- warm.c --- */
const struct balance_method *method_of(const struct pool *pool);
/* Reads the weight, notices who comes up and was down; `state` is the member's. */
void member_weigh(struct upstream_member *member, enum fact_state state, uint64_t now_ns);
/* The weights as they are at this moment go to the balancer. */
void pool_weigh(struct upstream_pool *pool, uint64_t now_ns);

/* --- upstream.c --- */
/* It is down or elsewhere: what was idle, also what lay in the commons, is closed. */
void member_forsake(struct upstream_member *member);
/* Gives the member's part of the commons back, and closes what lay there if nobody is left. */
void member_leave_commons(struct upstream_member *member);
void idle_close_all(struct upstream_member *member);
/* Closes what has been idle too long; what nobody had a use for goes into the commons. */
void member_sweep(struct upstream_member *member, struct loop *loop);
void member_hand_over(struct upstream_member *from, struct upstream_member *to);

/* --- pick.c --- */
/* What a pick by nobody in particular would say, reserving nobody; suspects count. */
enum upstream_answer pool_look(const struct upstream_pool *pool);
/* Has it a free slot, or does it take nothing any more, so that waiting for it is over? */
bool member_is_waiting_over(const struct upstream_member *member);

/* A reservation goes over to another member, or is over (NULL). */
void reservation_move(struct upstream_member *from, struct upstream_member *to);

/* --- queue.c --- */
void queue_enter(struct lineage *lineage, struct upstream_pool *pool);
void queue_leave(struct upstream_queue *queue, struct common_pool *common, uint32_t loop_index);
/* Turns for those who may have a chance now; callbacks run. */
void queues_run(struct lineage *lineage);
/* The same at the end of the loop's turn. */
void queues_run_later(struct lineage *lineage);

#endif
