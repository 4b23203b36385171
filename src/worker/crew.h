/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CREW_H
#define WORKER_CREW_H

/*
 * The hands of one `worker` of the file, across files: how many there are, whether a further one
 * asks for a job, and what the fact says.
 *
 *     jobs that are done   < the level, and all is well         one hand asks
 *                          programs fail at once (crash.h)      none, then one job is tried
 *                          the queue is not there               none for a while, then one asks
 *                          the node drains                      none; those with a job finish it
 *                          the file has it no more              likewise
 *
 * A job that the queue has been told of, and has not on its disk yet, holds back no other: up to as
 * many of those as may be done.
 *
 * Where programs do many jobs (servant.h), as many of them are there as the level says, and a hand
 * asks only while one of them is idle.
 *
 * The level is `concurrency`, or moves between its ends (scale.h), for which a scout looks at the
 * queue (scout.h).
 *
 * The first to ask in the life of the process waits a moment when the queue has answered: behind an
 * upgrade the former worker asks for the jobs that its programs do, and has to be first.
 *
 * worker:NAME is serving, draining, failed while programs fail at once, down while the queue is not
 * there; with how many jobs are under way.
 */

#include "core/process.h"
#include "core/slabs.h"
#include "worker/conf.h"
#include "worker/count.h"
#include "worker/crash.h"
#include "worker/hand.h"
#include "worker/scale.h"
#include "worker/scout.h"
#include <stdbool.h>
#include <stdint.h>

/* The first and the longest wait for the queue; each is twice the one before, if that is not long
 * ago. */
enum { CREW_RETRY_MS = 100, CREW_RETRY_MAX_MS = 5000, CREW_CALM_MS = 20000, CREW_FIRST_MS = 300 };

struct workshop;

struct crew {
    struct list node; /* workshop.crews */
    struct workshop *shop;
    char *name;
    struct snapshot *snap;          /* a reference: of conf */
    const struct worker_conf *conf; /* the last that the file had */
    struct run_user *user;          /* its own; NULL: whom worker is */
    struct shared_slab *slab;
    struct list hands;
    struct hand *asking;  /* NULL: none asks */
    struct list servants; /* `serve`: programs that do many jobs */
    struct list idle;     /* those of them that have none */
    bool is_not_ready;    /* the last that ended without a job had not said that it is ready */
    uint32_t n_busy;      /* hands that have a job */
    uint32_t n_telling;   /* those of them whose program has done with it */
    struct scale scale;
    struct scout *scout; /* NULL: the level is fixed */
    struct crash crash;
    struct text crash_why;
    struct text trouble; /* with the queue; empty: none */
    uint64_t wait_ms;    /* the last wait for the queue */
    uint64_t until_ns;   /* no hand asks before; 0: there was no trouble yet */
    struct loop_timer timer;
    bool is_leaving;   /* the file has it no more */
    bool has_answered; /* the queue, in this life */
};

/* Takes the slab, and a reference to the snapshot. */
struct crew *crew_create(struct workshop *shop, struct snapshot *snap,
                         const struct worker_conf *conf, struct shared_slab *slab);
/* The file has it otherwise. What runs goes on as it began. */
void crew_configure(struct crew *crew, struct snapshot *snap, const struct worker_conf *conf);
void crew_set_user(struct crew *crew, struct run_user *take_user);
/* The file has it no more. Freed with its last hand. */
void crew_leave(struct crew *crew);
void crew_destroy(struct crew *crew);
/* Something is otherwise: may a hand ask? May one no longer? */
void crew_look(struct crew *crew);
/* Another build does the jobs: no more is taken here, and what is under way goes on. Returns when
 * the last of it has to be told to end, so that it has its grace before the deadline. */
uint64_t crew_retire(struct crew *crew, uint64_t deadline_ns);
/* The worker ends. */
void crew_stop(struct crew *crew, uint64_t deadline_ns);
void crew_publish(struct crew *crew);
/* An object of /v1/status. */
void crew_status(const struct crew *crew, struct json *json);
/* Nobody has a job, and no program runs. */
static inline bool crew_is_empty(const struct crew *crew)
{
    return list_is_empty(&crew->hands) && list_is_empty(&crew->servants);
}
/* Is it one of its programs? */
bool crew_has(const struct crew *crew, pid_t pid);

/* ---- what hands tell ------------------------------------------------------------------------- */

void crew_count(const struct crew *crew, enum worker_word word);
/* It was given a job. */
void crew_on_job(struct crew *crew, struct hand *hand);
/* Its program has done with the job; the queue is to be told. */
void crew_on_done(struct crew *crew);
/* Its job is over, and it is ready to ask. */
void crew_on_free(struct crew *crew, struct hand *hand);
/* It asks no more, and has no job. */
void crew_on_leave(struct crew *crew, const struct hand *hand);
/* It is no more; what was it doing? */
void crew_on_gone(struct crew *crew, const struct hand *hand, enum hand_state former);
/* The queue is not there, or gives no jobs. */
void crew_on_trouble(struct crew *crew, const char *why);
/* It is there. Returns true where it is so for the first time: the hand may not ask yet. */
bool crew_on_link(struct crew *crew);
/* A served program is ready for jobs. */
void crew_on_ready(struct crew *crew);
/* A program has ended, or answered. Returns true where no job is taken for a while because of it,
 * which is told, with `why`. */
bool crew_on_end(struct crew *crew, enum crash_end end, const char *why);

#endif
