/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Items in chunks; what is free is a list through the items themselves. A pool that has grown large
 * takes its further chunks from slabs that the kernel may back with huge pages: millions of items
 * are then there in half of the time, and found again with fewer walks of the page table.
 */

#include "queue/job_pool.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20, SLAB_BYTES = 2 * HUGE_PAGE, SLAB_HEAD = 64, SMALL_CHUNKS = 64 };

void job_pool_init(struct job_pool *pool, size_t item_bytes)
{
    assert(item_bytes >= sizeof(uint32_t) &&
           item_bytes <= (SLAB_BYTES - SLAB_HEAD) / JOB_POOL_CHUNK);
    *pool = (struct job_pool){.item_bytes = (uint32_t)item_bytes, .n_used = 1};
}

void job_pool_deinit(struct job_pool *pool)
{
    for (uint32_t i = 0; i < pool->n_chunks && i < SMALL_CHUNKS; i++)
        mem_free(pool->chunks[i]);
    while (pool->slab) {
        char *slab = pool->slab;
        memcpy(&pool->slab, slab, sizeof(pool->slab));
        munmap(slab, SLAB_BYTES);
    }
    mem_free(pool->chunks);
    job_pool_init(pool, pool->item_bytes);
}

/*
 * Of the kernel, not of malloc(): that leaves a hole of up to two megabytes before each slab, which
 * other things fill and nobody gets back.
 */
static char *map_aligned(void)
{
    size_t bytes = SLAB_BYTES + HUGE_PAGE;
    char *from = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(from != MAP_FAILED);
    size_t before = HUGE_PAGE - (uintptr_t)from % HUGE_PAGE;
    munmap(from, before);
    munmap(from + before + SLAB_BYTES, HUGE_PAGE - before);
    return from + before;
}

/* It begins with where the one before it is; behind that are chunks. */
static void add_slab(struct job_pool *pool)
{
    char *slab = map_aligned();
    /* A kernel without huge pages is as right, and slower. */
    (void)madvise(slab, SLAB_BYTES, MADV_HUGEPAGE);
    memcpy(slab, &pool->slab, sizeof(pool->slab));
    pool->slab = slab;
    pool->slab_used = SLAB_HEAD;
}

/* Not zeroed: pages that nobody has taken yet cost nothing. */
static char *new_chunk(struct job_pool *pool)
{
    size_t bytes = (size_t)JOB_POOL_CHUNK * pool->item_bytes;
    if (pool->n_chunks < SMALL_CHUNKS)
        return mem_alloc(bytes);
    if (!pool->slab || SLAB_BYTES - pool->slab_used < bytes)
        add_slab(pool);
    char *chunk = pool->slab + pool->slab_used;
    pool->slab_used += (uint32_t)bytes;
    return chunk;
}

static void add_chunk(struct job_pool *pool)
{
    if (pool->n_chunks == pool->cap_chunks) {
        pool->cap_chunks = pool->cap_chunks ? 2 * pool->cap_chunks : 4;
        pool->chunks = mem_realloc(pool->chunks, pool->cap_chunks * sizeof(*pool->chunks));
    }
    pool->chunks[pool->n_chunks] = new_chunk(pool);
    pool->n_chunks++;
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
