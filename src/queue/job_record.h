/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_JOB_RECORD_H
#define QUEUE_JOB_RECORD_H

/*
 * What the queue writes into its log: the records, as facts and as bytes (docs/formats/queue.md
 * draws them). The log puts a length and a checksum around each; this is what lies inside.
 *
 *     PUT    a job as a whole: what never changes, its state, its body
 *     STATE  what may change of a job, as a whole: the last one wins, and repeats do nothing
 *     DEL    the job is gone
 *     LEASE  the counters of a job; no acknowledgement waits for one, a crash may lose some
 *     TUBE   how an operator left a tube: paused, draining
 *     MARK   ids below are in use or were; none of them is given again
 *
 * A reservation is in no record: after a crash the job is where it was before.
 */

#include "base/slice.h"
#include "base/text.h"
#include "queue/job.h"
#include <stdbool.h>
#include <stdint.h>

enum { JOB_RECORD_VERSION = 1, JOB_RECORD_KEY_MAX = 255, JOB_RECORD_TUBE_MAX = 200 };

/* The numbers are those in the log: they stay. */
enum job_record_kind {
    JOB_RECORD_PUT = 1,
    JOB_RECORD_STATE = 2,
    JOB_RECORD_DEL = 3,
    JOB_RECORD_LEASE = 4,
    JOB_RECORD_TUBE = 5,
    JOB_RECORD_MARK = 6,
};

struct job_record {
    enum job_record_kind kind;
    uint64_t id; /* of the job; MARK: of the next one that may be given */
    /* PUT, TUBE */
    struct slice tube;
    /* PUT */
    uint32_t ttr_s;
    uint32_t created_s; /* wall clock */
    uint32_t attempts_max;
    uint32_t result_s;
    uint32_t body_bytes;
    struct slice key;  /* at most JOB_RECORD_KEY_MAX bytes */
    struct slice body; /* body_bytes of them; or an empty one: the log keeps them apart */
    /* PUT, STATE */
    enum job_state state; /* never JOB_RESERVED */
    uint32_t priority;
    uint32_t delay_s;
    uint64_t due_ms;    /* wall clock; DELAYED */
    uint64_t expire_ms; /* wall clock; 0: never */
    enum job_error error;
    struct slice error_text; /* at most JOB_ERROR_MAX bytes */
    struct slice result;     /* DONE, BURIED */
    /* PUT, STATE, LEASE */
    uint16_t n_attempts, n_reserves, n_timeouts, n_releases, n_buries, n_kicks;
    /* TUBE */
    uint64_t paused_until_ms; /* wall clock; 0: not, TUBE_FOR_EVER */
    bool is_draining;
};

/* Appends the bytes. */
void job_record_write(const struct job_record *record, struct text *out);

/*
 * 0 and *ret_record, whose slices lie in `bytes`, or -1: these are not the bytes of a record, or of
 * one that a later version writes. Takes the whole of `bytes` or nothing.
 */
int job_record_read(struct slice bytes, struct job_record *ret_record);

#endif
