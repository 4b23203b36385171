/* SPDX-License-Identifier: Apache-2.0 */
/* Byte strings that grow by doubling. */
#include "base/text.h"
#include "base/mem.h"
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum { TEXT_CAP_MIN = 64 };

void text_deinit(struct text *text)
{
    mem_free(text->ptr);
    *text = (struct text)TEXT_NONE;
}

void text_clear(struct text *text)
{
    text->len = 0;
    if (text->ptr)
        text->ptr[0] = '\0';
}

char *text_reserve(struct text *text, size_t n)
{
    assert(n < PTRDIFF_MAX - text->len);
    size_t wanted = text->len + n + 1;
    if (wanted > text->cap) {
        size_t cap = text->cap ? 2 * text->cap : TEXT_CAP_MIN;
        text->cap = cap > wanted ? cap : wanted;
        text->ptr = mem_realloc(text->ptr, text->cap);
        text->ptr[text->len] = '\0';
    }
    return text->ptr + text->len;
}

void text_append(struct text *text, struct slice bytes)
{
    char *end = text_reserve(text, bytes.len);
    if (bytes.len)
        memcpy(end, bytes.ptr, bytes.len);
    end[bytes.len] = '\0';
    text->len += bytes.len;
}

void text_append_char(struct text *text, char c)
{
    text_append(text, (struct slice){&c, 1});
}

void text_pad(struct text *text, char c, size_t n)
{
    char *end = text_reserve(text, n);
    memset(end, c, n);
    end[n] = '\0';
    text->len += n;
}

void text_vprintf(struct text *text, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    char *end = text_reserve(text, 0);
    size_t room = text->cap - text->len;
    int len = vsnprintf(end, room, format, args);
    assert(len >= 0);
    if ((size_t)len >= room) {
        end = text_reserve(text, (size_t)len);
        (void)vsnprintf(end, (size_t)len + 1, format, again);
    }
    text->len += (size_t)len;
    va_end(again);
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_vprintf(text, format, args);
    va_end(args);
}

void text_rfc3339(struct text *text, uint64_t wall_s)
{
    time_t seconds = (time_t)wall_s;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    text_printf(text, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}
