/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts: growth across every boundary, the NUL behind, printf where it fits and where it does not.
 */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_empty(void **state)
{
    (void)state;
    struct text text = TEXT_NONE;
    assert_string_equal(text_cstr(&text), "");
    assert_int_equal(text_slice(&text).len, 0);
    text_clear(&text);
    text_append(&text, slice_from(NULL));
    assert_string_equal(text_cstr(&text), "");
    text_deinit(&text);
    text_deinit(&text);
    assert_null(text.ptr);
}

static void test_append_grows(void **state)
{
    (void)state;
    struct text text = TEXT_NONE;
    for (size_t i = 0; i < 1000; i++) {
        text_append_char(&text, (char)('a' + i % 26));
        assert_int_equal(text.len, i + 1);
        assert_int_equal(text.ptr[text.len], '\0');
    }
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(text.ptr[i], 'a' + (int)(i % 26));
    size_t cap = text.cap;
    text_clear(&text);
    assert_string_equal(text_cstr(&text), "");
    assert_int_equal(text.cap, cap);
    text_append(&text, SLICE("one"));
    text_pad(&text, '.', 3);
    text_pad(&text, '.', 0);
    text_append(&text, SLICE("two"));
    assert_string_equal(text_cstr(&text), "one...two");
    text_deinit(&text);
}

/* Each length of output against each room that is left for it. */
static void test_printf_at_every_room(void **state)
{
    (void)state;
    for (size_t before = 0; before < 130; before++)
        for (int width = 0; width < 140; width++) {
            struct text text = TEXT_NONE;
            text_pad(&text, 'x', before);
            text_printf(&text, "%*s|", width, "");
            assert_int_equal(text.len, before + (size_t)width + 1);
            assert_int_equal(strlen(text_cstr(&text)), text.len);
            assert_int_equal(text.ptr[text.len - 1], '|');
            text_deinit(&text);
        }
}

static void test_reserve(void **state)
{
    (void)state;
    struct text text = TEXT_NONE;
    text_append(&text, SLICE("ab"));
    char *room = text_reserve(&text, 5000);
    assert_ptr_equal(room, text.ptr + 2);
    assert_string_equal(text_cstr(&text), "ab");
    memset(room, 'c', 5000);
    text.len += 5000;
    text_append_char(&text, 'd');
    assert_int_equal(strlen(text_cstr(&text)), 5003);
    text_deinit(&text);
}

static void test_rfc3339(void **state)
{
    (void)state;
    struct text text = TEXT_NONE;
    text_rfc3339(&text, 0);
    text_append_char(&text, ' ');
    text_rfc3339(&text, 1795786800);
    assert_string_equal(text_cstr(&text), "1970-01-01T00:00:00Z 2026-11-27T13:40:00Z");
    text_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_append_grows),
        cmocka_unit_test(test_printf_at_every_room),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_rfc3339),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
