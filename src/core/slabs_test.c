/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Slabs of counters across configurations and lives: shared while any of them counts, gone with the
 * last, found again by the next life of the process, and refused where the board is full.
 */

#include "core/slabs.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Rows as long as those of a real listener, so that the board fills up soon. */
enum { LISTEN_REQUESTS, LISTEN_ACTIVE, LISTEN_WORDS = 300 };

static const struct metric_def listen_defs[] = {
    {.name = "requests", .word = LISTEN_REQUESTS, .help = "Requests."},
    {.name = "active", .type = METRIC_GAUGE, .word = LISTEN_ACTIVE, .help = "Connections."},
    {0},
};

static const struct metric_table listen_metrics = {
    .name = "listen",
    .labels = {"listen"},
    .n_words = LISTEN_WORDS,
    .defs = listen_defs,
};

static const struct metric_table member_metrics = {
    .name = "member",
    .labels = {"member"},
    .n_words = LISTEN_WORDS,
    .defs = listen_defs,
};

struct scene {
    struct board_fds fds;
    struct board *board;
    struct slabs slabs;
};

static void scene_open(struct scene *scene, uint32_t n_loops)
{
    static const char *const names[] = {"edge"};
    memset(scene, 0, sizeof(*scene));
    assert_int_equal(board_make(names, 1, &scene->fds, NULL), 0);
    assert_int_equal(board_open(&scene->fds, 0, &scene->board, NULL), 0);
    slabs_init(&scene->slabs, scene->board, n_loops, 1);
}

static void scene_close(struct scene *scene)
{
    slabs_deinit(&scene->slabs);
    board_close(&scene->board);
    board_fds_close(&scene->fds);
}

/* The sum of one word over all loops as a reader finds it; -1 where there is no such slab. */
static int64_t read_word(const struct scene *scene, const char *object, uint32_t word)
{
    static uint64_t sums[LISTEN_WORDS];
    struct metric_view view;
    uint64_t cursor = 0;
    while (metric_next(scene->board, 0, &cursor, &view, sums, LISTEN_WORDS))
        if (strcmp(view.table, "listen") == 0 && strcmp(view.object, object) == 0)
            return (int64_t)sums[word];
    return -1;
}

static void test_shared_by_plans(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 2);
    struct shared_slab *first = slabs_take(&scene.slabs, &listen_metrics, "shop");
    struct shared_slab *other = slabs_take(&scene.slabs, &listen_metrics, "plain");
    struct shared_slab *member = slabs_take(&scene.slabs, &member_metrics, "shop");
    assert_ptr_not_equal(first, other);
    assert_ptr_not_equal(first, member); /* another table */
    metric_add(metric_row(first->slab, 0), LISTEN_REQUESTS, 3);
    metric_add(metric_row(first->slab, 1), LISTEN_REQUESTS, 4);
    metric_add(metric_row(first->slab, 1), LISTEN_ACTIVE, 2);
    /* The next user counts on, gauges too: their clients are still there. */
    assert_ptr_equal(slabs_take(&scene.slabs, &listen_metrics, "shop"), first);
    assert_int_equal(read_word(&scene, "shop", LISTEN_REQUESTS), 7);
    assert_int_equal(read_word(&scene, "shop", LISTEN_ACTIVE), 2);
    slabs_leave(&scene.slabs, first); /* the old one goes */
    metric_add(metric_row(first->slab, 0), LISTEN_REQUESTS, 1);
    assert_int_equal(read_word(&scene, "shop", LISTEN_REQUESTS), 8);
    slabs_leave(&scene.slabs, first);
    assert_int_equal(read_word(&scene, "shop", LISTEN_REQUESTS), -1);
    assert_int_equal(read_word(&scene, "plain", LISTEN_REQUESTS), 0);
    /* What comes back under the name begins at nothing. */
    first = slabs_take(&scene.slabs, &listen_metrics, "shop");
    assert_int_equal(read_word(&scene, "shop", LISTEN_REQUESTS), 0);
    slabs_leave(&scene.slabs, first);
    slabs_leave(&scene.slabs, other);
    slabs_leave(&scene.slabs, member);
    scene_close(&scene);
}

/* The process died and was started again: what was counted stays, what was going on is over. */
static void test_next_life(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 2);
    struct metric_slab *former = metric_open(scene.board, &listen_metrics, "shop", 2, true);
    metric_add(metric_row(former, 1), LISTEN_REQUESTS, 5);
    metric_add(metric_row(former, 1), LISTEN_ACTIVE, 5);
    metric_forget(former);
    struct shared_slab *slab = slabs_take(&scene.slabs, &listen_metrics, "shop");
    assert_int_equal(read_word(&scene, "shop", LISTEN_REQUESTS), 5);
    assert_int_equal(read_word(&scene, "shop", LISTEN_ACTIVE), 0);
    slabs_leave(&scene.slabs, slab);
    scene_close(&scene);
}

static void test_no_room(void **state)
{
    (void)state;
    static struct shared_slab *slabs[20000];
    struct scene scene;
    char name[32];
    size_t n = 0;
    scene_open(&scene, BOARD_LOOPS_MAX);
    for (;;) {
        assert_true(n < ARRAY_LEN(slabs));
        snprintf(name, sizeof(name), "l%zu", n);
        struct shared_slab *slab = slabs_take(&scene.slabs, &listen_metrics, name);
        if (!slab)
            break;
        slabs[n++] = slab;
    }
    assert_true(n >= 100);
    assert_null(map_get(&scene.slabs.map, SLICE("listen l999999")));
    slabs_leave(&scene.slabs, slabs[7]); /* one goes, and there is room for another */
    slabs[7] = slabs_take(&scene.slabs, &listen_metrics, name);
    assert_non_null(slabs[7]);
    for (size_t i = 0; i < n; i++)
        slabs_leave(&scene.slabs, slabs[i]);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_by_plans),
        cmocka_unit_test(test_next_life),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
