/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of queues, from answers as a weir gives them.
 */
#include "cli/status_queues.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* An answer of the process queue, whose quotes stand single, as the table. */
static void tell(const char *answer, struct text *out)
{
    const struct table_style style = {.is_coloured = false, .width = 0};
    struct text quoted = TEXT_NONE;
    json_error_t error;
    for (const char *at = answer; *at; at++)
        text_append_char(&quoted, *at == '\'' ? '"' : *at);
    json_t *status = json_loadb(quoted.ptr, quoted.len, 0, &error);
    assert_non_null(status);
    status_queues_tell(status, &style, out);
    json_decref(status);
    text_deinit(&quoted);
}

static void check(const char *answer, const char *wanted)
{
    struct text out = TEXT_NONE;
    tell(answer, &out);
    assert_string_equal(text_cstr(&out), wanted);
    text_deinit(&out);
}

#define ANSWER(inside) "{'processes':[{'name':'queue','detail':{'modules':{'queue':" inside "}}}]}"

static void test_table(void **state)
{
    (void)state;
    check(ANSWER("{'connections':2,'jobs':1234,'bytes':1,'sync':'group','is_durable':true,"
                 "'queues_total':2,'queues':["
                 "{'name':'mail','state':'serving','ready':1200,'reserved':3,'delayed':0,"
                 "'buried':31,'waiting':0,'oldest_ms':7300000},"
                 "{'name':'default','state':'paused','ready':0,'reserved':0,'delayed':0,"
                 "'buried':0,'waiting':2}]}"),
          "\n"
          "queues  1234 jobs\n"
          "QUEUE    READY  RESERVED  DELAYED  BURIED  OLDEST  WORKERS WAITING  STATE\n"
          "mail      1200         3        0      31     2 h                0\n"
          "default      0         0        0       0                        2  paused\n");
}

static void test_not_durable(void **state)
{
    (void)state;
    check(ANSWER("{'jobs':1,'sync':'interval','is_durable':false,'queues_total':1201,'queues':["
                 "{'name':'a','state':'serving','ready':1,'reserved':0,'delayed':0,'buried':0,"
                 "'waiting':0,'oldest_ms':0}]}"),
          "\n"
          "queues  1 job, not durable: sync interval\n"
          "QUEUE  READY  RESERVED  DELAYED  BURIED  OLDEST  WORKERS WAITING\n"
          "a          1         0        0       0     0 s                0\n"
          "and 1200 more: weir jobs\n");
}

/* A file without a queue, one that waits for its log, and a process that did not answer. */
static void test_nothing_to_tell(void **state)
{
    (void)state;
    check("{}", "");
    check("{'processes':[{'name':'queue','answers':false,'why':'it hangs'}]}", "");
    check("{'processes':[{'name':'queue','detail':null}]}", "");
    check(ANSWER("{'connections':0}"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_not_durable),
        cmocka_unit_test(test_nothing_to_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
