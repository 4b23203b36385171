/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_H1_BODY_H
#define WIRE_H1_BODY_H

/*
 * The chunked decoder, as h1_body.c uses it. Private to wire/h1*. Results are those of
 * h1_body_next(); a decoder that is all zero stands before the first chunk.
 */

#include "wire/h1.h"

enum h1_event h1_chunked_next(struct h1_chunked *chunked, struct slice in, size_t *ret_used,
                              const struct h1_limits *limits, struct h1_piece *ret_piece);
/* Data bytes left in the current chunk. */
uint64_t h1_chunked_direct(const struct h1_chunked *chunked);
void h1_chunked_skip(struct h1_chunked *chunked, uint64_t n);
bool h1_chunked_is_end(const struct h1_chunked *chunked);

#endif
