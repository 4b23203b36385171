/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What another node has told: a board that is a string. And lines that are written now and then.
 */

#include "peer/inbox.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct inbox box;
static char heard[4096]; /* what was called, in order */

static void on_state(void *ctx, const struct beat_fact *fact, bool is_news)
{
    (void)ctx;
    size_t len = strlen(heard);
    snprintf(heard + len, sizeof(heard) - len, "%s%.*s=%u%s", len ? " " : "", SLICE_ARG(fact->name),
             fact->state, is_news ? "!" : "");
}

static void on_remove(void *ctx, const char *name)
{
    (void)ctx;
    size_t len = strlen(heard);
    snprintf(heard + len, sizeof(heard) - len, "%s-%s", len ? " " : "", name);
}

static const struct inbox_calls calls = {.state = on_state, .remove = on_remove};

static int setup(void **state)
{
    (void)state;
    inbox_init(&box, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    inbox_deinit(&box);
    return 0;
}

static struct beat_fact fact_of(const char *name, uint8_t state, double value)
{
    return (struct beat_fact){.state = state, .value = value, .name = slice_from(name)};
}

static void take(uint8_t turn, const struct beat_fact *facts, size_t n, const char *expect)
{
    struct beat_writer writer;
    struct beat head = {.life = 1, .number = 1, .period_ms = 100, .turn = turn, .name = SLICE("b")};
    beat_begin(&writer, &head);
    for (size_t i = 0; i < n; i++)
        assert_true(beat_add_fact(&writer, &facts[i]));
    size_t start = BEAT_HEAD_BYTES + 2;
    head.facts = slice_make((const char *)writer.bytes + start, writer.len - start);
    heard[0] = 0;
    inbox_take(&box, &head, &calls);
    assert_string_equal(heard, expect);
}

#define TAKE(turn, expect, ...)                          \
    do {                                                 \
        const struct beat_fact facts_[] = {__VA_ARGS__}; \
        take((turn), facts_, ARRAY_LEN(facts_), expect); \
    } while (0)

static void test_news(void **state)
{
    (void)state;
    TAKE(0, "vip:x=10! pool:web=2!", fact_of("vip:x", FACT_ACTIVE, 0), fact_of("pool:web", 2, 3));
    TAKE(0, "vip:x=10 pool:web=2", fact_of("vip:x", FACT_ACTIVE, 0), fact_of("pool:web", 2, 4));
    TAKE(1, "vip:x=10!", fact_of("vip:x", FACT_ACTIVE, 5)); /* it lacks more: others act on that */
    TAKE(1, "vip:x=11!", fact_of("vip:x", FACT_BACKUP, 5));
    /* States of a newer build, and one that no fact has. */
    TAKE(2, "pool:web=1! vip:x=1!", fact_of("pool:web", FACT_N_STATES, 0),
         fact_of("vip:x", FACT_NONE, 5));
}

/* Names are looked at although they are signed. */
static void test_names(void **state)
{
    (void)state;
    char longest[FACT_NAME_MAX];
    snprintf(longest, sizeof(longest), "drain:node/%065d", 0);
    TAKE(0, "", fact_of("member:web/a", 2, 0), fact_of("at:c/vip:x", 10, 0), fact_of("", 2, 0),
         fact_of("vip:a b", 10, 0), fact_of("vip:a\x1b[1m", 10, 0), fact_of("pool:\xff", 2, 0));
    assert_int_equal(box.n_refused, 6);
    TAKE(0, "drain:node/00000000000000000000000000000000000000000000000000000000000000000=5!",
         fact_of(longest, 5, 0));
    snprintf(longest, sizeof(longest), "drain:node/%066d", 0);
    TAKE(0, "", fact_of(longest, 5, 0));
    assert_int_equal(box.n_refused, 7);
    assert_int_equal(box.n_items, 1);
}

static void test_limit(void **state)
{
    (void)state;
    for (int i = 0; i <= INBOX_FACTS_MAX; i++) {
        char name[32];
        snprintf(name, sizeof(name), "pool:%d", i);
        struct beat_fact fact = fact_of(name, 2, 0);
        struct beat head = {.turn = 0};
        struct beat_writer writer = {.len = 0};
        assert_true(beat_add_fact(&writer, &fact));
        head.facts = slice_make((const char *)writer.bytes, writer.len);
        inbox_take(&box, &head, &calls);
    }
    assert_int_equal(box.n_items, INBOX_FACTS_MAX);
    assert_int_equal(box.n_refused, 1);
}

/* What was not told for eight turns goes, also where the count goes round. */
static void test_untold(void **state)
{
    (void)state;
    for (int first = 0; first < 256; first += 51) {
        uint8_t turn = (uint8_t)first;
        inbox_begin_life(&box, turn);
        TAKE(turn, "pool:a=2! pool:b=2!", fact_of("pool:a", 2, 0), fact_of("pool:b", 2, 0));
        for (int i = 1; i < BEAT_TURNS_KEPT; i++)
            TAKE((uint8_t)(turn + i), "pool:a=2", fact_of("pool:a", 2, 0));
        TAKE((uint8_t)(turn + BEAT_TURNS_KEPT), "pool:a=2 -pool:b", fact_of("pool:a", 2, 0));
        heard[0] = 0;
        inbox_clear(&box, &calls);
        assert_string_equal(heard, "-pool:a");
    }
}

/* An earlier life of this process, or of the other, has left facts: they have the same time. */
static void test_lives(void **state)
{
    (void)state;
    inbox_adopt(&box, "pool:a");
    inbox_adopt(&box, "pool:a");
    inbox_adopt(&box, "pool:b");
    assert_int_equal(box.n_items, 2);
    inbox_begin_life(&box, 200);
    TAKE(200, "pool:a=2!", fact_of("pool:a", 2, 0));
    TAKE(207, "pool:a=2", fact_of("pool:a", 2, 0));
    inbox_begin_life(&box, 3);
    TAKE(3, "pool:a=2", fact_of("pool:a", 2, 0));
    TAKE(10, "pool:a=2", fact_of("pool:a", 2, 0));
    TAKE(11, "pool:a=2 -pool:b", fact_of("pool:a", 2, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_news, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_untold, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lives, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
