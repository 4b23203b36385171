/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_CONF_H
#define QUEUE_CONF_H

/*
 * The words of the queue:
 *
 *     queue mail {                         # the policy of the jobs of one name
 *         retry  8 backoff 10s..1h
 *         keep   7d
 *         limits jobs 100000
 *         schedule "30 2 * * *" zone Europe/Berlin body digest    # a job that the clock puts
 *     }
 *     jobs 127.0.0.1:11300 {               # where producers and consumers connect
 *         token-file jobs.token
 *         limits connections 1000
 *     }
 *     queues { sync group }                # what all queues share: the log, the limits
 *
 * A queue needs no word to be there: clients make one by naming it, as far as `limits tubes` goes,
 * and then whatever fails is tried again for ever, as beanstalkd does. `jobs` without `name` is
 * called by its address.
 */

#include "core/module.h"
#include "queue/async_conf.h"
#include "queue/deliver_conf.h"
#include "queue/schedule.h"
#include "queue/tube.h"
#include "tls/conf.h"
#include "wal/wal.h"
#include "wire/jobproto.h"
#include <stdbool.h>
#include <stdint.h>

#define QUEUE_LOG "queue" /* in the state directory: the folder of the log */

enum { JOBS_LISTENS_MAX = 64, JOBS_TOKEN_BYTES = 4096 };

/* What becomes of a job whose attempt ended so: struct retry_rule, as the file says it. */
enum retry_conf {
    RETRY_CONF_AGAIN, /* at once, counted */
    RETRY_CONF_RETRY, /* after the back-off, counted */
    RETRY_CONF_FREE,  /* after the back-off, not counted */
    RETRY_CONF_BURY,  /* dead */
};

struct queue_retry_conf {
    struct conf_object object;
    int64_t n_retries; /* 0: without an end */
    struct conf_range backoff;
    int temporary, permanent, busy, timeout, lost; /* enum retry_conf */
};

struct queue_rate_conf {
    struct conf_object object;
    struct conf_rate rate; /* count 0: none */
    int64_t burst;
};

struct queue_limits_conf {
    struct conf_object object;
    int64_t jobs, bytes; /* 0: none but those of `queues` */
};

enum schedule_conf_overlap { SCHEDULE_CONF_SKIP, SCHEDULE_CONF_ALLOW };
enum schedule_conf_missed { SCHEDULE_CONF_ONCE, SCHEDULE_CONF_NONE };

struct schedule_conf {
    struct conf_object object;
    struct slice when, zone, body; /* zone empty: UTC */
    int overlap;                   /* enum schedule_conf_overlap */
    int missed;                    /* enum schedule_conf_missed */
    int64_t priority, lease_ms;
    struct cron cron; /* of `when` */
    /* --- filled by check --- */
    uint64_t hash;          /* of what the job says and when */
    const char *zone_blob;  /* NULL: UTC */
    struct slice zone_path; /* of its file */
};

/* `callback` and `failure-callback`: into which queue. */
struct queue_callback_conf {
    struct conf_object object;
    struct conf_ref queue_ref;
    int64_t body_bytes;
    /* --- filled by check --- */
    const struct queue_conf *queue;
};

struct queue_conf {
    struct conf_object object;
    struct slice name;
    struct queue_retry_conf retry;
    int64_t ttl_ms, keep_ms; /* 0: none */
    int64_t concurrency;     /* 0: none */
    struct queue_rate_conf rate;
    struct queue_limits_conf limits;
    struct conf_list schedules;                             /* of struct schedule_conf */
    struct deliver_conf *deliver;                           /* NULL: workers take its jobs */
    struct queue_callback_conf *callbacks[CALLBACK_N_ENDS]; /* NULL: none */
    struct queue_async_conf async;
    bool is_async; /* a route names it: claimed, before check */
    /* --- filled by check --- */
    const char *fact; /* "queue:NAME" */
};

struct jobs_limits_conf {
    struct conf_object object;
    int64_t connections;
    int64_t job_bytes;
    int64_t batch_bytes;
    int64_t output_bytes;
};

struct jobs_timeouts_conf {
    struct conf_object object;
    int64_t request_ms, send_ms, idle_ms, wait_ms;
};

struct jobs_conf {
    struct conf_object object;
    struct slice name; /* what `name` says, else the address as it is written */
    struct conf_addr addr;
    struct slice token_file; /* empty: no token is asked for */
    struct jobs_limits_conf limits;
    struct jobs_timeouts_conf timeouts;
    struct tls_server_conf tls;
    /* --- filled by check --- */
    bool is_async;          /* it is the socket of asynchronous routes (async_conf.h) */
    const char *fact;       /* "jobs:NAME", the name of its socket too */
    const char *token_blob; /* NULL: no token */
};

struct queues_sync_conf {
    struct conf_object object;
    int mode; /* enum wal_sync */
    int64_t every_ms;
};

struct queues_limits_conf {
    struct conf_object object;
    int64_t jobs, bytes, result_bytes, tubes, watches;
    int64_t log_bytes; /* 0: the disk's */
};

struct queues_conf {
    struct conf_object object;
    struct queues_sync_conf sync;
    int64_t segment_bytes;
    int64_t clean_bytes_per_s;
    int64_t handover_ms;
    struct queues_limits_conf limits;
    struct queues_async_conf async;
};

struct queue_module_conf {
    struct conf_object object;
    struct conf_list queue_list; /* of struct queue_conf */
    struct conf_list jobs_list;  /* of struct jobs_conf */
    struct queues_conf queues;
    bool is_async; /* a route names a queue: claimed, before check */
    /* --- filled by check --- */
    struct conf_list listens; /* of struct jobs_conf: jobs_list, and the sockets in the state
                                 directory; empty where nobody can put anything */
};

extern const struct conf_word queue_words[];

/* The module's check(). */
int queue_check(struct snapshot *snap, void *self, struct conf_load *load);
/* The module's files(). */
int queue_files(const struct snapshot *snap, file_want_fn *want, void *ctx);
/* The module's check_files(). */
int queue_check_files(const struct snapshot *snap, const struct conf_bundle *files,
                      struct conf_diag *diag);

/* ---- queue_conf.c ---------------------------------------------------------------------------- */

extern const struct conf_block queue_conf_block;

/* The queue of that name in the file, or NULL. */
struct queue_conf *queue_conf_find(const struct queue_module_conf *conf, struct slice name);
/* What a queue's words say, for the model. */
void queue_policy(const struct queue_conf *conf, struct tube_policy *ret_policy);

/* ---- jobs_conf.c ----------------------------------------------------------------------------- */

extern const struct conf_block jobs_conf_block;

/* The one at `index` of the list, when those before it were checked. 0, or -1 and it is told. */
int jobs_check(const struct conf_list *list, size_t index, struct conf_load *load);
/* The files that it names: its token, its certificates. */
int jobs_files(const struct jobs_conf *jobs, file_want_fn *want, void *ctx);
/* The token in the bytes of a token's file: without the end of its line. */
struct slice queue_token(struct slice bytes);

/* ---- queues_conf.c --------------------------------------------------------------------------- */

extern const struct conf_block queues_conf_block;

/* ---- callback_conf.c ------------------------------------------------------------------------- */

extern const struct conf_block queue_callback_block;

/* Finds the queues of all callbacks, whose `deliver` is checked. 0, or -1 and it is told. */
int callbacks_check(const struct queue_module_conf *conf, struct conf_load *load);
/* The rule of one that was checked, for callback_rule_deinit(). */
void callback_rule_init(const struct queue_callback_conf *conf, struct callback_rule *ret_rule);
void callback_rule_deinit(struct callback_rule *rule);

/* ---- listen_conf.c --------------------------------------------------------------------------- */

/* Sets conf->listens. */
void listens_set(const struct snapshot *snap, struct queue_module_conf *conf,
                 struct conf_load *load);

/* ---- schedule_conf.c ------------------------------------------------------------------------- */

extern const struct conf_block queue_schedule_block;

/* The schedules of one queue, whose fact is set. 0, or -1 and it is told. */
int schedules_check(struct queue_conf *queue, struct conf_load *load);
/* The files of their zones. */
int schedules_files(const struct queue_conf *queue, file_want_fn *want, void *ctx);
/* `zone`: the bytes of the zone's file, empty for UTC. */
void schedule_plan(const struct queue_conf *queue, const struct schedule_conf *conf,
                   struct slice zone, struct schedule_plan *ret_plan);

#endif
