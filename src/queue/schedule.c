/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The next job of each schedule: put, come due, found again.
 */

#include "queue/schedule.h"

#include "base/mem.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_BYTES = 64,
    MS_PER_S = 1000,
    PUT_BYTES = 1024, /* in the log, beside the body */
};

/* ---- its jobs -------------------------------------------------------------------------------- */

static struct slice key_make(uint64_t hash, int64_t time_s, char buf[KEY_BYTES])
{
    int n = snprintf(buf, KEY_BYTES, JOB_SCHEDULE_KEY "%016" PRIx64 ":%" PRId64, hash, time_s);
    return slice_make(buf, (size_t)n);
}

static struct slice key_of(const struct schedule *schedule, int64_t time_s, char buf[KEY_BYTES])
{
    return key_make(schedule->plan.hash, time_s, buf);
}

static struct tube *tube_of(const struct schedules *schedules, const struct schedule *schedule)
{
    return model_tube(schedules->model, schedule->plan.queue);
}

/* The job of that time, or NULL: not put, or gone. */
static const struct job *job_of(const struct schedules *schedules, const struct schedule *schedule,
                                int64_t time_s)
{
    char buf[KEY_BYTES];
    const struct tube *tube = tube_of(schedules, schedule);
    const struct job_extra *extra =
        tube ? map_get(&tube->keys, key_of(schedule, time_s, buf)) : NULL;
    return extra ? job_at(&schedules->model->store, extra->job) : NULL;
}

static bool is_pending(const struct schedules *schedules, const struct job *job)
{
    return job && job_waits_for_schedule(&schedules->model->store, job);
}

/* Is the job before still to be done, and does that matter? */
static bool is_overlapping(const struct schedules *schedules, const struct schedule *schedule)
{
    if (schedule->plan.may_overlap || schedule->former_s == schedule->time_s)
        return false;
    const struct job *job = job_of(schedules, schedule, schedule->former_s);
    return job && job->state != JOB_BURIED && job->state != JOB_DONE;
}

static void delete_job(struct schedules *schedules, uint64_t id, struct model_now now)
{
    (void)model_delete(schedules->model, NULL, id, now);
    schedules->hooks.settle(schedules->hooks.ctx);
}

/* The next one, as far as it waits for its time, is not to come. */
static void drop_next(struct schedules *schedules, struct schedule *schedule, struct model_now now)
{
    const struct job *job = job_of(schedules, schedule, schedule->time_s);
    if (schedule->is_put && is_pending(schedules, job))
        delete_job(schedules, job->id, now);
    schedule->is_put = false;
}

static void put_next(struct schedules *schedules, struct schedule *schedule, struct model_now now)
{
    const struct schedule_plan *plan = &schedule->plan;
    struct tube *tube = tube_of(schedules, schedule);
    char buf[KEY_BYTES];
    uint64_t id;
    const struct model_put put = {
        .priority = plan->priority,
        .ttr_s = plan->ttr_s,
        .body = plan->body,
        .key = key_of(schedule, schedule->time_s, buf),
        .not_before_ms = (uint64_t)schedule->time_s * MS_PER_S,
    };
    if (!tube || schedules->hooks.may(schedules->hooks.ctx, plan->body.len + PUT_BYTES) != 0)
        return;
    enum model_result result = model_put_scheduled(schedules->model, tube, &put, now, &id);
    schedules->hooks.settle(schedules->hooks.ctx);
    schedule->is_put = result == MODEL_OK || result == MODEL_EXISTS;
}

/* ---- its time -------------------------------------------------------------------------------- */

/* The first time after that, or -1. */
static int64_t next_after(const struct schedule *schedule, int64_t after_s)
{
    const struct tzif *zone = schedule->zone_bytes ? &schedule->zone : NULL;
    return cron_next_after(&schedule->plan.cron, zone, after_s);
}

/* The next time is the first after that. */
static void reckon(struct schedule *schedule, int64_t after_s, int64_t now_s)
{
    int64_t time_s = next_after(schedule, after_s);
    schedule->time_s = time_s < 0 ? SCHEDULE_NEVER : time_s;
    schedule->reckoned_s = now_s;
    schedule->is_put = false;
}

/* Its time has come. Where its job cannot be put, it stays as it is. */
static void come_due(struct schedules *schedules, struct schedule *schedule, struct model_now now)
{
    int64_t now_s = (int64_t)(now.wall_ms / MS_PER_S);
    struct tube *tube = tube_of(schedules, schedule);
    bool is_late = now_s - schedule->time_s >= SCHEDULE_LATE_S;
    bool is_missed = is_late && schedule->plan.may_miss;
    if (tube && (is_missed || is_overlapping(schedules, schedule))) {
        tube->counts.n_overlaps += !is_missed;
        tube->counts.n_missed += is_missed;
        drop_next(schedules, schedule, now);
        reckon(schedule, now_s, now_s);
        return;
    }
    if (!schedule->is_put)
        put_next(schedules, schedule, now);
    if (!schedule->is_put)
        return;
    tube = tube_of(schedules, schedule);
    if (tube && job_of(schedules, schedule, schedule->time_s)) {
        tube->counts.n_scheduled++;
        tube->counts.n_late += is_late;
        schedule->former_s = schedule->time_s;
    }
    reckon(schedule, now_s, now_s);
}

/* Somebody took, buried or deleted the next one before its time. */
static void go_past(const struct schedules *schedules, struct schedule *schedule, int64_t now_s)
{
    if (job_of(schedules, schedule, schedule->time_s))
        schedule->former_s = schedule->time_s;
    reckon(schedule, schedule->time_s, now_s);
}

static void run_one(struct schedules *schedules, struct schedule *schedule, struct model_now now)
{
    int64_t now_s = (int64_t)(now.wall_ms / MS_PER_S);
    if (now_s + SCHEDULE_BACK_S < schedule->reckoned_s) {
        drop_next(schedules, schedule, now);
        reckon(schedule, now_s, now_s);
    }
    if (schedule->time_s <= now_s)
        come_due(schedules, schedule, now);
    else if (schedule->is_put &&
             !is_pending(schedules, job_of(schedules, schedule, schedule->time_s)))
        go_past(schedules, schedule, now_s);
    if (schedule->time_s > now_s && schedule->time_s != SCHEDULE_NEVER && !schedule->is_put)
        put_next(schedules, schedule, now);
}

void schedules_run(struct schedules *schedules, struct model_now now)
{
    schedules->due_ms = UINT64_MAX;
    schedules->retry_mono_ms = UINT64_MAX;
    schedules->back_ms = 0;
    for (size_t i = 0; i < schedules->n; i++) {
        struct schedule *schedule = &schedules->list[i];
        run_one(schedules, schedule, now);
        if (schedule->time_s != SCHEDULE_NEVER && !schedule->is_put)
            schedules->retry_mono_ms = now.mono_ms + SCHEDULE_RETRY_MS;
        uint64_t time_ms = (uint64_t)schedule->time_s;
        time_ms = schedule->time_s == SCHEDULE_NEVER ? UINT64_MAX : time_ms * MS_PER_S;
        if (schedule->is_put && time_ms < schedules->due_ms)
            schedules->due_ms = time_ms;
        int64_t back_s = schedule->reckoned_s - SCHEDULE_BACK_S;
        if (back_s > 0 && (uint64_t)back_s * MS_PER_S > schedules->back_ms)
            schedules->back_ms = (uint64_t)back_s * MS_PER_S;
    }
    schedules->model->has_schedule_left = false;
}

int64_t schedules_next_s(const struct schedules *schedules, struct slice queue)
{
    int64_t next_s = SCHEDULE_NEVER;
    for (size_t i = 0; i < schedules->n; i++) {
        const struct schedule *schedule = &schedules->list[i];
        if (slice_equal(schedule->plan.queue, queue) && schedule->time_s < next_s)
            next_s = schedule->time_s;
    }
    return next_s;
}

/* ---- what a former life left ----------------------------------------------------------------- */

/* A job that a former life left waiting for its time. */
struct relic {
    uint64_t id, hash, due_ms;
    int64_t time_s;
    bool is_owned;     /* by a schedule that has such a time */
    bool has_schedule; /* whether it has such a time or, by new rules of the zone, no longer */
};

/* Of a key. 0, or -1: it is no schedule's. */
static int key_read(const char *key, uint64_t *ret_hash, int64_t *ret_time_s)
{
    size_t n_prefix = strlen(JOB_SCHEDULE_KEY);
    char *end, buf[KEY_BYTES];
    if (strncmp(key, JOB_SCHEDULE_KEY, n_prefix) != 0)
        return -1;
    uint64_t hash = strtoull(key + n_prefix, &end, 16);
    if (*end != ':')
        return -1;
    int64_t time_s = strtoll(end + 1, NULL, 10);
    if (!slice_equal(key_make(hash, time_s, buf), slice_from(key)))
        return -1;
    *ret_hash = hash;
    *ret_time_s = time_s;
    return 0;
}

static struct schedule *schedule_of(struct schedules *schedules, struct slice queue, uint64_t hash)
{
    for (size_t i = 0; i < schedules->n; i++) {
        struct schedule *schedule = &schedules->list[i];
        if (schedule->plan.hash == hash && slice_equal(schedule->plan.queue, queue))
            return schedule;
    }
    return NULL;
}

/* The latest that waits for its time is the next one, the latest of the others the one before. */
static void adopt(struct schedules *schedules, struct schedule *schedule, const struct job *job,
                  int64_t time_s)
{
    bool is_next = is_pending(schedules, job) && job->due_ms == (uint64_t)time_s * MS_PER_S &&
                   (!schedule->is_put || time_s > schedule->time_s);
    int64_t former_s = time_s;
    if (is_next) {
        former_s = schedule->is_put ? schedule->time_s : 0;
        schedule->time_s = time_s;
        schedule->reckoned_s = job->created_s;
        schedule->is_put = true;
    }
    if (former_s > schedule->former_s)
        schedule->former_s = former_s;
}

/* Positive: it waits for its time, and *ret_relic is set. */
static int look_at(struct schedules *schedules, const struct tube *tube,
                   const struct job_extra *extra, struct relic *ret_relic)
{
    uint64_t hash;
    int64_t time_s;
    if (key_read(extra->key, &hash, &time_s) < 0)
        return 0;
    const struct job *job = job_at(&schedules->model->store, extra->job);
    struct schedule *schedule = schedule_of(schedules, tube_name(tube), hash);
    bool is_owned = schedule && next_after(schedule, time_s - 1) == time_s;
    if (is_owned)
        adopt(schedules, schedule, job, time_s);
    if (!is_pending(schedules, job))
        return 0;
    *ret_relic = (struct relic){.id = job->id,
                                .hash = hash,
                                .due_ms = job->due_ms,
                                .time_s = time_s,
                                .is_owned = is_owned,
                                .has_schedule = schedule};
    return 1;
}

static int by_hash_and_time(const void *a, const void *b)
{
    const struct relic *one = a, *other = b;
    if (one->hash != other->hash)
        return one->hash < other->hash ? -1 : 1;
    return (one->time_s > other->time_s) - (one->time_s < other->time_s);
}

/*
 * Of a schedule that is no more goes what waits for a time to come, and the last one in any case:
 * it is put before the one ahead of it can be taken, so that its own time was never noticed.
 */
static void drop_orphans(struct schedules *schedules, struct relic *relics, size_t n,
                         struct model_now now)
{
    qsort(relics, n, sizeof(*relics), by_hash_and_time);
    for (size_t i = 0; i < n; i++) {
        bool is_last = i + 1 == n || relics[i + 1].hash != relics[i].hash;
        if (!relics[i].is_owned &&
            (relics[i].due_ms > now.wall_ms || (is_last && !relics[i].has_schedule)))
            delete_job(schedules, relics[i].id, now);
    }
}

static void look_through(struct schedules *schedules, const struct tube *tube, struct model_now now)
{
    uint32_t cursor = 0;
    struct slice key;
    const struct job_extra *extra;
    struct relic *relics = NULL;
    size_t n = 0, cap = 0;
    while ((extra = map_next(&tube->keys, &cursor, &key)) != NULL) {
        struct relic relic;
        if (look_at(schedules, tube, extra, &relic) == 0)
            continue;
        if (n == cap) {
            cap = cap ? 2 * cap : 16;
            relics = mem_realloc(relics, cap * sizeof(*relics));
        }
        relics[n++] = relic;
    }
    if (n > 0)
        drop_orphans(schedules, relics, n, now);
    mem_free(relics);
}

/* ---- the file -------------------------------------------------------------------------------- */

static void schedule_init(struct schedule *schedule, const struct schedule_plan *plan)
{
    *schedule = (struct schedule){.plan = *plan};
    if (plan->zone.len == 0)
        return;
    schedule->zone_bytes = mem_alloc(plan->zone.len);
    memcpy(schedule->zone_bytes, plan->zone.ptr, plan->zone.len);
    schedule->plan.zone = slice_make(schedule->zone_bytes, plan->zone.len);
    int result = tzif_read(schedule->plan.zone, &schedule->zone);
    assert(result == 0);
    (void)result;
}

static struct schedule *find(struct schedule *list, size_t n, const struct schedule_plan *plan)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].plan.hash == plan->hash && slice_equal(list[i].plan.queue, plan->queue))
            return &list[i];
    return NULL;
}

/* But for one whose zone has new rules: its next time may be another. */
static void go_on(struct schedule *schedule, struct schedule *former, int64_t now_s)
{
    schedule->former_s = former->former_s;
    former->is_kept = slice_equal(schedule->plan.zone, former->plan.zone);
    if (!former->is_kept) {
        reckon(schedule, now_s, now_s);
        return;
    }
    schedule->time_s = former->time_s;
    schedule->reckoned_s = former->reckoned_s;
    schedule->is_put = former->is_put;
}

static void leave(struct schedule *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mem_free(list[i].zone_bytes);
    mem_free(list);
}

void schedules_set(struct schedules *schedules, const struct schedule_plan *plans, size_t n,
                   struct model_now now)
{
    int64_t now_s = (int64_t)(now.wall_ms / MS_PER_S);
    struct schedule *formers = schedules->list;
    size_t n_formers = schedules->n;
    schedules->list = MEM_NEW_ARRAY(struct schedule, n);
    schedules->n = n;
    for (size_t i = 0; i < n; i++) {
        struct schedule *former = find(formers, n_formers, &plans[i]);
        schedule_init(&schedules->list[i], &plans[i]);
        if (former)
            go_on(&schedules->list[i], former, now_s);
        else
            reckon(&schedules->list[i], now_s, now_s);
    }
    for (size_t i = 0; i < n_formers; i++)
        if (!formers[i].is_kept)
            drop_next(schedules, &formers[i], now);
    leave(formers, n_formers);
    /* The slots: what is deleted may take its tube with it. */
    for (uint32_t i = 0; !schedules->is_set && i < schedules->model->n_tube_slots; i++)
        if (schedules->model->tubes[i])
            look_through(schedules, schedules->model->tubes[i], now);
    schedules->is_set = true;
    schedules_run(schedules, now);
}

void schedules_init(struct schedules *schedules, struct model *model,
                    const struct schedule_hooks *hooks)
{
    *schedules = (struct schedules){
        .model = model, .hooks = *hooks, .due_ms = UINT64_MAX, .retry_mono_ms = UINT64_MAX};
}

void schedules_deinit(struct schedules *schedules)
{
    leave(schedules->list, schedules->n);
    *schedules = (struct schedules){.due_ms = UINT64_MAX, .retry_mono_ms = UINT64_MAX};
}
