/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as records: what is read lies within them, is as long as it says, and is the same with
 * any bytes behind it; no beginning of it is a record or a mistake.
 */

#include "wire/binlog.h"

#include "wire/jobproto.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within(struct slice part, struct slice whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

/* The same in memory that ends behind `len` bytes. */
static ssize_t read_cut(struct slice bytes, size_t len)
{
    struct binlog_record record;
    char *copy = malloc(len > 0 ? len : 1);
    assert(copy);
    memcpy(copy, bytes.ptr, len);
    ssize_t n = binlog_read(slice_make(copy, len), &record);
    free(copy);
    return n;
}

static void check(struct slice bytes)
{
    struct binlog_record record;
    ssize_t n = 0;
    for (; (n = binlog_read(bytes, &record)) > 0; bytes = slice_skip(bytes, (size_t)n)) {
        assert((size_t)n <= bytes.len);
        assert(read_cut(bytes, (size_t)n) == n);
        assert(read_cut(bytes, (size_t)n - 1) == 0);
        if (record.id == 0)
            continue;
        struct slice own = slice_make(bytes.ptr, (size_t)n);
        assert(record.state < BINLOG_N_STATES);
        assert(is_within(record.tube, own) && is_within(record.body, own));
        assert(record.tube.len == 0 || jobproto_is_tube(record.tube));
        assert(record.body.len == (record.tube.len > 0 ? record.body_bytes : 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    assert(copy);
    memcpy(copy, data, size);
    check(slice_make(copy, size));
    free(copy);
    return 0;
}
