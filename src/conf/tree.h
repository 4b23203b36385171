/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_TREE_H
#define CONF_TREE_H

/*
 * The configuration language up to its tree: statements of words, with or without a block.
 *
 *     pool web {                          statement: words [pool] [web], block with two children
 *         check tcp every 2s              statement: words [check] [tcp] [every] [2s]
 *         member a 10.0.0.1:80; member b 10.0.0.2:80
 *     }
 *
 * A newline or `;` ends a statement, `{ }` group, `#` comments to the end of the line, `"..."`
 * quotes (\" \\ \n \t \$ inside), `${NAME}` is replaced by an environment variable inside and
 * outside of quotes (one token whatever the value holds; unset is an error), `include GLOB` is
 * replaced by the statements of the files that match, in byte order; without a wildcard it names
 * one file, which must be there. A backslash outside of quotes is an error, and so are a `#` or a
 * quote in the middle of a word, `$` before a letter, a quote that its line does not close, and
 * bytes that are not UTF-8. Everything else is a bare word. What is quoted is always a value, never
 * a word of the language.
 *
 * The lexer and parser know nothing of what words mean; conf/schema.h does. They make no system
 * calls: files, globs and the environment come through struct conf_host, which the supervisor
 * answers from the disk and every other process from its sealed bundle, so that all of them read
 * the same bytes with the same code.
 */

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "conf/diag.h"
#include <stdbool.h>

struct conf_token {
    struct slice text; /* unquoted, variables replaced, NUL behind it; lives in the arena */
    struct conf_at at;
    bool is_quoted;
    bool is_bad; /* the lexer has told what is wrong with it; conf_value() says no more */
};

struct conf_stmt {
    const struct conf_token *tokens; /* at least one */
    size_t n_tokens;
    bool has_block;
    struct conf_stmt **children; /* of the block */
    size_t n_children;
    const struct conf_stmt *parent; /* NULL at the top */
    struct conf_at end;             /* the closing brace */
};

/* How the language reaches the outside. Each returns 0, or -1 with err. Results go into arena. */
struct conf_host {
    void *ctx;
    int (*read)(void *ctx, struct slice path, struct arena *arena, struct slice *ret_bytes,
                struct err *err);
    /* Paths that match, sorted; none is not an error. */
    int (*glob)(void *ctx, struct slice pattern, struct arena *arena, struct slice **ret_paths,
                size_t *ret_n, struct err *err);
    /* The value, or NULL where the variable is not set. */
    const char *(*env)(void *ctx, struct slice name);
};

enum {
    CONF_DEPTH_MAX = 16,         /* of blocks, and of includes */
    CONF_TOKEN_MAX = 4096,       /* bytes */
    CONF_TOKENS_MAX = 200,       /* words a statement */
    CONF_STATEMENTS_MAX = 20000, /* in all */
    CONF_FILE_MAX = 4 << 20,     /* bytes a file */
    CONF_BYTES_MAX = 64 << 20,   /* bytes in all, a file that is included twice counted twice */
};

/*
 * Reads `path` and what it includes into a root statement with no tokens, whose children are the
 * top-level statements. Mistakes go to diag and parsing goes on behind them, so a tree comes back
 * even then: look at diag->n_errors. Relative include globs start at the including file's folder.
 */
struct conf_stmt *conf_tree_read(struct slice path, const struct conf_host *host,
                                 struct arena *arena, struct conf_files *files,
                                 struct conf_diag *diag);

/* The place of the statement's first word; of a whole file's start for the root. */
struct conf_at conf_stmt_at(const struct conf_stmt *stmt);

#endif
