/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers with units, both ways, and the sentences for those that are wrong.
 */
#include "base/mem.h"
#include "conf/unit.h"
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct row {
    const char *text;
    int64_t value;        /* where error is NULL */
    const char *error;    /* the sentence */
    const char *shortest; /* as it is shown; NULL: as text */
};

typedef int parse_fn(struct slice text, int64_t *ret_value, struct err *err);
typedef void show_fn(struct text *out, int64_t value);

static void check(const struct row *rows, size_t n, parse_fn *parse, show_fn *show)
{
    for (size_t i = 0; i < n; i++) {
        struct err err = ERR_NONE;
        int64_t value = -1;
        int rc = parse(slice_from(rows[i].text), &value, &err);
        if (rows[i].error) {
            assert_int_equal(rc, -1);
            assert_string_equal(err.text, rows[i].error);
            continue;
        }
        assert_int_equal(rc, 0);
        assert_int_equal(value, rows[i].value);
        struct text out = TEXT_NONE;
        show(&out, value);
        assert_string_equal(text_cstr(&out), rows[i].shortest ? rows[i].shortest : rows[i].text);
        text_deinit(&out);
    }
}

static void test_times(void **state)
{
    static const struct row rows[] = {
        {"250ms", 250, NULL, NULL},
        {"2s", 2000, NULL, NULL},
        {"5m", 300000, NULL, NULL},
        {"1h", 3600000, NULL, NULL},
        {"7d", 604800000, NULL, NULL},
        {"0s", 0, NULL, NULL},
        {"0ms", 0, NULL, "0s"},
        {"60s", 60000, NULL, "1m"},
        {"90m", 5400000, NULL, NULL},
        {"1500ms", 1500, NULL, NULL},
        {"36500d", 36500ll * 86400000, NULL, NULL},
        {"36501d", 0, "\"36501d\" is longer than a hundred years", NULL},
        {"99999999999999999999s", 0, "\"99999999999999999999s\" is longer than a hundred years",
         NULL},
        {"9999999999999999999d", 0, "\"9999999999999999999d\" is longer than a hundred years",
         NULL},
        {"2", 0, "\"2\" has no unit: write 2s, 250ms, 5m", NULL},
        {"", 0, "\"\" is not a time: write 2s, 250ms, 5m", NULL},
        {"s", 0, "\"s\" is not a time: write 2s, 250ms, 5m", NULL},
        {"-2s", 0, "\"-2s\" is not a time: write 2s, 250ms, 5m", NULL},
        {"0.5s", 0, "\"0.5s\" has a fraction: write a smaller unit, 500ms for half a second", NULL},
        {"2S", 0, "\"2S\": units of time are small letters: 2s, 250ms, 5m", NULL},
        {"5M", 0, "\"5M\": units of time are small letters: 2s, 250ms, 5m", NULL},
        {"2sec", 0, "\"2sec\" has no unit that is known: write 2s, 250ms, 5m; there are ms s m h d",
         NULL},
        {"1h30m", 0,
         "\"1h30m\" has no unit that is known: write 2s, 250ms, 5m; there are ms s m h d", NULL},
    };
    (void)state;
    check(rows, ARRAY_LEN(rows), conf_unit_time, conf_unit_show_time);
}

static void test_sizes(void **state)
{
    static const struct row rows[] = {
        {"512", 512, NULL, NULL},
        {"0", 0, NULL, NULL},
        {"64k", 65536, NULL, NULL},
        {"256M", 256ll << 20, NULL, NULL},
        {"2G", 2ll << 30, NULL, NULL},
        {"1T", 1ll << 40, NULL, NULL},
        {"1024", 1024, NULL, "1k"},
        {"1025", 1025, NULL, NULL},
        {"1048576T", 1ll << 60, NULL, NULL},
        {"1048577T", 0, "\"1048577T\" is larger than any size", NULL},
        {"64K", 0, "\"64K\": capital letters but for k: 64k, 256M", NULL},
        {"256m", 0, "\"256m\": capital letters but for k: 64k, 256M", NULL},
        {"2g", 0, "\"2g\": capital letters but for k: 64k, 256M", NULL},
        {"64kb", 0,
         "\"64kb\" has no unit that is known: write 64k, 256M; there are k M G T, powers of 1024",
         NULL},
        {"1.5M", 0, "\"1.5M\" has a fraction: write a smaller unit, 512k for half an M", NULL},
        {"big", 0, "\"big\" is not a size: write 64k, 256M", NULL},
        {"99999999999999999999", 0, "\"99999999999999999999\" is larger than any size", NULL},
    };
    (void)state;
    check(rows, ARRAY_LEN(rows), conf_unit_size, conf_unit_show_size);
}

static void show_int(struct text *out, int64_t value)
{
    text_printf(out, "%lld", (long long)value);
}

static void test_ints(void **state)
{
    static const struct row rows[] = {
        {"0", 0, NULL, NULL},
        {"-5", -5, NULL, NULL},
        {"9223372036854775807", INT64_MAX, NULL, NULL},
        {"9223372036854775808", 0, "\"9223372036854775808\" is larger than any number here", NULL},
        {"99999999999999999999", 0, "\"99999999999999999999\" is larger than any number here",
         NULL},
        {"99999999999999999999x", 0,
         "\"99999999999999999999x\" is not a whole number: write digits alone", NULL},
        {"", 0, "\"\" is not a whole number", NULL},
        {"-", 0, "\"-\" is not a whole number", NULL},
        {"+1", 0, "\"+1\" is not a whole number", NULL},
        {"1.5", 0, "\"1.5\" is not a whole number: write digits alone", NULL},
        {"0x10", 0, "\"0x10\" is not a whole number: write digits alone", NULL},
    };
    (void)state;
    check(rows, ARRAY_LEN(rows), conf_unit_int, show_int);
}

static void test_rates(void **state)
{
    static const struct {
        const char *text;
        int64_t count, per_ms;
        const char *error;
    } rows[] = {
        {"10/s", 10, 1000, NULL},
        {"5/m", 5, 60000, NULL},
        {"0/h", 0, 3600000, NULL},
        {"1/d", 1, 86400000, NULL},
        {"10", 0, 0, "\"10\" does not say how often: write 10/s, 5/m"},
        {"10/ms", 0, 0,
         "\"10/ms\" has no unit that is known: write 10/s, 5/m; there are /s /m /h /d"},
        {"10/", 0, 0, "\"10/\" has no unit that is known: write 10/s, 5/m; there are /s /m /h /d"},
        {"fast", 0, 0, "\"fast\" is not a rate: write 10/s, 5/m"},
        {"2147483648/s", 0, 0, "\"2147483648/s\" is more than 2147483647"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = ERR_NONE;
        int64_t count = -1, per_ms = -1;
        int rc = conf_unit_rate(slice_from(rows[i].text), &count, &per_ms, &err);
        assert_int_equal(rc, rows[i].error ? -1 : 0);
        if (rows[i].error) {
            assert_string_equal(err.text, rows[i].error);
            continue;
        }
        assert_int_equal(count, rows[i].count);
        assert_int_equal(per_ms, rows[i].per_ms);
        struct text out = TEXT_NONE;
        conf_unit_show_rate(&out, count, per_ms);
        assert_string_equal(text_cstr(&out), rows[i].text);
        text_deinit(&out);
    }
}

static void test_quote(void **state)
{
    struct conf_quote q;
    (void)state;
    assert_string_equal(conf_quote(SLICE("a\nb\xff\x7f"), &q), "a?b??");
    assert_string_equal(conf_quote(SLICE("caf\xc3\xa9"), &q), "caf\xc3\xa9");
    char longer[200];
    memset(longer, 'x', sizeof(longer));
    assert_int_equal(strlen(conf_quote(slice_make(longer, 76), &q)), 76);
    assert_string_equal(conf_quote(slice_make(longer, 77), &q) + 76, "...");
    assert_string_equal(conf_quote(slice_make(longer, 200), &q) + 76, "...");
    memset(longer, '\xc3', sizeof(longer));
    for (size_t i = 1; i < sizeof(longer); i += 2)
        longer[i] = '\xa9';
    assert_string_equal(conf_quote(slice_make(longer + 1, 199), &q) + 75, "...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_times), cmocka_unit_test(test_sizes),
                                       cmocka_unit_test(test_ints), cmocka_unit_test(test_rates),
                                       cmocka_unit_test(test_quote)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
