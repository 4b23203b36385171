/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Methods that look at how members do: least-load in a closed house of requests that end at random,
 * latency beside members that answer at different speeds, and what is remembered of them. Each
 * beside methods that do not look, which the same measure tells apart.
 */

#include "balance/balance.h"

#include "base/mem.h"
#include "base/rng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS     UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

enum { MEMBERS = 4, OUTSTANDING = 400 };

static const struct slice names[MEMBERS] = {SLICE_INIT("a"), SLICE_INIT("b"), SLICE_INIT("c"),
                                            SLICE_INIT("d")};

struct house {
    struct balancer *balancer;
    const uint32_t *weights;
    uint64_t loads[MEMBERS];
    uint32_t requests[OUTSTANDING]; /* the member of each that is in flight */
    uint32_t n_requests;
    uint64_t now_ns;
};

static bool is_any(void *ctx, uint32_t member)
{
    (void)ctx;
    (void)member;
    return true;
}

static uint64_t load_of(void *ctx, uint32_t member)
{
    const struct house *house = ctx;
    return house->loads[member];
}

static int pick(struct house *house)
{
    const struct balance_ask ask = {
        .is_candidate = is_any, .load = load_of, .ctx = house, .now_ns = house->now_ns};
    return balancer_pick(house->balancer, &ask);
}

static void house_init(struct house *house, const struct balance_method *method,
                       const uint32_t *weights, uint64_t seed)
{
    memset(house, 0, sizeof(*house));
    house->weights = weights;
    house->now_ns = SECOND;
    const struct balance_options options = {
        .method = method, .n_members = MEMBERS, .weights = weights, .names = names, .seed = seed};
    house->balancer = balancer_create(&options);
}

/* ---- least-load ---- */

/* One more request; when the house is full one that is in flight, any of them, ends before it. */
static void house_step(struct house *house, struct rng *rng, bool is_worse_of_two)
{
    if (house->n_requests == OUTSTANDING) {
        uint64_t who = rng_below(rng, OUTSTANDING);
        house->loads[house->requests[who]]--;
        house->requests[who] = house->requests[--house->n_requests];
    }
    int member = pick(house);
    if (is_worse_of_two) { /* the mistake to be noticed: more load instead of less */
        int other = pick(house);
        member = house->loads[other] > house->loads[member] ? other : member;
    }
    house->loads[member]++;
    house->requests[house->n_requests++] = (uint32_t)member;
}

/* The mean over many steps of how far the fullest member is above its share, as a factor. */
static double overload(struct house *house, uint64_t seed, bool is_worse_of_two)
{
    enum { STEPS = 1000000, WARM_UP = 20000 };
    struct rng rng;
    double sum = 0;
    uint32_t total = 0;
    rng_init(&rng, seed);
    for (int m = 0; m < MEMBERS; m++)
        total += house->weights[m];
    for (int i = 0; i < STEPS; i++) {
        double worst = 0;
        house_step(house, &rng, is_worse_of_two);
        for (int m = 0; m < MEMBERS; m++) {
            double share = (double)OUTSTANDING * house->weights[m] / total;
            double factor = (double)house->loads[m] / share;
            worst = factor > worst ? factor : worst;
        }
        sum += i < WARM_UP ? 0 : worst;
    }
    return sum / (STEPS - WARM_UP);
}

static void test_least_load(void **state)
{
    (void)state;
    static const uint32_t weights[][MEMBERS] = {{1, 1, 1, 1}, {4, 3, 2, 1}, {10, 1, 1, 5}};
    for (size_t w = 0; w < ARRAY_LEN(weights); w++) {
        uint64_t seed = 40 + w;
        struct house house;
        house_init(&house, &balance_least_load, weights[w], seed);
        double even = overload(&house, seed, false);
        balancer_destroy(&house.balancer);
        house_init(&house, &balance_random, weights[w], seed);
        double blind = overload(&house, seed, false);
        balancer_destroy(&house.balancer);
        house_init(&house, &balance_random, weights[w], seed);
        double wrong = overload(&house, seed, true);
        balancer_destroy(&house.balancer);
        if (even > 1.05 || blind < 1.09 || wrong < 1.2)
            fail_msg("seed %ju: least-load %.3f, random %.3f, the worse of two %.3f",
                     (uintmax_t)seed, even, blind, wrong);
    }
}

/* A member that hangs takes requests until it has more than the others, and then none. */
static void test_hanging_member(void **state)
{
    (void)state;
    static const uint32_t weights[MEMBERS] = {1, 1, 1, 1};
    struct house house;
    house_init(&house, &balance_least_load, weights, 9);
    house.loads[2] = 50;
    unsigned counts[MEMBERS] = {0};
    for (int i = 0; i < 100000; i++)
        counts[pick(&house)]++;
    assert_int_equal(counts[2], 0);
    balancer_destroy(&house.balancer);
}

/* ---- latency ---- */

/*
 * A million picks, each answered before the next but one in ten, by members that take so long.
 * Fills the shares in percent.
 */
static void shares(const struct balance_method *method, const uint64_t latency_ns[MEMBERS],
                   uint64_t seed, double ret_shares[MEMBERS])
{
    static const uint32_t weights[MEMBERS] = {1, 1, 1, 1};
    enum { PICKS = 1000000 };
    struct house house;
    struct rng rng;
    uint64_t counts[MEMBERS] = {0};
    house_init(&house, method, weights, seed);
    rng_init(&rng, seed);
    for (int i = 0; i < PICKS; i++) {
        uint32_t member = (uint32_t)pick(&house);
        counts[member]++;
        house.now_ns += 100000;
        uint64_t jitter_ns = rng_below(&rng, latency_ns[member] / 10 + 1);
        balancer_observe(house.balancer, member, latency_ns[member] + jitter_ns, house.now_ns);
    }
    for (int m = 0; m < MEMBERS; m++)
        ret_shares[m] = 100.0 * (double)counts[m] / PICKS;
    balancer_destroy(&house.balancer);
}

static void test_latency_prefers_the_fast(void **state)
{
    (void)state;
    static const uint64_t latencies[MEMBERS] = {MS, 2 * MS, 20 * MS, 20 * MS};
    double fast[MEMBERS], blind[MEMBERS];
    shares(&balance_latency, latencies, 77, fast);
    shares(&balance_random, latencies, 77, blind);
    /* Of two draws without return, the fastest is there in half, the next in a third of the rest */
    if (fast[0] < 45 || fast[1] < 28 || fast[2] + fast[3] > 22 || fast[2] + fast[3] < 5)
        fail_msg("seed 77: %.1f %.1f %.1f %.1f %%", fast[0], fast[1], fast[2], fast[3]);
    assert_true(blind[0] < 27 && blind[2] + blind[3] > 45); /* the measure tells who looks */
}

static unsigned n_picks_of(struct house *house, int member, int n)
{
    unsigned count = 0;
    for (int i = 0; i < n; i++)
        count += pick(house) == member;
    return count;
}

/* A peak counts at once; what was slow is forgiven by and by, and by answers only slowly. */
static void test_latency_peak(void **state)
{
    (void)state;
    static const uint32_t weights[MEMBERS] = {1, 1, 0, 0};
    struct house house;
    house_init(&house, &balance_latency, weights, 3);
    for (uint32_t m = 0; m < 2; m++)
        balancer_observe(house.balancer, m, MS, house.now_ns);
    assert_in_range(n_picks_of(&house, 0, 1000), 400, 600);
    balancer_observe(house.balancer, 0, 50 * MS, house.now_ns);
    assert_int_equal(n_picks_of(&house, 0, 1000), 0);
    balancer_observe(house.balancer, 0, MS, house.now_ns += 10 * MS); /* one good answer */
    assert_int_equal(n_picks_of(&house, 0, 1000), 0);
    for (int i = 0; i < 30; i++) { /* the other goes on answering */
        house.now_ns += SECOND;
        balancer_observe(house.balancer, 1, MS, house.now_ns);
    }
    assert_int_equal(n_picks_of(&house, 0, 1000), 0); /* 50 ms / e^3 = 2.5 ms */
    for (int i = 0; i < 15; i++) {
        house.now_ns += SECOND;
        balancer_observe(house.balancer, 1, MS, house.now_ns);
    }
    assert_int_equal(n_picks_of(&house, 0, 1000), 1000); /* below 1 ms: tried again */
    balancer_destroy(&house.balancer);
}

/* Nothing is known of one: it gets a request at once, and no second before the first has ended. */
static void test_latency_of_the_unknown(void **state)
{
    (void)state;
    static const uint32_t weights[MEMBERS] = {1, 1, 1, 1};
    struct house house;
    house_init(&house, &balance_latency, weights, 3);
    for (uint32_t m = 0; m < 3; m++)
        balancer_observe(house.balancer, m, 5 * MS, house.now_ns);
    unsigned n = n_picks_of(&house, 3, 1000);
    assert_in_range(n, 400, 600); /* whenever it is drawn */
    house.loads[3] = 1;
    assert_int_equal(n_picks_of(&house, 3, 1000), 0);
    balancer_destroy(&house.balancer);
}

/* In flight counts as well: twice as fast, but three times as busy. */
static void test_latency_times_load(void **state)
{
    (void)state;
    static const uint32_t weights[MEMBERS] = {1, 1, 0, 0};
    struct house house;
    house_init(&house, &balance_latency, weights, 3);
    balancer_observe(house.balancer, 0, 5 * MS, house.now_ns);
    balancer_observe(house.balancer, 1, 10 * MS, house.now_ns);
    assert_int_equal(n_picks_of(&house, 0, 100), 100);
    house.loads[0] = 9;
    house.loads[1] = 3;
    assert_int_equal(n_picks_of(&house, 0, 100), 0);
    balancer_destroy(&house.balancer);
}

/* After a reload that puts them in another order. */
static void test_latency_inherits(void **state)
{
    (void)state;
    static const uint32_t weights[] = {1, 1};
    static const struct slice before[] = {SLICE_INIT("a"), SLICE_INIT("b")};
    static const struct slice after[] = {SLICE_INIT("b"), SLICE_INIT("a")};
    struct house house;
    memset(&house, 0, sizeof(house));
    house.now_ns = SECOND;
    struct balance_options options = {
        .method = &balance_latency, .n_members = 2, .weights = weights, .names = before};
    struct balancer *old = balancer_create(&options);
    balancer_observe(old, 0, 50 * MS, house.now_ns);
    balancer_observe(old, 1, MS, house.now_ns);
    options.names = after;
    house.balancer = balancer_create(&options);
    balancer_inherit(house.balancer, old);
    balancer_destroy(&old);
    assert_int_equal(n_picks_of(&house, 0, 100), 100);
    balancer_destroy(&house.balancer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_least_load),
        cmocka_unit_test(test_hanging_member),
        cmocka_unit_test(test_latency_prefers_the_fast),
        cmocka_unit_test(test_latency_peak),
        cmocka_unit_test(test_latency_of_the_unknown),
        cmocka_unit_test(test_latency_times_load),
        cmocka_unit_test(test_latency_inherits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
