/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Files of the kernel's control groups.
 */

#include "core/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LEAF   "weir"
#define JOBS   "jobs"
#define KEEPER "worker"

enum { FILE_BYTES = 4096, CPU_PERIOD_US = 100000 };

static const char *const wanted[] = {"memory", "cpu", "pids"};

/* ---- files ----------------------------------------------------------------------------------- */

/* Returns the bytes, with a NUL behind them; -1 with errno. */
static ssize_t read_file(int dir_fd, const char *name, char *out, size_t cap)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    out[0] = '\0';
    if (fd < 0)
        return -1;
    for (ssize_t n; len + 1 < cap && (n = read(fd, out + len, cap - 1 - len)) > 0;)
        len += (size_t)n;
    close(fd);
    out[len] = '\0';
    return (ssize_t)len;
}

/* 0, or -1 with errno. */
static int write_file(int dir_fd, const char *name, const char *text)
{
    int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = write(fd, text, strlen(text));
    int error = errno;
    close(fd);
    errno = error;
    return n < 0 ? -1 : 0;
}

static int open_dir(int dir_fd, const char *name)
{
    return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* Makes it where it is not there. Returns a descriptor, or -1 with errno. */
static int make_dir(int dir_fd, const char *name)
{
    if (mkdirat(dir_fd, name, 0755) < 0 && errno != EEXIST)
        return -1;
    return open_dir(dir_fd, name);
}

/* "populated 1", or "oom_kill 3", of a file with such lines; 0 where there is none. */
static uint64_t read_figure(int dir_fd, const char *file, const char *key)
{
    char text[1024];
    size_t len = strlen(key);
    if (read_file(dir_fd, file, text, sizeof(text)) < 0)
        return 0;
    for (const char *at = text; at && *at; at = strchr(at, '\n'), at = at ? at + 1 : NULL)
        if (strncmp(at, key, len) == 0 && at[len] == ' ')
            return strtoull(at + len + 1, NULL, 10);
    return 0;
}

/* ---- the directory that is ours -------------------------------------------------------------- */

static struct slice line_of(struct slice *rest)
{
    return slice_cut(rest, '\n');
}

/* "0::/system.slice/weir.service" */
static struct slice own_group(struct slice cgroup)
{
    while (cgroup.ptr) {
        struct slice line = line_of(&cgroup);
        if (slice_starts(line, SLICE("0::/")))
            return slice_skip(line, 3);
    }
    return (struct slice){0};
}

/* "30 22 0:27 ROOT POINT rw,relatime ... - cgroup2 cgroup2 rw" */
static bool read_mount(struct slice line, struct slice *ret_root, struct slice *ret_point)
{
    struct slice word = {0};
    bool is_behind = false;
    for (int i = 0; line.ptr; i++) {
        word = slice_cut(&line, ' ');
        if (i == 3)
            *ret_root = word;
        if (i == 4)
            *ret_point = word;
        if (is_behind)
            return slice_is(word, "cgroup2");
        is_behind = i > 4 && slice_is(word, "-");
    }
    return false;
}

/* What lies beneath the mount; false: it shows another part of the tree. */
static bool strip_root(struct slice group, struct slice root, struct slice *ret_rest)
{
    if (slice_is(root, "/")) {
        *ret_rest = slice_is(group, "/") ? SLICE("") : group;
        return true;
    }
    if (!slice_starts(group, root))
        return false;
    *ret_rest = slice_skip(group, root.len);
    return ret_rest->len == 0 || ret_rest->ptr[0] == '/';
}

int cgroup_path(struct slice cgroup, struct slice mountinfo, char ret_path[CGROUP_PATH_MAX],
                struct err *why)
{
    struct slice group = own_group(cgroup), root = {0}, point = {0}, rest;
    if (!group.ptr)
        return err_set(why, "there are no control groups of version 2");
    while (mountinfo.ptr) {
        if (!read_mount(line_of(&mountinfo), &root, &point) || !strip_root(group, root, &rest))
            continue;
        /* A space in a path is written as \040: none that is ours has one. */
        if (slice_find(point, '\\') < point.len || point.len + rest.len >= CGROUP_PATH_MAX)
            continue;
        snprintf(ret_path, CGROUP_PATH_MAX, "%.*s%.*s", SLICE_ARG(point), SLICE_ARG(rest));
        return 0;
    }
    return err_set(why, "no file system cgroup2 shows the group %.*s", SLICE_ARG(group));
}

static bool is_marked(int fd)
{
    static const char *const marks[] = {"trusted.delegate", "user.delegate"};
    char value[4];
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (fgetxattr(fd, marks[i], value, sizeof(value)) == 1 && value[0] == '1')
            return true;
    return false;
}

int cgroup_open_delegated(const char *path, int *ret_fd, struct err *why)
{
    const char *last = strrchr(path, '/');
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && !is_marked(fd) && last && strcmp(last, "/" LEAF) == 0) {
        int above = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(fd);
        fd = above;
    }
    if (fd < 0)
        return err_set_errno(why, errno, "cannot open the control group %s", path);
    if (!is_marked(fd)) {
        close(fd);
        return err_set(why, "the control group of weir is not delegated to it (Delegate= of its "
                            "unit)");
    }
    *ret_fd = fd;
    return 0;
}

static bool is_among(const pid_t *pids, size_t n_pids, long pid)
{
    for (size_t i = 0; i < n_pids; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

/* Moves what is there; who is about to end does not mind. Where others are in there as well, nobody
 * is moved. 0 or -1. */
static int move_ours(int from_fd, int to_fd, const pid_t *pids, size_t n_pids)
{
    char text[FILE_BYTES], number[32];
    if (read_file(from_fd, "cgroup.procs", text, sizeof(text)) < 0)
        return -1;
    for (int round = 0; round < 2; round++) {
        char *at = text, *end;
        for (long pid = strtol(at, &end, 10); end != at; pid = strtol(at, &end, 10)) {
            snprintf(number, sizeof(number), "%ld", pid);
            if (round == 0 && !is_among(pids, n_pids, pid)) {
                errno = EBUSY;
                return -1;
            }
            if (round == 1)
                (void)write_file(to_fd, "cgroup.procs", number);
            at = end;
        }
    }
    return 0;
}

bool cgroup_has(int fd, const char *controller)
{
    char text[1024];
    (void)read_file(fd, "cgroup.controllers", text, sizeof(text));
    for (char *rest = text, *word; (word = strsep(&rest, " \n"));)
        if (strcmp(word, controller) == 0)
            return true;
    return false;
}

/* Lets the groups in here have limits of what it has itself. */
static int enable(int fd)
{
    char text[64] = "";
    size_t len = 0;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (cgroup_has(fd, wanted[i]))
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s+%s", len ? " " : "",
                                    wanted[i]);
    return len ? write_file(fd, "cgroup.subtree_control", text) : 0;
}

static int leave_for_leaf(int fd, const pid_t *pids, size_t n_pids)
{
    int leaf_fd = make_dir(fd, LEAF);
    if (leaf_fd < 0)
        return -1;
    int result = move_ours(fd, leaf_fd, pids, n_pids);
    int error = errno;
    close(leaf_fd);
    errno = error;
    return result;
}

int cgroup_divide(int delegated_fd, const pid_t *pids, size_t n_pids, int *ret_jobs_fd,
                  struct err *err)
{
    if (leave_for_leaf(delegated_fd, pids, n_pids) < 0 || enable(delegated_fd) < 0)
        return err_set_errno(err, errno, "cannot divide the control group of weir");
    int jobs_fd = make_dir(delegated_fd, JOBS);
    if (jobs_fd < 0 || enable(jobs_fd) < 0) {
        int error = errno;
        if (jobs_fd >= 0)
            close(jobs_fd);
        return err_set_errno(err, error, "cannot make a control group for jobs");
    }
    *ret_jobs_fd = jobs_fd;
    return 0;
}

/* ---- a life of worker ------------------------------------------------------------------------ */

/* What its user may do: make groups, move processes between them, and say what they limit. The
 * limits of the directory itself stay root's. */
static int give(int fd, uid_t uid, gid_t gid)
{
    static const char *const files[] = {"cgroup.procs", "cgroup.threads", "cgroup.subtree_control"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (fchownat(fd, files[i], uid, gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
            return -1;
    return fchown(fd, uid, gid);
}

static int settle(int fd, const char *pid)
{
    int keeper_fd = make_dir(fd, KEEPER);
    if (keeper_fd < 0)
        return -1;
    int result = write_file(keeper_fd, "cgroup.procs", pid);
    int error = errno;
    close(keeper_fd);
    errno = error;
    return result;
}

int cgroup_life(int jobs_fd, pid_t pid, uid_t uid, gid_t gid, int *ret_fd, struct err *err)
{
    char name[32];
    snprintf(name, sizeof(name), "%d", (int)pid);
    int fd = make_dir(jobs_fd, name);
    if (fd >= 0 && settle(fd, name) == 0 && enable(fd) == 0 && give(fd, uid, gid) == 0) {
        *ret_fd = fd;
        return 0;
    }
    int error = errno;
    if (fd >= 0)
        close(fd);
    return err_set_errno(err, error, "cannot make a control group for worker");
}

static bool is_over(int life_fd)
{
    int fd = open_dir(life_fd, KEEPER);
    bool result = fd < 0 || read_figure(fd, "cgroup.events", "populated") == 0;
    if (fd >= 0)
        close(fd);
    return result;
}

/* Calls fn for each directory in it, and returns the sum of what that returns. */
static unsigned each_dir(int dir_fd, unsigned (*fn)(int dir_fd, const char *name))
{
    unsigned sum = 0;
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir && fd >= 0)
        close(fd);
    if (!dir)
        return 0;
    for (const struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            sum += fn(dir_fd, entry->d_name);
    closedir(dir);
    return sum;
}

static unsigned remove_dir(int dir_fd, const char *name)
{
    return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT;
}

static unsigned sweep_life(int jobs_fd, const char *name)
{
    int fd = open_dir(jobs_fd, name);
    if (fd < 0)
        return 0;
    bool is_done = is_over(fd);
    if (is_done) {
        cgroup_kill(fd);
        (void)each_dir(fd, remove_dir);
    }
    close(fd);
    return is_done ? remove_dir(jobs_fd, name) : 0;
}

unsigned cgroup_sweep(int jobs_fd)
{
    return each_dir(jobs_fd, sweep_life);
}

/* ---- a program ------------------------------------------------------------------------------- */

/* Of a controller that is not there nothing is said: its files are missing. */
static int set(int fd, const char *file, const char *text, struct err *err)
{
    if (write_file(fd, file, text) < 0 && errno != ENOENT)
        return err_set_errno(err, errno, "cannot write %s", file);
    return 0;
}

static int limit_memory(int fd, uint64_t bytes, struct err *err)
{
    char text[32];
    snprintf(text, sizeof(text), "%" PRIu64, bytes);
    if (set(fd, "memory.max", text, err) < 0 || set(fd, "memory.swap.max", "0", err) < 0)
        return -1;
    return set(fd, "memory.oom.group", "1", err);
}

int cgroup_limit(int fd, const struct cgroup_limits *limits, struct err *err)
{
    char text[64];
    if (limits->memory_bytes > 0 && limit_memory(fd, limits->memory_bytes, err) < 0)
        return -1;
    snprintf(text, sizeof(text), "%" PRIu64 " %d", limits->cpu_percent * (CPU_PERIOD_US / 100),
             CPU_PERIOD_US);
    if (limits->cpu_percent > 0 && set(fd, "cpu.max", text, err) < 0)
        return -1;
    snprintf(text, sizeof(text), "%" PRIu64, limits->processes);
    return limits->processes > 0 ? set(fd, "pids.max", text, err) : 0;
}

int cgroup_join(int procs_fd)
{
    return write(procs_fd, "0", 1) < 0 ? -1 : 0;
}

uint64_t cgroup_oom_kills(int fd)
{
    return read_figure(fd, "memory.events", "oom_kill");
}

void cgroup_kill(int fd)
{
    (void)write_file(fd, "cgroup.kill", "1");
}
