/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Items in chunks; what is free is a list through the items themselves.
 */

#include "queue/job_pool.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

void job_pool_init(struct job_pool *pool, size_t item_bytes)
{
    assert(item_bytes >= sizeof(uint32_t) && item_bytes < UINT32_MAX / JOB_POOL_CHUNK);
    *pool = (struct job_pool){.item_bytes = (uint32_t)item_bytes, .n_used = 1};
}

void job_pool_deinit(struct job_pool *pool)
{
    for (uint32_t i = 0; i < pool->n_chunks; i++)
        mem_free(pool->chunks[i]);
    mem_free(pool->chunks);
    job_pool_init(pool, pool->item_bytes);
}

static void add_chunk(struct job_pool *pool)
{
    if (pool->n_chunks == pool->cap_chunks) {
        pool->cap_chunks = pool->cap_chunks ? 2 * pool->cap_chunks : 4;
        pool->chunks = mem_realloc(pool->chunks, pool->cap_chunks * sizeof(*pool->chunks));
    }
    /* Not zeroed here: pages that nobody has taken yet cost nothing. */
    pool->chunks[pool->n_chunks++] = mem_alloc((size_t)JOB_POOL_CHUNK * pool->item_bytes);
}

uint32_t job_pool_take(struct job_pool *pool)
{
    uint32_t item = pool->free;
    if (item != JOB_POOL_NONE) {
        memcpy(&pool->free, job_pool_at(pool, item), sizeof(pool->free));
    } else {
        assert(pool->n_used < UINT32_MAX);
        item = pool->n_used++;
        if (item >> JOB_POOL_CHUNK_BITS == pool->n_chunks)
            add_chunk(pool);
    }
    pool->n_live++;
    memset(job_pool_at(pool, item), 0, pool->item_bytes);
    return item;
}

void job_pool_give(struct job_pool *pool, uint32_t item)
{
    assert(item != JOB_POOL_NONE && item < pool->n_used);
    memcpy(job_pool_at(pool, item), &pool->free, sizeof(pool->free));
    pool->free = item;
    pool->n_live--;
}
