/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sentences about failures. Every sentence is first made on the stack, so that an argument may
 * point into the struct that is being written.
 */
#include "base/err.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* vsnprintf() into text, with "..." at the end where the sentence was cut. */
__attribute__((format(printf, 2, 0))) static void err_format(char text[ERR_TEXT_MAX],
                                                             const char *format, va_list args)
{
    static const char dots[] = "...";
    int len = vsnprintf(text, ERR_TEXT_MAX, format, args);
    if (len < 0)
        text[0] = '\0';
    else if (len >= ERR_TEXT_MAX)
        memcpy(text + ERR_TEXT_MAX - sizeof(dots), dots, sizeof(dots));
}

__attribute__((format(printf, 2, 3))) static void err_print(char text[ERR_TEXT_MAX],
                                                            const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err_format(text, format, args);
    va_end(args);
}

void err_write(struct err *err, const char *format, ...)
{
    if (!err)
        return;
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    err_format(text, format, args);
    va_end(args);
    err->number = 0;
    memcpy(err->text, text, strlen(text) + 1);
}

void err_write_errno(struct err *err, int number, const char *format, ...)
{
    if (!err)
        return;
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    err_format(text, format, args);
    va_end(args);
    err->number = number;
    /* Not strerror(): its result may be another thread's. */
    const char *why = strerrordesc_np(number);
    if (why)
        err_print(err->text, "%s: %s", text, why);
    else
        err_print(err->text, "%s: error %d", text, number);
}

void err_write_prefix(struct err *err, const char *format, ...)
{
    if (!err)
        return;
    char what[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    err_format(what, format, args);
    va_end(args);
    char sentence[ERR_TEXT_MAX];
    err_print(sentence, "%s: %s", what, err->text);
    memcpy(err->text, sentence, strlen(sentence) + 1);
}
