/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as the field of an asynchronous route, and as the path of a job: what is read of them
 * lies in them, and written anew it is read as the same.
 */

#include "wire/jobasync.h"

#include "base/mem.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIXED_BYTES = 256 }; /* of a line, but for the queue and the path */

static bool lies_in(struct slice part, struct slice whole)
{
    return part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len;
}

static void check_put(const struct jobasync *async)
{
    struct jobasync again;
    size_t cap = async->queue.len + async->path.len + FIXED_BYTES;
    char *line = mem_alloc(cap);
    size_t len = jobasync_write(async, line, cap);
    /* Without its name and its end. */
    struct slice value = slice_skip(slice_make(line, len - 2), sizeof(JOBASYNC_FIELD ": ") - 1);
    int result = jobasync_read(value, &again);
    assert(result == 0 && again.kind == JOBASYNC_PUT && again.mode == async->mode);
    assert(again.has_credentials == async->has_credentials);
    assert(slice_equal(again.queue, async->queue) && slice_equal(again.id, async->id));
    assert(slice_equal(again.path, async->path));
    mem_free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = mem_alloc(size + 1);
    struct slice bytes = slice_make(copy, size), token;
    struct jobasync async;
    bool is_response = false;
    memcpy(copy, data, size);
    if (memchr(copy, '\0', size) == NULL && jobasync_read(bytes, &async) == 0) {
        assert(lies_in(async.path, bytes));
        if (async.kind == JOBASYNC_PUT)
            check_put(&async);
    }
    if (jobasync_read_path(bytes, SLICE("/jobs"), &token, &is_response) == 0)
        assert(lies_in(token, bytes) && token.len == JOBASYNC_TOKEN_CHARS);
    mem_free(copy);
    return 0;
}
