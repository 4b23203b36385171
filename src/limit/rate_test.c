/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a rate lets through, by scripts: a time, and whether one may come then; if so it does.
 */

#include "limit/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S UINT64_C(1000000000)

static void check(struct limit_rate *rate, uint64_t now_ns, uint64_t next_ns)
{
    assert_int_equal(limit_rate_next_ns(rate, now_ns), next_ns);
    if (next_ns == now_ns)
        limit_rate_note(rate, now_ns);
}

static void test_even(void **state)
{
    (void)state;
    struct limit_rate rate;
    limit_rate_init(&rate, 2, S, 1);
    check(&rate, 10 * S, 10 * S);
    check(&rate, 10 * S, 10 * S + S / 2);
    check(&rate, 10 * S + S / 2 - 1, 10 * S + S / 2);
    check(&rate, 10 * S + S / 2, 10 * S + S / 2);
    check(&rate, 10 * S + S / 2, 11 * S);
    check(&rate, 20 * S, 20 * S); /* idle time is not saved up beyond the burst */
    check(&rate, 20 * S, 20 * S + S / 2);
}

static void test_burst(void **state)
{
    (void)state;
    struct limit_rate rate;
    limit_rate_init(&rate, 1, S, 3);
    for (int i = 0; i < 3; i++)
        check(&rate, 10 * S, 10 * S);
    check(&rate, 10 * S, 11 * S);
    check(&rate, 11 * S, 11 * S);
    check(&rate, 11 * S, 12 * S);
    for (int i = 0; i < 3; i++)
        check(&rate, 20 * S, 20 * S);
    check(&rate, 20 * S, 21 * S);
}

static void test_from_the_beginning(void **state)
{
    (void)state;
    struct limit_rate rate;
    limit_rate_init(&rate, 1, S, 2);
    check(&rate, 0, 0);
    check(&rate, 0, 0);
    check(&rate, 0, S);
}

static void test_none(void **state)
{
    (void)state;
    struct limit_rate rate;
    limit_rate_init(&rate, 0, S, 1);
    for (int i = 0; i < 1000; i++)
        check(&rate, 5, 5);
}

/* Never more than the burst and one an interval, in any window that begins with the first. */
static void test_sum(void **state)
{
    (void)state;
    struct limit_rate rate;
    limit_rate_init(&rate, 7, S, 5);
    uint64_t n = 0;
    for (uint64_t now = S; now < 11 * S; now += S / 100) {
        if (limit_rate_next_ns(&rate, now) > now)
            continue;
        limit_rate_note(&rate, now);
        n++;
        assert_true(n <= 5 + (now - S) * 7 / S);
    }
    assert_true(n >= 70);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_even),
        cmocka_unit_test(test_burst),
        cmocka_unit_test(test_from_the_beginning),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
