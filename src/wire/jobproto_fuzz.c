/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as what a client sends: whole, or in pieces whose sizes the first byte chooses, the
 * events are the same; what they hold keeps its bounds; a body is as long as its line says.
 */

#include "wire/jobproto.h"

#include "base/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 300 };

struct digest {
    uint64_t hash;
    uint64_t body_bytes; /* so far */
    uint64_t wanted;
};

static void add(struct digest *digest, uint64_t value)
{
    digest->hash = hash_mix(digest->hash ^ value);
}

static void check_command(const struct jobproto_command *command, struct digest *digest)
{
    assert(command->verb < JOBPROTO_N_VERBS);
    assert(command->tube.len == 0 || jobproto_is_tube(command->tube));
    assert(command->text.len < JOBPROTO_LINE_MAX);
    assert(command->options.key.len <= JOBPROTO_KEY_MAX);
    assert(command->options.tried <= UINT16_MAX && command->error < JOBPROTO_N_ERRORS);
    assert(command->options.state < JOBPROTO_N_STATES);
    assert(command->timeout_s <= INT32_MAX && command->percent <= 100);
    assert(command->body_bytes <= BODY_MAX && command->state < JOBPROTO_N_STATES);
    assert(command->verb != JOBPROTO_LIST_JOBS || command->count <= JOBPROTO_BATCH_MAX);
    assert(command->verb != JOBPROTO_PUT || command->ttr_s > 0);
    add(digest, command->verb);
    add(digest, command->id + command->priority + command->delay_s + command->count);
    add(digest, command->from + command->state + command->error);
    add(digest, command->options.has + command->options.expires_s + command->options.counts[0]);
    digest->wanted = command->body_bytes;
    digest->body_bytes = 0;
}

static void check_event(const struct jobproto_event *event, struct slice bytes,
                        struct digest *digest)
{
    add(digest, event->kind);
    switch (event->kind) {
    case JOBPROTO_NOTHING:
        return;
    case JOBPROTO_COMMAND:
        check_command(&event->command, digest);
        return;
    case JOBPROTO_REFUSED:
        assert(event->reply < JOBPROTO_N_REPLIES);
        add(digest, event->reply);
        return;
    case JOBPROTO_BODY:
        assert(event->body.ptr >= bytes.ptr);
        assert(event->body.ptr + event->body.len <= bytes.ptr + bytes.len);
        digest->body_bytes += event->body.len;
        assert(digest->body_bytes <= digest->wanted);
        assert(event->is_last == false || digest->body_bytes == digest->wanted);
        return;
    }
}

/* The events of `bytes`, of which `step` more are there each time. */
static uint64_t run(struct slice bytes, size_t step)
{
    struct jobproto_reader reader;
    struct digest digest = {.hash = 0};
    struct digest before;
    jobproto_reader_init(&reader, BODY_MAX);
    size_t at = 0;
    size_t end = 0;
    while (end < bytes.len) {
        end = bytes.len - end < step ? bytes.len : end + step;
        for (;;) {
            struct jobproto_event event;
            struct slice there = slice_make(bytes.ptr + at, end - at);
            size_t n = jobproto_read(&reader, there, &event);
            assert(n <= there.len);
            assert(n > 0 || there.len < JOBPROTO_LINE_MAX);
            if (n == 0)
                break;
            before = digest;
            check_event(&event, there, &digest);
            /* How a body is cut into parts, and what is thrown away, depends on the pieces. */
            if (event.kind == JOBPROTO_NOTHING || event.kind == JOBPROTO_BODY)
                digest.hash = before.hash + (event.kind == JOBPROTO_BODY && event.is_last);
            at += n;
        }
    }
    return digest.hash;
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
    free(copy);
    return 0;
}
