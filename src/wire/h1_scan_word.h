/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_H1_SCAN_WORD_H
#define WIRE_H1_SCAN_WORD_H

/*
 * The classes of bytes, and the scans of h1_scan.h eight bytes at a time for machines without SSE2.
 *
 * A word test may see a stop where there is none (HTAB, or behind a true one), never miss one; the
 * bytes of a suspicious word are then looked at one by one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum h1_class {
    H1_CLASS_TOKEN = 1,  /* tchar, RFC 9110 section 5.6.2 */
    H1_CLASS_TARGET = 2, /* 0x21 to 0x7e without # */
    H1_CLASS_VALUE = 4,  /* HTAB, 0x20 to 0x7e, 0x80 to 0xff */
    H1_CLASS_HOST = 8,   /* unreserved and sub-delims, RFC 3986 section 3.2.2 */
    H1_CLASS_HEX = 16,
};

extern const uint8_t h1_classes[256];

static inline bool h1_is_class(char c, enum h1_class wanted)
{
    return h1_classes[(unsigned char)c] & wanted;
}

static inline uint64_t h1_word_load(const char *ptr)
{
    uint64_t word;

    memcpy(&word, ptr, sizeof(word));
    return word;
}

#define H1_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Non-zero where a byte of the word is below n, 1 <= n <= 128. */
static inline uint64_t h1_word_below(uint64_t word, unsigned n)
{
    return (word - H1_EACH(n)) & ~word & H1_EACH(0x80);
}

static inline uint64_t h1_word_equals(uint64_t word, unsigned char c)
{
    return h1_word_below(word ^ H1_EACH(c), 1);
}

static inline size_t h1_word_bytes(const char *buf, size_t pos, size_t len, enum h1_class wanted)
{
    while (pos < len && h1_is_class(buf[pos], wanted))
        pos++;
    return pos;
}

static inline size_t h1_word_value(const char *buf, size_t pos, size_t len)
{
    while (len - pos >= 8) {
        uint64_t word = h1_word_load(buf + pos);
        size_t next = pos + 8;

        if (h1_word_below(word, 0x20) | h1_word_equals(word, 0x7f)) {
            pos = h1_word_bytes(buf, pos, next, H1_CLASS_VALUE);
            if (pos < next)
                return pos;
        }
        pos = next;
    }
    return h1_word_bytes(buf, pos, len, H1_CLASS_VALUE);
}

static inline size_t h1_word_target(const char *buf, size_t pos, size_t len)
{
    while (len - pos >= 8) {
        uint64_t word = h1_word_load(buf + pos);
        size_t next = pos + 8;

        if (h1_word_below(word, 0x21) | h1_word_equals(word, 0x7f) | h1_word_equals(word, '#') |
            (word & H1_EACH(0x80))) {
            pos = h1_word_bytes(buf, pos, next, H1_CLASS_TARGET);
            if (pos < next)
                return pos;
        }
        pos = next;
    }
    return h1_word_bytes(buf, pos, len, H1_CLASS_TARGET);
}

static inline size_t h1_word_token(const char *buf, size_t pos, size_t len)
{
    return h1_word_bytes(buf, pos, len, H1_CLASS_TOKEN);
}

#endif
