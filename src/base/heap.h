/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

/*
 * An intrusive 4-ary min-heap of 64-bit keys, for timers: the smallest key is at the front, every
 * other operation is O(log4 n). A node knows its own place, so that any node can be moved or
 * removed; the heap owns only its array of pointers. Keys sit in the array beside the pointers, so
 * that sifting touches no node but the ones that it moves.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAP_OUT UINT32_MAX /* heap_node.place of a node that is in no heap */

struct heap_node {
    uint32_t place;
};

struct heap_slot {
    uint64_t key;
    struct heap_node *node;
};

struct heap {
    struct heap_slot *slots;
    uint32_t n_slots;
    uint32_t cap;
};

void heap_init(struct heap *heap);
void heap_deinit(struct heap *heap);

static inline void heap_node_init(struct heap_node *node)
{
    node->place = HEAP_OUT;
}

static inline bool heap_has(const struct heap_node *node)
{
    return node->place != HEAP_OUT;
}

/* The node is in no heap. */
void heap_insert(struct heap *heap, struct heap_node *node, uint64_t key);
/* The node is in this heap; its key changes. */
void heap_move(struct heap *heap, struct heap_node *node, uint64_t key);
/* The node is in this heap. */
void heap_remove(struct heap *heap, struct heap_node *node);
/* The key of a node that is in this heap. */
uint64_t heap_key(const struct heap *heap, const struct heap_node *node);

/* The node with the smallest key, or NULL. */
static inline struct heap_node *heap_first(const struct heap *heap)
{
    return heap->n_slots ? heap->slots[0].node : NULL;
}

/* UINT64_MAX where the heap is empty. */
static inline uint64_t heap_first_key(const struct heap *heap)
{
    return heap->n_slots ? heap->slots[0].key : UINT64_MAX;
}

#endif
