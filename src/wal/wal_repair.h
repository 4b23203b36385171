/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WAL_WAL_REPAIR_H
#define WAL_WAL_REPAIR_H

/*
 * A log that a start refuses, made one that it takes, with the least loss. `weir queue repair`
 * calls it.
 *
 * It reads every byte of every segment, and tells of each damage what becomes of it. Without
 * is_mending that is all, and nothing is written: the operator reads first what would go. With it
 *
 *      | record | ????????????? | record |       bytes that are no record, up to the next one,
 *      | record | hole          | record |       become a record that says nothing
 *
 * and header, footer and trailer are written anew from what is there. Between two of its writes the
 * power may go: repairing again goes on from there. What a hole swallowed stays in its payload.
 *
 * The torn end of the last segment is no damage: a start knows what to do with it. Of a file whose
 * header is gone, and no trailer tells what it was, no record can be told from chance: it is set
 * aside under another name (NAME.lost).
 *
 * Ids that a lost record may have had are not given out again: a hole carries the mark. Where the
 * file that is set aside may have been the last, the log goes on in the spare behind it, or in one
 * that is made, and that has the mark before the other goes.
 *
 * Uses the same table of file functions as the log, and takes the log's lock, so that it refuses
 * while a process has it.
 */

#include "wal/wal.h"

enum wal_damage_kind {
    WAL_DAMAGE_RECORDS, /* bytes that are no record: they become a hole */
    WAL_DAMAGE_END,     /* records may have been behind the last whole one; nobody knows */
    WAL_DAMAGE_FILE,    /* no record of it can be told: set aside */
    WAL_DAMAGE_HEADER,  /* written anew, nothing is lost */
    WAL_DAMAGE_FOOTER,  /* footer or trailer: written anew, nothing is lost by it */
};

struct wal_damage {
    enum wal_damage_kind kind;
    uint32_t segment, offset;
    uint32_t n_bytes;
    uint32_t n_records; /* how many were in there; 0: nobody knows */
};

struct wal_repair {
    const struct wal_disk *disk; /* borrowed */
    bool is_mending;
    uint64_t salt; /* random: nobody who chooses payloads may know it */
    void *ctx;
    /* Of each record in a damage, where the footer knows it, before the damage; may be NULL. The
     * log's own types are among them. */
    void (*lose)(void *ctx, uint8_t type, uint64_t key);
    /* Of each damage, in the order of the log; may be NULL. */
    void (*tell)(void *ctx, const struct wal_damage *damage);
};

struct wal_repair_sum {
    uint32_t n_segments, n_damages;
    uint64_t n_records; /* whole ones, the log's own among them */
    uint64_t lost_bytes;
};

/*
 * 0: looked through, and mended where that was asked for. -1: another process has the log (then
 * err->number is EAGAIN), a file is of a version that this weir does not know, longer than it says
 * of itself, or cannot be written.
 */
int wal_repair(const struct wal_repair *repair, struct wal_repair_sum *ret_sum, struct err *err);

#endif
