/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_DIAG_H
#define CONF_DIAG_H

/*
 * What is wrong with a configuration, collected: every mistake at once, each with the place that
 * it was made, the line quoted, the token marked, and what would be right.
 *
 *     shop.weir:12:32: error: unknown word "wieght" in member
 *        12 |     member app2 10.0.1.12:8080 wieght 2
 *           |                                ^~~~~~
 *           = did you mean "weight"?
 *
 * Columns are counted in bytes inside and shown in characters. Positions are values (struct
 * conf_at) that every token, statement and typed value keeps for life; they stay meaningful as long
 * as the struct conf_files that they index lives, which is as long as the snapshot. Errors are
 * printed in the order of file and line, warnings and notes likewise.
 */

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A place in a configuration: which file, which line and column (from 1), how long the token is. */
struct conf_at {
    uint16_t file;   /* index into struct conf_files */
    uint16_t len;    /* bytes to mark, at least 1 */
    uint32_t line;   /* 0: no place in a file (the command line, a default) */
    uint32_t column; /* in bytes */
};

/* One file as it was read. */
struct conf_file {
    struct slice path;  /* as the user would write it */
    struct slice bytes; /* without a byte order mark */
};

enum { CONF_FILES_MAX = 256 };

struct conf_files {
    struct conf_file items[CONF_FILES_MAX];
    size_t n_items;
    /* The folder that relative paths start at, absolute: the working directory of whoever typed the
     * path of the first file. Set by the caller; empty: relative CONF_PATH values stay relative. */
    struct slice folder;
};

enum conf_severity { CONF_ERROR, CONF_WARNING, CONF_NOTE };

struct conf_diag_item {
    enum conf_severity severity;
    struct conf_at at;
    const char *text; /* one sentence, no full stop needed */
    const char *hint; /* what would be right, or NULL */
};

enum { CONF_DIAG_MAX = 100 }; /* further ones are only counted */

struct conf_diag {
    struct arena *arena;            /* owns the sentences */
    const struct conf_files *files; /* borrowed */
    struct conf_diag_item items[CONF_DIAG_MAX];
    size_t n_items;
    size_t n_errors; /* all, also those above CONF_DIAG_MAX */
    size_t n_warnings;
};

void conf_diag_init(struct conf_diag *diag, struct arena *arena, const struct conf_files *files);

/*
 * Each adds one sentence; `hint` is copied and may be NULL. What was said before at the same place
 * in the same words is not said again. conf_error(diag, at, hint, format, ...) is -1, and a macro
 * like err_set().
 */
#define conf_error(...) (conf_add_error(__VA_ARGS__), err_result())
void conf_add_error(struct conf_diag *diag, struct conf_at at, const char *hint, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));
void conf_warning(struct conf_diag *diag, struct conf_at at, const char *hint, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));
void conf_note(struct conf_diag *diag, struct conf_at at, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* All of them as a person reads them, sorted by place, and a last line that counts them. */
void conf_diag_print(const struct conf_diag *diag, struct text *out);

/* Appends "shop.weir:12:32", or "the defaults" where `at` is no place in a file, for messages at
 * run time. Returns out's string. */
const char *conf_at_format(const struct conf_files *files, struct conf_at at, struct text *out);

#endif
