/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Leases that change hands or are given back as if nobody had had them: when they end, whose they
 * are, what counts.
 */

#include "queue/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { TTR_S = 10, MS_PER_S = 1000 };

struct world {
    struct model *model;
    struct model_conn *one, *two;
    struct model_now now;
};

static void world_init(struct world *world)
{
    const struct model_limits limits = {
        .jobs_max = 10, .bytes_max = 100, .tubes_max = 4, .watches_max = 4};
    *world = (struct world){.model = model_create(&limits, 1),
                            .now = {.wall_ms = 1700000000000, .mono_ms = 1000}};
    world->one = model_conn_open(world->model, NULL);
    world->two = model_conn_open(world->model, NULL);
}

static void world_deinit(struct world *world)
{
    model_conn_close(world->model, &world->one, world->now);
    model_conn_close(world->model, &world->two, world->now);
    model_destroy(&world->model);
}

static uint64_t put(struct world *world)
{
    const struct model_put put = {.ttr_s = TTR_S, .body = SLICE("x")};
    uint64_t id = 0;
    assert_int_equal(model_put(world->model, world->one, &put, world->now, &id), MODEL_OK);
    model_forget_body(world->model);
    return id;
}

static uint64_t reserve(struct world *world, struct model_conn *conn)
{
    uint64_t id = 0;
    assert_int_equal(model_reserve(world->model, conn, 0, world->now, &id), MODEL_OK);
    return id;
}

static void assert_job(const struct world *world, uint64_t id, enum job_state state,
                       uint32_t n_attempts)
{
    const struct job *job = model_find(world->model, id);
    assert_int_equal(job->state, state);
    assert_int_equal(job->n_attempts, n_attempts);
}

/* A lease ends when it would have, wherever it is, and with whom it is then. */
static void test_hand_over(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    uint64_t id = put(&world);
    assert_int_equal(reserve(&world, world.one), id);
    uint64_t number = model_lease_number(world.model, world.one, id);
    assert_true(number > 0);
    world.now.mono_ms += 4000;
    assert_int_equal(model_hand_over(world.model, world.two, id, world.one), MODEL_NOT_FOUND);
    assert_int_equal(model_hand_over(world.model, world.one, id, world.two), MODEL_OK);
    assert_int_equal(model_lease_number(world.model, world.one, id), 0);
    assert_int_equal(model_lease_number(world.model, world.two, id), number);
    assert_int_equal(model_touch(world.model, world.one, id, world.now), MODEL_NOT_FOUND);
    assert_int_equal(model_next_mono_ms(world.model), 1000 + TTR_S * MS_PER_S);
    model_conn_close(world.model, &world.one, world.now);
    assert_job(&world, id, JOB_RESERVED, 1);
    world.now.mono_ms = 1000 + TTR_S * MS_PER_S;
    (void)model_tick(world.model, world.now);
    assert_job(&world, id, JOB_READY, 1);
    assert_int_equal(model_lease_number(world.model, world.two, id), 0);
    assert_int_equal(reserve(&world, world.two), id);
    assert_true(model_lease_number(world.model, world.two, id) > number);
    model_conn_close(world.model, &world.two, world.now);
    model_destroy(&world.model);
}

/* The next has it, and it is the first attempt still. */
static void test_return(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    uint64_t id = put(&world);
    assert_int_equal(reserve(&world, world.one), id);
    assert_job(&world, id, JOB_RESERVED, 1);
    assert_int_equal(model_give_back(world.model, world.two, id, world.now), MODEL_NOT_FOUND);
    assert_int_equal(model_give_back(world.model, world.one, id, world.now), MODEL_OK);
    assert_int_equal(world.model->n_actions, 1);
    assert_int_equal(world.model->actions[0].kind, MODEL_LOG_STATE);
    assert_job(&world, id, JOB_READY, 0);
    assert_int_equal(model_give_back(world.model, world.one, id, world.now), MODEL_NOT_FOUND);
    uint64_t waited;
    assert_int_equal(reserve(&world, world.one), id);
    assert_int_equal(model_reserve(world.model, world.two, MODEL_FOR_EVER, world.now, &waited),
                     MODEL_WAITING);
    assert_int_equal(model_give_back(world.model, world.one, id, world.now), MODEL_OK);
    assert_job(&world, id, JOB_RESERVED, 1);
    assert_true(model_lease_number(world.model, world.two, id) > 0);
    world_deinit(&world);
}

/* By name, into a tube that goes again where nothing comes of it. */
static void test_put_named(void **state)
{
    (void)state;
    struct world world;
    const struct model_put one = {.ttr_s = 1, .body = SLICE("x")};
    const struct model_put big = {.ttr_s = 1, .body = {"", 101}};
    uint64_t id = 0;
    world_init(&world);
    assert_int_equal(model_put_named(world.model, SLICE("a"), &big, world.now, &id), MODEL_FULL);
    assert_null(model_tube(world.model, SLICE("a")));
    assert_int_equal(model_put_named(world.model, SLICE("a"), &one, world.now, &id), MODEL_OK);
    model_forget_body(world.model);
    assert_int_equal(model_tube(world.model, SLICE("a"))->ready.n, 1);
    model_drain_tube(world.model, model_tube(world.model, SLICE("a")), true);
    assert_int_equal(model_put_named(world.model, SLICE("a"), &one, world.now, &id),
                     MODEL_DRAINING);
    model_drain(world.model, true);
    assert_int_equal(model_put_named(world.model, SLICE("b"), &one, world.now, &id),
                     MODEL_DRAINING);
    assert_null(model_tube(world.model, SLICE("b")));
    world_deinit(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hand_over),
                                       cmocka_unit_test(test_return),
                                       cmocka_unit_test(test_put_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
