/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PROCESS_H
#define CORE_PROCESS_H

/*
 * One of weir's processes, seen from inside: the context that everything in it hangs from. The
 * supervisor starts it by executing the same binary; over its control socket come the sealed
 * bundle, the board's segments, the log's memory and the listening sockets; core/process.c makes
 * the loops (a thread each, loop 0 in the main thread), starts the modules that live in this kind
 * of process, closes the sandbox, and answers prepare, commit, drain and stop until the end.
 *
 *     supervisor ==control socket==> loop 0 -> modules' start / prepare / commit / drain / stop
 *     admin      ==query socket====> loop 0 -> modules' status
 *
 * Everything here is called in loop 0's thread unless it says otherwise.
 */

#include "core/board.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/module.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct process {
    const char *kind; /* "edge" */
    const struct module_table *table;
    struct board *board;
    struct loop *loops[BOARD_LOOPS_MAX];
    struct log *logs[BOARD_LOOPS_MAX]; /* one a loop */
    uint32_t n_loops;
    uint64_t seed;         /* random, for hash keys and jitter; new in each life */
    struct snapshot *snap; /* the committed one; loop 0's view, a reference is held */
    /* Nobody had the segment on this board before. What another build has published may lie in it
     * all the same: an upgrade begins with a board of its own and takes facts and counters over. */
    bool is_first_life;
    bool is_draining;
    /*
     * The state directory, for those whose sandbox has SANDBOX_STATE_FILES or
     * SANDBOX_STATE_SOCKETS; -1 for the others. Its path may lead through folders that the
     * process's user may not enter.
     */
    int state_fd;
    /* Where its programs get control groups (core/cgroup.h), for those that may start some; -1:
     * there is no such place. */
    int groups_fd;
    bool is_former; /* draining because another build has taken its place */
};

/* The loop's own log and process, from any loop's callbacks. */
struct process *process_of(const struct loop *loop);
struct log *process_log(const struct loop *loop);

/*
 * A socket that a module wanted (struct socket_want) in the snapshot that is being prepared or is
 * in use, for loop i (0 where the want was not per loop): a descriptor that stays the process's, or
 * -1. It is closed by core when a committed snapshot no longer wants it; modules disarm it in
 * commit.
 */
int process_socket(struct process *process, const char *name, uint32_t loop_index);

/*
 * Runs fn(loop, ctx) once in each loop's thread (in loop 0's at once) and calls done in loop 0 when
 * the last has run; done may be NULL. For commit: a module hands each loop its share.
 */
typedef void process_each_fn(struct loop *loop, void *ctx);
void process_each_loop(struct process *process, process_each_fn *fn, void *ctx,
                       void (*done)(struct process *process, void *ctx));

/* Changes of facts, called for each transition of every segment; set by a module in start().
 * Several modules may; all are called, in loop 0. `lost` as in board_changes(). */
void process_watch(struct process *process,
                   void (*fn)(void *ctx, const struct board_change *change),
                   void (*lost)(void *ctx, size_t segment), void *ctx);

/*
 * A named blob of the bundle ("hosts", "resolv.conf", or the name of a struct file_want), valid
 * until the next commit; empty when absent. During prepare() it is that of the bundle being
 * prepared.
 */
struct slice process_blob(struct process *process, const char *name);

/* The life of a process that was started with `weir --process`; returns its exit status. */
int process_main(const struct module_table *table, int argc, char **argv);

#endif
