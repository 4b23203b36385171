/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timer heap against a plain array: random insertions, moves and removals, with the invariant
 * of every slot checked, and many equal keys.
 */
#include "base/heap.h"
#include "base/mem.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N_NODES = 300 };

struct timer {
    struct heap_node node;
    uint64_t key; /* what the heap ought to hold; kept by the test */
};

static void check(const struct heap *heap, struct timer timers[N_NODES])
{
    uint64_t smallest = UINT64_MAX;
    uint32_t n = 0;
    for (size_t i = 0; i < N_NODES; i++) {
        if (!heap_has(&timers[i].node))
            continue;
        n++;
        smallest = timers[i].key < smallest ? timers[i].key : smallest;
        assert_true(heap_key(heap, &timers[i].node) == timers[i].key);
    }
    assert_int_equal(heap->n_slots, n);
    assert_true(heap_first_key(heap) == smallest);
    assert_int_equal(heap_first(heap) == NULL, n == 0);
    for (uint32_t i = 1; i < heap->n_slots; i++)
        assert_true(heap->slots[(i - 1) / 4].key <= heap->slots[i].key);
}

static void step(struct heap *heap, struct timer *timer, struct rng *rng, uint64_t n_keys)
{
    uint64_t key = rng_below(rng, n_keys);
    if (!heap_has(&timer->node)) {
        timer->key = key;
        heap_insert(heap, &timer->node, key);
    } else if (rng_below(rng, 2)) {
        timer->key = key;
        heap_move(heap, &timer->node, key);
    } else {
        heap_remove(heap, &timer->node);
        assert_false(heap_has(&timer->node));
    }
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Takes the front until the heap is empty: the keys must come as qsort() has them. */
static void drain(struct heap *heap, struct timer timers[N_NODES])
{
    uint64_t sorted[N_NODES];
    size_t n = 0;
    for (size_t i = 0; i < N_NODES; i++)
        if (heap_has(&timers[i].node))
            sorted[n++] = timers[i].key;
    qsort(sorted, n, sizeof(sorted[0]), compare_keys);
    size_t i = 0;
    for (struct heap_node *first; (first = heap_first(heap)); heap_remove(heap, first))
        assert_true(CONTAINER_OF(first, struct timer, node)->key == sorted[i++]);
    assert_int_equal(i, n);
}

static void test_random_operations(void **state)
{
    (void)state;
    static const uint64_t n_keys[] = {1, 2, 10, 1000, UINT64_MAX};
    for (uint64_t seed = 0; seed < 20; seed++) {
        static struct timer timers[N_NODES];
        struct heap heap;
        struct rng rng;
        heap_init(&heap);
        rng_init(&rng, seed);
        for (size_t i = 0; i < N_NODES; i++)
            heap_node_init(&timers[i].node);
        /* Few nodes at first, so that small heaps are met as often as large ones. */
        for (unsigned round = 0; round < 2000; round++) {
            uint64_t n_used = round < 500 ? 1 + round / 50 : N_NODES;
            step(&heap, &timers[rng_below(&rng, n_used)], &rng, n_keys[seed % ARRAY_LEN(n_keys)]);
            if (round < 500 || round % 16 == 0)
                check(&heap, timers);
        }
        drain(&heap, timers);
        heap_deinit(&heap);
    }
}

static void test_edges(void **state)
{
    (void)state;
    struct heap heap;
    struct heap_node a, b;
    heap_init(&heap);
    heap_node_init(&a);
    heap_node_init(&b);
    assert_null(heap_first(&heap));
    assert_true(heap_first_key(&heap) == UINT64_MAX);
    heap_insert(&heap, &a, UINT64_MAX);
    assert_ptr_equal(heap_first(&heap), &a);
    heap_insert(&heap, &b, 0);
    assert_ptr_equal(heap_first(&heap), &b);
    heap_move(&heap, &b, UINT64_MAX);
    heap_move(&heap, &a, 5);
    heap_move(&heap, &a, 5);
    assert_ptr_equal(heap_first(&heap), &a);
    heap_remove(&heap, &b);
    heap_remove(&heap, &a);
    assert_false(heap_has(&a) || heap_has(&b));
    heap_deinit(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_operations),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
