/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_CRON_H
#define QUEUE_CRON_H

/*
 * When something is due again and again: the five fields of cron in a time zone, a word for them,
 * or a period.
 *
 *     minute hour day month weekday       30 4 * * mon-fri        fields and their values:
 *     0-59   0-23 1-31 1-12  0-7          0,15,30,45 9-17/2 1 jan,jul *
 *                                         *  a  a-b  *-step  a-b/step, separated by commas;
 *                                         months and weekdays also by three letters; 0, 7: Sunday
 *     @hourly @daily @midnight @weekly @monthly @yearly @annually
 *     every 5m                            s m h d; at the multiples since 1970 UTC, without a zone
 *
 * (where *-step stands for a star, a slash and a number). Where both day and weekday say less than
 * a star, either will do, as in Vixie's cron.
 *
 * Clocks that are put forward or back: a schedule whose hour is a star goes by the clock on the
 * wall: it runs whenever that says so, in an hour that comes twice also twice. Every other one runs
 * at the times that it names: those that a jump forward leaves out are made up for by one run at
 * the jump, and of an hour that comes twice only the first counts.
 */

#include "base/err.h"
#include "base/slice.h"
#include "queue/tzif.h"
#include <stdbool.h>
#include <stdint.h>

enum { CRON_YEARS_MAX = 9 }; /* 29 February can be eight years away */

struct cron {
    uint64_t minutes; /* a bit each */
    uint32_t hours, days, months;
    uint32_t weekdays;                            /* 0..6 from Sunday */
    bool is_any_hour, is_any_day, is_any_weekday; /* the field begins with a star */
    int64_t every_s;                              /* > 0: a period, and nothing else counts */
};

/* 0, or -1 and what is wrong. */
int cron_parse(struct slice text, struct cron *ret_cron, struct err *err);

/*
 * The first instant after `after_s` (seconds since 1970 UTC, 0..2^40), or -1: none within
 * CRON_YEARS_MAX years. zone NULL: UTC.
 */
int64_t cron_next_after(const struct cron *cron, const struct tzif *zone, int64_t after_s);

#endif
