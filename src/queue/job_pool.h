/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_JOB_POOL_H
#define QUEUE_JOB_POOL_H

/*
 * Many small things of one size, known by a number of 32 bits instead of a pointer of 64, without a
 * header each: jobs, leases, short bodies. They lie in chunks that never move, so that pointers
 * hold as long as the thing lives.
 *
 *     chunks[0] | - | 1 | 2 | ... |     item 0 is nobody, so that a zeroed reference refers to none
 *     chunks[1] | 1024 | ...            a free item holds the number of the next free one
 *
 * Memory grows to the most that lived at once and is given back by job_pool_deinit().
 */

#include <stddef.h>
#include <stdint.h>

enum { JOB_POOL_NONE = 0, JOB_POOL_CHUNK_BITS = 10, JOB_POOL_CHUNK = 1 << JOB_POOL_CHUNK_BITS };

struct job_pool {
    char **chunks;
    uint32_t n_chunks, cap_chunks;
    uint32_t n_used; /* items that were ever handed out, and item 0 */
    uint32_t free;   /* the first free item, or JOB_POOL_NONE */
    uint32_t n_live;
    uint32_t item_bytes; /* at least 4 */
    char *slab;          /* the last of those that chunks are cut from, or NULL */
    uint32_t slab_used;  /* bytes of it */
};

void job_pool_init(struct job_pool *pool, size_t item_bytes);
void job_pool_deinit(struct job_pool *pool);
/* A zeroed item; its number is never JOB_POOL_NONE. */
uint32_t job_pool_take(struct job_pool *pool);
/* The item is one that job_pool_take() gave and that was not given back. */
void job_pool_give(struct job_pool *pool, uint32_t item);

/* The memory of an item that lives. */
static inline void *job_pool_at(const struct job_pool *pool, uint32_t item)
{
    return pool->chunks[item >> JOB_POOL_CHUNK_BITS] +
           (size_t)(item & (JOB_POOL_CHUNK - 1)) * pool->item_bytes;
}

/* Bytes of all chunks. */
static inline size_t job_pool_bytes(const struct job_pool *pool)
{
    return (size_t)pool->n_chunks * JOB_POOL_CHUNK * pool->item_bytes;
}

#endif
