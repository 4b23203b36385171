/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables for slices, and for folding of ASCII letters: every pair of bytes, every length and
 * alignment that the eight-byte steps can meet.
 */
#include "base/ascii.h"
#include "base/mem.h"
#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_equal_and_starts(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool is_equal, is_equal_nocase, starts;
    } rows[] = {
        {"", "", true, true, true},
        {NULL, "", true, true, true},
        {NULL, NULL, true, true, true},
        {"a", NULL, false, false, true},
        {"a", "", false, false, true},
        {"", "a", false, false, false},
        {"host", "host", true, true, true},
        {"Host", "hoST", false, true, false},
        {"Content-Length", "content-length", false, true, false},
        {"Content-Length", "Content-Lengtx", false, false, false},
        {"content-length", "Content-Type", false, false, false},
        {"hostname", "host", false, false, true},
        {"[{", "[[", false, false, false},
        {"@", "`", false, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice a = slice_from(rows[i].a), b = slice_from(rows[i].b);
        assert_int_equal(slice_equal(a, b), rows[i].is_equal);
        assert_int_equal(slice_is(a, rows[i].b), rows[i].is_equal);
        assert_int_equal(slice_equal_secret(a, b), rows[i].is_equal);
        assert_int_equal(slice_equal_nocase(a, b), rows[i].is_equal_nocase);
        assert_int_equal(slice_starts(a, b), rows[i].starts);
    }
}

/* One byte of a longer word differs: in case, by the bit that folding sets, or wholly. */
static void test_nocase_every_byte_pair(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++) {
            char x[16] = "abcdefghABCDEFG", y[16] = "ABCDEFGHabcdefg";
            x[5] = (char)a;
            y[5] = (char)b;
            bool is_expected = ascii_lower((char)a) == ascii_lower((char)b);
            for (size_t len = 6; len <= 15; len++)
                assert_int_equal(slice_equal_nocase((struct slice){x, len}, (struct slice){y, len}),
                                 is_expected);
            x[0] = (char)a;
            y[0] = (char)b;
            for (size_t len = 1; len < 6; len++)
                assert_int_equal(slice_equal_nocase((struct slice){x, len}, (struct slice){y, len}),
                                 is_expected);
        }
}

static void test_nocase_every_length(void **state)
{
    (void)state;
    char a[40], b[40];
    for (size_t i = 0; i < sizeof(a); i++) {
        a[i] = (char)('a' + i % 26);
        b[i] = (char)('A' + i % 26);
    }
    for (size_t at = 0; at < 8; at++)
        for (size_t len = 0; at + len <= 32; len++) {
            struct slice x = {a + at, len}, y = {b + at, len};
            assert_true(slice_equal_nocase(x, y));
            for (size_t i = 0; i < len; i++) {
                char kept = b[at + i];
                b[at + i] = '-';
                assert_false(slice_equal_nocase(x, y));
                b[at + i] = kept;
            }
        }
}

static void test_lower8(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++)
        for (unsigned place = 0; place < 8; place++) {
            char bytes[8], expected[8];
            memset(bytes, 'Z', 8);
            memset(expected, 'z', 8);
            bytes[place] = (char)c;
            expected[place] = ascii_lower((char)c);
            assert_true(ascii_lower8(ascii_load8(bytes)) == ascii_load8(expected));
        }
}

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void test_compare(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        int expected;
    } rows[] = {
        {"", "", 0},    {"", "a", -1},   {"a", "", 1},        {"a", "b", -1},
        {"ab", "a", 1}, {"ab", "b", -1}, {"\xff", "\x01", 1}, {"same", "same", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(sign(slice_compare(slice_from(rows[i].a), slice_from(rows[i].b))),
                         rows[i].expected);
}

static void test_find_skip_trim(void **state)
{
    (void)state;
    assert_int_equal(slice_find(SLICE("a:b:c"), ':'), 1);
    assert_int_equal(slice_find(SLICE("abc"), ':'), 3);
    assert_int_equal(slice_find(slice_from(NULL), ':'), 0);
    assert_true(slice_is(slice_skip(SLICE("abc"), 2), "c"));
    assert_true(slice_is(slice_skip(SLICE("abc"), 9), ""));
    assert_int_equal(slice_skip(slice_from(NULL), 1).len, 0);
    static const char *const rows[][2] = {
        {"", ""},         {" ", ""},      {" \t \t", ""},         {"a", "a"},
        {" a b ", "a b"}, {"\ta\t", "a"}, {"\r\na\n", "\r\na\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_true(slice_is(slice_trim(slice_from(rows[i][0])), rows[i][1]));
}

static void test_cut(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *parts[5];
    } rows[] = {
        {"", {""}},
        {"a", {"a"}},
        {"a,b", {"a", "b"}},
        {",", {"", ""}},
        {"a,,b,", {"a", "", "b", ""}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice rest = slice_from(rows[i].text);
        size_t n = 0;
        while (rest.ptr) {
            struct slice part = slice_cut(&rest, ',');
            assert_non_null(rows[i].parts[n]);
            assert_true(slice_is(part, rows[i].parts[n]));
            n++;
        }
        assert_null(rows[i].parts[n]);
    }
}

static void test_copies(void **state)
{
    (void)state;
    char *copy = slice_dup(SLICE("abc"));
    assert_string_equal(copy, "abc");
    mem_free(copy);
    copy = slice_dup(slice_from(NULL));
    assert_string_equal(copy, "");
    mem_free(copy);
    char dst[4] = "xyz";
    assert_int_equal(slice_copy(SLICE("ab"), dst, sizeof(dst)), 2);
    assert_string_equal(dst, "ab");
    assert_int_equal(slice_copy(SLICE("abc"), dst, sizeof(dst)), 3);
    assert_string_equal(dst, "abc");
    assert_int_equal(slice_copy(SLICE("abcd"), dst, sizeof(dst)), 3);
    assert_string_equal(dst, "abc");
    assert_int_equal(slice_copy(SLICE("abcd"), dst, 1), 0);
    assert_string_equal(dst, "");
}

static void test_to_u64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int expected;
        uint64_t value;
    } rows[] = {
        {"0", 0, 0},
        {"007", 0, 7},
        {"65535", 0, 65535},
        {"18446744073709551615", 0, UINT64_MAX},
        {"18446744073709551616", -1, 0},
        {"18446744073709551620", -1, 0},
        {"99999999999999999999", -1, 0},
        {"100000000000000000000000000", -1, 0},
        {"", -1, 0},
        {"+1", -1, 0},
        {"-1", -1, 0},
        {" 1", -1, 0},
        {"1 ", -1, 0},
        {"0x10", -1, 0},
        {"1_000", -1, 0},
        {"1/", -1, 0},
        {"1:", -1, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t value = 4711;
        assert_int_equal(slice_to_u64(slice_from(rows[i].text), &value), rows[i].expected);
        assert_true(value == (rows[i].expected == 0 ? rows[i].value : 4711));
    }
}

static void test_distance(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        unsigned expected;
    } rows[] = {
        {"", "", 0},
        {"", "abc", 3},
        {"pool", "pool", 0},
        {"pool", "pol", 1},
        {"pool", "poool", 1},
        {"pool", "poll", 1},
        {"pool", "poOl", 1},
        {"pool", "opol", 1},
        {"member", "memebr", 1},
        {"kitten", "sitting", 3},
        {"ca", "abc", 3}, /* swapped letters are not parted again */
        {"abcdefghijklmnopqrstuvwxyz012345", "abcdefghijklmnopqrstuvwxyz012354", 1},
        {"abcdefghijklmnopqrstuvwxyz0123456", "a", 33},
        {"a", "abcdefghijklmnopqrstuvwxyz0123456", 33},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice a = slice_from(rows[i].a), b = slice_from(rows[i].b);
        assert_int_equal(slice_distance(a, b), rows[i].expected);
        assert_int_equal(slice_distance(b, a), rows[i].expected);
    }
}

static void test_near(void **state)
{
    (void)state;
    static const char *const names[] = {"web", "reports", "report"};
    static const struct {
        const char *name, *best;
    } rows[] = {{"wbe", "web"},      {"we", "web"},      {"w", ""},    {"repotrs", "reports"},
                {"reprt", "report"}, {"rprt", "report"}, {"mail", ""}, {"", ""}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice_near near = slice_near_begin(slice_from(rows[i].name));
        for (size_t n = 0; n < ARRAY_LEN(names); n++)
            slice_near_offer(&near, slice_from(names[n]));
        assert_true(slice_is(near.best, rows[i].best));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_and_starts),
        cmocka_unit_test(test_nocase_every_byte_pair),
        cmocka_unit_test(test_nocase_every_length),
        cmocka_unit_test(test_lower8),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_find_skip_trim),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_to_u64),
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
