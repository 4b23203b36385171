/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_JOURNAL_H
#define QUEUE_JOURNAL_H

/*
 * What joins the model and the log: what the model did becomes records (docs/formats/queue.md), a
 * start makes the model of them again, and the cleaner learns what of them still counts.
 *
 *     model's actions --> journal_write() --> log       a job's places (job.h) say where it is
 *     wal_open()      --> the owner's replay            then model_replay()
 *     the cleaner     --> the owner's is_live, move     then model_snapshot()
 *
 * Of a job two records count at most: its last PUT, and the last STATE or LEASE behind it. A
 * second PUT is written by the cleaner alone, because a deletion (a note) is kept as long as the
 * segment of the newest PUT alone. Of each tube the last TUBE counts, of MARK the last.
 *
 * The body of a job follows its record, so that a start need not read it; one that is kept in
 * memory lies in the record's head as far as that has room.
 *
 * A change that nobody waits for (a lease that ran out, a life that ended) may meet a log that is
 * busy or full. It is left out then: a crash shows the job as it was before. A deletion that did
 * not fit is written later, by journal_catch_up().
 */

#include "base/map.h"
#include "base/text.h"
#include "queue/model.h"
#include "wal/wal.h"
#include <stdbool.h>
#include <stdint.h>

/* The log's types. */
enum journal_type {
    JOURNAL_PUT = WAL_TYPE_FIRST, /* head: the record; body: the job's, where it is not in there */
    JOURNAL_UPDATE,               /* head: STATE or LEASE */
    JOURNAL_TUBE,
    JOURNAL_MARK,
    JOURNAL_LONG_PUT,    /* body: the record and the job's body, where it is no head's length */
    JOURNAL_LONG_UPDATE, /* body: the record */
    JOURNAL_DEL = WAL_TYPE_NOTE,
};

/* As wal_append(), or as wal_drive_append(). */
typedef int journal_append_fn(void *ctx, const struct wal_record *record,
                              struct wal_place *ret_place, uint64_t *ret_lsn, struct err *err);

struct journal_debt; /* a deletion that is to be written yet */

struct journal {
    struct model *model; /* borrowed */
    struct wal *wal;     /* borrowed; NULL during the replay */
    journal_append_fn *append;
    void *append_ctx;
    void (*on_replay)(void *ctx); /* now and then during the replay; may be NULL */
    void *on_replay_ctx;
    struct map tubes; /* name -> struct journal_tube */
    struct wal_place mark;
    uint64_t lsn;      /* of this call's last record that an answer waits for */
    uint64_t last_lsn; /* of the last one of all */
    struct text bytes;
    struct journal_debt *debts;
    uint32_t n_debts, cap_debts;
    uint64_t n_replayed;
    uint64_t n_left_out; /* changes that the log did not take */
};

void journal_init(struct journal *journal, struct model *model, uint64_t seed);
void journal_deinit(struct journal *journal);

/* The three callbacks of the log's owner, with the journal as ctx. */
struct wal_owner journal_owner(struct journal *journal);

/*
 * Writes what the model's last call left for the log, and tells the model the places. Returns the
 * lsn that an answer to this call has to wait for, 0: none.
 */
uint64_t journal_write(struct journal *journal);

/* Writes deletions that did not fit. */
void journal_catch_up(struct journal *journal);

/*
 * The body of a job, from memory or from the log, whose bytes are then in `buf`. -1 with err: the
 * record is damaged.
 */
int journal_body(struct journal *journal, const struct job *job, struct text *buf,
                 struct slice *ret_body, struct err *err);
/* The same, or 1: journal_body() would wait for the disk, or fail. */
int journal_body_now(struct journal *journal, const struct job *job, struct text *buf,
                     struct slice *ret_body);

#endif
