/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_PRINT_H
#define CONF_PRINT_H

/*
 * Statements and tokens as text that reads back as the same: on one line, quoted where they must
 * be, variables replaced. And the values in force one by one, each with the place where it was
 * written, for whoever tells why something is as it is.
 */

#include "base/slice.h"
#include "base/text.h"
#include "conf/schema.h"

/* The statement from its token `first` on: "member app1 10.0.0.1:80 { weight 2; backup }". */
void conf_print_line(const struct conf_stmt *stmt, size_t first, struct text *out);
/* One word, quoted only where it would be read as something else. */
void conf_print_token(struct slice token, struct text *out);

/* A value in force. */
struct conf_shown {
    struct slice path;  /* the words that lead to it: "retry backoff" */
    struct slice value; /* as the file would say it; empty: there is none */
    struct conf_at at;  /* where it was written, be it in `defaults` */
    bool is_set;        /* it was; otherwise it is the default, and `at` says nothing */
};

/* `shown` lives until it returns. */
typedef void conf_shown_fn(void *ctx, const struct conf_shown *shown);

/*
 * What the words of a block say in the struct `self` that it filled, in the order of its rows. A
 * block within it is told by its positional values first and then by its words; a word that repeats
 * once for each time that it stands there.
 */
void conf_print_values(const struct conf_block *block, void *self, conf_shown_fn *fn, void *ctx);

#endif
