/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CELL_H
#define WORKER_CELL_H

/*
 * A program's control group (core/cgroup.h), from before its fork until nothing is left in it:
 *
 *     cell_make -> fork, cell_join, exec -> the program ends -> cell_leave: kill, rmdir
 *                                                                   |  not empty yet
 *                                                                   v
 *                                                     cells_tidy, again and again
 *
 * The rlimits of struct run_manner hold for each process; the group for all of a program's
 * together, also for those that have made a session of their own.
 */

#include "base/list.h"
#include "core/cgroup.h"
#include <stdbool.h>

struct cells {
    int fd; /* the directory, or -1: none was given to us */
    struct list cells;
    uint64_t n_made;
};

struct cell;

/* The descriptor stays the caller's. */
void cells_init(struct cells *cells, int fd);
void cells_deinit(struct cells *cells);
/* Removes what has become empty. */
void cells_tidy(struct cells *cells);

/* 1 and a cell; 0: there are no groups here; -1 with err. */
int cell_make(struct cells *cells, const char *name, const struct cgroup_limits *limits,
              struct cell **ret_cell, struct err *err);
/* In the child, before anything else. 0, or -1 with errno. */
int cell_join(const struct cell *cell);
/* Kills what is in it. */
void cell_kill(const struct cell *cell);
/* Has the kernel killed it for what it took of memory? Returns the limit in bytes, or 0. */
uint64_t cell_overrun(const struct cell *cell);
/* The program has ended. NULL is fine. */
void cell_leave(struct cell **cell);

#endif
