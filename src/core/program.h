/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PROGRAM_H
#define CORE_PROGRAM_H

/*
 * The request to start a program. One process alone starts programs, `worker`, and only those that
 * its own copy of the configuration names: whoever wants one names the thing that it belongs to,
 * never a path. The supervisor makes a socketpair between worker and each process whose module says
 * starts_programs, and makes it anew whenever one of both is started again; so nothing is looked
 * for and nothing is polled, and a worker that died is known at once.
 *
 *     health                                              worker
 *       | -- 'S' id "check" "web/app1" "10.0.0.1" "80" -->  |   starts what the file names there
 *       | <- 'R' id outcome number line ------------------  |
 *       | -- 'C' id --------------------------------------> |   nobody waits any more: kills it
 *
 * One packet each on SOCK_SEQPACKET; both ends are the same binary, and both check every length.
 * The texts behind 'S' are each ended by a NUL. The worker's own time-out ends a program;
 * PROGRAM_LOST is for a worker that hangs. What the texts mean is told by the module whose word
 * names the program: struct module's program().
 */

#include "base/arena.h"
#include "base/slice.h"
#include "base/text.h"
#include "conf/schema.h"
#include "core/process.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    PROGRAM_TEXTS_MAX = 8,
    PROGRAM_PACKET_MAX = 1024,
    PROGRAM_LINE_MAX = 128, /* of its output, with the NUL */
};

enum program_outcome {
    PROGRAM_EXITED,      /* number: its status */
    PROGRAM_SIGNALED,    /* number: the signal */
    PROGRAM_LATE,        /* killed when its time was over */
    PROGRAM_NOT_STARTED, /* number: errno */
    PROGRAM_REFUSED,     /* too many run */
    PROGRAM_UNKNOWN,     /* worker's configuration names none there (yet) */
    PROGRAM_LOST,        /* there is no worker, or it died, or does not answer */
    PROGRAM_N_OUTCOMES
};

struct program_result {
    enum program_outcome outcome;
    int32_t number;
    int64_t
        overrun_bytes; /* SIGNALED: the kernel did it, for more memory than so much; 0: not so */
    char line[PROGRAM_LINE_MAX]; /* the first line of its output: printable, maybe cut */
};

/* "exit status 3", "ended by SIGSEGV", "killed: more than 256M of memory (cgroup)",
 * "killed after 10s", "not started: Permission denied" */
void program_describe(const struct program_result *result, int64_t timeout_ms, struct text *out);

/* --- asking ----------------------------------------------------------------------------------- */

struct program_run;
typedef void program_fn(void *ctx, const struct program_result *result);

/*
 * texts[0..n_texts): what to start, see worker/worker.h; together they fit a packet (asserted). fn
 * comes once, from loop 0, never from within this call; with PROGRAM_LOST after limit_ms at the
 * latest.
 */
struct program_run *program_start(struct process *process, const char *const *texts, size_t n_texts,
                                  int64_t limit_ms, program_fn *fn, void *ctx);
/* Ends it without a callback. NULL is fine. */
void program_cancel(struct program_run **run);

/* --- what is started -------------------------------------------------------------------------- */

/* Every program gets it in its environment. */
#define PROGRAM_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* argv of a program and its arguments (of struct slice), for struct program_plan. */
const char *const *program_argv(struct slice program, const struct conf_list *arguments,
                                struct arena *arena);

/* --- serving: worker -------------------------------------------------------------------------- */

/* Who asked for what: a link's number, which no later link has, and the asker's number on it. */
struct program_ticket {
    uint64_t link, id;
};

struct program_calls {
    void (*start)(void *ctx, struct program_ticket ticket, const struct slice *texts,
                  size_t n_texts);
    void (*cancel)(void *ctx, struct program_ticket ticket);
    /* The asker is gone: all tickets of the link are cancelled. */
    void (*gone)(void *ctx, uint64_t link);
};

/* From now on asks come to `calls`. In start(). */
void program_serve(struct process *process, const struct program_calls *calls, void *ctx);
/* Where the link is gone: nothing. */
void program_answer(struct process *process, struct program_ticket ticket,
                    const struct program_result *result);

#endif
