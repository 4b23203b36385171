/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_JOB_H
#define QUEUE_JOB_H

/*
 * A job, as small as it can be, and the store that finds it by its id.
 *
 *                  put                        reserve
 *     --------------------------> [READY] ----------------> [RESERVED] --> gone
 *          |                       ^ ^ ^                      |  |  |
 *          | delay   due           | | '--- release, lost ----'  |  '----> [DONE] --> gone
 *          '----> [DELAYED] -------' |                           |          keeps its result
 *                     ^              '------- kick ------- [BURIED]
 *                     '--- release, fail: later ----------------'
 *
 * A waiting job costs 96 bytes here, 4 in the heap of its tube and 5.3 to 10.7 in the index by id;
 * a body of up to JOB_INLINE_MAX bytes lies in a pool of its size rounded up to 16, a longer one is
 * a place in the log alone. What few jobs have (a unique key, a last error, a result) is a
 * `struct job_extra` beside it, which costs nothing where there is none.
 *
 * Numbers of jobs (uint32_t) are places in the store and hold as long as the job lives; ids are for
 * ever. The store belongs to the model; nobody else changes a job.
 */

#include "base/heap.h"
#include "base/slice.h"
#include "queue/callback.h"
#include "queue/job_pool.h"
#include "wal/wal.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    JOB_NONE = JOB_POOL_NONE,
    JOB_INLINE_MAX = 128, /* bytes of a body that is kept in memory */
    JOB_BODY_STEP = 16,
    JOB_N_BODY_POOLS = JOB_INLINE_MAX / JOB_BODY_STEP,
    JOB_ERROR_MAX = 160, /* bytes that are kept of an error's or a progress's text */
};

/* The numbers are those of the log's records: they stay. */
enum job_state {
    JOB_READY = 0,
    JOB_DELAYED = 1,
    JOB_RESERVED = 2,
    JOB_BURIED = 3,
    JOB_DONE = 4,
    JOB_N_STATES = 5,
};

/* Why an attempt ended without success. The numbers are those of the log's records. */
enum job_error {
    JOB_ERROR_NONE = 0,
    JOB_ERROR_TEMPORARY = 1, /* the worker says so */
    JOB_ERROR_PERMANENT = 2, /* the worker says that it will never work */
    JOB_ERROR_BUSY = 3,      /* whom the worker needs is not there; the attempt does not count */
    JOB_ERROR_TIMEOUT = 4,   /* its lease ran out */
    JOB_ERROR_LOST = 5,      /* the worker's connection ended */
    JOB_N_ERRORS = 6,
};

struct job_link {
    uint32_t prev, next; /* numbers of jobs */
};

/* Where the log has it; segment 0: it has not. */
struct job_places {
    struct wal_place put;    /* the job as a whole */
    struct wal_place update; /* the last STATE or LEASE behind that */
};

struct job {
    uint64_t id;
    struct job_places places;
    union {
        uint64_t due_ms;      /* wall clock; DELAYED, and what was reserved while it was */
        struct job_link link; /* BURIED: in the order in which they were */
    };
    uint32_t priority; /* the least first */
    uint32_t tube;     /* number of its tube */
    uint32_t at;       /* READY, DELAYED: place in the heap; RESERVED: its lease */
    uint32_t ttr_s;
    uint32_t delay_s;   /* the last that was asked for, for statistics */
    uint32_t created_s; /* wall clock */
    uint32_t body_bytes;
    uint32_t body;  /* in the pool of its size; JOB_POOL_NONE: empty, or in the log alone */
    uint32_t extra; /* in the store's extras, or JOB_POOL_NONE */
    /* They stop at UINT16_MAX. */
    uint16_t n_attempts; /* reservations that count against the maximum */
    uint16_t n_reserves, n_timeouts, n_releases, n_buries, n_kicks;
    uint8_t state;  /* enum job_state */
    uint8_t logged; /* enum job_state of the last record that is in the log */
};

/* What few jobs have. Texts are of mem_alloc(), NULL where there is none. */
struct job_extra {
    struct heap_node expiry; /* in the model's heap, while expire_ms counts */
    uint32_t job;
    uint64_t expire_ms;    /* wall clock; waiting jobs: the end of their time to live; DONE: of the
                              result; 0: never */
    uint32_t attempts_max; /* 0: as the tube says */
    uint32_t result_s;     /* 0: as the tube says */
    uint8_t error;         /* enum job_error, the last */
    uint8_t percent;       /* progress, 0..100 */
    char *key;             /* unique in its tube */
    char *error_text;
    char *progress_text;
    /* That the job chose (model_choose_callbacks()). In no record: its body says so again. */
    char *callback_paths[CALLBACK_N_ENDS];
    char *result; /* DONE, and BURIED where the last attempt left one */
    uint32_t result_bytes;
};

struct job_store {
    struct job_pool jobs;
    struct job_pool extras;
    struct job_pool bodies[JOB_N_BODY_POOLS];
    /* Numbers of jobs by a hash of their id, linear probing, at most 3/4 full, JOB_NONE: empty. */
    uint32_t *index;
    uint32_t n_index; /* a power of two, or 0 */
    uint32_t n_jobs;
    uint64_t newest_id; /* the highest that a job ever had: beyond it nothing is looked for */
};

void job_store_init(struct job_store *store);
void job_store_deinit(struct job_store *store);

/* A zeroed job under an id that no job has. Returns its number. */
uint32_t job_add(struct job_store *store, uint64_t id);
/* Frees it and all that it has; it is in no heap and no list. */
void job_free(struct job_store *store, uint32_t number);
/* Its number, or JOB_NONE. */
uint32_t job_find(const struct job_store *store, uint64_t id);

/* Any number: does a job live there? */
bool job_is_at(const struct job_store *store, uint32_t number);

static inline struct job *job_at(const struct job_store *store, uint32_t number)
{
    return (struct job *)(void *)(store->jobs.chunks[number >> JOB_POOL_CHUNK_BITS] +
                                  (size_t)(number & (JOB_POOL_CHUNK - 1)) * sizeof(struct job));
}

/* Sets the length, and keeps the bytes where they are at most JOB_INLINE_MAX; it has none yet. */
void job_set_body(struct job_store *store, struct job *job, struct slice body);
/* Forgets body and length. */
void job_drop_body(struct job_store *store, struct job *job);
/* The bytes; an empty slice with ptr NULL where they are in the log alone. */
struct slice job_body(const struct job_store *store, const struct job *job);

/* Its extra, made where there is none. */
struct job_extra *job_extra_of(struct job_store *store, uint32_t number);
/* Its extra or NULL. */
static inline struct job_extra *job_extra(const struct job_store *store, const struct job *job)
{
    return job->extra ? job_pool_at(&store->extras, job->extra) : NULL;
}

/* Unique keys that begin so are those of schedules. */
#define JOB_SCHEDULE_KEY "schedule:"

/*
 * Those that begin so are of asynchronous routes: behind a # stands what the request was, which is
 * no part of what is unique.
 *
 *     async:d3J1bmV0IHJlYWxseT8#c29tZSBmaW5nZXJwcmlu
 */
#define JOB_ASYNC_KEY "async:"

/* And those of callbacks, which name a job of this log. */
#define JOB_CALLBACK_KEY "callback:"

/* What no two jobs of a queue have the same. */
struct slice job_key_unique(struct slice key);

/* Is it of a schedule, delayed until its time, and nobody had it yet? */
bool job_waits_for_schedule(const struct job_store *store, const struct job *job);

/* Has it left a result: of what it did, or of a dead job the answer that it failed with? */
static inline bool job_has_result(const struct job *job, const struct job_extra *extra)
{
    return extra &&
           (job->state == JOB_DONE || (job->state == JOB_BURIED && extra->result_bytes > 0));
}

/* Replaces one of an extra's texts by a copy; an empty one becomes NULL. */
void job_set_text(char **text, struct slice value);

/* "ready", "delayed", "reserved", "buried", "done" */
const char *job_state_name(enum job_state state);
/* "temporary", ... ; "" for none */
const char *job_error_name(enum job_error error);

/* One more, but not past the end. */
static inline void job_count(uint16_t *counter)
{
    *counter = (uint16_t)(*counter + (*counter < UINT16_MAX));
}

#endif
