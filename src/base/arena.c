/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bump allocation in chunks. In a build with sanitizers every object gets a chunk of its own, so
 * that the sanitizer sees where each one ends.
 */
#include "base/arena.h"
#include "base/mem.h"
#include "config.h"
#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct arena_chunk {
    struct arena_chunk *next;
    size_t used;
    size_t cap; /* of bytes */
    alignas(max_align_t) char bytes[];
};

/* Chunks with their header: a small one is still in the allocator's fast lists. */
enum {
    CHUNK_SIZE_MIN = 1024,
    CHUNK_SIZE_MAX = 64 * 1024,
};

/* A larger object is not worth the room that it would waste at the end of a chunk. */
#ifdef WEIR_IS_SANITIZED
enum { SHARED_SIZE_MAX = 0 };
#else
enum { SHARED_SIZE_MAX = CHUNK_SIZE_MAX / 8 };
#endif

void arena_init(struct arena *arena)
{
    *arena = (struct arena){.chunks = NULL, .size_bytes = 0};
}

void arena_deinit(struct arena *arena)
{
    struct arena_chunk *chunk = arena->chunks;
    while (chunk) {
        struct arena_chunk *next = chunk->next;
        mem_free(chunk);
        chunk = next;
    }
    arena_init(arena);
}

static struct arena_chunk *chunk_create(size_t cap)
{
    assert(cap <= PTRDIFF_MAX - sizeof(struct arena_chunk));
    struct arena_chunk *chunk = mem_alloc(sizeof(*chunk) + cap);
    chunk->next = NULL;
    chunk->used = 0;
    chunk->cap = cap;
    return chunk;
}

/* A chunk that the object fills goes behind the first, whose room is still of use. */
static void *take_alone(struct arena *arena, size_t size)
{
    struct arena_chunk *chunk = chunk_create(size);
    chunk->used = size;
    struct arena_chunk **where = arena->chunks ? &arena->chunks->next : &arena->chunks;
    chunk->next = *where;
    *where = chunk;
    return chunk->bytes;
}

static void grow(struct arena *arena, size_t size)
{
    size_t whole = CHUNK_SIZE_MIN;
    if (arena->chunks)
        whole = 2 * (arena->chunks->cap + sizeof(struct arena_chunk));
    while (whole - sizeof(struct arena_chunk) < size)
        whole *= 2;
    if (whole > CHUNK_SIZE_MAX)
        whole = CHUNK_SIZE_MAX;
    struct arena_chunk *chunk = chunk_create(whole - sizeof(*chunk));
    chunk->next = arena->chunks;
    arena->chunks = chunk;
}

/* size bytes, not zeroed; alignment is a power of two. */
static void *take(struct arena *arena, size_t size, size_t alignment)
{
    arena->size_bytes += size;
    if (size > SHARED_SIZE_MAX || SHARED_SIZE_MAX == 0)
        return take_alone(arena, size);
    struct arena_chunk *chunk = arena->chunks;
    size_t at = chunk ? (chunk->used + alignment - 1) & ~(alignment - 1) : 0;
    if (!chunk || at > chunk->cap || size > chunk->cap - at) {
        grow(arena, size);
        chunk = arena->chunks;
        at = 0;
    }
    chunk->used = at + size;
    return chunk->bytes + at;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    return memset(take(arena, size, alignof(max_align_t)), 0, size);
}

void *arena_alloc_array(struct arena *arena, size_t n, size_t size)
{
    assert(size == 0 || n <= SIZE_MAX / size);
    return arena_alloc(arena, n * size);
}

struct slice arena_dup(struct arena *arena, struct slice bytes)
{
    char *copy = take(arena, bytes.len + 1, 1);
    if (bytes.len)
        memcpy(copy, bytes.ptr, bytes.len);
    copy[bytes.len] = '\0';
    return (struct slice){copy, bytes.len};
}

const char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(len >= 0);
    char *text = take(arena, (size_t)len + 1, 1);
    (void)vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return text;
}
