/* SPDX-License-Identifier: Apache-2.0 */
/* The generator against numbers of its authors' program, and the distribution of its results. */
#include "base/mem.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_known_numbers(void **state)
{
    (void)state;
    static const uint64_t expected[] = {11520,
                                        0,
                                        1509978240,
                                        1215971899390074240,
                                        1216172134540287360,
                                        607988272756665600,
                                        16172922978634559625u,
                                        8476171486693032832,
                                        10595114339597558777u,
                                        2904607092377533576};
    struct rng rng = {{1, 2, 3, 4}};
    for (size_t i = 0; i < ARRAY_LEN(expected); i++)
        assert_true(rng_next(&rng) == expected[i]);
}

static void test_seed(void **state)
{
    (void)state;
    struct rng a, b, c;
    rng_init(&a, 1234567);
    rng_init(&b, 1234567);
    rng_init(&c, 1234568);
    assert_true(a.s[0] == 6457827717110365317u && a.s[1] == 3203168211198807973u);
    assert_true(a.s[2] == 9817491932198370423u && a.s[3] == 4593380528125082431u);
    assert_memory_equal(&a, &b, sizeof(a));
    for (int i = 0; i < 100; i++) {
        uint64_t number = rng_next(&a);
        assert_true(number == rng_next(&b));
        assert_true(number != rng_next(&c));
    }
}

enum { N_DRAWS = 100000 };

static double chi_square(const unsigned counts[], uint64_t n_bins)
{
    double expected = (double)N_DRAWS / (double)n_bins, chi = 0;
    for (uint64_t bin = 0; bin < n_bins; bin++)
        chi += (counts[bin] - expected) * (counts[bin] - expected) / expected;
    return chi;
}

/*
 * Chi square over the results: the limits hold for all but one seed in a million, and the seed is
 * fixed. At a bound of 3/4 of 2^64 carelessness would show most: a plain modulo favours the lower
 * third, a plain multiplication every third number; so the results are counted both ways.
 */
static void test_below_is_even(void **state)
{
    (void)state;
    static const struct {
        uint64_t bound;
        uint64_t n_bins;
        double limit;
    } rows[] = {{1, 1, 1},    {2, 2, 24},      {3, 3, 28},
                {10, 10, 46}, {100, 100, 180}, {3ull << 62, 3, 28}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned by_size[100] = {0}, by_rest[100] = {0};
        struct rng rng;
        rng_init(&rng, 5);
        for (unsigned draw = 0; draw < N_DRAWS; draw++) {
            uint64_t x = rng_below(&rng, rows[i].bound);
            assert_true(x < rows[i].bound);
            by_size[x / (rows[i].bound / rows[i].n_bins)]++;
            by_rest[x % rows[i].n_bins]++;
        }
        assert_true(chi_square(by_size, rows[i].n_bins) < rows[i].limit);
        assert_true(chi_square(by_rest, rows[i].n_bins) < rows[i].limit);
    }
}

static void test_unit(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 9);
    double sum = 0, smallest = 1, largest = 0;
    for (int i = 0; i < 100000; i++) {
        double x = rng_unit(&rng);
        assert_true(x >= 0 && x < 1);
        sum += x;
        smallest = x < smallest ? x : smallest;
        largest = x > largest ? x : largest;
    }
    assert_true(sum > 49500 && sum < 50500);
    assert_true(smallest < 0.001 && largest > 0.999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_numbers),
        cmocka_unit_test(test_seed),
        cmocka_unit_test(test_below_is_even),
        cmocka_unit_test(test_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
