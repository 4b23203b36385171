/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The first line of a client, as far as it says which protocol it is of.
 */

#include "wire/jobproto_greet.h"

#include "wire/jobproto.h"

enum { TLS_HANDSHAKE = 22 };

/* RFC 9112 section 3: all methods that there are in practice. */
static bool is_of_method(char c)
{
    return (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

/* RFC 9112 section 3.2: what a target begins with, but for CONNECT, which nobody asks here. */
static bool begins_target(char c)
{
    return c == '/' || c == '*' || c == 'h' || c == 'H';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* " HTTP/1.1", or any other version. */
static bool ends_with_version(struct slice line)
{
    enum { VERSION_LEN = sizeof(" HTTP/1.1") - 1 };
    if (line.len < VERSION_LEN)
        return false;
    struct slice end = slice_skip(line, line.len - VERSION_LEN);
    return slice_starts(end, SLICE(" HTTP/")) && is_digit(end.ptr[6]) && end.ptr[7] == '.' &&
           is_digit(end.ptr[8]);
}

static enum jobproto_greeting judge_line(struct slice line)
{
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return ends_with_version(line) ? JOBPROTO_GREET_HTTP : JOBPROTO_GREET_JOBS;
}

enum jobproto_greeting jobproto_greet(struct slice bytes)
{
    struct slice seen = slice_make(
        bytes.ptr, bytes.len < JOBPROTO_LINE_MAX ? bytes.len : (size_t)JOBPROTO_LINE_MAX);
    size_t n = 0;
    if (seen.len > 0 && seen.ptr[0] == TLS_HANDSHAKE)
        return JOBPROTO_GREET_TLS;
    while (n < seen.len && is_of_method(seen.ptr[n]))
        n++;
    if (n < seen.len && (n == 0 || seen.ptr[n] != ' '))
        return JOBPROTO_GREET_JOBS;
    if (n + 1 < seen.len && !begins_target(seen.ptr[n + 1]))
        return JOBPROTO_GREET_JOBS;
    size_t end = slice_find(seen, '\n');
    if (end < seen.len)
        return judge_line(slice_make(seen.ptr, end));
    if (seen.len < JOBPROTO_LINE_MAX)
        return JOBPROTO_GREET_MORE;
    return n < seen.len ? JOBPROTO_GREET_HTTP : JOBPROTO_GREET_JOBS;
}
