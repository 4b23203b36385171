/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The budget: its floor, its share, how both come back as the window moves on, and a seeded run
 * beside a window that is counted the slow way.
 */

#include "limit/budget.h"

#include "base/mem.h"
#include "base/rng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static unsigned take_all(struct limit_budget *budget, uint64_t now_ns)
{
    unsigned n = 0;
    while (limit_budget_take(budget, now_ns))
        n++;
    return n;
}

static void note_many(struct limit_budget *budget, uint64_t now_ns, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        limit_budget_note(budget, now_ns);
}

/* What is allowed at once. */
struct row {
    uint32_t percent, floor, n_loops;
    unsigned n_requests, want;
};

static const struct row rows[] = {
    {20, 10, 1, 0, 100},     {20, 10, 1, 499, 100},   {20, 10, 1, 500, 100}, {20, 10, 1, 510, 102},
    {20, 10, 1, 5000, 1000}, {20, 10, 2, 0, 50},      {20, 10, 3, 0, 34},    {20, 10, 64, 0, 2},
    {20, 1, 64, 0, 1},       {20, 0, 1, 4, 0},        {20, 0, 1, 5, 1},      {0, 10, 1, 5000, 100},
    {0, 0, 4, 5000, 0},      {100, 0, 1, 5000, 5000},
};

static void test_allowed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct limit_budget budget;
        limit_budget_init(&budget, rows[i].percent, rows[i].floor, rows[i].n_loops);
        note_many(&budget, 7 * SECOND, rows[i].n_requests);
        assert_int_equal(take_all(&budget, 7 * SECOND), rows[i].want);
        assert_false(limit_budget_take(&budget, 16 * SECOND + SECOND - 1));
    }
}

/* What was taken ten seconds ago counts no more; neither do the requests of that time. */
static void test_window(void **state)
{
    (void)state;
    struct limit_budget budget;
    limit_budget_init(&budget, 20, 10, 1);
    note_many(&budget, 100 * SECOND, 1000);
    assert_int_equal(take_all(&budget, 100 * SECOND), 200);
    note_many(&budget, 105 * SECOND, 1000);
    assert_int_equal(take_all(&budget, 105 * SECOND), 200);
    assert_int_equal(take_all(&budget, 109 * SECOND), 0);
    assert_int_equal(take_all(&budget, 110 * SECOND), 0); /* 1000 left, and 200 taken of them */
    assert_int_equal(take_all(&budget, 115 * SECOND), 100);
    assert_int_equal(take_all(&budget, 124 * SECOND), 0);
    assert_int_equal(take_all(&budget, 1000000 * SECOND), 100); /* a long sleep */
}

/* Beside a log of everything that happened. */
static void test_model(void **state)
{
    (void)state;
    enum { EVENTS = 20000 };
    static struct {
        uint64_t second;
        bool is_retry;
    } log[EVENTS];
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct rng rng;
        struct limit_budget budget;
        unsigned n_refused = 0;
        uint64_t now_ns = 0;
        size_t n = 0;
        rng_init(&rng, seed);
        limit_budget_init(&budget, 20, 3, 2);
        while (n < EVENTS) {
            uint64_t pause = rng_below(&rng, 1000) == 0 ? 12 * SECOND : SECOND / 50;
            now_ns += rng_below(&rng, pause);
            bool is_retry = rng_below(&rng, 3) == 0;
            unsigned n_requests = 0, n_retries = 0;
            for (size_t i = n; i-- > 0 && log[i].second + 10 > now_ns / SECOND;)
                *(log[i].is_retry ? &n_retries : &n_requests) += 1;
            bool may = n_retries < 15 || n_retries < n_requests / 5;
            if (!is_retry)
                limit_budget_note(&budget, now_ns);
            else if (limit_budget_take(&budget, now_ns) != may)
                fail_msg("seed %ju, event %zu: should be %s", (uintmax_t)seed, n,
                         may ? "allowed" : "refused");
            if (is_retry && !may) {
                n_refused++;
                continue;
            }
            log[n].second = now_ns / SECOND;
            log[n++].is_retry = is_retry;
        }
        assert_true(n_refused > 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allowed),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
