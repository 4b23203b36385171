/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 4-ary heap: the children of slot i are 4i+1 .. 4i+4, its parent is (i-1)/4. Sifting carries
 * the moving slot in a register and writes it once, where it comes to rest.
 */
#include "base/heap.h"
#include "base/mem.h"
#include <assert.h>

enum {
    HEAP_CHILDREN = 4,
    HEAP_CAP_MIN = 16,
};

void heap_init(struct heap *heap)
{
    *heap = (struct heap){.slots = NULL, .n_slots = 0, .cap = 0};
}

void heap_deinit(struct heap *heap)
{
    mem_free(heap->slots);
    heap_init(heap);
}

static void put(struct heap *heap, uint32_t place, struct heap_slot slot)
{
    heap->slots[place] = slot;
    slot.node->place = place;
}

static void sift_up(struct heap *heap, uint32_t place, struct heap_slot slot)
{
    while (place > 0) {
        uint32_t parent = (place - 1) / HEAP_CHILDREN;
        if (heap->slots[parent].key <= slot.key)
            break;
        put(heap, place, heap->slots[parent]);
        place = parent;
    }
    put(heap, place, slot);
}

/* The child of `place` with the smallest key; there is at least one, at `first`. */
static uint32_t smallest_child(const struct heap *heap, uint32_t first)
{
    uint32_t end = first + HEAP_CHILDREN < heap->n_slots ? first + HEAP_CHILDREN : heap->n_slots;
    uint32_t best = first;
    for (uint32_t child = first + 1; child < end; child++)
        if (heap->slots[child].key < heap->slots[best].key)
            best = child;
    return best;
}

static void sift_down(struct heap *heap, uint32_t place, struct heap_slot slot)
{
    for (;;) {
        uint32_t first = HEAP_CHILDREN * place + 1;
        if (first >= heap->n_slots)
            break;
        uint32_t child = smallest_child(heap, first);
        if (heap->slots[child].key >= slot.key)
            break;
        put(heap, place, heap->slots[child]);
        place = child;
    }
    put(heap, place, slot);
}

/* Puts the slot at a free place, or wherever its key belongs seen from there. */
static void settle(struct heap *heap, uint32_t place, struct heap_slot slot)
{
    if (place > 0 && heap->slots[(place - 1) / HEAP_CHILDREN].key > slot.key)
        sift_up(heap, place, slot);
    else
        sift_down(heap, place, slot);
}

static void grow(struct heap *heap)
{
    assert(heap->cap < UINT32_MAX / 8); /* child numbers fit 32 bits */
    heap->cap = heap->cap ? 2 * heap->cap : HEAP_CAP_MIN;
    heap->slots = mem_realloc(heap->slots, heap->cap * sizeof(*heap->slots));
}

static bool is_in(const struct heap *heap, const struct heap_node *node)
{
    return node->place < heap->n_slots && heap->slots[node->place].node == node;
}

void heap_insert(struct heap *heap, struct heap_node *node, uint64_t key)
{
    assert(!heap_has(node));
    if (heap->n_slots == heap->cap)
        grow(heap);
    sift_up(heap, heap->n_slots++, (struct heap_slot){key, node});
}

void heap_move(struct heap *heap, struct heap_node *node, uint64_t key)
{
    assert(is_in(heap, node));
    settle(heap, node->place, (struct heap_slot){key, node});
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    assert(is_in(heap, node));
    uint32_t place = node->place;
    struct heap_slot last = heap->slots[--heap->n_slots];
    heap_node_init(node);
    if (last.node != node)
        settle(heap, place, last);
}

uint64_t heap_key(const struct heap *heap, const struct heap_node *node)
{
    assert(is_in(heap, node));
    return heap->slots[node->place].key;
}
