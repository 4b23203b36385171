/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The end of a stream, beside what it is when all of it is kept.
 */

#include "worker/tail.h"

#include "base/rng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void check(const struct tail *tail, const struct text *all, size_t max)
{
    struct text kept = TEXT_NONE;
    for (size_t want = 0; want <= max + 2; want += 1 + want / 3) {
        size_t n = all->len < max ? all->len : max;
        n = n < want ? n : want;
        text_clear(&kept);
        tail_append(tail, want, &kept);
        assert_int_equal(kept.len, n);
        if (n > 0)
            assert_memory_equal(kept.ptr, all->ptr + all->len - n, n);
    }
    assert_int_equal(tail->n_total, all->len);
    text_deinit(&kept);
}

static void test_keeps_the_end(void **state)
{
    static const size_t most[] = {0, 1, 2, 7, 100, 1023, 1024, 1025, 5000};
    struct rng rng;
    (void)state;
    rng_init(&rng, 7);
    for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
        struct tail tail;
        struct text all = TEXT_NONE;
        tail_init(&tail, most[i]);
        check(&tail, &all, most[i]);
        for (int step = 0; step < 60; step++) {
            size_t n = rng_next(&rng) % (step % 7 == 0 ? 3000 : 40);
            size_t start = all.len;
            for (size_t k = 0; k < n; k++)
                text_append_char(&all, (char)rng_next(&rng));
            tail_add(&tail, slice_skip(text_slice(&all), start));
            check(&tail, &all, most[i]);
            assert_true(tail.cap <= most[i]);
        }
        tail_deinit(&tail);
        text_deinit(&all);
    }
}

static void test_last_line(void **state)
{
    static const struct {
        const char *printed, *line;
    } rows[] = {
        {"", ""},
        {"one", "one"},
        {"one\ntwo\n", "two"},
        {"one\ntwo\r\n\r\n \n", "two"},
        {"\n\n", ""},
        {"a\001b\xff\n", "a?b?"},
        {"first\n0123456789abcdef", "0123456789abcde"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tail tail;
        char line[16];
        tail_init(&tail, 1000);
        tail_add(&tail, slice_from(rows[i].printed));
        assert_string_equal(tail_last_line(&tail, line, sizeof(line)), rows[i].line);
        tail_deinit(&tail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_the_end),
        cmocka_unit_test(test_last_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
