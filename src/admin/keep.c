/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading and replacing small files.
 */

#include "admin/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define WHERE " in the state directory"

enum { NAME_BYTES = 64 };

static const char *name_of(const char *name, const char *suffix, char buf[NAME_BYTES])
{
    snprintf(buf, NAME_BYTES, "%s%s", name, suffix);
    return buf;
}

static int read_all(int fd, size_t max_bytes, struct text *out)
{
    for (;;) {
        ssize_t n = read(fd, text_reserve(out, 4096), 4096);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return (int)n;
        out->len += (size_t)n;
        if (out->len > max_bytes) {
            errno = EFBIG;
            return -1;
        }
    }
}

int keep_read(int dir_fd, const char *name, size_t max_bytes, struct text *out, struct err *err)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return 1;
    if (fd < 0)
        return err_set_errno(err, errno, "cannot open %s" WHERE, name);
    int result = read_all(fd, max_bytes, out);
    int error = errno;
    close(fd);
    return result < 0 ? err_set_errno(err, error, "cannot read %s" WHERE, name) : 0;
}

static int write_all(int fd, struct slice bytes)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0)
            bytes = slice_skip(bytes, (size_t)n);
    }
    return fsync(fd);
}

int keep_write(int dir_fd, const char *name, struct slice bytes, struct err *err)
{
    char fresh[NAME_BYTES];
    name_of(name, ".new", fresh);
    int fd = openat(dir_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set_errno(err, errno, "cannot make %s" WHERE, fresh);
    int result = write_all(fd, bytes);
    if (result < 0)
        err_set_errno(err, errno, "cannot write %s" WHERE, fresh);
    close(fd);
    if (result < 0)
        return result;
    if (renameat(dir_fd, fresh, dir_fd, name) < 0)
        return err_set_errno(err, errno, "cannot rename %s" WHERE, fresh);
    if (fsync(dir_fd) < 0) /* a rename is only kept when its folder is */
        return err_set_errno(err, errno, "cannot sync the state directory");
    return 0;
}

void keep_set_aside(int dir_fd, const char *name)
{
    char aside[NAME_BYTES];
    renameat(dir_fd, name, dir_fd, name_of(name, ".bad", aside));
}
