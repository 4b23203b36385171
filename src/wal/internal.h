/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WAL_INTERNAL_H
#define WAL_INTERNAL_H

/*
 * What the files of this folder share: the log as its owner's thread has it, and in struct
 * wal_shared what passes between that thread and the syncing side, under one lock.
 *
 *     filling --flush--> ready --step--> (written, synced) --> done --collect--> free
 *        |________________________ flight ______________________|    order of the log
 *
 *     tasks --step--> results --collect--> a spare segment, or one that is gone
 *
 * A batch that was handed over is not changed by anybody; its bytes may be read by the owner until
 * it is collected. Of a segment the syncing side touches form and fd alone, and those of a segment
 * in a batch or task do not change meanwhile.
 */

#include "base/list.h"
#include "base/text.h"
#include "wal/wal.h"
#include "wal/wal_scan.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

enum {
    WAL_SPARES = 3,           /* segments that are kept ready */
    WAL_KEPT = 2,             /* of which new records leave so many alone */
    WAL_SPARES_MAX = 8,       /* a crash may leave some more */
    WAL_SECTOR = 512,         /* what a disk writes as a whole, at least */
    WAL_ZERO_CHUNK = 1 << 20, /* bytes of a new segment that are written at a time, at most */
    WAL_NAME_MAX = 16,
};
#define WAL_NEVER    UINT64_MAX
#define WAL_NEW_NAME "new.wal" /* a segment that is being made */

/* Notes in `holder` that die with the segment that has this tie. */
struct wal_tie {
    uint32_t holder;
    uint64_t bytes;
};

struct wal_segment {
    struct wal_form form;
    int fd;       /* -1: closed for now, a sealed one */
    uint32_t end; /* where the next record goes, or the footer is */
    uint32_t n_records;
    uint32_t footer_bytes;
    uint64_t live;   /* bytes, wal_record_cost() of each */
    uint64_t own;    /* bytes of the log's own records, likewise */
    bool is_sealed;  /* durably */
    bool is_damaged; /* the cleaner leaves it alone */
    uint64_t used;   /* when it was read last, as a number of reads */
    struct wal_tie *ties;
    uint32_t n_ties, cap_ties;
};

/* Bytes of a batch that lie one behind the other in a segment; then, maybe, its seal. */
struct wal_run {
    struct wal_segment *segment;
    uint32_t offset;
    size_t from, len; /* in the batch's bytes */
    bool is_sealing;
    struct text footer;
    uint32_t n_records; /* for the trailer */
};

struct wal_batch {
    struct list flight, queue;
    struct text bytes;
    struct wal_run *runs;
    uint32_t n_runs, cap_runs;
    uint64_t lsn; /* of its last record */
    uint32_t n_records;
    bool is_urgent;
};

enum wal_task_kind { WAL_TASK_MAKE, WAL_TASK_RECYCLE, WAL_TASK_REMOVE };

struct wal_task {
    struct list queue;
    enum wal_task_kind kind;
    struct wal_form form; /* of the segment to be */
    uint32_t old;         /* the segment that goes */
    int fd;
    unsigned n_steps;
    uint64_t n_zeroed;
    int error; /* 0 or -errno */
};

struct wal_shared {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct list ready, done, tasks, results;
    uint64_t written_lsn, synced_lsn;
    uint64_t n_syncs;
    bool is_sync_wanted, is_woken, has_failed;
    struct err failure;
    uint64_t sync_us[HIST_BUCKETS];
};

/* The syncing side's own. */
struct wal_syncer {
    struct list flying;
    struct wal_segment *dirty; /* written and not synced; NULL: none */
    uint64_t written_lsn, synced_lsn;
    char *zeros; /* wal_zero_chunk() bytes, or NULL */
    void (*notify)(void *ctx);
    void *notify_ctx;
};

/* The sentence in err is about damage: wal_is_damage(). */
static inline int wal_damaged(struct err *err)
{
    if (err)
        err->number = EBADMSG;
    return -1;
}

enum wal_clean_phase { WAL_CLEAN_IDLE, WAL_CLEAN_VERIFY, WAL_CLEAN_MOVE, WAL_CLEAN_GATE };

struct wal_cleaner {
    enum wal_clean_phase phase;
    struct wal_segment *victim; /* the one that is being cleaned, or was before a crash */
    struct text footer;
    struct wal_entries entries;
    struct wal_entry entry;
    bool has_entry, is_stuck, is_leaving; /* is_leaving: its task is with the syncing side */
    uint64_t gate_lsn;
    uint64_t budget_bytes, last_ns;
};

struct wal {
    struct wal_options options;
    const struct wal_disk *disk;
    struct wal_segment **segments; /* with records, by number; the last is the active one */
    uint32_t n_segments, cap_segments;
    struct wal_segment *spares[WAL_SPARES_MAX];
    uint32_t n_spares, n_tasks;
    uint32_t next_number;
    uint32_t size;      /* of segments to be made */
    struct text footer; /* of the active one */
    struct wal_batch *filling;
    struct list flight, free;
    size_t kept_bytes; /* memory of the batches in `free` */
    uint64_t next_id, ids_end;
    uint64_t appended_lsn, durable_lsn, synced_lsn;
    uint64_t live_bytes, pending_bytes;
    uint64_t n_reads;
    uint32_t n_open; /* descriptors of sealed segments */
    bool is_full, is_opening, is_marked;
    bool is_young;   /* it was empty, and has not had WAL_KEPT spares yet */
    bool is_pressed; /* since the last segment went a record was refused that makes room */
    uint64_t retry_ns, lazy_since_ns, idle_since_ns, synced_at_ns;
    struct wal_cleaner cleaner;
    struct wal_facts counts; /* those that only count */
    struct err failure;
    bool has_failed;
    struct wal_shared shared;
    struct wal_syncer syncer;
};

static inline bool wal_has_rule(const struct wal *wal, enum wal_rule rule)
{
    return (wal->options.rules_off & rule) == 0;
}

static inline struct wal_segment *wal_active(const struct wal *wal)
{
    return wal->segments[wal->n_segments - 1];
}

static inline uint64_t wal_lsn(uint32_t segment, uint32_t offset)
{
    return (uint64_t)segment << 32 | offset;
}

/* Of the zeros that are written into a segment of a size. */
static inline uint32_t wal_zero_chunk(uint32_t size)
{
    return size < WAL_ZERO_CHUNK ? size : WAL_ZERO_CHUNK;
}

/* What records and their entries may take. */
static inline uint32_t wal_usable(const struct wal_form *form)
{
    return form->size - WAL_RECORDS_BEGIN - WAL_TRAILER_BYTES;
}

static inline void wal_name(uint32_t number, char ret_name[WAL_NAME_MAX])
{
    (void)snprintf(ret_name, WAL_NAME_MAX, "%08x.wal", number);
}

static inline struct wal_place wal_kills_of(struct slice head)
{
    return (struct wal_place){.segment = wal_get32(head.ptr), .offset = wal_get32(head.ptr + 4)};
}

enum { WAL_KILLS_BYTES = 8 }; /* of a note's head, before the owner's */

/* ---- wal_table.c: the segments --------------------------------------------------------------- */

struct wal_segment *wal_segment_create(const struct wal_form *form, int fd);
void wal_segment_destroy(struct wal *wal, struct wal_segment *segment);
struct wal_segment *wal_find(const struct wal *wal, uint32_t number);
void wal_table_add(struct wal *wal, struct wal_segment *segment);
/* Durably gone: notes that were kept for it die. Frees it. */
void wal_table_gone(struct wal *wal, struct wal_segment *segment);
void wal_live_add(struct wal *wal, struct wal_segment *segment, uint64_t bytes);
/* A note in `holder` about a record in the segment `number`: alive while that is there. */
void wal_tie(struct wal *wal, struct wal_segment *holder, uint32_t number, uint32_t bytes);
/* Its descriptor, opened again where it was closed; -errno. */
int wal_segment_fd(struct wal *wal, struct wal_segment *segment);
/* Its descriptor, until it is wanted again. */
void wal_segment_close(struct wal *wal, struct wal_segment *segment);
/* Closes descriptors above open_max, but that of `keep`. */
void wal_table_trim(struct wal *wal, const struct wal_segment *keep);
/* The footer of a sealed segment, read and verified, into wal->cleaner's or another text. */
int wal_footer_read(struct wal *wal, struct wal_segment *segment, struct text *footer,
                    struct wal_entries *ret_entries, struct err *err);
void wal_found_make(const struct wal_form *form, const struct wal_entry *entry,
                    struct wal_found *ret_found);

/* ---- wal_files.c ----------------------------------------------------------------------------- */

/* Whatever else is in the folder is not the log's. */
struct wal_files {
    uint32_t *numbers; /* of the segments, ascending */
    size_t n;
    bool has_new; /* a segment that was not finished */
};

/* Changes nothing. Deinit it in any case. */
int wal_files_list(const struct wal_disk *disk, struct wal_files *ret_files, struct err *err);
void wal_files_deinit(struct wal_files *files);

/* ---- wal.c ----------------------------------------------------------------------------------- */

/* Appends without a look at room; `kills` is that of a note. */
struct wal_place wal_put(struct wal *wal, const struct wal_record *record);
/* Of the log's own types, lazily. */
void wal_put_own(struct wal *wal, uint8_t type, uint64_t key);
/* The active segment becomes sealed and the first spare active. There is one. */
void wal_switch(struct wal *wal);
/* 0, WAL_BUSY, WAL_FULL: room for a record of this cost, which must fit into a segment. */
int wal_room(struct wal *wal, enum wal_class class, uint32_t cost);
void wal_want_sync(struct wal *wal);

/* ---- wal_sync.c ------------------------------------------------------------------------------ */

/* Something was handed over and is not done: a batch, or a sync. Not after a failure. */
bool wal_has_batches(struct wal *wal);

/* ---- wal_batch.c ----------------------------------------------------------------------------- */

struct wal_batch *wal_batch_take(struct wal *wal);
void wal_batch_give(struct wal *wal, struct wal_batch *batch);
void wal_batch_destroy(struct wal_batch **batch);
/* Room for `len` bytes that go to segment->end. */
char *wal_batch_reserve(struct wal_batch *batch, struct wal_segment *segment, size_t len);
/* The segment's footer, which is taken over, goes behind its last record. */
void wal_batch_seal(struct wal_batch *batch, struct wal_segment *segment, struct text *take_footer);
/* The record's bytes where they are still in memory, or NULL. */
const char *wal_pending_find(const struct wal *wal, struct wal_place place);

/* ---- wal_house.c ----------------------------------------------------------------------------- */

/* Owner: asks for spares until there are enough, or the limit is reached. */
void wal_want_spares(struct wal *wal);
/* Owner: the cleaned segment goes, or becomes a spare. */
void wal_want_gone(struct wal *wal, struct wal_segment *segment);
/* Owner: what has come of a task. Frees it. */
void wal_task_ended(struct wal *wal, struct wal_task *take_task);
/* Syncing side: a piece of it; 1: it is over (task->error), 0: there is more. */
int wal_task_step(struct wal *wal, struct wal_task *task);

/* ---- wal_clean.c ----------------------------------------------------------------------------- */

/* After news: a gate may have opened. */
void wal_clean_advance(struct wal *wal);
bool wal_clean_has_work(const struct wal *wal);

#endif
