/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_BINLOG_H
#define WIRE_BINLOG_H

/*
 * The binlog of beanstalkd 1.10 to 1.13, format version 7, as whoever takes its jobs over reads it.
 * A directory has files binlog.1, binlog.2, ..., of which the first ones are removed when nothing
 * in them lives. Each is a version and records; the rest of the newest is zeros:
 *
 *     | 7 (4) | record | record | ... | 0 0 0 ...
 *
 *     full    | tube length (4) | tube | state of the job (80) | body, CR LF |
 *     short   | 0 (4)           |        state of the job (80) |
 *
 *     state   | id 8 | priority 4, - 4 | delay 8 | ttr 8 | bytes of the body 4, - 4 |
 *             | created 8 | deadline 8 | reserves 4 | timeouts 4 | releases 4 |
 *             | buries 4 | kicks 4 | state 1, - 3 |
 *
 * The numbers lie as a 64-bit machine with the least byte first has them in memory, and what fills
 * the gaps (-) is anything. Times are nanoseconds, those of day since 1970. The last record of an
 * id wins; a short one of an id that no full one was seen of is of a job that is gone, or comes
 * later in full.
 */

#include "base/slice.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    BINLOG_VERSION = 7,
    BINLOG_HEAD_BYTES = 4,
    BINLOG_TUBE_MAX = 200,
    BINLOG_BODY_MAX = 1 << 30, /* its own limit is what it was started with */
};

/* The numbers are beanstalkd's. */
enum binlog_state {
    BINLOG_GONE = 0,
    BINLOG_READY = 1,
    BINLOG_RESERVED = 2, /* ready again, because who had it is not there any more */
    BINLOG_BURIED = 3,
    BINLOG_DELAYED = 4,
    BINLOG_N_STATES = 5,
};

struct binlog_record {
    uint64_t id; /* 0: the zeros behind the last record; nothing else is set then */
    enum binlog_state state;
    struct slice tube; /* a valid name (jobproto_is_tube()); empty: a short record */
    struct slice body; /* of a full one, without its CR LF; of one that is gone too */
    uint32_t priority;
    uint32_t body_bytes; /* without the CR LF */
    int64_t delay_ns, ttr_ns;
    int64_t created_ns, deadline_ns; /* since 1970; deadline: of a delay or a lease */
    uint32_t n_reserves, n_timeouts, n_releases, n_buries, n_kicks;
};

/* The version at the beginning of a file, or -1 where there are not BINLOG_HEAD_BYTES. */
int64_t binlog_version(struct slice file);

/*
 * The first record of `bytes`. > 0: its length, *ret_record is set, and its slices lie in `bytes`;
 * 0: there is more of it, as where a machine stopped while it was written; -1: this is no record.
 */
ssize_t binlog_read(struct slice bytes, struct binlog_record *ret_record);

#endif
