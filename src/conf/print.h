/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_PRINT_H
#define CONF_PRINT_H

/*
 * Statements and tokens as text that reads back as the same: on one line, quoted where they must
 * be, variables replaced.
 */

#include "base/slice.h"
#include "base/text.h"
#include "conf/tree.h"

/* The statement from its token `first` on: "member app1 10.0.0.1:80 { weight 2; backup }". */
void conf_print_line(const struct conf_stmt *stmt, size_t first, struct text *out);
/* One word, quoted only where it would be read as something else. */
void conf_print_token(struct slice token, struct text *out);

#endif
