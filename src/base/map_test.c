/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map against a plain array of what it ought to hold, through growth, churn and emptying; and
 * the bounds that its layout promises.
 */
#include "base/map.h"
#include "base/mem.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { N_KEYS = 500 };

struct model {
    char keys[N_KEYS][16];
    int values[N_KEYS];        /* what the pointers in the map point at */
    uint64_t inserted[N_KEYS]; /* when; 0: not in the map */
    uint64_t now;
    uint32_t n_live;
};

static void model_init(struct model *model)
{
    memset(model, 0, sizeof(*model));
    for (unsigned i = 0; i < N_KEYS; i++)
        (void)snprintf(model->keys[i], sizeof(model->keys[i]), "Key-%u", i * 7919);
}

/* Never more places in use than entries, an empty place left, at most three quarters full. */
static void check_layout(const struct map *map)
{
    uint32_t n_used = 0, n_live = 0;
    for (uint32_t i = 0; i < map->n_places; i++) {
        n_used += map->places[i] != 0;
        n_live += map->places[i] != 0 && map->places[i] != UINT32_MAX;
    }
    assert_true(n_used <= map->n_entries);
    assert_int_equal(n_live, map->n_live);
    assert_true(map->n_entries <= map->cap_entries);
    assert_true(map->n_places == 0 || 4 * map->cap_entries <= 3 * map->n_places);
}

static void check(const struct map *map, struct model *model)
{
    check_layout(map);
    assert_int_equal(map->n_live, model->n_live);
    for (unsigned i = 0; i < N_KEYS; i++) {
        const void *expected = model->inserted[i] ? &model->values[i] : NULL;
        assert_ptr_equal(map_get(map, slice_from(model->keys[i])), expected);
    }
    uint32_t cursor = 0, n = 0;
    uint64_t before = 0;
    struct slice key;
    for (int *value; (value = map_next(map, &cursor, &key)); n++) {
        ptrdiff_t i = value - model->values;
        assert_true(slice_is(key, model->keys[i]));
        assert_true(model->inserted[i] > before);
        before = model->inserted[i];
    }
    assert_int_equal(n, model->n_live);
}

static void put(struct map *map, struct model *model, uint64_t i)
{
    void *former = map_put(map, slice_from(model->keys[i]), &model->values[i]);
    assert_ptr_equal(former, model->inserted[i] ? &model->values[i] : NULL);
    if (!former) {
        model->inserted[i] = ++model->now;
        model->n_live++;
    }
}

static void take(struct map *map, struct model *model, uint64_t i)
{
    void *former = map_remove(map, slice_from(model->keys[i]));
    assert_ptr_equal(former, model->inserted[i] ? &model->values[i] : NULL);
    model->n_live -= former != NULL;
    model->inserted[i] = 0;
}

static void test_random_operations(void **state)
{
    (void)state;
    static struct model model;
    for (uint64_t seed = 0; seed < 16; seed++) {
        struct map map;
        struct rng rng;
        model_init(&model);
        map_init(&map, seed, seed % 2);
        rng_init(&rng, seed);
        /* Mostly insertions, then mostly removals, and again. */
        for (unsigned round = 0; round < 6000; round++) {
            uint64_t i = rng_below(&rng, N_KEYS);
            bool is_filling = round / 1500 % 2 == 0;
            bool is_put = (rng_below(&rng, 4) == 0) != is_filling;
            if (is_put)
                put(&map, &model, i);
            else
                take(&map, &model, i);
            if (round % 100 == 0)
                check(&map, &model);
        }
        for (uint64_t i = 0; i < N_KEYS; i++)
            take(&map, &model, i);
        check(&map, &model);
        map_deinit(&map);
        assert_null(map_get(&map, SLICE("Key-0")));
    }
}

/* One key that comes and goes for ever must not make the map grow. */
static void test_churn_does_not_grow(void **state)
{
    (void)state;
    struct map map;
    int value = 0;
    char keys[1000][8];
    map_init(&map, 3, false);
    for (unsigned i = 0; i < 100000; i++) {
        char *key = keys[i % 1000];
        (void)snprintf(key, sizeof(keys[0]), "%u", i % 1000);
        assert_null(map_put(&map, slice_from(key), &value));
        assert_ptr_equal(map_remove(&map, slice_from(key)), &value);
        check_layout(&map);
    }
    assert_int_equal(map.n_live, 0);
    assert_int_equal(map.n_places, 8);
    map_deinit(&map);
}

static void test_empty(void **state)
{
    (void)state;
    struct map map;
    uint32_t cursor = 0;
    struct slice key;
    map_init(&map, 1, false);
    assert_null(map_get(&map, SLICE("a")));
    assert_null(map_remove(&map, SLICE("a")));
    assert_null(map_next(&map, &cursor, &key));
    map_deinit(&map);
}

static void test_keys(void **state)
{
    (void)state;
    struct map map;
    int a = 1, b = 2;
    map_init(&map, 1, false);
    assert_null(map_put(&map, slice_from(NULL), &a)); /* the empty key is a key */
    assert_ptr_equal(map_get(&map, SLICE("")), &a);
    assert_null(map_put(&map, SLICE("x\0y"), &a));
    assert_null(map_put(&map, SLICE("x\0z"), &b));
    assert_ptr_equal(map_get(&map, SLICE("x\0y")), &a);
    assert_ptr_equal(map_get(&map, SLICE("x\0z")), &b);
    assert_null(map_get(&map, SLICE("X\0Z")));
    map_deinit(&map);
}

static void test_nocase(void **state)
{
    (void)state;
    struct map map;
    int a = 1, b = 2;
    uint32_t cursor = 0;
    struct slice key;
    map_init(&map, 1, true);
    assert_null(map_put(&map, SLICE("WWW.Example.org"), &a));
    assert_ptr_equal(map_get(&map, SLICE("www.example.ORG")), &a);
    assert_ptr_equal(map_put(&map, SLICE("www.example.org"), &b), &a);
    assert_ptr_equal(map_next(&map, &cursor, &key), &b);
    assert_true(slice_is(key, "www.example.org")); /* the new key: the old may be gone */
    assert_ptr_equal(map_remove(&map, SLICE("WWW.EXAMPLE.ORG")), &b);
    assert_int_equal(map.n_live, 0);
    map_deinit(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_operations),
        cmocka_unit_test(test_churn_does_not_grow),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_nocase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
