/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text format to the byte; and the arithmetic beside it: rates, ages, what /proc says.
 */
#include "admin/openmetrics.h"

#include "admin/rates.h"
#include "admin/usage.h"
#include "base/mem.h"
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_samples(void **state)
{
    (void)state;
    struct text out = TEXT_NONE;
    const struct openmetrics_label labels[] = {{"pool", SLICE_INIT("web")},
                                               {"member", SLICE_INIT("a\"b\\c\nd")}};
    openmetrics_family(&out, "weir_member_requests", OPENMETRICS_COUNTER, "Sent \"to\" it.");
    openmetrics_uint(&out, "weir_member_requests", "_total", labels, 2, UINT64_MAX);
    openmetrics_family(&out, "weir_lag_seconds", OPENMETRICS_GAUGE, "A\\B\nC");
    openmetrics_double(&out, "weir_lag_seconds", "", NULL, 0, 0.1);
    openmetrics_double(&out, "weir_lag_seconds", "", labels, 1, 3);
    openmetrics_double(&out, "weir_lag_seconds", "", labels, 1, 1e-7);
    openmetrics_double(&out, "weir_lag_seconds", "", labels, 1, 1764000000.123);
    openmetrics_double(&out, "weir_lag_seconds", "", labels, 1, (double)NAN);
    openmetrics_double(&out, "weir_lag_seconds", "", labels, 1, (double)-INFINITY);
    openmetrics_end(&out);
    assert_string_equal(text_cstr(&out),
                        "# TYPE weir_member_requests counter\n"
                        "# HELP weir_member_requests Sent \\\"to\\\" it.\n"
                        "weir_member_requests_total{pool=\"web\",member=\"a\\\"b\\\\c\\nd\"} "
                        "18446744073709551615\n"
                        "# TYPE weir_lag_seconds gauge\n"
                        "# UNIT weir_lag_seconds seconds\n"
                        "# HELP weir_lag_seconds A\\\\B\\nC\n"
                        "weir_lag_seconds 0.1\n"
                        "weir_lag_seconds{pool=\"web\"} 3.0\n"
                        "weir_lag_seconds{pool=\"web\"} 1e-07\n"
                        "weir_lag_seconds{pool=\"web\"} 1764000000.123\n"
                        "weir_lag_seconds{pool=\"web\"} NaN\n"
                        "weir_lag_seconds{pool=\"web\"} -Inf\n"
                        "# EOF\n");
    text_deinit(&out);
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *want;
    } rows[] = {
        {"gr\xc3\xbcn", "gr\xc3\xbcn"},
        {"\xf0\x9f\x8c\x8a", "\xf0\x9f\x8c\x8a"},
        {"\xc3", "\xef\xbf\xbd"},
        {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80x", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx"},
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xff\"", "\xef\xbf\xbd\\\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct text out = TEXT_NONE, want = TEXT_NONE;
        struct openmetrics_label label = {"l", slice_from(rows[i].bytes)};
        openmetrics_uint(&out, "m", "", &label, 1, 1);
        text_printf(&want, "m{l=\"%s\"} 1\n", rows[i].want);
        assert_string_equal(text_cstr(&out), text_cstr(&want));
        text_deinit(&out);
        text_deinit(&want);
    }
}

static void test_hist(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 15, 16, 63, 64, 1000, 70000000, 1ull << 40};
    uint64_t words[METRIC_HIST_WORDS] = {0};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        words[hist_bucket(values[i])]++;
        words[HIST_BUCKETS] += values[i];
    }
    struct text out = TEXT_NONE;
    struct openmetrics_label label = {"listen", SLICE_INIT("a")};
    openmetrics_hist(&out, "h", &label, 1, words, 1e-6);
    assert_string_equal(text_cstr(&out), "h_bucket{listen=\"a\",le=\"1.6e-05\"} 2\n"
                                         "h_bucket{listen=\"a\",le=\"6.4e-05\"} 4\n"
                                         "h_bucket{listen=\"a\",le=\"0.000256\"} 5\n"
                                         "h_bucket{listen=\"a\",le=\"0.001024\"} 6\n"
                                         "h_bucket{listen=\"a\",le=\"0.004096\"} 6\n"
                                         "h_bucket{listen=\"a\",le=\"0.016384\"} 6\n"
                                         "h_bucket{listen=\"a\",le=\"0.065536\"} 6\n"
                                         "h_bucket{listen=\"a\",le=\"0.262144\"} 6\n"
                                         "h_bucket{listen=\"a\",le=\"1.048576\"} 6\n"
                                         "h_bucket{listen=\"a\",le=\"4.194304\"} 6\n"
                                         "h_bucket{listen=\"a\",le=\"16.777216\"} 6\n"
                                         "h_bucket{listen=\"a\",le=\"67.108864\"} 6\n"
                                         "h_bucket{listen=\"a\",le=\"+Inf\"} 8\n"
                                         "h_count{listen=\"a\"} 8\n"
                                         "h_sum{listen=\"a\"} 1099581.628934\n");
    text_deinit(&out);
}

static const uint64_t second_ns = 1000000000;

static void look(struct rates *rates, uint64_t at_s, const char *object, uint64_t count)
{
    rates_begin(rates, at_s * second_ns);
    rates_add(rates, "member", object, count);
    rates_end(rates);
}

static void test_rates(void **state)
{
    (void)state;
    struct rates *rates = rates_create(1);
    assert_float_equal((float)rates_get(rates, "member", "a"), 0.0f, 1e-6f);
    look(rates, 1, "a", 100);
    assert_float_equal((float)rates_get(rates, "member", "a"), 0.0f, 1e-6f);
    look(rates, 3, "a", 120);
    assert_float_equal((float)rates_get(rates, "member", "a"), 10.0f, 1e-6f);
    for (uint64_t t = 4; t < 20; t++)
        look(rates, t, "a", 120 + (t - 3) * 50);
    assert_float_equal((float)rates_get(rates, "member", "a"), 50.0f, 1e-6f);
    assert_float_equal((float)rates_get(rates, "listen", "a"), 0.0f, 1e-6f);
    look(rates, 20, "a", 5); /* went back */
    assert_float_equal((float)rates_get(rates, "member", "a"), 0.0f, 1e-6f);
    look(rates, 21, "a", 12);
    assert_float_equal((float)rates_get(rates, "member", "a"), 7.0f, 1e-6f);
    look(rates, 22, "b", 1); /* a is forgotten */
    assert_float_equal((float)rates_get(rates, "member", "a"), 0.0f, 1e-6f);
    rates_destroy(&rates);
    assert_null(rates);
}

static void test_usage(void **state)
{
    (void)state;
    struct usage usage;
    struct slice line = SLICE("42 (a) b (c)) S 1 42 42 0 -1 4194560 1 2 3 4 150 50 7 8 20 -5 3 0 "
                              "1234 99999 1000 18446744073709551615 1 1");
    assert_int_equal(usage_parse(line, 100, 4096, &usage), 0);
    assert_float_equal((float)usage.cpu_s, 2.0f, 1e-6f);
    assert_float_equal((float)usage.born_s, 12.34f, 1e-6f);
    assert_string_equal(usage.name, "a) b (c)");
    assert_int_equal(usage.n_threads, 3);
    assert_int_equal(usage.resident_bytes, 4096000);
    for (size_t cut = 0; strstr(line.ptr + cut, " 1000 "); cut++)
        assert_int_equal(usage_parse(slice_make(line.ptr, cut), 100, 4096, &usage), -1);
    assert_int_equal(usage_read(getpid(), &usage), 0);
    assert_true(usage.resident_bytes > 0 && usage.n_threads >= 1);
    struct usage_child children[4];
    pid_t pid = fork();
    if (pid == 0)
        pause();
    size_t n = usage_children(getpid(), children, 4);
    assert_true(n == 0 || (n == 1 && children[0].pid == pid));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(usage_children(getpid(), children, 4), 0);
    assert_int_equal(usage_read(0x7ffffffe, &usage), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples), cmocka_unit_test(test_utf8),  cmocka_unit_test(test_hist),
        cmocka_unit_test(test_rates),   cmocka_unit_test(test_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
