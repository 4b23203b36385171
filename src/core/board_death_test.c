/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Writers of the board that are killed at every instruction of every kind of write, and the
 * adoption by the next life, killed itself.
 */

#include "base/mem.h"
#include "base/rng.h"
#include "config.h"
#include "core/board_stage.h"
#include "core/dying.h"
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- writers that die ------------------------------------------------------------------------- */

enum write_kind {
    WRITE_NEW,    /* a fact in a slot that was never used */
    WRITE_REUSE,  /* a fact in the slot of one that was removed */
    WRITE_CHANGE, /* another state */
    WRITE_UPDATE, /* another reason and value, the same state */
    WRITE_REMOVE,
    WRITE_HEARTBEAT,
    WRITE_N
};

#define TARGET "member:web/target"

/* A board as it is before the write that dies: some facts, one of them removed. */
struct scene {
    enum write_kind kind;
    struct board_fds fds;
    struct board *writer;
    struct board_cursor cursor; /* a reader's, of before the write */
    uint64_t before, after;     /* the number of the target; 0: no such fact */
    long n_looks;
};

static void scene_init(struct scene *scene, enum write_kind kind)
{
    *scene = (struct scene){.kind = kind};
    make(&scene->fds);
    scene->writer = open_as(&scene->fds, WRITER);
    state_number(scene->writer, "member:web/a", 11);
    if (kind == WRITE_REUSE)
        state_number(scene->writer, "member:web/gone", 3);
    if (kind == WRITE_CHANGE || kind == WRITE_UPDATE || kind == WRITE_REMOVE)
        state_number(scene->writer, TARGET, scene->before = 5);
    state_number(scene->writer, "member:web/z", 12);
    board_remove(scene->writer, "member:web/gone", 9);
    atomic_store(board_heartbeat(scene->writer, 0), 5);
    if (kind != WRITE_REMOVE)
        scene->after = kind == WRITE_UPDATE ? 7 : 6;
    if (kind == WRITE_HEARTBEAT)
        scene->before = scene->after = 0;
    board_cursor_init(scene->writer, &scene->cursor);
    has_rung(scene->fds.bell[READER]);
}

static void scene_deinit(struct scene *scene)
{
    board_close(&scene->writer);
    board_fds_close(&scene->fds);
}

/* The write itself, in the child. */
static void scene_write(void *ctx)
{
    struct scene *scene = ctx;
    if (scene->kind == WRITE_HEARTBEAT)
        atomic_store(board_heartbeat(scene->writer, 0), 6);
    else if (scene->kind == WRITE_REMOVE)
        board_remove(scene->writer, TARGET, 6000);
    else
        state_number(scene->writer, TARGET, scene->after);
}

/* The adoption itself, in the child. */
static void scene_adopt(void *ctx)
{
    const struct board_fds *fds = ctx;
    struct board *board = NULL;
    if (board_open(fds, WRITER, &board, NULL) < 0)
        _exit(1);
}

static enum fact_state state_of(uint64_t number)
{
    return number == 0 ? FACT_NONE : number % 2 ? FACT_UP : FACT_DOWN;
}

/* Checks all facts as a reader; returns the number of the target, 0 where there is none. */
static uint64_t check_facts(const struct scene *scene, const struct board *reader)
{
    uint32_t at = 0;
    uint64_t target = 0;
    unsigned n_others = 0;
    for (struct fact fact; board_next(reader, WRITER, &at, &fact);) {
        uint64_t number = check_whole(&fact);
        if (strcmp(fact.name, TARGET) == 0) {
            assert_true(number == scene->before || number == scene->after);
            assert_int_equal(target, 0); /* there is one of it */
            target = number;
            assert_true(fact.since_ns == (scene->kind == WRITE_UPDATE ? 5000 : number * 1000));
            assert_int_equal(board_peek(reader, board_find(reader, TARGET)), state_of(number));
        } else {
            assert_true(number == (strcmp(fact.name, "member:web/a") == 0 ? 11 : 12));
            n_others++;
        }
    }
    assert_int_equal(n_others, 2);
    if (target == 0) {
        assert_true(scene->before == 0 || scene->after == 0);
        assert_false(board_find(reader, TARGET).is_set);
    }
    return target;
}

/* Exactly these transitions of the target have been seen: none, or the one that was written. */
static void check_seen(const struct scene *scene, const struct seen *seen, bool is_wanted)
{
    assert_int_equal(seen->n_lost, 0);
    assert_int_equal(seen->n, is_wanted ? 1 : 0);
    if (is_wanted)
        expect_change(&seen->changes[0], TARGET, state_of(scene->before), state_of(scene->after),
                      6000);
}

/*
 * The next life writes on: the reader sees each transition once, the first from where it was left.
 */
static void check_next_life(struct board *writer, struct board *reader, struct board_cursor *cursor,
                            uint64_t target)
{
    state_number(writer, TARGET, 20);
    state_number(writer, TARGET, 21);
    struct seen seen = look(reader, cursor);
    size_t n = 0;
    if (state_of(target) != state_of(20))
        expect_change(&seen.changes[n++], TARGET, state_of(target), state_of(20), 20000);
    expect_change(&seen.changes[n++], TARGET, state_of(20), state_of(21), 21000);
    assert_int_equal(seen.n, n);
    state_number(writer, "member:web/fresh", 1);
    uint32_t at = 0, n_facts = 0;
    for (struct fact fact; board_next(reader, WRITER, &at, &fact); n_facts++)
        check_whole(&fact);
    assert_int_equal(n_facts, 4);
}

/* The writer has died: what do readers see, and what does the next life make of it? The memory
 * changes; the descriptors may be those of a copy. */
static void check_remains(const struct scene *scene, const struct board_fds *fds)
{
    struct board *reader = open_as(fds, BOARD_NO_SEGMENT);
    struct board_cursor cursor = scene->cursor;
    uint64_t target = check_facts(scene, reader);
    bool is_new = target == scene->after && scene->kind != WRITE_HEARTBEAT;
    bool is_transition = is_new && state_of(scene->before) != state_of(scene->after);
    uint64_t heartbeat = board_last_heartbeat(reader, WRITER, 0);
    assert_true(heartbeat == 5 || (heartbeat == 6 && scene->kind == WRITE_HEARTBEAT) ||
                (heartbeat == 0 && board_starts(reader, WRITER) > 0));
    struct seen early = look(reader, &cursor);
    assert_true(early.n == 0 || is_transition); /* the fact comes before the tidings */
    if (early.n > 0)
        check_seen(scene, &early, true);

    uint32_t n_starts = board_starts(reader, WRITER);
    struct board *writer = open_as(fds, WRITER);
    assert_int_equal(board_starts(reader, WRITER), n_starts + 1);
    assert_int_equal(check_facts(scene, reader), target);
    struct seen late = look(reader, &cursor);
    check_seen(scene, early.n > 0 ? &early : &late, is_transition);
    assert_int_equal(early.n + late.n, is_transition ? 1 : 0);
    if (is_transition)
        assert_true(has_rung(fds->bell[READER]));
    check_next_life(writer, reader, &cursor, target);
    board_close(&writer);
    board_close(&reader);
}

static void check_copy(const struct scene *scene, int fd)
{
    struct board_fds copy;
    make(&copy);
    dying_copy(fd, copy.rw[WRITER]);
    check_remains(scene, &copy);
    board_fds_close(&copy);
}

static void scene_look(void *ctx, long instruction)
{
    (void)instruction;
    struct scene *scene = ctx;
    scene->n_looks++;
    check_copy(scene, scene->fds.rw[WRITER]);
}

static void skip_where_not_permitted(void)
{
    const char *reason = NULL;
    if (!dying_is_permitted(&reason)) {
        print_message("%s\n", reason);
        skip();
    }
}

#ifdef WEIR_IS_SANITIZED
enum { IS_SANITIZED = 1 };
#else
enum { IS_SANITIZED = 0 };
#endif

/* Every state of the memory is looked at there too; but a step is dear, and a sanitizer takes ten
 * for one, and a million to mark 2 MB as usable. */
static void skip_where_sanitized(void)
{
    if (IS_SANITIZED) {
        print_message("too many instructions in a build with sanitizers\n");
        skip();
    }
}

static void test_writer_dies_anywhere(void **state)
{
    (void)state;
    skip_where_not_permitted();
    for (enum write_kind kind = 0; kind < WRITE_N; kind++) {
        struct scene scene;
        scene_init(&scene, kind);
        long n = dying_watch(scene_write, &scene, scene.fds.rw[WRITER], scene_look, &scene);
        print_message("write %d: %ld instructions, %ld states of memory\n", (int)kind, n,
                      scene.n_looks);
        assert_true(scene.n_looks >= 2);
        scene_deinit(&scene);
    }
}

static bool is_soak(void)
{
    const char *soak = getenv("WEIR_SOAK");
    return soak && strcmp(soak, "1") == 0;
}

static uint64_t seed_of_run(void)
{
    const char *wish = getenv("WEIR_SEED");
    uint64_t seed = wish ? strtoull(wish, NULL, 10) : (uint64_t)time(NULL);
    print_message("WEIR_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/*
 * The same with real deaths: in a soak at each instruction, otherwise at some that a seed chooses.
 */
static void test_writer_is_killed(void **state)
{
    (void)state;
    skip_where_not_permitted();
    skip_where_sanitized();
    struct rng rng;
    rng_init(&rng, seed_of_run());
    for (enum write_kind kind = 0; kind < WRITE_N; kind++) {
        struct scene scene;
        scene_init(&scene, kind);
        long n_all = dying_kill(scene_write, &scene, INT32_MAX);
        scene_deinit(&scene);
        long stride = is_soak() ? 1 : n_all / 3 + 1;
        long first = is_soak() ? 0 : (long)rng_below(&rng, (uint64_t)stride);
        for (long k = first; k < n_all; k += stride) {
            scene_init(&scene, kind);
            assert_true(dying_kill(scene_write, &scene, k) <= k);
            check_remains(&scene, &scene.fds);
            scene_deinit(&scene);
        }
    }
}

/* --- adoption that dies itself ---------------------------------------------------------------- */

struct half { /* the memory of a writer that died, adopted by one that dies too */
    const struct scene *scene;
    struct board_fds fds;
    long n_looks;
};

static void half_look(void *ctx, long instruction)
{
    (void)instruction;
    struct half *half = ctx;
    half->n_looks++;
    check_copy(half->scene, half->fds.rw[WRITER]);
}

struct quarry { /* stops the first writer where its n-th change of memory was done */
    struct scene *scene;
    long n_looks;
    long wanted;
    struct board_fds *fds;
};

static void quarry_look(void *ctx, long instruction)
{
    (void)instruction;
    struct quarry *quarry = ctx;
    if (quarry->n_looks++ == quarry->wanted)
        dying_copy(quarry->scene->fds.rw[WRITER], quarry->fds->rw[WRITER]);
}

/* The first writer dies where its memory is in its wanted-th state; where it has no such state, it
 * has not died. Returns how many there were. */
static long make_half(struct scene *scene, enum write_kind kind, long wanted, struct half *ret_half)
{
    scene_init(scene, kind);
    *ret_half = (struct half){.scene = scene};
    make(&ret_half->fds);
    struct quarry quarry = {.scene = scene, .wanted = wanted, .fds = &ret_half->fds};
    dying_watch(scene_write, scene, scene->fds.rw[WRITER], quarry_look, &quarry);
    return quarry.n_looks;
}

static void half_deinit(struct half *half, struct scene *scene)
{
    board_fds_close(&half->fds);
    scene_deinit(scene);
}

static void adopt_half(enum write_kind kind, long wanted)
{
    struct scene scene;
    struct half half;
    make_half(&scene, kind, wanted, &half);
    dying_watch(scene_adopt, &half.fds, half.fds.rw[WRITER], half_look, &half);
    assert_true(half.n_looks >= 2);
    half_deinit(&half, &scene);
}

static void test_adoption_dies_anywhere(void **state)
{
    (void)state;
    skip_where_not_permitted();
    skip_where_sanitized();
    /* Fresh pages for large arrays, always: zeroing used ones is an instruction a byte here. */
    mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    mallopt(M_PERTURB, 0);
    static const enum write_kind kinds[] = {WRITE_NEW, WRITE_CHANGE, WRITE_REMOVE};
    struct rng rng;
    rng_init(&rng, seed_of_run());
    size_t first_kind = is_soak() ? 0 : (size_t)rng_below(&rng, ARRAY_LEN(kinds));
    for (size_t i = first_kind; i < (is_soak() ? ARRAY_LEN(kinds) : first_kind + 1); i++) {
        struct scene scene;
        struct half half;
        long n = make_half(&scene, kinds[i], 0, &half);
        half_deinit(&half, &scene);
        /* In the second half of its states the fact is published and the ring is not done. */
        long first = is_soak() ? 0 : n / 2 + (long)rng_below(&rng, (uint64_t)(n - n / 2));
        for (long k = first; k < (is_soak() ? n : first + 1); k++)
            adopt_half(kinds[i], k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writer_dies_anywhere),
        cmocka_unit_test(test_writer_is_killed),
        cmocka_unit_test(test_adoption_dies_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
