/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas: alignment, zeroes, objects that do not overlap, strings, and use after being emptied. */
#include "base/arena.h"
#include "base/mem.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool is_filled(const unsigned char *bytes, size_t size, unsigned char value)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

/* Objects of many sizes keep their own bytes while the others are written. */
static void test_objects_do_not_overlap(void **state)
{
    (void)state;
    enum { N_OBJECTS = 2000 };
    static unsigned char *objects[N_OBJECTS];
    static size_t sizes[N_OBJECTS];
    struct arena arena;
    struct rng rng;
    arena_init(&arena);
    rng_init(&rng, 1);
    size_t sum = 0;
    for (size_t i = 0; i < N_OBJECTS; i++) {
        sizes[i] = (size_t)rng_below(&rng, i % 100 == 0 ? 100000 : 200);
        objects[i] = arena_alloc(&arena, sizes[i]);
        sum += sizes[i];
        assert_int_equal((uintptr_t)objects[i] % alignof(max_align_t), 0);
        assert_true(is_filled(objects[i], sizes[i], 0));
        memset(objects[i], (int)(i % 251 + 1), sizes[i]);
    }
    for (size_t i = 0; i < N_OBJECTS; i++)
        assert_true(is_filled(objects[i], sizes[i], (unsigned char)(i % 251 + 1)));
    assert_int_equal(arena.size_bytes, sum);
    arena_deinit(&arena);
}

static void test_sizes_at_the_edges(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,    1,    15,   16,   17,    991,   992,   993,     1008,
                                   1024, 8191, 8192, 8193, 65504, 65535, 65536, 1 << 20, 1};
    struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        memset(arena_alloc(&arena, sizes[i]), 0xff, sizes[i]);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct arena alone;
        arena_init(&alone);
        const unsigned char *bytes = arena_alloc(&alone, sizes[i]);
        assert_true(is_filled(bytes, sizes[i], 0));
        arena_deinit(&alone);
    }
    arena_deinit(&arena);
}

static void test_deinit_empties(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    arena_deinit(&arena);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(arena.size_bytes, 0);
        assert_null(arena.chunks);
        memset(arena_alloc(&arena, 5000), 0xff, 5000);
        const uint64_t *numbers = ARENA_NEW_ARRAY(&arena, uint64_t, 100);
        for (size_t i = 0; i < 100; i++)
            assert_true(numbers[i] == 0);
        assert_int_equal(arena.size_bytes, 5800);
        arena_deinit(&arena);
    }
}

/* A large object takes no room from the small ones: the chunk in use stays at the front. */
static void test_large_object_stands_behind(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    (void)arena_alloc(&arena, 100);
    const struct arena_chunk *in_use = arena.chunks;
    (void)arena_alloc(&arena, 50000);
    assert_ptr_equal(arena.chunks, in_use);
    arena_deinit(&arena);
}

static void test_strings(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    char bytes[] = "abc";
    struct slice copy = arena_dup(&arena, (struct slice){bytes, 2});
    bytes[0] = 'x';
    struct slice empty = arena_dup(&arena, slice_from(NULL));
    const char *number = arena_printf(&arena, "%s-%d", "member", 12);
    const char *wide = arena_printf(&arena, "%20000d", 7);
    assert_int_equal((uintptr_t)ARENA_NEW(&arena, max_align_t) % alignof(max_align_t), 0);
    assert_int_equal(copy.len, 2);
    assert_string_equal(copy.ptr, "ab");
    assert_int_equal(empty.len, 0);
    assert_string_equal(empty.ptr, "");
    assert_string_equal(number, "member-12");
    assert_int_equal(strlen(wide), 20000);
    assert_int_equal(wide[19999], '7');
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects_do_not_overlap),
        cmocka_unit_test(test_sizes_at_the_edges),
        cmocka_unit_test(test_deinit_empties),
        cmocka_unit_test(test_large_object_stands_behind),
        cmocka_unit_test(test_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
