/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The state directory: made where it is missing, readable by its user alone, and locked, so that
 * one weir works in it.
 */

#include "base/mem.h"
#include "super/internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int make(const char *path, bool *ret_is_new, struct err *err)
{
    *ret_is_new = mkdir(path, 0700) == 0;
    if (*ret_is_new || errno == EEXIST)
        return 0;
    if (errno == ENOENT)
        return err_set(err, "cannot make the state directory %s: the folder above it is missing",
                       path);
    return err_set_errno(
        err, errno, "cannot make the state directory %s (--state DIR chooses another one)", path);
}

/* Nothing lies in it, or weir has been here before: a folder that holds other things is not ours to
 * close to others. */
static bool is_ours(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder)
        return false;
    bool is_empty = true, has_lock = false;
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        is_empty = false;
        has_lock = has_lock || strcmp(entry->d_name, "lock") == 0;
    }
    closedir(folder);
    return is_empty || has_lock;
}

static void name_user(uid_t uid, char *ret_name, size_t cap)
{
    const struct passwd *entry = getpwuid(uid);
    if (entry)
        snprintf(ret_name, cap, "%s", entry->pw_name);
    else
        snprintf(ret_name, cap, "%ju", (uintmax_t)uid);
}

/* What is another user's, whose weir ran here before: as a rule root's. */
static int refuse_foreign(const char *folder, const char *name, struct err *err)
{
    char path[PATH_MAX], owner[64], us[64];
    struct stat now;
    if (snprintf(path, sizeof(path), "%s%s%s", folder, name[0] ? "/" : "", name) >=
            (int)sizeof(path) ||
        lstat(path, &now) < 0 || now.st_uid == geteuid())
        return 0;
    name_user(now.st_uid, owner, sizeof(owner));
    name_user(geteuid(), us, sizeof(us));
    return err_set(err,
                   "the state directory: %s is of user %s, and weir runs as %s: start it as root, "
                   "chown the folder and all in it, or choose another one (--state DIR)",
                   path, owner, us);
}

static int refuse_inside(const char *path, struct err *err)
{
    DIR *folder = opendir(path);
    if (!folder)
        return err_set_errno(err, errno, "cannot open the state directory %s", path);
    int result = 0;
    for (const struct dirent *entry = readdir(folder); entry && result == 0;
         entry = readdir(folder))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = refuse_foreign(path, entry->d_name, err);
    closedir(folder);
    return result;
}

static int take(const char *path, const struct sandbox_user *user, struct err *err)
{
    struct stat now;
    if (stat(path, &now) < 0)
        return err_set_errno(err, errno, "cannot look at the state directory %s", path);
    if (!S_ISDIR(now.st_mode))
        return err_set(err, "the state directory %s is no folder", path);
    if (geteuid() != 0 && refuse_foreign(path, "", err) < 0)
        return -1;
    bool is_owned = geteuid() != 0 || now.st_uid == user->uid;
    if (is_owned && (now.st_mode & 07777) == 0700)
        return 0;
    if (!is_ours(path))
        return err_set(err,
                       "the state directory %s holds other things; --state DIR wants a folder that "
                       "is weir's alone",
                       path);
    if (!is_owned && chown(path, user->uid, user->gid) < 0)
        return err_set_errno(err, errno, "cannot give the state directory %s to its user", path);
    if (chmod(path, 0700) < 0)
        return err_set_errno(err, errno, "cannot close the state directory %s to others", path);
    return 0;
}

static long read_pid(int fd)
{
    char text[32] = "";
    if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
        return 0;
    return strtol(text, NULL, 10);
}

static int lock(const char *path, int *ret_fd, struct err *err)
{
    char name[PATH_MAX];
    if (snprintf(name, sizeof(name), "%s/lock", path) >= (int)sizeof(name))
        return err_set(err, "the path of the state directory is too long");
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set_errno(err, errno, "cannot open %s", name);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            err_set(err,
                    "weir runs already with the state directory %s: pid %ld (`weir stop` ends "
                    "it; --state DIR chooses another one)",
                    path, read_pid(fd));
        else
            err_set_errno(err, errno, "cannot lock %s", name);
        close(fd);
        return -1;
    }
    char pid[32];
    int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)len, 0) != len) {
        err_set_errno(err, errno, "cannot write %s", name);
        close(fd);
        return -1;
    }
    *ret_fd = fd;
    return 0;
}

int state_dir_open(const char *path, const struct sandbox_user *user, char **ret_path, int *ret_fd,
                   int *ret_lock_fd, struct err *err)
{
    bool is_new;
    if (make(path, &is_new, err) < 0)
        return -1;
    if (take(path, user, err) < 0 || (geteuid() != 0 && refuse_inside(path, err) < 0)) {
        if (is_new)
            rmdir(path);
        return -1;
    }
    char *absolute = realpath(path, NULL);
    if (!absolute)
        return err_set_errno(err, errno, "cannot find the state directory %s", path);
    *ret_path = mem_strdup(absolute);
    free(absolute);
    *ret_fd = open(*ret_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret_fd < 0)
        return err_set_errno(err, errno, "cannot open the state directory %s", *ret_path);
    return lock(*ret_path, ret_lock_fd, err);
}
