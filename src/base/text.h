/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

/*
 * A byte string that grows, for output that a person or a client reads: pages, messages, tables.
 * It has an owner, who calls text_deinit(). There is always a NUL behind the bytes.
 */

#include "base/slice.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *ptr; /* NULL until the first append */
    size_t len;
    size_t cap;
};

#define TEXT_NONE                       \
    {                                   \
        .ptr = NULL, .len = 0, .cap = 0 \
    }

void text_deinit(struct text *text);
/* Keeps the memory. */
void text_clear(struct text *text);
/* bytes do not lie in the text itself. */
void text_append(struct text *text, struct slice bytes);
void text_append_char(struct text *text, char c);
/* n copies of c. */
void text_pad(struct text *text, char c, size_t n);
/* "2026-11-27T13:40:00Z" (RFC 3339), whatever the locale. */
void text_rfc3339(struct text *text, uint64_t wall_s);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vprintf(struct text *text, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Room for at least n more bytes behind text->len; returns its start. */
char *text_reserve(struct text *text, size_t n);

static inline struct slice text_slice(const struct text *text)
{
    return (struct slice){text->ptr ? text->ptr : "", text->len};
}

/* The string, "" where nothing was appended; borrowed. */
static inline const char *text_cstr(const struct text *text)
{
    return text->ptr ? text->ptr : "";
}

#endif
