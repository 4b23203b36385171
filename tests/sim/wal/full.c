/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fills a log to the brim and empties it, with ends that bring more.
 */

#include "full.h"
#include "base/mem.h"
#include "disk.h"

#include <string.h>

enum {
    SEGMENTS_MIN = 6, /* files of the log, spare ones too */
    SEGMENTS_MORE = 5,
    PATIENCE = 20, /* turns in which nothing ends, and the cleaner had all its time */
    TURNS_MAX = 5000,
    RUSH = 20,
    CLEAN_BYTES = 1 << 20
};

struct full {
    struct sim_disk disk;
    struct owner owner;
    struct rng rng;
    struct wal_options options;
};

static void settle(struct full *full)
{
    wal_flush(full->owner.wal, true);
    while (wal_step(full->owner.wal) > 0)
        owner_collect(&full->owner);
    owner_collect(&full->owner);
}

static void clean(struct full *full)
{
    for (int i = 0; i < SEGMENTS_MIN + SEGMENTS_MORE; i++) {
        settle(full);
        (void)wal_clean(full->owner.wal, CLEAN_BYTES, NULL);
    }
    settle(full);
}

static void fill(struct full *full)
{
    int result;
    do {
        result = owner_put(&full->owner, &full->rng);
        if (result == WAL_BUSY)
            settle(full);
    } while (result == 0 || result == WAL_BUSY);
    if (full->owner.now.n == OWNER_JOBS_MAX)
        owner_fail(&full->owner, "the log is larger than the jobs are");
}

static struct owner_job *any(struct full *full, bool is_heir)
{
    struct owner_jobs *jobs = &full->owner.now;
    unsigned from = (unsigned)rng_below(&full->rng, jobs->n + 1);
    for (unsigned i = 0; i < jobs->n; i++) {
        struct owner_job *job = &jobs->jobs[(from + i) % jobs->n];
        if (job->is_heir == is_heir)
            return job;
    }
    return NULL;
}

/* How many ended before one was refused, or there were no more. */
static unsigned end_some(struct full *full, bool is_heir, unsigned most)
{
    struct owner_job *job;
    unsigned n = 0;
    for (; n < most && (job = any(full, is_heir)); n++) {
        int result = is_heir ? owner_delete(&full->owner, job) : owner_end(&full->owner, job);
        if (result != 0)
            return n;
    }
    return n;
}

/*
 * Whoever ends a job waits now. Of the ends of heirs so many are taken at once, without any help of
 * the cleaner, or those that take room would have left none to those that make it.
 */
static void rush(struct full *full)
{
    unsigned n_heirs = 0;
    (void)end_some(full, false, OWNER_JOBS_MAX);
    for (unsigned i = 0; i < full->owner.now.n; i++)
        n_heirs += full->owner.now.jobs[i].is_heir;
    if (n_heirs == 0)
        owner_fail(&full->owner, "a full log takes not one job's end");
    else if (end_some(full, true, RUSH) < (n_heirs < RUSH ? n_heirs : RUSH))
        owner_fail(&full->owner, "the ends of jobs leave no room for those that make room");
}

static void empty(struct full *full)
{
    struct owner *owner = &full->owner;
    unsigned n_idle = 0;
    for (unsigned i = 0; i < TURNS_MAX && owner->now.n > 0 && !owner->failure[0]; i++) {
        unsigned n = end_some(full, false, OWNER_JOBS_MAX);
        clean(full);
        n += end_some(full, false, OWNER_JOBS_MAX);
        n += end_some(full, true, 1 + (unsigned)rng_below(&full->rng, 8));
        n_idle = n > 0 ? 0 : n_idle + 1;
        if (n_idle > PATIENCE)
            owner_fail(owner, "a full log is not emptied: %u jobs are left", owner->now.n);
    }
    if (owner->now.n > 0)
        owner_fail(owner, "it takes too long to empty a full log: %u jobs are left", owner->now.n);
}

static struct full *create(uint64_t seed, uint32_t rules_off)
{
    struct full *full = MEM_NEW(struct full);
    uint64_t mixed = seed * 2654435761U + 54321; /* neighbours differ in all that is drawn */
    sim_disk_init(&full->disk, mixed);
    rng_init(&full->rng, mixed + 1);
    full->options = wal_options_default();
    full->options.disk = &full->disk.table;
    full->options.owner = owner_table(&full->owner);
    full->options.segment_bytes = 4096;
    full->options.segments_max = SEGMENTS_MIN + (uint32_t)rng_below(&full->rng, SEGMENTS_MORE);
    full->options.salt = mixed;
    full->options.rules_off = rules_off;
    return full;
}

bool full_play(uint64_t seed, uint32_t rules_off, char failure[OWNER_TEXT_MAX])
{
    struct full *full = create(seed, rules_off);
    struct err err = ERR_NONE;
    if (wal_open(&full->options, &full->owner.wal, &err) < 0) {
        owner_fail(&full->owner, "the start is refused: %s", err.text);
    } else {
        fill(full);
        rush(full);
        empty(full);
    }
    wal_close(&full->owner.wal);
    memcpy(failure, full->owner.failure, OWNER_TEXT_MAX);
    sim_disk_deinit(&full->disk);
    mem_free(full);
    return failure[0] == '\0';
}
