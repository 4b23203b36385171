/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Ends of programs, a second apart, and what the worker may do then.
 */

#include "worker/crash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const struct crash_rule rule = {.n_max = 3, .first_ns = 2, .longest_ns = 10};

/* g good, s slow, q quick, n nothing; "." nothing ends. Behind each, how many of 8 may run. */
static const struct {
    const char *ends;
    const char *allowed;
} rows[] = {
    {"ggg", "888"},
    {"qqgqq", "88888"},
    {"qqsqq", "88888"}, /* one that lived a while breaks the row */
    {"qqq..", "88001"},
    {"qqq..g", "880018"},
    {"qqq..q....g", "88001000018"},
    {"n..", "001"},
    {"n..n....n........n..........n", "00100001000000001000000000010"},
    {"n..s", "0011"},   /* it does not say that all is well */
    {"nqqq.", "00000"}, /* what ran already makes it no longer; what is tried then does */
};

static enum crash_end end_of(char letter)
{
    switch (letter) {
    case 'g':
        return CRASH_GOOD;
    case 's':
        return CRASH_SLOW;
    case 'q':
        return CRASH_QUICK;
    default:
        return CRASH_NOTHING;
    }
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct crash crash = {.n_bad = 0};
        char allowed[64];
        size_t n = 0;
        for (; rows[i].ends[n]; n++) {
            if (rows[i].ends[n] != '.')
                (void)crash_note(&crash, end_of(rows[i].ends[n]), &rule, n);
            allowed[n] = (char)('0' + crash_allows(&crash, 8, n));
            assert_int_equal(crash_allows(&crash, 0, n), 0);
        }
        allowed[n] = '\0';
        assert_string_equal(allowed, rows[i].allowed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
