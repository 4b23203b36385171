/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_RELAY_H
#define HTTP_RELAY_H

/*
 * A body on its way from one connection to another: read by the codec, framed anew for the other
 * side. Bytes are not copied: what comes out is a list of parts, most of which point into the
 * buffer that was read.
 *
 *     in:   5\r\n hello \r\n 6\r\n  world \r\n 0\r\n \r\n         (chunked, as it came)
 *     out:  [b\r\n] [hello] [ world] [\r\n] [0\r\n\r\n]           (chunked; or the data alone)
 *
 * All data of one call leaves as one chunk. No I/O here: request.c and response.c send the
 * parts.
 */

#include "base/text.h"
#include "wire/h1.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

enum { RELAY_PARTS_MAX = 64 };

enum relay_result {
    RELAY_MORE,  /* all usable bytes are used; more must come */
    RELAY_END,   /* the body is complete */
    RELAY_FULL,  /* the parts are used up: send them and call again */
    RELAY_ERROR, /* relay.error says why */
};

struct relay {
    struct iovec parts[RELAY_PARTS_MAX]; /* [0] is left to the caller, for a head */
    int n_parts;                         /* from part 1: parts[1 .. n_parts) are set */
    size_t n_data;                       /* bytes of body in them */
    enum h1_error error;
    char chunk_head[H1_CHUNK_HEAD_MAX];
};

/*
 * Takes what it can from buf[0, len), *ret_used bytes, and sets relay->parts. `trailers` collects
 * the trailer lines across the calls of one body (written only for chunked output).
 */
enum relay_result relay_next(struct relay *relay, struct h1_body *body, bool is_chunked_out,
                             struct text *trailers, const char *buf, size_t len, size_t *ret_used);

#endif
