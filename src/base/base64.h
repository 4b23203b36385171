/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

/*
 * base64url without padding (RFC 4648 section 5): bytes as letters, digits, - and _, which stand in
 * cookies, URLs and header fields as they are.
 *
 * Reading is strict, so that no two texts mean the same bytes: other characters, padding, a length
 * that no bytes have, and bits behind the last byte that are not zero are refused.
 */

#include "base/slice.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Characters for n bytes, and the most bytes in n characters. */
#define BASE64_CHARS(n) (((n)*4 + 2) / 3)
#define BASE64_BYTES(n) ((n)*3 / 4)

/* Writes BASE64_CHARS(len) characters, no NUL, and returns how many. */
size_t base64_write(const void *bytes, size_t len, char *ret_text);
/* The bytes, at most cap: how many, or -1 where the text is not base64url or they do not fit. */
ssize_t base64_read(struct slice text, void *ret_bytes, size_t cap);

/*
 * The same in the alphabet and with the padding that most tools expect (RFC 4648 section 4). The
 * reader takes either alphabet, and the padding may be left out, but not be wrong.
 */
#define BASE64_PADDED_CHARS(n) (((n) + 2) / 3 * 4)
size_t base64_write_padded(const void *bytes, size_t len, char *ret_text);
ssize_t base64_read_padded(struct slice text, void *ret_bytes, size_t cap);

#endif
