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

/*
 * All or nothing: with a limit left, what the process maps later would be refused, which is worse
 * than to wait for a page. (Much of what is mapped is shared, and counts whole.)
 */
static int lock_memory(void)
{
    const struct rlimit all = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    if (setrlimit(RLIMIT_MEMLOCK, &all) < 0)
        return -1;
    return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

void urgent_become(const struct process *process, int priority)
{
    const struct sched_param param = {.sched_priority = priority};
    if (sched_setscheduler(0, SCHED_FIFO, &param) < 0)
        log_write(process->logs[0], LOG_LEVEL_INFO,
                  "%s has no real-time priority (%s): CAP_SYS_NICE or RLIMIT_RTPRIO would give it",
                  process->kind, strerror(errno));
    if (lock_memory() < 0)
        log_write(process->logs[0], LOG_LEVEL_INFO,
                  "the memory of %s is not locked (%s): CAP_SYS_RESOURCE or an unlimited "
                  "RLIMIT_MEMLOCK would allow it",
                  process->kind, strerror(errno));
}
