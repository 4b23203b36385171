/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rules by which a request is sent once more, as a table: every event with every request.
 */

#include "http/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* A GET that a member may have seen, with two tries left. */
static const struct retry_case get = {
    .event = RETRY_BROKEN,
    .is_repeatable = true,
    .is_kept = true,
    .is_whole = true,
    .has_client = true,
    .n_tries = 1,
    .max_tries = 3,
    .n_reached = 1,
};

struct row {
    const char *name;
    enum retry_event event;
    char request; /* G: GET; P: POST; k: POST with a key; b: PUT whose body has gone by in part;
                     s: PUT of which the kept part is not all; -: nothing is kept */
    enum retry_verb verb;
    enum retry_refusal refusal;
    bool is_charged;
};

static const struct row rows[] = {
    {"a GET that reached nobody", RETRY_NOT_REACHED, 'G', RETRY_ELSEWHERE, 0, false},
    {"a POST that reached nobody", RETRY_NOT_REACHED, 'P', RETRY_ELSEWHERE, 0, false},
    {"a part that reached nobody", RETRY_NOT_REACHED, 's', RETRY_ELSEWHERE, 0, false},
    {"what is not kept, and reached nobody", RETRY_NOT_REACHED, '-', RETRY_FAIL, RETRY_UNBUFFERED,
     false},
    {"a GET on a dead kept connection", RETRY_IDLE_DIED, 'G', RETRY_FRESH, 0, true},
    {"a POST on a dead kept connection", RETRY_IDLE_DIED, 'P', RETRY_FAIL, RETRY_UNSAFE, false},
    {"a keyed POST on a dead kept connection", RETRY_IDLE_DIED, 'k', RETRY_FRESH, 0, true},
    {"a part on a dead kept connection", RETRY_IDLE_DIED, 's', RETRY_FAIL, RETRY_UNBUFFERED, false},
    {"a GET that was reset", RETRY_BROKEN, 'G', RETRY_ELSEWHERE, 0, true},
    {"a POST that was reset", RETRY_BROKEN, 'P', RETRY_FAIL, RETRY_UNSAFE, false},
    {"a keyed POST that was reset", RETRY_BROKEN, 'k', RETRY_ELSEWHERE, 0, true},
    {"a part that was reset", RETRY_BROKEN, 's', RETRY_FAIL, RETRY_UNBUFFERED, false},
    {"a body that has gone by", RETRY_BROKEN, '-', RETRY_FAIL, RETRY_UNBUFFERED, false},
    {"a late GET", RETRY_LATE, 'G', RETRY_ELSEWHERE, 0, true},
    {"a late POST", RETRY_LATE, 'P', RETRY_FAIL, RETRY_UNSAFE, false},
    {"a GET whose member turned down", RETRY_DOWN, 'G', RETRY_ELSEWHERE, 0, true},
    {"a POST whose member turned down", RETRY_DOWN, 'P', RETRY_FAIL, RETRY_UNSAFE, false},
    {"a GET that got nonsense", RETRY_NONSENSE, 'G', RETRY_FAIL, RETRY_ANSWERED, false},
};

static struct retry_case case_of(const struct row *row)
{
    struct retry_case what = get;
    what.event = row->event;
    what.is_repeatable = row->request != 'P';
    what.is_kept = row->request != '-';
    what.is_whole = row->request != '-' && row->request != 's';
    return what;
}

static void check_row(const struct row *row, struct retry_step step)
{
    bool is_right = step.verb == row->verb && step.is_charged == row->is_charged &&
                    (step.verb != RETRY_FAIL || step.refusal == row->refusal);
    if (!is_right)
        fprintf(stderr, "%s: verb %d, refusal %d, charged %d\n", row->name, step.verb, step.refusal,
                step.is_charged);
    assert_true(is_right);
}

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct retry_case what = case_of(&rows[i]);
        check_row(&rows[i], retry_decide(&what));
    }
}

/* What forbids it whatever happened, and whatever else would allow it. */
static void test_never(void **state)
{
    (void)state;
    for (int event = RETRY_NOT_REACHED; event <= RETRY_NONSENSE; event++) {
        struct retry_case answered = get, last = get, alone = get;
        answered.event = last.event = alone.event = (enum retry_event)event;
        answered.is_answered = true;
        last.n_tries = last.max_tries;
        alone.has_client = false;
        bool is_nonsense = event == RETRY_NONSENSE;
        assert_int_equal(retry_decide(&answered).verb, RETRY_FAIL);
        assert_int_equal(retry_decide(&answered).refusal, RETRY_ANSWERED);
        if (event == RETRY_DOWN) {
            assert_int_equal(retry_decide(&last).verb, RETRY_ELSEWHERE);
        } else {
            assert_int_equal(retry_decide(&last).verb, RETRY_FAIL);
            assert_int_equal(retry_decide(&last).refusal,
                             is_nonsense ? RETRY_ANSWERED : RETRY_TRIES);
        }
        assert_int_equal(retry_decide(&alone).verb, RETRY_FAIL);
        assert_int_equal(retry_decide(&alone).refusal,
                         is_nonsense ? RETRY_ANSWERED : RETRY_NO_CLIENT);
    }
}

/* All that a request can be: whoever is repeated after a byte of it has left is repeatable, whole
 * and unanswered. */
static void test_whole_space(void **state)
{
    (void)state;
    int n_repeated = 0;
    for (unsigned bits = 0; bits < 1u << 5; bits++) {
        for (int event = RETRY_NOT_REACHED; event <= RETRY_NONSENSE; event++) {
            struct retry_case what = get;
            what.event = (enum retry_event)event;
            what.is_repeatable = bits & 1;
            what.is_kept = bits & 2;
            what.is_whole = bits & 4;
            what.is_answered = bits & 8;
            what.has_client = bits & 16;
            struct retry_step step = retry_decide(&what);
            if (step.verb == RETRY_FAIL)
                continue;
            n_repeated++;
            assert_true(!what.is_answered && what.has_client && what.is_kept);
            if (event != RETRY_NOT_REACHED)
                assert_true(what.is_repeatable && what.is_whole && step.is_charged);
        }
    }
    /* NOT_REACHED by the 4 that are kept, have a client and are not answered; four other events by
     * one each. */
    assert_int_equal(n_repeated, 8);
}

static void test_pauses(void **state)
{
    (void)state;
    struct retry_case what = get;
    what.max_tries = 10;
    assert_int_equal(retry_decide(&what).n_pauses, 0);
    for (uint32_t n = 2; n < 6; n++) {
        what.n_tries = what.n_reached = n;
        assert_int_equal(retry_decide(&what).n_pauses, n - 1);
    }
    what.event = RETRY_NOT_REACHED;
    assert_int_equal(retry_decide(&what).n_pauses, 0);
    what.event = RETRY_DOWN;
    assert_int_equal(retry_decide(&what).n_pauses, 0);
    assert_int_equal(retry_pause_ms(0, 25, 7), 0);
    assert_int_equal(retry_pause_ms(3, 0, 7), 0);
    for (uint32_t draw = 0; draw < 1000; draw++) {
        uint32_t first = retry_pause_ms(1, 25, draw), third = retry_pause_ms(3, 25, draw);
        assert_true(first >= 13 && first <= 25);
        assert_true(third >= 50 && third <= 100);
        assert_true(retry_pause_ms(UINT32_MAX, UINT32_MAX, draw) <= RETRY_PAUSE_MAX_MS);
    }
    assert_int_equal(retry_pause_ms(1, 25, 12) - retry_pause_ms(1, 25, 0), 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_never),
        cmocka_unit_test(test_whole_space),
        cmocka_unit_test(test_pauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
