/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_LOADER_H
#define CONF_LOADER_H

/*
 * What the files behind conf/schema.h share: the notes on where each word of an object stands,
 * helpers on rows, and the walk's frames. Nobody outside of conf/ includes this.
 *
 * While a statement is read, frames stand behind one another as its words nest on the line:
 *
 *     pool web check http every 2s balance round-robin
 *     |        |          |        `- not known to check's frame, so pool's takes it
 *     |        |          `- a word of check's frame
 *     |        `- frame of check, outer: pool's
 *     `- frame of pool, outer: none: the line ends with it
 */

#include "conf/schema.h"
#include <stdbool.h>
#include <stddef.h>

/* One word or positional value that an object was given. */
struct conf_place {
    const struct conf_word *word;
    const struct conf_stmt *stmt;
    size_t first, end; /* its tokens in stmt: the word itself, and behind its last value */
    struct conf_at at;
    bool is_arg;
    bool is_bad;      /* a mistake in it was told */
    bool is_supplied; /* by `defaults` */
    struct conf_place *next;
};

/* All of one object, in the order in which they were read. */
struct conf_places {
    struct conf_place *first, *last;
    bool is_bad;      /* a mistake in the object or in what it holds was told */
    bool has_unknown; /* one was a word that it does not know: what seems to be missing may be it */
};

/* One `defaults { WORD { ... } }`: a struct that nobody sees, filled with what it says. */
struct conf_supply {
    const struct conf_word *word;
    void *self;
    struct conf_supply *next;
};

/* A load that is under way. */
struct conf_walk {
    struct conf_load *load;
    struct conf_supply *supplies;
};

struct conf_frame {
    struct conf_walk *walk;
    const char *word;               /* that opened it, for messages; NULL at the top of the file */
    const struct conf_word *words;  /* that it knows; may be NULL */
    void *self;                     /* the struct that they fill */
    const struct conf_frame *outer; /* whose words may follow on the same line; NULL: none */
    bool is_supplying;              /* what is read comes from `defaults` */
};

/* Where the reading of a statement stands. */
struct conf_cursor {
    const struct conf_stmt *stmt;
    size_t next, end;    /* tokens */
    bool is_block_taken; /* the braces were read */
};

/* ---- rows (usage.c) ---- */

/* "TIME", "tcp|http": what a value of this row looks like. */
void conf_usage_value(const struct conf_word *row, struct text *out);
/* "member NAME ENDPOINT": the word with its values. */
void conf_usage_word(const struct conf_word *row, struct text *out);
/* The same in the arena. */
const char *conf_usage(struct arena *arena, const struct conf_word *row);
/* What a message calls a positional value: its name in small letters. */
const char *conf_usage_arg(struct arena *arena, const struct conf_word *arg);
static inline bool conf_words_exist(const struct conf_word *words)
{
    return words && words->name;
}
/* The row of that name, or NULL. NULL words have none. */
const struct conf_word *conf_word_find(const struct conf_word *words, struct slice name);
/* The bytes of the C type of the table in conf/schema.h; a block's own for CONF_BLOCK. */
size_t conf_value_size(const struct conf_word *row);

/* ---- objects (object.c) ---- */

struct conf_object *conf_object_of(void *self);
/* The first place of the row in the object, or NULL. */
struct conf_place *conf_place_find(const struct conf_object *object, const struct conf_word *word);
struct conf_place *conf_place_add(struct arena *arena, struct conf_object *object,
                                  const struct conf_word *word, const struct conf_stmt *stmt,
                                  size_t first);
/* Marks that a mistake in the object or in what it holds was told. */
void conf_object_spoil(struct arena *arena, struct conf_object *object);
/* A word that it does not know was told. */
void conf_object_note_unknown(struct arena *arena, struct conf_object *object);
/* The member of a row in the struct of its block. */
void *conf_member(void *self, const struct conf_word *word);

/* ---- the walk (schema.c) ---- */

/* Fills in the defaults of a block's struct, which is zeroed. */
void conf_block_init(struct conf_load *load, const struct conf_block *block, void *self,
                     struct conf_at at);
/* The word at the cursor; -1 when a mistake in it was told. */
int conf_word_read(const struct conf_frame *frame, const struct conf_word *word,
                   struct conf_cursor *cursor);
/* The words that stand behind a block's values on the same line; `inner` is the block's frame. */
int conf_inline_read(const struct conf_frame *inner, struct conf_cursor *cursor);
/* The statements of a block. */
int conf_children_read(const struct conf_frame *frame, const struct conf_stmt *stmt);

/* ---- defaults (supply.c) ---- */

/* Reads `defaults { ... }`. */
int conf_supply_read(struct conf_walk *walk, const struct conf_stmt *stmt);
/* Gives a struct at the top the words that it does not set. */
int conf_supply_apply(struct conf_walk *walk, const struct conf_word *word, void *self);

/* ---- unknown words (unknown.c) ---- */

/* Tells that nobody knows the token, with the nearest word of the frame and those around it. */
int conf_unknown_in(const struct conf_frame *frame, const struct conf_token *token);

#endif
