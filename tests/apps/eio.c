/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Makes weir-eio of weir: the same program over a disk that fails when it is told to, for the tests
 * of the queue's log. While the log's folder has a file `eio-write`, whatever is written to a
 * segment ends with EIO, and so does every sync while there is a file `eio-sync`; while there is a
 * file `wait-sync`, a sync does not end.
 *
 * The linker puts __wrap_wal_disk_create_at() in front of the one of src/wal.
 */

#include "wal/wal_disk.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>

static struct wal_disk real;

static bool is_told(void *ctx, const char *name)
{
    int fd = real.open(ctx, name, 0);
    if (fd >= 0)
        real.close(ctx, fd);
    return fd >= 0;
}

static long failing_pwrite(void *ctx, int fd, const void *bytes, size_t len, uint64_t offset)
{
    return is_told(ctx, "eio-write") ? -EIO : real.pwrite(ctx, fd, bytes, len, offset);
}

static int failing_fdatasync(void *ctx, int fd)
{
    while (is_told(ctx, "wait-sync"))
        (void)poll(NULL, 0, 5);
    return is_told(ctx, "eio-sync") ? -EIO : real.fdatasync(ctx, fd);
}

/* Names as the linker makes them. */
int __real_wal_disk_create_at(int take_dir_fd, const char *name, struct wal_disk **ret_disk,
                              struct err *err);
int __wrap_wal_disk_create_at(int take_dir_fd, const char *name, struct wal_disk **ret_disk,
                              struct err *err);

int __wrap_wal_disk_create_at(int take_dir_fd, const char *name, struct wal_disk **ret_disk,
                              struct err *err)
{
    int result = __real_wal_disk_create_at(take_dir_fd, name, ret_disk, err);
    if (result == 0) {
        real = **ret_disk;
        (*ret_disk)->pwrite = failing_pwrite;
        (*ret_disk)->fdatasync = failing_fdatasync;
    }
    return result;
}
