/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The secret file: which lines are secrets, which are too weak, and what is said about them.
 */

#include "core/secret.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define HEX    "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef"
#define BASE64 "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="
#define WORDS  "correct horse, battery & staple!"

static const struct {
    const char *text;
    size_t n; /* 0: refused */
    const char *says;
    const char *first;
} rows[] = {
    {HEX, 1, NULL, HEX},
    {HEX "\n", 1, NULL, HEX},
    {BASE64 "\r\n", 1, NULL, BASE64},
    {"\n# old\n  " WORDS "\t\n\n" HEX "\n", 2, NULL, WORDS},
    {HEX "\n" BASE64 "\n" WORDS "\n" HEX "ff\n", 4, NULL, HEX},
    {"", 0, "no secret", NULL},
    {"# nothing\n\n", 0, "no secret", NULL},
    {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde", 0,
     "line 1 has 63 hexadecimal digits; 64", NULL},
    {"q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJ", 0, "42 characters of base64; 43", NULL},
    {"correct horse, battery & staple", 0, "31 characters; 32", NULL},
    {"\nabcabcabcabcabcabc abcabcabcabcabcabcabcabcabcabc", 0, "line 2 repeats too few", NULL},
    {HEX "\n" HEX "\n", 0, "line 2 repeats an earlier", NULL},
    {HEX "\n" BASE64 "\n" WORDS "\n" HEX "ff\n" HEX "ee\n", 0, "line 5 is one secret too many",
     NULL},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct secrets secrets;
        struct err err = ERR_NONE;
        int rc = secrets_parse(slice_from(rows[i].text), &secrets, &err);
        if (rows[i].n) {
            assert_int_equal(rc, 0);
            assert_int_equal(secrets.n_items, rows[i].n);
            assert_true(slice_is(secrets.items[0], rows[i].first));
        } else {
            assert_int_equal(rc, -1);
            assert_non_null(strstr(err.text, rows[i].says));
        }
        assert_int_equal(secrets_check(slice_from(rows[i].text), &err), rc);
    }
}

static void test_nul(void **state)
{
    (void)state;
    static const char bytes[] = "correct horse,\0battery & staple!\n";
    struct err err = ERR_NONE;
    assert_int_equal(secrets_check(slice_make(bytes, sizeof(bytes) - 1), &err), -1);
    assert_non_null(strstr(err.text, "NUL"));
}

static void test_long_line(void **state)
{
    (void)state;
    char line[SECRET_LINE_MAX + 1];
    struct err err = ERR_NONE;
    for (size_t i = 0; i < sizeof(line); i++)
        line[i] = "0123456789abcdefg!"[i % 18];
    assert_int_equal(secrets_check(slice_make(line, SECRET_LINE_MAX), &err), 0);
    assert_int_equal(secrets_check(slice_make(line, SECRET_LINE_MAX + 1), &err), -1);
}

/* The message goes into logs. */
static void test_no_secret_is_quoted(void **state)
{
    (void)state;
    struct err err = ERR_NONE;
    assert_int_equal(secrets_check(SLICE("hunter2hunter2"), &err), -1);
    assert_null(strstr(err.text, "hunter2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_no_secret_is_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
