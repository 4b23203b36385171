/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WAL_WAL_DRIVE_H
#define WAL_WAL_DRIVE_H

/*
 * What makes an open log work in a process: a thread for the syncing side, and a place for the
 * owner's side in an event loop.
 *
 *      the loop                                          the thread
 *   wal_drive_append() ... at the end of the turn ----> write, sync        wal_step()
 *   on_durable(lsn) <------------ loop_post() --------- done
 *   wal_time() by a timer                               asleep             wal_wait()
 *
 * The owner opens the log (wal_open() replays), then the drive; from then on it appends by
 * wal_drive_append() and leaves wal_flush(), wal_collect(), wal_time() and wal_step() to the drive.
 * wal_read(), wal_dead(), wal_id() and wal_facts() stay its own. All of that, and all callbacks, in
 * the loop's thread alone.
 *
 * A commit begins as soon as the disk is idle. What is appended while one is under way gathers for
 * the next, so that fifty writers share a sync without anybody waiting for company: a planned wait
 * of 0.5 or 2 ms before each commit made fifty writers slower by a third and by half. Under
 * WAL_SYNC_ALWAYS a record is handed over as soon as it is appended, otherwise with all others of
 * its turn.
 *
 * Nothing that the disk does stops the loop, but for reads: wal_read(), and the cleaner within its
 * budget, read in the loop's thread what the kernel most often has in memory. Who can come again
 * later asks wal_read_now() first, and has wal_warm.h bring what is not there.
 */

#include "core/loop.h"
#include "wal/wal.h"

struct wal_drive;

struct wal_drive_hooks {
    void *ctx;
    /*
     * All records up to lsn are durable (as the log's enum wal_sync has it). Comes too when only
     * room has changed: whoever was told WAL_BUSY may try again, and WAL_FULL a moment later. May
     * append; may not close the drive.
     */
    void (*on_durable)(void *ctx, uint64_t lsn);
    /* Once: the log has failed, takes nothing any more and acknowledges nothing any more. It can
     * still be read. */
    void (*on_trouble)(void *ctx, const struct err *err);
};

/*
 * Starts the thread, with all signals blocked; capabilities and Landlock rules of the caller are
 * its own, too. The log is borrowed, until wal_drive_close(). 0, or -1 with err.
 */
int wal_drive_open(struct loop *loop, struct wal *wal, const struct wal_drive_hooks *hooks,
                   struct wal_drive **ret_drive, struct err *err);

/* As wal_append(): 0, WAL_BUSY, WAL_FULL or -1; on_durable() comes later, never from within. */
int wal_drive_append(struct wal_drive *drive, const struct wal_record *record,
                     struct wal_place *ret_place, uint64_t *ret_lsn, struct err *err);

/*
 * Writes and syncs what is pending, says so by on_durable(), ends the thread and gives the log
 * back, which the owner closes by wal_close(). *drive becomes NULL, and no callback comes any more.
 *
 * -1: the disk has not answered for timeout_ns. All is as it was, but that nothing more may be
 * appended: try again, or end the process. A NULL drive is fine.
 */
int wal_drive_close(struct wal_drive **drive, uint64_t timeout_ns, struct err *err);

#endif
