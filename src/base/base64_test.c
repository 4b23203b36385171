/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The vectors of RFC 4648 section 10, every length, every byte, and texts that are none.
 */

#include "base/base64.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *bytes, *text;
} rows[] = {
    {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
    {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "-_-_"},
};

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[16], bytes[16];
        size_t n = base64_write(rows[i].bytes, strlen(rows[i].bytes), text);
        assert_true(slice_is(slice_make(text, n), rows[i].text));
        assert_int_equal(n, BASE64_CHARS(strlen(rows[i].bytes)));
        ssize_t back = base64_read(slice_from(rows[i].text), bytes, sizeof(bytes));
        assert_true(slice_is(slice_make(bytes, (size_t)back), rows[i].bytes));
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    uint8_t bytes[300], again[300];
    char text[BASE64_CHARS(300)];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7);
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        size_t n = base64_write(bytes, len, text);
        assert_int_equal(base64_read(slice_make(text, n), again, len), len);
        assert_memory_equal(again, bytes, len);
        if (len > 0) /* one byte of room too few */
            assert_int_equal(base64_read(slice_make(text, n), again, len - 1), -1);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"Z",    "Zg=",   "Zg==", "Zm9vY", "Zm+v", "Zm/v",
                                        "Zm9 ", "Zm\n9", "Zh",   "Zm9",   "Z/",   "\303\251AB"};
    char bytes[16];
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (base64_read(slice_from(texts[i]), bytes, sizeof(bytes)) != -1)
            fail_msg("%s", texts[i]);
    assert_int_equal(base64_read(slice_make("A\0AA", 4), bytes, sizeof(bytes)), -1);
}

static void test_padded(void **state)
{
    (void)state;
    static const char *const texts[] = {"",         "Zg==",     "Zm8=",     "Zm9v",
                                        "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy", "+/+/"};
    static const char *const refused[] = {"Zg=", "Zm8==", "=", "==", "====", "Zm=8", "Zh==", "Z"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char text[16], bytes[16];
        size_t n = base64_write_padded(rows[i].bytes, strlen(rows[i].bytes), text);
        assert_true(slice_is(slice_make(text, n), texts[i]));
        assert_int_equal(n, BASE64_PADDED_CHARS(strlen(rows[i].bytes)));
        ssize_t back = base64_read_padded(slice_from(texts[i]), bytes, sizeof(bytes));
        assert_true(slice_is(slice_make(bytes, (size_t)back), rows[i].bytes));
        back = base64_read_padded(slice_from(rows[i].text), bytes, sizeof(bytes));
        assert_true(slice_is(slice_make(bytes, (size_t)back), rows[i].bytes));
    }
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        char bytes[16];
        if (base64_read_padded(slice_from(refused[i]), bytes, sizeof(bytes)) != -1)
            fail_msg("%s was read", refused[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_padded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
