/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

/*
 * An arena owns everything that is allocated from it and frees it at once. A configuration
 * snapshot lives in one; so does a request that must keep bytes across a return to the loop.
 * Memory comes in chunks that double up to 64 KiB; a large object gets a chunk of its own.
 *
 *     struct arena: [chunk] -> [chunk] -> ...   each: | header | used ... | free |
 */

#include "base/slice.h"
#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* the newest first */
    size_t size_bytes;          /* handed out, for limits */
};

void arena_init(struct arena *arena);
/* Frees everything; the arena may be used again. */
void arena_deinit(struct arena *arena);

/* Aligned for any type, zeroed. Never NULL. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((returns_nonnull));
/* The same; n * size may not overflow (asserted). */
void *arena_alloc_array(struct arena *arena, size_t n, size_t size)
    __attribute__((returns_nonnull));
#define ARENA_NEW(arena, type)          ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_NEW_ARRAY(arena, type, n) ((type *)arena_alloc_array((arena), (n), sizeof(type)))

/* A copy that lives as long as the arena, with a NUL behind it. */
struct slice arena_dup(struct arena *arena, struct slice bytes);
const char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
