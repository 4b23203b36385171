/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

/*
 * A slice is a borrowed run of bytes: a pointer and a length, no terminator, no owner.
 *
 * Whoever hands out a slice says how long it lives; nothing here allocates or frees. An empty
 * slice has len 0 and any pointer, also NULL. Comparisons are by byte; the `_nocase` forms fold
 * ASCII letters only, as RFC 9110 section 5.1 wants for field names and RFC 4343 for host names.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *ptr;
    size_t len;
};

/* A slice of a string literal, usable in static tables. */
#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
#define SLICE_INIT(literal)            \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }
/* printf("%.*s", SLICE_ARG(s)) */
#define SLICE_ARG(s) (int)(s).len, (s).ptr

static inline struct slice slice_make(const char *ptr, size_t len)
{
    return (struct slice){ptr, len};
}

/* The bytes of `text` up to its NUL; NULL gives the empty slice. */
static inline struct slice slice_from(const char *text)
{
    return (struct slice){text, text ? strlen(text) : 0};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
    return slice_equal(a, slice_from(text));
}

static inline bool slice_starts(struct slice a, struct slice prefix)
{
    return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.ptr, prefix.ptr, prefix.len) == 0);
}

bool slice_equal_nocase(struct slice a, struct slice b);

/* As slice_equal(), but it takes as long wherever the first difference is: for MACs and tokens.
 * Only lengths may be told by the time that it takes. */
bool slice_equal_secret(struct slice a, struct slice b);

/* <0, 0, >0 in byte order; a prefix sorts before what it begins. */
int slice_compare(struct slice a, struct slice b);

/* The index of the first `c`, or a.len where there is none. */
size_t slice_find(struct slice a, char c);

/* Without the first n bytes; n may be larger than the slice. */
static inline struct slice slice_skip(struct slice a, size_t n)
{
    n = n < a.len ? n : a.len;
    return (struct slice){n ? a.ptr + n : a.ptr, a.len - n}; /* NULL + 0 is undefined */
}

/* Without spaces and tabs (RFC 9110 OWS) at both ends. */
struct slice slice_trim(struct slice a);

/*
 * Cuts the part before the first `separator` off `*rest` and returns it; `*rest` becomes what
 * follows the separator. Where there is none the whole is returned and rest->ptr becomes NULL, so
 * that `while (rest.ptr)` visits every part, empty ones too.
 */
struct slice slice_cut(struct slice *rest, char separator);

/* A heap copy with a NUL behind it; the caller frees it with mem_free(). */
char *slice_dup(struct slice a);

/* Copies with a NUL into dst[cap], cutting what does not fit; returns the bytes copied. cap > 0. */
size_t slice_copy(struct slice a, char *dst, size_t cap);

/* Decimal digits only, no sign, no space, not empty: 0 and *ret_value, or -1 (also on overflow). */
int slice_to_u64(struct slice a, uint64_t *ret_value);

/*
 * The edit distance (Damerau, adjacent swaps count one) of two short words, for "did you mean";
 * words above 32 bytes are as far apart as the longer one is long.
 */
unsigned slice_distance(struct slice a, struct slice b);

/*
 * Which of some names did `name` mean? They are offered one after the other; `best` is the first of
 * those that the fewest slips turn into it, one in fewer than four letters, else two at most;
 * empty: none.
 */
struct slice_near {
    struct slice name, best;
    unsigned distance; /* best is nearer */
};

struct slice_near slice_near_begin(struct slice name);
void slice_near_offer(struct slice_near *near, struct slice candidate);

#endif
