/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_ORPHANS_H
#define WORKER_ORPHANS_H

/*
 * What programs have left behind. A program is killed with its process group, and what made a
 * session of its own is not in there. But each program inherits what loses its parent beneath it
 * (prctl(2) PR_SET_CHILD_SUBREAPER, in run.c), and so does worker:
 *
 *     worker -- program -- shell -- child, setsid()      all is well
 *     worker -- program ----------- child                the shell has ended
 *     worker ---------------------- child                the program has ended
 *
 * So a child of worker that is no program is one that a program has left behind, whatever else
 * runs, and is killed. What has died is reaped.
 *
 * Children are looked at when a program has begun or ended, and each second while there are any.
 *
 * What the death of worker leaves: nothing where weir was started as root, for the kernel then
 * kills all of worker's PID namespace (super/spawn.h). Without root the programs themselves die
 * with worker where that is killed (PR_SET_PDEATHSIG), and what they have started does not.
 */

#include "core/loop.h"
#include <stdbool.h>
#include <sys/types.h>

struct orphans_calls {
    /* Is it a program that runs, and not an orphan? */
    bool (*is_program)(void *ctx, pid_t pid);
    void (*on_kill)(void *ctx); /* one was killed */
    void *ctx;
};

struct orphans;
/* Their end kills each child that is no program any more, and waits for it 0.1 s at most. */
struct orphans *orphans_create(struct loop *loop, const struct orphans_calls *calls);
void orphans_destroy(struct orphans **orphans);
/* A program has begun, or ended. */
void orphans_look(struct orphans *orphans);

#endif
