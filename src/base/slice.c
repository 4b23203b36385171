/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slices beyond what the header inlines. slice_equal_nocase() is called for every header field of
 * every message and looks at eight bytes at a time.
 */
#include "base/slice.h"
#include "base/ascii.h"
#include "base/mem.h"
#include <assert.h>

static bool equal8_nocase(const char *a, const char *b)
{
    return ascii_lower8(ascii_load8(a)) == ascii_lower8(ascii_load8(b));
}

static bool equal4_nocase(const char *a, const char *b)
{
    return ascii_lower8(ascii_load4(a)) == ascii_lower8(ascii_load4(b));
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    /* The last step overlaps the one before it rather than going byte by byte. */
    if (a.len >= 8) {
        for (size_t i = 0; i + 8 < a.len; i += 8)
            if (!equal8_nocase(a.ptr + i, b.ptr + i))
                return false;
        return equal8_nocase(a.ptr + a.len - 8, b.ptr + b.len - 8);
    }
    if (a.len >= 4)
        return equal4_nocase(a.ptr, b.ptr) && equal4_nocase(a.ptr + a.len - 4, b.ptr + b.len - 4);
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
            return false;
    return true;
}

bool slice_equal_secret(struct slice a, struct slice b)
{
    volatile uint8_t difference = a.len != b.len;
    for (size_t i = 0; i < a.len && i < b.len; i++)
        difference = (uint8_t)(difference | (uint8_t)(a.ptr[i] ^ b.ptr[i]));
    return difference == 0;
}

int slice_compare(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.ptr, b.ptr, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

size_t slice_find(struct slice a, char c)
{
    const char *found = a.len ? memchr(a.ptr, c, a.len) : NULL;
    return found ? (size_t)(found - a.ptr) : a.len;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice a)
{
    while (a.len && is_blank(a.ptr[0])) {
        a.ptr++;
        a.len--;
    }
    while (a.len && is_blank(a.ptr[a.len - 1]))
        a.len--;
    return a;
}

struct slice slice_cut(struct slice *rest, char separator)
{
    size_t at = slice_find(*rest, separator);
    struct slice part = {rest->ptr, at};
    if (at == rest->len)
        *rest = (struct slice){NULL, 0};
    else
        *rest = slice_skip(*rest, at + 1);
    return part;
}

char *slice_dup(struct slice a)
{
    char *copy = mem_alloc(a.len + 1);
    if (a.len)
        memcpy(copy, a.ptr, a.len);
    copy[a.len] = '\0';
    return copy;
}

size_t slice_copy(struct slice a, char *dst, size_t cap)
{
    assert(cap > 0);
    size_t len = a.len < cap ? a.len : cap - 1;
    if (len)
        memcpy(dst, a.ptr, len);
    dst[len] = '\0';
    return len;
}

int slice_to_u64(struct slice a, uint64_t *ret_value)
{
    if (a.len == 0)
        return -1;
    uint64_t value = 0;
    for (size_t i = 0; i < a.len; i++) {
        if (!ascii_is_digit(a.ptr[i]))
            return -1;
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(a.ptr[i] - '0'), &value))
            return -1;
    }
    *ret_value = value;
    return 0;
}

enum { DISTANCE_LEN_MAX = 32 };

static unsigned min2(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* One cell of the table of optimal string alignment; i, j > 0 count bytes of a and b. */
static unsigned distance_cell(struct slice a, struct slice b, size_t i, size_t j,
                              unsigned cost[][DISTANCE_LEN_MAX + 1])
{
    unsigned is_other = a.ptr[i - 1] != b.ptr[j - 1];
    unsigned best = min2(cost[i - 1][j] + 1, cost[i][j - 1] + 1);
    best = min2(best, cost[i - 1][j - 1] + is_other);
    if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
        best = min2(best, cost[i - 2][j - 2] + 1);
    return best;
}

unsigned slice_distance(struct slice a, struct slice b)
{
    if (a.len > DISTANCE_LEN_MAX || b.len > DISTANCE_LEN_MAX)
        return (unsigned)(a.len > b.len ? a.len : b.len);
    unsigned cost[DISTANCE_LEN_MAX + 1][DISTANCE_LEN_MAX + 1];
    for (size_t i = 0; i <= a.len; i++)
        for (size_t j = 0; j <= b.len; j++)
            cost[i][j] = i && j ? distance_cell(a, b, i, j, cost) : (unsigned)(i + j);
    return cost[a.len][b.len];
}

struct slice_near slice_near_begin(struct slice name)
{
    return (struct slice_near){.name = name, .best = SLICE(""), .distance = name.len < 4 ? 2 : 3};
}

void slice_near_offer(struct slice_near *near, struct slice candidate)
{
    unsigned distance = slice_distance(candidate, near->name);
    if (distance >= near->distance)
        return;
    near->distance = distance;
    near->best = candidate;
}
