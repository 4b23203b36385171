/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEB_BODY_H
#define WEB_BODY_H

/*
 * The body of a request as it comes in: in memory up to WEB_SPOOL_BYTES, and where it is longer and
 * there is a place for it, in a file that has no name, which ends with its descriptor. So a hundred
 * clients that send megabytes at once take the kernel's pages, not the heap.
 */

#include "base/slice.h"
#include "base/text.h"
#include <stddef.h>

enum { WEB_SPOOL_BYTES = 64 * 1024 };

/* A new file to write and read, without a name; -1 with errno. */
typedef int web_spool_fn(void *ctx);

struct web_body {
    struct text bytes; /* all of it, while fd is -1 */
    int fd;
    size_t len;
    void *map; /* of fd; NULL: not yet */
};

#define WEB_BODY_NONE ((struct web_body){.bytes = TEXT_NONE, .fd = -1})

/* 0, or -1 with errno: it could not be stored. `open_spool` NULL: it stays in memory. */
int web_body_append(struct web_body *body, struct slice piece, web_spool_fn *open_spool, void *ctx);
/* All of it is there: 0 and where, as long as the body lives; -1 with errno. */
int web_body_slice(struct web_body *body, struct slice *ret_bytes);
void web_body_deinit(struct web_body *body);

#endif
