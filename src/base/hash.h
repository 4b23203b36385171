/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

/*
 * Hashing. hash_bytes() is SipHash-1-3 (Aumasson, Bernstein), keyed, so that nobody who chooses
 * the input can choose collisions; it is used for every table whose keys come from outside.
 * hash_mix() is the finaliser of splitmix64, for integers that nobody chooses.
 * crc32() is not here: it belongs to the format that wants it.
 */

#include "base/slice.h"
#include <stddef.h>
#include <stdint.h>

struct hash_key {
    uint64_t k0, k1;
};

uint64_t hash_bytes(const struct hash_key *key, struct slice bytes);
/* The same with ASCII letters folded. */
uint64_t hash_bytes_nocase(const struct hash_key *key, struct slice bytes);
/* SipHash-2-4, for formats that others read too. */
uint64_t hash_sip24(const struct hash_key *key, struct slice bytes);

static inline uint64_t hash_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

#endif
