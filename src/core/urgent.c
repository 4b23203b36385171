/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Priority and memory of processes that must not wait.
 */

#include "core/urgent.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

void urgent_become(const struct process *process, int priority)
{
    const struct sched_param param = {.sched_priority = priority};
    const struct rlimit all = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    if (sched_setscheduler(0, SCHED_FIFO, &param) < 0)
        log_write(process->logs[0], LOG_LEVEL_DEBUG, "%s has no real-time priority: %s",
                  process->kind, strerror(errno));
    if (setrlimit(RLIMIT_MEMLOCK, &all) < 0 || mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
        log_write(process->logs[0], LOG_LEVEL_DEBUG, "the memory of %s is not locked: %s",
                  process->kind, strerror(errno));
}
