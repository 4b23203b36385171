/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Shares by weight, and that only the keys move that have to, over many keys. A chi-square bound
 * says what is even enough; a score that forgets most of the key shows that the bound can fail.
 */

#include "session/rendezvous.h"

#include "base/hash.h"
#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { N_KEYS = 200000, N_MEMBERS = 8 };

static const uint32_t weights[N_MEMBERS] = {1, 1, 2, 3, 5, 8, 13, 100};
static const double weight_sum = 133;

typedef double score_fn(uint64_t key, uint64_t member_hash, uint32_t weight);

/* Not of `out`, a set of members. */
static uint32_t owner(score_fn *score, uint64_t key, unsigned out)
{
    uint32_t best = N_MEMBERS;
    double best_score = -1;
    for (uint32_t i = 0; i < N_MEMBERS; i++) {
        double own = score(key, hash_mix(1000 + i), weights[i]);
        if (!(out & 1u << i) && own > best_score) {
            best = i;
            best_score = own;
        }
    }
    return best;
}

/* Of the shares against the weights, with N_MEMBERS - 1 degrees of freedom. */
static double chi_square(score_fn *score)
{
    uint32_t counts[N_MEMBERS] = {0};
    double sum = 0;
    for (uint64_t key = 0; key < N_KEYS; key++)
        counts[owner(score, hash_mix(key), 0)]++;
    for (uint32_t i = 0; i < N_MEMBERS; i++) {
        double expected = N_KEYS * weights[i] / weight_sum;
        double off = counts[i] - expected;
        sum += off * off / expected;
    }
    return sum;
}

/* Forgets all but one byte of the key: 256 keys, however many there are. */
static double broken_score(uint64_t key, uint64_t member_hash, uint32_t weight)
{
    return rendezvous_score(key & 0xff, member_hash, weight);
}

static void test_shares(void **state)
{
    (void)state;
    assert_true(chi_square(rendezvous_score) < 29.9); /* p = 0.0001 */
    assert_true(chi_square(broken_score) > 29.9);
}

/* A member out: its keys go to others, and no other key moves; back in: all is as it was. */
static void test_moves(void **state)
{
    (void)state;
    for (uint32_t gone = 0; gone < N_MEMBERS; gone++) {
        uint32_t n_moved_to[N_MEMBERS] = {0};
        uint32_t n_own = 0;
        for (uint64_t key = 0; key < N_KEYS / 10; key++) {
            uint32_t before = owner(rendezvous_score, hash_mix(key), 0);
            uint32_t after = owner(rendezvous_score, hash_mix(key), 1u << gone);
            if (before != gone) {
                assert_int_equal(after, before);
                continue;
            }
            assert_int_not_equal(after, gone);
            n_own++;
            n_moved_to[after]++;
        }
        /* The heaviest of those that are left takes most. */
        uint32_t heavy = gone == N_MEMBERS - 1 ? N_MEMBERS - 2 : N_MEMBERS - 1;
        for (uint32_t i = 0; i < N_MEMBERS; i++)
            assert_true(i == heavy || n_moved_to[i] < n_moved_to[heavy]);
        assert_in_range(n_own, 1, N_KEYS / 10);
    }
}

static void test_bounds(void **state)
{
    (void)state;
    for (uint64_t key = 0; key < 100000; key++) {
        double score = rendezvous_score(key, hash_mix(key + 7), 256);
        assert_true(score > 0 && score < 256 * 0x1p54);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
