/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CGROUP_H
#define CORE_CGROUP_H

/*
 * Control groups (cgroup v2), where a service manager has given weir a directory of them for its
 * own use, and nowhere else. In there:
 *
 *     D                      marked as delegated by who made it; cgroup_divide() empties it
 *     D/weir                 all of weir's processes but worker
 *     D/jobs/ID              a life of worker, ID being its process id; its user's
 *     D/jobs/ID/worker       the process itself, and programs that are no job's
 *     D/jobs/ID/NAME.N       one program of `worker NAME`, with all that it starts
 *
 * (Version 2 has no processes beside groups that have limits, hence the leaves.) The process lies
 * in a directory of its own user because who moves a process needs rights on what is above both
 * ends. A life is over when its leaf `worker` is empty, and what it leaves is then ended and
 * removed; so a former worker behind an upgrade keeps its groups beside those of the new one.
 *
 * Everything works on descriptors of directories, and a test gives it plain ones. Nothing is kept.
 */

#include "base/err.h"
#include "base/slice.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CGROUP_PATH_MAX = 1024, CGROUP_NAME_LEN = 160 };

/* 0: no limit. */
struct cgroup_limits {
    uint64_t memory_bytes; /* of all its processes together, page cache too; and no swap */
    uint64_t cpu_percent;  /* of one processor */
    uint64_t processes;    /* and threads */
};

/* ---- the directory that is ours -------------------------------------------------------------- */

/*
 * The directory of the group that a process lies in: its /proc/PID/cgroup and /proc/PID/mountinfo.
 * 0, or -1 with why: no version 2, or not to be seen from here.
 */
int cgroup_path(struct slice cgroup, struct slice mountinfo, char ret_path[CGROUP_PATH_MAX],
                struct err *why);
/* Opens it, or, where it is the leaf `weir`, the one above. 0, or -1 with why: nobody has marked it
 * as delegated, by the attribute trusted.delegate or user.delegate. */
int cgroup_open_delegated(const char *path, int *ret_fd, struct err *why);
/*
 * Makes `weir` and moves these processes into it, then `jobs`; whatever of memory, cpu and pids
 * there is has its limits from there on. May be done again. 0 with the descriptor of `jobs`, or -1
 * with err: EBUSY where there are processes of others, who are left alone.
 */
int cgroup_divide(int delegated_fd, const pid_t *pids, size_t n_pids, int *ret_jobs_fd,
                  struct err *err);

/* ---- a life of worker ------------------------------------------------------------------------ */

/* Makes jobs/ID for the process, moves it into its leaf, and gives the directory to the user. 0
 * with its descriptor, or -1 with err. */
int cgroup_life(int jobs_fd, pid_t pid, uid_t uid, gid_t gid, int *ret_fd, struct err *err);
/* Ends and removes what lives left that are over. Returns how many of them are left still. */
unsigned cgroup_sweep(int jobs_fd);
/* Has the group this controller, "memory"? */
bool cgroup_has(int fd, const char *controller);

/* ---- a program ------------------------------------------------------------------------------- */

/* Sets what there is a controller for. 0, or -1 with err. */
int cgroup_limit(int fd, const struct cgroup_limits *limits, struct err *err);
/* Between fork and exec: the calling process joins, by a descriptor of its cgroup.procs. 0 or -1
 * with errno. Async-signal-safe. */
int cgroup_join(int procs_fd);
/* How many of its processes the kernel has killed for want of memory. */
uint64_t cgroup_oom_kills(int fd);
/* Kills all that is in it, where the kernel knows how (5.14). */
void cgroup_kill(int fd);

#endif
