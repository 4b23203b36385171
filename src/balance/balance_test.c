/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Round-robin: exact sequences, what the seed and a change of weights do. Every method that goes by
 * weights: a million picks over uneven ones while members leave and return, held against the
 * chi-square distribution. The same test is shown to fail for pickers that are wrong on purpose.
 */

#include "balance/balance.h"

#include "base/mem.h"
#include "base/rng.h"
#include "config.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#ifdef WEIR_IS_SANITIZED
enum { N_PICKS = 400000 };
#else
enum { N_PICKS = 1000000 };
#endif
enum { MEMBERS_MAX = 16 };

static bool is_in_set(void *ctx, uint32_t member)
{
    const uint32_t *set = ctx;
    return *set >> member & 1;
}

static uint64_t load_of_none(void *ctx, uint32_t member)
{
    (void)ctx;
    (void)member;
    return 0;
}

static int pick_of(struct balancer *balancer, uint32_t set)
{
    const struct balance_ask ask = {.is_candidate = is_in_set, .load = load_of_none, .ctx = &set};
    return balancer_pick(balancer, &ask);
}

static const struct slice names[MEMBERS_MAX] = {
    SLICE_INIT("app1"), SLICE_INIT("app2"),  SLICE_INIT("app3"),  SLICE_INIT("app4"),
    SLICE_INIT("app5"), SLICE_INIT("app6"),  SLICE_INIT("app7"),  SLICE_INIT("app8"),
    SLICE_INIT("app9"), SLICE_INIT("app10"), SLICE_INIT("app11"), SLICE_INIT("app12"),
    SLICE_INIT("b1"),   SLICE_INIT("b2"),    SLICE_INIT("b3"),    SLICE_INIT("b4"),
};

static struct balancer *make(const struct balance_method *method, const uint32_t *weights,
                             uint32_t n, uint64_t seed)
{
    const struct balance_options options = {
        .method = method, .n_members = n, .weights = weights, .names = names, .seed = seed};
    return balancer_create(&options);
}

static struct balancer *make_robin(const uint32_t *weights, uint32_t n, uint64_t seed)
{
    return make(&balance_round_robin, weights, n, seed);
}

static uint32_t all_of(uint32_t n)
{
    return (1u << n) - 1;
}

/* Everybody leaves and returns: nobody has credit, whatever the seed gave. */
static void settle(struct balancer *balancer, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(pick_of(balancer, 1u << i), i);
}

/* ---- sequences ---- */

struct sequence {
    const char *picks; /* one cycle, a for the first member */
    uint32_t n;
    uint32_t weights[4];
};

static const struct sequence sequences[] = {
    {"a", 1, {1}},         {"a", 1, {256}},
    {"abc", 3, {1, 1, 1}}, {"bab", 2, {1, 2}},
    {"aba", 2, {2, 1}},    {"aabacaa", 3, {5, 1, 1}},
    {"aba", 2, {4, 2}},    {"abacba", 3, {3, 2, 1}},
    {"aba", 3, {2, 1, 0}}, {"abcd", 4, {7, 7, 7, 7}},
};

static void test_sequences(void **state)
{
    (void)state;
    for (size_t s = 0; s < ARRAY_LEN(sequences); s++) {
        const struct sequence *row = &sequences[s];
        struct balancer *balancer = make_robin(row->weights, row->n, s);
        uint32_t heavy = 0; /* a member of weight 0 is never a candidate */
        for (uint32_t i = 0; i < row->n; i++)
            heavy += row->weights[i] > 0;
        settle(balancer, heavy);
        char picks[64] = "";
        size_t len = strlen(row->picks);
        for (size_t i = 0; i < 3 * len; i++)
            picks[i] = (char)('a' + pick_of(balancer, all_of(row->n)));
        for (size_t cycle = 0; cycle < 3; cycle++)
            assert_memory_equal(picks + cycle * len, row->picks, len);
        balancer_destroy(&balancer);
        assert_null(balancer);
    }
}

static void test_nobody(void **state)
{
    (void)state;
    const uint32_t weights[] = {2, 1};
    struct balancer *balancer = make_robin(weights, 2, 1);
    assert_int_equal(pick_of(balancer, 0), BALANCE_NOBODY);
    balancer_set_weight(balancer, 0, 0);
    assert_int_equal(pick_of(balancer, 1), BALANCE_NOBODY);
    for (int i = 0; i < 10; i++)
        assert_int_equal(pick_of(balancer, 3), 1);
    balancer_set_weight(balancer, 0, 2);
    assert_int_equal(pick_of(balancer, 1), 0);
    balancer_destroy(&balancer);

    balancer = make_robin(NULL, 0, 1); /* a pool without members */
    assert_int_equal(pick_of(balancer, 0), BALANCE_NOBODY);
    balancer_destroy(&balancer);
}

/* A pick that finds nobody changes nothing: who asks again with a wider set gets an even spread. */
static void test_wider_second_look(void **state)
{
    (void)state;
    const uint32_t weights[] = {1, 1, 1};
    struct balancer *balancer = make_robin(weights, 3, 7);
    unsigned counts[3] = {0};
    for (int i = 0; i < 300; i++) {
        assert_int_equal(pick_of(balancer, 0), BALANCE_NOBODY);
        counts[pick_of(balancer, all_of(3))]++;
    }
    for (int i = 0; i < 3; i++)
        assert_in_range(counts[i], 99, 101);
    balancer_destroy(&balancer);
}

static void test_seeds(void **state)
{
    (void)state;
    const uint32_t weights[] = {5, 3, 1, 1};
    const uint32_t total = 10, n_cycles = 50;
    uint32_t first = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct balancer *balancer = make_robin(weights, 4, seed);
        uint32_t counts[4] = {0};
        for (uint32_t i = 0; i < total * n_cycles; i++) {
            int member = pick_of(balancer, all_of(4));
            first |= i == 0 ? 1u << member : 0;
            counts[member]++;
        }
        for (uint32_t m = 0; m < 4;
             m++) /* wherever it began, it cannot be off by more than one pick */
            assert_in_range(counts[m], weights[m] * n_cycles - 1, weights[m] * n_cycles + 1);
        balancer_destroy(&balancer);
    }
    assert_true((first & 3) == 3); /* loops do not all begin with the same member */
}

static void test_change_of_weight(void **state)
{
    (void)state;
    const uint32_t weights[] = {1, 1};
    struct balancer *balancer = make_robin(weights, 2, 3);
    unsigned counts[2] = {0};
    balancer_set_weight(balancer, 1, 9);
    for (int i = 0; i < 1000; i++)
        counts[pick_of(balancer, 3)]++;
    assert_in_range(counts[1], 899, 901);
    balancer_destroy(&balancer);
}

/* ---- a million picks ---- */

struct field {
    uint32_t n;
    uint32_t weights[MEMBERS_MAX];
    uint32_t period; /* picks between two changes of who is there, on average */
};

/* Of chi-square at 1 - 0.001, by degrees of freedom. */
static const double chi_bounds[MEMBERS_MAX] = {0,     10.83, 13.82, 16.27, 18.47, 20.52,
                                               22.46, 24.32, 26.12, 27.88, 29.59, 31.26,
                                               32.91, 34.53, 36.12, 37.70};

typedef int picker(void *ctx, struct rng *rng, const struct field *field, uint32_t set);

/* How far the picks are from what the weights of those that were there ask for. */
static double chi_square(const struct field *field, picker *pick, void *ctx, uint64_t seed)
{
    double expected[MEMBERS_MAX] = {0};
    uint64_t counts[MEMBERS_MAX] = {0};
    struct rng rng;
    rng_init(&rng, seed);
    uint32_t set = all_of(field->n);
    for (int i = 0; i < N_PICKS; i++) {
        if (rng_below(&rng, field->period) == 0)
            set ^= 1u << rng_below(&rng, field->n);
        if (set == 0)
            set = all_of(field->n);
        double total = 0;
        for (uint32_t m = 0; m < field->n; m++)
            total += set >> m & 1 ? field->weights[m] : 0;
        for (uint32_t m = 0; m < field->n; m++)
            expected[m] += set >> m & 1 ? field->weights[m] / total : 0;
        counts[pick(ctx, &rng, field, set)]++;
    }
    double sum = 0;
    for (uint32_t m = 0; m < field->n; m++) {
        double off = (double)counts[m] - expected[m];
        sum += off * off / expected[m];
    }
    return sum;
}

static int pick_balancer(void *ctx, struct rng *rng, const struct field *field, uint32_t set)
{
    (void)rng;
    (void)field;
    int member = pick_of(ctx, set);
    assert_true(member >= 0 && (set >> member & 1));
    return member;
}

/* Right but for one request in fifty, which goes to the first that is there. */
static int pick_lazy(void *ctx, struct rng *rng, const struct field *field, uint32_t set)
{
    int member = pick_balancer(ctx, rng, field, set);
    return rng_below(rng, 50) == 0 ? __builtin_ctz(set) : member;
}

/* Takes turns without a look at the weights. */
static int pick_in_turn(void *ctx, struct rng *rng, const struct field *field, uint32_t set)
{
    (void)rng;
    uint32_t *last = ctx;
    do
        *last = (*last + 1) % field->n;
    while (!(set >> *last & 1));
    return (int)*last;
}

/* What a method may ask for, beside who is there: a key, or a clock and answers. */
struct asked {
    struct balancer *balancer;
    uint64_t now_ns;
    bool has_keys;
    uint32_t is_wrong; /* one request in so many goes to the first that is there; 0: none */
};

static int pick_asked(void *ctx, struct rng *rng, const struct field *field, uint32_t set)
{
    struct asked *asked = ctx;
    (void)field;
    const struct balance_ask ask = {.is_candidate = is_in_set,
                                    .load = load_of_none,
                                    .ctx = &set,
                                    .now_ns = asked->now_ns += 1000,
                                    .key = rng_next(rng),
                                    .has_key = asked->has_keys};
    int member = balancer_pick(asked->balancer, &ask);
    assert_true(member >= 0 && (set >> member & 1));
    balancer_observe(asked->balancer, (uint32_t)member, 1000000, asked->now_ns);
    if (asked->is_wrong && rng_below(rng, asked->is_wrong) == 0)
        return __builtin_ctz(set);
    return member;
}

static const struct field fields[] = {
    {.n = 3, .weights = {1, 1, 1}, .period = 1000},
    {.n = 3, .weights = {5, 1, 1}, .period = 1000},
    {.n = 8, .weights = {1, 2, 3, 5, 8, 13, 21, 34}, .period = 1000},
    {.n = 5, .weights = {256, 1, 100, 17, 3}, .period = 3000},
    {.n = 16, .weights = {1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8}, .period = 500},
};

static void test_million(void **state)
{
    (void)state;
    for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
        const struct field *field = &fields[f];
        struct balancer *balancer = make_robin(field->weights, field->n, f);
        double sum = chi_square(field, pick_balancer, balancer, 1000 + f);
        balancer_destroy(&balancer);
        if (sum > chi_bounds[field->n - 1])
            fail_msg("field %zu: chi-square %.1f above %.1f", f, sum, chi_bounds[field->n - 1]);
    }
}

struct kind {
    const char *name;
    const struct balance_method *method;
    bool has_keys;
};

static const struct kind kinds[] = {
    {"random", &balance_random, false},           {"least-load", &balance_least_load, false},
    {"latency", &balance_latency, false},         {"hash", &balance_hash, true},
    {"hash without a key", &balance_hash, false},
};

/* With nothing in flight and answers that are all alike, the weights alone rule. */
static void test_million_of_each(void **state)
{
    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
            const struct field *field = &fields[f];
            uint64_t seed = 5000 + 100 * k + f;
            struct asked asked = {.has_keys = kinds[k].has_keys, .now_ns = 1};
            asked.balancer = make(kinds[k].method, field->weights, field->n, seed);
            double sum = chi_square(field, pick_asked, &asked, seed);
            if (sum > chi_bounds[field->n - 1])
                fail_msg("%s, field %zu, seed %ju: chi-square %.1f above %.1f", kinds[k].name, f,
                         (uintmax_t)seed, sum, chi_bounds[field->n - 1]);
            asked.is_wrong = 50;
            if (f == 2)
                assert_true(chi_square(field, pick_asked, &asked, seed) > chi_bounds[field->n - 1]);
            balancer_destroy(&asked.balancer);
        }
    }
}

static void test_first(void **state)
{
    (void)state;
    const uint32_t weights[] = {0, 1, 256, 1};
    struct balancer *balancer = make(&balance_first, weights, 4, 1);
    assert_int_equal(pick_of(balancer, all_of(4)), 1);
    assert_int_equal(pick_of(balancer, 0xd), 2);
    assert_int_equal(pick_of(balancer, 0x8), 3);
    assert_int_equal(pick_of(balancer, 0x1), BALANCE_NOBODY);
    balancer_set_weight(balancer, 0, 1);
    assert_int_equal(pick_of(balancer, all_of(4)), 0);
    balancer_destroy(&balancer);
}

/* What holds for every method: weight 0 is never picked, nor is who may not be taken. */
static void test_nobody_of_each(void **state)
{
    (void)state;
    const uint32_t weights[] = {3, 0, 1};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        struct asked asked = {.has_keys = kinds[k].has_keys, .now_ns = 1};
        asked.balancer = make(kinds[k].method, weights, 3, 1);
        struct rng rng;
        rng_init(&rng, k);
        for (int i = 0; i < 1000; i++)
            assert_int_not_equal(pick_asked(&asked, &rng, NULL, all_of(3)), 1);
        assert_int_equal(pick_of(asked.balancer, 0), BALANCE_NOBODY);
        assert_int_equal(pick_of(asked.balancer, 2), BALANCE_NOBODY);
        balancer_set_weight(asked.balancer, 0, 0);
        balancer_set_weight(asked.balancer, 2, 0);
        assert_int_equal(pick_of(asked.balancer, all_of(3)), BALANCE_NOBODY);
        balancer_set_weight(asked.balancer, 1, 7);
        assert_int_equal(pick_of(asked.balancer, all_of(3)), 1);
        balancer_destroy(&asked.balancer);
        asked.balancer = make(kinds[k].method, weights, 0, 1);
        assert_int_equal(pick_of(asked.balancer, 0), BALANCE_NOBODY);
        balancer_destroy(&asked.balancer);
    }
}

/* The measure above does tell a wrong picker from a right one. */
static void test_control(void **state)
{
    (void)state;
    for (size_t f = 1; f < ARRAY_LEN(fields); f++) {
        const struct field *field = &fields[f];
        struct balancer *balancer = make_robin(field->weights, field->n, f);
        uint32_t last = 0;
        assert_true(chi_square(field, pick_lazy, balancer, 1000 + f) > chi_bounds[field->n - 1]);
        assert_true(chi_square(field, pick_in_turn, &last, 1000 + f) > chi_bounds[field->n - 1]);
        balancer_destroy(&balancer);
    }
    struct field wrong = fields[2]; /* one weight in eight misread by one */
    wrong.weights[4]++;
    struct balancer *balancer = make_robin(wrong.weights, wrong.n, 1);
    assert_true(chi_square(&fields[2], pick_balancer, balancer, 1) > chi_bounds[7]);
    balancer_destroy(&balancer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_wider_second_look),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_change_of_weight),
        cmocka_unit_test(test_million),
        cmocka_unit_test(test_control),
        cmocka_unit_test(test_million_of_each),
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_nobody_of_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
