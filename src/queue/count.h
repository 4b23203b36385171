/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_COUNT_H
#define QUEUE_COUNT_H

/*
 * What is counted: of each listener (table "jobs"), of each queue that the file names (table
 * "queue"), and of the log (table "queue_log"). Gauges of queues and of the log, and counters that
 * the model keeps, are brought up to date once a second.
 */

#include "core/metric.h"
#include "tls/tls.h"

enum jobs_word {
    JOBS_CONNECTIONS,
    JOBS_CONNECTIONS_ACTIVE, /* gauge */
    JOBS_CONNECTIONS_REFUSED,
    JOBS_EXHAUSTED,
    JOBS_COMMANDS,
    JOBS_BYTES_IN,
    JOBS_BYTES_OUT,
    JOBS_BAD_FORMAT,
    JOBS_UNKNOWN,
    JOBS_TOO_BIG,
    JOBS_DENIED,
    JOBS_FULL,     /* OUT_OF_MEMORY */
    JOBS_DRAINING, /* puts */
    JOBS_BROKEN,   /* INTERNAL_ERROR */
    JOBS_CROWDED,  /* requests of asynchronous routes: `async unfinished` */
    JOBS_CONFLICT, /* of them, for their Idempotency-Key */
    JOBS_LATE_REQUEST,
    JOBS_LATE_SEND,
    JOBS_WAITED, /* times that a client was not read because answers waited for it */
    JOBS_PARKED, /* times that a command waited for the log to have room */
    JOBS_HTTP_CONNECTIONS,
    JOBS_HTTP_PUT, /* requests of HTTP by their sort, in the order of enum api_sort */
    JOBS_HTTP_RESERVE,
    JOBS_HTTP_LEASE,
    JOBS_HTTP_LOOK,
    JOBS_HTTP_CHANGE,
    JOBS_TLS,
    JOBS_WORDS = JOBS_TLS + TLS_WORDS
};

enum queue_word {
    QUEUE_READY, /* gauges */
    QUEUE_DELAYED,
    QUEUE_RESERVED,
    QUEUE_BURIED,
    QUEUE_DONE,
    QUEUE_BYTES,
    QUEUE_WAITING,
    QUEUE_OLDEST_MS,
    QUEUE_PUTS, /* counters */
    QUEUE_DELETES,
    QUEUE_TIMEOUTS,
    QUEUE_DEAD,
    QUEUE_EXPIRED,
    QUEUE_REFUSED,
    QUEUE_SCHEDULED,
    QUEUE_OVERLAPS,
    QUEUE_LATE,
    QUEUE_MISSED,
    QUEUE_DELIVERIES,                       /* by enum deliver_end */
    QUEUE_IN_FLIGHT = QUEUE_DELIVERIES + 6, /* gauges */
    QUEUE_WINDOW,
    QUEUE_HELD,
    QUEUE_CALLBACKS, /* by enum callback_end; counters */
    QUEUE_WORDS = QUEUE_CALLBACKS + 2
};

enum queue_log_word {
    QLOG_SYNC,
    QLOG_FILE_BYTES = QLOG_SYNC + METRIC_HIST_WORDS,
    QLOG_LIVE_BYTES,
    QLOG_USED_BYTES,
    QLOG_PENDING_BYTES,
    QLOG_IS_FULL,
    QLOG_APPENDS,
    QLOG_SYNCS,
    QLOG_MOVED,
    QLOG_BUSY,
    QLOG_FULL,
    QLOG_DAMAGED,
    QLOG_LEFT_OUT,
    QLOG_COLD,
    QLOG_WORDS
};

extern const struct metric_table jobs_metrics, queue_metrics, queue_log_metrics;

#endif
