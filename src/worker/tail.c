/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The last bytes of a stream.
 */

#include "worker/tail.h"

#include "base/mem.h"
#include <string.h>

enum { CAP_MIN = 1024 };

void tail_init(struct tail *tail, size_t max_bytes)
{
    *tail = (struct tail){.max = max_bytes};
}

void tail_deinit(struct tail *tail)
{
    mem_free(tail->bytes);
    tail->bytes = NULL;
    tail->len = tail->cap = 0;
}

/* Room for n more, as far as it may have it. The bytes lie in their order while it grows. */
static void grow(struct tail *tail, size_t n)
{
    size_t wanted = tail->len + n < tail->max ? tail->len + n : tail->max;
    if (wanted <= tail->cap)
        return;
    size_t cap = tail->cap ? tail->cap : CAP_MIN;
    while (cap < wanted)
        cap *= 2;
    tail->cap = cap < tail->max ? cap : tail->max;
    tail->bytes = mem_realloc(tail->bytes, tail->cap);
}

/* n <= cap bytes over the oldest ones. */
static void turn(struct tail *tail, struct slice bytes)
{
    size_t first = bytes.len < tail->cap - tail->at ? bytes.len : tail->cap - tail->at;
    memcpy(tail->bytes + tail->at, bytes.ptr, first);
    memcpy(tail->bytes, bytes.ptr + first, bytes.len - first);
    tail->at = (tail->at + bytes.len) % tail->cap;
}

void tail_add(struct tail *tail, struct slice bytes)
{
    tail->n_total += bytes.len;
    if (bytes.len > tail->max)
        bytes = slice_skip(bytes, bytes.len - tail->max);
    grow(tail, bytes.len);
    size_t n = bytes.len < tail->cap - tail->len ? bytes.len : tail->cap - tail->len;
    if (n > 0)
        memcpy(tail->bytes + tail->len, bytes.ptr, n);
    tail->len += n;
    if (n < bytes.len)
        turn(tail, slice_skip(bytes, n));
}

void tail_append(const struct tail *tail, size_t n_max, struct text *out)
{
    if (tail->len == 0)
        return;
    size_t skip = tail->len > n_max ? tail->len - n_max : 0;
    struct slice old = slice_make(tail->bytes + tail->at, tail->len - tail->at);
    struct slice new = slice_make(tail->bytes, tail->at);
    text_append(out, slice_skip(old, skip));
    text_append(out, slice_skip(new, skip > old.len ? skip - old.len : 0));
}

const char *tail_last_line(const struct tail *tail, char *out, size_t cap)
{
    struct text end = TEXT_NONE;
    size_t n = 0;
    tail_append(tail, 4 * cap, &end);
    while (end.len > 0 && strchr("\r\n\t ", end.ptr[end.len - 1]))
        end.len--;
    size_t start = end.len;
    while (start > 0 && end.ptr[start - 1] != '\n')
        start--;
    for (size_t i = start; i < end.len && n + 1 < cap; i++)
        out[n++] = end.ptr[i] >= ' ' && end.ptr[i] <= '~' ? end.ptr[i] : '?';
    out[n] = '\0';
    text_deinit(&end);
    return out;
}
