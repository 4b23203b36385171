/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_IP_SUM_H
#define WIRE_IP_SUM_H

/*
 * The Internet checksum (RFC 1071) over parts: the codecs that make or check packets below TCP add
 * their parts up and fold once. Every part but the last has an even number of bytes.
 *
 *     sum = ip_sum(0, pseudo header); sum = ip_sum(sum, message); checksum = ip_sum_end(sum)
 *
 * Over a message that holds its own checksum the end is 0 where it is right.
 */

#include <stddef.h>
#include <stdint.h>

static inline uint64_t ip_sum(uint64_t sum, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += (uint64_t)bytes[i] << 8 | bytes[i + 1];
    return len % 2 ? sum + ((uint64_t)bytes[len - 1] << 8) : sum;
}

/* The value for the packet, in host order. */
static inline uint16_t ip_sum_end(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

#endif
