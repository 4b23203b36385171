/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_UTF8_H
#define CONF_UTF8_H

/*
 * UTF-8 (RFC 3629) as far as a configuration needs it: the lexer refuses what is not UTF-8, and the
 * diagnostics put their marks under the right column of a line that holds more than ASCII.
 */

#include "base/slice.h"
#include <stdbool.h>
#include <stdint.h>

/*
 * The first character of `text`, which is not empty: returns its bytes (1..4) and *ret_char, or 0
 * where they are not UTF-8 (overlong forms, surrogates and what is above U+10FFFF among them).
 */
size_t conf_utf8_next(struct slice text, uint32_t *ret_char);

/* Is all of it UTF-8, without a NUL: text that JSON, and whoever reads it, can hold as it is? */
bool conf_utf8_is_text(struct slice bytes);

/* The columns that a terminal gives to a character: 0, 1 or 2. */
unsigned conf_utf8_width(uint32_t character);

#endif
