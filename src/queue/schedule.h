/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

/*
 * Jobs that are put by the clock. Of each schedule the next job is in its queue already, delayed
 * until its time, so that what has to outlive a restart is a job like any other:
 *
 *        T0            T1            T2            time
 *     ---|-------------|-------------|---------->
 *        job T0 ready  job T1 ready
 *        job T1 put    job T2 put                  delayed until T1, T2
 *
 * Its unique key says whose it is and for when, `schedule:HASH:SECONDS`, where HASH is of all that
 * the job says: one that is put twice is there once. The job of T1 is written before that of T0
 * can be taken, so whatever a crash leaves has the last of them, and a start goes on behind it
 * (schedules_set()). Nothing is doubled, and of the times that went by while nobody was there the
 * first is made up for, and no other; with `may_miss` not even that, once it is SCHEDULE_LATE_S
 * late.
 *
 * A schedule that the file no longer has takes the job that waits for its time with it, by a reload
 * or by the next start, even where the time went by in between. One that is changed is another one.
 *
 * The guard against overlap: where the job before is still to be done, the next one is dropped
 * when its time comes. Buried and done ones hold up nothing.
 *
 * The wall clock may step. Forward: as if nobody had been there. Back, by less than
 * SCHEDULE_BACK_S: what was done is not done again. By more the clock was wrong before, and the
 * next time is reckoned anew.
 *
 * A put that the log or a limit refuses is tried again each SCHEDULE_RETRY_MS, and where its time
 * has come meanwhile it is late, not lost. A drain refuses none: a job that waits for its time is
 * for the next start. Whoever deletes or buries the waiting job leaves out that time; who kicks it
 * by its id or reserves it has it done now instead; either way the one behind it is put at once. A
 * kick of any number of jobs leaves it where it is (model_kick()).
 *
 * No clock here and no socket; the owner says what time it is, before model_tick() does.
 */

#include "base/slice.h"
#include "queue/cron.h"
#include "queue/model.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SCHEDULE_BACK_S = 3 * 3600,
    SCHEDULE_LATE_S = 60, /* a time that is noticed so long after it is late */
    SCHEDULE_RETRY_MS = 1000,
};

#define SCHEDULE_NEVER INT64_MAX

/* What the file says. Slices are borrowed until the next schedules_set(), but for the zone's. */
struct schedule_plan {
    struct slice queue;
    struct cron cron;
    struct slice zone; /* the bytes of its file, that tzif_read() takes; empty: UTC */
    struct slice body;
    uint32_t priority, ttr_s;
    bool may_overlap;
    bool may_miss; /* a late time is left out */
    uint64_t hash; /* of what the job says and when: the same in each life of the process */
};

struct schedule_hooks {
    /* Would the log take so many bytes? 0, or not. */
    int (*may)(void *ctx, size_t n_bytes);
    /* The model has actions. */
    void (*settle)(void *ctx);
    void *ctx;
};

struct schedule {
    struct schedule_plan plan;
    char *zone_bytes; /* a copy, NULL: UTC */
    struct tzif zone;
    int64_t time_s;     /* the next, or SCHEDULE_NEVER */
    int64_t former_s;   /* of the last job that was put ready, 0: none is known */
    int64_t reckoned_s; /* when it was said that time_s is the next */
    bool is_put;        /* the job of time_s is, or was, in the queue */
    bool is_kept;       /* the coming file has it too */
};

struct schedules {
    struct model *model; /* borrowed */
    struct schedule_hooks hooks;
    struct schedule *list;
    size_t n;
    bool is_set; /* by a file, and what a former life left was found */
    /* When to run: at this time, or this retry, or where the wall clock falls below that. */
    uint64_t due_ms, retry_mono_ms, back_ms;
};

void schedules_init(struct schedules *schedules, struct model *model,
                    const struct schedule_hooks *hooks);
/* What waits in the queues stays there. */
void schedules_deinit(struct schedules *schedules);

/*
 * The schedules of a file, whose queues the model has. One that was there already goes on. The
 * first time, behind a replay, looks at all unique keys for what a former life left.
 */
void schedules_set(struct schedules *schedules, const struct schedule_plan *plans, size_t n,
                   struct model_now now);

static inline bool schedules_are_due(const struct schedules *schedules, struct model_now now)
{
    return schedules->model->has_schedule_left || now.wall_ms >= schedules->due_ms ||
           now.mono_ms >= schedules->retry_mono_ms || now.wall_ms < schedules->back_ms;
}

/* Does what is due; before model_tick(). */
void schedules_run(struct schedules *schedules, struct model_now now);

/* The next time (seconds since 1970 UTC) of a queue's schedules, SCHEDULE_NEVER: it has none. */
int64_t schedules_next_s(const struct schedules *schedules, struct slice queue);

#endif
