/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Rates of responses over a clock of its own: what passes, what slips, and that a small table
 * forgets the idlest.
 */

#include "limit/rrl.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct addr ip(const char *text)
{
    struct addr addr;
    struct err err;
    assert_int_equal(addr_parse_ip(slice_from(text), 53, &addr, &err), 0);
    return addr;
}

static uint64_t network(const struct rrl *rrl, const char *text)
{
    struct addr addr = ip(text);
    return rrl_network(rrl, &addr, 24, 56);
}

static void networks_are_prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool is_same;
    } rows[] = {
        {"192.0.2.1", "192.0.2.255", true},
        {"192.0.2.1", "192.0.3.1", false},
        {"2001:db8:0:100::1", "2001:db8:0:1ff::1", true},
        {"2001:db8:0:100::1", "2001:db8:0:200::1", false},
        {"::ffff:192.0.2.1", "192.0.2.77", true},
    };
    struct rrl *rrl = rrl_create(1024, 7);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(network(rrl, rows[i].a) == network(rrl, rows[i].b), rows[i].is_same);
    rrl_destroy(&rrl);
}

static void keys_tell_kinds_and_names_apart(void **state)
{
    (void)state;
    struct rrl *rrl = rrl_create(1024, 7);
    uint64_t net = network(rrl, "192.0.2.1");
    assert_true(rrl_key(rrl, net, 1, SLICE("a")) == rrl_key(rrl, net, 1, SLICE("a")));
    assert_true(rrl_key(rrl, net, 1, SLICE("a")) != rrl_key(rrl, net, 2, SLICE("a")));
    assert_true(rrl_key(rrl, net, 1, SLICE("a")) != rrl_key(rrl, net, 1, SLICE("b")));
    assert_true(rrl_key(rrl, net, 1, SLICE("a")) !=
                rrl_key(rrl, network(rrl, "192.0.3.1"), 1, SLICE("a")));
    rrl_destroy(&rrl);
}

/* n responses at now_ms; how many passed and slipped. */
static void ask(struct rrl *rrl, const struct rrl_rate *rate, uint32_t slip, uint64_t now_ms,
                unsigned n, unsigned *ret_passed, unsigned *ret_slipped)
{
    *ret_passed = *ret_slipped = 0;
    for (unsigned i = 0; i < n; i++) {
        enum rrl_verdict verdict = rrl_take(rrl, 0x1234567800000001, rate, slip, now_ms);
        *ret_passed += verdict == RRL_PASS;
        *ret_slipped += verdict == RRL_SLIP;
    }
}

static void what_passes(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct rrl_rate rate;
        uint32_t slip;
        uint64_t later_ms;
        unsigned n_first, n_slip_first, n_later;
    } rows[] = {
        {"a full bucket, filled again", {10, 1000}, 0, 1000, 10, 0, 10},
        {"half of it", {10, 1000}, 0, 500, 10, 0, 5},
        {"no more than full", {10, 1000}, 0, 600000, 10, 0, 10},
        {"every other slips", {10, 1000}, 2, 100, 10, 45, 1},
        {"each slips", {10, 1000}, 1, 100, 10, 90, 1},
        {"a slow rate", {1, 60000}, 0, 59000, 1, 0, 0},
        {"a slow rate, after a minute", {1, 60000}, 0, 60000, 1, 0, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rrl *rrl = rrl_create(1024, 7);
        unsigned n_passed, n_slipped;
        uint64_t start_ms = UINT32_MAX - 100; /* the low bits wrap in between */
        ask(rrl, &rows[i].rate, rows[i].slip, start_ms, 100, &n_passed, &n_slipped);
        assert_int_equal(n_passed, rows[i].n_first);
        assert_int_equal(n_slipped, rows[i].n_slip_first);
        ask(rrl, &rows[i].rate, rows[i].slip, start_ms + rows[i].later_ms, 100, &n_passed,
            &n_slipped);
        assert_int_equal(n_passed, rows[i].n_later);
        rrl_destroy(&rrl);
    }
}

/* Asked each millisecond for a minute, a rate is kept to a few in a hundred. */
static void a_steady_flood(void **state)
{
    (void)state;
    static const struct rrl_rate rates[] = {{200, 1000}, {7, 1000}, {3, 60000}};
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        struct rrl *rrl = rrl_create(1024, 7);
        unsigned n = 0;
        for (uint64_t ms = 1; ms <= 60000; ms++)
            n += rrl_take(rrl, 99, &rates[i], 0, ms) == RRL_PASS;
        unsigned due = rates[i].count * (60000 / rates[i].per_ms) + rates[i].count;
        assert_in_range(n, due - due / 20 - 1, due);
        rrl_destroy(&rrl);
    }
}

static void the_idlest_gives_way(void **state)
{
    (void)state;
    static const struct rrl_rate rate = {1, 1000000};
    struct rrl *rrl = rrl_create(1, 7);
    /* Five keys of one set, the first one asked again before the last comes. */
    for (uint64_t k = 1; k <= 4; k++)
        assert_int_equal(rrl_take(rrl, k << 33, &rate, 0, k), RRL_PASS);
    assert_int_equal(rrl_take(rrl, 1ull << 33, &rate, 0, 2000), RRL_DROP);
    assert_int_equal(rrl_take(rrl, 5ull << 33, &rate, 0, 2001), RRL_PASS);
    assert_int_equal(rrl_take(rrl, 1ull << 33, &rate, 0, 2002), RRL_DROP); /* still known */
    assert_int_equal(rrl_take(rrl, 2ull << 33, &rate, 0, 2003), RRL_PASS); /* was forgotten */
    rrl_destroy(&rrl);
}

static void shares_of_loops(void **state)
{
    (void)state;
    assert_int_equal(rrl_share(200, 1000, 4).count, 50);
    assert_int_equal(rrl_share(1, 1000, 4).count, 1);
    assert_int_equal(rrl_share(1000000000, 1000, 1).count, 4000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_are_prefixes), cmocka_unit_test(keys_tell_kinds_and_names_apart),
        cmocka_unit_test(what_passes),           cmocka_unit_test(a_steady_flood),
        cmocka_unit_test(the_idlest_gives_way),  cmocka_unit_test(shares_of_loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
