/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The file's second block, its rule, and the calendar.
 */

#include "queue/tzif.h"

#include "base/ascii.h"

#include <string.h>

enum { HEADER_LEN = 44, TYPE_LEN = 6, DAY_S = 86400, OFFSET_MAX_S = 26 * 3600 };

/* ---- the calendar ---------------------------------------------------------------------------- */

static int64_t divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Years that begin in March have their leap day last. */
int64_t tzif_days(int64_t year, int32_t month, int32_t day)
{
    year += divide(month - 1, 12);
    int64_t m = (month - 1) - 12 * divide(month - 1, 12); /* 0..11 from January */
    int64_t from_march = (m + 10) % 12;
    int64_t y = year - (m < 2);
    int64_t in_year = (153 * from_march + 2) / 5 + day - 1;
    return 365 * y + divide(y, 4) - divide(y, 100) + divide(y, 400) + in_year - 719468;
}

void tzif_date(int64_t days, int64_t *ret_year, int32_t *ret_month, int32_t *ret_day)
{
    /* A guess from the mean year is at most one off. */
    int64_t year = 1970 + divide(days * 400, 146097);
    while (tzif_days(year, 1, 1) > days)
        year--;
    while (tzif_days(year + 1, 1, 1) <= days)
        year++;
    int32_t month = 1;
    while (month < 12 && tzif_days(year, month + 1, 1) <= days)
        month++;
    *ret_year = year;
    *ret_month = month;
    *ret_day = (int32_t)(days - tzif_days(year, month, 1)) + 1;
}

/* ---- the rule -------------------------------------------------------------------------------- */

static bool take_char(struct slice *rest, char c)
{
    if (rest->len == 0 || rest->ptr[0] != c)
        return false;
    *rest = slice_skip(*rest, 1);
    return true;
}

/* Digits of a number up to max: 0 or -1. */
static int take_number(struct slice *rest, int32_t max, int32_t *ret)
{
    int32_t value = 0;
    size_t n = 0;
    for (; n < rest->len && ascii_is_digit(rest->ptr[n]); n++) {
        value = 10 * value + (rest->ptr[n] - '0');
        if (value > max)
            return -1;
    }
    *rest = slice_skip(*rest, n);
    *ret = value;
    return n > 0 ? 0 : -1;
}

/* "[+-]h[:m[:s]]" */
static int take_time(struct slice *rest, int32_t *ret_s)
{
    int32_t h = 0;
    int32_t m = 0;
    int32_t s = 0;
    bool is_negative = take_char(rest, '-');
    if (!is_negative)
        take_char(rest, '+');
    if (take_number(rest, 167, &h) < 0)
        return -1;
    if (take_char(rest, ':') && take_number(rest, 59, &m) < 0)
        return -1;
    if (take_char(rest, ':') && take_number(rest, 59, &s) < 0)
        return -1;
    *ret_s = h * 3600 + m * 60 + s;
    if (is_negative)
        *ret_s = -*ret_s;
    return 0;
}

/* "CET" or "<+03>": only that it is one. */
static int take_name(struct slice *rest)
{
    size_t n = 0;
    if (take_char(rest, '<')) {
        n = slice_find(*rest, '>');
        if (n == rest->len)
            return -1;
        *rest = slice_skip(*rest, n + 1);
        return 0;
    }
    while (n < rest->len && ascii_lower(rest->ptr[n]) >= 'a' && ascii_lower(rest->ptr[n]) <= 'z')
        n++;
    *rest = slice_skip(*rest, n);
    return n >= 3 ? 0 : -1;
}

/* "Mm.w.d", "Jn" or "n", and "/time" */
static int take_change(struct slice *rest, struct tzif_change *change)
{
    *change = (struct tzif_change){.kind = TZIF_DAY, .at_s = 2 * 3600};
    if (!take_char(rest, ','))
        return -1;
    if (take_char(rest, 'M')) {
        change->kind = TZIF_MONTH;
        if (take_number(rest, 12, &change->month) < 0 || !take_char(rest, '.') ||
            take_number(rest, 5, &change->week) < 0 || !take_char(rest, '.') ||
            take_number(rest, 6, &change->day) < 0 || change->month < 1 || change->week < 1)
            return -1;
    } else {
        if (take_char(rest, 'J'))
            change->kind = TZIF_JULIAN;
        if (take_number(rest, 365, &change->day) < 0)
            return -1;
        if (change->kind == TZIF_JULIAN && change->day < 1)
            return -1;
    }
    return take_char(rest, '/') ? take_time(rest, &change->at_s) : 0;
}

static int read_rule(struct slice rule, struct tzif *zone)
{
    int32_t behind_s = 0;
    if (rule.len == 0)
        return 0;
    if (take_name(&rule) < 0 || take_time(&rule, &behind_s) < 0 || behind_s < -OFFSET_MAX_S ||
        behind_s > OFFSET_MAX_S)
        return -1;
    zone->has_rule = true;
    zone->standard_s = -behind_s;
    if (rule.len == 0)
        return 0;
    zone->has_summer = true;
    behind_s -= 3600;
    if (take_name(&rule) < 0)
        return -1;
    if (rule.len > 0 && rule.ptr[0] != ',' && take_time(&rule, &behind_s) < 0)
        return -1;
    if (behind_s < -OFFSET_MAX_S || behind_s > OFFSET_MAX_S)
        return -1;
    zone->summer_s = -behind_s;
    if (take_change(&rule, &zone->begin) < 0 || take_change(&rule, &zone->end) < 0)
        return -1;
    return rule.len == 0 ? 0 : -1;
}

/* The local second since 1970 at which a year has the change. */
static int64_t change_s(const struct tzif_change *change, int64_t year)
{
    int64_t days = tzif_days(year, 1, 1);
    if (change->kind == TZIF_DAY) {
        days += change->day;
    } else if (change->kind == TZIF_JULIAN) {
        bool is_leap = tzif_days(year, 3, 1) - days == 60;
        days += change->day - 1 + (is_leap && change->day >= 60);
    } else {
        int64_t first = tzif_days(year, change->month, 1);
        int64_t weekday = (first + 4) % 7; /* 1970-01-01 was a Thursday */
        weekday += weekday < 0 ? 7 : 0;
        days = first + (change->day - weekday + 7) % 7 + 7 * (int64_t)(change->week - 1);
        while (days >= tzif_days(year, change->month + 1, 1))
            days -= 7;
    }
    return days * DAY_S + change->at_s;
}

static int32_t rule_offset_s(const struct tzif *zone, int64_t utc_s)
{
    int64_t year;
    int32_t month, day;
    if (!zone->has_summer)
        return zone->standard_s;
    tzif_date(divide(utc_s + zone->standard_s, DAY_S), &year, &month, &day);
    int64_t begin_s = change_s(&zone->begin, year) - zone->standard_s;
    int64_t end_s = change_s(&zone->end, year) - zone->summer_s;
    bool is_summer =
        begin_s < end_s ? begin_s <= utc_s && utc_s < end_s : !(end_s <= utc_s && utc_s < begin_s);
    return is_summer ? zone->summer_s : zone->standard_s;
}

/* ---- the file -------------------------------------------------------------------------------- */

static uint64_t load(const char *ptr, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | (unsigned char)ptr[i];
    return value;
}

/* The counts of a header, in its order: isut, isstd, leap, time, type, char. */
struct counts {
    uint64_t n[6];
};

/* Bytes of the data behind a header whose times have `width` bytes. */
static uint64_t data_len(const struct counts *counts, uint64_t width)
{
    return counts->n[3] * (width + 1) + counts->n[4] * TYPE_LEN + counts->n[5] +
           counts->n[2] * (width + 4) + counts->n[1] + counts->n[0];
}

static int take_header(struct slice *rest, struct counts *ret)
{
    if (rest->len < HEADER_LEN || memcmp(rest->ptr, "TZif", 4) != 0 || rest->ptr[4] < '2')
        return -1;
    for (size_t i = 0; i < 6; i++)
        ret->n[i] = load(rest->ptr + 20 + 4 * i, 4);
    *rest = slice_skip(*rest, HEADER_LEN);
    return 0;
}

static int check_data(const struct tzif *zone)
{
    for (size_t i = 0; i < zone->n_times; i++) {
        if ((unsigned char)zone->kinds[i] >= zone->n_types)
            return -1;
        if (i > 0 &&
            (int64_t)load(zone->times + 8 * i, 8) <= (int64_t)load(zone->times + 8 * (i - 1), 8))
            return -1;
    }
    for (size_t i = 0; i < zone->n_types; i++) {
        int32_t offset_s = (int32_t)load(zone->types + TYPE_LEN * i, 4);
        if (offset_s < -OFFSET_MAX_S || offset_s > OFFSET_MAX_S)
            return -1;
    }
    return 0;
}

int tzif_read(struct slice bytes, struct tzif *ret_zone)
{
    struct counts counts;
    struct slice rest = bytes;
    *ret_zone = (struct tzif){.n_times = 0};
    if (take_header(&rest, &counts) < 0 || data_len(&counts, 4) > rest.len)
        return -1;
    rest = slice_skip(rest, (size_t)data_len(&counts, 4));
    if (take_header(&rest, &counts) < 0 || data_len(&counts, 8) > rest.len || counts.n[4] == 0)
        return -1;
    ret_zone->n_times = (size_t)counts.n[3];
    ret_zone->n_types = (size_t)counts.n[4];
    ret_zone->times = rest.ptr;
    ret_zone->kinds = ret_zone->times + 8 * ret_zone->n_times;
    ret_zone->types = ret_zone->kinds + ret_zone->n_times;
    rest = slice_skip(rest, (size_t)data_len(&counts, 8));
    if (check_data(ret_zone) < 0 || !take_char(&rest, '\n'))
        return -1;
    size_t n_rule = slice_find(rest, '\n');
    if (n_rule == rest.len)
        return -1;
    return read_rule(slice_make(rest.ptr, n_rule), ret_zone);
}

static int32_t type_offset_s(const struct tzif *zone, size_t type)
{
    return (int32_t)load(zone->types + TYPE_LEN * type, 4);
}

int32_t tzif_offset_s(const struct tzif *zone, int64_t utc_s)
{
    if (!zone)
        return 0;
    size_t low = 0; /* transitions below it have been */
    size_t high = zone->n_times;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((int64_t)load(zone->times + 8 * middle, 8) <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == zone->n_times && zone->has_rule)
        return rule_offset_s(zone, utc_s);
    return type_offset_s(zone, low > 0 ? (unsigned char)zone->kinds[low - 1] : 0);
}
