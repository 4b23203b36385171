/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rows of what is counted.
 */

#include "queue/count.h"

#include "queue/deliver_reply.h"

#include <stddef.h>

#define REFUSED(at, why)                                                                    \
    {                                                                                       \
        .name = "refused", .word = (at), .label = "reason", .label_value = (why),           \
        .help = "Commands that were not done for what they are or for what there is of it." \
    }
#define LATE(at, of)                                                                       \
    {                                                                                      \
        .name = "connections_late", .word = (at), .label = "timeout", .label_value = (of), \
        .help = "Connections closed by a time-out."                                        \
    }

#define HTTP(at, of)                                                                 \
    {                                                                                \
        .name = "http_requests", .word = (at), .label = "kind", .label_value = (of), \
        .help = "Requests of the job API."                                           \
    }

static const struct metric_def jobs_defs[] = {
    {.name = "connections", .word = JOBS_CONNECTIONS, .help = "Connections accepted."},
    {.name = "connections_active",
     .type = METRIC_GAUGE,
     .word = JOBS_CONNECTIONS_ACTIVE,
     .help = "Connections."},
    {.name = "connections_refused",
     .word = JOBS_CONNECTIONS_REFUSED,
     .help = "Connections closed at once, as there were enough."},
    {.name = "accept_exhausted",
     .word = JOBS_EXHAUSTED,
     .help = "Times that a connection could not be accepted for want of descriptors or memory."},
    {.name = "commands", .word = JOBS_COMMANDS, .help = "Commands."},
    {.name = "bytes_in", .word = JOBS_BYTES_IN, .help = "Bytes from clients."},
    {.name = "bytes_out", .word = JOBS_BYTES_OUT, .help = "Bytes to clients."},
    REFUSED(JOBS_BAD_FORMAT, "format"),
    REFUSED(JOBS_UNKNOWN, "unknown"),
    REFUSED(JOBS_TOO_BIG, "size"),
    REFUSED(JOBS_DENIED, "token"),
    REFUSED(JOBS_FULL, "full"),
    REFUSED(JOBS_DRAINING, "draining"),
    REFUSED(JOBS_BROKEN, "log"),
    REFUSED(JOBS_CROWDED, "unfinished"),
    REFUSED(JOBS_CONFLICT, "idempotency_key"),
    LATE(JOBS_LATE_REQUEST, "request"),
    LATE(JOBS_LATE_SEND, "send"),
    {.name = "waits",
     .word = JOBS_WAITED,
     .help = "Times that a connection was not read because its answers waited."},
    {.name = "parked",
     .word = JOBS_PARKED,
     .help = "Times that a command waited because the disk was slower than its clients."},
    {.name = "http_connections",
     .word = JOBS_HTTP_CONNECTIONS,
     .help = "Connections that turned out to speak HTTP."},
    HTTP(JOBS_HTTP_PUT, "put"),
    HTTP(JOBS_HTTP_RESERVE, "reserve"),
    HTTP(JOBS_HTTP_LEASE, "lease"),
    HTTP(JOBS_HTTP_LOOK, "look"),
    HTTP(JOBS_HTTP_CHANGE, "change"),
    TLS_METRIC_DEFS(JOBS_TLS),
    {0},
};

const struct metric_table jobs_metrics = {
    .name = "jobs",
    .labels = {"listen"},
    .n_words = JOBS_WORDS,
    .defs = jobs_defs,
};

#define DEPTH(at, of)                                                                              \
    {                                                                                              \
        .name = "jobs", .type = METRIC_GAUGE, .word = (at), .label = "state", .label_value = (of), \
        .help = "Jobs, by their state."                                                            \
    }

#define DELIVERY(end, of)                                                                \
    {                                                                                    \
        .name = "deliveries", .word = QUEUE_DELIVERIES + (end), .label = "outcome",      \
        .label_value = (of), .help = "Deliveries that ended, by what became of the job." \
    }

#define CALLBACKS(end, of)                                                                \
    {                                                                                     \
        .name = "callbacks", .word = QUEUE_CALLBACKS + (end), .label = "state",           \
        .label_value = (of),                                                              \
        .help = "Callbacks put, by what became of their jobs (dropped by the ttl: dead)." \
    }

_Static_assert(DELIVER_N_ENDS == QUEUE_IN_FLIGHT - QUEUE_DELIVERIES, "a word for each end");

static const struct metric_def queue_defs[] = {
    DEPTH(QUEUE_READY, "ready"),
    DEPTH(QUEUE_DELAYED, "delayed"),
    DEPTH(QUEUE_RESERVED, "reserved"),
    DEPTH(QUEUE_BURIED, "buried"),
    DEPTH(QUEUE_DONE, "done"),
    {.name = "bytes",
     .type = METRIC_GAUGE,
     .word = QUEUE_BYTES,
     .help = "Bytes of bodies and results."},
    {.name = "waiting_workers",
     .type = METRIC_GAUGE,
     .word = QUEUE_WAITING,
     .help = "Connections that wait for a job."},
    {.name = "oldest_milliseconds",
     .type = METRIC_GAUGE,
     .word = QUEUE_OLDEST_MS,
     .help =
         "Age of the oldest ready job; where priorities differ, of the first thousand places of "
         "their order."},
    {.name = "puts", .word = QUEUE_PUTS, .help = "Jobs put."},
    {.name = "deletes", .word = QUEUE_DELETES, .help = "Jobs done or deleted."},
    {.name = "timeouts", .word = QUEUE_TIMEOUTS, .help = "Leases that ran out."},
    {.name = "dead", .word = QUEUE_DEAD, .help = "Jobs buried because they failed."},
    {.name = "expired",
     .word = QUEUE_EXPIRED,
     .help = "Jobs dropped because they waited too long."},
    {.name = "refused", .word = QUEUE_REFUSED, .help = "Jobs refused for a limit."},
    {.name = "scheduled", .word = QUEUE_SCHEDULED, .help = "Jobs made ready by a schedule."},
    {.name = "schedule_overlaps",
     .word = QUEUE_OVERLAPS,
     .help = "Times of a schedule left out, as the job before was still to be done."},
    {.name = "schedule_late",
     .word = QUEUE_LATE,
     .help = "Jobs made ready by a schedule a minute or more after their time."},
    {.name = "schedule_missed",
     .word = QUEUE_MISSED,
     .help = "Times of a schedule left out, as they were noticed a minute or more late."},
    DELIVERY(DELIVER_DONE, "done"),
    DELIVERY(DELIVER_AGAIN, "again"),
    DELIVERY(DELIVER_DEAD, "dead"),
    DELIVERY(DELIVER_HELD, "held"),
    DELIVERY(DELIVER_LOST, "lost"),
    DELIVERY(DELIVER_CANCELLED, "cancelled"),
    {.name = "deliveries_in_flight",
     .type = METRIC_GAUGE,
     .word = QUEUE_IN_FLIGHT,
     .help = "Deliveries that are under way."},
    {.name = "delivery_window",
     .type = METRIC_GAUGE,
     .word = QUEUE_WINDOW,
     .help = "Deliveries that may be under way at once now."},
    {.name = "delivery_held",
     .type = METRIC_GAUGE,
     .word = QUEUE_HELD,
     .help = "1 while nothing is delivered, as the pool has nobody to take it, or the queue of "
             "callbacks no room for them."},
    CALLBACKS(CALLBACK_DONE, "done"),
    CALLBACKS(CALLBACK_DEAD, "dead"),
    {0},
};

const struct metric_table queue_metrics = {
    .name = "queue",
    .labels = {"queue"},
    .n_words = QUEUE_WORDS,
    .defs = queue_defs,
};

static const struct metric_def log_defs[] = {
    {.name = "sync_seconds",
     .type = METRIC_HISTOGRAM,
     .word = QLOG_SYNC,
     .scale = 1e-6,
     .help = "Writing and syncing what came together."},
    {.name = "file_bytes",
     .type = METRIC_GAUGE,
     .word = QLOG_FILE_BYTES,
     .help = "Bytes of the log's files."},
    {.name = "live_bytes",
     .type = METRIC_GAUGE,
     .word = QLOG_LIVE_BYTES,
     .help = "Bytes of records that count."},
    {.name = "used_bytes",
     .type = METRIC_GAUGE,
     .word = QLOG_USED_BYTES,
     .help = "Bytes of all records."},
    {.name = "pending_bytes",
     .type = METRIC_GAUGE,
     .word = QLOG_PENDING_BYTES,
     .help = "Bytes that are not written yet."},
    {.name = "is_full",
     .type = METRIC_GAUGE,
     .word = QLOG_IS_FULL,
     .help = "1 while the disk or the limit of the log has no room."},
    {.name = "appends", .word = QLOG_APPENDS, .help = "Records written."},
    {.name = "syncs", .word = QLOG_SYNCS, .help = "Times that records were synced together."},
    {.name = "moved", .word = QLOG_MOVED, .help = "Records moved to make room."},
    {.name = "refused",
     .word = QLOG_BUSY,
     .label = "reason",
     .label_value = "busy",
     .help = "Records that had to wait, or were refused."},
    {.name = "refused",
     .word = QLOG_FULL,
     .label = "reason",
     .label_value = "full",
     .help = "Records that had to wait, or were refused."},
    {.name = "damaged", .word = QLOG_DAMAGED, .help = "Records that could not be read back."},
    {.name = "left_out",
     .word = QLOG_LEFT_OUT,
     .help = "Changes that a crash would forget, as the log had no room for them."},
    {.name = "cold_reads", .word = QLOG_COLD, .help = "Bodies for which the disk was read."},
    {0},
};

const struct metric_table queue_log_metrics = {
    .name = "queue_log",
    .labels = {"log"},
    .n_words = QLOG_WORDS,
    .defs = log_defs,
};
