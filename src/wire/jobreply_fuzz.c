/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as what a server sends: whole, or in pieces whose sizes the first byte chooses, the
 * replies are the same, and so are the bytes of their bodies, which are as long as they say. And
 * any line that is a command is one again when it was written.
 */

#include "wire/jobproto_client.h"

#include "base/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 300 };

struct digest {
    uint64_t hash;
    uint64_t body_hash; /* how much of one comes before a mistake depends on the pieces */
    uint64_t left_bytes;
    bool is_in_body;
};

static void add(struct digest *digest, uint64_t value)
{
    digest->hash = hash_mix(digest->hash ^ value);
}

static void check_body(const struct jobreply_event *event, struct slice bytes,
                       struct digest *digest)
{
    assert(digest->is_in_body && event->body.len <= digest->left_bytes);
    assert(event->body.ptr >= bytes.ptr);
    assert(event->body.ptr + event->body.len <= bytes.ptr + bytes.len);
    digest->left_bytes -= event->body.len;
    for (size_t i = 0; i < event->body.len; i++)
        digest->body_hash = hash_mix(digest->body_hash ^ (unsigned char)event->body.ptr[i]);
    if (!event->is_last)
        return;
    add(digest, digest->body_hash);
    assert(digest->left_bytes == 0);
    digest->is_in_body = false;
}

static void check_reply(const struct jobreply *reply, struct digest *digest)
{
    assert(!digest->is_in_body);
    assert(reply->kind < JOBREPLY_N_KINDS && reply->plain < JOBPROTO_N_REPLIES);
    assert(reply->body_bytes <= BODY_MAX);
    assert(reply->tube.len == 0 || jobproto_is_tube(reply->tube));
    add(digest, reply->kind);
    add(digest, reply->plain + reply->id + reply->count);
    digest->is_in_body = jobreply_has_body(reply);
    digest->left_bytes = reply->body_bytes;
}

/* The events of `bytes`, of which `step` more are there each time. */
static uint64_t run(struct slice bytes, size_t step)
{
    struct jobreply_reader reader;
    struct digest digest = {.hash = 0};
    jobreply_reader_init(&reader, BODY_MAX);
    size_t at = 0;
    for (size_t end = 0; end < bytes.len;) {
        end = bytes.len - end < step ? bytes.len : end + step;
        for (;;) {
            struct jobreply_event event;
            struct slice there = slice_make(bytes.ptr + at, end - at);
            ssize_t n = jobreply_read(&reader, there, &event);
            if (n < 0)
                return hash_mix(digest.hash);
            assert((size_t)n <= there.len);
            assert(n > 0 || there.len < JOBPROTO_OUT_MAX);
            if (n == 0)
                break;
            if (event.is_body)
                check_body(&event, there, &digest);
            else
                check_reply(&event.reply, &digest);
            at += (size_t)n;
        }
    }
    return digest.hash;
}

static void check_command(struct slice line)
{
    struct jobproto_command command, again;
    struct text out = TEXT_NONE;
    if (line.len > JOBPROTO_LINE_MAX - 3 || jobproto_parse_line(line, &command) != 0)
        return;
    jobproto_write_command(&out, &command);
    assert(out.len >= 2);
    assert(jobproto_parse_line(slice_make(out.ptr, out.len - 2), &again) == 0);
    assert(again.verb == command.verb && again.id == command.id && again.fail == command.fail);
    assert(slice_equal(again.tube, command.tube));
    assert(again.text.len <= command.text.len);
    assert(again.options.has == command.options.has);
    text_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    /* A copy of its own length, so that a read behind it is seen. */
    char *copy = malloc(size > 1 ? size - 1 : 1);
    assert(copy);
    memcpy(copy, data + 1, size - 1);
    struct slice bytes = slice_make(copy, size - 1);
    uint64_t whole = run(bytes, bytes.len + 1);
    uint64_t bytewise = run(bytes, 1), piecewise = run(bytes, 1 + data[0]);
    assert(bytewise == whole);
    assert(piecewise == whole);
    check_command(bytes);
    free(copy);
    return 0;
}
