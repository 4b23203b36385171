/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Records as bytes: little endian, fixed fields first, then the texts whose lengths they hold. A
 * reader takes nothing that a writer would not have written, so that one record has one form.
 */

#include "queue/job_record.h"

#include <assert.h>
#include <string.h>

/* ---- out ------------------------------------------------------------------------------------- */

static void put_u(struct text *out, uint64_t value, size_t n_bytes)
{
    char bytes[8];
    for (size_t i = 0; i < n_bytes; i++)
        bytes[i] = (char)(value >> (8 * i));
    text_append(out, slice_make(bytes, n_bytes));
}

static void put_counters(struct text *out, const struct job_record *record)
{
    put_u(out, record->n_attempts, 2);
    put_u(out, record->n_reserves, 2);
    put_u(out, record->n_timeouts, 2);
    put_u(out, record->n_releases, 2);
    put_u(out, record->n_buries, 2);
    put_u(out, record->n_kicks, 2);
}

static void put_state(struct text *out, const struct job_record *record)
{
    assert(record->state != JOB_RESERVED && record->error_text.len <= JOB_ERROR_MAX);
    put_u(out, record->state, 1);
    put_u(out, record->error, 1);
    put_counters(out, record);
    put_u(out, record->id, 8);
    put_u(out, record->due_ms, 8);
    put_u(out, record->expire_ms, 8);
    put_u(out, record->priority, 4);
    put_u(out, record->delay_s, 4);
    put_u(out, record->result.len, 4);
    put_u(out, record->error_text.len, 1);
}

static void put_put(struct text *out, const struct job_record *record)
{
    assert(record->body.len == 0 || record->body.len == record->body_bytes);
    assert(record->tube.len <= JOB_RECORD_TUBE_MAX && record->key.len <= JOB_RECORD_KEY_MAX);
    put_state(out, record);
    put_u(out, record->tube.len, 1);
    put_u(out, record->key.len, 1);
    put_u(out, record->ttr_s, 4);
    put_u(out, record->created_s, 4);
    put_u(out, record->attempts_max, 4);
    put_u(out, record->result_s, 4);
    put_u(out, record->body_bytes, 4);
    text_append(out, record->error_text);
    text_append(out, record->result);
    text_append(out, record->tube);
    text_append(out, record->key);
    text_append(out, record->body);
}

void job_record_write(const struct job_record *record, struct text *out)
{
    put_u(out, record->kind, 1);
    put_u(out, JOB_RECORD_VERSION, 1);
    switch (record->kind) {
    case JOB_RECORD_PUT:
        put_put(out, record);
        return;
    case JOB_RECORD_STATE:
        put_state(out, record);
        text_append(out, record->error_text);
        text_append(out, record->result);
        return;
    case JOB_RECORD_LEASE:
        put_counters(out, record);
        put_u(out, record->id, 8);
        return;
    case JOB_RECORD_DEL:
    case JOB_RECORD_MARK:
        put_u(out, record->id, 8);
        return;
    case JOB_RECORD_TUBE:
        put_u(out, record->is_draining, 1);
        put_u(out, record->paused_until_ms, 8);
        text_append(out, record->tube);
        return;
    }
    assert(false && "a kind of record");
}

/* ---- in -------------------------------------------------------------------------------------- */

/* What is left, and whether more was wanted than there was. */
struct cursor {
    struct slice rest;
    bool is_short;
};

static struct slice take(struct cursor *cursor, size_t n)
{
    if (n > cursor->rest.len) {
        cursor->is_short = true;
        return SLICE("");
    }
    struct slice taken = slice_make(cursor->rest.ptr, n);
    cursor->rest = slice_skip(cursor->rest, n);
    return taken;
}

static uint64_t take_u(struct cursor *cursor, size_t n_bytes)
{
    struct slice bytes = take(cursor, n_bytes);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.len; i++)
        value |= (uint64_t)(unsigned char)bytes.ptr[i] << (8 * i);
    return value;
}

static uint16_t take_u16(struct cursor *cursor)
{
    return (uint16_t)take_u(cursor, 2);
}

static uint32_t take_u32(struct cursor *cursor)
{
    return (uint32_t)take_u(cursor, 4);
}

static void take_counters(struct cursor *cursor, struct job_record *record)
{
    record->n_attempts = take_u16(cursor);
    record->n_reserves = take_u16(cursor);
    record->n_timeouts = take_u16(cursor);
    record->n_releases = take_u16(cursor);
    record->n_buries = take_u16(cursor);
    record->n_kicks = take_u16(cursor);
}

/* The lengths of texts are left in their slices, without bytes. */
static void take_state(struct cursor *cursor, struct job_record *record)
{
    record->state = (enum job_state)take_u(cursor, 1);
    record->error = (enum job_error)take_u(cursor, 1);
    take_counters(cursor, record);
    record->id = take_u(cursor, 8);
    record->due_ms = take_u(cursor, 8);
    record->expire_ms = take_u(cursor, 8);
    record->priority = take_u32(cursor);
    record->delay_s = take_u32(cursor);
    record->result.len = take_u32(cursor);
    record->error_text.len = take_u(cursor, 1);
}

static bool is_state(const struct job_record *record)
{
    if (record->state >= JOB_N_STATES || record->state == JOB_RESERVED)
        return false;
    if (record->error >= JOB_N_ERRORS || record->error_text.len > JOB_ERROR_MAX)
        return false;
    if (record->state != JOB_DELAYED && record->due_ms != 0)
        return false;
    return record->state == JOB_DONE || record->state == JOB_BURIED || record->result.len == 0;
}

static void take_texts(struct cursor *cursor, struct job_record *record)
{
    record->error_text = take(cursor, record->error_text.len);
    record->result = take(cursor, record->result.len);
}

static bool take_put(struct cursor *cursor, struct job_record *record)
{
    take_state(cursor, record);
    size_t tube_len = take_u(cursor, 1);
    size_t key_len = take_u(cursor, 1);
    record->ttr_s = take_u32(cursor);
    record->created_s = take_u32(cursor);
    record->attempts_max = take_u32(cursor);
    record->result_s = take_u32(cursor);
    record->body_bytes = take_u32(cursor);
    take_texts(cursor, record);
    record->tube = take(cursor, tube_len);
    record->key = take(cursor, key_len);
    /* Where the log keeps the body apart, there is none. */
    if (cursor->rest.len > 0)
        record->body = take(cursor, record->body_bytes);
    return is_state(record) && tube_len > 0 && tube_len <= JOB_RECORD_TUBE_MAX && record->ttr_s > 0;
}

static bool take_tube(struct cursor *cursor, struct job_record *record)
{
    uint64_t is_draining = take_u(cursor, 1);
    record->paused_until_ms = take_u(cursor, 8);
    record->tube = take(cursor, cursor->rest.len);
    record->is_draining = is_draining == 1;
    return is_draining <= 1 && record->tube.len > 0 && record->tube.len <= JOB_RECORD_TUBE_MAX;
}

static bool take_record(struct cursor *cursor, struct job_record *record)
{
    switch (record->kind) {
    case JOB_RECORD_PUT:
        return take_put(cursor, record);
    case JOB_RECORD_STATE:
        take_state(cursor, record);
        take_texts(cursor, record);
        return is_state(record);
    case JOB_RECORD_LEASE:
        take_counters(cursor, record);
        record->id = take_u(cursor, 8);
        return true;
    case JOB_RECORD_DEL:
    case JOB_RECORD_MARK:
        record->id = take_u(cursor, 8);
        return true;
    case JOB_RECORD_TUBE:
        return take_tube(cursor, record);
    }
    return false;
}

int job_record_read(struct slice bytes, struct job_record *ret_record)
{
    struct cursor cursor = {.rest = bytes};
    *ret_record = (struct job_record){.kind = (enum job_record_kind)take_u(&cursor, 1)};
    if (take_u(&cursor, 1) != JOB_RECORD_VERSION || !take_record(&cursor, ret_record))
        return -1;
    return cursor.is_short || cursor.rest.len > 0 ? -1 : 0;
}
