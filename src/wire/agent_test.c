/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What agents say, whole and byte by byte.
 */

#include "wire/agent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct row {
    const char *line; /* without its end */
    int result;       /* < 0, or 1: it is one */
    enum agent_state state;
    int32_t share;
    const char *text;
} rows[] = {
    {"up", 1, AGENT_UP, -1, "up"},
    {"ready", 1, AGENT_UP, -1, "ready"},
    {"UP", 1, AGENT_UP, -1, "UP"},
    {"drain", 1, AGENT_DRAIN, -1, "drain"},
    {"down", 1, AGENT_DOWN, -1, "down"},
    {"failed", 1, AGENT_DOWN, -1, "failed"},
    {"stopped", 1, AGENT_DOWN, -1, "stopped"},
    {"maint", 1, AGENT_DOWN, -1, "maint"},
    {"down # disk full", 1, AGENT_DOWN, -1, "down # disk full"},
    {"down #up", 1, AGENT_DOWN, -1, "down #up"},
    {"up# well", 1, AGENT_UP, -1, "up# well"},
    {"75%", 1, AGENT_UP, 75, "75%"},
    {"0%", 1, AGENT_UP, 0, "0%"},
    {"100%", 1, AGENT_UP, 100, "100%"},
    {"up 50%", 1, AGENT_UP, 50, "up 50%"},
    {"50% up", 1, AGENT_UP, 50, "50% up"},
    {"up,\tready, 7%", 1, AGENT_UP, 7, "up,?ready, 7%"},
    {"drain 10% 20%", 1, AGENT_DRAIN, 20, "drain 10% 20%"},
    {"drain up", 1, AGENT_DRAIN, -1, "drain up"},
    {"down drain up", 1, AGENT_DOWN, -1, "down drain up"},
    {"up\r", 1, AGENT_UP, -1, "up"},
    {"  up  ", 1, AGENT_UP, -1, "up"},
    {"down # caf\xc3\xa9", 1, AGENT_DOWN, -1, "down # caf??"},
    {"", -1, AGENT_UP, -1, ""},
    {"\r", -1, AGENT_UP, -1, ""},
    {"# only a text", -1, AGENT_UP, -1, ""},
    {"upp", -1, AGENT_UP, -1, "upp"},
    {"101%", -1, AGENT_UP, -1, "101%"},
    {"-1%", -1, AGENT_UP, -1, "-1%"},
    {"1.5%", -1, AGENT_UP, -1, "1.5%"},
    {"%", -1, AGENT_UP, -1, "%"},
    {"up maxconn:30", -1, AGENT_UP, -1, "maxconn:30"},
    {"HTTP/1.1 200 OK", -1, AGENT_UP, -1, "HTTP/1.1"},
    {"\x01\x02", -1, AGENT_UP, -1, "??"},
};

static void check(const struct row *row, int result, size_t len, const struct agent_says *says)
{
    assert_int_equal(result, row->result < 0 ? -1 : (int)len);
    assert_string_equal(says->text, row->text);
    if (result < 0)
        return;
    assert_int_equal(says->state, row->state);
    assert_int_equal(says->share, row->share);
}

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct agent_says says;
        char bytes[128];
        size_t len = strlen(rows[i].line);
        memcpy(bytes, rows[i].line, len);
        memcpy(bytes + len, "\nmore", 5);
        check(&rows[i], agent_parse(slice_make(bytes, len + 5), false, &says), len + 1, &says);
        check(&rows[i], agent_parse(slice_make(bytes, len), true, &says), len, &says);
        for (size_t cut = 0; cut <= len; cut++)
            assert_int_equal(agent_parse(slice_make(bytes, cut), false, &says), 0);
    }
}

static void test_long_lines(void **state)
{
    (void)state;
    struct agent_says says;
    char bytes[AGENT_LINE_MAX + 2];
    memset(bytes, 'x', sizeof(bytes));
    memcpy(bytes, "down #", 6);
    assert_int_equal(agent_parse(slice_make(bytes, AGENT_LINE_MAX), false, &says), 0);
    assert_int_equal(agent_parse(slice_make(bytes, AGENT_LINE_MAX + 1), false, &says), -1);
    bytes[AGENT_LINE_MAX] = '\n';
    assert_int_equal(agent_parse(slice_make(bytes, AGENT_LINE_MAX + 1), false, &says),
                     AGENT_LINE_MAX + 1);
    assert_int_equal(says.state, AGENT_DOWN);
    assert_int_equal(strlen(says.text), AGENT_TEXT_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_long_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
