/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_WAL_OWNER_H
#define TESTS_SIM_WAL_OWNER_H

/*
 * An owner of a log as the queue will be one: jobs with a body that their key tells, a version that
 * grows, and a deletion; and beside it the list of all that it ever asked for, by which it knows
 * what must be there after a restart.
 *
 * What is there must be what the first n of its requests come to, n being at least those that the
 * log called durable: so nothing acknowledged is lost, nothing that was deleted comes back, nothing
 * is there half, and nothing without what was asked for before it.
 */

#include "base/rng.h"
#include "wal/wal.h"

enum {
    OWNER_JOBS_MAX = 256,
    OWNER_REQUESTS_MAX = 4096,
    OWNER_BODY_MAX = 700,
    OWNER_TEXT_MAX = 256
};

enum { OWNER_PUT = WAL_TYPE_FIRST, OWNER_STATE, OWNER_DELETE = WAL_TYPE_NOTE };

struct owner_job {
    uint64_t key;
    uint32_t version;
    struct wal_place put, state; /* state.segment 0: none but that of put */
    bool is_heir;                /* of this life; it leaves none */
};

struct owner_jobs {
    struct owner_job jobs[OWNER_JOBS_MAX];
    unsigned n;
};

struct owner_request {
    uint64_t key, lsn;
    uint32_t version; /* 0: deleted */
};

struct owner {
    struct owner_jobs now;                             /* as the owner sees it, places and all */
    struct owner_jobs base;                            /* keys and versions at the last restart */
    struct owner_request requests[OWNER_REQUESTS_MAX]; /* since then */
    unsigned n_requests;
    uint64_t acked_lsn;             /* the highest that the log called durable */
    uint64_t synced_lsn;            /* what a power cut leaves of it, if less */
    uint64_t highest_key, base_key; /* ever given out; and at the last restart */
    bool is_deaf;                   /* the process is gone: nothing is acknowledged any more */
    struct wal *wal;
    char failure[OWNER_TEXT_MAX];
};

struct wal_owner owner_table(struct owner *owner);

/* Requests; what wal_append() says. */
int owner_put(struct owner *owner, struct rng *rng);
int owner_change(struct owner *owner, struct owner_job *job, bool is_lazy);
int owner_delete(struct owner *owner, struct owner_job *job);
/* Deletes it, and leaves an heir, as a queue's callback is: both, or none where room is short. */
int owner_end(struct owner *owner, struct owner_job *job);

/* Takes what the log says, and remembers it. */
void owner_collect(struct owner *owner);

/* Before wal_open(): nothing is known. After it: the failure, if what came back is not what was
 * asked for; then that is the new base. */
void owner_forget(struct owner *owner);
void owner_check(struct owner *owner);
/* Every body: 0, or 1 and a sentence where some could not be read. One that is read and wrong is a
 * failure. */
int owner_read_all(struct owner *owner, struct err *err);
/* The same jobs in the same versions. */
bool owner_is_same(const struct owner_jobs *a, const struct owner_jobs *b);

void owner_fail(struct owner *owner, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
