/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The table of workers, from answers as a weir gives them.
 */

#include "cli/status_workers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* An answer of the process worker, whose quotes stand single, as the table. */
static void check(const char *answer, const char *wanted)
{
    const struct table_style style = {.is_coloured = false, .width = 0};
    struct text quoted = TEXT_NONE, out = TEXT_NONE;
    json_error_t error;
    for (const char *at = answer; *at; at++)
        text_append_char(&quoted, *at == '\'' ? '"' : *at);
    json_t *status = json_loadb(quoted.ptr, quoted.len, 0, &error);
    assert_non_null(status);
    status_workers_tell(status, &style, &out);
    assert_string_equal(text_cstr(&out), wanted);
    json_decref(status);
    text_deinit(&quoted);
    text_deinit(&out);
}

#define ANSWER(rows)                                                                             \
    "{'processes':[{'name':'worker','detail':{'modules':{'worker':{'running':3,'workers':[" rows \
    "]}}}}]}"

static void test_table(void **state)
{
    (void)state;
    check(
        ANSWER("{'name':'mailer','queue':'mail','concurrency':4,'least':2,'most':8,'running':3,'"
               "done':120,"
               "'again':4,'buried':1,'state':'serving','why':''},"
               "{'name':'reports','queue':'reports','concurrency':1,'least':1,'most':1,'running':"
               "0,'done':0,"
               "'again':5,'buried':0,'state':'failed','why':'failed at once, "
               "5 times in a row: exit status 1'}"),
        "\n"
        "WORKER   QUEUE          RUNNING  DONE  AGAIN  BURIED  STATE   WHY\n"
        "mailer   mail     3 of 4 (2..8)   120      4       1\n"
        "reports  reports         0 of 1     0      5       0  failed  failed at once, 5 times in "
        "a row: exit status 1\n");
}

/* A file without one, and a process that did not answer. */
static void test_nothing_to_tell(void **state)
{
    (void)state;
    check("{}", "");
    check(ANSWER(""), "");
    check("{'processes':[{'name':'worker','answers':false,'why':'it hangs'}]}", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_nothing_to_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
