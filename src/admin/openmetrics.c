/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OpenMetrics text format: escaping, numbers, the lines of a family and of its samples.
 */
#include "admin/openmetrics.h"

#include "base/mem.h"
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { HIST_FIRST_POWER = 4, HIST_LAST_POWER = 26, HIST_POWER_STEP = 2 };

/* The bytes of the UTF-8 character at the start (RFC 3629), or 0 where there is none. */
static size_t utf8_len(struct slice at)
{
    const unsigned char *p = (const unsigned char *)at.ptr;
    unsigned first = p[0];
    if (first < 0x80)
        return 1;
    size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || at.len < len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    bool is_overlong = (first == 0xe0 && p[1] < 0xa0) || (first == 0xf0 && p[1] < 0x90);
    bool is_beyond = (first == 0xed && p[1] > 0x9f) || (first == 0xf4 && p[1] > 0x8f);
    return is_overlong || is_beyond ? 0 : len;
}

/* Escapes as the format wants in label values, and allows in HELP. */
static void text_escaped(struct text *out, struct slice value)
{
    while (value.len) {
        size_t len = utf8_len(value);
        char c = value.ptr[0];
        if (len == 0)
            text_append(out, SLICE("\xef\xbf\xbd"));
        else if (c == '\n')
            text_append(out, SLICE("\\n"));
        else if (c == '"' || c == '\\')
            text_printf(out, "\\%c", c);
        else
            text_append(out, slice_make(value.ptr, len));
        value = slice_skip(value, len ? len : 1);
    }
}

/* The shortest form that reads back, and always with a point or an exponent, as a float has. */
static void text_number(struct text *out, double value)
{
    if (isnan(value) || isinf(value)) {
        text_append(out, isnan(value) ? SLICE("NaN") : value > 0 ? SLICE("+Inf") : SLICE("-Inf"));
        return;
    }
    char number[40];
    if (fabs(value) < 1e15 && !(trunc(value) < value) && !(trunc(value) > value)) {
        text_printf(out, "%.1f", value);
        return;
    }
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(number, sizeof(number), "%.*g", digits, value);
        double back = strtod(number, NULL);
        if (!(back < value) && !(back > value))
            break;
    }
    text_append(out, slice_from(number));
    if (!strpbrk(number, ".e"))
        text_append(out, SLICE(".0"));
}

static const char *unit_of(const char *name)
{
    static const char *const units[] = {"seconds", "bytes", "ratio"};
    const char *last = strrchr(name, '_');
    for (size_t i = 0; last && i < ARRAY_LEN(units); i++) {
        if (strcmp(last + 1, units[i]) == 0)
            return units[i];
    }
    return NULL;
}

void openmetrics_family(struct text *out, const char *name, enum openmetrics_kind kind,
                        const char *help)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram", "info"};
    text_printf(out, "# TYPE %s %s\n", name, kinds[kind]);
    const char *unit = unit_of(name);
    if (unit)
        text_printf(out, "# UNIT %s %s\n", name, unit);
    text_printf(out, "# HELP %s ", name);
    text_escaped(out, slice_from(help));
    text_append_char(out, '\n');
}

static void text_labels(struct text *out, const struct openmetrics_label *labels, size_t n_labels)
{
    for (size_t i = 0; i < n_labels; i++) {
        text_printf(out, "%s%s=\"", i ? "," : "{", labels[i].name);
        text_escaped(out, labels[i].value);
        text_append_char(out, '"');
    }
    if (n_labels)
        text_append_char(out, '}');
}

void openmetrics_uint(struct text *out, const char *name, const char *suffix,
                      const struct openmetrics_label *labels, size_t n_labels, uint64_t value)
{
    text_printf(out, "%s%s", name, suffix);
    text_labels(out, labels, n_labels);
    text_printf(out, " %" PRIu64 "\n", value);
}

void openmetrics_double(struct text *out, const char *name, const char *suffix,
                        const struct openmetrics_label *labels, size_t n_labels, double value)
{
    text_printf(out, "%s%s", name, suffix);
    text_labels(out, labels, n_labels);
    text_append_char(out, ' ');
    text_number(out, value);
    text_append_char(out, '\n');
}

void openmetrics_hist(struct text *out, const char *name, const struct openmetrics_label *labels,
                      size_t n_labels, const uint64_t *words, double scale)
{
    struct openmetrics_label all[METRIC_LABELS_MAX + 2];
    assert(n_labels < ARRAY_LEN(all));
    for (size_t i = 0; i < n_labels; i++)
        all[i] = labels[i];
    struct text bound = TEXT_NONE;
    uint64_t n = 0;
    unsigned bucket = 0;
    for (unsigned power = HIST_FIRST_POWER; power <= HIST_LAST_POWER; power += HIST_POWER_STEP) {
        uint64_t upper = (uint64_t)1 << power;
        for (; bucket < hist_bucket(upper); bucket++)
            n += words[bucket];
        text_clear(&bound);
        text_number(&bound, (double)upper * scale);
        all[n_labels] = (struct openmetrics_label){"le", text_slice(&bound)};
        openmetrics_uint(out, name, "_bucket", all, n_labels + 1, n);
    }
    for (; bucket < HIST_BUCKETS; bucket++)
        n += words[bucket];
    all[n_labels] = (struct openmetrics_label){"le", SLICE("+Inf")};
    openmetrics_uint(out, name, "_bucket", all, n_labels + 1, n);
    openmetrics_uint(out, name, "_count", labels, n_labels, n);
    openmetrics_double(out, name, "_sum", labels, n_labels, (double)words[HIST_BUCKETS] * scale);
    text_deinit(&bound);
}

void openmetrics_end(struct text *out)
{
    text_append(out, SLICE("# EOF\n"));
}
