/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a round of beats tells, from a board that is a table.
 */

#include "peer/outbox.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S 1000000000ull

/* The board: facts by the slot of their reference. */
static struct fact facts[OUTBOX_FACTS_MAX + 1];

static bool read_fact(void *ctx, const char *name, struct fact_ref ref, struct fact *ret)
{
    (void)ctx;
    *ret = facts[ref.slot];
    return ret->state != FACT_NONE && strcmp(ret->name, name) == 0;
}

static void put(struct outbox *outbox, uint16_t slot, const char *name, enum fact_state state,
                const char *reason)
{
    facts[slot] = (struct fact){.state = state, .since_ns = 5 * S, .value = slot};
    slice_copy(slice_from(name), facts[slot].name, sizeof(facts[slot].name));
    slice_copy(slice_from(reason), facts[slot].reason, sizeof(facts[slot].reason));
    outbox_note(outbox, name, (struct fact_ref){.slot = slot, .is_set = true});
}

static struct outbox box;
static struct outbox_round told;

static int setup(void **state)
{
    (void)state;
    outbox_init(&box, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    outbox_deinit(&box);
    return 0;
}

static void next_round(size_t room)
{
    outbox_next(&box, room, 12 * S, read_fact, NULL, &told);
}

/* "a b c": the names of the last round. */
static void assert_told(const char *names)
{
    char text[4096] = "";
    for (size_t i = 0; i < told.n_facts; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%.*s", i ? " " : "",
                 SLICE_ARG(told.facts[i].name));
    assert_string_equal(text, names);
}

static void test_wants(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum outbox_want want;
    } rows[] = {
        {"vip:web", OUTBOX_NOW},
        {"listen:shop", OUTBOX_LATER},
        {"pool:web", OUTBOX_LATER},
        {"drain:node/a", OUTBOX_LATER},
        {"drain:member/p/m", OUTBOX_NO},
        {"member:web/x", OUTBOX_NO},
        {"at:b/vip:web", OUTBOX_NO},
        {"peer:b", OUTBOX_NO},
        {"vip", OUTBOX_NO},
        {"", OUTBOX_NO},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (outbox_wants(rows[i].name) != rows[i].want)
            fail_msg("row %zu", i);
}

static void test_what_is_told(void **state)
{
    (void)state;
    put(&box, 0, "pool:web", FACT_DEGRADED, "1/2 up");
    put(&box, 1, "vip:x", FACT_ACTIVE, "");
    next_round(1000);
    assert_told("vip:x pool:web");
    assert_int_equal(told.facts[1].state, FACT_DEGRADED);
    assert_int_equal(told.facts[1].age_s, 7);
    assert_true(told.facts[0].value == 1 && slice_is(told.facts[1].reason, "1/2 up"));
    facts[0].since_ns = 13 * S; /* the clock was set back */
    next_round(1000);
    assert_int_equal(told.facts[1].age_s, 0);
}

/* With room for all, each round is a turn. */
static void test_turns_of_one_round(void **state)
{
    (void)state;
    put(&box, 0, "pool:a", FACT_UP, "");
    put(&box, 1, "pool:b", FACT_UP, "");
    for (uint8_t i = 0; i < 5; i++) {
        next_round(1000);
        assert_int_equal(told.turn, i);
        assert_int_equal(told.n_facts, 2);
    }
}

/* Each fact comes at least once in each turn, whatever the room is and whoever is removed. */
static void test_turns_of_many(void **state)
{
    (void)state;
    enum { N = 40, ROOM = 100 };
    int n_seen[N] = {0}, turn = 0, n_turns = 0;
    for (uint16_t i = 0; i < (uint16_t)N; i++) {
        char name[32];
        snprintf(name, sizeof(name), "%s:%02u", i % 10 ? "pool" : "vip", i);
        put(&box, i, name, FACT_UP, "");
    }
    for (int i = 0; i < 10000 && n_turns < 20; i++) {
        next_round(ROOM);
        if (told.turn != turn) {
            for (int k = 0; k < N; k++) {
                if (n_seen[k] == 0)
                    fail_msg("fact %d was not told in turn %d", k, turn);
                n_seen[k] = 0;
            }
            turn = told.turn;
            n_turns++;
        }
        assert_in_range(told.n_facts, 1, ROOM / BEAT_FACT_BYTES);
        for (size_t k = 0; k < told.n_facts; k++)
            n_seen[(int)told.facts[k].value]++;
    }
    assert_int_equal(n_turns, 20);
}

/* What has changed does not wait for its turn, in three rounds. */
static void test_urgent(void **state)
{
    (void)state;
    enum { N = 30, ROOM = 80 };
    for (uint16_t i = 0; i < (uint16_t)N; i++) {
        char name[32];
        snprintf(name, sizeof(name), "pool:%02u", i);
        put(&box, i, name, FACT_UP, "");
    }
    for (int i = 0; i < 100; i++)
        next_round(ROOM);
    put(&box, 17, "pool:17", FACT_DOWN, "");
    int n_told = 0;
    for (int i = 0; i < OUTBOX_URGENT_ROUNDS; i++) {
        next_round(ROOM);
        n_told += slice_is(told.facts[0].name, "pool:17") && told.facts[0].state == FACT_DOWN;
    }
    assert_int_equal(n_told, OUTBOX_URGENT_ROUNDS);
    next_round(ROOM);
    assert_false(slice_is(told.facts[0].name, "pool:17"));
}

/* However many vips there are, others have a quarter. */
static void test_vips_leave_room(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof(name), "vip:%02u", i);
        put(&box, i, name, FACT_BACKUP, "lower");
    }
    put(&box, 40, "pool:web", FACT_UP, "");
    next_round(400);
    assert_true(slice_is(told.facts[told.n_facts - 1].name, "pool:web"));
    assert_in_range(told.n_facts, 10, 20);
}

static void test_gone(void **state)
{
    (void)state;
    put(&box, 0, "pool:a", FACT_UP, "");
    put(&box, 1, "pool:b", FACT_UP, "");
    put(&box, 2, "vip:c", FACT_UP, "");
    facts[0].state = FACT_NONE; /* the board has dropped it, and the change is not seen yet */
    next_round(1000);
    assert_told("vip:c pool:b");
    outbox_forget(&box, "vip:c");
    outbox_forget(&box, "vip:c");
    outbox_forget(&box, "pool:never");
    next_round(1000);
    assert_told("pool:b");
    outbox_clear(&box);
    next_round(1000);
    assert_told("");
    assert_int_equal(outbox_n_facts(&box), 0);
}

static void test_limit(void **state)
{
    (void)state;
    for (uint16_t i = 0; i <= (uint16_t)OUTBOX_FACTS_MAX; i++) {
        char name[32];
        snprintf(name, sizeof(name), "pool:%u", i);
        put(&box, i, name, FACT_UP, "");
    }
    assert_int_equal(outbox_n_facts(&box), OUTBOX_FACTS_MAX);
    assert_int_equal(box.n_refused, 1);
    outbox_forget(&box, "pool:7");
    put(&box, OUTBOX_FACTS_MAX, "pool:512", FACT_UP, "");
    assert_int_equal(outbox_n_facts(&box), OUTBOX_FACTS_MAX);
}

/* All that a round tells fits into a beat. */
static void test_room(void **state)
{
    (void)state;
    static const struct beat head = {
        .life = 1, .number = 1, .period_ms = 100, .name = SLICE_INIT("edge-a")};
    struct beat_writer writer;
    for (uint16_t i = 0; i < 200; i++) {
        char name[32];
        snprintf(name, sizeof(name), "%s:%u", i % 5 ? "pool" : "vip", i);
        put(&box, i, name, FACT_UP, &"a reason that is longer or shorter"[i % 34]);
    }
    for (int i = 0; i < 200; i++) {
        next_round(outbox_room(head.name));
        beat_begin(&writer, &head);
        for (size_t k = 0; k < told.n_facts; k++)
            assert_true(beat_add_fact(&writer, &told.facts[k]));
        assert_in_range(writer.len + BEAT_MAC_BYTES, 1100, BEAT_BYTES_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wants),
        cmocka_unit_test_setup_teardown(test_what_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_turns_of_one_round, setup, teardown),
        cmocka_unit_test_setup_teardown(test_turns_of_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_urgent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vips_leave_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_room, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
