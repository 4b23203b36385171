/* SPDX-License-Identifier: Apache-2.0 */

/*
 * base64url and base64, three bytes as four characters.
 */

#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64_write(const void *bytes, size_t len, char *ret_text)
{
    const uint8_t *in = bytes;
    char *out = ret_text;
    uint32_t bits = 0;
    unsigned n_bits = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | in[i];
        n_bits += 8;
        while (n_bits >= 6) {
            n_bits -= 6;
            *out++ = alphabet[bits >> n_bits & 63];
        }
    }
    if (n_bits > 0)
        *out++ = alphabet[bits << (6 - n_bits) & 63];
    return (size_t)(out - ret_text);
}

size_t base64_write_padded(const void *bytes, size_t len, char *ret_text)
{
    size_t n = base64_write(bytes, len, ret_text);
    for (size_t i = 0; i < n; i++)
        if (ret_text[i] == '-' || ret_text[i] == '_')
            ret_text[i] = ret_text[i] == '-' ? '+' : '/';
    while (n % 4 != 0)
        ret_text[n++] = '=';
    return n;
}

/* The value of a character, or -1. */
static int char_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-')
        return 62;
    return c == '_' ? 63 : -1;
}

/* Of a character of either alphabet. */
static int any_value(char c)
{
    if (c == '+')
        return 62;
    return c == '/' ? 63 : char_value(c);
}

static ssize_t read_chars(struct slice text, void *ret_bytes, size_t cap, int (*value_of)(char c))
{
    uint8_t *out = ret_bytes;
    size_t len = BASE64_BYTES(text.len);
    uint32_t bits = 0;
    unsigned n_bits = 0;
    size_t n = 0;
    if (text.len % 4 == 1 || len > cap)
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        int value = value_of(text.ptr[i]);
        if (value < 0)
            return -1;
        bits = bits << 6 | (uint32_t)value;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            out[n++] = (uint8_t)(bits >> n_bits);
        }
    }
    if (bits & ((1u << n_bits) - 1))
        return -1;
    return (ssize_t)n;
}

ssize_t base64_read(struct slice text, void *ret_bytes, size_t cap)
{
    return read_chars(text, ret_bytes, cap, char_value);
}

ssize_t base64_read_padded(struct slice text, void *ret_bytes, size_t cap)
{
    bool is_padded = text.len % 4 == 0;
    for (int i = 0; i < 2 && is_padded && text.len > 0 && text.ptr[text.len - 1] == '='; i++)
        text.len--;
    return read_chars(text, ret_bytes, cap, any_value);
}
