/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_H1_SCAN_H
#define WIRE_H1_SCAN_H

/*
 * The scans that a head is read with: from a position to the first byte that does not belong.
 *
 * Private to wire/h1*. All take the whole readable buffer [buf, buf + len) and a position in it,
 * and return the position of the first byte that stops the scan, or len. Knowing the whole buffer
 * lets the last block be loaded so that it ends at len and overlaps what was read before; nothing
 * beyond len or before buf is ever touched.
 *
 * There are two implementations, SSE2 (every x86-64 has it) and words of eight
 * bytes for the rest; both always compile, so that the test can hold one against the other.
 */

#include "wire/h1_scan_word.h"

#ifdef __SSE2__
#include "wire/h1_scan_sse2.h"
#define H1_SCAN_TOKEN  h1_sse2_token
#define H1_SCAN_VALUE  h1_sse2_value
#define H1_SCAN_TARGET h1_sse2_target
#else
#define H1_SCAN_TOKEN  h1_word_token
#define H1_SCAN_VALUE  h1_word_value
#define H1_SCAN_TARGET h1_word_target
#endif

/* To the first byte that is no tchar (RFC 9110 section 5.6.2). */
static inline size_t h1_scan_token(const char *buf, size_t pos, size_t len)
{
    return H1_SCAN_TOKEN(buf, pos, len);
}

/* To the first control byte other than HTAB (RFC 9110 section 5.5). */
static inline size_t h1_scan_value(const char *buf, size_t pos, size_t len)
{
    return H1_SCAN_VALUE(buf, pos, len);
}

/* To the first byte that is a control, a space, # or above 0x7e. */
static inline size_t h1_scan_target(const char *buf, size_t pos, size_t len)
{
    return H1_SCAN_TARGET(buf, pos, len);
}

/* To the first byte that is neither SP nor HTAB. */
static inline size_t h1_scan_space(const char *buf, size_t pos, size_t len)
{
    while (pos < len && (buf[pos] == ' ' || buf[pos] == '\t'))
        pos++;
    return pos;
}

#endif
