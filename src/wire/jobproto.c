/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The reader of a connection: cuts a stream into lines and bodies.
 */

#include "wire/jobproto.h"

#include <assert.h>
#include <string.h>

enum { CRLF_LEN = 2 };

void jobproto_reader_init(struct jobproto_reader *reader, uint32_t body_max_bytes)
{
    assert(body_max_bytes <= JOBPROTO_BODY_LIMIT);
    *reader = (struct jobproto_reader){.phase = JOBPROTO_IN_LINE, .body_max = body_max_bytes};
}

/* Where the first CR LF begins, or bytes.len. */
static size_t find_crlf(struct slice bytes)
{
    size_t at = 0;
    while (at + 1 < bytes.len) {
        const char *cr = memchr(bytes.ptr + at, '\r', bytes.len - at - 1);
        if (!cr)
            return bytes.len;
        at = (size_t)(cr - bytes.ptr);
        if (bytes.ptr[at + 1] == '\n')
            return at;
        at++;
    }
    return bytes.len;
}

static void refuse(struct jobproto_event *event, enum jobproto_reply reply)
{
    event->kind = JOBPROTO_REFUSED;
    event->reply = reply;
}

static void begin_skip(struct jobproto_reader *reader, uint64_t n, enum jobproto_reply reply)
{
    reader->phase = JOBPROTO_IN_SKIP;
    reader->left_bytes = n;
    reader->reply = reply;
}

bool jobproto_has_body(enum jobproto_verb verb)
{
    return verb == JOBPROTO_PUT || verb == JOBPROTO_FINISH || verb == JOBPROTO_PUT_RESULT;
}

/* Throws away all but a CR at the end, whose LF may follow. */
static size_t read_long(struct jobproto_reader *reader, struct slice bytes,
                        struct jobproto_event *event)
{
    size_t at = find_crlf(bytes);
    if (at < bytes.len) {
        reader->phase = JOBPROTO_IN_LINE;
        refuse(event, JOBPROTO_BAD_FORMAT);
        return at + CRLF_LEN;
    }
    event->kind = JOBPROTO_NOTHING;
    return bytes.len - (bytes.len > 0 && bytes.ptr[bytes.len - 1] == '\r');
}

static size_t read_line(struct jobproto_reader *reader, struct slice bytes,
                        struct jobproto_event *event)
{
    struct slice start =
        slice_make(bytes.ptr, bytes.len < JOBPROTO_LINE_MAX ? bytes.len : JOBPROTO_LINE_MAX);
    size_t len = find_crlf(start);
    if (len == start.len) {
        if (len < JOBPROTO_LINE_MAX)
            return 0;
        reader->phase = JOBPROTO_IN_LONG;
        return read_long(reader, start, event);
    }
    int result = jobproto_parse_line(slice_make(bytes.ptr, len), &event->command);
    if (result != 0) {
        refuse(event, (enum jobproto_reply)result);
        return len + CRLF_LEN;
    }
    const struct jobproto_command *command = &event->command;
    event->kind = JOBPROTO_COMMAND;
    if (jobproto_has_body(command->verb) && command->body_bytes > reader->body_max) {
        event->kind = JOBPROTO_NOTHING;
        begin_skip(reader, (uint64_t)command->body_bytes + CRLF_LEN, JOBPROTO_JOB_TOO_BIG);
    } else if (jobproto_has_body(command->verb)) {
        reader->phase = JOBPROTO_IN_BODY;
        reader->left_bytes = command->body_bytes;
    }
    return len + CRLF_LEN;
}

static size_t read_body(struct jobproto_reader *reader, struct slice bytes,
                        struct jobproto_event *event)
{
    size_t n = bytes.len < reader->left_bytes ? bytes.len : (size_t)reader->left_bytes;
    bool has_end = bytes.len - n >= CRLF_LEN; /* then n is all that is left */
    if (n == 0 && !has_end)
        return 0;
    if (!has_end) {
        reader->left_bytes -= n;
        event->kind = JOBPROTO_BODY;
        event->body = slice_make(bytes.ptr, n);
        return n;
    }
    reader->phase = JOBPROTO_IN_LINE;
    if (memcmp(bytes.ptr + n, "\r\n", CRLF_LEN) != 0) {
        refuse(event, JOBPROTO_EXPECTED_CRLF);
        return n + CRLF_LEN;
    }
    event->kind = JOBPROTO_BODY;
    event->body = slice_make(bytes.ptr, n);
    event->is_last = true;
    return n + CRLF_LEN;
}

static size_t read_skip(struct jobproto_reader *reader, struct slice bytes,
                        struct jobproto_event *event)
{
    size_t n = bytes.len < reader->left_bytes ? bytes.len : (size_t)reader->left_bytes;
    reader->left_bytes -= n;
    event->kind = JOBPROTO_NOTHING;
    if (reader->left_bytes > 0)
        return n;
    reader->phase = JOBPROTO_IN_LINE;
    refuse(event, reader->reply);
    return n;
}

size_t jobproto_read(struct jobproto_reader *reader, struct slice bytes,
                     struct jobproto_event *ret_event)
{
    *ret_event = (struct jobproto_event){.kind = JOBPROTO_NOTHING};
    if (bytes.len == 0)
        return 0;
    switch (reader->phase) {
    case JOBPROTO_IN_LINE:
        return read_line(reader, bytes, ret_event);
    case JOBPROTO_IN_LONG:
        return read_long(reader, bytes, ret_event);
    case JOBPROTO_IN_BODY:
        return read_body(reader, bytes, ret_event);
    case JOBPROTO_IN_SKIP:
        return read_skip(reader, bytes, ret_event);
    }
    assert(false && "a phase");
    return 0;
}

void jobproto_refuse(struct jobproto_reader *reader, enum jobproto_reply reply)
{
    assert(reader->phase == JOBPROTO_IN_BODY);
    begin_skip(reader, reader->left_bytes + CRLF_LEN, reply);
}
