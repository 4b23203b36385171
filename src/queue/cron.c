/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a schedule says.
 */

#include "queue/cron.h"

#include "base/ascii.h"

#include <string.h>

struct field {
    const char *name;
    uint32_t min, max;
    const char *const *names; /* of min, min + 1, ...; NULL: none */
    uint32_t n_names;
};

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                          "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, N_FIELDS };

static const struct field fields[N_FIELDS] = {
    [MINUTE] = {"minute", 0, 59, NULL, 0},
    [HOUR] = {"hour", 0, 23, NULL, 0},
    [DAY] = {"day", 1, 31, NULL, 0},
    [MONTH] = {"month", 1, 12, month_names, 12},
    [WEEKDAY] = {"weekday", 0, 7, weekday_names, 7},
};

static int take_value(const struct field *field, struct slice word, uint32_t *ret)
{
    uint64_t number;
    for (uint32_t i = 0; i < field->n_names; i++) {
        if (!slice_equal_nocase(word, slice_from(field->names[i])))
            continue;
        *ret = field->min + i;
        return 0;
    }
    if (slice_to_u64(word, &number) < 0 || number < field->min || number > field->max)
        return -1;
    *ret = (uint32_t)number;
    return 0;
}

/* "*", "a", "a-b", and "/step" behind a star or a range. */
static int take_item(const struct field *field, struct slice item, uint64_t *bits)
{
    uint32_t low = field->min;
    uint32_t high = field->max;
    uint64_t step = 1;
    struct slice steps = item;
    struct slice range = slice_cut(&steps, '/');
    bool is_range = slice_is(range, "*");
    if (steps.ptr && (slice_to_u64(steps, &step) < 0 || step == 0 || step > field->max))
        return -1;
    if (!is_range) {
        struct slice last = range;
        struct slice first = slice_cut(&last, '-');
        is_range = last.ptr != NULL;
        if (take_value(field, first, &low) < 0)
            return -1;
        high = low;
        if (is_range && take_value(field, last, &high) < 0)
            return -1;
        if (field->max == 7 && high == 0 && low > 0)
            high = 7; /* up to Sunday */
    }
    if (high < low || (steps.ptr && !is_range))
        return -1;
    for (uint64_t i = low; i <= high; i += step)
        *bits |= UINT64_C(1) << i;
    return 0;
}

static int take_field(const struct field *field, struct slice word, uint64_t *ret_bits,
                      struct err *err)
{
    struct slice rest = word;
    *ret_bits = 0;
    while (rest.ptr) {
        struct slice item = slice_cut(&rest, ',');
        if (take_item(field, item, ret_bits) < 0)
            return err_set(err, "\"%.*s\" is no %s; want *, %u to %u, a range, or /step behind one",
                           SLICE_ARG(item), field->name, field->min, field->max);
    }
    return 0;
}

static struct slice cut_word(struct slice *rest)
{
    *rest = slice_trim(*rest);
    size_t n = 0;
    while (n < rest->len && rest->ptr[n] != ' ' && rest->ptr[n] != '\t')
        n++;
    struct slice word = slice_make(rest->ptr, n);
    *rest = slice_trim(slice_skip(*rest, n));
    return word;
}

static int refuse_word(struct slice text, struct err *err)
{
    return err_set(err,
                   "\"%.*s\" is no schedule; want @hourly @daily @weekly @monthly @yearly, five "
                   "fields, or every 5m",
                   SLICE_ARG(text));
}

static int count_fields(struct slice text)
{
    int n = 0;
    for (struct slice rest = text; cut_word(&rest).len > 0;)
        n++;
    return n;
}

static int parse_fields(struct slice text, struct cron *cron, struct err *err)
{
    uint64_t bits[N_FIELDS];
    bool is_any[N_FIELDS];
    struct slice rest = text;
    int n_fields = count_fields(text);
    if (n_fields == 1)
        return refuse_word(text, err);
    if (n_fields != N_FIELDS)
        return err_set(err, "\"%.*s\" has %d fields; want five, minute hour day month weekday%s",
                       SLICE_ARG(text), n_fields,
                       n_fields == N_FIELDS + 1 ? ": no second stands before them" : "");
    for (int i = 0; i < N_FIELDS; i++) {
        struct slice word = cut_word(&rest);
        if (take_field(&fields[i], word, &bits[i], err) < 0)
            return -1;
        is_any[i] = word.ptr[0] == '*';
    }
    cron->minutes = bits[MINUTE];
    cron->hours = (uint32_t)bits[HOUR];
    cron->days = (uint32_t)bits[DAY];
    cron->months = (uint32_t)bits[MONTH];
    cron->weekdays = (uint32_t)((bits[WEEKDAY] | bits[WEEKDAY] >> 7) & 0x7f);
    cron->is_any_hour = is_any[HOUR];
    cron->is_any_day = is_any[DAY];
    cron->is_any_weekday = is_any[WEEKDAY];
    return 0;
}

static int parse_word(struct slice text, struct cron *cron, struct err *err)
{
    static const struct {
        const char *word;
        struct slice fields;
    } words[] = {
        {"@hourly", SLICE_INIT("0 * * * *")},   {"@daily", SLICE_INIT("0 0 * * *")},
        {"@midnight", SLICE_INIT("0 0 * * *")}, {"@weekly", SLICE_INIT("0 0 * * 0")},
        {"@monthly", SLICE_INIT("0 0 1 * *")},  {"@yearly", SLICE_INIT("0 0 1 1 *")},
        {"@annually", SLICE_INIT("0 0 1 1 *")},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_is(text, words[i].word))
            return parse_fields(words[i].fields, cron, err);
    return refuse_word(text, err);
}

static int parse_every(struct slice period, struct cron *cron, struct err *err)
{
    static const struct {
        char unit;
        int64_t s;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    uint64_t n = 0;
    struct slice digits = slice_make(period.ptr, period.len > 0 ? period.len - 1 : 0);
    for (size_t i = 0; digits.len > 0 && i < sizeof(units) / sizeof(units[0]); i++) {
        if (period.ptr[digits.len] != units[i].unit)
            continue;
        if (slice_to_u64(digits, &n) < 0 || n == 0 || n > 1000000)
            break;
        cron->every_s = (int64_t)n * units[i].s;
        return 0;
    }
    return err_set(err, "\"every %.*s\": want a number, 1 to 1000000, and s, m, h or d",
                   SLICE_ARG(period));
}

int cron_parse(struct slice text, struct cron *ret_cron, struct err *err)
{
    *ret_cron = (struct cron){.every_s = 0};
    struct slice all = slice_trim(text);
    struct slice rest = all;
    struct slice first = cut_word(&rest);
    if (slice_is(first, "every"))
        return parse_every(rest, ret_cron, err);
    if (first.len > 0 && first.ptr[0] == '@')
        return parse_word(all, ret_cron, err);
    return parse_fields(all, ret_cron, err);
}
