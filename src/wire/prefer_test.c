/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Preferences of clients: which count, and which are left.
 */

#include "wire/prefer.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct row {
    const char *fields; /* further lines of a head */
    bool is_async;
    int64_t wait_s; /* -1: none */
} rows[] = {
    {"", false, -1},
    {"Prefer: respond-async\r\n", true, -1},
    {"prefer: Respond-Async\r\n", true, -1},
    {"Prefer: respond-async, wait=10\r\n", true, 10},
    {"Prefer: respond-async;x=y , wait = \"7\" ;z\r\n", true, 7},
    {"Prefer: wait=3, wait=4\r\n", false, 3},
    {"Prefer: wait=3\r\nPrefer: respond-async, wait=4\r\n", true, 3},
    {"Prefer: return=minimal\r\n", false, -1},
    {"Prefer: foo=\"respond-async, wait=9\"\r\n", false, -1},
    {"Prefer: foo=\"\\\"\", wait=9\r\n", false, 9},
    {"Prefer: foo=\"bar\r\n", false, -1},
    {"Prefer: foo=\"bar\\\r\n", false, -1},
    {"Prefer: ,, ,wait=1,\r\n", false, 1},
    {"Prefer: wait\r\n", false, 0},
    {"Prefer: wait=\r\n", false, 0},
    {"Prefer: wait=-1\r\n", false, 0},
    {"Prefer: wait=1.5\r\n", false, 0},
    {"Prefer: wait=99999999999999999999999999\r\n", false, PREFER_WAIT_MAX_S},
    {"Prefer: respond-asynchronously\r\n", false, -1},
    {"Prefer:\r\n", false, -1},
    {"X-Prefer: respond-async\r\n", false, -1},
};

static void read_head(const struct row *row, struct prefer *ret)
{
    char bytes[512];
    struct h1_head *head = MEM_NEW(struct h1_head);
    enum h1_error error;
    int len = snprintf(bytes, sizeof(bytes), "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", row->fields);
    assert_int_equal(h1_parse_request(bytes, (size_t)len, &h1_limits_default, head, &error), len);
    prefer_read(head, bytes, ret);
    mem_free(head);
}

static void test_reading(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct prefer prefer;
        read_head(&rows[i], &prefer);
        int64_t wait_s = prefer.has_wait ? (int64_t)prefer.wait_s : -1;
        if (prefer.is_async != rows[i].is_async || wait_s != rows[i].wait_s)
            fail_msg("row %zu: async %d, wait %d", i, prefer.is_async, (int)wait_s);
    }
}

static void test_others(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {"respond-async", ""},
        {"respond-async, wait=10", ""},
        {"return=minimal", "return=minimal"},
        {"respond-async, return=minimal; x, wait=3,handling=lenient",
         "return=minimal; x, handling=lenient"},
        {"a=\"respond-async, b\", WAIT=1", "a=\"respond-async, b\""},
        {" , ,", ""},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct text out = TEXT_NONE;
        prefer_write_others(slice_from(table[i][0]), &out);
        assert_string_equal(text_cstr(&out), table[i][1]);
        text_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
