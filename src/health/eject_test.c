/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Ejections, by tables and by a simulation: a pool with a member that fails as much as a seed says,
 * which must be out most of the time, while a pool that fails as a whole keeps its half, and one
 * that is well is never touched.
 */

#include "health/eject.h"

#include "base/mem.h"
#include "base/rng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

static const struct eject_rules usual = {
    .failures = 5,
    .rate_percent = 50,
    .rate_requests = 20,
    .min_ns = 10 * S,
    .max_ns = 300 * S,
};

/* ---- what ejects ---- */

struct look {
    uint64_t after_ms; /* the one before */
    uint64_t n_good, n_bad;
};

static const struct {
    const char *name;
    struct look looks[14];
    enum eject_why why; /* at the last look; none before it */
    uint64_t n_bad, n_all;
} rows[] = {
    {"nothing", {{100, 0, 0}, {100, 0, 0}}, EJECT_NOT, 0, 0},
    {"successes", {{100, 9, 0}, {100, 99, 0}}, EJECT_NOT, 0, 0},
    {"four in a row", {{100, 0, 2}, {100, 0, 2}}, EJECT_NOT, 0, 0},
    {"five at once", {{100, 0, 5}}, EJECT_ROW, 5, 0},
    {"five over time", {{100, 0, 1}, {60000, 0, 3}, {60000, 0, 0}, {60000, 0, 1}}, EJECT_ROW, 5, 0},
    {"a success between", {{100, 0, 4}, {100, 1, 0}, {100, 0, 4}}, EJECT_NOT, 0, 0},
    {"a success in the look", {{100, 0, 4}, {100, 1, 4}, {100, 0, 4}}, EJECT_NOT, 0, 0},
    {"a success, then a row", {{100, 1, 4}, {100, 0, 5}}, EJECT_ROW, 5, 0},
    {"too few for a rate", {{100, 9, 10}}, EJECT_NOT, 0, 0},
    {"half of twenty", {{100, 10, 10}}, EJECT_RATE, 10, 20},
    {"less than half", {{100, 11, 10}}, EJECT_NOT, 0, 0},
    {"a rate that grows", {{100, 50, 10}, {900, 5, 20}, {900, 5, 29}}, EJECT_NOT, 0, 0},
    {"a rate that has grown", {{100, 50, 10}, {900, 5, 20}, {900, 5, 31}}, EJECT_RATE, 61, 121},
    {"within the window", {{100, 5, 9}, {9000, 5, 9}}, EJECT_RATE, 18, 28},
    {"beyond the window", {{100, 5, 9}, {11000, 5, 9}}, EJECT_NOT, 0, 0},
    {"the old good ones are gone", {{100, 90, 0}, {11000, 10, 12}}, EJECT_RATE, 12, 22},
    {"no news is no reason", {{100, 90, 0}, {100, 20, 60}, {9950, 0, 0}}, EJECT_NOT, 0, 0},
};

static void test_what_ejects(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct eject eject;
        struct eject_sums sums = {.n_bad = 0};
        uint64_t now_ns = 123 * S;
        enum eject_why why = EJECT_NOT;
        eject_init(&eject);
        for (size_t n = 0; n < ARRAY_LEN(rows[i].looks) && rows[i].looks[n].after_ms; n++) {
            const struct look *look = &rows[i].looks[n];
            assert_int_equal(why, EJECT_NOT);
            now_ns += look->after_ms * MS;
            why = eject_count(&eject, &usual, look->n_good, look->n_bad, now_ns, &sums);
        }
        if (why != rows[i].why || sums.n_bad != rows[i].n_bad || sums.n_all != rows[i].n_all)
            fail_msg("%s: %d, %d of %d", rows[i].name, (int)why, (int)sums.n_bad, (int)sums.n_all);
    }
}

static void test_rules_that_are_off(void **state)
{
    (void)state;
    struct eject_rules rules = usual;
    struct eject eject;
    struct eject_sums sums;
    eject_init(&eject);
    rules.failures = 0;
    assert_int_equal(eject_count(&eject, &rules, 0, 19, S, &sums), EJECT_NOT);
    assert_int_equal(eject_count(&eject, &rules, 0, 1, S, &sums), EJECT_RATE);
    rules.rate_percent = 0;
    assert_int_equal(eject_count(&eject, &rules, 0, 1000, S, &sums), EJECT_NOT);
}

/* ---- how many ---- */

static void test_at_most(void **state)
{
    (void)state;
    static const struct {
        uint32_t n, n_out, at_most;
        bool may;
    } caps[] = {
        {1, 0, 50, false}, {1, 0, 100, false},   {2, 0, 50, true},      {2, 1, 50, false},
        {3, 0, 50, true},  {3, 1, 50, false},    {4, 1, 50, true},      {4, 2, 50, false},
        {10, 0, 10, true}, {10, 1, 10, false},   {10, 0, 9, false},     {10, 9, 100, true},
        {10, 0, 0, false}, {256, 127, 50, true}, {256, 128, 50, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(caps); i++)
        assert_int_equal(eject_may(caps[i].n, caps[i].n_out, caps[i].at_most), caps[i].may);
}

/* ---- how long ---- */

/* Ejects, waits it out, then `good_ns`; returns how long it was out. */
static uint64_t round_of(struct eject *eject, uint64_t *now_ns, uint64_t good_ns)
{
    struct eject_sums sums;
    assert_int_equal(eject_count(eject, &usual, 0, 5, *now_ns, &sums), EJECT_ROW);
    uint64_t time_ns = eject_begin(eject, &usual, *now_ns);
    assert_true(eject_is_out(eject));
    assert_false(eject_end(eject, *now_ns + time_ns - 1));
    *now_ns += time_ns;
    assert_true(eject_end(eject, *now_ns));
    assert_false(eject_end(eject, *now_ns));
    assert_false(eject_is_out(eject));
    *now_ns += good_ns;
    assert_int_equal(eject_count(eject, &usual, 1, 0, *now_ns, &sums), EJECT_NOT);
    return time_ns;
}

static void test_times(void **state)
{
    (void)state;
    static const struct {
        uint64_t time_s,
            good_s; /* the ejection, doubled up to its bound; the good time behind it */
    } steps[] = {
        {10, 1},  {20, 1},    {40, 1},    {80, 1},    {160, 1},    {300, 1},
        {300, 1}, {300, 300}, {160, 159}, {300, 600}, {80, 10000}, {10, 0},
    };
    struct eject eject;
    uint64_t now_ns = 77 * S;
    eject_init(&eject);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        assert_int_equal(round_of(&eject, &now_ns, steps[i].good_s * S) / S, steps[i].time_s);
    eject_forget(&eject);
    assert_int_equal(round_of(&eject, &now_ns, 0) / S, 10);
}

/* Few requests, all of which fail, are no good time. */
static void test_slow_failures(void **state)
{
    (void)state;
    struct eject eject;
    struct eject_sums sums;
    uint64_t now_ns = S;
    eject_init(&eject);
    for (uint64_t time_s = 10; time_s < 100; time_s *= 2) {
        for (int i = 0; i < 4; i++) {
            assert_int_equal(eject_count(&eject, &usual, 0, 1, now_ns, &sums), EJECT_NOT);
            now_ns += 9 * S;
        }
        assert_int_equal(eject_count(&eject, &usual, 0, 1, now_ns, &sums), EJECT_ROW);
        assert_int_equal(eject_begin(&eject, &usual, now_ns) / S, time_s);
        now_ns += time_s * S;
        assert_true(eject_end(&eject, now_ns));
    }
    /* But some among many are. */
    for (int i = 0; i < 100; i++) {
        now_ns += S;
        assert_int_equal(eject_count(&eject, &usual, 100, 3, now_ns, &sums), EJECT_NOT);
    }
    assert_int_equal(eject_count(&eject, &usual, 0, 5, now_ns, &sums), EJECT_ROW);
    assert_int_equal(eject_begin(&eject, &usual, now_ns) / S, 80);
}

static void test_refused(void **state)
{
    (void)state;
    struct eject eject;
    struct eject_sums sums;
    eject_init(&eject);
    assert_int_equal(eject_count(&eject, &usual, 0, 5, S, &sums), EJECT_ROW);
    eject_refuse(&eject);
    assert_int_equal(eject_count(&eject, &usual, 0, 4, S, &sums), EJECT_NOT);
    assert_int_equal(eject_count(&eject, &usual, 0, 1, S, &sums), EJECT_ROW);
    assert_int_equal(eject_begin(&eject, &usual, S), 10 * S);
}

/* ---- a pool ---- */

enum { N_MEMBERS = 8, LOOK_MS = 100, REQUESTS = 40 /* a look, over those that are in */ };

struct pool {
    struct eject members[N_MEMBERS];
    uint32_t failing[N_MEMBERS]; /* of 1000 requests */
    uint64_t out_ms[N_MEMBERS];
    uint64_t n_refused;
    uint32_t n_out;
};

static void pool_look(struct pool *pool, struct rng *rng, uint64_t now_ns)
{
    uint64_t share = REQUESTS / (N_MEMBERS - pool->n_out);
    for (int i = 0; i < N_MEMBERS; i++) {
        struct eject *eject = &pool->members[i];
        struct eject_sums sums;
        uint64_t n_bad = 0;
        if (eject_is_out(eject)) {
            pool->out_ms[i] += LOOK_MS;
            pool->n_out -= eject_end(eject, now_ns);
            continue;
        }
        for (uint64_t n = 0; n < share; n++)
            n_bad += rng_below(rng, 1000) < pool->failing[i];
        if (eject_count(eject, &usual, share - n_bad, n_bad, now_ns, &sums) == EJECT_NOT)
            continue;
        if (!eject_may(N_MEMBERS, pool->n_out, 50)) {
            pool->n_refused++;
            eject_refuse(eject);
            continue;
        }
        eject_begin(eject, &usual, now_ns);
        pool->n_out++;
    }
    assert_true(pool->n_out <= N_MEMBERS / 2);
}

static void pool_run(struct pool *pool, uint64_t seed, uint64_t hours_ms)
{
    struct rng rng;
    rng_init(&rng, seed);
    for (uint64_t ms = LOOK_MS; ms <= hours_ms; ms += LOOK_MS)
        pool_look(pool, &rng, ms * MS);
}

static void test_pools(void **state)
{
    (void)state;
    enum { HOUR_MS = 3600 * 1000 };
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct pool one_sick = {.failing = {900, 5, 5, 5, 5, 5, 5, 5}};
        pool_run(&one_sick, seed, HOUR_MS);
        assert_true(one_sick.out_ms[0] > HOUR_MS / 100 * 95);
        for (int i = 1; i < N_MEMBERS; i++)
            assert_int_equal(one_sick.out_ms[i], 0);
        assert_int_equal(one_sick.n_refused, 0);

        struct pool all_sick = {.failing = {900, 900, 900, 900, 900, 900, 900, 900}};
        pool_run(&all_sick, seed, HOUR_MS);
        assert_true(all_sick.n_refused > 0);

        struct pool well = {.failing = {10, 10, 10, 10, 10, 10, 10, 10}};
        pool_run(&well, seed, HOUR_MS);
        for (int i = 0; i < N_MEMBERS; i++)
            assert_int_equal(well.out_ms[i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_ejects),   cmocka_unit_test(test_rules_that_are_off),
        cmocka_unit_test(test_at_most),       cmocka_unit_test(test_times),
        cmocka_unit_test(test_slow_failures), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_pools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
