/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who is picked, and how often, as weights change while serving: by the facts, by slow start after
 * a member was down or was added, and backup members, which take nothing while others may be used.
 */

#include "conf/memory.h"
#include "upstream/internal.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MEMBERS = 3, PICKS = 11000 };

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
};

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

static void scene_adopt(struct scene *scene, struct upstream_set *old)
{
    const struct upstream_set_options options = {.snap = scene->snap,
                                                 .board = scene->board,
                                                 .commons = scene->commons,
                                                 .seed = 1,
                                                 .member_row = member_row,
                                                 .pool_row = pool_row,
                                                 .ctx = scene};
    scene->set = upstream_set_create(&options);
    upstream_set_adopt(scene->set, scene->loop, old);
    scene->pool = upstream_pool_of(scene->set, pool_find(scene->snap, SLICE("web")));
    upstream_set_refresh(scene->set);
}

static void scene_open(struct scene *scene, const char *text)
{
    static const char *const names[] = {"health"};
    struct err err = ERR_NONE;
    memset(scene, 0, sizeof(*scene));
    assert_int_equal(loop_create(0, &scene->loop, &err), 0);
    scene->commons = commons_create(1);
    assert_int_equal(board_make(names, 1, &scene->fds, &err), 0);
    assert_int_equal(board_open(&scene->fds, 0, &scene->board, &err), 0);
    scene->snap = load(text);
    scene_adopt(scene, NULL);
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

static void fact(struct scene *scene, const char *name, enum fact_state state, double weight)
{
    assert_int_equal(board_state(scene->board, name, state, weight, "", 1), 0);
    upstream_set_refresh(scene->set);
}

static enum upstream_answer pick(struct scene *scene, const struct upstream_ask *ask,
                                 uint32_t *ret_index)
{
    static const struct upstream_outcome outcome = {.latency_ns = 1000000};
    struct upstream_member *member;
    enum upstream_answer answer = upstream_pick(scene->pool, ask, &member);
    if (answer == UPSTREAM_MEMBER) {
        *ret_index = member->view.member->index;
        upstream_end(member, &outcome);
    }
    return answer;
}

/* The shares of PICKS, in percent, rounded. */
static void shares(struct scene *scene, unsigned ret_shares[MEMBERS])
{
    unsigned counts[MEMBERS] = {0};
    const struct upstream_ask ask = {.now_ns = loop_now_ns(scene->loop)};
    for (int i = 0; i < PICKS; i++) {
        uint32_t index = 0;
        assert_int_equal(pick(scene, &ask, &index), UPSTREAM_MEMBER);
        counts[index]++;
    }
    for (int m = 0; m < MEMBERS; m++)
        ret_shares[m] = (counts[m] * 100 + PICKS / 2) / PICKS;
}

static void assert_shares(struct scene *scene, unsigned a, unsigned b, unsigned c)
{
    unsigned got[MEMBERS];
    const unsigned want[MEMBERS] = {a, b, c};
    shares(scene, got);
    for (int m = 0; m < MEMBERS; m++) {
        unsigned slack = want[m] == 0 || want[m] == 100 ? 0 : 2; /* some methods draw lots */
        if (got[m] + slack < want[m] || got[m] > want[m] + slack)
            fail_msg("%u %u %u %% instead of %u %u %u", got[0], got[1], got[2], a, b, c);
    }
}

static const char *const methods[] = {"round-robin", "random", "least-load", "latency"};

/* ---- weights of facts ---- */

static void test_live_weights(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        struct scene scene;
        char text[256];
        snprintf(text, sizeof(text),
                 "pool web { balance %s; member a 127.0.0.1:1 weight 2; member b 127.0.0.1:2; "
                 "member c 127.0.0.1:3 }",
                 methods[i]);
        scene_open(&scene, text);
        assert_shares(&scene, 50, 25, 25); /* nobody has said anything: the file's */
        fact(&scene, "member:web/a", FACT_UP, 2);
        fact(&scene, "member:web/b", FACT_UP, 6);
        fact(&scene, "member:web/c", FACT_UP, 0);
        assert_shares(&scene, 25, 75, 0);
        fact(&scene, "member:web/c", FACT_UP, 24);
        assert_shares(&scene, 6, 19, 75);
        scene_close(&scene);
    }
}

/* Weight 0 takes nothing new, but what belongs to a session. */
static void test_weight_nothing(void **state)
{
    (void)state;
    struct scene scene;
    uint32_t index = 9;
    scene_open(&scene, "pool web { member a 127.0.0.1:1; member b 127.0.0.1:2 }");
    fact(&scene, "member:web/a", FACT_UP, 0);
    assert_shares(&scene, 0, 100, 0);
    struct upstream_ask ask = {.preferred = &scene.pool->members[0]};
    assert_int_equal(pick(&scene, &ask, &index), UPSTREAM_MEMBER);
    assert_int_equal(index, 0);
    fact(&scene, "member:web/b", FACT_UP, 0);
    ask.preferred = NULL;
    assert_int_equal(pick(&scene, &ask, &index), UPSTREAM_NOBODY);
    scene_close(&scene);
}

/* ---- backup members ---- */

static void test_backups(void **state)
{
    (void)state;
    struct scene scene;
    uint32_t index = 9;
    const struct upstream_ask ask = {.now_ns = 0};
    scene_open(&scene, "pool web { balance random; member a 127.0.0.1:1; "
                       "member b 127.0.0.1:2 backup; member c 127.0.0.1:3 backup weight 3 }");
    assert_shares(&scene, 100, 0, 0);
    /* A suspect may still be used, so they do not come in for it. */
    upstream_suspect(&scene.pool->members[0], loop_now_ns(scene.loop), true);
    assert_shares(&scene, 100, 0, 0);
    fact(&scene, "member:web/a", FACT_DOWN, 1);
    assert_shares(&scene, 0, 25, 75);
    fact(&scene, "member:web/c", FACT_DRAINING, 3);
    assert_shares(&scene, 0, 100, 0);
    fact(&scene, "member:web/a", FACT_UP, 1);
    assert_shares(&scene, 100, 0, 0);
    fact(&scene, "member:web/a", FACT_DRAINING, 1);
    fact(&scene, "member:web/b", FACT_DOWN, 1);
    assert_int_equal(pick(&scene, &ask, &index), UPSTREAM_NOBODY);
    scene_close(&scene);
}

/* Nor when the others have no room: then requests wait. */
static void test_backups_and_limits(void **state)
{
    (void)state;
    struct scene scene;
    struct upstream_member *one, *two = NULL;
    const struct upstream_ask ask = {.now_ns = 0};
    const struct upstream_outcome outcome = {.latency_ns = 0};
    scene_open(&scene, "pool web { max-connections 1; member a 127.0.0.1:1; "
                       "member b 127.0.0.1:2 backup }");
    assert_int_equal(upstream_pick(scene.pool, &ask, &one), UPSTREAM_MEMBER);
    assert_int_equal(upstream_pick(scene.pool, &ask, &two), UPSTREAM_FULL);
    upstream_end(one, &outcome);
    scene_close(&scene);
}

/* ---- slow start ---- */

/* As if so many seconds had passed. */
static void pass(struct scene *scene, unsigned seconds)
{
    for (int m = 0; m < MEMBERS; m++) {
        struct upstream_member *member = &scene->pool->members[m];
        if (member->warm_since_ns)
            member->warm_since_ns -= seconds * UINT64_C(1000000000);
    }
    pool_weigh(scene->pool, loop_now_ns(scene->loop));
}

static void up_all(struct scene *scene)
{
    fact(scene, "member:web/a", FACT_UP, 1);
    fact(scene, "member:web/b", FACT_UP, 1);
    fact(scene, "member:web/c", FACT_UP, 1);
}

static void test_slow_start(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        struct scene scene;
        char text[256];
        snprintf(text, sizeof(text),
                 "pool web { slow-start 90s; balance %s; check tcp; member a 127.0.0.1:1; "
                 "member b 127.0.0.1:2; member c 127.0.0.1:3 }",
                 methods[i]);
        scene_open(&scene, text);
        fact(&scene, "member:web/a", FACT_UNKNOWN, 1);
        up_all(&scene);
        assert_shares(&scene, 33, 33, 33); /* weir's own start is not theirs */
        fact(&scene, "member:web/c", FACT_DOWN, 1);
        fact(&scene, "member:web/c", FACT_UP, 1);
        assert_shares(&scene, 48, 48, 5); /* 10, 10, 1 */
        pass(&scene, 40);
        assert_shares(&scene, 40, 40, 20); /* 10, 10, 5 */
        fact(&scene, "member:web/c", FACT_DRAINING, 1);
        fact(&scene, "member:web/c", FACT_UP, 1); /* it was not down */
        assert_shares(&scene, 40, 40, 20);
        assert_true(scene.pool->is_warming);
        pass(&scene, 50);
        assert_shares(&scene, 33, 33, 33);
        assert_false(scene.pool->is_warming);
        scene_close(&scene);
    }
}

static void test_no_slow_start(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "pool web { member a 127.0.0.1:1; member b 127.0.0.1:2; member c 127.0.0.1:3 }",
        "pool web { slow-start 90s; member a 127.0.0.1:1; member b 127.0.0.1:2; "
        "member c 127.0.0.1:3 slow-start 0s }",
        "pool web { slow-start 90s; balance hash source; member a 127.0.0.1:1; "
        "member b 127.0.0.1:2; member c 127.0.0.1:3 }",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct scene scene;
        scene_open(&scene, texts[i]);
        up_all(&scene);
        fact(&scene, "member:web/c", FACT_DOWN, 1);
        fact(&scene, "member:web/c", FACT_UP, 1);
        assert_shares(&scene, 33, 33, 33);
        scene_close(&scene);
    }
}

/* A member that a reload adds starts slowly; a start that is under way goes on over a reload. */
static void test_slow_start_over_reload(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, "pool web { slow-start 90s; member a 127.0.0.1:1; member b 127.0.0.1:2 }");
    fact(&scene, "member:web/a", FACT_UP, 1);
    fact(&scene, "member:web/b", FACT_UP, 1);
    for (int i = 0; i < 2; i++) {
        struct upstream_set *old = scene.set;
        struct snapshot *held = scene.snap;
        scene.snap = load("pool web { slow-start 90s; member a 127.0.0.1:1; member b 127.0.0.1:2; "
                          "member c 127.0.0.1:3 }");
        scene_adopt(&scene, old);
        fact(&scene, "member:web/c", FACT_UP, 1);
        upstream_set_destroy(&old);
        snapshot_unref(&held);
        if (i == 0)
            assert_shares(&scene, 48, 48, 5);
        else
            assert_shares(&scene, 40, 40, 20);
        pass(&scene, 40);
    }
    scene_close(&scene);
}

/* ---- keys ---- */

static void test_keys(void **state)
{
    (void)state;
    struct scene scene;
    uint32_t index = 9, again = 9;
    scene_open(&scene, "pool web { balance hash source bound 150%; member a 127.0.0.1:1; "
                       "member b 127.0.0.1:2; member c 127.0.0.1:3 }");
    unsigned counts[MEMBERS] = {0};
    for (uint64_t k = 0; k < 3000; k++) {
        const struct upstream_ask ask = {.key = hash_mix(k), .has_key = true};
        assert_int_equal(pick(&scene, &ask, &index), UPSTREAM_MEMBER);
        assert_int_equal(pick(&scene, &ask, &again), UPSTREAM_MEMBER);
        assert_int_equal(index, again);
        counts[index]++;
    }
    for (int m = 0; m < MEMBERS; m++)
        assert_in_range(counts[m], 900, 1100);
    const struct upstream_ask ask = {.key = 42, .has_key = true};
    assert_int_equal(pick(&scene, &ask, &index), UPSTREAM_MEMBER);
    scene.member_rows[index][MEMBER_IN_FLIGHT] += 100; /* far more than its share */
    assert_int_equal(pick(&scene, &ask, &again), UPSTREAM_MEMBER);
    assert_int_not_equal(again, index);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live_weights),
        cmocka_unit_test(test_weight_nothing),
        cmocka_unit_test(test_backups),
        cmocka_unit_test(test_backups_and_limits),
        cmocka_unit_test(test_slow_start),
        cmocka_unit_test(test_no_slow_start),
        cmocka_unit_test(test_slow_start_over_reload),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
