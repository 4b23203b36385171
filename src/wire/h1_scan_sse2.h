/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_H1_SCAN_SSE2_H
#define WIRE_H1_SCAN_SSE2_H

/*
 * The scans of h1_scan.h sixteen bytes at a time, with what every x86-64 has.
 *
 * A block gives a mask with one bit a byte that stops; its lowest bit is the answer. The last block
 * ends at len, and the bits of the bytes before pos are shifted out.
 */

#include "wire/h1_scan_word.h"
#include <emmintrin.h>

enum { H1_SSE2_BLOCK = 16 };

static inline __m128i h1_sse2_load(const char *ptr)
{
    return _mm_loadu_si128((const __m128i *)(const void *)ptr);
}

/* Controls but HTAB, and DEL. */
static inline unsigned h1_sse2_value_stops(__m128i block)
{
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
    __m128i tab = _mm_cmpeq_epi8(block, _mm_set1_epi8('\t'));
    __m128i del = _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7f));

    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, low), del));
}

/* As signed numbers the bytes from 0x80 are negative, and thus below 0x21 like the controls. */
static inline unsigned h1_sse2_target_stops(__m128i block)
{
    __m128i low = _mm_cmplt_epi8(block, _mm_set1_epi8(0x21));
    __m128i hash = _mm_cmpeq_epi8(block, _mm_set1_epi8('#'));
    __m128i del = _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7f));

    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(low, hash), del));
}

/* All but letters, digits and -, which is more than what is no tchar. */
static inline unsigned h1_sse2_token_stops(__m128i block)
{
    __m128i lower = _mm_or_si128(block, _mm_set1_epi8(0x20));
    __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(lower, _mm_set1_epi8('a' - 1)),
                                   _mm_cmplt_epi8(lower, _mm_set1_epi8('z' + 1)));
    __m128i digit = _mm_and_si128(_mm_cmpgt_epi8(block, _mm_set1_epi8('0' - 1)),
                                  _mm_cmplt_epi8(block, _mm_set1_epi8('9' + 1)));
    __m128i dash = _mm_cmpeq_epi8(block, _mm_set1_epi8('-'));
    __m128i usual = _mm_or_si128(_mm_or_si128(letter, digit), dash);

    return (unsigned)_mm_movemask_epi8(usual) ^ 0xffff;
}

static inline size_t h1_sse2_first(size_t pos, unsigned stops)
{
    return pos + (unsigned)__builtin_ctz(stops);
}

static inline size_t h1_sse2_value(const char *buf, size_t pos, size_t len)
{
    unsigned stops;

    for (; len - pos >= H1_SSE2_BLOCK; pos += H1_SSE2_BLOCK) {
        stops = h1_sse2_value_stops(h1_sse2_load(buf + pos));
        if (stops)
            return h1_sse2_first(pos, stops);
    }
    if (len < H1_SSE2_BLOCK)
        return h1_word_bytes(buf, pos, len, H1_CLASS_VALUE);
    stops = h1_sse2_value_stops(h1_sse2_load(buf + len - H1_SSE2_BLOCK));
    stops >>= H1_SSE2_BLOCK - (len - pos);
    return stops ? h1_sse2_first(pos, stops) : len;
}

static inline size_t h1_sse2_target(const char *buf, size_t pos, size_t len)
{
    unsigned stops;

    for (; len - pos >= H1_SSE2_BLOCK; pos += H1_SSE2_BLOCK) {
        stops = h1_sse2_target_stops(h1_sse2_load(buf + pos));
        if (stops)
            return h1_sse2_first(pos, stops);
    }
    if (len < H1_SSE2_BLOCK)
        return h1_word_bytes(buf, pos, len, H1_CLASS_TARGET);
    stops = h1_sse2_target_stops(h1_sse2_load(buf + len - H1_SSE2_BLOCK));
    stops >>= H1_SSE2_BLOCK - (len - pos);
    return stops ? h1_sse2_first(pos, stops) : len;
}

static inline size_t h1_sse2_token(const char *buf, size_t pos, size_t len)
{
    for (; len - pos >= H1_SSE2_BLOCK; pos += H1_SSE2_BLOCK) {
        unsigned stops = h1_sse2_token_stops(h1_sse2_load(buf + pos));

        if (stops) {
            pos = h1_sse2_first(pos, stops);
            break;
        }
    }
    /* The rare ones are looked up. */
    return h1_word_bytes(buf, pos, len, H1_CLASS_TOKEN);
}

#endif
