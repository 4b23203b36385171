/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_USAGE_H
#define ADMIN_USAGE_H

/*
 * What processes cost, from /proc: resident memory and processor time. admin calls it when it puts
 * a view together; nobody keeps anything. The figures are the kernel's own, so that a process that
 * hangs, and answers nothing, is shown as well. Files that cannot be read (a kernel without them, a
 * /proc that hides others) are no error: the figures are then missing, and the views say so.
 */

#include "base/slice.h"
#include <stdint.h>
#include <sys/types.h>

struct usage {
    char name[16]; /* what the kernel calls it: "weir:edge" */
    uint64_t resident_bytes;
    double cpu_s; /* user and system, since it was started */
    uint64_t n_threads;
    double born_s; /* when it was started, on CLOCK_BOOTTIME */
};

/* 0, or -1 where there is no such process (any more). */
int usage_read(pid_t pid, struct usage *ret_usage);

/* Seconds since the machine was started, on the clock of born_s; 0 where that is not told. */
double usage_now_s(void);

/* The line of /proc/PID/stat (proc(5)): 0, or -1 where it is none. Pure, for tests. */
int usage_parse(struct slice line, uint64_t ticks_per_s, uint64_t page_bytes,
                struct usage *ret_usage);

/*
 * The children of a process, as the kernel knows them, so that one that hangs is seen as well: at
 * most max, their number is returned. 0 where the kernel does not tell (it may be built without
 * CONFIG_PROC_CHILDREN).
 */
struct usage_child {
    pid_t pid;
    struct usage usage;
};
size_t usage_children(pid_t parent, struct usage_child *ret_children, size_t max);

#endif
