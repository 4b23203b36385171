/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Requests that wait for the first checks: who goes first, what is full, what is counted, and that
 * whoever found nothing keeps its place.
 */

#include "conf/memory.h"
#include "upstream/upstream.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct module *const modules[] = {&pool_module};
static const struct module_table table = {.items = modules, .n_items = ARRAY_LEN(modules)};

static struct snapshot *load(const char *text)
{
    char copy[1024];
    snprintf(copy, sizeof(copy), "%s", text);
    struct conf_host host = conf_memory_host(copy);
    struct snapshot_options options = {.path = "t.weir", .host = &host, .generation = 1};
    options.n_loops = 1;
    struct snapshot *snap;
    struct conf_diag *diag;
    if (snapshot_load(&table, &options, &snap, &diag) < 0)
        fail_msg("%s", diag->items[0].text);
    return snap;
}

enum { MEMBERS = 2, WAITERS = 8 };

struct scene {
    struct loop *loop;
    struct board *board;
    struct board_fds fds;
    struct commons *commons;
    struct snapshot *snap;
    struct upstream_set *set;
    struct upstream_pool *pool;
    metric_word member_rows[MEMBERS][MEMBER_WORDS];
    metric_word pool_row[POOL_WORDS];
    struct upstream_waiter waiters[WAITERS];
    char turns[64]; /* who had one: a digit each, behind it what the pick said */
};

static struct scene *the_scene; /* for callbacks, which know their waiter alone */

static metric_word *member_row(void *ctx, const struct member *member, uint32_t loop_index)
{
    struct scene *scene = ctx;
    (void)loop_index;
    return scene->member_rows[member->index];
}

static metric_word *pool_row(void *ctx, const struct pool *pool)
{
    struct scene *scene = ctx;
    (void)pool;
    return scene->pool_row;
}

static struct upstream_set *make_set(struct scene *scene)
{
    const struct upstream_set_options options = {.snap = scene->snap,
                                                 .board = scene->board,
                                                 .commons = scene->commons,
                                                 .seed = 1,
                                                 .member_row = member_row,
                                                 .pool_row = pool_row,
                                                 .ctx = scene};
    return upstream_set_create(&options);
}

static void scene_open(struct scene *scene, const char *text)
{
    static const char *const names[] = {"health"};
    struct err err = ERR_NONE;
    memset(scene, 0, sizeof(*scene));
    the_scene = scene;
    assert_int_equal(loop_create(0, &scene->loop, &err), 0);
    scene->commons = commons_create(1);
    assert_int_equal(board_make(names, 1, &scene->fds, &err), 0);
    assert_int_equal(board_open(&scene->fds, 0, &scene->board, &err), 0);
    scene->snap = load(text);
    scene->set = make_set(scene);
    upstream_set_adopt(scene->set, scene->loop, NULL);
    scene->pool = upstream_pool_of(scene->set, pool_find(scene->snap, SLICE("web")));
}

static void scene_close(struct scene *scene)
{
    upstream_set_destroy(&scene->set);
    snapshot_unref(&scene->snap);
    loop_destroy(&scene->loop);
    commons_destroy(&scene->commons);
    board_close(&scene->board);
    board_fds_close(&scene->fds);
}

static void fact(struct scene *scene, const char *name, enum fact_state state)
{
    assert_int_equal(board_state(scene->board, name, state, 1, "", 1), 0);
    upstream_set_refresh(scene->set);
}

static uint64_t word_of(const struct scene *scene, uint32_t word)
{
    return atomic_load(&scene->pool_row[word]);
}

static void note_turn(const struct upstream_waiter *waiter, char what)
{
    char turn[] = {(char)('0' + (waiter - the_scene->waiters)), what, '\0'};
    size_t len = strlen(the_scene->turns);
    assert_true(len + 3 <= sizeof(the_scene->turns));
    memcpy(the_scene->turns + len, turn, sizeof(turn));
}

/* Takes a member and is done with it at once, or waits again. */
static void on_turn(struct upstream_waiter *waiter)
{
    static const struct upstream_outcome outcome;
    const struct upstream_ask ask = {.now_ns = 0};
    struct upstream_member *member;
    enum upstream_answer answer = upstream_pick(waiter->pool, &ask, &member);
    if (answer == UPSTREAM_MEMBER)
        upstream_end(member, &outcome);
    note_turn(waiter, answer == UPSTREAM_MEMBER ? '+' : answer == UPSTREAM_NOBODY ? '-' : '.');
    if (answer == UPSTREAM_FULL || answer == UPSTREAM_UNJUDGED)
        assert_int_equal(upstream_wait(waiter->pool, waiter, loop_now_ns(the_scene->loop)), 0);
}

static int wait_as(struct scene *scene, int index, enum upstream_priority priority, uint64_t now_ns)
{
    upstream_waiter_init(&scene->waiters[index], priority, on_turn);
    return upstream_wait(scene->pool, &scene->waiters[index], now_ns);
}

static const char checked[] = "pool web { check tcp; member a 127.0.0.1:1; member b 127.0.0.1:2; "
                              "queue 5 timeout 2s }";

static enum upstream_answer answer_now(struct scene *scene)
{
    struct upstream_member *member;
    return upstream_pick(scene->pool, &(struct upstream_ask){.now_ns = 0}, &member);
}

/* Nobody is judged: all wait. The first good check lets them go, by class and then by age. */
static void test_order(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, checked);
    assert_int_equal(scene.pool->conf->queue.timeout_ms, 2000);
    assert_int_equal(answer_now(&scene), UPSTREAM_UNJUDGED);
    assert_int_equal(wait_as(&scene, 0, UPSTREAM_LOW, 10), 0);
    assert_int_equal(wait_as(&scene, 1, UPSTREAM_NORMAL, 20), 0);
    assert_int_equal(wait_as(&scene, 2, UPSTREAM_HIGH, 30), 0);
    assert_int_equal(wait_as(&scene, 3, UPSTREAM_NORMAL, 40), 0);
    assert_int_equal(wait_as(&scene, 4, UPSTREAM_HIGH, 50), 0);
    assert_int_equal(wait_as(&scene, 5, UPSTREAM_HIGH, 60), 1); /* full */
    assert_int_equal(word_of(&scene, POOL_WAITING), 5);
    assert_int_equal(word_of(&scene, POOL_QUEUED), 5);
    assert_int_equal(word_of(&scene, POOL_QUEUE_REFUSED), 1);
    fact(&scene, "member:web/a", FACT_UNKNOWN);
    fact(&scene, "member:web/b", FACT_DOWN); /* a may still turn out to be well */
    assert_string_equal(scene.turns, "");
    upstream_unwait(&scene.waiters[3], true);
    assert_int_equal(word_of(&scene, POOL_QUEUE_LATE), 1);
    fact(&scene, "member:web/a", FACT_UP);
    assert_string_equal(scene.turns, "2+4+1+0+");
    assert_int_equal(word_of(&scene, POOL_WAITING), 0);
    upstream_unwait(&scene.waiters[3], true); /* not there: nothing is counted */
    assert_int_equal(word_of(&scene, POOL_QUEUE_LATE), 1);
    scene_close(&scene);
}

/* The last first check is bad: nobody is left to wait for, and everybody hears of it. */
static void test_hope_ends(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, checked);
    assert_int_equal(wait_as(&scene, 0, UPSTREAM_NORMAL, 10), 0);
    assert_int_equal(wait_as(&scene, 1, UPSTREAM_NORMAL, 20), 0);
    fact(&scene, "member:web/a", FACT_DOWN);
    assert_string_equal(scene.turns, "");
    fact(&scene, "member:web/b", FACT_DOWN);
    assert_string_equal(scene.turns, "0-1-");
    assert_int_equal(answer_now(&scene), UPSTREAM_NOBODY);
    scene_close(&scene);
}

/* Who found nothing stands where it stood, and is not refused, however many came since. */
static void test_place_is_kept(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, checked);
    for (int i = 0; i < 5; i++)
        assert_int_equal(wait_as(&scene, i, UPSTREAM_NORMAL, 10 + (uint64_t)i), 0);
    upstream_unwait(&scene.waiters[1], false);
    assert_int_equal(wait_as(&scene, 5, UPSTREAM_NORMAL, 100), 0);
    assert_int_equal(upstream_wait(scene.pool, &scene.waiters[1], 200), 0);
    assert_int_equal(word_of(&scene, POOL_QUEUED), 6);
    assert_int_equal(word_of(&scene, POOL_WAITING), 6);
    fact(&scene, "member:web/b", FACT_UP);
    assert_string_equal(scene.turns, "0+1+2+3+4+5+");
    scene_close(&scene);
}

static void test_nobody_waits(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, "pool web { check tcp; member a 127.0.0.1:1; queue 0 }");
    assert_int_equal(wait_as(&scene, 0, UPSTREAM_HIGH, 10), 1);
    scene_close(&scene);
}

/* Those who began under an older set wait in the same queue as the others. */
static void test_one_queue_for_the_lineage(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, checked);
    assert_int_equal(wait_as(&scene, 0, UPSTREAM_NORMAL, 10), 0);
    struct upstream_set *old = scene.set;
    struct snapshot *held = scene.snap;
    scene.snap = load(checked);
    scene.set = make_set(&scene);
    upstream_set_adopt(scene.set, scene.loop, old);
    scene.pool = upstream_pool_of(scene.set, pool_find(scene.snap, SLICE("web")));
    for (int i = 1; i < 5; i++)
        assert_int_equal(wait_as(&scene, i, UPSTREAM_NORMAL, 10 + (uint64_t)i), 0);
    assert_int_equal(wait_as(&scene, 5, UPSTREAM_NORMAL, 20), 1);
    loop_turn(scene.loop, 0);
    assert_string_equal(scene.turns, "");
    fact(&scene, "member:web/b", FACT_UP);
    assert_string_equal(scene.turns, "0+1+2+3+4+");
    upstream_set_destroy(&old);
    snapshot_unref(&held);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_hope_ends),
        cmocka_unit_test(test_place_is_kept),
        cmocka_unit_test(test_nobody_waits),
        cmocka_unit_test(test_one_queue_for_the_lineage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
