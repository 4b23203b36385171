/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of what is forced: its text there and back, and every text that is not exactly one.
 */
#include "admin/forced.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const char written[] = "weir-forced 1\n"
                              "drain web/app1 1764195102123 300000 0\n"
                              "weight web/app1 1764195102200 5\n"
                              "down web/app-2.b 1764195102123\n"
                              "up other/_3 1\n"
                              "weight other/4 18446744073709551615 0\n"
                              "end 5 0000000000000000\n";

static void put(struct forced *forced, const struct forced_entry *entry)
{
    struct err err = ERR_NONE;
    assert_int_equal(forced_set(forced, entry, &err), 0);
}

static void fill(struct forced *forced)
{
    forced_init(forced);
    put(forced, &(struct forced_entry){.label = "web/app1",
                                       .state = FACT_DRAINING,
                                       .state_since_ms = 1764195102123,
                                       .idle_ms = 300000,
                                       .has_weight = true,
                                       .weight = 5,
                                       .weight_since_ms = 1764195102200});
    put(forced, &(struct forced_entry){
                    .label = "web/app-2.b", .state = FACT_DOWN, .state_since_ms = 1764195102123});
    put(forced, &(struct forced_entry){.label = "other/_3", .state = FACT_UP, .state_since_ms = 1});
    put(forced, &(struct forced_entry){
                    .label = "other/4", .has_weight = true, .weight_since_ms = UINT64_MAX});
}

/* The sum is computed here once more, by the words of docs/formats/forced.md. */
static void seal(struct text *text)
{
    uint64_t sum = UINT64_C(14695981039346656037);
    size_t end = text->len - 17;
    size_t last = end;
    while (last > 0 && text->ptr[last - 1] != '\n')
        last--;
    for (size_t i = 0; i < last; i++) {
        sum ^= (unsigned char)text->ptr[i];
        sum *= UINT64_C(1099511628211);
    }
    char digits[17];
    snprintf(digits, sizeof(digits), "%016llx", (unsigned long long)sum);
    memcpy(text->ptr + end, digits, 16);
}

static void test_there_and_back(void **state)
{
    (void)state;
    struct forced forced, again;
    struct text out = TEXT_NONE, want = TEXT_NONE, second = TEXT_NONE;
    struct err err = ERR_NONE;
    fill(&forced);
    forced_encode(&forced, &out);
    text_append(&want, slice_from(written));
    seal(&want);
    assert_string_equal(text_cstr(&out), text_cstr(&want));
    forced_init(&again);
    assert_int_equal(forced_decode(&again, text_slice(&out), &err), 0);
    forced_encode(&again, &second);
    assert_string_equal(text_cstr(&second), text_cstr(&want));
    const struct forced_entry *entry = forced_find(&again, SLICE("web/app1"));
    assert_non_null(entry);
    assert_int_equal(entry->state, FACT_DRAINING);
    assert_int_equal(entry->idle_ms, 300000);
    assert_int_equal(entry->weight, 5);
    text_deinit(&out);
    text_deinit(&want);
    text_deinit(&second);
    forced_deinit(&forced);
    forced_deinit(&again);
}

static int try(struct slice bytes, struct err *err)
{
    struct forced forced;
    forced_init(&forced);
    int result = forced_decode(&forced, bytes, err);
    if (result < 0)
        assert_int_equal(forced.by_label.n_live, 0);
    forced_deinit(&forced);
    return result;
}

/* A TTL makes it version 2, in which alone its line has a meaning. */
static void test_ttl(void **state)
{
    static const struct {
        const char *text;
        int result;
    } texts[] = {
        {"weir-forced 2\ndown web/a 1\nttl web/a 30\nend 2 0000000000000000\n", 0},
        {"weir-forced 1\ndown web/a 1\nttl web/a 30\nend 2 0000000000000000\n", -1},
        {"weir-forced 2\nttl web/a 30\ndown web/a 1\nend 2 0000000000000000\n", -1},
        {"weir-forced 2\ndrain web/a 1 1 0\nttl web/a 30\nend 2 0000000000000000\n", -1},
        {"weir-forced 2\ndown web/a 1\nttl web/a 0\nend 2 0000000000000000\n", -1},
        {"weir-forced 2\ndown web/a 1\nttl web/a 30\nttl web/a 9\nend 3 0000000000000000\n", -1},
    };
    (void)state;
    struct forced forced;
    struct text want = TEXT_NONE, out = TEXT_NONE;
    struct err err = ERR_NONE;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct text text = TEXT_NONE;
        text_append(&text, slice_from(texts[i].text));
        seal(&text);
        assert_int_equal(try(text_slice(&text), &err), texts[i].result);
        text_deinit(&text);
    }
    forced_init(&forced);
    put(&forced, &(struct forced_entry){
                     .label = "web/a", .state = FACT_DOWN, .state_since_ms = 1, .ttl_s = 30});
    forced_encode(&forced, &out);
    text_append(&want, slice_from(texts[0].text));
    seal(&want);
    assert_string_equal(text_cstr(&out), text_cstr(&want));
    text_deinit(&out);
    text_deinit(&want);
    forced_deinit(&forced);
}

/* A vip or a node makes it version 3, in which alone their lines have a meaning. */
static void test_kinds(void **state)
{
    static const struct {
        const char *text;
        int result;
    } texts[] = {
        {"weir-forced 3\ndrain vip:front 1 0 7\ndrain node:a 2 0 0\nend 2 0000000000000000\n", 0},
        {"weir-forced 3\ndrain vip:2001:db8::1 1 0 7\nend 1 0000000000000000\n", 0},
        {"weir-forced 3\ndrain vip:10.0.0.1 1 0 7\nup vip/a 1\nttl vip/a 3\n"
         "end 3 0000000000000000\n",
         0},
        {"weir-forced 2\ndrain vip:front 1 0 7\nend 1 0000000000000000\n", -1},
        {"weir-forced 1\ndrain node:a 1 0 7\nend 1 0000000000000000\n", -1},
        {"weir-forced 3\ndown vip:front 1\nend 1 0000000000000000\n", -1},
        {"weir-forced 3\nweight node:a 1 1\nend 1 0000000000000000\n", -1},
        {"weir-forced 3\ndrain vip: 1 0 7\nend 1 0000000000000000\n", -1},
        {"weir-forced 3\ndrain vip:a/b 1 0 7\nend 1 0000000000000000\n", -1},
        {"weir-forced 3\ndrain node:a:b 1 0 7\nend 1 0000000000000000\n", -1},
        {"weir-forced 3\ndrain pool:a 1 0 7\nend 1 0000000000000000\n", -1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct text text = TEXT_NONE, out = TEXT_NONE;
        struct forced forced;
        struct err err = ERR_NONE;
        text_append(&text, slice_from(texts[i].text));
        seal(&text);
        forced_init(&forced);
        assert_int_equal(forced_decode(&forced, text_slice(&text), &err), texts[i].result);
        forced_encode(&forced, &out);
        if (texts[i].result == 0)
            assert_string_equal(text_cstr(&out), text_cstr(&text));
        forced_deinit(&forced);
        text_deinit(&text);
        text_deinit(&out);
    }
}

/* Whatever is cut off or changed, it is noticed. */
static void test_damage(void **state)
{
    (void)state;
    struct forced forced;
    struct text out = TEXT_NONE;
    struct err err = ERR_NONE;
    fill(&forced);
    forced_encode(&forced, &out);
    for (size_t len = 0; len < out.len; len++)
        assert_int_equal(try(slice_make(out.ptr, len), &err), -1);
    for (size_t i = 0; i < out.len; i++) {
        out.ptr[i] ^= 1;
        assert_int_equal(try(text_slice(&out), &err), -1);
        out.ptr[i] ^= 1;
    }
    assert_int_equal(try(text_slice(&out), &err), 0);
    text_append_char(&out, '\n');
    assert_int_equal(try(text_slice(&out), &err), -1);
    text_deinit(&out);
    forced_deinit(&forced);
}

/* With a sum that is right. */
static void test_nonsense(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        int n_lines;
        const char *why;
    } rows[] = {
        {"up web/a 1", 1, NULL},
        {"", 0, NULL},
        {"up web/a", 1, "no meaning"},
        {"up web/a ", 1, "no meaning"},
        {"up web/a 1 ", 1, "no meaning"},
        {"up web/a 1 2", 1, "no meaning"},
        {"up web/a -1", 1, "no meaning"},
        {"up web/a 18446744073709551616", 1, "no meaning"},
        {"up  web/a 1", 1, "no meaning"},
        {"up web 1", 1, "no meaning"},
        {"up /a 1", 1, "no meaning"},
        {"up web/ 1", 1, "no meaning"},
        {"up web/a/b 1", 1, "no meaning"},
        {"up web/.a 1", 1, "no meaning"},
        {"up web/../a 1", 1, "no meaning"},
        {"sideways web/a 1", 1, "no meaning"},
        {"", 1, "count"},
        {"up web/a 1", 2, "count"},
        {"up web/a 1\ndown web/a 1", 2, "twice"},
        {"weight web/a 1 1\nweight web/a 1 1", 2, "two weights"},
        {"weight web/a 1 257", 1, "above 256"},
        {"weight web/a 1 256", 1, NULL},
        {"drain web/a 1 2", 1, "no meaning"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct text bytes = TEXT_NONE;
        struct err err = ERR_NONE;
        text_printf(&bytes, "weir-forced 1\n%s%send %d 0000000000000000\n", rows[i].lines,
                    *rows[i].lines ? "\n" : "", rows[i].n_lines);
        seal(&bytes);
        int result = try(text_slice(&bytes), &err);
        assert_int_equal(result, rows[i].why ? -1 : 0);
        if (rows[i].why && !strstr(err.text, rows[i].why))
            fail_msg("\"%s\" does not say \"%s\"", err.text, rows[i].why);
        text_deinit(&bytes);
    }
    struct err err = ERR_NONE;
    assert_int_equal(try(SLICE("weir-forced 4\nend 0 0\n"), &err), -1);
    assert_non_null(strstr(err.text, "does not begin"));
}

static void test_bound(void **state)
{
    (void)state;
    struct forced forced;
    struct forced_entry entry = {.state = FACT_UP};
    struct err err = ERR_NONE;
    forced_init(&forced);
    for (int i = 0; i < FORCED_MAX; i++) {
        snprintf(entry.label, sizeof(entry.label), "web/a%d", i);
        assert_int_equal(forced_set(&forced, &entry, &err), 0);
    }
    snprintf(entry.label, sizeof(entry.label), "web/more");
    assert_int_equal(forced_set(&forced, &entry, &err), -1);
    assert_non_null(strstr(err.text, "limit"));
    snprintf(entry.label, sizeof(entry.label), "web/a7");
    entry.state = FACT_NONE;
    assert_int_equal(forced_set(&forced, &entry, &err), 0);
    assert_null(forced_find(&forced, SLICE("web/a7")));
    snprintf(entry.label, sizeof(entry.label), "web/more");
    entry.state = FACT_DOWN;
    assert_int_equal(forced_set(&forced, &entry, &err), 0);
    forced_deinit(&forced);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_ttl),
        cmocka_unit_test(test_kinds),          cmocka_unit_test(test_damage),
        cmocka_unit_test(test_nonsense),       cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
