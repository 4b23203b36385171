/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_RUN_H
#define WORKER_RUN_H

/*
 * One program that runs: started in a session of its own, with nothing of ours but the end of a
 * pipe for what it prints, and ended with all that it has started in its process group.
 *
 *     run_start -> fork -> setsid, exec --------> the program
 *        |                                          | stdout, stderr
 *        |  pidfd: it has ended  <------------------+-> pipe: the first line is kept, the rest read
 *        |  timer: its time is over                     and thrown away, RUN_OUTPUT_MAX at most
 *        v
 *     SIGKILL to the group, waitid, fn()
 *
 * It is told by its pidfd, so that no signal is waited for and no other child is reaped. What it
 * leaves behind in its group dies with it; the rest is worker/orphans.h. It dies when the process
 * that started it does.
 *
 * The program of a job has a manner of its own (struct run_manner): it reads the job, all that it
 * prints is read and the end of it kept, and it is asked to end before it is killed:
 *
 *     time is over, run_stop() --> SIGTERM to the program alone --> grace --> SIGKILL to the group
 *
 * To the program alone, because it may need what it has started in order to end well. One that does
 * many jobs is_served: what it reads is a socket, which it has as RUN_ANSWER_FD too, and each job
 * has a time of its own.
 */

#include "base/err.h"
#include "core/loop.h"
#include "core/program.h"
#include "worker/cell.h"
#include "worker/tail.h"
#include "worker/user.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { RUN_OUTPUT_MAX = 64 * 1024, RUN_FDS_MAX = 1024, RUN_ANSWER_FD = 3 };

struct run_spec {
    const char *path;                /* absolute */
    const char *const *argv;         /* argv[0] too; ends with NULL */
    const char *const *env;          /* all of it; ends with NULL */
    uint64_t timeout_ns;             /* 0: none yet, see run_limit() */
    const struct run_manner *manner; /* NULL: that of a check; not needed after run_start() */
};

struct run_manner {
    int input_fd;       /* what it reads; the caller's, as before */
    bool is_served;     /* and answers on, as RUN_ANSWER_FD */
    const char *folder; /* in which it starts; absolute */
    mode_t umask;
    uint64_t grace_ns;
    struct tail *tail;           /* of what it prints; outlives the run */
    const struct run_user *user; /* NULL: whom worker is */
    /* rlimits; 0: as worker has it */
    uint64_t memory_bytes, cpu_s, processes, files, file_bytes;
    struct cell *take_cell; /* its control group, which the run takes; NULL: it has none */
};

struct run;
typedef void run_fn(void *ctx, const struct program_result *result);

/* Always comes to fn, once, from the loop, never from within this call. */
struct run *run_start(struct loop *loop, const struct run_spec *spec, run_fn *fn, void *ctx);
/* Kills it; fn comes when it is reaped. */
void run_kill(struct run *run);
/* Asks it to end, and kills it when grace_ns is over, or the grace that it has where that is
 * shorter; fn comes when it is reaped. */
void run_stop(struct run *run, uint64_t grace_ns);
/* It has so long from now; 0: as long as it likes. Where it has been asked to end: nothing. */
void run_limit(struct run *run, uint64_t timeout_ns);
/* Is its time over? */
bool run_is_late(const struct run *run);
/* 0: none could be made. */
pid_t run_pid(const struct run *run);
/* In fn: did it take a SIGKILL? */
bool run_was_killed(const struct run *run);
/* Kills it; fn does not come. It is reaped when the kernel says that it has ended. */
void run_cancel(struct run **run);

#endif
