/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reads the secret file and judges whether its lines are long enough.
 */

#include "core/secret.h"

#include "base/ascii.h"
#include <stdint.h>

struct writing {
    const char *what;
    size_t min;
};

static bool is_hex(char c)
{
    return ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

static bool is_base64(char c)
{
    return ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') ||
           (c && strchr("+/-_=", c));
}

static bool is_all(struct slice line, bool (*is_one)(char c))
{
    for (size_t i = 0; i < line.len; i++) {
        if (!is_one(line.ptr[i]))
            return false;
    }
    return true;
}

static struct writing writing_of(struct slice line)
{
    if (is_all(line, is_hex))
        return (struct writing){"hexadecimal digits", SECRET_HEX_MIN};
    if (is_all(line, is_base64))
        return (struct writing){"characters of base64", SECRET_BASE64_MIN};
    return (struct writing){"characters", SECRET_TEXT_MIN};
}

static size_t variety(struct slice line)
{
    uint64_t seen[4] = {0};
    size_t n = 0;
    for (size_t i = 0; i < line.len; i++) {
        unsigned char byte = (unsigned char)line.ptr[i];
        uint64_t bit = (uint64_t)1 << (byte % 64);
        n += !(seen[byte / 64] & bit);
        seen[byte / 64] |= bit;
    }
    return n;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct slice trim(struct slice line)
{
    while (line.len && is_space(line.ptr[line.len - 1]))
        line.len--;
    while (line.len && is_space(line.ptr[0]))
        line = slice_skip(line, 1);
    return line;
}

static int judge(struct slice line, size_t number, struct err *err)
{
    static const char hint[] = "`head -c 32 /dev/urandom | base64` makes a good one";
    struct writing writing = writing_of(line);
    if (memchr(line.ptr, '\0', line.len))
        return err_set(err, "line %zu holds a NUL; %s", number, hint);
    if (line.len < writing.min)
        return err_set(err, "the secret in line %zu has %zu %s; %zu are the least; %s", number,
                       line.len, writing.what, writing.min, hint);
    if (line.len > SECRET_LINE_MAX)
        return err_set(err, "line %zu is longer than %d characters; %s", number, SECRET_LINE_MAX,
                       hint);
    if (variety(line) < SECRET_VARIETY_MIN)
        return err_set(err, "the secret in line %zu repeats too few different characters; %s",
                       number, hint);
    return 0;
}

int secrets_parse(struct slice bytes, struct secrets *ret_secrets, struct err *err)
{
    struct secrets secrets = {.n_items = 0};
    for (size_t number = 1; bytes.len; number++) {
        struct slice line = trim(slice_cut(&bytes, '\n'));
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        if (judge(line, number, err) < 0)
            return -1;
        if (secrets.n_items == SECRETS_MAX)
            return err_set(err, "line %zu is one secret too many; %d are the most", number,
                           SECRETS_MAX);
        for (size_t i = 0; i < secrets.n_items; i++) {
            if (slice_equal(secrets.items[i], line))
                return err_set(err, "line %zu repeats an earlier secret", number);
        }
        secrets.items[secrets.n_items++] = line;
    }
    if (secrets.n_items == 0)
        return err_set(err, "there is no secret in it; want one a line");
    *ret_secrets = secrets;
    return 0;
}

int secrets_check(struct slice bytes, struct err *err)
{
    struct secrets secrets;
    return secrets_parse(bytes, &secrets, err);
}
