/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPER_TOOL_H
#define SUPER_TOOL_H

/*
 * Executes a binary that is held open, so that what was checked is what runs, whatever stands under
 * its path by then.
 */

#include "base/err.h"
#include "super/handover.h"
#include <sys/types.h>

struct tool {
    int binary_fd;
    char *const *argv;
    int out_fd;                /* standard output and error; -1: as ours */
    const struct fd_list *fds; /* inherited; NULL: none */
    bool has_group;            /* gets a process group of its own */
};

/* Starts it; it dies with us. 0, or -1 with err. */
int tool_start(const struct tool *tool, pid_t *ret_pid, struct err *err);
/* Becomes it; returns only when that failed: -1 with err. */
int tool_become(const struct tool *tool, struct err *err);

#endif
