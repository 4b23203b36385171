/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_END_H
#define WORKER_JOB_END_H

/*
 * How a program ended, and what that makes of its job:
 *
 *     exit status 0            done: what it printed is the result
 *     exit status 75           tried again (sysexits.h EX_TEMPFAIL): the queue's policy says when
 *     exit status 100          dead
 *     any other, a signal      tried again, and the reason is kept with the job
 *     its time was over        likewise
 *     not executed             given back: the job has nothing to do with it
 *     it was told to end       given back, unless it ended with 0 or 100 all the same
 *
 * Given back means that the job is ready at once and the attempt does not count.
 */

#include "core/program.h"
#include "wire/jobproto.h"
#include "worker/crash.h"
#include <stdbool.h>
#include <stdint.h>

enum { JOB_EXIT_AGAIN = 75, JOB_EXIT_BURY = 100 };

enum job_fate { JOB_DONE, JOB_AGAIN, JOB_DEAD, JOB_BACK, JOB_N_FATES };

/* was_told: worker stops, and had told it to end. */
enum job_fate job_fate(const struct program_result *result, bool was_told);
/* What `fail` says of a fate other than JOB_DONE. */
enum jobproto_fail job_fate_fail(enum job_fate fate);
/* "done", "tried again", "buried", "given back" */
const char *job_fate_name(enum job_fate fate);
/* What the program's end says of the program itself. */
enum crash_end job_end_crash(const struct program_result *result, bool was_told, uint64_t lived_ns,
                             uint64_t quick_ns);

#endif
