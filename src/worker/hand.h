/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_HAND_H
#define WORKER_HAND_H

/*
 * A hand of a worker: one connection to the queue, and at most one job. As many hands have a job as
 * the worker does at a time, and one more asks for the next, where it may do one more.
 *
 *                reserve            RESERVED, its body            stats-job
 *     [ASKING] -----------> [TAKING] ---------------> memfd ----------------> program
 *        ^                                                                      |
 *        |                     finish, fail                                     v
 *        '---------------------------------------- [TELLING] <---- ends ---- [WORKING]
 *                                                                             touch, touch ...
 *
 * Why a connection a job, and not one for all. The queue answers in order, so that a connection
 * that waits for a job can touch none; and a lease is the connection's, so that whatever ends the
 * connection gives back that one job at once and no other. A second connection costs the queue a
 * few hundred bytes; a program costs a thousand times more. A batch would take jobs that nobody
 * does yet.
 *
 * The job lies in a memfd which is the program's standard input: one that does not read it blocks
 * nobody, and one that reads it twice may. What it prints goes into a tail.
 *
 * A worker whose program does many jobs (servant.h) has its hands hold one of those from the moment
 * in which a job is theirs, and give it to it in place of starting a program.
 *
 * The lease is touched at a third of its time. Where the connection ends while the program runs,
 * because the queue starts again, the program goes on and the hand asks for this very job
 * (reserve-job): it is given back to whoever asks first, and a hand with a job asks at once where
 * one without waits a little. Where another has it by then, or the queue is not back in time
 * (`answer`), the job is lost: the program is ended, and nothing is told of it.
 *
 * A hand that asks and shall not any more does not just hang up: a job may be on its way, and the
 * queue would count an attempt that nobody made, perhaps the last. It says `give-back` and ends its
 * sending side, which ends the wait, and reads until that is answered.
 *
 *     the worker stops     SIGTERM, grace, SIGKILL; then `fail ID back`: ready at once, not counted
 *     another build comes  the program goes on, and is told of; no further job is taken
 *     the worker dies      so do its programs and connections: the queue gives the job to another
 */

#include "base/text.h"
#include "net/conn.h"
#include "wire/jobproto_client.h"
#include "worker/job_end.h"
#include "worker/run.h"
#include "worker/tail.h"
#include <stdbool.h>
#include <stdint.h>

enum { HAND_QUESTIONS = 8 };

enum hand_state {
    HAND_ASKING,
    HAND_TAKING,
    HAND_WORKING,
    HAND_TELLING,
    HAND_LEAVING, /* it was asking, and shall not */
    HAND_GONE,    /* freed at the end of the turn */
};

/* What an answer belongs to. */
enum hand_question {
    HAND_WATCH,
    HAND_JOB,
    HAND_JOB_AGAIN, /* its own, behind a lost connection */
    HAND_FIGURES,
    HAND_TOUCH,
    HAND_END,
    HAND_LEAVE,
};

struct crew;

struct hand {
    struct list node; /* crew.hands */
    struct crew *crew;
    enum hand_state state;
    struct loop_task task; /* frees it */

    /* --- the connection --- */
    struct conn conn; /* not open: it was lost, and is tried again */
    struct jobreply_reader reader;
    struct text in;
    enum hand_question asked[HAND_QUESTIONS]; /* in order; the first is being answered */
    uint32_t n_asked;
    char tube[JOBPROTO_TUBE_MAX + 1]; /* that it watches */
    struct loop_timer patience;       /* the queue is silent */
    struct loop_timer again;          /* connects, or tells, once more; has left for long enough */
    uint64_t lost_ns;                 /* since when it is not told what it wants to be; 0: it is */

    /* --- the job --- */
    uint64_t id, attempt, ttr_s;
    int body_fd;      /* -1: none, or what was wrong with it is in `why` */
    struct text body; /* is_served: in place of it */
    struct text figures;
    struct loop_timer touch;
    struct run *run;         /* WORKING, one of its own; or NULL */
    struct servant *servant; /* TAKING, WORKING; NULL: none, or it has ended */
    struct tail tail;        /* what the program printed, or its answer: the result */
    bool is_served;
    uint64_t started_ns;
    bool was_told;    /* to end, because the worker does */
    bool is_given_up; /* somebody else has the job; the program still runs */

    /* --- its end --- */
    enum job_fate fate;
    struct text why;
    bool is_result_refused;
};

/* Connects, and asks for a job. NULL with err: the queue is not there. */
struct hand *hand_create(struct crew *crew, struct err *err);
/* ASKING again, on the same connection, which watches the crew's queue still. */
void hand_ask(struct hand *hand);
/* It has no job, or does not know it yet, and ends. */
void hand_dismiss(struct hand *hand);
/* The worker ends: so does the program, within grace_ns, and the job is given back. */
void hand_stop(struct hand *hand, uint64_t grace_ns);
/* At once, whatever it does. */
void hand_destroy(struct hand *hand);

static inline bool hand_has_job(const struct hand *hand)
{
    return hand->state != HAND_ASKING && hand->state != HAND_LEAVING && hand->state != HAND_GONE;
}

#endif
