/* SPDX-License-Identifier: Apache-2.0 */

/*
 * When a line may be written, and how many were not.
 */

#include "limit/hush.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_hush(void **state)
{
    (void)state;
    static const struct hush_rule rule = {.burst = 3, .every_ns = 10};
    static const struct {
        uint64_t now_ns;
        bool may;
        uint64_t n_kept;
    } rows[] = {
        {1000, true, 0},  {1000, true, 0}, {1001, true, 0},  {1001, false, 0},
        {1009, false, 0}, {1010, true, 2}, {1011, false, 0}, {1040, true, 1},
        {1040, true, 0},  {1040, true, 0}, {1040, false, 0}, {9000, true, 1},
    };
    struct hush hush = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t n_kept = 0;
        if (hush_may(&hush, &rule, rows[i].now_ns, &n_kept) != rows[i].may ||
            n_kept != rows[i].n_kept)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hush),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
