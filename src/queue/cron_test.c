/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Schedules and when they are due, in UTC and over the jumps of clocks; zones are held against the
 * C library's reading of the same files, where the machine has any.
 */

#include "queue/cron.h"

#include "base/mem.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* A file of two empty blocks, a type at offset 0, and a rule, as zic -b slim makes for a rule that
 * has always been. */
static void make_zone(const char *rule, struct text *out)
{
    static const unsigned char counts[2][24] = {
        {[19] = 1, [23] = 1},
        {[19] = 1, [23] = 4},
    };
    for (size_t i = 0; i < 2; i++) {
        text_append(out, SLICE("TZif2"));
        text_pad(out, '\0', 15);
        text_append(out, slice_make((const char *)counts[i], 24));
        text_pad(out, '\0', 6);
        text_append(out, i == 0 ? slice_make("", 1) : slice_make("UTC", 4));
    }
    text_printf(out, "\n%s\n", rule);
}

/* "2026-03-29 01:00:00" in UTC. */
static int64_t utc(const char *text)
{
    int numbers[6] = {0};
    const char *at = text;
    for (size_t i = 0; i < 6; i++) {
        numbers[i] = (int)strtol(at, NULL, 10);
        at += i == 0 ? 5 : 3;
    }
    return tzif_days(numbers[0], numbers[1], numbers[2]) * 86400 + numbers[3] * 3600 +
           numbers[4] * 60 + numbers[5];
}

#define BERLIN    "CET-1CEST,M3.5.0,M10.5.0/3"
#define NEW_YORK  "EST5EDT,M3.2.0,M11.1.0"
#define LORD_HOWE "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"
#define KOLKATA   "IST-5:30"

/* After each time the next, NULL: none. */
static const struct row {
    const char *zone; /* NULL: UTC */
    const char *schedule;
    const char *after;
    const char *due[4];
} rows[] = {
    {NULL, "* * * * *", "2026-01-31 23:58:30", {"2026-01-31 23:59:00", "2026-02-01 00:00:00"}},
    {NULL, "*/15 * * * *", "2026-01-01 00:00:00", {"2026-01-01 00:15:00", "2026-01-01 00:30:00"}},
    {NULL,
     "5-10/5 9-17/8 * * *",
     "2026-01-01 00:00:00",
     {"2026-01-01 09:05:00", "2026-01-01 09:10:00", "2026-01-01 17:05:00"}},
    {NULL, "30 4 * * mon-fri", "2026-11-27 04:30:00", {"2026-11-30 04:30:00"}},
    {NULL,
     "0 0 * * sat-sun",
     "2026-11-27 00:00:00",
     {"2026-11-28 00:00:00", "2026-11-29 00:00:00", "2026-12-05 00:00:00"}},
    {NULL, "0 0 * * 7", "2026-11-27 00:00:00", {"2026-11-29 00:00:00", "2026-12-06 00:00:00"}},
    {NULL, "0 0 13 * fri", "2026-11-12 00:00:00", {"2026-11-13 00:00:00", "2026-11-20 00:00:00"}},
    {NULL, "0 0 13 * *", "2026-11-13 00:00:00", {"2026-12-13 00:00:00"}},
    {NULL, "0 0 31 * *", "2026-01-31 00:00:00", {"2026-03-31 00:00:00", "2026-05-31 00:00:00"}},
    {NULL, "0 0 29 feb *", "2096-02-29 00:00:00", {"2104-02-29 00:00:00"}},
    {NULL, "0 0 30 2 *", "2026-01-01 00:00:00", {NULL}},
    {NULL, "0 12 1 JAN,jul *", "2026-01-01 12:00:00", {"2026-07-01 12:00:00"}},
    {NULL, "@yearly", "2026-01-01 00:00:00", {"2027-01-01 00:00:00"}},
    {NULL, "@weekly", "2026-11-27 00:00:00", {"2026-11-29 00:00:00"}},
    {NULL, "@hourly", "2026-11-27 00:00:00", {"2026-11-27 01:00:00"}},
    {NULL, "every 5m", "2026-11-27 00:00:00", {"2026-11-27 00:05:00", "2026-11-27 00:10:00"}},
    {NULL, "every 7s", "1970-01-01 00:00:08", {"1970-01-01 00:00:14"}},
    {NULL, "every 1d", "2026-11-27 00:00:01", {"2026-11-28 00:00:00"}},
    /* 02:00 to 03:00 is left out on 29 March, comes twice on 25 October. */
    {BERLIN, "30 2 * * *", "2026-03-28 02:00:00", {"2026-03-29 01:00:00", "2026-03-30 00:30:00"}},
    {BERLIN, "0,30 2 * * *", "2026-03-28 02:00:00", {"2026-03-29 01:00:00", "2026-03-30 00:00:00"}},
    {BERLIN, "0 2,3 * * *", "2026-03-28 02:30:00", {"2026-03-29 01:00:00", "2026-03-30 00:00:00"}},
    {BERLIN, "0 4 * * *", "2026-03-28 04:00:00", {"2026-03-29 02:00:00", "2026-03-30 02:00:00"}},
    {BERLIN, "30 2 * * *", "2026-10-24 12:00:00", {"2026-10-25 00:30:00", "2026-10-26 01:30:00"}},
    {BERLIN, "0 3 * * *", "2026-10-24 12:00:00", {"2026-10-25 02:00:00", "2026-10-26 02:00:00"}},
    {BERLIN, "0 0 * * *", "2026-10-24 22:00:00", {"2026-10-25 23:00:00"}},
    {BERLIN, "0 * * * *", "2026-03-29 00:30:00", {"2026-03-29 01:00:00", "2026-03-29 02:00:00"}},
    {BERLIN,
     "30 * * * *",
     "2026-10-25 00:00:00",
     {"2026-10-25 00:30:00", "2026-10-25 01:30:00", "2026-10-25 02:30:00"}},
    {NEW_YORK, "30 1 * * *", "2026-11-01 00:00:00", {"2026-11-01 05:30:00", "2026-11-02 06:30:00"}},
    {NEW_YORK,
     "15 2 * * sun",
     "2026-03-08 00:00:00",
     {"2026-03-08 07:00:00", "2026-03-15 06:15:00"}},
    {LORD_HOWE,
     "15 2 * * *",
     "2026-10-03 12:00:00",
     {"2026-10-03 15:30:00", "2026-10-04 15:15:00"}},
    {LORD_HOWE,
     "45 1 * * *",
     "2026-04-04 12:00:00",
     {"2026-04-04 14:45:00", "2026-04-05 15:15:00"}},
    {KOLKATA, "0 9 * * *", "2026-01-01 00:00:00", {"2026-01-01 03:30:00", "2026-01-02 03:30:00"}},
};

static void test_due(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct text file = TEXT_NONE;
        struct tzif zone;
        struct cron cron;
        if (rows[i].zone) {
            make_zone(rows[i].zone, &file);
            assert_int_equal(tzif_read(text_slice(&file), &zone), 0);
        }
        assert_int_equal(cron_parse(slice_from(rows[i].schedule), &cron, NULL), 0);
        int64_t at = utc(rows[i].after);
        for (size_t k = 0; k == 0 || (k < 4 && rows[i].due[k]); k++) {
            int64_t wanted = rows[i].due[k] ? utc(rows[i].due[k]) : -1;
            at = cron_next_after(&cron, rows[i].zone ? &zone : NULL, at);
            if (at != wanted)
                print_message("row %zu, %s: %lld\n", i, rows[i].schedule, (long long)at);
            assert_int_equal(at, wanted);
        }
        text_deinit(&file);
    }
}

static void test_wrong(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "*",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * 0 *",
        "* * * * 8",
        "-1 * * * *",
        "1- * * * *",
        "-5 * * * *",
        "5-1 * * * *",
        "*/0 * * * *",
        "*/60 * * * *",
        "5/2 * * * *",
        "1,,2 * * * *",
        ",1 * * * *",
        "a * * * *",
        "* * * * mo",
        "* * * monday *",
        "@reboot",
        "@",
        "@daily x",
        "every",
        "every 5",
        "every m",
        "every 0m",
        "every 5x",
        "every 5 m",
        "every 1000001d",
        "*5 * * * *",
        "? * * * *",
        "* * L * *",
        "99999999999999999999 * * * *",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct cron cron;
        struct err err = ERR_NONE;
        assert_int_equal(cron_parse(slice_from(wrong[i]), &cron, &err), -1);
        assert_true(strlen(err.text) > 0);
    }
}

static void test_calendar(void **state)
{
    (void)state;
    for (int64_t day = -800000; day < 800000; day += 13) {
        int64_t year;
        int32_t month, in_month;
        tzif_date(day, &year, &month, &in_month);
        assert_true(month >= 1 && month <= 12 && in_month >= 1 && in_month <= 31);
        assert_int_equal(tzif_days(year, month, in_month), day);
    }
    assert_int_equal(tzif_days(1970, 1, 1), 0);
    assert_int_equal(tzif_days(2000, 3, 1), 11017);
}

/* Whole it is one, cut anywhere it is none. */
static void test_cut(void **state)
{
    (void)state;
    struct text file = TEXT_NONE;
    struct tzif zone;
    make_zone(BERLIN, &file);
    for (size_t n = 0; n < file.len; n++) {
        char *copy = mem_alloc(n);
        memcpy(copy, file.ptr, n);
        assert_int_equal(tzif_read(slice_make(copy, n), &zone), -1);
        mem_free(copy);
    }
    assert_int_equal(tzif_read(text_slice(&file), &zone), 0);
    text_deinit(&file);
}

static bool read_file(const char *path, struct text *out)
{
    char piece[4096];
    size_t n;
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
        text_append(out, slice_make(piece, n));
    fclose(file);
    return true;
}

static void test_library(void **state)
{
    (void)state;
    static const char *const names[] = {"Europe/Berlin",     "America/New_York",    "Asia/Kolkata",
                                        "Africa/Casablanca", "Australia/Lord_Howe", "Asia/Tehran",
                                        "America/Sao_Paulo", "Pacific/Apia"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct text path = TEXT_NONE;
        struct text file = TEXT_NONE;
        struct tzif zone;
        text_printf(&path, "/usr/share/zoneinfo/%s", names[i]);
        if (read_file(text_cstr(&path), &file)) {
            assert_int_equal(tzif_read(text_slice(&file), &zone), 0);
            assert_int_equal(setenv("TZ", names[i], 1), 0);
            tzset();
            for (time_t at = 0; at < 3000000000; at += 25147) {
                struct tm tm;
                assert_non_null(localtime_r(&at, &tm));
                assert_int_equal(tzif_offset_s(&zone, at), tm.tm_gmtoff);
            }
        }
        text_deinit(&path);
        text_deinit(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_due), cmocka_unit_test(test_wrong),   cmocka_unit_test(test_calendar),
        cmocka_unit_test(test_cut), cmocka_unit_test(test_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
