/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ASCII_H
#define BASE_ASCII_H

/*
 * ASCII as numbers, untouched by the locale: folding of letters, for one byte and for eight at a
 * time, and the loads that eight at a time needs. Bytes from 0x80 up are never changed.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Control characters, DEL among them. */
static inline bool ascii_is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static inline char ascii_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c & ~0x20) : c;
}

/* Any alignment; the byte order of the machine. */
static inline uint64_t ascii_load8(const char *ptr)
{
    uint64_t word;
    memcpy(&word, ptr, sizeof(word));
    return word;
}

static inline uint32_t ascii_load4(const char *ptr)
{
    uint32_t word;
    memcpy(&word, ptr, sizeof(word));
    return word;
}

/*
 * ascii_lower() of the eight bytes of a word. With the top bits masked off no sum carries into the
 * next byte: the first sum has its top bit where a byte is at least 'A', the second where it is
 * above 'Z', so that they differ exactly at capitals; 0x80 >> 2 is the bit that makes them small.
 */
static inline uint64_t ascii_lower8(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101ull;
    uint64_t low = word & (0x7f * ones);
    uint64_t from_a = low + (0x80 - 'A') * ones;
    uint64_t above_z = low + (0x7f - 'Z') * ones;
    uint64_t is_capital = (from_a ^ above_z) & ~word & (0x80 * ones);
    return word | (is_capital >> 2);
}

#endif
