/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Slabs of counters: rows, sums, lives, memory that is used again, and owners that are killed at
 * every instruction of opening, closing and counting.
 */

#include "base/mem.h"
#include "core/dying.h"
#include "core/metric.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { OWNER = 0, N_LOOPS = 2, SUMS_MAX = 400 };

enum { PAIR_COUNT, PAIR_GAUGE, PAIR_LATENCY, PAIR_WORDS = PAIR_LATENCY + METRIC_HIST_WORDS };

static const struct metric_def pair_defs[] = {
    {.name = "count", .type = METRIC_COUNTER, .word = PAIR_COUNT, .help = "things"},
    {.name = "gauge", .type = METRIC_GAUGE, .word = PAIR_GAUGE, .help = "things now"},
    {.name = "latency", .type = METRIC_HISTOGRAM, .word = PAIR_LATENCY, .help = "how long"},
    {.name = NULL},
};
static const struct metric_table pair_table = {
    .name = "pair", .labels = {"pool", "member"}, .n_words = PAIR_WORDS, .defs = pair_defs};

/* As large as two rows of the pair, in rows of another length. */
static const struct metric_def flat_defs[] = {
    {.name = "count", .type = METRIC_COUNTER, .word = 0, .help = "things"},
    {.name = NULL},
};
static const struct metric_table flat_table = {
    .name = "flat", .labels = {"name"}, .n_words = 2 * PAIR_WORDS, .defs = flat_defs};

static const struct metric_def time_defs[] = {
    {.name = "count", .type = METRIC_COUNTER, .word = 0, .help = "things"},
    {.name = "last", .type = METRIC_LATEST, .word = 1, .help = "when the last thing was"},
    {.name = NULL},
};
static const struct metric_table time_table = {
    .name = "time", .labels = {"name"}, .n_words = 2, .defs = time_defs};

static void make(struct board_fds *fds)
{
    static const char *const names[] = {"edge"};
    struct err err = ERR_NONE;
    if (board_make(names, 1, fds, &err) < 0)
        fail_msg("%s", err.text);
}

static struct board *open_as(const struct board_fds *fds, int own)
{
    struct err err = ERR_NONE;
    struct board *board = NULL;
    if (board_open(fds, own, &board, &err) < 0)
        fail_msg("%s", err.text);
    return board;
}

/* Reads the slab of an object; false where there is none. Asserts that there are not two. */
static bool read_slab(const struct board *board, const char *object, struct metric_view *ret_view,
                      uint64_t *ret_sums)
{
    struct metric_view view = {.n_words = 0};
    uint64_t cursor = 0, sums[SUMS_MAX] = {0};
    unsigned n = 0;
    while (metric_next(board, OWNER, &cursor, &view, sums, SUMS_MAX)) {
        if (strcmp(view.object, object) != 0)
            continue;
        *ret_view = view;
        for (uint32_t i = 0; i < view.n_words; i++)
            ret_sums[i] = sums[i];
        n++;
    }
    assert_true(n <= 1);
    return n == 1;
}

static unsigned count_slabs(const struct board *board)
{
    struct metric_view view = {.n_words = 0};
    uint64_t cursor = 0, sums[1];
    unsigned n = 0;
    while (metric_next(board, OWNER, &cursor, &view, sums, 1))
        n++;
    return n;
}

static void test_sums(void **state)
{
    (void)state;
    struct board_fds fds;
    make(&fds);
    struct board *owner = open_as(&fds, OWNER), *reader = open_as(&fds, BOARD_NO_SEGMENT);
    struct metric_view view = {.n_words = 0};
    uint64_t sums[SUMS_MAX];
    assert_int_equal(count_slabs(reader), 0);
    struct metric_slab *slab = metric_open(owner, &pair_table, "web/a", N_LOOPS, true);
    metric_word *row0 = metric_row(slab, 0), *row1 = metric_row(slab, 1);
    assert_int_equal((uintptr_t)row0 % 64, 0); /* nobody else writes to a loop's cache lines */
    assert_int_equal((uintptr_t)row1 % 64, 0);
    assert_true((size_t)(row1 - row0) >= PAIR_WORDS);
    metric_add(row0, PAIR_COUNT, 3);
    metric_add(row1, PAIR_COUNT, 4);
    metric_set(row0, PAIR_GAUGE, 10);
    metric_add(row1, PAIR_GAUGE, 5);
    metric_sub(row0, PAIR_GAUGE, 2);
    metric_sub(row1, PAIR_GAUGE, 6); /* a row alone may be below zero, the sum is right */
    metric_observe(row0, PAIR_LATENCY, 100);
    metric_observe(row1, PAIR_LATENCY, 100);
    metric_observe(row1, PAIR_LATENCY, UINT64_C(1) << 40);
    assert_true(read_slab(reader, "web/a", &view, sums));
    assert_string_equal(view.table, "pair");
    assert_int_equal(view.n_words, PAIR_WORDS);
    assert_int_equal(sums[PAIR_COUNT], 7);
    assert_int_equal(sums[PAIR_GAUGE], 7);
    assert_int_equal(sums[PAIR_LATENCY + hist_bucket(100)], 2);
    assert_int_equal(sums[PAIR_LATENCY + HIST_BUCKETS - 1], 1);
    assert_true(sums[PAIR_LATENCY + HIST_BUCKETS] == 200 + (UINT64_C(1) << 40));

    uint64_t cursor = 0, few[2] = {0, 99};
    assert_true(metric_next(reader, OWNER, &cursor, &view, few, 1));
    assert_int_equal(view.n_words, 1);
    assert_int_equal(few[0], 7);
    assert_int_equal(few[1], 99);
    metric_close(owner, slab);
    assert_int_equal(count_slabs(reader), 0);
    board_close(&owner);
    board_close(&reader);
    board_fds_close(&fds);
}

/* A later life counts on; what is "now" begins anew. */
static void test_lives(void **state)
{
    (void)state;
    struct board_fds fds;
    make(&fds);
    struct metric_view view = {.n_words = 0};
    uint64_t sums[SUMS_MAX];
    for (uint64_t life = 1; life <= 3; life++) {
        struct board *owner = open_as(&fds, OWNER);
        struct metric_slab *slab = metric_open(owner, &pair_table, "web/a", N_LOOPS, true);
        metric_add(metric_row(slab, 1), PAIR_COUNT, 1);
        metric_add(metric_row(slab, 1), PAIR_GAUGE, 1);
        assert_true(read_slab(owner, "web/a", &view, sums));
        assert_true(sums[PAIR_COUNT] == life);
        assert_int_equal(sums[PAIR_GAUGE], 1);
        metric_forget(slab);
        slab = metric_open(owner, &pair_table, "web/a", N_LOOPS, false); /* after a reload */
        assert_true(read_slab(owner, "web/a", &view, sums));
        assert_int_equal(sums[PAIR_GAUGE], 1);
        metric_forget(slab);
        board_close(&owner);
    }
    board_fds_close(&fds);
}

/* Memory that was given back is used again, zeroed, and never reaches into another slab. */
static void test_memory_is_used_again(void **state)
{
    (void)state;
    struct board_fds fds;
    make(&fds);
    struct board *owner = open_as(&fds, OWNER);
    struct metric_view view = {.n_words = 0};
    uint64_t sums[SUMS_MAX];
    char object[32];
    for (unsigned round = 0; round < 20000; round++) { /* far more than the area holds */
        const struct metric_table *table = round % 3 ? &pair_table : &flat_table;
        uint32_t n_loops = round % 3 ? N_LOOPS : 1;
        snprintf(object, sizeof(object), "web/m%u", round);
        struct metric_slab *slab = metric_open(owner, table, object, n_loops, true);
        assert_non_null(slab);
        if (round % 1000 == 0) {
            assert_true(read_slab(owner, object, &view, sums));
            for (uint32_t i = 0; i < view.n_words; i++)
                assert_int_equal(sums[i], 0);
        }
        for (uint32_t i = 0; i < table->n_words; i++)
            metric_set(metric_row(slab, n_loops - 1), i, round);
        metric_close(owner, slab);
    }
    assert_int_equal(board_refused(owner), 0);
    board_close(&owner);
    board_fds_close(&fds);
}

static void test_no_room(void **state)
{
    (void)state;
    struct board_fds fds;
    make(&fds);
    struct board *owner = open_as(&fds, OWNER);
    char object[32];
    unsigned n = 0;
    for (;; n++) {
        snprintf(object, sizeof(object), "web/m%u", n);
        struct metric_slab *slab = metric_open(owner, &pair_table, object, BOARD_LOOPS_MAX, true);
        if (!slab)
            break;
        metric_forget(slab);
    }
    assert_true(n > 100);
    assert_int_equal(board_refused(owner), 1);
    assert_int_equal(count_slabs(owner), n);
    board_close(&owner);
    owner = open_as(&fds, OWNER); /* the next life knows what is taken */
    assert_null(metric_open(owner, &pair_table, "web/more", BOARD_LOOPS_MAX, true));
    board_close(&owner);
    board_fds_close(&fds);
}

/* --- owners that die -------------------------------------------------------------------------- */

enum write_kind {
    OPEN_NEW,
    OPEN_SAME_SHAPE,  /* in the place of a slab that was closed, of which the shape is the same */
    OPEN_LONGER_ROWS, /* beside a closed slab of the same size, of which the rows are shorter */
    OPEN_MORE_ROWS,   /* of which the rows are fewer and longer */
    CLOSE,
    ADD,
    WRITE_N
};

#define TARGET "web/target"

struct scene {
    enum write_kind kind;
    struct board_fds fds;
    struct board *owner;
    struct metric_slab *target; /* CLOSE, ADD */
    long n_looks;
};

/* Every word of the slab's rows holds the number. */
static void fill(struct metric_slab *slab, uint64_t number)
{
    for (uint32_t loop = 0; loop < N_LOOPS; loop++)
        for (uint32_t i = 0; i < PAIR_WORDS; i++)
            metric_set(metric_row(slab, loop), i, number);
}

static void expect_filled(const struct board *board, const char *object, uint64_t number)
{
    struct metric_view view = {.n_words = 0};
    uint64_t sums[SUMS_MAX] = {0};
    assert_true(read_slab(board, object, &view, sums));
    assert_int_equal(view.n_words, PAIR_WORDS);
    for (uint32_t i = 0; i < PAIR_WORDS; i++)
        assert_true(sums[i] == N_LOOPS * number);
}

/*
 * Three slabs beside each other; the one in the middle is, or was, the one that the write is about.
 */
static void scene_init(struct scene *scene, enum write_kind kind)
{
    *scene = (struct scene){.kind = kind};
    make(&scene->fds);
    scene->owner = open_as(&scene->fds, OWNER);
    struct metric_slab *a = metric_open(scene->owner, &pair_table, "web/a", N_LOOPS, true);
    fill(a, 11);
    metric_forget(a);
    if (kind != OPEN_NEW) {
        bool stays = kind == CLOSE || kind == ADD;
        bool is_flat = kind == OPEN_MORE_ROWS;
        scene->target = metric_open(scene->owner, is_flat ? &flat_table : &pair_table,
                                    stays ? TARGET : "web/gone", is_flat ? 1 : N_LOOPS, true);
        if (!is_flat)
            fill(scene->target, 5);
    }
    struct metric_slab *z = metric_open(scene->owner, &pair_table, "web/z", N_LOOPS, true);
    fill(z, 12);
    metric_forget(z);
    if (scene->target && kind != CLOSE && kind != ADD) {
        metric_close(scene->owner, scene->target);
        scene->target = NULL;
    }
}

static void scene_deinit(struct scene *scene)
{
    if (scene->target)
        metric_forget(scene->target);
    board_close(&scene->owner);
    board_fds_close(&scene->fds);
}

static void scene_write(void *ctx)
{
    struct scene *scene = ctx;
    if (scene->kind == CLOSE)
        metric_close(scene->owner, scene->target);
    else if (scene->kind == ADD)
        metric_add(metric_row(scene->target, 0), PAIR_COUNT, 1);
    else if (scene->kind == OPEN_LONGER_ROWS)
        metric_open(scene->owner, &flat_table, TARGET, 1, true);
    else
        metric_open(scene->owner, &pair_table, TARGET, N_LOOPS, true);
}

static void check_target(const struct scene *scene, const struct board *board)
{
    struct metric_view view = {.n_words = 0};
    uint64_t sums[SUMS_MAX];
    if (!read_slab(board, TARGET, &view, sums)) {
        assert_int_not_equal(scene->kind, ADD);
        return;
    }
    assert_string_equal(view.table, scene->kind == OPEN_LONGER_ROWS ? "flat" : "pair");
    bool was_there = scene->kind == CLOSE || scene->kind == ADD;
    for (uint32_t i = 0; i < view.n_words; i++)
        assert_true(sums[i] == (was_there ? 5 * N_LOOPS : 0) ||
                    (scene->kind == ADD && i == PAIR_COUNT && sums[i] == 5 * N_LOOPS + 1));
}

static void check_others(const struct board *board)
{
    expect_filled(board, "web/a", 11);
    expect_filled(board, "web/z", 12);
}

/* The owner has died: readers see whole slabs, and the next life's own do not touch the others. */
static void scene_look(void *ctx, long instruction)
{
    (void)instruction;
    struct scene *scene = ctx;
    struct board_fds copy;
    scene->n_looks++;
    make(&copy);
    dying_copy(scene->fds.rw[OWNER], copy.rw[OWNER]);
    struct board *reader = open_as(&copy, BOARD_NO_SEGMENT);
    check_others(reader);
    check_target(scene, reader);
    struct board *owner = open_as(&copy, OWNER);
    check_others(reader);
    check_target(scene, reader);
    static const char *const objects[] = {TARGET, "web/b", "web/c", "web/d"};
    for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
        struct metric_slab *slab = metric_open(owner, &pair_table, objects[i], N_LOOPS, true);
        fill(slab, 20 + i);
        metric_forget(slab);
        uint32_t n_loops = i % 2 ? 1 : N_LOOPS;
        struct metric_slab *flat = metric_open(owner, &flat_table, "flat", n_loops, true);
        for (uint32_t k = 0; k < flat_table.n_words; k++)
            metric_set(metric_row(flat, n_loops - 1), k, 99);
        metric_close(owner, flat);
    }
    check_others(reader);
    for (size_t i = 1; i < ARRAY_LEN(objects); i++)
        expect_filled(reader, objects[i], 20 + i);
    board_close(&owner);
    board_close(&reader);
    board_fds_close(&copy);
}

static void test_owner_dies_anywhere(void **state)
{
    (void)state;
    const char *reason = NULL;
    if (!dying_is_permitted(&reason)) {
        print_message("%s\n", reason);
        skip();
    }
    for (enum write_kind kind = 0; kind < WRITE_N; kind++) {
        struct scene scene;
        scene_init(&scene, kind);
        long n = dying_watch(scene_write, &scene, scene.fds.rw[OWNER], scene_look, &scene);
        print_message("write %d: %ld instructions, %ld states of memory\n", (int)kind, n,
                      scene.n_looks);
        assert_true(scene.n_looks >= 2);
        scene_deinit(&scene);
    }
}

/* Of a time the largest row counts; a new life forgets it not, and a slab that is gone has none. */
static void test_latest(void **state)
{
    (void)state;
    struct board_fds fds;
    struct metric_view view;
    uint64_t sums[SUMS_MAX], cursor = 0;
    make(&fds);
    struct board *board = open_as(&fds, OWNER);
    struct metric_slab *slab = metric_open(board, &time_table, "x", N_LOOPS, true);
    metric_set(metric_row(slab, 0), 1, 1795575660);
    metric_set(metric_row(slab, 1), 1, 1795575600);
    metric_forget(slab);
    slab = metric_open(board, &time_table, "x", N_LOOPS, true);
    assert_true(metric_next(board, OWNER, &cursor, &view, sums, SUMS_MAX));
    assert_int_equal(metric_latest(board, OWNER, &view, 1), 1795575660);
    assert_int_equal(metric_latest(board, OWNER, &view, 0), 0);
    metric_set(metric_row(slab, 1), 1, 1795575700);
    assert_int_equal(metric_latest(board, OWNER, &view, 1), 1795575700);
    metric_close(board, slab);
    assert_int_equal(metric_latest(board, OWNER, &view, 1), 0);
    board_close(&board);
    board_fds_close(&fds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_lives),
        cmocka_unit_test(test_memory_is_used_again),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_latest),
        cmocka_unit_test(test_owner_dies_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
