/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-1-3 against a second implementation that is written straight down from the paper, byte
 * by byte and with the numbers of rounds as arguments. That one is itself held against the vectors
 * that the paper's authors publish for SipHash-2-4, which differs in nothing but those numbers.
 */
#include "base/ascii.h"
#include "base/hash.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static uint64_t rotl(uint64_t x, unsigned n)
{
    return (x << n) | (x >> (64 - n));
}

static void rounds(uint64_t v[4], unsigned n)
{
    while (n--) {
        v[0] += v[1];
        v[1] = rotl(v[1], 13);
        v[1] ^= v[0];
        v[0] = rotl(v[0], 32);
        v[2] += v[3];
        v[3] = rotl(v[3], 16);
        v[3] ^= v[2];
        v[0] += v[3];
        v[3] = rotl(v[3], 21);
        v[3] ^= v[0];
        v[2] += v[1];
        v[1] = rotl(v[1], 17);
        v[1] ^= v[2];
        v[2] = rotl(v[2], 32);
    }
}

static uint64_t reference(const struct hash_key *key, const unsigned char *bytes, size_t len,
                          unsigned n_word, unsigned n_end)
{
    uint64_t v[4] = {key->k0 ^ 0x736f6d6570736575, key->k1 ^ 0x646f72616e646f6d,
                     key->k0 ^ 0x6c7967656e657261, key->k1 ^ 0x7465646279746573};
    /* The message is padded with zeros to a multiple of 8 that leaves room for its length. */
    size_t padded = (len / 8 + 1) * 8;
    for (size_t at = 0; at < padded; at += 8) {
        uint64_t word = 0;
        for (size_t i = 0; i < 8; i++) {
            uint64_t byte = at + i < len ? bytes[at + i] : 0;
            if (at + i == padded - 1)
                byte = len & 0xff;
            word |= byte << (8 * i);
        }
        v[3] ^= word;
        rounds(v, n_word);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    rounds(v, n_end);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The key and the messages of the published vectors: 00 01 02 ... */
static const struct hash_key paper_key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

static void test_reference_is_siphash(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        uint64_t expected;
    } rows[] = {
        {0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd},  {2, 0x0d6c8009d9a94f5a},
        {3, 0x85676696d7fb7e2d}, {15, 0xa129ca6149be45e5},
    };
    unsigned char bytes[64];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)i;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_true(reference(&paper_key, bytes, rows[i].len, 2, 4) == rows[i].expected);
}

static void test_equals_reference(void **state)
{
    (void)state;
    const struct hash_key keys[] = {paper_key, {0, 0}, {UINT64_MAX, 1}};
    unsigned char bytes[600];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)i;
    for (size_t k = 0; k < ARRAY_LEN(keys); k++)
        for (size_t at = 0; at < 9; at++)
            for (size_t len = 0; len < 500; len++) {
                struct slice slice = {(const char *)bytes + at, len};
                assert_true(hash_bytes(&keys[k], slice) ==
                            reference(&keys[k], bytes + at, len, 1, 3));
            }
    assert_true(hash_bytes(&paper_key, slice_from(NULL)) == reference(&paper_key, bytes, 0, 1, 3));
}

/* The folded hash is the hash of the folded bytes: for every byte at every place of a word. */
static void test_nocase(void **state)
{
    (void)state;
    for (size_t len = 1; len < 20; len++)
        for (size_t at = 0; at < len; at++)
            for (unsigned c = 0; c < 256; c++) {
                char bytes[20] = "WWW.Example.ORG-aB_", folded[20];
                bytes[at] = (char)c;
                for (size_t i = 0; i < len; i++)
                    folded[i] = ascii_lower(bytes[i]);
                assert_true(hash_bytes_nocase(&paper_key, (struct slice){bytes, len}) ==
                            hash_bytes(&paper_key, (struct slice){folded, len}));
            }
}

static void test_mix(void **state)
{
    (void)state;
    /* splitmix64 from the seed 1234567: the state grows by the golden ratio, mixed each time. */
    static const uint64_t expected[] = {6457827717110365317u, 3203168211198807973u,
                                        9817491932198370423u, 4593380528125082431u,
                                        16408922859458223821u};
    for (uint64_t i = 0; i < ARRAY_LEN(expected); i++)
        assert_true(hash_mix(1234567 + i * 0x9e3779b97f4a7c15) == expected[i]);
}

/* The example of the paper, appendix A. */
static void test_sip24(void **state)
{
    (void)state;
    static const struct hash_key key = {0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};
    static const char input[] = "\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16";
    assert_true(hash_sip24(&key, slice_make(input, 15)) == 0xa129ca6149be45e5ull);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sip24),
        cmocka_unit_test(test_reference_is_siphash),
        cmocka_unit_test(test_equals_reference),
        cmocka_unit_test(test_nocase),
        cmocka_unit_test(test_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
