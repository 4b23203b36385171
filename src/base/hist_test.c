/* SPDX-License-Identifier: Apache-2.0 */
/* The bucket arithmetic: bounds, the promised precision, and quantiles. */
#include "base/hist.h"
#include "base/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_bounds(void **state)
{
    (void)state;
    static const struct {
        unsigned bucket;
        uint64_t lower;
    } rows[] = {
        {0, 0},    {3, 3},          {4, 4},          {7, 7},
        {8, 8},    {9, 10},         {11, 14},        {12, 16},
        {13, 20},  {15, 28},        {16, 32},        {20, 64},
        {24, 128}, {116, 1u << 30}, {120, 1u << 31}, {123, 7ull << 29},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(hist_lower(rows[i].bucket) == rows[i].lower);
        assert_int_equal(hist_bucket(rows[i].lower), rows[i].bucket);
    }
}

/* Buckets join without a gap, and none but the last is wider than a quarter of its values. */
static void test_every_bucket(void **state)
{
    (void)state;
    for (unsigned i = 0; i + 1 < HIST_BUCKETS; i++) {
        uint64_t lower = hist_lower(i), next = hist_lower(i + 1);
        assert_true(lower < next);
        assert_int_equal(hist_bucket(lower), i);
        assert_int_equal(hist_bucket(next - 1), i);
        assert_int_equal(hist_bucket(next), i + 1);
        assert_true(next - lower == 1 || 4 * (next - lower) <= lower);
    }
    assert_int_equal(hist_bucket(1ull << 32), HIST_BUCKETS - 1);
    assert_int_equal(hist_bucket(UINT64_MAX), HIST_BUCKETS - 1);
}

static void test_quantile_edges(void **state)
{
    (void)state;
    uint64_t counts[HIST_BUCKETS] = {0};
    assert_true(hist_quantile(counts, 0.5) == 0);
    counts[9] = 4; /* 10 and 11 */
    static const double rows[][2] = {
        {-1, 10}, {0, 10}, {0.25, 10.5}, {0.5, 11}, {1, 12}, {2, 12}, {(double)NAN, 10},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_true(fabs(hist_quantile(counts, rows[i][0]) - rows[i][1]) < 1e-9);
    memset(counts, 0, sizeof(counts));
    counts[HIST_BUCKETS - 1] = 1;
    assert_true(hist_quantile(counts, 0.99) == (double)hist_lower(HIST_BUCKETS - 1));
}

/* 1 .. 100000 once each: every quantile lies within its bucket's width of the true one. */
static void test_quantile_of_a_ramp(void **state)
{
    (void)state;
    uint64_t counts[HIST_BUCKETS] = {0};
    for (uint64_t value = 1; value <= 100000; value++)
        counts[hist_bucket(value)]++;
    double former = 0;
    for (int percent = 1; percent <= 100; percent++) {
        double found = hist_quantile(counts, percent / 100.0);
        assert_true(fabs(found - percent * 1000.0) <= 0.25 * percent * 1000.0);
        assert_true(found >= former);
        former = found;
    }
    assert_true(fabs(hist_quantile(counts, 0.5) - 50000) < 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_every_bucket),
        cmocka_unit_test(test_quantile_edges),
        cmocka_unit_test(test_quantile_of_a_ramp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
