/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From a program's end to its job's.
 */

#include "worker/job_end.h"

#include <assert.h>

enum job_fate job_fate(const struct program_result *result, bool was_told)
{
    bool has_exited = result->outcome == PROGRAM_EXITED;
    if (has_exited && result->number == 0)
        return JOB_DONE;
    if (has_exited && result->number == JOB_EXIT_BURY)
        return JOB_DEAD;
    if (was_told || result->outcome == PROGRAM_NOT_STARTED)
        return JOB_BACK;
    return JOB_AGAIN;
}

enum jobproto_fail job_fate_fail(enum job_fate fate)
{
    switch (fate) {
    case JOB_AGAIN:
        return JOBPROTO_FAIL_TEMPORARY;
    case JOB_DEAD:
        return JOBPROTO_FAIL_PERMANENT;
    case JOB_BACK:
        return JOBPROTO_FAIL_BACK;
    case JOB_DONE:
    case JOB_N_FATES:
        break;
    }
    assert(false && "a job that is done has not failed");
    return JOBPROTO_FAIL_TEMPORARY;
}

const char *job_fate_name(enum job_fate fate)
{
    static const char *const names[JOB_N_FATES] = {
        [JOB_DONE] = "done",
        [JOB_AGAIN] = "not done",
        [JOB_DEAD] = "buried",
        [JOB_BACK] = "given back",
    };
    return names[fate];
}

enum crash_end job_end_crash(const struct program_result *result, bool was_told, uint64_t lived_ns,
                             uint64_t quick_ns)
{
    if (result->outcome == PROGRAM_NOT_STARTED)
        return CRASH_NOTHING;
    if (result->outcome == PROGRAM_EXITED &&
        (result->number == 0 || result->number == JOB_EXIT_AGAIN ||
         result->number == JOB_EXIT_BURY))
        return CRASH_GOOD;
    return was_told || lived_ns >= quick_ns ? CRASH_SLOW : CRASH_QUICK;
}
