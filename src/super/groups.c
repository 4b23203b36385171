/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Control groups for the programs of jobs, where weir's own group was delegated to it
 * (core/cgroup.h). It is divided when the first process that starts such programs is, and not
 * before: elsewhere nobody asked for it.
 */

#include "core/cgroup.h"
#include "super/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES = 64 * 1024 };

static int read_proc(const char *path, char *out, struct slice *ret_bytes, struct err *why)
{
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(why, errno, "cannot open %s", path);
    for (ssize_t n; len < FILE_BYTES && (n = read(fd, out + len, FILE_BYTES - len)) > 0;)
        len += (size_t)n;
    close(fd);
    *ret_bytes = slice_make(out, len);
    return 0;
}

static int find_delegated(char path[CGROUP_PATH_MAX], int *ret_fd, struct err *why)
{
    static char group[FILE_BYTES], mounts[FILE_BYTES];
    struct slice group_bytes, mount_bytes;
    if (read_proc("/proc/self/cgroup", group, &group_bytes, why) < 0 ||
        read_proc("/proc/self/mountinfo", mounts, &mount_bytes, why) < 0 ||
        cgroup_path(group_bytes, mount_bytes, path, why) < 0)
        return -1;
    return cgroup_open_delegated(path, ret_fd, why);
}

static int open_jobs(struct super *super, struct err *why)
{
    char path[CGROUP_PATH_MAX];
    int fd;
    if (super_settings(super)->cgroup == SETTINGS_CGROUP_OFF)
        return err_set(why, "the file says `cgroup off`");
    if (geteuid() != 0)
        return err_set(why, "weir was not started as root");
    if (find_delegated(path, &fd, why) < 0)
        return -1;
    pid_t pids[BOARD_SEGMENTS_MAX + 1] = {getpid()};
    size_t n_pids = 1;
    for (size_t i = 0; i < super->n_children; i++)
        if (child_runs(&super->children[i]))
            pids[n_pids++] = super->children[i].pid;
    int result = cgroup_divide(fd, pids, n_pids, &super->jobs_fd, why);
    close(fd);
    return result;
}

/* "memory, cpu, pids" */
static void describe(int jobs_fd, struct text *out)
{
    static const char *const names[] = {"memory", "cpu", "pids"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (cgroup_has(jobs_fd, names[i]))
            text_printf(out, "%s%s", out->len ? ", " : "", names[i]);
}

static void look(struct super *super)
{
    struct err why = ERR_NONE;
    struct text what = TEXT_NONE;
    super->has_looked_for_groups = true;
    if (open_jobs(super, &why) < 0) {
        log_write(super->log, LOG_LEVEL_INFO,
                  "programs of jobs have no control groups, and rlimits alone bound them: %s",
                  why.text);
        return;
    }
    describe(super->jobs_fd, &what);
    log_write(super->log, LOG_LEVEL_INFO,
              "each program of a job has a control group of its own; what these can bound here: %s",
              what.len ? text_cstr(&what) : "nothing, the kernel offers none of memory, cpu, pids");
    text_deinit(&what);
}

void groups_adopt(struct super *super, const struct child *child)
{
    if (module_process_allows(super->table, child->kind, SANDBOX_EXEC) &&
        !super->has_looked_for_groups)
        look(super);
}

int groups_make(struct super *super, const struct child *child)
{
    struct err err = ERR_NONE;
    int fd = -1;
    if (!module_process_allows(super->table, child->kind, SANDBOX_EXEC))
        return -1;
    groups_adopt(super, child);
    if (super->jobs_fd < 0)
        return -1;
    (void)cgroup_sweep(super->jobs_fd);
    if (cgroup_life(super->jobs_fd, child->pid, super->user.uid, super->user.gid, &fd, &err) < 0)
        log_write(super->log, LOG_LEVEL_ERROR, "programs of jobs have no control groups: %s",
                  err.text);
    return fd;
}

void groups_sweep(struct super *super)
{
    if (super->jobs_fd >= 0)
        (void)cgroup_sweep(super->jobs_fd);
}

void groups_close(struct super *super)
{
    groups_sweep(super);
    if (super->jobs_fd >= 0)
        close(super->jobs_fd);
    super->jobs_fd = -1;
}
