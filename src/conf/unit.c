/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units as tables of rows. A number without a unit, a unit in the wrong case and a fraction are
 * what people write at three in the morning; each has a sentence of its own.
 */
#include "conf/unit.h"
#include "base/ascii.h"
#include "base/mem.h"
#include "conf/utf8.h"
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit time_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
static const struct unit size_units[] = {
    {"k", 1ll << 10}, {"M", 1ll << 20}, {"G", 1ll << 30}, {"T", 1ll << 40}};

/* The longest time, a hundred years, and the largest size: sums of a few cannot overflow. */
static const int64_t time_max = 36500ll * 86400000, size_max = 1ll << 60;

const char *conf_quote(struct slice text, struct conf_quote *quote)
{
    static const size_t room = CONF_QUOTE_MAX - sizeof("...");
    size_t len = 0;
    while (text.len) {
        uint32_t character;
        size_t n = conf_utf8_next(text, &character);
        bool is_hidden = n == 0 || character < 0x20 || (character >= 0x7f && character < 0xa0);
        n = n ? n : 1;
        if (len + n > room) {
            memcpy(quote->text + len, "...", 3);
            len += 3;
            break;
        }
        memcpy(quote->text + len, is_hidden ? "????" : text.ptr, n);
        len += n;
        text = slice_skip(text, n);
    }
    quote->text[len] = '\0';
    return quote->text;
}

/* The digits at the front; *text becomes what is behind them. -1: none, or too many. */
static int cut_number(struct slice *text, uint64_t *ret_value)
{
    size_t n = 0;
    while (n < text->len && ascii_is_digit(text->ptr[n]))
        n++;
    struct slice digits = slice_make(text->ptr, n);
    *text = slice_skip(*text, n);
    return slice_to_u64(digits, ret_value);
}

static const struct unit *find_unit(const struct unit *units, size_t n_units, struct slice name,
                                    bool is_nocase)
{
    for (size_t i = 0; i < n_units; i++)
        if (is_nocase ? slice_equal_nocase(name, slice_from(units[i].name))
                      : slice_is(name, units[i].name))
            return &units[i];
    return NULL;
}

static int scale(uint64_t number, int64_t factor, int64_t max, int64_t *ret_value)
{
    int64_t value;
    if (__builtin_mul_overflow(number, factor, &value) || value > max)
        return -1;
    *ret_value = value;
    return 0;
}

/* A fraction, as 0.5s: digits, a dot, a digit. */
static bool is_fraction(struct slice rest)
{
    return rest.len > 1 && rest.ptr[0] == '.' && ascii_is_digit(rest.ptr[1]);
}

int conf_unit_time(struct slice text, int64_t *ret_ms, struct err *err)
{
    static const char forms[] = "2s, 250ms, 5m";
    struct conf_quote q;
    const char *quoted = conf_quote(text, &q);
    struct slice unit_name = text;
    uint64_t number;
    if (text.len == 0 || !ascii_is_digit(text.ptr[0]))
        return err_set(err, "\"%s\" is not a time: write %s", quoted, forms);
    if (cut_number(&unit_name, &number) < 0)
        return err_set(err, "\"%s\" is longer than a hundred years", quoted);
    if (unit_name.len == 0)
        return err_set(err, "\"%s\" has no unit: write %s", quoted, forms);
    if (is_fraction(unit_name))
        return err_set(err, "\"%s\" has a fraction: write a smaller unit, 500ms for half a second",
                       quoted);
    const struct unit *unit = find_unit(time_units, ARRAY_LEN(time_units), unit_name, false);
    if (!unit && find_unit(time_units, ARRAY_LEN(time_units), unit_name, true))
        return err_set(err, "\"%s\": units of time are small letters: %s", quoted, forms);
    if (!unit)
        return err_set(err, "\"%s\" has no unit that is known: write %s; there are ms s m h d",
                       quoted, forms);
    if (scale(number, unit->factor, time_max, ret_ms) < 0)
        return err_set(err, "\"%s\" is longer than a hundred years", quoted);
    return 0;
}

int conf_unit_size(struct slice text, int64_t *ret_bytes, struct err *err)
{
    static const char forms[] = "64k, 256M";
    struct conf_quote q;
    const char *quoted = conf_quote(text, &q);
    struct slice unit_name = text;
    uint64_t number;
    if (text.len == 0 || !ascii_is_digit(text.ptr[0]))
        return err_set(err, "\"%s\" is not a size: write %s", quoted, forms);
    if (cut_number(&unit_name, &number) < 0)
        return err_set(err, "\"%s\" is larger than any size", quoted);
    if (is_fraction(unit_name))
        return err_set(err, "\"%s\" has a fraction: write a smaller unit, 512k for half an M",
                       quoted);
    const struct unit *unit = find_unit(size_units, ARRAY_LEN(size_units), unit_name, false);
    if (!unit && find_unit(size_units, ARRAY_LEN(size_units), unit_name, true))
        return err_set(err, "\"%s\": capital letters but for k: %s", quoted, forms);
    if (!unit && unit_name.len)
        return err_set(err,
                       "\"%s\" has no unit that is known: write %s; there are k M G T, "
                       "powers of 1024",
                       quoted, forms);
    if (scale(number, unit ? unit->factor : 1, size_max, ret_bytes) < 0)
        return err_set(err, "\"%s\" is larger than any size", quoted);
    return 0;
}

int conf_unit_rate(struct slice text, int64_t *ret_count, int64_t *ret_per_ms, struct err *err)
{
    static const char forms[] = "10/s, 5/m";
    struct conf_quote q;
    const char *quoted = conf_quote(text, &q);
    struct slice rest = text;
    uint64_t number;
    if (text.len == 0 || !ascii_is_digit(text.ptr[0]))
        return err_set(err, "\"%s\" is not a rate: write %s", quoted, forms);
    if (cut_number(&rest, &number) < 0 || number > INT32_MAX)
        return err_set(err, "\"%s\" is more than %d", quoted, INT32_MAX);
    if (rest.len == 0 || rest.ptr[0] != '/')
        return err_set(err, "\"%s\" does not say how often: write %s", quoted, forms);
    const struct unit *unit =
        find_unit(time_units, ARRAY_LEN(time_units), slice_skip(rest, 1), false);
    if (!unit || unit->factor == 1)
        return err_set(err, "\"%s\" has no unit that is known: write %s; there are /s /m /h /d",
                       quoted, forms);
    *ret_count = (int64_t)number;
    *ret_per_ms = unit->factor;
    return 0;
}

int conf_unit_int(struct slice text, int64_t *ret_value, struct err *err)
{
    struct conf_quote q;
    bool is_negative = text.len > 1 && text.ptr[0] == '-';
    struct slice rest = slice_skip(text, is_negative);
    uint64_t number;
    if (rest.len == 0 || !ascii_is_digit(rest.ptr[0]))
        return err_set(err, "\"%s\" is not a whole number", conf_quote(text, &q));
    bool is_over = cut_number(&rest, &number) < 0 || number > INT64_MAX;
    if (rest.len)
        return err_set(err, "\"%s\" is not a whole number: write digits alone",
                       conf_quote(text, &q));
    if (is_over)
        return err_set(err, "\"%s\" is larger than any number here", conf_quote(text, &q));
    *ret_value = is_negative ? -(int64_t)number : (int64_t)number;
    return 0;
}

/* The largest unit that leaves no rest; the rows ascend. NULL: none. */
static const struct unit *fitting(const struct unit *units, size_t n_units, int64_t value)
{
    const struct unit *best = NULL;
    for (size_t i = 0; i < n_units; i++)
        if (value && value % units[i].factor == 0)
            best = &units[i];
    return best;
}

void conf_unit_show_time(struct text *out, int64_t ms)
{
    const struct unit *unit = fitting(time_units, ARRAY_LEN(time_units), ms);
    if (unit)
        text_printf(out, "%lld%s", (long long)(ms / unit->factor), unit->name);
    else
        text_append(out, SLICE("0s"));
}

void conf_unit_show_size(struct text *out, int64_t bytes)
{
    const struct unit *unit = fitting(size_units, ARRAY_LEN(size_units), bytes);
    text_printf(out, "%lld%s", (long long)(unit ? bytes / unit->factor : bytes),
                unit ? unit->name : "");
}

void conf_unit_show_rate(struct text *out, int64_t count, int64_t per_ms)
{
    const struct unit *unit = fitting(time_units, ARRAY_LEN(time_units), per_ms);
    text_printf(out, "%lld/%s", (long long)count, unit ? unit->name : "s");
}
