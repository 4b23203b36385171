/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Jobs that had a life elsewhere: what they begin as, that no callback and no second life comes of
 * what was over, and that a replay of their one record makes the same of them.
 */

#include "queue/model.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { WALL_MS = 1700000000 };
#define WALL (UINT64_C(1000) * WALL_MS)

static char queue_name[] = "hooks", path[] = "/hooks", host[] = "app";
static const struct callback_rule hooks = {.queue = queue_name, .path = path, .host = host};
static const struct model_limits limits = {
    .jobs_max = 100, .bytes_max = 1000, .tubes_max = 4, .watches_max = 4};

struct world {
    struct model *model;
    struct model_conn *one;
    struct model_now now;
};

static void world_init(struct world *world)
{
    struct tube_policy policy;
    *world = (struct world){.model = model_create(&limits, 1), .now = {WALL, 1000}};
    tube_policy_init(&policy);
    policy.ttl_s = 50;
    policy.callbacks[CALLBACK_DONE] = policy.callbacks[CALLBACK_DEAD] = &hooks;
    assert_int_equal(model_configure(world->model, SLICE("default"), &policy, world->now),
                     MODEL_OK);
    world->one = model_conn_open(world->model, NULL);
}

static void world_deinit(struct world *world)
{
    model_conn_close(world->model, &world->one, world->now);
    model_destroy(&world->model);
}

/* Puts it; what a replay of its record makes of it is *ret_again's. */
static const struct job *put(struct world *world, const struct model_put *job,
                             struct model **ret_again)
{
    struct text bytes = TEXT_NONE;
    struct job_record record;
    uint64_t id = 0;
    assert_int_equal(model_put(world->model, world->one, job, world->now, &id), MODEL_OK);
    uint32_t i = 0;
    while (world->model->actions[i].kind != MODEL_LOG_PUT)
        i++;
    model_record(world->model, &world->model->actions[i], &record);
    job_record_write(&record, &bytes);
    assert_int_equal(job_record_read(text_slice(&bytes), &record), 0);
    *ret_again = model_create(&limits, 2);
    assert_int_equal(model_replay(*ret_again, &record, 1), 0);
    text_deinit(&bytes);
    model_forget_body(world->model);
    assert_null(model_tube(world->model, SLICE("hooks")));
    return model_find_any(world->model, id);
}

/* The same in both. */
static void check(const struct model *model, const struct job *job, enum job_state state,
                  uint64_t expire_ms, struct slice result)
{
    const struct job_extra *extra = job_extra(&model->store, job);
    assert_int_equal(job->state, state);
    assert_int_equal(job->created_s, 77);
    assert_int_equal(job->n_attempts, 3);
    assert_int_equal(job->n_reserves, 1);
    assert_int_equal(job->n_timeouts, 2);
    assert_int_equal(job->n_releases, 3);
    assert_int_equal(job->n_buries, 4);
    assert_int_equal(job->n_kicks, 5);
    assert_non_null(extra);
    if (!extra)
        return;
    assert_int_equal(extra->expire_ms, expire_ms);
    assert_int_equal(extra->error, JOB_ERROR_LOST);
    assert_string_equal(extra->error_text, "gone");
    assert_int_equal(extra->result_bytes, result.len);
    assert_memory_equal(extra->result ? extra->result : "", result.ptr, result.len);
    assert_int_equal(model->n_result_bytes, result.len);
    assert_int_equal(model->n_bytes, result.len + job->body_bytes);
}

static struct model_past past_of(enum job_state state)
{
    return (struct model_past){.state = state,
                               .has_expiry = true,
                               .created_s = 77,
                               .error = JOB_ERROR_LOST,
                               .error_text = SLICE("gone"),
                               .result = SLICE(""),
                               .n_reserves = 1,
                               .n_timeouts = 2,
                               .n_releases = 3,
                               .n_buries = 4,
                               .n_kicks = 5};
}

static void test_states(void **state)
{
    (void)state;
    static const struct {
        enum job_state state, becomes;
        uint64_t expire_ms, not_before_ms;
        struct slice result, body;
    } rows[] = {
        {JOB_READY, JOB_READY, 0, 0, SLICE_INIT(""), SLICE_INIT("body")},
        {JOB_READY, JOB_DELAYED, WALL + 9, WALL + 5, SLICE_INIT(""), SLICE_INIT("body")},
        {JOB_BURIED, JOB_BURIED, 0, WALL + 5, SLICE_INIT("answer"), SLICE_INIT("body")},
        {JOB_BURIED, JOB_BURIED, WALL + 9, 0, SLICE_INIT(""), SLICE_INIT("body")},
        {JOB_DONE, JOB_DONE, WALL + 9, 0, SLICE_INIT("result"), SLICE_INIT("")},
        {JOB_DONE, JOB_DONE, WALL + 9, 0, SLICE_INIT(""), SLICE_INIT("")},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world world;
        struct model *again;
        struct model_past past = past_of(rows[i].state);
        past.expire_ms = rows[i].expire_ms;
        past.result = rows[i].result;
        const struct model_put job = {.ttr_s = 5,
                                      .body = rows[i].body,
                                      .ttl_s = 3, /* counts no more */
                                      .n_attempts = 3,
                                      .not_before_ms = rows[i].not_before_ms,
                                      .past = &past};
        world_init(&world);
        const struct job *there = put(&world, &job, &again);
        check(world.model, there, rows[i].becomes, rows[i].expire_ms, rows[i].result);
        check(again, model_find_any(again, there->id), rows[i].becomes, rows[i].expire_ms,
              rows[i].result);
        model_destroy(&again);
        world_deinit(&world);
    }
}

/* A time that was over before it came: the next tick ends it, of what is done without a word. */
static void test_what_is_late(void **state)
{
    (void)state;
    struct world world;
    struct model *again;
    struct model_past past = past_of(JOB_DONE);
    world_init(&world);
    past.expire_ms = WALL - 1;
    struct model_put job = {.ttr_s = 5, .body = SLICE(""), .n_attempts = 3, .past = &past};
    (void)put(&world, &job, &again);
    model_destroy(&again);
    (void)model_tick(world.model, world.now);
    assert_int_equal(world.model->store.n_jobs, 0);
    past.state = JOB_READY;
    job.body = SLICE("x");
    (void)put(&world, &job, &again);
    model_destroy(&again);
    (void)model_tick(world.model, world.now);
    assert_int_equal(world.model->n_calls, 1); /* it was not over before */
    assert_int_equal(world.model->store.n_jobs, 1);
    world_deinit(&world);
}

/* What is not said is as of any other put: the time to live of the tube, the time of now. */
static void test_what_is_not_said(void **state)
{
    (void)state;
    struct world world;
    struct model *again;
    const struct model_past past = {.state = JOB_READY};
    const struct model_put job = {.ttr_s = 5, .body = SLICE("x"), .past = &past};
    world_init(&world);
    const struct job *there = put(&world, &job, &again);
    assert_int_equal(there->created_s, WALL_MS);
    const struct job_extra *extra = job_extra(&world.model->store, there);
    assert_int_equal(extra ? extra->expire_ms : 0, WALL + 50000);
    model_destroy(&again);
    world_deinit(&world);
}

/* Results are refused, not left out, where there is no room for them. */
static void test_no_room(void **state)
{
    (void)state;
    struct world world;
    struct model_past past = past_of(JOB_BURIED);
    const struct model_put job = {.ttr_s = 5, .body = SLICE("body"), .past = &past};
    uint64_t id = 0;
    world_init(&world);
    world.model->results_max = 5;
    past.result = SLICE("answer");
    assert_int_equal(model_put(world.model, world.one, &job, world.now, &id), MODEL_FULL);
    world.model->results_max = 6;
    world.model->limits.bytes_max = 9;
    assert_int_equal(model_put(world.model, world.one, &job, world.now, &id), MODEL_FULL);
    assert_int_equal(model_tube(world.model, SLICE("default"))->counts.n_refused, 2);
    world.model->limits.bytes_max = 10;
    assert_int_equal(model_put(world.model, world.one, &job, world.now, &id), MODEL_OK);
    model_forget_body(world.model);
    /* A kick forgets the answer, and the job has all its attempts again. */
    assert_int_equal(model_kick_job(world.model, id, world.now), MODEL_OK);
    assert_int_equal(world.model->n_result_bytes, 0);
    assert_int_equal(model_find(world.model, id)->n_attempts, 0);
    world_deinit(&world);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_what_is_late),
        cmocka_unit_test(test_what_is_not_said),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
