/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The documents of stats and list-tubes, with the figures of beanstalkd, and those of list-jobs.
 */

#include "config.h"
#include "queue/internal.h"
#include "wire/jobproto_write.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)

/* Clients compare it with the version of beanstalkd that brought a command. */
#define PROTOCOL "1.13.0"

enum { MS_PER_S = 1000, US_PER_S = 1000000, COUNTS_BYTES = 40 };

static uint64_t age_s(const struct job *job, struct model_now now)
{
    uint64_t wall_s = now.wall_ms / MS_PER_S;
    return wall_s > job->created_s ? wall_s - job->created_s : 0;
}

void report_job(struct hall *hall, const struct job *job, struct text *out)
{
    const struct model *model = hall->engine.model;
    struct model_now now = engine_clock(&hall->engine);
    const struct jobproto_stats_job stats = {
        .id = job->id,
        .tube = tube_name(model->tubes[job->tube]),
        .state = slice_from(job_state_name((enum job_state)job->state)),
        .priority = job->priority,
        .age_s = age_s(job, now),
        .delay_s = job->delay_s,
        .ttr_s = job->ttr_s,
        .time_left_s = model_left_ms(model, job, now) / MS_PER_S,
        .file = job->places.put.segment,
        .n_reserves = job->n_reserves,
        .n_timeouts = job->n_timeouts,
        .n_releases = job->n_releases,
        .n_buries = job->n_buries,
        .n_kicks = job->n_kicks,
        .n_attempts = job->n_attempts,
    };
    jobproto_write_stats_job(&stats, out);
}

void report_tube(struct hall *hall, const struct tube *tube, struct text *out)
{
    struct model_now now = engine_clock(&hall->engine);
    uint64_t until_ms = tube->paused_until_ms;
    const struct jobproto_stats_tube stats = {
        .name = tube_name(tube),
        .n_urgent = tube->n_urgent,
        .n_ready = tube->ready.n,
        .n_reserved = tube->n_reserved,
        .n_delayed = tube->delayed.n,
        .n_buried = tube->n_buried,
        .n_total_jobs = tube->counts.n_puts,
        .n_using = tube->n_using,
        .n_watching = tube->n_watching,
        .n_waiting = tube->n_waiting,
        .n_deletes = tube->counts.n_deletes,
        .n_pauses = tube->counts.n_pauses,
        .pause_s = until_ms > 0 ? tube->pause_ms / MS_PER_S : 0,
        .pause_left_s = until_ms > now.wall_ms ? (until_ms - now.wall_ms) / MS_PER_S : 0,
        .oldest_ms = model_oldest_ms(hall->engine.model, tube, now),
    };
    jobproto_write_stats_tube(&stats, out);
}

static void add_tubes(const struct model *model, struct jobproto_stats *stats)
{
    for (uint32_t i = 0; i < model->n_tube_slots; i++) {
        const struct tube *tube = model->tubes[i];
        if (!tube)
            continue;
        stats->n_urgent += tube->n_urgent;
        stats->n_ready += tube->ready.n;
        stats->n_reserved += tube->n_reserved;
        stats->n_delayed += tube->delayed.n;
        stats->n_buried += tube->n_buried;
    }
}

static void add_log(struct hall *hall, struct jobproto_stats *stats)
{
    struct wal_facts facts;
    wal_facts(hall->engine.wal, &facts);
    stats->log_oldest = facts.first_segment;
    stats->log_current = facts.appended_lsn >> 32;
    stats->log_migrated = facts.n_moved;
    stats->log_written = facts.n_appends;
    stats->log_max_bytes = facts.segment_bytes;
}

static uint64_t us_of(struct timeval time)
{
    return (uint64_t)time.tv_sec * US_PER_S + (uint64_t)time.tv_usec;
}

static uint64_t largest_job(const struct hall *hall)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < hall->n_listeners; i++) {
        uint64_t own = (uint64_t)hall->listeners[i]->conf->limits.job_bytes;
        bytes = own > bytes ? own : bytes;
    }
    return bytes;
}

void report_all(struct hall *hall, struct text *out)
{
    const struct model *model = hall->engine.model;
    struct rusage usage = {0};
    struct jobproto_stats stats = {
        .n_timeouts = model->n_timeouts,
        .n_total_jobs = model->n_puts,
        .job_max_bytes = largest_job(hall),
        .n_tubes = model->n_tubes,
        .n_conns = hall->n_conns,
        .n_producers = hall->n_producers,
        .n_workers = hall->n_workers,
        .n_waiting = hall->n_waiting,
        .n_total_conns = hall->n_total_conns,
        .pid = (uint64_t)getpid(),
        .version = slice_from(PROTOCOL "+weir." WEIR_VERSION),
        .uptime_s = (loop_now_ns(hall->loop) - hall->started_ns) / NS_PER_S,
        .is_draining = model->is_draining,
        .id = slice_from(hall->id),
        .hostname = slice_from(hall->system.nodename),
        .os = slice_from(hall->system.version),
        .platform = slice_from(hall->system.machine),
    };
    getrusage(RUSAGE_SELF, &usage);
    stats.user_us = us_of(usage.ru_utime);
    stats.system_us = us_of(usage.ru_stime);
    for (int i = 0; i < JOBPROTO_N_VERBS; i++)
        stats.n_commands[i] = hall->n_commands[i];
    add_tubes(model, &stats);
    add_log(hall, &stats);
    jobproto_write_stats(&stats, out);
}

void report_tubes(struct hall *hall, struct text *out)
{
    const struct model *model = hall->engine.model;
    size_t start = jobproto_list_begin(out);
    for (uint32_t i = 0; i < model->n_tube_slots; i++)
        if (model->tubes[i])
            jobproto_list_tube(out, tube_name(model->tubes[i]));
    jobproto_list_end(out, start);
}

/* Whole seconds, not before the time itself. */
static uint64_t seconds_of(uint64_t ms)
{
    return ms / MS_PER_S + (ms % MS_PER_S > 0);
}

/* As put-opts has them; empty: nothing happened yet. */
static struct slice counts_of(const struct job *job, char *buf, size_t cap)
{
    int len = snprintf(buf, cap, "%u,%u,%u,%u,%u", job->n_reserves, job->n_timeouts,
                       job->n_releases, job->n_buries, job->n_kicks);
    assert(len > 0 && (size_t)len < cap);
    bool is_new = strcmp(buf, "0,0,0,0,0") == 0;
    return slice_make(buf, is_new ? 0 : (size_t)len);
}

/* `counts` has room for COUNTS_BYTES. */
static struct jobproto_listed_job listed_of(const struct model *model, const struct job *job,
                                            struct model_now now, char *counts)
{
    const struct job_extra *extra = job_extra(&model->store, job);
    enum job_error error = extra ? (enum job_error)extra->error : JOB_ERROR_NONE;
    return (struct jobproto_listed_job){
        .id = job->id,
        .state = slice_from(job_state_name((enum job_state)job->state)),
        .priority = job->priority,
        .n_attempts = job->n_attempts,
        .age_s = age_s(job, now),
        .ttr_s = job->ttr_s,
        .time_left_s = model_left_ms(model, job, now) / MS_PER_S,
        .body_bytes = extra && job->state == JOB_DONE ? extra->result_bytes : job->body_bytes,
        .created_s = job->created_s,
        .not_before_s = job->state == JOB_DELAYED ? seconds_of(job->due_ms) : 0,
        .expires_s = extra ? seconds_of(extra->expire_ms) : 0,
        .attempts_max = extra ? extra->attempts_max : 0,
        .result_s = extra ? extra->result_s : 0,
        .result_bytes = extra ? extra->result_bytes : 0,
        .counts = counts_of(job, counts, COUNTS_BYTES),
        .key = extra ? slice_from(extra->key) : SLICE(""),
        .error = slice_from(job_error_name(error)),
        .error_text = extra ? slice_from(extra->error_text) : SLICE(""),
    };
}

void report_shown_job(struct hall *hall, const struct job *job, struct text *out)
{
    const struct model *model = hall->engine.model;
    const struct tube *tube = model->tubes[job->tube];
    const struct job_extra *extra = job_extra(&model->store, job);
    char counts[COUNTS_BYTES];
    struct jobproto_shown_job shown = {
        .job = listed_of(model, job, engine_clock(&hall->engine), counts),
        .tube = tube_name(tube),
        .attempts_allowed = tube->policy.attempts_max,
        .progress = SLICE(""),
    };
    if (extra && extra->attempts_max > 0)
        shown.attempts_allowed = extra->attempts_max;
    if (extra && job->state == JOB_RESERVED) {
        shown.percent = extra->percent;
        shown.progress = slice_from(extra->progress_text);
    }
    jobproto_write_show_job(&shown, out);
}

void report_jobs(struct hall *hall, const struct tube *tube, const struct jobproto_command *command,
                 struct text *out)
{
    static const enum job_state states[JOBPROTO_N_STATES] = {
        [JOBPROTO_STATE_READY] = JOB_READY,       [JOBPROTO_STATE_DELAYED] = JOB_DELAYED,
        [JOBPROTO_STATE_RESERVED] = JOB_RESERVED, [JOBPROTO_STATE_BURIED] = JOB_BURIED,
        [JOBPROTO_STATE_DONE] = JOB_DONE,
    };
    const struct model *model = hall->engine.model;
    struct model_now now = engine_clock(&hall->engine);
    const struct job *jobs[JOBPROTO_BATCH_MAX];
    uint32_t cursor = command->from;
    uint32_t n = model_list(model, tube, states[command->state], &cursor, jobs, command->count);
    size_t start = jobproto_jobs_begin(out, cursor);
    for (uint32_t i = 0; i < n; i++) {
        char counts[COUNTS_BYTES];
        const struct jobproto_listed_job listed = listed_of(model, jobs[i], now, counts);
        jobproto_jobs_add(out, &listed);
    }
    jobproto_list_end(out, start);
}
