/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-1-3: one round a word of input, three at the end, over a 256-bit state; SipHash-2-4 takes
 * two and four. All public functions are the same code, once with letters folded in each word
 * before it is mixed in.
 */
#include "base/hash.h"
#include "base/ascii.h"
#include <endian.h>
#include <stdbool.h>

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static inline void sip_round(struct sip *sip)
{
    sip->v0 += sip->v1;
    sip->v2 += sip->v3;
    sip->v1 = rotate(sip->v1, 13) ^ sip->v0;
    sip->v3 = rotate(sip->v3, 16) ^ sip->v2;
    sip->v0 = rotate(sip->v0, 32);
    sip->v2 += sip->v1;
    sip->v0 += sip->v3;
    sip->v1 = rotate(sip->v1, 17) ^ sip->v2;
    sip->v3 = rotate(sip->v3, 21) ^ sip->v0;
    sip->v2 = rotate(sip->v2, 32);
}

static inline void sip_rounds(struct sip *sip, int n)
{
    while (n-- > 0)
        sip_round(sip);
}

static inline void sip_word(struct sip *sip, uint64_t word, int n_rounds)
{
    sip->v3 ^= word;
    sip_rounds(sip, n_rounds);
    sip->v0 ^= word;
}

static inline uint64_t sip_finish(struct sip *sip, int n_rounds)
{
    sip->v2 ^= 0xff;
    sip_rounds(sip, n_rounds);
    return sip->v0 ^ sip->v1 ^ sip->v2 ^ sip->v3;
}

/*
 * The bytes from `at` on, 0 to 7 of them, as a little-endian word. Where more stand before them the
 * last eight are loaded at once and what was seen already is shifted out.
 */
static inline uint64_t load_tail(struct slice bytes, size_t at)
{
    size_t n = bytes.len - at;
    if (n == 0)
        return 0;
    if (at > 0)
        return le64toh(ascii_load8(bytes.ptr + bytes.len - 8)) >> (64 - 8 * n);
    uint64_t word = 0;
    for (size_t i = 0; i < n; i++)
        word |= (uint64_t)(unsigned char)bytes.ptr[i] << (8 * i);
    return word;
}

/* Inlined into each caller, so that is_folded and the rounds are constants. */
__attribute__((always_inline)) static inline uint64_t sip_hash(const struct hash_key *key,
                                                               struct slice bytes, bool is_folded,
                                                               int n_word, int n_end)
{
    struct sip sip = {key->k0 ^ 0x736f6d6570736575ull, key->k1 ^ 0x646f72616e646f6dull,
                      key->k0 ^ 0x6c7967656e657261ull, key->k1 ^ 0x7465646279746573ull};
    size_t at = 0;
    for (; bytes.len - at >= 8; at += 8) {
        uint64_t word = le64toh(ascii_load8(bytes.ptr + at));
        sip_word(&sip, is_folded ? ascii_lower8(word) : word, n_word);
    }
    uint64_t tail = load_tail(bytes, at);
    if (is_folded)
        tail = ascii_lower8(tail);
    sip_word(&sip, tail | (uint64_t)bytes.len << 56, n_word);
    return sip_finish(&sip, n_end);
}

uint64_t hash_bytes(const struct hash_key *key, struct slice bytes)
{
    return sip_hash(key, bytes, false, 1, 3);
}

uint64_t hash_bytes_nocase(const struct hash_key *key, struct slice bytes)
{
    return sip_hash(key, bytes, true, 1, 3);
}

uint64_t hash_sip24(const struct hash_key *key, struct slice bytes)
{
    return sip_hash(key, bytes, false, 2, 4);
}
