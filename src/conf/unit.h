/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_UNIT_H
#define CONF_UNIT_H

/*
 * Numbers with a unit, as the configuration writes them, in both directions: times in milliseconds
 * (250ms 2s 5m 1h 7d), sizes in bytes (512 64k 256M 2G, powers of 1024) and rates (10/s 5/m). What
 * is formatted reads back as the same value.
 */

#include "base/err.h"
#include "base/slice.h"
#include "base/text.h"
#include <stdint.h>

/* Each returns 0, or -1 with a sentence that says what would be right. */
int conf_unit_time(struct slice text, int64_t *ret_ms, struct err *err);
int conf_unit_size(struct slice text, int64_t *ret_bytes, struct err *err);
int conf_unit_rate(struct slice text, int64_t *ret_count, int64_t *ret_per_ms, struct err *err);
/* Decimal digits, a minus allowed before them. */
int conf_unit_int(struct slice text, int64_t *ret_value, struct err *err);

/* Each appends the shortest form; the values are not negative. */
void conf_unit_show_time(struct text *out, int64_t ms);
void conf_unit_show_size(struct text *out, int64_t bytes);
void conf_unit_show_rate(struct text *out, int64_t count, int64_t per_ms);

enum { CONF_QUOTE_MAX = 80 };

struct conf_quote {
    char text[CONF_QUOTE_MAX];
};

/* What a sentence shows of a token: control characters as `?`, cut where it is long. Returns its
 * string. */
const char *conf_quote(struct slice text, struct conf_quote *quote);

#endif
