/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/*
 * A failure that a person will read: one sentence that says what failed, where, why, and what
 * would be right. The caller owns the struct, usually on its stack, and passes it down as the last
 * argument; whoever detects the failure writes it once, whoever passes it up may put what it was
 * doing in front. It is read where it is handled, and logged there, once.
 *
 * The sign of a result: 0 fine; negative: failed, pass it up untouched; positive: a named outcome
 * that the caller handles here.
 */

enum { ERR_TEXT_MAX = 512 };

struct err {
    int number; /* errno of the failed call, or 0 */
    char text[ERR_TEXT_MAX];
};

#define ERR_NONE                \
    {                           \
        .number = 0, .text = "" \
    }

/* Writes the sentence; err may be NULL. Always returns -1, so that `return err_set(...)` reads. */
int err_set(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with ": " and the text of `number` (an errno value) behind it. Returns -1. */
int err_set_errno(struct err *err, int number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "what: " before the sentence that is there. Returns -1. */
int err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
