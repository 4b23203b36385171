/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys against the test vectors of RFC 5869 (HKDF) and RFC 4231 (HMAC).
 */

#include "tls/key.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { VECTOR_MAX = 256 };

struct bytes {
    uint8_t at[VECTOR_MAX];
    size_t len;
};

/* "0b0b", or "0b*22" for 22 times the byte. */
static struct bytes from_hex(const char *text)
{
    struct bytes bytes = {.len = 0};
    for (; *text && *text != '*'; text += 2) {
        const char digits[] = {text[0], text[1], '\0'};
        bytes.at[bytes.len++] = (uint8_t)strtoul(digits, NULL, 16);
    }
    if (*text == '*') {
        bytes.len = strtoul(text + 1, NULL, 10);
        assert_true(bytes.len <= sizeof(bytes.at));
        memset(bytes.at, bytes.at[0], bytes.len);
    }
    return bytes;
}

static struct slice slice_of(const struct bytes *bytes)
{
    return slice_make((const char *)bytes->at, bytes->len);
}

/* RFC 5869 appendix A.1 to A.3. */
static const struct {
    const char *ikm, *salt, *info, *okm;
} hkdf_rows[] = {
    {"0b*22", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
     "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d"
     "2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
     "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d"
     "8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
     "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdd"
     "dedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
     "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e59"
     "0e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
    {"0b*22", "", "",
     "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
};

static void test_hkdf(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(hkdf_rows) / sizeof(hkdf_rows[0]); i++) {
        struct bytes ikm = from_hex(hkdf_rows[i].ikm), salt = from_hex(hkdf_rows[i].salt);
        struct bytes info = from_hex(hkdf_rows[i].info), okm = from_hex(hkdf_rows[i].okm);
        uint8_t out[VECTOR_MAX];
        tls_hkdf_sha256(slice_of(&ikm), slice_of(&salt), slice_of(&info), out, okm.len);
        assert_memory_equal(out, okm.at, okm.len);
    }
}

/* RFC 4231 section 4, test cases 1, 2, 3, 6. */
static const struct {
    const char *key, *data, *mac;
} hmac_rows[] = {
    {"0b*20", "4869205468657265",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"aa*20", "dd*50", "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {"aa*131",
     "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6"
     "5"
     "79204669727374",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
};

static void test_hmac(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(hmac_rows) / sizeof(hmac_rows[0]); i++) {
        struct bytes key = from_hex(hmac_rows[i].key), data = from_hex(hmac_rows[i].data);
        struct bytes want = from_hex(hmac_rows[i].mac);
        uint8_t mac[TLS_HASH_BYTES];
        tls_hmac_sha256(slice_of(&key), slice_of(&data), mac);
        assert_memory_equal(mac, want.at, sizeof(mac));
        struct tls_mac *keyed = tls_mac_create(slice_of(&key));
        for (int round = 0; round < 3; round++) {
            memset(mac, 0, sizeof(mac));
            tls_mac_sign(keyed, slice_of(&data), mac);
            assert_memory_equal(mac, want.at, sizeof(mac));
            tls_mac_sign(keyed, SLICE("something else in between"), mac);
            assert_memory_not_equal(mac, want.at, sizeof(mac));
        }
        tls_mac_destroy(&keyed);
        assert_null(keyed);
    }
}

/* Made once by another implementation (Python's hmac), so that no release changes it unseen. */
static void test_purposes(void **state)
{
    (void)state;
    static const char hex[] = "7e7ef821bba16615576266af8ee6c84da6c6a99f99dd8c08ed606b2be3d3b055";
    struct bytes want = from_hex(hex);
    uint8_t one[TLS_KEY_BYTES], other[TLS_KEY_BYTES];
    tls_derive_key(SLICE("0123456789abcdef0123456789abcdef"), "sticky cookie", one);
    assert_memory_equal(one, want.at, sizeof(one));
    tls_derive_key(SLICE("0123456789abcdef0123456789abcdef"), "sticky cookies", other);
    assert_memory_not_equal(one, other, sizeof(one));
    tls_derive_key(SLICE("0123456789abcdef0123456789abcdeg"), "sticky cookie", other);
    assert_memory_not_equal(one, other, sizeof(one));
}

static void test_equal_and_random(void **state)
{
    (void)state;
    uint8_t one[64], other[64];
    tls_random(one, sizeof(one));
    tls_random(other, sizeof(other));
    assert_false(tls_is_equal(one, other, sizeof(one)));
    memcpy(other, one, sizeof(one));
    assert_true(tls_is_equal(one, other, sizeof(one)));
    for (size_t i = 0; i < sizeof(one); i++) {
        other[i] ^= 0x10;
        assert_false(tls_is_equal(one, other, sizeof(one)));
        assert_true(tls_is_equal(one, other, i));
        other[i] ^= 0x10;
    }
    assert_true(tls_is_equal(one, other, 0));
    tls_wipe(one, sizeof(one));
    for (size_t i = 0; i < sizeof(one); i++)
        assert_int_equal(one[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hkdf),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_purposes),
        cmocka_unit_test(test_equal_and_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
