/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The 4-ary heap of numbers. The children's jobs are fetched side by side before they are compared:
 * in a long queue none of them is in a cache.
 */

#include "queue/job_heap.h"

#include "base/mem.h"

#include <assert.h>

enum { CHILDREN = 4, CAP_MIN = 16 };

void job_heap_init(struct job_heap *heap, enum job_order order)
{
    *heap = (struct job_heap){.order = order};
}

void job_heap_deinit(struct job_heap *heap)
{
    mem_free(heap->slots);
    job_heap_init(heap, heap->order);
}

static bool is_before(const struct job_heap *heap, const struct job *a, const struct job *b)
{
    if (heap->order == JOB_BY_PRIORITY)
        return job_is_before(a, b);
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->id < b->id;
}

static void put(struct job_heap *heap, const struct job_store *store, uint32_t place,
                uint32_t number)
{
    heap->slots[place] = number;
    job_at(store, number)->at = place;
}

static void sift_up(struct job_heap *heap, const struct job_store *store, uint32_t place,
                    uint32_t number)
{
    const struct job *job = job_at(store, number);
    while (place > 0) {
        uint32_t parent = (place - 1) / CHILDREN;
        if (!is_before(heap, job, job_at(store, heap->slots[parent])))
            break;
        put(heap, store, place, heap->slots[parent]);
        place = parent;
    }
    put(heap, store, place, number);
}

/* The child that is first; there is at least one, at `first`. */
static uint32_t first_child(const struct job_heap *heap, const struct job_store *store,
                            uint32_t first)
{
    uint32_t end = first + CHILDREN < heap->n ? first + CHILDREN : heap->n;
    for (uint32_t child = first; child < end; child++)
        __builtin_prefetch(job_at(store, heap->slots[child]));
    uint32_t best = first;
    for (uint32_t child = first + 1; child < end; child++)
        if (is_before(heap, job_at(store, heap->slots[child]), job_at(store, heap->slots[best])))
            best = child;
    return best;
}

static void sift_down(struct job_heap *heap, const struct job_store *store, uint32_t place,
                      uint32_t number)
{
    const struct job *job = job_at(store, number);
    for (;;) {
        uint32_t first = CHILDREN * place + 1;
        if (first >= heap->n)
            break;
        uint32_t child = first_child(heap, store, first);
        if (!is_before(heap, job_at(store, heap->slots[child]), job))
            break;
        put(heap, store, place, heap->slots[child]);
        place = child;
    }
    put(heap, store, place, number);
}

void job_heap_insert(struct job_heap *heap, const struct job_store *store, uint32_t number)
{
    if (heap->n == heap->cap) {
        assert(heap->cap < UINT32_MAX / 8); /* numbers of children fit 32 bits */
        heap->cap = heap->cap ? 2 * heap->cap : CAP_MIN;
        heap->slots = mem_realloc(heap->slots, heap->cap * sizeof(*heap->slots));
    }
    sift_up(heap, store, heap->n++, number);
}

void job_heap_remove(struct job_heap *heap, const struct job_store *store, uint32_t number)
{
    uint32_t place = job_at(store, number)->at;
    assert(place < heap->n && heap->slots[place] == number);
    uint32_t last = heap->slots[--heap->n];
    if (last == number)
        return;
    uint32_t parent = place > 0 ? (place - 1) / CHILDREN : 0;
    const struct job *job = job_at(store, last);
    if (place > 0 && is_before(heap, job, job_at(store, heap->slots[parent])))
        sift_up(heap, store, place, last);
    else
        sift_down(heap, store, place, last);
}
