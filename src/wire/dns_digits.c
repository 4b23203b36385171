/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Hexadecimal, base32hex and base64: digits are shifted into a word, and bytes taken from it as
 * they fill up.
 */

#include "wire/dns_digits.h"

#include <stdbool.h>

/* The first 16 are those of hexadecimal numbers, all are those of base32hex. */
static const char hex_digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct digits {
    unsigned n_bits; /* of a digit */
    uint32_t word;
    unsigned n_held;   /* bits of the word that are in no byte yet, 0..7 between digits */
    unsigned n_digits; /* so far, modulo 4 */
    unsigned n_padding;
    uint8_t *out;
    size_t len;
    size_t cap;
};

/* Its value, or -1. */
static int digit_of(const struct digits *digits, char c)
{
    const char *found;
    if (digits->n_bits < 6) {
        found = memchr(hex_digits, c >= 'a' && c <= 'v' ? c - 'a' + 'A' : c,
                       (size_t)1 << digits->n_bits);
        return found != NULL ? (int)(found - hex_digits) : -1;
    }
    found = memchr(base64_digits, c, 64);
    return found != NULL ? (int)(found - base64_digits) : -1;
}

static int take_digit(struct digits *digits, char c, struct err *err)
{
    static const char *const names[] = {
        [4] = "a hexadecimal number", [5] = "base32hex", [6] = "base64"};
    int value = digit_of(digits, c);
    if (digits->n_bits == 6 && c == '=' && digits->n_padding < 2) {
        digits->n_padding++;
        return 0;
    }
    if (value < 0 || digits->n_padding > 0)
        return err_set(err, "'%c' is no digit of %s here", c >= ' ' && c <= '~' ? c : '?',
                       names[digits->n_bits]);
    digits->word = digits->word << digits->n_bits | (uint32_t)value;
    digits->n_held += digits->n_bits;
    digits->n_digits = (digits->n_digits + 1) % 4;
    if (digits->n_held < 8)
        return 0;
    if (digits->len == digits->cap)
        return err_set(err, "more than %zu bytes of data", digits->cap);
    digits->n_held -= 8;
    digits->out[digits->len++] = (uint8_t)(digits->word >> digits->n_held);
    return 0;
}

/* Padding fills up four digits; the bits that are in no byte are zero. */
static bool is_complete(const struct digits *digits)
{
    if ((digits->word & ((1u << digits->n_held) - 1)) != 0)
        return false;
    if (digits->n_bits < 6)
        return digits->n_held < digits->n_bits;
    return digits->n_digits != 1 && (digits->n_digits + digits->n_padding) % 4 == 0;
}

static int read_digits(struct digits *digits, const struct dns_token *tokens, size_t n_tokens,
                       struct err *err)
{
    for (size_t i = 0; i < n_tokens; i++) {
        for (size_t at = 0; at < tokens[i].text.len; at++) {
            if (take_digit(digits, tokens[i].text.ptr[at], err) < 0)
                return -1;
        }
    }
    if (!is_complete(digits))
        return err_set(err, "the digits end within a byte");
    return (int)digits->len;
}

int dns_hex_read(const struct dns_token *tokens, size_t n_tokens, uint8_t *out, size_t cap,
                 struct err *err)
{
    struct digits digits = {.n_bits = 4, .out = out, .cap = cap};
    return read_digits(&digits, tokens, n_tokens, err);
}

int dns_base64_read(const struct dns_token *tokens, size_t n_tokens, uint8_t *out, size_t cap,
                    struct err *err)
{
    struct digits digits = {.n_bits = 6, .out = out, .cap = cap};
    return read_digits(&digits, tokens, n_tokens, err);
}

int dns_base32_read(struct slice text, uint8_t *out, size_t cap, struct err *err)
{
    struct digits digits = {.n_bits = 5, .out = out, .cap = cap};
    const struct dns_token token = {text, false};
    return read_digits(&digits, &token, 1, err);
}

void dns_hex_show(struct slice bytes, struct text *out)
{
    for (size_t i = 0; i < bytes.len; i++) {
        text_append_char(out, hex_digits[(unsigned char)bytes.ptr[i] >> 4]);
        text_append_char(out, hex_digits[(unsigned char)bytes.ptr[i] & 0xf]);
    }
}

void dns_base64_show(struct slice bytes, struct text *out)
{
    const unsigned char *from = (const unsigned char *)bytes.ptr;
    for (size_t at = 0; at < bytes.len; at += 3) {
        size_t n = bytes.len - at < 3 ? bytes.len - at : 3;
        uint32_t word = (uint32_t)from[at] << 16;
        word |= n > 1 ? (uint32_t)from[at + 1] << 8 : 0;
        word |= n > 2 ? from[at + 2] : 0;
        for (size_t i = 0; i < 4; i++)
            text_append_char(out, i <= n ? base64_digits[word >> (18 - 6 * i) & 63] : '=');
    }
}

void dns_base32_show(struct slice bytes, struct text *out)
{
    uint32_t word = 0;
    unsigned n_held = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        word = word << 8 | (unsigned char)bytes.ptr[i];
        for (n_held += 8; n_held >= 5; n_held -= 5)
            text_append_char(out, hex_digits[word >> (n_held - 5) & 31]);
    }
    if (n_held > 0)
        text_append_char(out, hex_digits[word << (5 - n_held) & 31]);
}
