/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The machine of a member's checks: tables of results, its times, and a long random life held
 * against a model that counts by itself.
 */

#include "health/machine.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

static const struct machine_rules rules_2s = {.every_ns = 2 * S, .fall = 3, .rise = 2};

/* One check at its time: begins when it is due, takes 5 ms. */
static struct machine_step check(struct machine *machine, enum machine_verdict verdict,
                                 uint64_t *now_ns, struct rng *rng)
{
    if (machine->due_ns > *now_ns)
        *now_ns = machine->due_ns;
    machine_begin(machine, *now_ns);
    *now_ns += 5 * MS;
    return machine_result(machine, verdict, *now_ns, rng);
}

static enum machine_verdict verdict_of(char c)
{
    return c == '+' ? MACHINE_GOOD : c == '-' ? MACHINE_BAD : MACHINE_NOTHING;
}

static char letter_of(enum machine_state state)
{
    return state == MACHINE_UP ? 'U' : state == MACHINE_DOWN ? 'd' : '?';
}

/* Results (+ good, - bad, . nothing), and the state behind each of them. */
static void test_results(void **state)
{
    (void)state;
    static const struct {
        uint32_t fall, rise;
        const char *results, *states;
    } rows[] = {
        {3, 2, "+", "U"},
        {3, 2, "-", "d"},
        {3, 2, ".+", "?U"},
        {3, 2, "..-", "??d"},
        {3, 2, "+---", "UUUd"},
        {3, 2, "+--+---", "UUUUUUd"},
        {3, 2, "+--.-", "UUUUd"},
        {3, 2, "-++", "ddU"},
        {3, 2, "-+-++", "ddddU"},
        {3, 2, "-+.+", "dddU"},
        {1, 1, "+-+-", "UdUd"},
        {2, 5, "+--+++++", "UUdddddU"},
        {3, 2, "+---++---", "UUUddUUUd"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rng rng;
        rng_init(&rng, i);
        struct machine machine;
        struct machine_rules rules = {.every_ns = S, .fall = rows[i].fall, .rise = rows[i].rise};
        uint64_t now_ns = 7 * S;
        char states[32] = "";
        machine_init(&machine, &rules, now_ns);
        for (size_t k = 0; rows[i].results[k]; k++) {
            check(&machine, verdict_of(rows[i].results[k]), &now_ns, &rng);
            states[k] = letter_of(machine.state);
        }
        assert_string_equal(states, rows[i].states);
    }
}

static void test_step_says_what_decided(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1);
    struct machine machine;
    uint64_t now_ns = S;
    machine_init(&machine, &rules_2s, now_ns);
    struct machine_step step = check(&machine, MACHINE_GOOD, &now_ns, &rng);
    assert_true(step.has_changed);
    assert_int_equal(step.from, MACHINE_UNKNOWN);
    assert_int_equal(step.to, MACHINE_UP);
    assert_int_equal(step.n_results, 1);
    assert_false(check(&machine, MACHINE_BAD, &now_ns, &rng).has_changed);
    assert_int_equal(machine.n_row, 1);
    assert_false(check(&machine, MACHINE_BAD, &now_ns, &rng).has_changed);
    step = check(&machine, MACHINE_BAD, &now_ns, &rng);
    assert_true(step.has_changed);
    assert_int_equal(step.from, MACHINE_UP);
    assert_int_equal(step.to, MACHINE_DOWN);
    assert_int_equal(step.n_results, 3);
    assert_int_equal(machine.n_row, 0);
}

static void test_times(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 2);
    struct machine machine;
    uint64_t now_ns = S;
    machine_init(&machine, &rules_2s, now_ns);
    assert_int_equal(machine.due_ns, S); /* at once */
    check(&machine, MACHINE_GOOD, &now_ns, &rng);
    assert_in_range(machine.due_ns, now_ns, S + 2 * S); /* its own phase */
    uint64_t sum_ns = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t begun_ns = machine.due_ns;
        check(&machine, MACHINE_GOOD, &now_ns, &rng);
        uint64_t period_ns = machine.due_ns - begun_ns;
        assert_in_range(period_ns, 1800 * MS, 2200 * MS);
        sum_ns += period_ns;
    }
    assert_in_range(sum_ns / 1000, 1980 * MS, 2020 * MS);

    /* A check that takes longer than every is followed at once. */
    machine_begin(&machine, machine.due_ns);
    now_ns = machine.begun_ns + 3 * S;
    machine_result(&machine, MACHINE_BAD, now_ns, &rng);
    assert_int_equal(machine.due_ns, now_ns);
}

/* Members that start together are spread over `every` after one check. */
static void test_spread(void **state)
{
    (void)state;
    enum { N = 256, SLOTS = 20 };
    struct rng rng;
    rng_init(&rng, 3);
    unsigned slots[SLOTS] = {0};
    for (int i = 0; i < N; i++) {
        struct machine machine;
        uint64_t now_ns = S;
        machine_init(&machine, &rules_2s, now_ns);
        check(&machine, MACHINE_GOOD, &now_ns, &rng);
        slots[(machine.due_ns - S) * SLOTS / (2 * S + 6 * MS)]++;
    }
    for (int i = 0; i < SLOTS; i++)
        assert_in_range(slots[i], 2, 30); /* 12.8 on average */
}

static void test_adopt(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 4);
    struct machine machine;
    uint64_t now_ns = 10 * S;
    machine_adopt(&machine, &rules_2s, MACHINE_UP, now_ns, &rng);
    assert_in_range(machine.due_ns, now_ns, now_ns + 2 * S);
    check(&machine, MACHINE_BAD, &now_ns, &rng);
    check(&machine, MACHINE_BAD, &now_ns, &rng);
    assert_int_equal(machine.state, MACHINE_UP);
    check(&machine, MACHINE_BAD, &now_ns, &rng);
    assert_int_equal(machine.state, MACHINE_DOWN);

    machine_adopt(&machine, &rules_2s, MACHINE_DOWN, now_ns, &rng);
    check(&machine, MACHINE_GOOD, &now_ns, &rng);
    assert_int_equal(machine.state, MACHINE_DOWN);
    check(&machine, MACHINE_GOOD, &now_ns, &rng);
    assert_int_equal(machine.state, MACHINE_UP);
}

static void test_suspect_falls_soon(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 5);
    struct machine machine;
    uint64_t now_ns = S;
    machine_init(&machine, &rules_2s, now_ns);
    for (int i = 0; i < 5; i++)
        check(&machine, MACHINE_GOOD, &now_ns, &rng);
    uint64_t nudged_ns = machine.due_ns - 1500 * MS; /* the last check is 300 ms to 700 ms old */
    now_ns = nudged_ns;
    assert_true(machine_nudge(&machine, now_ns));
    assert_int_equal(machine.due_ns, nudged_ns);
    assert_false(machine_nudge(&machine, now_ns)); /* it is as early already */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(machine.state, MACHINE_UP);
        check(&machine, MACHINE_BAD, &now_ns, &rng);
    }
    assert_int_equal(machine.state, MACHINE_DOWN);
    assert_int_equal(now_ns, nudged_ns + 2 * 200 * MS + 5 * MS);
    assert_false(machine.is_suspect);
    assert_true(machine.due_ns >= machine.begun_ns + 1800 * MS);
    assert_false(machine_nudge(&machine, now_ns)); /* it is down */
}

/* The edges complain all the time and the checks are good: it stays up, for a bounded price. */
static void test_suspect_that_is_well(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 6);
    struct machine machine;
    machine_init(&machine, &rules_2s, S);
    unsigned n_checks = 0;
    for (uint64_t now_ns = S; now_ns < 11 * S; now_ns += MS) {
        if (machine.is_running) {
            if (now_ns >= machine.begun_ns + 3 * MS)
                machine_result(&machine, MACHINE_GOOD, now_ns, &rng);
        } else if (machine.due_ns <= now_ns) {
            machine_begin(&machine, now_ns);
            n_checks++;
        }
        machine_nudge(&machine, now_ns);
        assert_true(machine.state == MACHINE_UP || now_ns < S + 4 * MS);
    }
    assert_in_range(n_checks, 40, 52);
}

static void test_suspect_ns(void **state)
{
    (void)state;
    static const struct {
        uint64_t every_ms, suspect_ms;
    } rows[] = {{50, 50}, {100, 100}, {500, 100}, {2000, 200}, {60000, 6000}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct machine machine;
        struct machine_rules rules = {.every_ns = rows[i].every_ms * MS, .fall = 1, .rise = 1};
        machine_init(&machine, &rules, 0);
        assert_int_equal(machine_suspect_ns(&machine), rows[i].suspect_ms * MS);
    }
}

/* What is still to come, at the pace that it comes. */
static void test_turn(void **state)
{
    (void)state;
    struct rng rng;
    struct machine machine;
    const struct machine_rules three = {.every_ns = 2000 * MS, .fall = 3, .rise = 2};
    static const struct {
        enum machine_verdict verdict;
        uint64_t turn_ms;
    } steps[] = {{MACHINE_GOOD, 6000}, {MACHINE_BAD, 4000},  {MACHINE_NOTHING, 4000},
                 {MACHINE_BAD, 2000},  {MACHINE_GOOD, 6000}, {MACHINE_BAD, 4000},
                 {MACHINE_BAD, 2000},  {MACHINE_BAD, 4000},  {MACHINE_GOOD, 2000},
                 {MACHINE_GOOD, 6000}};
    rng_init(&rng, 1);
    machine_init(&machine, &three, 0);
    assert_int_equal(machine_turn_ns(&machine), 0);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        machine_begin(&machine, machine.due_ns);
        (void)machine_result(&machine, steps[i].verdict, machine.due_ns, &rng);
        assert_int_equal(machine_turn_ns(&machine), steps[i].turn_ms * MS);
    }
    (void)machine_nudge(&machine, machine.due_ns);
    assert_int_equal(machine_turn_ns(&machine), 3 * 200 * MS);
}

static void test_renew_and_cancel(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 7);
    struct machine machine;
    uint64_t now_ns = S;
    machine_init(&machine, &rules_2s, now_ns);
    check(&machine, MACHINE_GOOD, &now_ns, &rng);
    machine_begin(&machine, now_ns);
    machine_cancel(&machine, now_ns);
    machine_renew(&machine, now_ns);
    assert_int_equal(machine.state, MACHINE_UP);
    assert_int_equal(machine.due_ns, now_ns);
    struct machine_step step = check(&machine, MACHINE_BAD, &now_ns, &rng);
    assert_true(step.has_changed);
    assert_int_equal(machine.state, MACHINE_DOWN);
    machine_renew(&machine, now_ns);
    check(&machine, MACHINE_GOOD, &now_ns, &rng);
    assert_int_equal(machine.state, MACHINE_UP);
}

static void test_new_rules(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 8);
    struct machine machine;
    uint64_t now_ns = S;
    struct machine_rules slow = {.every_ns = 3600 * S, .fall = 5, .rise = 1};
    machine_init(&machine, &slow, now_ns);
    check(&machine, MACHINE_GOOD, &now_ns, &rng);
    check(&machine, MACHINE_BAD, &now_ns, &rng);
    check(&machine, MACHINE_BAD, &now_ns, &rng);
    machine_set_rules(&machine, &rules_2s, now_ns);
    assert_int_equal(machine.state, MACHINE_UP);
    assert_true(machine.due_ns <= now_ns + 2 * S);
    check(&machine, MACHINE_BAD, &now_ns, &rng); /* the third in a row */
    assert_int_equal(machine.state, MACHINE_DOWN);
}

/* ---- a random life ---- */

/* What a reader of the header would count by hand. */
struct model {
    enum machine_state state;
    bool is_fresh;
    uint32_t n_row;
};

static void model_result(struct model *model, const struct machine_rules *rules,
                         enum machine_verdict verdict)
{
    if (verdict == MACHINE_NOTHING)
        return;
    enum machine_state says = verdict == MACHINE_GOOD ? MACHINE_UP : MACHINE_DOWN;
    if (model->is_fresh)
        model->state = says;
    model->n_row = says == model->state ? 0 : model->n_row + 1;
    if (model->n_row >= (model->state == MACHINE_UP ? rules->fall : rules->rise)) {
        model->state = says;
        model->n_row = 0;
    }
    model->is_fresh = false;
}

static struct machine_rules random_rules(struct rng *rng)
{
    return (struct machine_rules){
        .every_ns = (50 + rng_below(rng, 5000)) * MS,
        .fall = 1 + (uint32_t)rng_below(rng, 5),
        .rise = 1 + (uint32_t)rng_below(rng, 5),
    };
}

struct life {
    struct machine machine;
    struct model model;
    struct rng rng;
    uint64_t now_ns;
    unsigned badness; /* of 10 results */
};

static void life_begin(struct life *life)
{
    struct machine *machine = &life->machine;
    if (machine->due_ns > life->now_ns)
        life->now_ns = machine->due_ns;
    machine_begin(machine, life->now_ns);
}

static void life_result(struct life *life)
{
    struct machine *machine = &life->machine;
    uint64_t roll = rng_below(&life->rng, 10);
    enum machine_verdict verdict = roll < life->badness ? MACHINE_BAD : MACHINE_GOOD;
    if (rng_below(&life->rng, 20) == 0)
        verdict = MACHINE_NOTHING;
    life->now_ns += rng_below(&life->rng, 1500) * MS;
    enum machine_state before = machine->state;
    struct machine_step step = machine_result(machine, verdict, life->now_ns, &life->rng);
    model_result(&life->model, &machine->rules, verdict);
    assert_int_equal(machine->state, life->model.state);
    assert_int_equal(step.has_changed, before != machine->state);
    assert_int_equal(step.from, before);
    assert_int_equal(step.to, machine->state);
    assert_true(machine->due_ns >= life->now_ns);
    uint64_t latest_ns = machine->begun_ns + machine->rules.every_ns * 11 / 10 + 1;
    assert_true(machine->due_ns <= (latest_ns > life->now_ns ? latest_ns : life->now_ns));
}

static void life_disturb(struct life *life)
{
    struct machine *machine = &life->machine;
    switch (rng_below(&life->rng, 12)) {
    case 0:
        if (machine->is_running)
            machine_cancel(machine, life->now_ns);
        machine_renew(machine, life->now_ns);
        life->model.is_fresh = true;
        life->model.n_row = 0;
        break;
    case 1: {
        struct machine_rules rules = random_rules(&life->rng);
        machine_set_rules(machine, &rules, life->now_ns);
        break;
    }
    case 2:
        life->badness = (unsigned)rng_below(&life->rng, 11);
        break;
    default:
        life->now_ns += rng_below(&life->rng, 50) * MS;
        uint64_t due_ns = machine->due_ns;
        bool is_earlier = machine_nudge(machine, life->now_ns);
        assert_int_equal(is_earlier, machine->due_ns < due_ns);
        assert_true(machine->state == MACHINE_UP || !machine->is_suspect);
        break;
    }
}

static void test_random_life(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct life life = {.model = {.state = MACHINE_UNKNOWN, .is_fresh = true}, .now_ns = S};
        rng_init(&life.rng, seed);
        struct machine_rules rules = random_rules(&life.rng);
        machine_init(&life.machine, &rules, life.now_ns);
        for (int step = 0; step < 10000; step++) {
            if (rng_below(&life.rng, 4) == 0)
                life_disturb(&life);
            else if (life.machine.is_running)
                life_result(&life);
            else
                life_begin(&life);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_step_says_what_decided),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_adopt),
        cmocka_unit_test(test_suspect_falls_soon),
        cmocka_unit_test(test_suspect_that_is_well),
        cmocka_unit_test(test_suspect_ns),
        cmocka_unit_test(test_turn),
        cmocka_unit_test(test_renew_and_cancel),
        cmocka_unit_test(test_new_rules),
        cmocka_unit_test(test_random_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
