/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_INTERNAL_H
#define WORKER_INTERNAL_H

/*
 * The parts of the process `worker` among themselves. It has one loop, which owns all of it:
 *
 *     worker.c    the module's life: files come and go
 *     asks.c      programs that others ask for: checks, vips
 *     crew.c      a `worker` of the file: how many jobs it does
 *     scale.c     the same, by what waits;  scout.c: which the queue says
 *     hand.c      a connection to the queue and its job;  hand_link.c: what is said on it
 *     hand_program.c, hand_serve.c   its program: one of its own, or one that does many jobs
 *     servant.c   a program that does many jobs
 *     launch.c    the program of a worker is started
 *     run.c       a program that runs;  tail.c: what it prints;  orphans.c: what it leaves behind
 *     cell.c      its control group
 *     job_end.c   what the program's end makes of the job;  crash.c: and of the next ones
 */

#include "core/process.h"
#include "core/slabs.h"
#include "worker/asks.h"
#include "worker/cell.h"
#include "worker/conf.h"
#include "worker/crew.h"
#include "worker/servant.h"
#include <stdbool.h>
#include <stdint.h>

struct workshop {
    struct process *process;
    struct loop *loop;
    struct asks *asks;
    struct orphans *orphans;
    struct cells cells;
    struct slabs slabs;
    struct list crews;
    struct shared_slab **coming; /* of the file that is prepared, in its order */
    struct run_user **coming_users;
    size_t n_coming;
    struct loop_timer publish;
    struct loop_timer retired; /* behind an upgrade: what runs still is ended */
    struct addr queue;         /* its socket */
    bool is_draining;          /* the process ends */
    bool is_resting;           /* the node drains: no job is taken */
    uint64_t deadline_ns;
};

/* ---- hand_link.c: a hand's connection -------------------------------------------------------- */

/* Connects; 0, or -1 with err. */
int hand_connect(struct hand *hand, struct err *err);
/* Says a command whose answer belongs to the question; behind `finish` its body. */
void hand_say(struct hand *hand, enum hand_question question,
              const struct jobproto_command *command, struct slice body);
/* The connection is of no use any more: it is closed, and the hand goes on without it. */
void hand_lose_link(struct hand *hand, const char *why);
void hand_close_link(struct hand *hand);

/* ---- hand.c: what is heard ------------------------------------------------------------------- */

void hand_on_reply(struct hand *hand, enum hand_question question, const struct jobreply *reply);
void hand_on_body(struct hand *hand, enum hand_question question, struct slice part, bool is_last);
/* The connection was lost. */
void hand_on_lost(struct hand *hand, const char *why);

/* ---- hand_program.c: its program ------------------------------------------------------------- */

/* Keeps a part of the job for the program. What fails is in hand->why. */
void hand_keep(struct hand *hand, struct slice part);
/* The job is whole: starts its program. */
void hand_begin(struct hand *hand);
/* Its program is over, and fate and why are known. */
void hand_on_program_end(struct hand *hand);
/* Of a job that ended otherwise than well the log tells, with the end of what was printed. */
void hand_log(const struct hand *hand, const struct tail *printed);

/* ---- hand_serve.c: the program that it shares ------------------------------------------------ */

/* The job is whole: gives it to the one that it holds. */
void hand_begin_served(struct hand *hand);
void hand_on_answer(struct hand *hand, const struct jobline *line, const struct tail *output);
void hand_on_progress(struct hand *hand, uint32_t percent, struct slice text);
/* It has ended, and had the job still. */
void hand_on_servant_end(struct hand *hand, const struct program_result *result, const char *why);

#endif
