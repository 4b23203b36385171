/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Records of beanstalkd's binlog.
 */

#include "wire/binlog.h"

#include "wire/jobproto.h"

enum { LENGTH_BYTES = 4, STATE_BYTES = 80, END_BYTES = 2 /* CR LF */ };

/* Where what lies in the state of a job. */
enum {
    AT_ID = 0,
    AT_PRIORITY = 8,
    AT_DELAY = 16,
    AT_TTR = 24,
    AT_BODY_BYTES = 32,
    AT_CREATED = 40,
    AT_DEADLINE = 48,
    AT_RESERVES = 56,
    AT_TIMEOUTS = 60,
    AT_RELEASES = 64,
    AT_BURIES = 68,
    AT_KICKS = 72,
    AT_STATE = 76,
};

static uint64_t number(struct slice bytes, size_t at, size_t n_bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n_bytes; i++)
        value |= (uint64_t)(unsigned char)bytes.ptr[at + i] << (8 * i);
    return value;
}

static uint32_t u32(struct slice bytes, size_t at)
{
    return (uint32_t)number(bytes, at, 4);
}

static int64_t i64(struct slice bytes, size_t at)
{
    return (int64_t)number(bytes, at, 8);
}

int64_t binlog_version(struct slice file)
{
    return file.len < BINLOG_HEAD_BYTES ? -1 : (int64_t)u32(file, 0);
}

/* What the 80 bytes say, but for the body. 0, or -1. */
static int read_state(struct slice bytes, struct binlog_record *record)
{
    uint32_t body_bytes = u32(bytes, AT_BODY_BYTES);
    unsigned char state = (unsigned char)bytes.ptr[AT_STATE];
    record->id = number(bytes, AT_ID, 8);
    if (record->id == 0)
        return 0;
    if (state >= BINLOG_N_STATES || body_bytes < END_BYTES ||
        body_bytes - END_BYTES > BINLOG_BODY_MAX)
        return -1;
    record->state = (enum binlog_state)state;
    record->body_bytes = body_bytes - END_BYTES;
    record->priority = u32(bytes, AT_PRIORITY);
    record->delay_ns = i64(bytes, AT_DELAY);
    record->ttr_ns = i64(bytes, AT_TTR);
    record->created_ns = i64(bytes, AT_CREATED);
    record->deadline_ns = i64(bytes, AT_DEADLINE);
    record->n_reserves = u32(bytes, AT_RESERVES);
    record->n_timeouts = u32(bytes, AT_TIMEOUTS);
    record->n_releases = u32(bytes, AT_RELEASES);
    record->n_buries = u32(bytes, AT_BURIES);
    record->n_kicks = u32(bytes, AT_KICKS);
    return 0;
}

ssize_t binlog_read(struct slice bytes, struct binlog_record *ret_record)
{
    struct binlog_record record = {.id = 0};
    if (bytes.len < LENGTH_BYTES)
        return 0;
    uint32_t tube_bytes = u32(bytes, 0);
    if (tube_bytes > BINLOG_TUBE_MAX)
        return -1;
    size_t n = LENGTH_BYTES + tube_bytes + STATE_BYTES;
    if (bytes.len < n)
        return 0;
    record.tube = slice_make(bytes.ptr + LENGTH_BYTES, tube_bytes);
    if (read_state(slice_skip(bytes, LENGTH_BYTES + tube_bytes), &record) < 0)
        return -1;
    if (record.id == 0) {
        *ret_record = (struct binlog_record){.id = 0};
        return tube_bytes == 0 ? (ssize_t)n : -1;
    }
    if (tube_bytes > 0) {
        if (!jobproto_is_tube(record.tube))
            return -1;
        if (bytes.len - n < record.body_bytes + (size_t)END_BYTES)
            return 0;
        record.body = slice_make(bytes.ptr + n, record.body_bytes);
        n += record.body_bytes + (size_t)END_BYTES;
        if (bytes.ptr[n - 2] != '\r' || bytes.ptr[n - 1] != '\n')
            return -1;
    }
    *ret_record = record;
    return (ssize_t)n;
}
