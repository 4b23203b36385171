/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whose word counts, as a table.
 */

#include "health/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NO_WEIGHT VERDICT_NO_WEIGHT

static const struct row {
    struct verdict_words words;
    enum fact_state state;
    const char *reason;
    uint32_t weight;
} rows[] = {
    /* the check alone */
    {{FACT_UP, "HTTP 200 in 3 ms", FACT_NONE, NULL, NULL, 7, NO_WEIGHT, 100},
     FACT_UP,
     "HTTP 200 in 3 ms",
     7},
    {{FACT_DOWN, "connection refused", FACT_NONE, NULL, NULL, 1, NO_WEIGHT, 100},
     FACT_DOWN,
     "connection refused",
     1},
    {{FACT_UNKNOWN, "not checked yet", FACT_NONE, NULL, NULL, 1, NO_WEIGHT, 100},
     FACT_UNKNOWN,
     "not checked yet",
     1},
    /* the operator */
    {{FACT_UP, "x", FACT_DOWN, NULL, NULL, 1, NO_WEIGHT, 100},
     FACT_DOWN,
     "forced down by the operator",
     0},
    {{FACT_DOWN, "x", FACT_DOWN, NULL, NULL, 1, NO_WEIGHT, 100},
     FACT_DOWN,
     "forced down by the operator",
     0},
    {{FACT_UP, "x", FACT_UP, NULL, NULL, 1, NO_WEIGHT, 100},
     FACT_UP,
     "forced up by the operator",
     1},
    {{FACT_DOWN, "connection refused", FACT_UP, "ejected", "drained", 1, NO_WEIGHT, 100},
     FACT_UP,
     "forced up by the operator (connection refused)",
     1},
    {{FACT_UP, "x", FACT_DRAINING, NULL, NULL, 1, NO_WEIGHT, 100},
     FACT_DRAINING,
     "drained by the operator",
     1},
    {{FACT_UNKNOWN, "not checked yet", FACT_DRAINING, NULL, NULL, 1, NO_WEIGHT, 100},
     FACT_DRAINING,
     "drained by the operator (not checked yet)",
     1},
    {{FACT_DOWN, "connection refused", FACT_DRAINING, NULL, NULL, 1, NO_WEIGHT, 100},
     FACT_DOWN,
     "connection refused (drained by the operator)",
     1},
    /* the edges */
    {{FACT_UP, "x", FACT_NONE, "ejected for 10s: 5 failures in a row", NULL, 1, NO_WEIGHT, 100},
     FACT_DOWN,
     "ejected for 10s: 5 failures in a row",
     1},
    {{FACT_DOWN, "connection refused", FACT_NONE, "ejected for 10s", NULL, 1, NO_WEIGHT, 100},
     FACT_DOWN,
     "connection refused",
     1},
    {{FACT_UP, "x", FACT_DRAINING, "ejected for 10s", NULL, 1, NO_WEIGHT, 100},
     FACT_DOWN,
     "ejected for 10s (drained by the operator)",
     1},
    {{FACT_UP, "x", FACT_UP, "ejected for 10s", NULL, 1, NO_WEIGHT, 100},
     FACT_UP,
     "forced up by the operator",
     1},
    /* the agent */
    {{FACT_UP, "x", FACT_NONE, NULL, "drained by its agent", 10, NO_WEIGHT, 50},
     FACT_DRAINING,
     "drained by its agent",
     5},
    {{FACT_DOWN, "its agent says down", FACT_NONE, NULL, "drained by its agent", 10, NO_WEIGHT, 50},
     FACT_DOWN,
     "its agent says down",
     5},
    /* weights */
    {{FACT_UP, "x", FACT_NONE, NULL, NULL, 3, 256, 100}, FACT_UP, "x", 256},
    {{FACT_UP, "x", FACT_NONE, NULL, NULL, 3, 0, 100}, FACT_UP, "x", 0},
    {{FACT_UP, "x", FACT_NONE, NULL, NULL, 3, 8, 50}, FACT_UP, "x", 8},
    {{FACT_UP, "x", FACT_NONE, NULL, NULL, 256, NO_WEIGHT, 99}, FACT_UP, "x", 253},
    {{FACT_UP, "x", FACT_NONE, NULL, NULL, 1, NO_WEIGHT, 1}, FACT_UP, "x", 1},
    {{FACT_UP, "x", FACT_NONE, NULL, NULL, 256, NO_WEIGHT, 0}, FACT_UP, "x", 0},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct verdict verdict = verdict_of(&rows[i].words);
        assert_string_equal(verdict.reason, rows[i].reason);
        assert_int_equal(verdict.state, rows[i].state);
        assert_int_equal(verdict.weight, rows[i].weight);
    }
}

/* A reason that fills the fact leaves room for nothing, and is cut. */
static void test_long_reasons(void **state)
{
    (void)state;
    char long_reason[FACT_REASON_MAX];
    memset(long_reason, 'x', sizeof(long_reason) - 1);
    long_reason[sizeof(long_reason) - 1] = '\0';
    struct verdict_words words = {.checked = FACT_DOWN,
                                  .checked_reason = long_reason,
                                  .forced = FACT_UP,
                                  .weight = 1,
                                  .forced_weight = VERDICT_NO_WEIGHT,
                                  .share = 100};
    struct verdict verdict = verdict_of(&words);
    assert_int_equal(strlen(verdict.reason), strlen("forced up by the operator (") + 50 + 1);
    words.forced = FACT_DRAINING;
    verdict = verdict_of(&words);
    assert_string_equal(verdict.reason, long_reason);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_long_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
