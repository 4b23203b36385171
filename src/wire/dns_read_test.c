/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Messages, read: names and where they may point, data made whole, every cut and every byte
 * changed.
 */

#include "wire/dns_name.h"
#include "wire/dns_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A name at `at` of a message that is only that. */
static const struct row {
    struct slice message;
    size_t at;
    int taken; /* or -1 */
    struct slice name;
} rows[] = {
    {SLICE_INIT("\0"), 0, 1, SLICE_INIT("\0")},
    {SLICE_INIT("\1A\0"), 0, 3, SLICE_INIT("\1A\0")},
    {SLICE_INIT("\1a\0\xc0\0"), 3, 2, SLICE_INIT("\1a\0")},
    {SLICE_INIT("\1a\0\1b\xc0\0"), 3, 4, SLICE_INIT("\1b\1a\0")},
    {SLICE_INIT("\1a\0\1b\xc0\0\1c\xc0\3"), 7, 4, SLICE_INIT("\1c\1b\1a\0")},
    {SLICE_INIT("\0\xc0\0\xc0\1\xc0\3"), 5, 2, SLICE_INIT("\0")},
    {SLICE_INIT("\xc0\0"), 0, -1, SLICE_INIT("")},       /* itself */
    {SLICE_INIT("\1a\xc0\0"), 0, -1, SLICE_INIT("")},    /* its own start */
    {SLICE_INIT("\1a\xc0\2"), 0, -1, SLICE_INIT("")},    /* its own end */
    {SLICE_INIT("\xc0\2\0"), 0, -1, SLICE_INIT("")},     /* forward */
    {SLICE_INIT("\xc0\2\xc0\0"), 2, -1, SLICE_INIT("")}, /* round and round */
    {SLICE_INIT("\1a\1b\xc0\0"), 2, -1, SLICE_INIT("")}, /* back into itself */
    {SLICE_INIT("\1a\0\xc0"), 3, -1, SLICE_INIT("")},    /* cut */
    {SLICE_INIT("\x40\0"), 0, -1, SLICE_INIT("")},
    {SLICE_INIT("\x80\0"), 0, -1, SLICE_INIT("")},
    {SLICE_INIT("\2a"), 0, -1, SLICE_INIT("")},
    {SLICE_INIT("\1a"), 0, -1, SLICE_INIT("")},
    {SLICE_INIT("\1a\0"), 3, -1, SLICE_INIT("")},
    {SLICE_INIT("\1a\0"), 99, -1, SLICE_INIT("")},
};

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t name[DNS_NAME_MAX];
        size_t len;
        int taken = dns_read_name(rows[i].message, rows[i].at, name, &len);
        if (taken != rows[i].taken)
            fail_msg("row %zu: %d, want %d", i, taken, rows[i].taken);
        if (taken > 0)
            assert_true(slice_equal(slice_make((char *)name, len), rows[i].name));
    }
}

/* Names of 255 bytes and of one more, put together by pointers. */
static void test_longest(void **state)
{
    (void)state;
    char message[512] = {0};
    uint8_t name[DNS_NAME_MAX];
    size_t len;
    for (size_t i = 0; i < 4; i++)
        message[i * 64] = 63;
    message[192] = 61; /* 3 * 64 + 62 + 1 */
    message[254] = 0;
    message[260] = 1;
    message[262] = (char)0xc0;
    assert_int_equal(dns_read_name(slice_make(message, sizeof(message)), 0, name, &len), 255);
    assert_int_equal(len, 255);
    assert_int_equal(dns_read_name(slice_make(message, sizeof(message)), 260, name, &len), -1);
    message[263] = 64;
    assert_int_equal(dns_read_name(slice_make(message, sizeof(message)), 260, name, &len), 4);
    assert_int_equal(len, 193);
}

#define FIXED(type, len) "\0" type "\0\1\0\0\1\x2c\0" len
#define MESSAGE                                                                                   \
    "\x12\x34\x84\0\0\1\0\2\0\1\0\3"                                                              \
    "\3www\7example\3org\0\0\1\0\1" /* 12, 16, 24; to 33 */                                       \
    "\xc0\x0c" FIXED(                                                                             \
        "\5",                                                                                     \
        "\4") "\1a\xc0\x10" /* 33; its data at 45 */                                              \
              "\xc0\x2d" FIXED(                                                                   \
                  "\1",                                                                           \
                  "\4") "\300\0\2\1"                                                              \
                        "\xc0\x10" FIXED(                                                         \
                            "\6",                                                                 \
                            "\x1a") "\xc0\x0c\1h\xc0\x10\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5" \
                                    "\xc0\x10" FIXED(                                             \
                                        "\x21",                                                   \
                                        "\x08") "\0\1\0\2\0\3\xc0\x2d"                            \
                                                "\xc0\x10" FIXED(                                 \
                                                    "\x27",                                       \
                                                    "\2") "\xc0\x0c"                              \
                                                          "\0\xff\0\0\1\0\0\0\0\0\2\xc0\x0c"

static const char message_text[] =
    "www.example.org. IN A\n"
    "www.example.org. 300 IN CNAME a.example.org.\n"
    "a.example.org. 300 IN A 192.0.2.1\n"
    "example.org. 300 IN SOA www.example.org. h.example.org. 1 2 3 4 5\n"
    "example.org. 300 IN SRV 1 2 3 a.example.org.\n"
    "example.org. 300 IN DNAME \\# 2 C00C\n" /* must not be compressed */
    ". 0 IN TYPE65280 \\# 2 C00C\n";

/* Appends what can be read; returns how the reading ended. */
static int show(struct slice message, struct text *out)
{
    struct dns_reader reader;
    struct dns_record record;
    int result = dns_reader_init(&reader, message);
    if (result < 0)
        return result;
    while ((result = dns_read_record(&reader, &record)) > 0) {
        assert_true(dns_name_is_valid(dns_record_name(&record)));
        dns_record_show(message, &record, out);
        text_append_char(out, '\n');
    }
    return result;
}

static void test_message(void **state)
{
    (void)state;
    struct text text = TEXT_NONE;
    assert_int_equal(show(SLICE(MESSAGE), &text), 0);
    assert_string_equal(text_cstr(&text), message_text);
    assert_int_equal(show(SLICE(MESSAGE "x"), &text), -1);
    text_deinit(&text);
}

/* What is cut is malformed, and what was there before reads as it did. */
static void test_cuts(void **state)
{
    (void)state;
    struct text text = TEXT_NONE;
    for (size_t len = 0; len < sizeof(MESSAGE) - 1; len++) {
        char *copy = malloc(len + 1);
        assert_non_null(copy);
        memcpy(copy + 1, MESSAGE, len);
        text_clear(&text);
        assert_int_equal(show(slice_make(copy + 1, len), &text), -1);
        assert_true(slice_starts(slice_from(message_text), text_slice(&text)));
        free(copy);
    }
    text_deinit(&text);
}

static void test_changes(void **state)
{
    (void)state;
    struct text text = TEXT_NONE;
    char copy[] = MESSAGE;
    size_t len = sizeof(copy) - 1;
    static const unsigned char values[] = {0, 1, 2, 0x0c, 0x3f, 0x40, 0x80, 0xc0, 0xff};
    for (size_t at = 0; at < len; at++) {
        char old = copy[at];
        for (size_t i = 0; i < sizeof(values); i++) {
            copy[at] = (char)values[i];
            text_clear(&text);
            assert_in_range(show(slice_make(copy, len), &text) + 1, 0, 1);
        }
        copy[at] = old;
    }
    text_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),   cmocka_unit_test(test_longest),
        cmocka_unit_test(test_message), cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
