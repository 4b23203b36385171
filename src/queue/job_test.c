/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The store and the orders of jobs: found, freed, in order, and as small as the header says; and
 * what a back-off may be.
 */

#include "queue/job_heap.h"
#include "queue/tube.h"

#include "base/mem.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { MILLION = 1000000, BYTES_A_JOB = 112 };

/* A million waiting jobs with bodies in the log: what they take, and that each is found. */
static void test_memory(void **state)
{
    (void)state;
    struct job_store store;
    struct job_heap ready;
    job_store_init(&store);
    job_heap_init(&ready, JOB_BY_PRIORITY);
    assert_int_equal(sizeof(struct job), 96);
    for (uint64_t id = 1; id <= MILLION; id++) {
        uint32_t number = job_add(&store, id);
        job_set_body(&store, job_at(&store, number), slice_make(NULL, 1024));
        job_heap_insert(&ready, &store, number);
    }
    size_t bytes = job_pool_bytes(&store.jobs) + store.n_index * sizeof(uint32_t) +
                   (size_t)ready.cap * sizeof(uint32_t);
    print_message("%zu bytes a job\n", bytes / MILLION);
    assert_true(bytes / MILLION <= BYTES_A_JOB);
    for (uint64_t id = 1; id <= MILLION; id++) {
        uint32_t number = job_heap_first(&ready);
        assert_int_equal(job_at(&store, number)->id, id);
        assert_int_equal(job_find(&store, id), number);
        job_heap_remove(&ready, &store, number);
        job_free(&store, number);
    }
    assert_int_equal(job_find(&store, 7), JOB_NONE);
    job_heap_deinit(&ready);
    job_store_deinit(&store);
}

static void test_bodies(void **state)
{
    (void)state;
    struct job_store store;
    char bytes[JOB_INLINE_MAX + 1];
    uint32_t numbers[JOB_INLINE_MAX + 2];
    memset(bytes, 'b', sizeof(bytes));
    job_store_init(&store);
    for (int round = 0; round < 2; round++) {
        for (uint32_t n = 0; n <= JOB_INLINE_MAX + 1; n++) {
            numbers[n] = job_add(&store, n + 1);
            job_set_body(&store, job_at(&store, numbers[n]), slice_make(bytes, n));
        }
        for (uint32_t n = 0; n <= JOB_INLINE_MAX + 1; n++) {
            struct slice body = job_body(&store, job_at(&store, numbers[n]));
            assert_int_equal(job_at(&store, numbers[n])->body_bytes, n);
            assert_true(n > JOB_INLINE_MAX ? !body.ptr : slice_equal(body, slice_make(bytes, n)));
            job_free(&store, numbers[n]);
        }
    }
    job_store_deinit(&store);
}

/* Random ids come and go; each that is there is found, and nothing else. */
static void test_index(void **state)
{
    (void)state;
    enum { N = 3000 };
    struct job_store store;
    struct rng rng;
    bool is_there[N] = {false};
    job_store_init(&store);
    rng_init(&rng, 5);
    for (int i = 0; i < 60000; i++) {
        uint64_t id = rng_below(&rng, N);
        if (is_there[id])
            job_free(&store, job_find(&store, id));
        else
            job_add(&store, id);
        is_there[id] = !is_there[id];
        uint64_t other = rng_below(&rng, N);
        assert_int_equal(job_find(&store, other) != JOB_NONE, is_there[other]);
    }
    job_store_deinit(&store);
}

static void check_order(enum job_order order)
{
    enum { N = 500 };
    struct job_store store;
    struct job_heap heap;
    struct rng rng;
    job_store_init(&store);
    job_heap_init(&heap, order);
    rng_init(&rng, order + 1u);
    for (uint64_t id = 1; id <= N; id++) {
        uint32_t number = job_add(&store, id);
        job_at(&store, number)->priority = (uint32_t)rng_below(&rng, 20);
        job_at(&store, number)->due_ms = rng_below(&rng, 20);
        job_heap_insert(&heap, &store, number);
    }
    for (int i = 0; i < N / 4; i++) {
        uint32_t number = heap.slots[rng_below(&rng, heap.n)];
        job_heap_remove(&heap, &store, number);
        job_free(&store, number);
    }
    uint64_t former = 0;
    while (heap.n > 0) {
        uint32_t number = job_heap_first(&heap);
        const struct job *job = job_at(&store, number);
        uint64_t key = order == JOB_BY_PRIORITY ? job->priority : job->due_ms;
        key = key << 32 | job->id;
        assert_true(key > former);
        former = key;
        job_heap_remove(&heap, &store, number);
    }
    job_heap_deinit(&heap);
    job_store_deinit(&store);
}

static void test_orders(void **state)
{
    (void)state;
    check_order(JOB_BY_PRIORITY);
    check_order(JOB_BY_DUE);
}

static void test_backoff(void **state)
{
    (void)state;
    static const struct {
        uint32_t base_ms, max_ms, n_attempts;
        uint64_t most_ms;
    } rows[] = {
        {1000, 60000, 1, 1000},
        {1000, 60000, 2, 2000},
        {1000, 60000, 6, 32000},
        {1000, 60000, 7, 60000},
        {1000, 60000, 65535, 60000},
        {0, 60000, 9, 0},
        {1000, 500, 1, 500},
        {1000, 60000, 0, 1000},
        {UINT32_MAX, UINT32_MAX, 9, UINT32_MAX},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct retry_rule rule = {RETRY_LATER, rows[i].base_ms, rows[i].max_ms};
        assert_int_equal(retry_delay_ms(&rule, rows[i].n_attempts, 0), 0);
        assert_int_equal(retry_delay_ms(&rule, rows[i].n_attempts, UINT64_MAX), rows[i].most_ms);
        uint64_t half = retry_delay_ms(&rule, rows[i].n_attempts, UINT64_MAX / 2);
        assert_true(half <= rows[i].most_ms / 2 + 1 && half + 1 >= rows[i].most_ms / 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory), cmocka_unit_test(test_bodies),  cmocka_unit_test(test_index),
        cmocka_unit_test(test_orders), cmocka_unit_test(test_backoff),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
