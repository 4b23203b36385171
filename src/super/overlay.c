/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What was changed at run time, kept in the state directory by admin and read here. The supervisor
 * may be root and admin is not, so a name that leads elsewhere, or a file of somebody else's, is
 * not followed: what is in it could otherwise come out in a message.
 */

#include "super/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME SNAPSHOT_OVERLAY

/* A file that admin can have written, and nobody else's. */
static int check(int state_fd, int fd, struct err *err)
{
    struct stat dir, file;
    if (fstat(state_fd, &dir) < 0 || fstat(fd, &file) < 0)
        return err_set_errno(err, errno, "cannot look at " NAME);
    if (!S_ISREG(file.st_mode))
        return err_set(err, NAME " in the state directory is not a file");
    if (file.st_nlink != 1 || (file.st_uid != dir.st_uid && file.st_uid != geteuid()))
        return err_set(err, NAME " in the state directory belongs to somebody else");
    if (file.st_size > CONF_FILE_MAX)
        return err_set(err, NAME " in the state directory is larger than %d MiB",
                       CONF_FILE_MAX >> 20);
    return 0;
}

static int read_all(int fd, struct text *out, struct err *err)
{
    while (out->len <= CONF_FILE_MAX) {
        ssize_t n = read(fd, text_reserve(out, 4096), 4096);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return err_set_errno(err, errno, "cannot read " NAME);
        out->len += n > 0 ? (size_t)n : 0;
    }
    return err_set(err, NAME " grew while it was read");
}

int overlay_read(const struct super *super, struct text *out, struct err *err)
{
    int fd = openat(super->state_fd, NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return 1;
    if (fd < 0)
        return err_set_errno(err, errno, "cannot open " NAME " in the state directory");
    int result = check(super->state_fd, fd, err);
    if (result == 0)
        result = read_all(fd, out, err);
    close(fd);
    return result;
}

void overlay_set_aside(const struct super *super, const char *why)
{
    log_write(super->log, LOG_LEVEL_ERROR,
              "what was changed at run time cannot be used and is set aside as " NAME ".bad: %s",
              why);
    renameat(super->state_fd, NAME, super->state_fd, NAME ".bad");
}
