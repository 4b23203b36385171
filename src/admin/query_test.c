/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Query strings as a table: what comes of them, as name=value in brackets.
 */
#include "admin/query.h"

#include "base/mem.h"
#include "base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *query, *want;
    int end;
} rows[] = {
    {"", "", 0},
    {"&&", "", 0},
    {"a=b", "[a=b]", 0},
    {"a=b&a=c&d", "[a=b][a=c][d=]", 0},
    {"a=b=c&=x", "[a=b=c][=x]", 0},
    {"q=GET+http%3A%2F%2Fx%2f%26%3d", "[q=GET http://x/&=]", 0},
    {"%61=%C3%A9", "[a=\xc3\xa9]", 0},
    {"a=%", "", -1},
    {"a=%2", "", -1},
    {"a=%2x", "", -1},
    {"a=%x2", "", -1},
    {"ok=1&a=%00", "[ok=1]", -1},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice rest = slice_from(rows[i].query), name, value;
        struct arena arena;
        struct text got = TEXT_NONE;
        int result;
        arena_init(&arena);
        while ((result = query_next(&rest, &arena, &name, &value)) > 0)
            text_printf(&got, "[%.*s=%.*s]", SLICE_ARG(name), SLICE_ARG(value));
        assert_string_equal(text_cstr(&got), rows[i].want);
        assert_int_equal(result, rows[i].end);
        text_deinit(&got);
        arena_deinit(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
