/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fields with a form of their own: what DNSSEC's records and those with identifiers are made of.
 */

#include "wire/dns_field.h"
#include "base/ascii.h"
#include "wire/dns_digits.h"

enum {
    WINDOWS = 256,     /* of types */
    WINDOW_BYTES = 32, /* their bits */
    DATE_DIGITS = 14,  /* YYYYMMDDHHmmSS */
    LENGTH_MAX = 255,  /* of what has its length in a byte before it */
    SECONDS_A_DAY = 86400,
};

/* ---- numbers with names ---------------------------------------------------------------------- */

struct named {
    uint16_t value;
    const char *name;
};

/* IANA, DNS Security Algorithm Numbers. */
static const struct named algorithms[] = {
    {1, "RSAMD5"},
    {2, "DH"},
    {3, "DSA"},
    {5, "RSASHA1"},
    {6, "DSA-NSEC3-SHA1"},
    {7, "RSASHA1-NSEC3-SHA1"},
    {8, "RSASHA256"},
    {10, "RSASHA512"},
    {12, "ECC-GOST"},
    {13, "ECDSAP256SHA256"},
    {14, "ECDSAP384SHA384"},
    {15, "ED25519"},
    {16, "ED448"},
    {252, "INDIRECT"},
    {253, "PRIVATEDNS"},
    {254, "PRIVATEOID"},
    {0, NULL},
};

/* RFC 4398 section 2.1. */
static const struct named certificates[] = {
    {1, "PKIX"},   {2, "SPKI"},    {3, "PGP"},   {4, "IPKIX"}, {5, "ISPKI"}, {6, "IPGP"},
    {7, "ACPKIX"}, {8, "IACPKIX"}, {253, "URI"}, {254, "OID"}, {0, NULL},
};

static int put_named(const struct named *rows, size_t n_bytes, struct slice text,
                     struct dns_out *out, struct err *err)
{
    uint64_t value;
    for (; rows->name != NULL; rows++) {
        if (slice_equal_nocase(text, slice_from(rows->name)))
            return dns_out_number(out, rows->value, n_bytes, err);
    }
    if (slice_to_u64(text, &value) < 0 || value >= UINT64_C(1) << (8 * n_bytes))
        return err_set(err, "\"%.*s\" is no %s", SLICE_ARG(text),
                       n_bytes == 1 ? "algorithm of keys" : "kind of certificate");
    return dns_out_number(out, value, n_bytes, err);
}

static int put_type(struct slice text, struct dns_out *out, struct err *err)
{
    uint16_t type;
    if (dns_type_read(text, &type) < 0)
        return err_set(err, "\"%.*s\" is no type", SLICE_ARG(text));
    return dns_out_number(out, type, 2, err);
}

/* ---- seconds since 1970 ---------------------------------------------------------------------- */

static int days_of_month(int year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && is_leap);
}

/* From 1970 on. */
static int days_of_year(int year)
{
    return 365 + (days_of_month(year, 2) == 29);
}

/* n digits of a date at *at, as a number of least..most; -1 otherwise. */
static int take_part(struct slice date, size_t *at, size_t n, int least, int most)
{
    uint64_t value;
    if (slice_to_u64(slice_make(date.ptr + *at, n), &value) < 0)
        return -1;
    *at += n;
    return value >= (uint64_t)least && value <= (uint64_t)most ? (int)value : -1;
}

static int read_date(struct slice text, uint64_t *ret_s)
{
    size_t at = 0;
    int year = take_part(text, &at, 4, 1970, 2106);
    int month = year < 0 ? -1 : take_part(text, &at, 2, 1, 12);
    int day = month < 0 ? -1 : take_part(text, &at, 2, 1, days_of_month(year, month));
    int hour = day < 0 ? -1 : take_part(text, &at, 2, 0, 23);
    int minute = hour < 0 ? -1 : take_part(text, &at, 2, 0, 59);
    int second = minute < 0 ? -1 : take_part(text, &at, 2, 0, 59);
    if (second < 0)
        return -1;
    int days = day - 1;
    for (int i = 1970; i < year; i++)
        days += days_of_year(i);
    for (int i = 1; i < month; i++)
        days += days_of_month(year, i);
    *ret_s = (uint64_t)days * SECONDS_A_DAY + (uint64_t)(hour * 3600 + minute * 60 + second);
    return 0;
}

static int put_date(struct slice text, struct dns_out *out, struct err *err)
{
    uint64_t seconds;
    int result = text.len == DATE_DIGITS ? read_date(text, &seconds) : slice_to_u64(text, &seconds);
    if (result < 0 || seconds > UINT32_MAX)
        return err_set(err,
                       "\"%.*s\" is no date; want YYYYMMDDHHmmSS, at most 21060207062815, or "
                       "seconds since 1970",
                       SLICE_ARG(text));
    return dns_out_number(out, seconds, 4, err);
}

static void show_date(uint32_t seconds, struct text *out)
{
    int days = (int)(seconds / SECONDS_A_DAY), year = 1970, month = 1;
    unsigned second = seconds % SECONDS_A_DAY;
    for (; days >= days_of_year(year); year++)
        days -= days_of_year(year);
    for (; days >= days_of_month(year, month); month++)
        days -= days_of_month(year, month);
    text_printf(out, "%04d%02d%02d%02u%02u%02u", year, month, days + 1, second / 3600,
                second / 60 % 60, second % 60);
}

/* ---- bytes with their length ----------------------------------------------------------------- */

static int put_counted(char field, struct slice text, struct dns_out *out, struct err *err)
{
    uint8_t bytes[1 + LENGTH_MAX] = {0};
    const struct dns_token token = {text, false};
    int len = 0;
    if (field == 'H')
        len = dns_base32_read(text, bytes + 1, LENGTH_MAX, err);
    else if (!slice_is(text, "-"))
        len = dns_hex_read(&token, 1, bytes + 1, LENGTH_MAX, err);
    if (len < 0)
        return -1;
    if (len == 0 && !slice_is(text, "-"))
        return err_set(err, "want %s", dns_field_name(field));
    bytes[0] = (uint8_t)len;
    return dns_out_put(out, bytes, (size_t)len + 1, err);
}

static int measure_counted(struct slice rest, unsigned least)
{
    if (rest.len == 0)
        return -1;
    unsigned len = (unsigned char)rest.ptr[0];
    return len >= least && len < rest.len ? (int)len + 1 : -1;
}

/* ---- groups of digits ------------------------------------------------------------------------ */

struct groups {
    unsigned n, n_bytes; /* of a group */
    unsigned least;      /* digits of a group */
    char mark;           /* between two */
    const char *name;
};

static struct groups groups_of(char field)
{
    if (field == 'i')
        return (struct groups){4, 2, 1, ':', "four groups as 0014:4fff:ff20:ee64"};
    if (field == 'e')
        return (struct groups){6, 1, 2, '-', "six bytes as 00-00-5e-00-53-2a"};
    return (struct groups){8, 1, 2, '-', "eight bytes as 00-00-5e-ef-10-00-00-2a"};
}

static int digit_of(char c)
{
    char small = ascii_lower(c);
    if (ascii_is_digit(c))
        return c - '0';
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

/* A group of hexadecimal digits, cut from *rest; -1 where it is none. */
static int take_group(struct slice *rest, const struct groups *groups)
{
    int value = 0;
    size_t n = 0;
    for (; n < rest->len && rest->ptr[n] != groups->mark; n++) {
        int digit = digit_of(rest->ptr[n]);
        if (digit < 0 || n == 2 * (size_t)groups->n_bytes)
            return -1;
        value = value << 4 | digit;
    }
    *rest = slice_skip(*rest, n);
    return n >= groups->least ? value : -1;
}

static int put_groups(char field, struct slice text, struct dns_out *out, struct err *err)
{
    const struct groups groups = groups_of(field);
    struct slice rest = text;
    for (unsigned i = 0; i < groups.n; i++) {
        if (i > 0 && rest.len > 0)
            rest = slice_skip(rest, 1);
        int value = take_group(&rest, &groups);
        if (value < 0 || (i + 1 == groups.n && rest.len > 0))
            return err_set(err, "\"%.*s\" is not %s", SLICE_ARG(text), groups.name);
        if (dns_out_number(out, (uint64_t)value, groups.n_bytes, err) < 0)
            return -1;
    }
    return 0;
}

static void show_groups(char field, struct slice bytes, struct text *out)
{
    const struct groups groups = groups_of(field);
    for (unsigned i = 0; i < groups.n; i++) {
        if (i > 0)
            text_append_char(out, groups.mark);
        if (groups.n_bytes == 2)
            text_printf(out, "%x", dns_get16(bytes.ptr + 2 * (size_t)i));
        else
            text_printf(out, "%02x", (unsigned char)bytes.ptr[i]);
    }
}

/* ---- types to the end ------------------------------------------------------------------------ */

/* A set of types; a window's bits count where it has a length. */
struct types {
    uint8_t lens[WINDOWS];
    uint8_t bits[WINDOWS][WINDOW_BYTES];
};

static void add_type(struct types *types, uint16_t type)
{
    unsigned window = type >> 8, byte = (type & 0xff) / 8;
    if (types->lens[window] == 0)
        memset(types->bits[window], 0, WINDOW_BYTES);
    if (types->lens[window] <= byte)
        types->lens[window] = (uint8_t)(byte + 1);
    types->bits[window][byte] |= (uint8_t)(0x80 >> type % 8);
}

int dns_field_read_types(const struct dns_token *tokens, size_t n_tokens, struct dns_out *out,
                         struct err *err)
{
    struct types types; /* its bits are cleared as they are used */
    memset(types.lens, 0, sizeof(types.lens));
    for (size_t i = 0; i < n_tokens; i++) {
        uint16_t type;
        if (dns_type_read(tokens[i].text, &type) < 0)
            return err_set(err, "\"%.*s\" is no type", SLICE_ARG(tokens[i].text));
        add_type(&types, type);
    }
    for (unsigned window = 0; window < WINDOWS; window++) {
        const uint8_t head[] = {(uint8_t)window, types.lens[window]};
        if (head[1] > 0 && (dns_out_put(out, head, sizeof(head), err) < 0 ||
                            dns_out_put(out, types.bits[window], head[1], err) < 0))
            return -1;
    }
    return 0;
}

static int measure_types(struct slice rest)
{
    int former = -1;
    for (size_t at = 0; at < rest.len;) {
        if (rest.len - at < 3)
            return -1;
        int window = (unsigned char)rest.ptr[at];
        size_t len = (unsigned char)rest.ptr[at + 1];
        if (window <= former || len == 0 || len > WINDOW_BYTES || rest.len - at - 2 < len ||
            rest.ptr[at + 1 + len] == 0)
            return -1;
        former = window;
        at += 2 + len;
    }
    return (int)rest.len;
}

static void show_types(struct slice bytes, struct text *out)
{
    char name[DNS_TYPE_TEXT_MAX];
    const char *blank = "";
    for (size_t at = 0; at < bytes.len; at += 2 + (size_t)(unsigned char)bytes.ptr[at + 1]) {
        unsigned window = (unsigned char)bytes.ptr[at], len = (unsigned char)bytes.ptr[at + 1];
        for (unsigned bit = 0; bit < 8 * len; bit++) {
            if (!((unsigned char)bytes.ptr[at + 2 + bit / 8] & 0x80 >> bit % 8))
                continue;
            text_printf(out, "%s%s", blank, dns_type_show((uint16_t)(window << 8 | bit), name));
            blank = " ";
        }
    }
}

/* ---- by letter ------------------------------------------------------------------------------- */

const char *dns_field_name(char field)
{
    switch (field) {
    case 'T':
        return "a type";
    case 'l':
        return "an algorithm of keys";
    case 'c':
        return "a kind of certificate";
    case 'D':
        return "a date as YYYYMMDDHHmmSS";
    case 'h':
        return "a salt in hexadecimal digits, or -";
    case 'H':
        return "a hash in base32hex";
    default:
        return groups_of(field).name;
    }
}

int dns_field_read(char field, struct slice text, struct dns_out *out, struct err *err)
{
    switch (field) {
    case 'T':
        return put_type(text, out, err);
    case 'l':
        return put_named(algorithms, 1, text, out, err);
    case 'c':
        return put_named(certificates, 2, text, out, err);
    case 'D':
        return put_date(text, out, err);
    case 'h':
    case 'H':
        return put_counted(field, text, out, err);
    default:
        return put_groups(field, text, out, err);
    }
}

int dns_field_measure(char field, struct slice rest)
{
    const struct groups groups = groups_of(field);
    switch (field) {
    case 'w':
        return measure_types(rest);
    case 'h':
        return measure_counted(rest, 0);
    case 'H':
        return measure_counted(rest, 1);
    case 'l':
        return rest.len >= 1 ? 1 : -1;
    case 'T':
    case 'c':
        return rest.len >= 2 ? 2 : -1;
    case 'D':
        return rest.len >= 4 ? 4 : -1;
    default:
        return rest.len >= groups.n * groups.n_bytes ? (int)(groups.n * groups.n_bytes) : -1;
    }
}

void dns_field_show(char field, struct slice bytes, struct text *out)
{
    char name[DNS_TYPE_TEXT_MAX];
    switch (field) {
    case 'w':
        show_types(bytes, out);
        break;
    case 'T':
        text_append(out, slice_from(dns_type_show(dns_get16(bytes.ptr), name)));
        break;
    case 'l':
        text_printf(out, "%u", (unsigned char)bytes.ptr[0]);
        break;
    case 'c':
        text_printf(out, "%u", dns_get16(bytes.ptr));
        break;
    case 'D':
        show_date(dns_get32(bytes.ptr), out);
        break;
    case 'h':
        if (bytes.len == 1)
            text_append_char(out, '-');
        dns_hex_show(slice_skip(bytes, 1), out);
        break;
    case 'H':
        dns_base32_show(slice_skip(bytes, 1), out);
        break;
    default:
        show_groups(field, bytes, out);
        break;
    }
}
