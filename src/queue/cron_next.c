/* SPDX-License-Identifier: Apache-2.0 */

/*
 * When a schedule is due next: a walk from minute to minute, by whole hours and days where these do
 * not match, that stops at every jump of the clock and never steps over one.
 */

#include "queue/cron.h"

enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400 };

/* The date and time on the wall. */
struct wall {
    int32_t minute, hour, day, month, weekday;
};

static struct wall wall_of(int64_t local_s)
{
    int64_t days = local_s / DAY_S;
    int64_t in_day = local_s % DAY_S;
    int64_t year;
    struct wall wall;
    if (in_day < 0) {
        days--;
        in_day += DAY_S;
    }
    tzif_date(days, &year, &wall.month, &wall.day);
    wall.weekday = (int32_t)(((days + 4) % 7 + 7) % 7);
    wall.hour = (int32_t)(in_day / HOUR_S);
    wall.minute = (int32_t)(in_day % HOUR_S / MINUTE_S);
    return wall;
}

static bool has_bit(uint64_t bits, int32_t bit)
{
    return bits >> bit & 1;
}

static bool is_day(const struct cron *cron, const struct wall *wall)
{
    bool is_date = has_bit(cron->days, wall->day);
    bool is_weekday = has_bit(cron->weekdays, wall->weekday);
    if (!has_bit(cron->months, wall->month))
        return false;
    if (cron->is_any_day || cron->is_any_weekday)
        return is_date && is_weekday;
    return is_date || is_weekday;
}

/* Seconds until the wall may match, 0: it does. */
static int64_t seconds_until(const struct cron *cron, int64_t local_s)
{
    struct wall wall = wall_of(local_s);
    int64_t in_day = wall.hour * HOUR_S + wall.minute * MINUTE_S;
    if (!is_day(cron, &wall))
        return DAY_S - in_day;
    if (!has_bit(cron->hours, wall.hour))
        return HOUR_S - wall.minute * MINUTE_S;
    return has_bit(cron->minutes, wall.minute) ? 0 : MINUTE_S;
}

/* The first instant in (from, to] at which the offset is no more what it was at from, or `to`. */
static int64_t first_jump(const struct tzif *zone, int64_t from, int64_t to)
{
    int32_t offset_s = tzif_offset_s(zone, from);
    if (tzif_offset_s(zone, to) == offset_s)
        return to;
    while (to - from > 1) {
        int64_t middle = from + (to - from) / 2;
        if (tzif_offset_s(zone, middle) == offset_s)
            from = middle;
        else
            to = middle;
    }
    return to;
}

/* How far into its minute: 0..59. */
static int64_t in_minute_s(int64_t local_s)
{
    return (local_s % MINUTE_S + MINUTE_S) % MINUTE_S;
}

/* Does one of the local times from..to (exclusive), which never were, match? */
static bool is_left_out(const struct cron *cron, int64_t from_s, int64_t to_s)
{
    for (int64_t local_s = from_s + in_minute_s(-from_s); local_s < to_s;) {
        int64_t step_s = seconds_until(cron, local_s);
        if (step_s == 0)
            return true;
        local_s += step_s;
    }
    return false;
}

/* Was the same local time on the wall within the day before already? */
static bool is_repeated(const struct tzif *zone, int64_t utc_s)
{
    int32_t offset_s = tzif_offset_s(zone, utc_s);
    int64_t jump = first_jump(zone, utc_s - DAY_S, utc_s);
    int32_t former_s = tzif_offset_s(zone, jump - 1);
    return former_s > offset_s && utc_s < jump + (former_s - offset_s);
}

static bool is_due(const struct cron *cron, const struct tzif *zone, int64_t utc_s)
{
    int32_t offset_s = tzif_offset_s(zone, utc_s);
    int32_t former_s = tzif_offset_s(zone, utc_s - 1);
    int64_t local_s = utc_s + offset_s;
    bool is_match = in_minute_s(local_s) == 0 && seconds_until(cron, local_s) == 0;
    if (cron->is_any_hour)
        return is_match;
    if (former_s < offset_s && is_left_out(cron, utc_s + former_s, local_s))
        return true;
    return is_match && !is_repeated(zone, utc_s);
}

int64_t cron_next_after(const struct cron *cron, const struct tzif *zone, int64_t after_s)
{
    if (cron->every_s > 0)
        return (after_s / cron->every_s + 1) * cron->every_s;
    int64_t end_s = after_s + (int64_t)CRON_YEARS_MAX * 366 * DAY_S;
    int64_t utc_s = after_s + 1;
    while (utc_s < end_s) {
        if (is_due(cron, zone, utc_s))
            return utc_s;
        int64_t local_s = utc_s + tzif_offset_s(zone, utc_s);
        int64_t step_s = seconds_until(cron, local_s);
        /* To a whole minute on the wall. */
        step_s = (step_s > 0 ? step_s : MINUTE_S) - in_minute_s(local_s);
        utc_s = first_jump(zone, utc_s, utc_s + step_s);
    }
    return -1;
}
