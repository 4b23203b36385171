/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SERVANT_H
#define WORKER_SERVANT_H

/*
 * A program that does one job after the other: `serve lines`. It is told of them, and answers, over
 * a socketpair, of which it has one end as standard input and as descriptor 3; what it prints goes
 * into a tail, as that of a program that has one job. The lines are wire/jobline.h.
 *
 *                 {"ready":true}            a hand takes a job           it is given to it
 *     [STARTING] ---------------> [IDLE] <----------------------> [HELD] ---------> [BUSY]
 *         |                         ^ |      the job was lost                        |  |
 *         |                         | |                          its answer          |  |
 *         |                         '-|----------------------------------------------'  |
 *         |  not in time, its end     |  enough jobs or memory, too many of them,       |
 *         |                           v  another program in the file                    v
 *         '----------------------> [ENDING] <-- its answer, where it is to end ---------'
 *
 * A job is taken from the queue only when there is one who is idle, and holds it from then on; so
 * no job waits in here for a program that starts.
 *
 * Each job has the time that `timeout` says, and behind it SIGTERM, grace and SIGKILL end the
 * program and all of its process group; what it answers then is not heard. One that breaks the
 * protocol (a line that is none, that is too long, or about no job that it has) is killed at once,
 * and its job is tried again, with what was wrong as the reason. Where it ends with a job, that is
 * the job's end as if it had been started for it, but for exit status 0: without an answer nothing
 * is done.
 *
 * One that ends by itself between two jobs, as many do after so many, may be given the next one at
 * that very moment: where it exits with 0 and has not read it, the job is given back.
 *
 * One that is idle is ended by the end of its standard input; where that is not enough for `grace`,
 * by SIGTERM, and `grace` later by SIGKILL.
 */

#include "net/conn.h"
#include "wire/jobline.h"
#include "worker/hand.h"
#include "worker/run.h"
#include "worker/tail.h"
#include <stdbool.h>
#include <stdint.h>

enum servant_state {
    SERVANT_STARTING,
    SERVANT_IDLE, /* in crew.idle */
    SERVANT_HELD,
    SERVANT_BUSY,
    SERVANT_ENDING,
};

struct servant {
    struct list node; /* crew.servants */
    struct list idle; /* crew.idle */
    struct crew *crew;
    enum servant_state state;
    struct hand *hand; /* HELD, BUSY; ENDING: whose job it has still, or NULL */
    struct run *run;
    struct conn conn; /* not open: nothing is heard any more */
    struct text in;   /* a line that is not whole */
    struct tail tail; /* of what it prints, since its job began */
    struct loop_timer timer;
    uint64_t started_ns, given_ns;
    uint64_t n_jobs;
    struct text fault;         /* what it did wrong; empty: nothing */
    bool was_ready, was_asked; /* was_asked: to end */
    bool has_unread;           /* its end was closed with something unread, or before it was told */
    bool is_stale;             /* it does no further job */
};

/* Starts one. NULL with err: there are no descriptors for it. */
struct servant *servant_create(struct crew *crew, struct err *err);
/* IDLE: the hand will have a job for it. */
void servant_hold(struct servant *servant, struct hand *hand);
/* HELD: here it is. */
void servant_give(struct servant *servant, const struct jobline_job *job, uint64_t timeout_ns);
/* The hand is no more: HELD, it is idle again; with the job, it is killed. */
void servant_leave(struct servant *servant);
/* It does no further job: where it has none, it ends. */
void servant_dismiss(struct servant *servant);
/* The worker ends, or its job is somebody else's: SIGTERM, and SIGKILL when grace_ns is over, or
 * its own grace where that is shorter. */
void servant_stop(struct servant *servant, uint64_t grace_ns);
/* At once. */
void servant_destroy(struct servant *servant);

static inline bool servant_is_leaving(const struct servant *servant)
{
    return servant->state == SERVANT_ENDING || servant->is_stale;
}

#endif
