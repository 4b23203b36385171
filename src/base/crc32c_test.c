/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C against the vectors of RFC 3720 section B.4, and both of its forms against each other. */
#include "base/crc32c.h"
#include "base/mem.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef uint32_t crc_fn(uint32_t crc, const void *bytes, size_t len);
static crc_fn *const forms[] = {crc32c, crc32c_table};

static void test_vectors(void **state)
{
    (void)state;
    static const uint8_t read10[48] = {[0] = 0x01,  [1] = 0xc0,  [16] = 0x14, [22] = 0x04,
                                       [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02};
    uint8_t zeros[32], ones[32], up[32], down[32];
    memset(zeros, 0, 32);
    memset(ones, 0xff, 32);
    for (int i = 0; i < 32; i++) {
        up[i] = (uint8_t)i;
        down[i] = (uint8_t)(31 - i);
    }
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        assert_int_equal(forms[i](0, zeros, 32), 0x8a9136aa);
        assert_int_equal(forms[i](0, ones, 32), 0x62a8ab43);
        assert_int_equal(forms[i](0, up, 32), 0x46dd794e);
        assert_int_equal(forms[i](0, down, 32), 0x113fdb5c);
        assert_int_equal(forms[i](0, read10, 48), 0xd9963a56);
        assert_int_equal(forms[i](0, "123456789", 9), 0xe3069283);
        assert_int_equal(forms[i](0, "", 0), 0);
    }
}

/* Every length and beginning, whole and in two pieces, with a seed. */
static void test_pieces(void **state)
{
    (void)state;
    uint8_t bytes[80];
    struct rng rng;
    rng_init(&rng, 1);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)rng_next(&rng);
    for (size_t begin = 0; begin < 9; begin++) {
        for (size_t len = 0; begin + len <= sizeof(bytes); len++) {
            uint32_t seed = (uint32_t)rng_next(&rng);
            uint32_t whole = crc32c_table(seed, bytes + begin, len);
            size_t cut = rng_below(&rng, len + 1);
            uint32_t first = crc32c(seed, bytes + begin, cut);
            assert_int_equal(crc32c(seed, bytes + begin, len), whole);
            assert_int_equal(crc32c(first, bytes + begin + cut, len - cut), whole);
            assert_int_not_equal(crc32c(seed ^ 1, bytes + begin, len), whole);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
