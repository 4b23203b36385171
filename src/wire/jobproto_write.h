/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_JOBPROTO_WRITE_H
#define WIRE_JOBPROTO_WRITE_H

/*
 * The replies of the job protocol, each a line that fits in JOBPROTO_OUT_MAX bytes of the caller's:
 *
 *     NOT_FOUND               jobproto_write_reply()
 *     INSERTED 7              jobproto_write_id()
 *     USING emails            jobproto_write_using()
 *     WATCHING 2              jobproto_write_count()
 *     RESERVED 7 5            jobproto_write_job(), then the body as it was put, then CR LF
 *     OK 24                   jobproto_write_stats(), jobproto_list_end(): with its document
 *
 * Documents have the keys of beanstalkd 1.13 in its order, and its quotes: clients read them by
 * name, by place and by regular expressions. What weir has no figure for is a 0.
 */

#include "base/slice.h"
#include "base/text.h"
#include "wire/jobproto.h"
#include <stdbool.h>
#include <stdint.h>

enum { JOBPROTO_OUT_MAX = 256 };

enum jobproto_id_reply { JOBPROTO_INSERTED_ID, JOBPROTO_BURIED_ID, JOBPROTO_EXISTS_ID };
enum jobproto_count_reply { JOBPROTO_WATCHING_N, JOBPROTO_KICKED_N, JOBPROTO_BATCH_N };
enum jobproto_job_reply { JOBPROTO_RESERVED_JOB, JOBPROTO_FOUND_JOB };

/* With its CR LF. */
struct slice jobproto_reply_line(enum jobproto_reply reply);

/* Each writes into out[JOBPROTO_OUT_MAX] and returns the bytes. */
size_t jobproto_write_reply(char *out, enum jobproto_reply reply);
/* The job was put, was put but is buried, is there already under the unique key. */
size_t jobproto_write_id(char *out, enum jobproto_id_reply reply, uint64_t id);
/* Tubes watched, jobs kicked, RESERVED replies that follow. */
size_t jobproto_write_count(char *out, enum jobproto_count_reply reply, uint64_t n);
/* tube: a valid name. */
size_t jobproto_write_using(char *out, struct slice tube);
/* The line alone; body_bytes without CR LF. */
size_t jobproto_write_job(char *out, enum jobproto_job_reply reply, uint64_t id,
                          uint64_t body_bytes);

struct jobproto_stats_job {
    uint64_t id;
    struct slice tube;
    struct slice state; /* "ready", "reserved", "delayed", "buried" */
    uint64_t priority;
    uint64_t age_s, delay_s, ttr_s, time_left_s;
    uint64_t file; /* segment of the log */
    uint64_t n_reserves, n_timeouts, n_releases, n_buries, n_kicks;
    uint64_t n_attempts; /* weir's own: those that count, with the one under way */
};

struct jobproto_stats_tube {
    struct slice name;
    uint64_t n_urgent, n_ready, n_reserved, n_delayed, n_buried;
    uint64_t n_total_jobs;
    uint64_t n_using, n_watching, n_waiting; /* connections */
    uint64_t n_deletes, n_pauses;
    uint64_t pause_s, pause_left_s;
    uint64_t oldest_ms; /* weir's own: the age of the oldest ready job */
};

struct jobproto_stats {
    uint64_t n_urgent, n_ready, n_reserved, n_delayed, n_buried;
    uint64_t n_commands[JOBPROTO_N_VERBS];
    uint64_t n_timeouts, n_total_jobs;
    uint64_t job_max_bytes;
    uint64_t n_tubes, n_conns, n_producers, n_workers, n_waiting, n_total_conns;
    uint64_t pid;
    struct slice version;
    uint64_t user_us, system_us; /* processor time */
    uint64_t uptime_s;
    uint64_t log_oldest, log_current;   /* segments */
    uint64_t log_migrated, log_written; /* records */
    uint64_t log_max_bytes;             /* of a segment */
    bool is_draining;
    struct slice id; /* of this life of the server */
    struct slice hostname, os, platform;
};

/* Each appends "OK N", the document of N bytes and its CR LF. */
void jobproto_write_stats_job(const struct jobproto_stats_job *stats, struct text *out);
void jobproto_write_stats_tube(const struct jobproto_stats_tube *stats, struct text *out);
void jobproto_write_stats(const struct jobproto_stats *stats, struct text *out);

/*
 * A list of tubes: begin, each name, end. `start` is what begin returned; nothing else is appended
 * to `out` in between.
 */
size_t jobproto_list_begin(struct text *out);
void jobproto_list_tube(struct text *out, struct slice tube);
void jobproto_list_end(struct text *out, size_t start);

/* A line of list-jobs. */
struct jobproto_listed_job {
    uint64_t id;
    struct slice state;
    uint64_t priority, n_attempts;
    uint64_t age_s, ttr_s, time_left_s;
    uint64_t body_bytes;
    /* What not all have; 0 or empty: it is not in the line. */
    uint64_t created_s;    /* seconds since 1970 UTC */
    uint64_t not_before_s; /* likewise, of a delayed one */
    uint64_t expires_s;    /* likewise, of its time to live or its result */
    uint64_t attempts_max;
    uint64_t result_s; /* for how long its result is kept */
    uint64_t result_bytes;
    struct slice counts; /* as put-opts has them */
    struct slice key;
    struct slice error;      /* "temporary", ...; empty: it never failed */
    struct slice error_text; /* any bytes; only beside an error */
};

/* All that is known of one job: show-job. */
struct jobproto_shown_job {
    struct jobproto_listed_job job;
    struct slice tube;
    uint64_t attempts_allowed; /* by the job, or by its queue; 0: any number */
    uint64_t percent;          /* as its worker says; 0: nothing yet */
    struct slice progress;
};

/* Appends "OK N", the document of N bytes and its CR LF. */
void jobproto_write_show_job(const struct jobproto_shown_job *shown, struct text *out);

/*
 * A page of jobs: begin, each job, jobproto_list_end(). `next` is where the following page begins,
 * 0 where there is none.
 */
size_t jobproto_jobs_begin(struct text *out, uint32_t next);
void jobproto_jobs_add(struct text *out, const struct jobproto_listed_job *job);

#endif
