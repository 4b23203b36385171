/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Replies of one line.
 */

#include "wire/jobproto_write.h"

#include <assert.h>
#include <string.h>

static const struct slice replies[JOBPROTO_N_REPLIES] = {
    [JOBPROTO_OUT_OF_MEMORY] = SLICE_INIT("OUT_OF_MEMORY\r\n"),
    [JOBPROTO_INTERNAL_ERROR] = SLICE_INIT("INTERNAL_ERROR\r\n"),
    [JOBPROTO_BAD_FORMAT] = SLICE_INIT("BAD_FORMAT\r\n"),
    [JOBPROTO_UNKNOWN_COMMAND] = SLICE_INIT("UNKNOWN_COMMAND\r\n"),
    [JOBPROTO_EXPECTED_CRLF] = SLICE_INIT("EXPECTED_CRLF\r\n"),
    [JOBPROTO_JOB_TOO_BIG] = SLICE_INIT("JOB_TOO_BIG\r\n"),
    [JOBPROTO_DRAINING] = SLICE_INIT("DRAINING\r\n"),
    [JOBPROTO_DEADLINE_SOON] = SLICE_INIT("DEADLINE_SOON\r\n"),
    [JOBPROTO_TIMED_OUT] = SLICE_INIT("TIMED_OUT\r\n"),
    [JOBPROTO_NOT_FOUND] = SLICE_INIT("NOT_FOUND\r\n"),
    [JOBPROTO_DELETED] = SLICE_INIT("DELETED\r\n"),
    [JOBPROTO_RELEASED] = SLICE_INIT("RELEASED\r\n"),
    [JOBPROTO_BURIED] = SLICE_INIT("BURIED\r\n"),
    [JOBPROTO_TOUCHED] = SLICE_INIT("TOUCHED\r\n"),
    [JOBPROTO_KICKED] = SLICE_INIT("KICKED\r\n"),
    [JOBPROTO_NOT_IGNORED] = SLICE_INIT("NOT_IGNORED\r\n"),
    [JOBPROTO_PAUSED] = SLICE_INIT("PAUSED\r\n"),
    [JOBPROTO_AUTHORIZED] = SLICE_INIT("AUTHORIZED\r\n"),
    [JOBPROTO_DENIED] = SLICE_INIT("DENIED\r\n"),
    [JOBPROTO_OPTIONS] = SLICE_INIT("OPTIONS\r\n"),
    [JOBPROTO_FINISHED] = SLICE_INIT("FINISHED\r\n"),
    [JOBPROTO_CHANGED] = SLICE_INIT("CHANGED\r\n"),
};

struct slice jobproto_reply_line(enum jobproto_reply reply)
{
    assert(reply < JOBPROTO_N_REPLIES);
    return replies[reply];
}

static size_t put(char *out, size_t at, struct slice bytes)
{
    assert(bytes.len <= JOBPROTO_OUT_MAX - at);
    memcpy(out + at, bytes.ptr, bytes.len);
    return at + bytes.len;
}

static size_t put_number(char *out, size_t at, uint64_t number)
{
    char digits[20];
    size_t n = sizeof(digits);
    do {
        digits[--n] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return put(out, at, slice_make(digits + n, sizeof(digits) - n));
}

static size_t put_end(char *out, size_t at)
{
    return put(out, at, SLICE("\r\n"));
}

size_t jobproto_write_reply(char *out, enum jobproto_reply reply)
{
    return put(out, 0, jobproto_reply_line(reply));
}

size_t jobproto_write_id(char *out, enum jobproto_id_reply reply, uint64_t id)
{
    static const struct slice words[] = {
        [JOBPROTO_INSERTED_ID] = SLICE_INIT("INSERTED "),
        [JOBPROTO_BURIED_ID] = SLICE_INIT("BURIED "),
        [JOBPROTO_EXISTS_ID] = SLICE_INIT("EXISTS "),
    };
    size_t at = put(out, 0, words[reply]);
    return put_end(out, put_number(out, at, id));
}

size_t jobproto_write_count(char *out, enum jobproto_count_reply reply, uint64_t n)
{
    static const struct slice words[] = {
        [JOBPROTO_WATCHING_N] = SLICE_INIT("WATCHING "),
        [JOBPROTO_KICKED_N] = SLICE_INIT("KICKED "),
        [JOBPROTO_BATCH_N] = SLICE_INIT("BATCH "),
    };
    size_t at = put(out, 0, words[reply]);
    return put_end(out, put_number(out, at, n));
}

size_t jobproto_write_using(char *out, struct slice tube)
{
    assert(jobproto_is_tube(tube));
    size_t at = put(out, 0, SLICE("USING "));
    return put_end(out, put(out, at, tube));
}

size_t jobproto_write_job(char *out, enum jobproto_job_reply reply, uint64_t id,
                          uint64_t body_bytes)
{
    static const struct slice words[] = {
        [JOBPROTO_RESERVED_JOB] = SLICE_INIT("RESERVED "),
        [JOBPROTO_FOUND_JOB] = SLICE_INIT("FOUND "),
    };
    size_t at = put(out, 0, words[reply]);
    at = put(out, put_number(out, at, id), SLICE(" "));
    return put_end(out, put_number(out, at, body_bytes));
}
