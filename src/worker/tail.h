/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_TAIL_H
#define WORKER_TAIL_H

/*
 * The end of what a program prints: as many bytes as it may keep, however much there was.
 *
 *     bytes  | newest part | oldest part |     once it is full: a ring, the oldest begins at `at`
 *                           at
 *
 * Memory comes with what is printed, up to the most; one byte more costs a copy and nothing else.
 */

#include "base/slice.h"
#include "base/text.h"
#include <stddef.h>
#include <stdint.h>

struct tail {
    char *bytes;
    size_t max, cap, len; /* len <= cap <= max */
    size_t at;            /* of the oldest byte; 0 until it is full */
    uint64_t n_total;     /* bytes that were printed */
};

/* max_bytes may be 0: nothing is kept. */
void tail_init(struct tail *tail, size_t max_bytes);
void tail_deinit(struct tail *tail);
void tail_add(struct tail *tail, struct slice bytes);
/* Appends the last n_max bytes that it has, in their order. */
void tail_append(const struct tail *tail, size_t n_max, struct text *out);
/* Its last line that is not empty: printable, cut at cap - 1. Returns out. */
const char *tail_last_line(const struct tail *tail, char *out, size_t cap);

#endif
