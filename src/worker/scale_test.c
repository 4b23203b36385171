/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Looks at a worker, one after the other, and the level behind each.
 */

#include "worker/scale.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define S UINT64_C(1000000000)

static const struct scale_rule rule = {.min = 2, .max = 20, .age_ms = 1000, .idle_ns = 30 * S};

struct look {
    uint64_t at_s;
    uint64_t n_ready, oldest_ms;
    uint32_t n_most, n_busy; /* at a time since the look before; now */
    uint32_t level;          /* behind it */
};

static void check(const struct look *looks, size_t n_looks)
{
    struct scale scale = {.level = 0};
    scale_set(&scale, &rule, 0);
    assert_int_equal(scale.level, 2);
    for (size_t i = 0; i < n_looks; i++) {
        const struct look *look = &looks[i];
        const struct scale_seen seen = {look->n_ready, look->oldest_ms};
        uint32_t former = scale.level;
        scale_note(&scale, look->n_most);
        bool is_other = scale_look(&scale, &rule, &seen, look->n_busy, look->at_s * S);
        if (scale.level != look->level)
            print_message("look %zu: %u\n", i, scale.level);
        assert_int_equal(scale.level, look->level);
        assert_int_equal(is_other, scale.level != former);
    }
}

#define CHECK(looks) check(looks, sizeof(looks) / sizeof((looks)[0]))

static void test_up(void **state)
{
    static const struct look by_depth[] = {
        {1, 0, 0, 2, 2, 2},   /* nobody waits */
        {2, 2, 0, 2, 2, 2},   /* the two that wait are next */
        {3, 3, 0, 2, 2, 3},   /* more than are done */
        {4, 100, 0, 3, 3, 5}, /* by a half */
        {5, 100, 0, 4, 4, 5}, /* it had not been reached yet */
        {6, 100, 0, 5, 5, 8},        {7, 100, 0, 8, 8, 12},
        {8, 100, 0, 12, 12, 18},     {9, 100, 0, 18, 18, 20}, /* and no further */
        {10, 100, 9999, 20, 20, 20},
    };
    static const struct look by_age[] = {
        {1, 1, 999, 2, 2, 2},
        {2, 1, 1000, 2, 2, 3},
        {3, 1, 5000, 1, 1, 3}, /* it waits for something else: a rate, a pause */
    };
    (void)state;
    CHECK(by_depth);
    CHECK(by_age);
}

static void test_down(void **state)
{
    static const struct look looks[] = {
        {1, 99, 0, 2, 2, 3},  {2, 99, 0, 3, 3, 5}, {3, 99, 0, 5, 5, 8}, {4, 0, 0, 8, 8, 8},
        {32, 0, 0, 1, 1, 8},  {33, 0, 0, 1, 1, 8}, /* 30 s are over, and within them 8 were done */
        {62, 0, 0, 4, 1, 8},  {63, 0, 0, 1, 0, 4}, /* the most since then */
        {92, 0, 0, 0, 0, 4},  {93, 0, 0, 0, 0, 2}, /* never below the lower end */
        {300, 0, 0, 0, 0, 2},
    };
    (void)state;
    CHECK(looks);
}

/* A load that comes and goes faster than `idle` moves it once. */
static void test_no_flutter(void **state)
{
    struct scale scale = {.level = 0};
    unsigned n_changes = 0;
    (void)state;
    scale_set(&scale, &rule, 0);
    for (uint64_t s = 1; s <= 600; s++) {
        bool is_rush = s % 20 < 4;
        const struct scale_seen seen = {is_rush ? 50 : 0, 0};
        scale_note(&scale, is_rush ? scale.level : 1);
        n_changes += scale_look(&scale, &rule, &seen, 0, s * S);
    }
    assert_int_equal(scale.level, 20);
    assert_int_equal(n_changes, 6); /* 2 3 5 8 12 18 20 */
}

static void test_another_rule(void **state)
{
    const struct scale_rule higher = {.min = 8, .max = 9, .age_ms = 1000, .idle_ns = S};
    struct scale scale = {.level = 0};
    (void)state;
    scale_set(&scale, &rule, 0);
    scale_set(&scale, &higher, S);
    assert_int_equal(scale.level, 8);
    scale_set(&scale, &rule, 2 * S);
    assert_int_equal(scale.level, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_up),
        cmocka_unit_test(test_down),
        cmocka_unit_test(test_no_flutter),
        cmocka_unit_test(test_another_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
