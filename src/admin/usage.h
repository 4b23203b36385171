/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_USAGE_H
#define ADMIN_USAGE_H

/*
 * What a process costs, from /proc: resident memory and processor time.
 */

#include "base/slice.h"
#include <stdint.h>
#include <sys/types.h>

struct usage {
    uint64_t resident_bytes;
    double cpu_s; /* user and system, since it was started */
    uint64_t n_threads;
};

/* 0, or -1 where there is no such process (any more). */
int usage_read(pid_t pid, struct usage *ret_usage);

/* The line of /proc/PID/stat (proc(5)): 0, or -1 where it is none. Pure, for tests. */
int usage_parse(struct slice line, uint64_t ticks_per_s, uint64_t page_bytes,
                struct usage *ret_usage);

#endif
