/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WAL_WAL_H
#define WAL_WAL_H

/*
 * The durable log under the queue and the store: what it has acknowledged is on the disk. It knows
 * nothing of jobs: a record is a type, a key of 64 bits and bytes, and the owner says what lives.
 *
 *      the owner's loop                            the syncing side (one thread)
 *   wal_append() -> batch --- wal_flush() --->  pwrite, pwrite, fdatasync       wal_step()
 *   wal_collect() <----------- notify() ------  "durable up to lsn"
 *                                                next segment made, dead one removed, between
 *
 *   STATE/queue/  00000007.wal 00000009.wal 0000000a.wal | 0000000b.wal 0000000c.wal
 *                 sealed: records, footer      the active   spare: empty, written with zeros
 *
 * Everything but wal_step() belongs to one thread, the owner's. wal_step() does a piece of the
 * syncing side's work and may run in another thread, with wal_wait() between;
 * tests and simulations call both from one, in any order, without a clock and without chance.
 *
 * Place and lsn. A record lies in a segment at an offset: its place, 12 bytes that the owner keeps
 * and reads the record back by. The lsn is where it ends, (segment << 32 | offset), so it only
 * grows. What wal_collect() returns as durable covers every record whose lsn is not above it.
 *
 * Head and body. A record's head (at most WAL_HEAD_MAX bytes) lies in the segment's footer too: it
 * is what a start shows the owner, so that bodies are not read. Bodies are read by wal_read().
 *
 * What is dead. The owner says so by wal_dead(), in the replay as well as in life; the accounting
 * is in memory alone and is the same after a restart, because the replay shows every record and the
 * owner finds the same of them dead. A *note* (a deletion) says of one place that the record of its
 * key there, and any before it, is gone. It has to be kept as long as the segment of that place is
 * there, and the log sees to that alone. Notes may be replayed later than they were written:
 * they are about places, so that an owner whose present place of the key is above note->kills
 * ignores it (wal_place_order()).
 *
 * The cleaner takes one sealed segment, the one with least that lives, asks the owner of each
 * record, has the living ones appended again by the owner (who may write something newer instead),
 * and when all of it is durable gives the segment back. It keeps what is dead under half, and under
 * an eighth where room is short; where even deletions find no room, any gain will do.
 * A copy may be replayed beside its original after a crash, the original first: the later replaces.
 *
 * Errors. The first write or sync that fails ends the log for good: nothing is taken any more,
 * nothing is acknowledged any more, and a descriptor whose sync failed is not synced again (the
 * kernel would say that all is well). A full disk is no such error: the log keeps spare segments,
 * of which two are for deletions and the cleaner alone.
 *
 * A start takes what lies behind the last whole record of the last segment for the torn end of a
 * write that nobody was told of, unless a later record says that it was durable. Anything else that
 * is wrong refuses the start. docs/formats/wal.md has the bytes.
 */

#include "base/err.h"
#include "base/hist.h"
#include "base/slice.h"
#include "wal/wal_disk.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WAL_HEAD_MAX = 240,              /* bytes */
    WAL_PAYLOAD_MAX = (1 << 24) - 1, /* head and body together, bytes */
    WAL_SEGMENT_MIN = 4096,
    WAL_SEGMENT_MAX = 1 << 30,
    WAL_SEGMENT_DEFAULT = 64 << 20,
    WAL_IDS_AHEAD = 1 << 20, /* ids that a start may skip */
};

/* The owner's types; those below are the log's own. */
enum { WAL_TYPE_FIRST = 16, WAL_TYPE_NOTE = 128, WAL_TYPE_LAST = 255 };

struct wal;

struct wal_place {
    uint32_t segment; /* 0: no place */
    uint32_t offset;
    uint32_t length : 24; /* head and body */
    uint32_t n_head : 8;
};

/* Below, equal, above 0: where a lies as to b. */
static inline int wal_place_order(struct wal_place a, struct wal_place b)
{
    uint64_t x = (uint64_t)a.segment << 32 | a.offset, y = (uint64_t)b.segment << 32 | b.offset;
    return (x > y) - (x < y);
}

/* Is the record there among those up to lsn, which wal_collect() has returned? */
static inline bool wal_place_is_within(struct wal_place place, uint64_t lsn)
{
    return ((uint64_t)place.segment << 32 | place.offset) < lsn;
}

/* Who may use what is kept for a full disk. */
enum wal_class {
    WAL_NEW,    /* refused while room is short */
    WAL_MORE,   /* what a change brings along that lives on: may use half of what a change may */
    WAL_CHANGE, /* deletions and changes of what is there: may use one segment of the reserve */
    WAL_MOVE,   /* what the cleaner asks for: all of it */
};

struct wal_record {
    uint8_t type;
    enum wal_class class;
    bool is_lazy; /* rides along with what is written next, at most lazy_ns later */
    uint64_t key;
    struct slice head, body;
    struct wal_place kills; /* of a note: what it says is gone */
};

/* What a replay or the cleaner shows; head lives until the callback returns. */
struct wal_found {
    uint8_t type;
    uint64_t key;
    struct slice head;
    struct wal_place place;
    struct wal_place kills; /* of a note: segment and offset */
};

struct wal_owner {
    void *ctx;
    /* Every record, in the order of the log. wal_dead() may be called, of this and former places;
     * nothing may be appended. Negative, with err: the start fails. */
    int (*replay)(void *ctx, struct wal *wal, const struct wal_found *found, struct err *err);
    /* Does this record (no note) still count? */
    bool (*is_live)(void *ctx, const struct wal_found *found);
    /*
     * It does, and its segment shall go: append it, or something newer that replaces it, with
     * class WAL_MOVE, and take over the new place. What wal_append() returned is passed on.
     */
    int (*move)(void *ctx, struct wal *wal, const struct wal_found *found, struct slice body,
                struct err *err);
};

enum wal_sync {
    WAL_SYNC_GROUP,    /* durable = synced; records go to the disk when wal_flush() says so */
    WAL_SYNC_ALWAYS,   /* durable = synced; each record is handed over as it is appended */
    WAL_SYNC_INTERVAL, /* "durable" = written; synced by a timer */
    WAL_SYNC_OFF,      /* "durable" = written; synced when a segment is full */
    WAL_SYNCS          /* how many */
};

/* "group", "always", "interval", "off". */
const char *wal_sync_name(enum wal_sync sync);
/* What is called durable survives the loss of power. */
static inline bool wal_sync_is_durable(enum wal_sync sync)
{
    return sync == WAL_SYNC_GROUP || sync == WAL_SYNC_ALWAYS;
}

/* For tests alone: bits of what a log does not do. */
enum wal_rule {
    WAL_RULE_DATA_SYNC = 1 << 0, /* records are synced */
    WAL_RULE_DIR_SYNC = 1 << 1,  /* so is the directory */
    WAL_RULE_ACK_LAST = 1 << 2,  /* "durable" is said after the sync */
    WAL_RULE_SEED = 1 << 3,      /* checksums begin with segment and offset */
    WAL_RULE_WIPE = 1 << 4,      /* what is behind the torn end is wiped out */
    WAL_RULE_GATE = 1 << 5,      /* a segment goes when what replaces it is durable */
    WAL_RULE_RESUME = 1 << 6,    /* a half cleaned segment is cleaned first */
    WAL_RULE_NOTES = 1 << 7,     /* notes are kept as long as their segment */
    WAL_RULE_SEAL = 1 << 8,      /* a segment is synced before it is sealed, and sealed before */
                                 /* the next is written */
    WAL_RULE_ENTER = 1 << 9,     /* WAL_MORE is taken where WAL_NEW is not */
    WAL_RULE_LEAVE = 1 << 10,    /* WAL_MORE leaves half of its room to WAL_CHANGE */
    WAL_RULE_PRESS = 1 << 11,    /* a deletion that finds no room makes the cleaner content with */
                                 /* the least gain */
    WAL_RULES = 12               /* how many */
};

struct wal_options {
    const struct wal_disk *disk; /* borrowed */
    struct wal_owner owner;
    enum wal_sync sync;
    uint32_t segment_bytes; /* a multiple of 4096; an existing log keeps the size of its segments */
    uint32_t segments_max;  /* files, spare ones too; at least 6. 0: no limit but the disk's */
    uint32_t open_max;      /* descriptors of sealed segments kept open; at least 1 */
    size_t pending_max_bytes; /* appended and not yet written, above which WAL_BUSY is said */
    uint64_t interval_ns;     /* of WAL_SYNC_INTERVAL */
    uint64_t lazy_ns;         /* how long a lazy record may wait */
    uint64_t idle_ns;         /* so long after the last append the end is marked as durable */
    uint64_t clean_bytes_per_s;
    uint64_t ids_ahead; /* WAL_IDS_AHEAD */
    uint64_t salt;      /* random: nobody who chooses payloads may know it */
    uint32_t rules_off; /* of enum wal_rule; 0 but in tests */
};

/* All defaults but disk, owner and salt. */
struct wal_options wal_options_default(void);

/* What wal_append() and wal_clean() say beside 0 and -1. */
enum {
    WAL_BUSY = 1, /* the disk is slower than the writers: again when something was collected */
    WAL_FULL = 2, /* no room on the disk, or segments_max: again when something was deleted */
};

/*
 * Takes the directory's lock, checks every segment, replays, wipes a torn end and, where there is
 * none, makes the segment that is written next. The syncing side makes the spares, and until two
 * are there WAL_NEW is told WAL_BUSY, but for the first half of a log that is new. -1: err says
 * which file, where, and what to do; nothing was changed then but that torn files of a segment not
 * finished are gone.
 */
int wal_open(const struct wal_options *options, struct wal **ret_wal, struct err *err);

/* Did wal_open() fail for what is on the disk, so that a repair (wal/wal_repair.h) may help? */
bool wal_is_damage(const struct err *err);

/*
 * Writes and syncs what is pending, marks the end, frees. The syncing side must not run any more
 * After a failure nothing is written. *wal becomes NULL.
 */
void wal_close(struct wal **wal);

/*
 * 0: it has a place and an lsn, and is durable when wal_collect() has returned as much. WAL_BUSY,
 * WAL_FULL: nothing happened. -1: the log has failed, or the record is larger than a segment takes.
 */
int wal_append(struct wal *wal, const struct wal_record *record, struct wal_place *ret_place,
               uint64_t *ret_lsn, struct err *err);

/*
 * Would records of that class, of so many bytes with what the log adds to each, be taken now? What
 * wal_append() would say: 0, WAL_BUSY, WAL_FULL, or -1 where the log has failed. For owners that
 * must know before they change what the record will say.
 */
int wal_may_append(struct wal *wal, enum wal_class class, size_t n_bytes);
/* The same for who only wants to know: no refusal is counted, and no room made. */
int wal_would_append(const struct wal *wal, enum wal_class class, size_t n_bytes);

/* A number that no record of this log ever had as its key, nor will: from 1. */
int wal_id(struct wal *wal, uint64_t *ret_id, struct err *err);

/* For an owner that counts ids itself: below it are those of wal_id() before this start, and those
 * that records may have had which a repair dropped. */
uint64_t wal_ids_begin(const struct wal *wal);

/* Hands what was appended to the syncing side; once a turn of the loop. Lazy records alone wait
 * unless is_forced. */
void wal_flush(struct wal *wal, bool is_forced);

/* Takes what the syncing side has done. Returns the lsn up to which records are durable. */
uint64_t wal_collect(struct wal *wal);

/*
 * What time brings: lazy records, the interval, the mark of an idle end, the cleaner's budget,
 * another try at a full disk. Returns when to call it again (UINT64_MAX: not before an append).
 */
uint64_t wal_time(struct wal *wal, uint64_t now_ns);

/*
 * What the syncing side calls, in its own thread, when something happened and wal_collect() would
 * take it. NULL: nothing. Only while the syncing side does not run.
 */
void wal_set_notify(struct wal *wal, void (*notify)(void *ctx), void *ctx);

/*
 * The syncing side: one piece of work. 1: something was done; 0: there is nothing to do.
 * wal_wait() sleeps until there is, or wal_wake_all() was called.
 */
int wal_step(struct wal *wal);
void wal_wait(struct wal *wal);
void wal_wake_all(struct wal *wal);

/*
 * The payload (place.length bytes) into buf: from memory where it is not written yet, otherwise
 * from the disk, its checksum verified. -1: damaged or unreadable; err says where. It is no
 * failure of the log: what else it holds is served.
 */
int wal_read(struct wal *wal, struct wal_place place, char *buf, struct err *err);
/* 0: as wal_read(); 1: that would wait for the disk, or has something to say. */
int wal_read_now(struct wal *wal, struct wal_place place, char *buf);
/* A descriptor of the caller's own for the file that has the record, and where; or -errno. */
int wal_read_open(struct wal *wal, struct wal_place place, uint64_t *ret_offset, size_t *ret_len);

/* The record there does not count any more. Once for each record; not for notes. */
void wal_dead(struct wal *wal, struct wal_place place);

/*
 * Cleans for at most budget_bytes read and moved, if there is anything to clean. 0, WAL_BUSY,
 * WAL_FULL, or -1 (a record that lives is damaged: that segment is left alone from then on).
 * wal_time() calls it; tests may.
 */
int wal_clean(struct wal *wal, size_t budget_bytes, struct err *err);

/* NULL while the log lives; otherwise the sentence that says why it takes nothing any more. */
const struct err *wal_failure(const struct wal *wal);

struct wal_facts {
    uint64_t n_segments, n_spare; /* files */
    uint32_t first_segment;       /* number of the oldest */
    uint32_t segment_bytes;       /* of a new one */
    uint64_t file_bytes;          /* of all */
    uint64_t used_bytes;          /* of those with records; live + dead */
    uint64_t live_bytes;          /* records that count, with their share of the footer */
    uint64_t pending_bytes;       /* appended and not written */
    uint64_t n_appends, append_bytes;
    uint64_t n_busy, n_full;        /* appends refused */
    uint64_t n_syncs;               /* batches that were made durable */
    uint64_t n_moved, moved_bytes;  /* by the cleaner */
    uint64_t n_removed, n_recycled; /* segments */
    uint64_t n_damaged;             /* records that could not be read back */
    uint64_t n_replayed;            /* records at the start */
    uint64_t torn_bytes;            /* dropped at the start behind the last whole record */
    uint64_t appended_lsn, durable_lsn, synced_lsn;
    uint64_t sync_us[HIST_BUCKETS]; /* how long a batch took, write and sync */
    bool is_full, is_durable;       /* is_durable: by the choice of enum wal_sync */
};
void wal_facts(struct wal *wal, struct wal_facts *ret_facts);

/* What of a segment lives, in bytes; 0 where there is no such segment. For tests and status. */
uint64_t wal_segment_live(const struct wal *wal, uint32_t number);

#endif
