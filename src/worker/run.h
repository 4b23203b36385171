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
 * leaves behind in its group dies with it; what made a session of its own does not. It dies when
 * the process that started it does.
 */

#include "base/err.h"
#include "core/loop.h"
#include "core/program.h"
#include <stdint.h>

enum { RUN_OUTPUT_MAX = 64 * 1024, RUN_FDS_MAX = 1024 };

struct run_spec {
    const char *path;        /* absolute */
    const char *const *argv; /* argv[0] too; ends with NULL */
    const char *const *env;  /* all of it; ends with NULL */
    uint64_t timeout_ns;
};

struct run;
typedef void run_fn(void *ctx, const struct program_result *result);

/* Always comes to fn, once, from the loop, never from within this call. */
struct run *run_start(struct loop *loop, const struct run_spec *spec, run_fn *fn, void *ctx);
/* Kills it; fn comes when it is reaped. */
void run_kill(struct run *run);
/* Kills it; fn does not come. It is reaped when the kernel says that it has ended. */
void run_cancel(struct run **run);

#endif
