/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

/*
 * CRC-32C (Castagnoli; RFC 3720 section 12.1), which tells bytes that were damaged on a disk. It is
 * no defence against who chooses the bytes.
 *
 * A sum may be taken in pieces: crc32c(crc32c(0, a), b) is that of a and b. What stands in place of
 * the 0 at the beginning is a seed: for the same bytes another seed always gives another sum.
 */

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);
/* The same without the processor's instruction; the test holds one against the other. */
uint32_t crc32c_table(uint32_t crc, const void *bytes, size_t len);

#endif
