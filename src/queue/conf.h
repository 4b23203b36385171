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
#include "queue/tube.h"
#include "tls/conf.h"
#include "wal/wal.h"
#include <stdbool.h>
#include <stdint.h>

#define JOBS_SOCKET "jobs.sock" /* in the state directory: for whoever started weir */

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

struct queue_conf {
    struct conf_object object;
    struct slice name;
    struct queue_retry_conf retry;
    int64_t ttl_ms, keep_ms; /* 0: none */
    int64_t concurrency;     /* 0: none */
    struct queue_rate_conf rate;
    struct queue_limits_conf limits;
    /* --- filled by check --- */
    const char *fact; /* "queue:NAME" */
};

struct jobs_limits_conf {
    struct conf_object object;
    int64_t connections;
    int64_t job_bytes;
    int64_t output_bytes;
};

struct jobs_timeouts_conf {
    struct conf_object object;
    int64_t request_ms, send_ms;
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
    struct queues_limits_conf limits;
};

struct queue_module_conf {
    struct conf_object object;
    struct conf_list queue_list; /* of struct queue_conf */
    struct conf_list jobs_list;  /* of struct jobs_conf */
    struct queues_conf queues;
    /* --- filled by check --- */
    struct conf_list listens; /* of struct jobs_conf: jobs_list, and the socket in the state
                                 directory; empty without `jobs` */
};

extern const struct conf_word queue_words[];

/* The module's check(). */
int queue_check(struct snapshot *snap, void *self, struct conf_load *load);
/* The module's files(). */
int queue_files(const struct snapshot *snap, file_want_fn *want, void *ctx);

/* The token in the bytes of a token's file: without the end of its line. */
struct slice queue_token(struct slice bytes);

/* The module's check_files(). */
int queue_check_files(const struct snapshot *snap, const struct conf_bundle *files,
                      struct conf_diag *diag);

/* What a queue's words say, for the model. */
void queue_policy(const struct queue_conf *conf, struct tube_policy *ret_policy);

#endif
