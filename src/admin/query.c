/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Decoding a query string.
 */

#include "admin/query.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The decoded character, and how many it took; 0: malformed. */
static size_t decode_one(struct slice rest, char *ret_c)
{
    if (rest.ptr[0] != '%') {
        *ret_c = rest.ptr[0] == '+' ? ' ' : rest.ptr[0];
        return 1;
    }
    int high = rest.len > 2 ? hex_digit(rest.ptr[1]) : -1;
    int low = rest.len > 2 ? hex_digit(rest.ptr[2]) : -1;
    *ret_c = (char)(high * 16 + low);
    return high >= 0 && low >= 0 && *ret_c ? 3 : 0;
}

static int decode(struct slice part, struct arena *arena, struct slice *ret)
{
    char *out = arena_alloc(arena, part.len + 1);
    size_t len = 0;
    while (part.len) {
        size_t n = decode_one(part, &out[len++]);
        if (n == 0)
            return -1;
        part = slice_skip(part, n);
    }
    *ret = slice_make(out, len);
    return 0;
}

int query_next(struct slice *rest, struct arena *arena, struct slice *ret_name,
               struct slice *ret_value)
{
    struct slice part = SLICE("");
    while (part.len == 0 && rest->ptr && rest->len)
        part = slice_cut(rest, '&');
    if (part.len == 0)
        return 0;
    struct slice value = part, name = slice_cut(&value, '=');
    if (decode(name, arena, ret_name) < 0 || decode(value, arena, ret_value) < 0)
        return -1;
    return 1;
}
