/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Hashing: how many keys move when a member leaves the file, is down, or changes its weight; where
 * those of a dead one go; and loads under a bound. Each measure is shown to notice a hash that does
 * it wrong.
 */

#include "balance/balance.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MEMBERS_MAX = 64, KEYS = 1000000 };

static char texts[MEMBERS_MAX][16];
static struct slice names[MEMBERS_MAX];
static uint32_t ones[MEMBERS_MAX];
static int16_t before[KEYS], after[KEYS];

struct crowd {
    uint64_t present; /* bits */
    uint64_t loads[MEMBERS_MAX];
};

static bool is_present(void *ctx, uint32_t member)
{
    const struct crowd *crowd = ctx;
    return crowd->present >> member & 1;
}

static uint64_t load_of(void *ctx, uint32_t member)
{
    const struct crowd *crowd = ctx;
    return crowd->loads[member];
}

static int pick(struct balancer *balancer, struct crowd *crowd, uint64_t key)
{
    const struct balance_ask ask = {
        .is_candidate = is_present, .load = load_of, .ctx = crowd, .key = key, .has_key = true};
    return balancer_pick(balancer, &ask);
}

static struct balancer *make(uint32_t n, const uint32_t *weights, const struct slice *its_names,
                             uint64_t seed, uint32_t bound_percent)
{
    const struct balance_options options = {.method = &balance_hash,
                                            .n_members = n,
                                            .weights = weights,
                                            .names = its_names,
                                            .seed = seed,
                                            .bound_percent = bound_percent};
    return balancer_create(&options);
}

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < MEMBERS_MAX; i++) {
        snprintf(texts[i], sizeof(texts[i]), "app%d", i + 1);
        names[i] = slice_from(texts[i]);
        ones[i] = 1;
    }
    return 0;
}

static void pick_all(struct balancer *balancer, struct crowd *crowd, int16_t *ret_members)
{
    for (int k = 0; k < KEYS; k++)
        ret_members[k] = (int16_t)pick(balancer, crowd, hash_mix((uint64_t)k));
}

/* Of a million keys those that moved, in parts of all; the keys of `gone` apart. */
static double moved(int gone, double *ret_of_others)
{
    int n_moved = 0, n_others = 0;
    for (int k = 0; k < KEYS; k++) {
        n_moved += before[k] != after[k];
        n_others += before[k] != after[k] && before[k] != gone;
    }
    *ret_of_others = (double)n_others / KEYS;
    return (double)n_moved / KEYS;
}

/* Another seed, another loop, another node: the same member for each key. */
static void test_everybody_agrees(void **state)
{
    (void)state;
    struct crowd crowd = {.present = UINT64_MAX};
    struct balancer *one = make(10, ones, names, 1, 0), *two = make(10, ones, names, 999, 0);
    for (uint64_t k = 0; k < 100000; k++)
        assert_int_equal(pick(one, &crowd, hash_mix(k)), pick(two, &crowd, hash_mix(k)));
    crowd.present = 0x2a1;
    for (uint64_t k = 0; k < 100000; k++)
        assert_int_equal(pick(one, &crowd, hash_mix(k)), pick(two, &crowd, hash_mix(k)));
    balancer_destroy(&one);
    balancer_destroy(&two);
}

/* Down: its keys move, evenly to the others, and no other key; back again, all is as it was. */
static void test_down_and_back(void **state)
{
    (void)state;
    enum { N = 10, GONE = 3 };
    struct crowd crowd = {.present = UINT64_MAX};
    struct balancer *balancer = make(N, ones, names, 1, 0);
    double of_others;
    pick_all(balancer, &crowd, before);
    crowd.present &= ~(UINT64_C(1) << GONE);
    pick_all(balancer, &crowd, after);
    double share = moved(GONE, &of_others);
    assert_true(share > 0.095 && share < 0.105);
    assert_true(of_others == 0);
    unsigned gained[N] = {0};
    for (int k = 0; k < KEYS; k++)
        gained[after[k]] += before[k] == GONE;
    assert_int_equal(gained[GONE], 0);
    for (int m = 0; m < N; m++)
        if (m != GONE)
            assert_in_range(gained[m], KEYS / 100, KEYS * 11 / 900);
    crowd.present = UINT64_MAX;
    pick_all(balancer, &crowd, after);
    assert_true(moved(GONE, &of_others) == 0);
    balancer_destroy(&balancer);
}

/* Everybody but one is down: it is found, though the table has few slots of it. */
static void test_the_last_one(void **state)
{
    (void)state;
    static const uint32_t weights[] = {256, 256, 1, 256};
    struct crowd crowd = {.present = 4};
    struct balancer *balancer = make(4, weights, names, 1, 0);
    for (uint64_t k = 0; k < 10000; k++)
        assert_int_equal(pick(balancer, &crowd, hash_mix(k)), 2);
    balancer_destroy(&balancer);
}

/* Taken out of the file, or added: close to its share of the keys move, and few others. */
static void test_left_the_file(void **state)
{
    (void)state;
    static const int sizes[] = {3, 10, 50};
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        uint32_t n = (uint32_t)sizes[s], gone = n / 2;
        struct slice fewer[MEMBERS_MAX];
        uint32_t place[MEMBERS_MAX] = {0}; /* of a member of the shorter file in the longer one */
        struct crowd crowd = {.present = UINT64_MAX};
        for (uint32_t i = 0, j = 0; i < n; i++) {
            if (i == gone)
                continue;
            fewer[j] = names[i];
            place[j++] = i;
        }
        struct balancer *longer = make(n, ones, names, 1, 0);
        struct balancer *shorter = make(n - 1, ones, fewer, 1, 0);
        double of_others;
        pick_all(longer, &crowd, before);
        pick_all(shorter, &crowd, after);
        for (int k = 0; k < KEYS; k++)
            after[k] = (int16_t)place[after[k]];
        double share = moved((int)gone, &of_others);
        if (share < 0.9 / n || share > 1.1 / n + 0.02 || of_others > 0.02)
            fail_msg("%u members: %.4f of the keys moved, %.4f of the others", n, share, of_others);
        /* The control: the remainder of a division moves nearly all of them. */
        for (int k = 0; k < KEYS; k++) {
            before[k] = (int16_t)(hash_mix((uint64_t)k) % n);
            after[k] = (int16_t)place[hash_mix((uint64_t)k) % (n - 1)];
        }
        assert_true(moved((int)gone, &of_others) > 0.3 && of_others > 0.02);
        balancer_destroy(&longer);
        balancer_destroy(&shorter);
    }
}

/* A weight that falls from 10 to 5 of 100: about a twentieth moves. */
static void test_weight_changes(void **state)
{
    (void)state;
    uint32_t weights[10];
    struct crowd crowd = {.present = UINT64_MAX};
    for (int i = 0; i < 10; i++)
        weights[i] = 10;
    struct balancer *balancer = make(10, weights, names, 1, 0);
    double of_others;
    pick_all(balancer, &crowd, before);
    balancer_set_weight(balancer, 4, 5);
    pick_all(balancer, &crowd, after);
    double share = moved(4, &of_others);
    if (share < 0.045 || share > 0.09)
        fail_msg("%.4f of the keys moved", share);
    balancer_destroy(&balancer);
}

/* ---- bounds ---- */

/*
 * A thousand requests in flight, the oldest ends when another comes; a third of all ask for one
 * key. Returns the greatest load in percent of the mean share at that moment, rounded down.
 */
static uint64_t worst_load(struct balancer *balancer, uint32_t n, uint32_t *ret_n_moved)
{
    enum { OUTSTANDING = 1000, STEPS = 200000 };
    static int requests[OUTSTANDING];
    struct crowd crowd = {.present = UINT64_MAX}, free = {.present = UINT64_MAX};
    struct rng rng;
    uint64_t worst = 0;
    rng_init(&rng, 11);
    *ret_n_moved = 0;
    for (int i = 0; i < STEPS; i++) {
        if (i >= OUTSTANDING)
            crowd.loads[requests[i % OUTSTANDING]]--;
        uint64_t key = rng_below(&rng, 3) ? rng_next(&rng) : 42;
        int member = pick(balancer, &crowd, key);
        *ret_n_moved += member != pick(balancer, &free, key);
        requests[i % OUTSTANDING] = member;
        crowd.loads[member]++;
        uint64_t total = i < OUTSTANDING ? (uint64_t)i + 1 : OUTSTANDING;
        for (uint32_t m = 0; i > OUTSTANDING && m < n; m++) {
            uint64_t percent = crowd.loads[m] * n * 100 / total;
            worst = percent > worst ? percent : worst;
        }
    }
    return worst;
}

static void test_bound(void **state)
{
    (void)state;
    enum { N = 10 };
    static const uint32_t bounds[] = {110, 125, 150, 200};
    uint32_t n_moved;
    for (size_t b = 0; b < ARRAY_LEN(bounds); b++) {
        struct balancer *balancer = make(N, ones, names, 1, bounds[b]);
        /* A load is whole: of a share of 100 one request is one percent. */
        uint64_t worst = worst_load(balancer, N, &n_moved);
        if (worst > bounds[b] + 1)
            fail_msg("bound %u %%: one member had %ju %%", bounds[b], (uintmax_t)worst);
        assert_true(n_moved > 0);
        balancer_destroy(&balancer);
    }
    struct balancer *balancer = make(N, ones, names, 1, 0); /* the control */
    assert_true(worst_load(balancer, N, &n_moved) > 250);
    balancer_destroy(&balancer);
}

/* What a key overflows to is the same each time. */
static void test_overflow_is_steady(void **state)
{
    (void)state;
    struct crowd crowd = {.present = UINT64_MAX};
    struct balancer *balancer = make(10, ones, names, 1, 125);
    int own = pick(balancer, &crowd, 42);
    for (int m = 0; m < 10; m++)
        crowd.loads[m] = 10;
    crowd.loads[own] = 50;
    int second = pick(balancer, &crowd, 42);
    assert_int_not_equal(second, own);
    for (int i = 0; i < 10; i++)
        assert_int_equal(pick(balancer, &crowd, 42), second);
    crowd.loads[own] = 10;
    assert_int_equal(pick(balancer, &crowd, 42), own);
    balancer_destroy(&balancer);
}

/* After a reload that changes nothing the table goes over, and both still pick alike. */
static void test_inherit(void **state)
{
    (void)state;
    struct crowd crowd = {.present = UINT64_MAX};
    struct balancer *old = make(5, ones, names, 1, 0), *same = make(5, ones, names, 2, 0);
    struct balancer *other = make(6, ones, names, 2, 0);
    int own = pick(old, &crowd, 42);
    balancer_inherit(other, old);
    balancer_inherit(same, old);
    assert_int_equal(pick(same, &crowd, 42), own);
    assert_int_equal(pick(old, &crowd, 42), own);
    balancer_destroy(&old);
    balancer_destroy(&same);
    balancer_destroy(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everybody_agrees),   cmocka_unit_test(test_down_and_back),
        cmocka_unit_test(test_the_last_one),       cmocka_unit_test(test_left_the_file),
        cmocka_unit_test(test_weight_changes),     cmocka_unit_test(test_bound),
        cmocka_unit_test(test_overflow_is_steady), cmocka_unit_test(test_inherit),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
