/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POOL_TOKEN_H
#define POOL_TOKEN_H

/*
 * Tokens of HTTP as the words of a pool have them: methods, and the names of fields and cookies
 * (RFC 9110 sections 5.1 and 5.6.2, RFC 6265 section 4.1.1). Among the files of pool alone.
 */

#include "base/slice.h"
#include <stdbool.h>
#include <string.h>

static inline bool is_token(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!is_alnum && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return text.len > 0;
}

#endif
