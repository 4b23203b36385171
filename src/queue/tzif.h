/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_TZIF_H
#define QUEUE_TZIF_H

/*
 * A time zone from the bytes of its file (TZif, RFC 8536), version 2 or later: how far local time
 * is ahead of UTC at an instant. Nothing is copied; the bytes outlive the struct.
 *
 *     header, data of 32 bits, header, data of 64 bits, LF, rule, LF
 *                              '--------- what is read ----------'
 *
 * The rule (POSIX TZ, RFC 8536 section 3.3) says what comes after the last transition in the data.
 */

#include "base/slice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tzif_day { TZIF_JULIAN, TZIF_DAY, TZIF_MONTH }; /* Jn, n, Mm.w.d */

struct tzif_change {
    enum tzif_day kind;
    int32_t month, week, day;
    int32_t at_s; /* local seconds after that day's midnight, may be negative or above a day */
};

struct tzif {
    const char *times; /* 64 bits big endian each, rising */
    const char *kinds; /* a byte for each: which of the types */
    const char *types; /* 6 bytes each: 32 bits of offset, is it daylight time, name */
    size_t n_times, n_types;
    bool has_rule, has_summer;
    int32_t standard_s, summer_s;  /* ahead of UTC */
    struct tzif_change begin, end; /* of summer time, in the local time that was until then */
};

/* 0, or -1: no such file. */
int tzif_read(struct slice bytes, struct tzif *ret_zone);

/* Seconds that local time is ahead of UTC at `utc_s` (since 1970). zone NULL: UTC, always 0. */
int32_t tzif_offset_s(const struct tzif *zone, int64_t utc_s);

/* Days since 1970-01-01 of a day of the Gregorian calendar; month and day may be out of range. */
int64_t tzif_days(int64_t year, int32_t month, int32_t day);
/* The other way: month 1..12, day 1..31. */
void tzif_date(int64_t days, int64_t *ret_year, int32_t *ret_month, int32_t *ret_day);

#endif
