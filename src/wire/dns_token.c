/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The words of a record's text.
 */

#include "wire/dns_token.h"
#include "base/ascii.h"

#include <limits.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* What is behind a quote's end, line.len where it has none. */
static size_t quote_end(struct slice line, size_t at)
{
    while (at < line.len && line.ptr[at] != '"')
        at += line.ptr[at] == '\\' ? 2 : 1;
    return at < line.len ? at : line.len;
}

/* The end of a word without quotes around it; line.len + 1 where a quote in it stays open. */
static size_t word_end(struct slice line, size_t at)
{
    while (at < line.len && !is_blank(line.ptr[at])) {
        if (line.ptr[at] == '"') {
            at = quote_end(line, at + 1);
            if (at >= line.len)
                return line.len + 1;
        }
        at += line.ptr[at] == '\\' ? 2 : 1;
    }
    return at < line.len ? at : line.len;
}

/* The word at *at. */
static int take_word(struct slice line, size_t *at, struct dns_token *token, struct err *err)
{
    token->is_quoted = line.ptr[*at] == '"';
    size_t start = *at + token->is_quoted;
    size_t end = token->is_quoted ? quote_end(line, start) : word_end(line, start);
    if (end > line.len || (token->is_quoted && end == line.len))
        return err_set(err, "a quote stays open");
    *at = end + token->is_quoted;
    if (*at < line.len && !is_blank(line.ptr[*at]))
        return err_set(err, "want a blank behind a closing quote");
    token->text = slice_make(line.ptr + start, end - start);
    return 0;
}

int dns_token_split(struct slice line, struct dns_token ret_tokens[DNS_TOKENS_MAX], size_t *ret_n,
                    struct err *err)
{
    size_t at = 0, n = 0;
    for (;;) {
        while (at < line.len && is_blank(line.ptr[at]))
            at++;
        if (at == line.len)
            break;
        if (n == DNS_TOKENS_MAX)
            return err_set(err, "more than %d words", DNS_TOKENS_MAX);
        if (take_word(line, &at, &ret_tokens[n++], err) < 0)
            return -1;
    }
    *ret_n = n;
    return 0;
}

int dns_token_byte(struct slice text, size_t *at, uint8_t *ret_byte, struct err *err)
{
    const char *c = text.ptr + *at;
    size_t left = text.len - *at;
    if (*c != '\\') {
        *ret_byte = (uint8_t)*c;
        *at += 1;
        return 0;
    }
    if (left >= 2 && !ascii_is_digit(c[1])) {
        *ret_byte = (uint8_t)c[1];
        *at += 2;
        return 0;
    }
    if (left < 4 || !ascii_is_digit(c[2]) || !ascii_is_digit(c[3]))
        return err_set(err, "a backslash wants three digits or one other character behind it");
    int value = (c[1] - '0') * 100 + (c[2] - '0') * 10 + (c[3] - '0');
    if (value > UINT8_MAX)
        return err_set(err, "\\%.3s is no byte; want \\000 to \\255", c + 1);
    *ret_byte = (uint8_t)value;
    *at += 4;
    return 0;
}

int dns_token_bytes(struct slice text, uint8_t *out, size_t cap, struct err *err)
{
    size_t n = 0;
    for (size_t at = 0; at < text.len;) {
        uint8_t byte;
        if (dns_token_byte(text, &at, &byte, err) < 0)
            return -1;
        if (n == cap || n == INT_MAX)
            return err_set(err, "a string of more than %zu bytes", cap);
        out[n++] = byte;
    }
    return (int)n;
}

/* The seconds of a unit, 0 where it is none. */
static uint32_t unit_seconds(char unit)
{
    switch (ascii_lower(unit)) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    case 'w':
        return 604800;
    default:
        return 0;
    }
}

int dns_token_seconds(struct slice text, uint32_t *ret_s)
{
    uint64_t sum = 0;
    if (text.len == 0)
        return -1;
    for (size_t at = 0; at < text.len;) {
        size_t start = at;
        uint64_t value;
        while (at < text.len && ascii_is_digit(text.ptr[at]))
            at++;
        if (slice_to_u64(slice_make(text.ptr + start, at - start), &value) < 0 ||
            value > UINT32_MAX)
            return -1;
        uint32_t unit = at < text.len ? unit_seconds(text.ptr[at++]) : start == 0;
        sum += value * unit;
        if (unit == 0 || sum > UINT32_MAX)
            return -1;
    }
    *ret_s = (uint32_t)sum;
    return 0;
}
