/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WAL_WAL_DISK_H
#define WAL_WAL_DISK_H

/*
 * All that the log does to files, as a table: the real disk below one directory, or one that is
 * simulated with all that can go wrong. Names are those of files in the directory,
 * without a slash. Every function returns 0 or more, or -errno; EINTR is not among them.
 *
 * Called from two threads at once, never with the same descriptor in a way that matters: only the
 * syncing side writes, syncs, makes, renames and removes once the log is open.
 */

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

struct wal_disk {
    void *ctx;
    /* Reading and writing; is_new: made, empty. Returns a descriptor. */
    int (*open)(void *ctx, const char *name, int is_new);
    void (*close)(void *ctx, int fd);
    /* Bytes written or read, which may be fewer than asked for; a read returns 0 at the end. */
    long (*pwrite)(void *ctx, int fd, const void *bytes, size_t len, uint64_t offset);
    long (*pread)(void *ctx, int fd, void *bytes, size_t len, uint64_t offset);
    /* As pread(), of what is in memory: -EAGAIN where the disk would be waited for. */
    long (*pread_now)(void *ctx, int fd, void *bytes, size_t len, uint64_t offset);
    int (*fdatasync)(void *ctx, int fd);
    /* Room for the file's first len bytes; the file is that long afterwards. */
    int (*fallocate)(void *ctx, int fd, uint64_t len);
    long (*size)(void *ctx, int fd);
    int (*rename)(void *ctx, const char *from, const char *to);
    int (*unlink)(void *ctx, const char *name);
    /* Calls each(arg, name) for every file, in any order. */
    int (*list)(void *ctx, void (*each)(void *arg, const char *name), void *arg);
    int (*sync_dir)(void *ctx);
    /* Keeps every other process out until the log is closed. */
    int (*lock)(void *ctx);
    void (*unlock)(void *ctx);
    uint64_t (*now_ns)(void *ctx); /* for measuring; never goes back */
};

/*
 * The real one below the directory `path`, made (0700) where there is none, or below an open
 * directory. Destroyed after the log is closed.
 */
int wal_disk_create(const char *path, struct wal_disk **ret_disk, struct err *err);
/* fd of a directory, taken over; `name` below it is made where there is none. */
int wal_disk_create_at(int take_dir_fd, const char *name, struct wal_disk **ret_disk,
                       struct err *err);
void wal_disk_destroy(struct wal_disk **disk);

/* All of it, going on after a short write or read; 0 or -errno (EIO where a file ends early). */
int wal_disk_write(const struct wal_disk *disk, int fd, const void *bytes, size_t len,
                   uint64_t offset);
int wal_disk_read(const struct wal_disk *disk, int fd, void *bytes, size_t len, uint64_t offset);

#endif
