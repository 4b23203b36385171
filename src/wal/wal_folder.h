/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WAL_WAL_FOLDER_H
#define WAL_WAL_FOLDER_H

/*
 * What the tests of the log share: a folder of their own on the real disk, and a log that is driven
 * by hand. Included by tests alone, each of which has one folder from its setup to its teardown.
 *
 *     wal_folder_create()   a new folder beneath the one for temporary files, and its table of file
 *                           functions, which the folder owns
 *     wal_open(), ...       the test's, with folder.disk; closed before the folder goes
 *     wal_run()             the loop and the syncing thread, one after the other
 *     wal_folder_destroy()  the files in it, the table, the folder
 *
 * What cannot be done fails the test.
 */

#include "wal/wal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct wal_folder {
    char path[64];
    struct wal_disk *disk;
};

static inline void wal_folder_create(struct wal_folder *folder)
{
    struct err err = ERR_NONE;
    (void)snprintf(folder->path, sizeof(folder->path), "%s/weir-wal-XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(folder->path));
    assert_int_equal(wal_disk_create(folder->path, &folder->disk, &err), 0);
}

static inline void wal_folder_unlink(void *arg, const char *name)
{
    const struct wal_disk *disk = arg;
    (void)disk->unlink(disk->ctx, name);
}

/* With all that lies in it. */
static inline void wal_folder_destroy(struct wal_folder *folder)
{
    folder->disk->list(folder->disk->ctx, wal_folder_unlink, folder->disk);
    wal_disk_destroy(&folder->disk);
    assert_int_equal(rmdir(folder->path), 0);
}

/* All that there is to do, in this thread: what was appended is durable then, if the disk works. */
static inline void wal_run(struct wal *wal)
{
    wal_flush(wal, true);
    do
        (void)wal_collect(wal);
    while (wal_step(wal) > 0);
    (void)wal_collect(wal);
}

#endif
