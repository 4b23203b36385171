/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real disk: one directory, its files by openat(2) and the like, so that the process may lose
 * sight of the path (a sandbox) and go on.
 */
#include "wal/wal_disk.h"
#include "base/mem.h"
#include "core/loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct real {
    struct wal_disk disk;
    int dir_fd;
};

static int result_of(long result)
{
    return result < 0 ? -errno : (int)result;
}

static int real_open(void *ctx, const char *name, int is_new)
{
    const struct real *real = ctx;
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (is_new ? O_CREAT | O_TRUNC : 0);
    return result_of(openat(real->dir_fd, name, flags, 0600));
}

static void real_close(void *ctx, int fd)
{
    (void)ctx;
    close(fd);
}

static long real_pwrite(void *ctx, int fd, const void *bytes, size_t len, uint64_t offset)
{
    (void)ctx;
    ssize_t n;
    do
        n = pwrite(fd, bytes, len, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static long real_pread(void *ctx, int fd, void *bytes, size_t len, uint64_t offset)
{
    (void)ctx;
    ssize_t n;
    do
        n = pread(fd, bytes, len, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* A file system that cannot say whether it would wait reads. */
static long real_pread_now(void *ctx, int fd, void *bytes, size_t len, uint64_t offset)
{
    struct iovec part = {.iov_base = bytes, .iov_len = len};
    ssize_t n = preadv2(fd, &part, 1, (off_t)offset, RWF_NOWAIT);
    if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINTR))
        return real_pread(ctx, fd, bytes, len, offset);
    return n < 0 ? -errno : n;
}

/* Not tried again after EINTR: what a sync that was interrupted has done nobody says. */
static int real_fdatasync(void *ctx, int fd)
{
    (void)ctx;
    return result_of(fdatasync(fd));
}

/* A file system that has no such call still takes the zeros that are written afterwards. */
static int real_fallocate(void *ctx, int fd, uint64_t len)
{
    (void)ctx;
    int result;
    do
        result = fallocate(fd, 0, 0, (off_t)len);
    while (result < 0 && errno == EINTR);
    if (result < 0 && errno == EOPNOTSUPP)
        result = ftruncate(fd, (off_t)len);
    return result_of(result);
}

static long real_size(void *ctx, int fd)
{
    (void)ctx;
    struct stat stat;
    return fstat(fd, &stat) < 0 ? -errno : (long)stat.st_size;
}

static int real_rename(void *ctx, const char *from, const char *to)
{
    const struct real *real = ctx;
    return result_of(renameat(real->dir_fd, from, real->dir_fd, to));
}

static int real_unlink(void *ctx, const char *name)
{
    const struct real *real = ctx;
    return result_of(unlinkat(real->dir_fd, name, 0));
}

static int real_list(void *ctx, void (*each)(void *arg, const char *name), void *arg)
{
    const struct real *real = ctx;
    int fd = openat(real->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        int number = errno;
        if (fd >= 0)
            close(fd);
        return -number;
    }
    const struct dirent *entry;
    errno = 0;
    while ((entry = readdir(dir)))
        each(arg, entry->d_name);
    int result = -errno;
    closedir(dir);
    return result;
}

static int real_sync_dir(void *ctx)
{
    const struct real *real = ctx;
    return result_of(fsync(real->dir_fd));
}

static int real_lock(void *ctx)
{
    const struct real *real = ctx;
    return result_of(flock(real->dir_fd, LOCK_EX | LOCK_NB));
}

static void real_unlock(void *ctx)
{
    const struct real *real = ctx;
    (void)flock(real->dir_fd, LOCK_UN);
}

static uint64_t real_now_ns(void *ctx)
{
    (void)ctx;
    return loop_clock_ns();
}

static const struct wal_disk real_table = {
    .open = real_open,
    .close = real_close,
    .pwrite = real_pwrite,
    .pread = real_pread,
    .pread_now = real_pread_now,
    .fdatasync = real_fdatasync,
    .fallocate = real_fallocate,
    .size = real_size,
    .rename = real_rename,
    .unlink = real_unlink,
    .list = real_list,
    .sync_dir = real_sync_dir,
    .lock = real_lock,
    .unlock = real_unlock,
    .now_ns = real_now_ns,
};

/* `name` below parent_fd, made where there is none, its entry synced. */
static int open_dir(int parent_fd, const char *name, int *ret_fd, struct err *err)
{
    bool is_made = mkdirat(parent_fd, name, 0700) == 0;
    if (!is_made && errno != EEXIST)
        return err_set_errno(err, errno, "cannot make the folder %s", name);
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, errno, "cannot open the folder %s", name);
    int up = is_made ? openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int result = 0;
    if (is_made && (up < 0 || fsync(up) < 0))
        result = err_set_errno(err, errno, "cannot sync the folder that %s is in", name);
    if (up >= 0)
        close(up);
    if (result < 0)
        close(fd);
    else
        *ret_fd = fd;
    return result;
}

static int create_at(int parent_fd, const char *name, struct wal_disk **ret_disk, struct err *err)
{
    int fd;
    if (open_dir(parent_fd, name, &fd, err) < 0)
        return -1;
    struct real *real = MEM_NEW(struct real);
    real->disk = real_table;
    real->disk.ctx = real;
    real->dir_fd = fd;
    *ret_disk = &real->disk;
    return 0;
}

int wal_disk_create(const char *path, struct wal_disk **ret_disk, struct err *err)
{
    return create_at(AT_FDCWD, path, ret_disk, err);
}

int wal_disk_create_at(int take_dir_fd, const char *name, struct wal_disk **ret_disk,
                       struct err *err)
{
    int result = create_at(take_dir_fd, name, ret_disk, err);
    close(take_dir_fd);
    return result;
}

void wal_disk_destroy(struct wal_disk **disk)
{
    if (!*disk)
        return;
    struct real *real = (*disk)->ctx;
    close(real->dir_fd);
    mem_free(real);
    *disk = NULL;
}

int wal_disk_write(const struct wal_disk *disk, int fd, const void *bytes, size_t len,
                   uint64_t offset)
{
    const char *at = bytes;
    while (len > 0) {
        long n = disk->pwrite(disk->ctx, fd, at, len, offset);
        if (n <= 0)
            return n < 0 ? (int)n : -EIO;
        at += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

int wal_disk_read(const struct wal_disk *disk, int fd, void *bytes, size_t len, uint64_t offset)
{
    char *at = bytes;
    while (len > 0) {
        long n = disk->pread(disk->ctx, fd, at, len, offset);
        if (n <= 0)
            return n < 0 ? (int)n : -EIO;
        at += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}
