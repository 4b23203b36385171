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

/*
 * err may be NULL. All three are -1, so that `return err_set(...)` reads; they are macros so that
 * whoever compiles or analyses a caller sees that it is.
 *
 *     err_set(err, format, ...)                 writes the sentence
 *     err_set_errno(err, number, format, ...)   the same with ": " and the text of `number` (an
 *                                               errno value) behind it
 *     err_prefix(err, format, ...)              puts "what: " before the sentence that is there
 */
#define err_set(...)       (err_write(__VA_ARGS__), err_result())
#define err_set_errno(...) (err_write_errno(__VA_ARGS__), err_result())
#define err_prefix(...)    (err_write_prefix(__VA_ARGS__), err_result())

void err_write(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
void err_write_errno(struct err *err, int number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void err_write_prefix(struct err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * A function, for a bare -1 would be "a value that is not used" wherever only the sentence counts.
 */
static inline int err_result(void)
{
    return -1;
}

#endif
