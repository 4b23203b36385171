/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Each way in which a program ends, and what becomes of its job.
 */

#include "worker/job_end.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { QUICK = 100 };

static const struct {
    enum program_outcome outcome;
    int number;
    bool was_told;
    uint64_t lived;
    enum job_fate fate;
    enum crash_end crash;
    const char *text;
} rows[] = {
    {PROGRAM_EXITED, 0, false, 1, JOB_DONE, CRASH_GOOD, "exit status 0"},
    {PROGRAM_EXITED, 75, false, 1, JOB_AGAIN, CRASH_GOOD, "exit status 75"},
    {PROGRAM_EXITED, 100, false, 1, JOB_DEAD, CRASH_GOOD, "exit status 100"},
    {PROGRAM_EXITED, 1, false, 99, JOB_AGAIN, CRASH_QUICK, "exit status 1"},
    {PROGRAM_EXITED, 1, false, 100, JOB_AGAIN, CRASH_SLOW, "exit status 1"},
    {PROGRAM_SIGNALED, SIGSEGV, false, 1, JOB_AGAIN, CRASH_QUICK, "ended by SIGSEGV"},
    {PROGRAM_SIGNALED, SIGKILL, false, 500, JOB_AGAIN, CRASH_SLOW, "ended by SIGKILL"},
    {PROGRAM_SIGNALED, 77, false, 500, JOB_AGAIN, CRASH_SLOW, "ended by SIG?"},
    {PROGRAM_LATE, 0, false, 500, JOB_AGAIN, CRASH_SLOW, "killed after 10s"},
    {PROGRAM_NOT_STARTED, ENOENT, false, 0, JOB_BACK, CRASH_NOTHING,
     "not started: No such file or directory"},
    {PROGRAM_SIGNALED, SIGTERM, true, 1, JOB_BACK, CRASH_SLOW, "ended by SIGTERM"},
    {PROGRAM_EXITED, 1, true, 1, JOB_BACK, CRASH_SLOW, "exit status 1"},
    {PROGRAM_EXITED, 75, true, 1, JOB_BACK, CRASH_GOOD, "exit status 75"},
    {PROGRAM_EXITED, 0, true, 1, JOB_DONE, CRASH_GOOD, "exit status 0"},
    {PROGRAM_EXITED, 100, true, 1, JOB_DEAD, CRASH_GOOD, "exit status 100"},
    {PROGRAM_LATE, 0, true, 500, JOB_BACK, CRASH_SLOW, "killed after 10s"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct program_result result = {.outcome = rows[i].outcome, .number = rows[i].number};
        struct text text = TEXT_NONE;
        assert_int_equal(job_fate(&result, rows[i].was_told), rows[i].fate);
        assert_int_equal(job_end_crash(&result, rows[i].was_told, rows[i].lived, QUICK),
                         rows[i].crash);
        program_describe(&result, 10000, &text);
        assert_string_equal(text_cstr(&text), rows[i].text);
        text_deinit(&text);
    }
}

static void test_words(void **state)
{
    (void)state;
    assert_int_equal(job_fate_fail(JOB_AGAIN), JOBPROTO_FAIL_TEMPORARY);
    assert_int_equal(job_fate_fail(JOB_DEAD), JOBPROTO_FAIL_PERMANENT);
    assert_int_equal(job_fate_fail(JOB_BACK), JOBPROTO_FAIL_BACK);
    assert_string_equal(job_fate_name(JOB_BACK), "given back");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
