/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_H1_OUT_H
#define WIRE_H1_OUT_H

/*
 * A bounded cursor for the writers of the HTTP/1 codec: what does not fit makes it full for good,
 * and only the end asks. Private to wire/h1*.
 */

#include "wire/h1.h"

struct h1_out {
    char *ptr;
    size_t len;
    size_t cap;
    bool is_full;
};

static inline void h1_put(struct h1_out *out, struct slice bytes)
{
    if (bytes.len > out->cap - out->len) {
        out->is_full = true;
        return;
    }
    if (bytes.len > 0) {
        assert(bytes.ptr);
        memcpy(out->ptr + out->len, bytes.ptr, bytes.len);
    }
    out->len += bytes.len;
}

/* In decimal. */
void h1_put_number(struct h1_out *out, uint64_t number);
/* "Content-Length: N" CRLF */
void h1_put_length(struct h1_out *out, uint64_t length);

static inline ssize_t h1_out_end(const struct h1_out *out)
{
    return out->is_full ? -1 : (ssize_t)out->len;
}

#endif
