/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences: what they say, what they return, and how they are cut. */
#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_set(void **state)
{
    (void)state;
    struct err err = ERR_NONE;
    assert_int_equal(err_set_errno(&err, ENOENT, "cannot open %s", "/x"), -1);
    assert_string_equal(err.text, "cannot open /x: No such file or directory");
    assert_int_equal(err.number, ENOENT);
    assert_int_equal(err_set_errno(&err, 99999, "cannot do it"), -1);
    assert_string_equal(err.text, "cannot do it: error 99999");
    assert_int_equal(err_set(&err, "%d is too many: write at most %d", 5, 4), -1);
    assert_string_equal(err.text, "5 is too many: write at most 4");
    assert_int_equal(err.number, 0);
}

static void test_prefix_keeps_number(void **state)
{
    (void)state;
    struct err err = ERR_NONE;
    err_set_errno(&err, EACCES, "open");
    assert_int_equal(err_prefix(&err, "pool \"%s\"", "web"), -1);
    assert_string_equal(err.text, "pool \"web\": open: Permission denied");
    assert_int_equal(err.number, EACCES);
}

/* An argument may be the sentence that is being replaced. */
static void test_argument_is_own_text(void **state)
{
    (void)state;
    struct err err = ERR_NONE;
    err_set(&err, "inner");
    err_set(&err, "outer (%s)", err.text);
    assert_string_equal(err.text, "outer (inner)");
    err_set_errno(&err, EIO, "%s again", err.text);
    assert_string_equal(err.text, "outer (inner) again: Input/output error");
    err_prefix(&err, "%.5s", err.text);
    assert_string_equal(err.text, "outer: outer (inner) again: Input/output error");
}

static void test_without_err(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, "x"), -1);
    assert_int_equal(err_set_errno(NULL, EIO, "x"), -1);
    assert_int_equal(err_prefix(NULL, "x"), -1);
}

static void test_long_sentences_are_cut(void **state)
{
    (void)state;
    struct err err = ERR_NONE;
    err_set(&err, "%*d", ERR_TEXT_MAX - 1, 7);
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
    assert_int_equal(err.text[ERR_TEXT_MAX - 2], '7');
    err_set(&err, "%*d", ERR_TEXT_MAX, 7);
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
    assert_string_equal(err.text + ERR_TEXT_MAX - 5, " ...");
    err_prefix(&err, "%*d", 3 * ERR_TEXT_MAX, 7);
    assert_string_equal(err.text + ERR_TEXT_MAX - 4, "...");
    err_set_errno(&err, EIO, "%*d", ERR_TEXT_MAX - 4, 7);
    assert_string_equal(err.text + ERR_TEXT_MAX - 5, "7...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_prefix_keeps_number),
        cmocka_unit_test(test_argument_is_own_text),
        cmocka_unit_test(test_without_err),
        cmocka_unit_test(test_long_sentences_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
