/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Data from the words of a zone file or of a static record: a word a field, and what is left for a
 * field that goes to the end.
 */

#include "wire/dns_digits.h"
#include "wire/dns_field.h"
#include "wire/dns_form.h"
#include "wire/dns_name.h"
#include "wire/dns_rdata.h"
#include "wire/dns_svcb.h"

#include <arpa/inet.h>
#include <assert.h>

struct words {
    const struct dns_token *tokens;
    size_t n; /* that are left */
    struct slice origin;
};

/* ---- fields of one word ---------------------------------------------------------------------- */

static int put_name(struct slice text, struct slice origin, struct dns_out *out, struct err *err)
{
    uint8_t name[DNS_NAME_MAX];
    size_t len;
    if (dns_name_read(text, origin, name, &len, err) < 0)
        return err_prefix(err, "\"%.*s\"", SLICE_ARG(text));
    return dns_out_put(out, name, len, err);
}

static int put_number(struct slice text, size_t n_bytes, struct dns_out *out, struct err *err)
{
    uint64_t value, most = (UINT64_C(1) << (8 * n_bytes)) - 1;
    if (slice_to_u64(text, &value) < 0 || value > most)
        return err_set(err, "\"%.*s\" is no number of 0 to %llu", SLICE_ARG(text),
                       (unsigned long long)most);
    return dns_out_number(out, value, n_bytes, err);
}

static int put_seconds(struct slice text, struct dns_out *out, struct err *err)
{
    uint32_t seconds;
    if (dns_token_seconds(text, &seconds) < 0)
        return err_set(err, "\"%.*s\" is no time; want seconds, or one as 1d12h", SLICE_ARG(text));
    return dns_out_number(out, seconds, 4, err);
}

static int put_address(struct slice text, char field, struct dns_out *out, struct err *err)
{
    char copy[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    if (text.len >= sizeof(copy) || slice_copy(text, copy, sizeof(copy)) == 0 ||
        inet_pton(field == 'a' ? AF_INET : AF_INET6, copy, bytes) != 1)
        return err_set(err, "\"%.*s\" is no IPv%c address", SLICE_ARG(text),
                       field == 'a' ? '4' : '6');
    return dns_out_put(out, bytes, field == 'a' ? 4 : 16, err);
}

static int put_string(struct slice text, struct dns_out *out, struct err *err)
{
    uint8_t bytes[1 + DNS_STRING_MAX];
    int len = dns_token_bytes(text, bytes + 1, DNS_STRING_MAX, err);
    if (len < 0)
        return -1;
    bytes[0] = (uint8_t)len;
    return dns_out_put(out, bytes, (size_t)len + 1, err);
}

/* What a letter is called where its word is missing. */
static const char *field_name(char field)
{
    switch (field) {
    case '1':
    case '2':
    case '4':
        return "a number";
    case 't':
        return "a time";
    case 'a':
        return "an IPv4 address";
    case 'A':
        return "an IPv6 address";
    case 's':
    case 'S':
    case 'v':
        return "a string";
    case 'g':
        return "a tag";
    case 'x':
        return "hexadecimal digits";
    case 'b':
        return "base64";
    case 'n':
    case 'd':
    case 'N':
        return "a name";
    default:
        return dns_field_name(field);
    }
}

static int put_word(char field, const struct dns_token *token, struct slice origin,
                    struct dns_out *out, struct err *err)
{
    struct slice text = token->text;
    size_t start = out->len;
    switch (field) {
    case '1':
    case '2':
    case '4':
        return put_number(text, (size_t)(field - '0'), out, err);
    case 't':
        return put_seconds(text, out, err);
    case 'a':
    case 'A':
        return put_address(text, field, out, err);
    case 's':
        return put_string(text, out, err);
    case 'g':
        if (put_string(text, out, err) < 0)
            return -1;
        if (dns_form_measure('g', slice_make((char *)out->ptr + start, out->len - start)) < 0)
            return err_set(err, "\"%.*s\" is no tag; want letters and digits", SLICE_ARG(text));
        return 0;
    case 'n':
    case 'd':
    case 'N':
        return put_name(text, origin, out, err);
    default:
        return dns_field_read(field, text, out, err);
    }
}

/* ---- fields to the end ----------------------------------------------------------------------- */

static int put_strings(const struct words *words, struct dns_out *out, struct err *err)
{
    for (size_t i = 0; i < words->n; i++) {
        if (put_string(words->tokens[i].text, out, err) < 0)
            return -1;
    }
    return 0;
}

/* All that is left; what it takes is behind out->len. */
static int read_rest(char field, const struct words *words, struct dns_out *out, struct err *err)
{
    uint8_t *to = out->ptr + out->len;
    size_t cap = out->cap - out->len;
    switch (field) {
    case 'p':
        return dns_svcb_read(words->tokens, words->n, to, cap, err);
    case 'x':
        return dns_hex_read(words->tokens, words->n, to, cap, err);
    case 'b':
        return dns_base64_read(words->tokens, words->n, to, cap, err);
    default: /* v */
        return dns_token_bytes(words->tokens[0].text, to, cap, err);
    }
}

static int put_rest(char field, struct words *words, struct dns_out *out, struct err *err)
{
    if (field == 'S') {
        if (put_strings(words, out, err) < 0)
            return -1;
    } else if (field == 'w') {
        if (dns_field_read_types(words->tokens, words->n, out, err) < 0)
            return -1;
    } else {
        int len = read_rest(field, words, out, err);
        if (len < 0)
            return -1;
        if (len == 0 && (field == 'x' || field == 'b'))
            return err_set(err, "want %s", field_name(field));
        out->len += (size_t)len;
    }
    size_t n = field == 'v' ? 1 : words->n;
    words->tokens += n;
    words->n -= n;
    return 0;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Words behind \#: the number of bytes, and their digits. */
static int read_opaque(uint16_t type, const struct words *words, struct dns_out *out,
                       struct err *err)
{
    uint64_t want;
    if (words->n == 0 || slice_to_u64(words->tokens[0].text, &want) < 0 || want > DNS_RDATA_MAX)
        return err_set(err, "want a number of bytes, 0 to %d, behind \\#", DNS_RDATA_MAX);
    int len = dns_hex_read(words->tokens + 1, words->n - 1, out->ptr, out->cap, err);
    if (len < 0)
        return -1;
    if ((uint64_t)len != want)
        return err_set(err, "there are %d bytes, and \\# says %llu", len, (unsigned long long)want);
    char name[DNS_TYPE_TEXT_MAX];
    if (!dns_rdata_is_valid(type, slice_make((const char *)out->ptr, (size_t)len)))
        return err_set(err, "these bytes are no data of type %s", dns_type_show(type, name));
    out->len = (size_t)len;
    return 0;
}

static int read_fields(const char *fields, struct words *words, struct dns_out *out,
                       struct err *err)
{
    for (; *fields != '\0'; fields++) {
        if (words->n == 0 && *fields != 'p' && *fields != 'w')
            return err_set(err, "want %s behind that", field_name(*fields));
        if (strchr("Svxbpw", *fields) != NULL) {
            if (put_rest(*fields, words, out, err) < 0)
                return -1;
            continue;
        }
        if (put_word(*fields, words->tokens, words->origin, out, err) < 0)
            return -1;
        words->tokens++;
        words->n--;
    }
    if (words->n > 0)
        return err_set(err, "want nothing more before \"%.*s\"", SLICE_ARG(words->tokens[0].text));
    return 0;
}

int dns_rdata_read(uint16_t type, const struct dns_token *tokens, size_t n_tokens,
                   struct slice origin, uint8_t *out, size_t cap, size_t *ret_len, struct err *err)
{
    struct words words = {tokens, n_tokens, origin};
    struct dns_out to = {out, cap < DNS_RDATA_MAX ? cap : DNS_RDATA_MAX, 0};
    const char *fields = dns_form_fields(type);
    char name[DNS_TYPE_TEXT_MAX];
    int result;
    if (dns_type_is_meta(type))
        return err_set(err, "%s is no type of a record", dns_type_show(type, name));
    if (n_tokens > 0 && !tokens[0].is_quoted && slice_is(tokens[0].text, "\\#")) {
        words.tokens++;
        words.n--;
        result = read_opaque(type, &words, &to, err);
    } else if (fields != NULL) {
        result = read_fields(fields, &words, &to, err);
    } else {
        return err_set(err,
                       "data of type %s are written as \\#, a number of bytes, and their "
                       "hexadecimal digits",
                       dns_type_show(type, name));
    }
    if (result < 0)
        return err_prefix(err, "%s", dns_type_show(type, name));
    assert(dns_rdata_is_valid(type, slice_make((const char *)out, to.len)));
    *ret_len = to.len;
    return 0;
}

int dns_rdata_read_line(uint16_t type, struct slice line, struct slice origin, uint8_t *out,
                        size_t cap, size_t *ret_len, struct err *err)
{
    struct dns_token tokens[DNS_TOKENS_MAX];
    size_t n;
    if (dns_token_split(line, tokens, &n, err) < 0)
        return -1;
    return dns_rdata_read(type, tokens, n, origin, out, cap, ret_len, err);
}
