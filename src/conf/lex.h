/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_LEX_H
#define CONF_LEX_H

/*
 * The lexer: one file's bytes into words, braces and ends of statements (grammar in conf/tree.h).
 * It is used by tree.c alone. A word comes out unquoted, its variables replaced, in the arena; what
 * is wrong with it has been told to diag, and it is marked is_bad, so that the parser goes on
 * behind it.
 */

#include "base/arena.h"
#include "base/text.h"
#include "conf/diag.h"
#include "conf/tree.h"

enum conf_lexeme {
    CONF_LEX_WORD,
    CONF_LEX_OPEN,      /* { */
    CONF_LEX_CLOSE,     /* } */
    CONF_LEX_SEMICOLON, /* ; */
    CONF_LEX_NEWLINE,
    CONF_LEX_EOF,
};

struct conf_lexer {
    struct slice bytes; /* of the file */
    size_t next;        /* offset of the first byte that is not read yet */
    size_t line_start;  /* offset of the line's first byte */
    uint32_t line;      /* from 1 */
    uint16_t file;
    bool is_line_told; /* a byte that is no text was told on this line already */
    const struct conf_host *host;
    struct arena *arena;
    struct conf_diag *diag;
    struct text word; /* the word that is being put together */
    struct conf_token token;
};

void conf_lexer_init(struct conf_lexer *lexer, uint16_t file, struct slice bytes,
                     const struct conf_host *host, struct arena *arena, struct conf_diag *diag);
void conf_lexer_deinit(struct conf_lexer *lexer);

/* The next lexeme. lexer->token has its place, and for a word also its text. At the end of the file
 * it is CONF_LEX_EOF for ever. */
enum conf_lexeme conf_lexer_next(struct conf_lexer *lexer);

#endif
