/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Callbacks of the model: which ends bring one, what the log gets and in which order, and what a
 * crash between the two records leaves.
 */

#include "queue/model.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { N_RECORDS = 64 };

static char queue_name[] = "hooks", path[] = "/hooks", host[] = "app";
static const struct callback_rule hooks = {
    .queue = queue_name, .path = path, .host = host, .body_max = 100};

struct world {
    struct model *model;
    struct model_conn *one;
    struct model_now now;
    /* All that the log got. */
    struct text records[N_RECORDS];
    uint32_t n_records;
};

static bool is_logged(enum model_action_kind kind)
{
    return kind <= MODEL_LOG_MARK;
}

/* Takes the records of the last call. */
static void settle(struct world *world)
{
    for (uint32_t i = 0; i < world->model->n_actions; i++) {
        struct job_record record;
        if (!is_logged(world->model->actions[i].kind))
            continue;
        assert_true(world->n_records < N_RECORDS);
        model_record(world->model, &world->model->actions[i], &record);
        job_record_write(&record, &world->records[world->n_records++]);
    }
    model_forget_body(world->model);
}

static void world_init(struct world *world, bool has_done, bool has_dead)
{
    const struct model_limits limits = {
        .jobs_max = 100, .bytes_max = 100000, .tubes_max = 4, .watches_max = 4};
    struct tube_policy policy;
    *world = (struct world){.model = model_create(&limits, 1),
                            .now = {.wall_ms = 1700000000000, .mono_ms = 1000}};
    tube_policy_init(&policy);
    assert_int_equal(model_configure(world->model, SLICE("hooks"), &policy, world->now), MODEL_OK);
    policy.attempts_max = 2;
    policy.retry[JOB_ERROR_TEMPORARY].base_ms = 0;
    policy.callbacks[CALLBACK_DONE] = has_done ? &hooks : NULL;
    policy.callbacks[CALLBACK_DEAD] = has_dead ? &hooks : NULL;
    assert_int_equal(model_configure(world->model, SLICE("reports"), &policy, world->now),
                     MODEL_OK);
    world->one = model_conn_open(world->model, NULL);
    assert_int_equal(model_use(world->model, world->one, SLICE("reports")), MODEL_OK);
    assert_int_equal(model_watch(world->model, world->one, SLICE("reports")), MODEL_OK);
    settle(world);
}

static void world_deinit(struct world *world)
{
    if (world->one)
        model_conn_close(world->model, &world->one, world->now);
    model_destroy(&world->model);
    for (uint32_t i = 0; i < N_RECORDS; i++)
        text_deinit(&world->records[i]);
}

static uint64_t put(struct world *world)
{
    const struct model_put put = {.ttr_s = 10, .body = SLICE("x")};
    uint64_t id = 0;
    assert_int_equal(model_put(world->model, world->one, &put, world->now, &id), MODEL_OK);
    settle(world);
    return id;
}

static uint64_t reserve(struct world *world)
{
    uint64_t id = 0;
    assert_int_equal(model_reserve(world->model, world->one, 0, world->now, &id), MODEL_OK);
    settle(world);
    return id;
}

static uint64_t n_calls(const struct world *world)
{
    return tube_n_jobs(model_tube(world->model, SLICE("hooks")));
}

/* Is the text in the body of the oldest callback? The model has only the bytes of short bodies, so
 * those of the last call are looked at before they are settled. */
static void assert_said(const struct world *world, const char *text)
{
    struct slice body;
    const struct model *model = world->model;
    assert_true(model->n_calls > 0);
    assert_true(model_has_body(model, model->calls[0].id, &body));
    assert_non_null(memmem(body.ptr, body.len, text, strlen(text)));
}

static void test_a_job_that_is_done(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, true, false);
    (void)put(&world);
    uint64_t id = reserve(&world);
    uint32_t n_before = world.n_records;
    assert_int_equal(model_finish(world.model, world.one, id, SLICE("the result"), world.now),
                     MODEL_OK);
    assert_said(&world, "\"state\":\"done\"");
    assert_said(&world, "the result");
    settle(&world);
    assert_int_equal(n_calls(&world), 1);
    assert_null(model_find(world.model, id));
    /* The callback's PUT is in front of the job's DEL. */
    assert_int_equal(world.n_records, n_before + 2);
    assert_int_equal(world.records[n_before].ptr[0], JOB_RECORD_PUT);
    assert_int_equal(world.records[n_before + 1].ptr[0], JOB_RECORD_DEL);
    /* beanstalkd's workers delete what they have done; others delete what they do not want. */
    (void)put(&world);
    id = reserve(&world);
    assert_int_equal(model_delete(world.model, world.one, id, world.now), MODEL_OK);
    settle(&world);
    assert_int_equal(n_calls(&world), 2);
    id = put(&world);
    assert_int_equal(model_delete(world.model, world.one, id, world.now), MODEL_OK);
    id = put(&world);
    (void)reserve(&world);
    assert_int_equal(model_delete(world.model, NULL, id, world.now), MODEL_OK);
    assert_int_equal(n_calls(&world), 2);
    assert_int_equal(model_tube(world.model, SLICE("reports"))->counts.n_callbacks[CALLBACK_DONE],
                     2);
    world_deinit(&world);
}

static void test_a_job_that_is_dead(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, false, true);
    const struct model_failure failure = {
        .error = JOB_ERROR_TEMPORARY, .text = SLICE("503 Busy"), .result = SLICE("busy")};
    (void)put(&world);
    uint64_t id = reserve(&world);
    assert_int_equal(model_fail_with(world.model, world.one, id, &failure, world.now), MODEL_OK);
    settle(&world);
    assert_int_equal(n_calls(&world), 0); /* there is one attempt more */
    id = reserve(&world);
    assert_int_equal(model_fail_with(world.model, world.one, id, &failure, world.now),
                     MODEL_BURIED);
    assert_said(&world, "\"state\":\"dead\",\"attempts\":2");
    assert_said(&world, "\"error\":\"temporary\",\"error_text\":\"503 Busy\"");
    assert_said(&world, "\"body\":\"busy\"");
    settle(&world);
    assert_int_equal(n_calls(&world), 1);
    /* Kicked and dead again: another end, another callback. */
    assert_int_equal(model_kick_job(world.model, id, world.now), MODEL_OK);
    assert_int_equal(reserve(&world), id);
    assert_int_equal(model_bury(world.model, world.one, id, 0, world.now), MODEL_OK);
    settle(&world);
    assert_int_equal(n_calls(&world), 2);
    /* An operator knows what he buries. */
    id = put(&world);
    assert_int_equal(model_bury_job(world.model, id, world.now), MODEL_OK);
    settle(&world);
    assert_int_equal(n_calls(&world), 2);
    world_deinit(&world);
}

/* Many die in one call: each has its body. */
static void test_leases_that_end(void **state)
{
    (void)state;
    enum { N = 5 };
    struct world world;
    world_init(&world, false, true);
    for (int attempt = 0; attempt < 2; attempt++) {
        for (int i = 0; i < N; i++) {
            if (attempt == 0)
                (void)put(&world);
            (void)reserve(&world);
        }
        if (attempt == 1)
            break;
        world.now.mono_ms += 11000;
        (void)model_tick(world.model, world.now);
        settle(&world);
        assert_int_equal(n_calls(&world), 0);
    }
    model_conn_close(world.model, &world.one, world.now);
    assert_int_equal(n_calls(&world), N);
    assert_int_equal(world.model->n_calls, N);
    for (uint32_t i = 0; i < N; i++) {
        struct slice body;
        assert_true(model_has_body(world.model, world.model->calls[i].id, &body));
        assert_true(slice_starts(body, SLICE("weir-request/1\r\nPOST /hooks HTTP/1.1\r\n")));
        assert_int_equal(body.ptr[body.len - 1], '\n');
    }
    settle(&world);
    struct slice body;
    assert_false(model_has_body(world.model, 1, &body));
    world_deinit(&world);
}

/* A death that nobody asked the log about waits until it has room for the callback. */
static void test_a_log_without_room(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, false, true);
    uint64_t id = put(&world);
    for (int attempt = 1; attempt <= 4; attempt++) {
        world.model->is_log_short = attempt < 4;
        assert_int_equal(reserve(&world), id);
        world.now.mono_ms += 11000;
        (void)model_tick(world.model, world.now);
        settle(&world);
        bool is_dead = attempt == 4;
        assert_int_equal(model_find(world.model, id)->state, is_dead ? JOB_BURIED : JOB_READY);
        assert_int_equal(n_calls(&world), is_dead);
    }
    world_deinit(&world);
}

static uint64_t put_for(struct world *world, uint32_t ttl_s, uint32_t delay_s)
{
    const struct model_put put = {
        .ttr_s = 10, .body = SLICE("x"), .ttl_s = ttl_s, .delay_s = delay_s, .result_s = 5};
    uint64_t id = 0;
    assert_int_equal(model_put(world->model, world->one, &put, world->now, &id), MODEL_OK);
    settle(world);
    return id;
}

/* The time to live ends it: while it is ready, delayed again, or given back. */
static void test_a_job_whose_time_is_over(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, false, true);
    uint64_t id = put_for(&world, 5, 0);
    uint32_t n_before = world.n_records;
    world.now.wall_ms += 5000;
    (void)model_tick(world.model, world.now);
    assert_said(&world, "\"state\":\"expired\",\"attempts\":0,");
    settle(&world);
    assert_null(model_find(world.model, id));
    assert_int_equal(n_calls(&world), 1);
    assert_int_equal(world.n_records, n_before + 2);
    assert_int_equal(world.records[n_before].ptr[0], JOB_RECORD_PUT);
    assert_int_equal(world.records[n_before + 1].ptr[0], JOB_RECORD_DEL);
    id = put_for(&world, 5, 0);
    assert_int_equal(reserve(&world), id);
    world.now.wall_ms += 1000;
    assert_int_equal(model_release(world.model, world.one, id, 0, 3600, world.now), MODEL_OK);
    settle(&world);
    assert_int_equal(model_find(world.model, id)->state, JOB_DELAYED);
    world.now.wall_ms += 4000;
    (void)model_tick(world.model, world.now);
    assert_said(&world, "\"state\":\"expired\",\"attempts\":1,");
    settle(&world);
    id = put_for(&world, 5, 0);
    assert_int_equal(reserve(&world), id);
    world.now.wall_ms += 5000;
    assert_int_equal(
        model_fail(world.model, world.one, id, JOB_ERROR_TEMPORARY, SLICE("no"), world.now),
        MODEL_OK);
    assert_said(&world, "\"state\":\"expired\"");
    assert_said(&world, "\"error_text\":\"no\"");
    settle(&world);
    assert_null(model_find(world.model, id));
    assert_int_equal(n_calls(&world), 3);
    const struct tube *tube = model_tube(world.model, SLICE("reports"));
    assert_int_equal(tube->counts.n_callbacks[CALLBACK_DEAD], 3);
    assert_int_equal(tube->counts.n_expired, 3);
    world_deinit(&world);
}

/* A result that is forgotten is no end of a job, and who wants no callback gets none. */
static void test_no_callback_of_what_is_over(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, false, true);
    (void)put_for(&world, 0, 0);
    uint64_t id = reserve(&world);
    assert_int_equal(model_finish(world.model, world.one, id, SLICE("r"), world.now), MODEL_OK);
    settle(&world);
    world.now.wall_ms += 6000;
    (void)model_tick(world.model, world.now);
    settle(&world);
    assert_null(model_find_any(world.model, id));
    assert_int_equal(n_calls(&world), 0);
    world_deinit(&world);
    world_init(&world, true, false);
    (void)put_for(&world, 5, 0);
    world.now.wall_ms += 6000;
    (void)model_tick(world.model, world.now);
    settle(&world);
    assert_int_equal(n_calls(&world), 0);
    assert_int_equal(world.model->store.n_jobs, 0);
    world_deinit(&world);
}

/* It stays until the log has room, is looked at now and then, and holds up no other. */
static void test_an_expiry_without_room(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, false, true);
    uint64_t id = put_for(&world, 5, 0);
    assert_int_equal(model_use(world.model, world.one, SLICE("hooks")), MODEL_OK);
    uint64_t other = put_for(&world, 6, 0);
    world.model->is_log_short = true;
    world.now.wall_ms += 6000;
    (void)model_tick(world.model, world.now);
    settle(&world);
    assert_non_null(model_find(world.model, id));
    assert_null(model_find(world.model, other));
    assert_int_equal(model_next_wall_ms(world.model), world.now.wall_ms + MODEL_EXPIRE_AGAIN_MS);
    /* Whoever takes it meanwhile and gives it back has not ended it either. */
    assert_int_equal(reserve(&world), id);
    assert_int_equal(model_release(world.model, world.one, id, 0, 0, world.now), MODEL_OK);
    settle(&world);
    assert_int_equal(model_find(world.model, id)->state, JOB_READY);
    world.model->is_log_short = false;
    world.now.wall_ms += MODEL_EXPIRE_AGAIN_MS;
    (void)model_tick(world.model, world.now);
    settle(&world);
    assert_null(model_find(world.model, id));
    assert_int_equal(n_calls(&world), 1);
    world_deinit(&world);
}

static bool path_of(void *ctx, const struct job *job, struct slice below, struct slice *ret_path)
{
    uint64_t *id = ctx;
    *id = job->id;
    assert_true(slice_is(below, "/hooks"));
    if (job->id == 1)
        *ret_path = SLICE("/hooks/late");
    return job->id == 1;
}

/* Nobody has read the body of a job that was never taken: its owner says what it asks for. */
static void test_the_path_of_a_job_that_nobody_had(void **state)
{
    (void)state;
    struct world world;
    uint64_t asked = 0;
    const struct slice paths[CALLBACK_N_ENDS] = {SLICE(""), SLICE("/hooks/17")};
    world_init(&world, false, true);
    world.model->failure_path = path_of;
    world.model->failure_path_ctx = &asked;
    uint64_t id = put_for(&world, 5, 0);
    world.now.wall_ms += 5000;
    (void)model_tick(world.model, world.now);
    assert_said(&world, "POST /hooks/late HTTP/1.1\r\n");
    settle(&world);
    assert_int_equal(asked, id);
    id = put_for(&world, 5, 0);
    assert_int_equal(reserve(&world), id);
    assert_int_equal(model_choose_callbacks(world.model, world.one, id, paths), MODEL_OK);
    world.now.wall_ms += 5000;
    assert_int_equal(model_give_back(world.model, world.one, id, world.now), MODEL_OK);
    assert_said(&world, "POST /hooks/17 HTTP/1.1\r\n");
    assert_int_equal(asked, id - 2); /* the callback has an id, too */
    world_deinit(&world);
}

/* Many end at once: a tick does a part, and says that more is due. */
static void test_many_times_are_over(void **state)
{
    (void)state;
    enum { N = MODEL_TICK_MAX / MODEL_EXPIRE_WORK + 1 };
    struct world world;
    world_init(&world, false, true);
    for (int i = 0; i < N; i++)
        (void)put_for(&world, 5, 0);
    world.now.wall_ms += 5000;
    world.n_records = 0;
    assert_true(model_tick(world.model, world.now));
    assert_int_equal(n_calls(&world), N - 1);
    assert_int_equal(world.model->n_calls, N - 1);
    model_forget_body(world.model);
    assert_false(model_tick(world.model, world.now));
    assert_int_equal(n_calls(&world), N);
    world_deinit(&world);
}

static void test_a_path_that_the_job_chose(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, true, true);
    const struct slice paths[CALLBACK_N_ENDS] = {SLICE("/hooks/17"), SLICE("")};
    (void)put(&world);
    uint64_t id = reserve(&world);
    assert_int_equal(model_choose_callbacks(world.model, world.one, id, paths), MODEL_OK);
    assert_int_equal(model_choose_callbacks(world.model, world.one, id + 1, paths),
                     MODEL_NOT_FOUND);
    assert_int_equal(model_finish(world.model, world.one, id, SLICE(""), world.now), MODEL_OK);
    assert_said(&world, "POST /hooks/17 HTTP/1.1\r\nHost: app\r\n");
    settle(&world);
    (void)put(&world);
    id = reserve(&world);
    assert_int_equal(model_choose_callbacks(world.model, world.one, id, paths), MODEL_OK);
    assert_int_equal(model_bury(world.model, world.one, id, 0, world.now), MODEL_OK);
    assert_said(&world, "POST /hooks HTTP/1.1\r\n");
    world_deinit(&world);
}

/* Limits of the callbacks' queue refuse puts, and no callback; nor does a drain. */
static void test_a_callback_is_not_refused(void **state)
{
    (void)state;
    struct world world;
    struct tube_policy policy;
    world_init(&world, true, false);
    tube_policy_init(&policy);
    policy.jobs_max = 1;
    assert_int_equal(model_configure(world.model, SLICE("hooks"), &policy, world.now), MODEL_OK);
    for (int i = 0; i < 3; i++) {
        (void)put(&world);
        if (i == 2)
            model_drain(world.model, true);
        uint64_t id = reserve(&world);
        assert_int_equal(model_finish(world.model, world.one, id, SLICE(""), world.now), MODEL_OK);
        settle(&world);
    }
    assert_int_equal(n_calls(&world), 3);
    world_deinit(&world);
}

/* A worker of the callbacks' queue that waits gets it in the same call. */
static void test_who_waits_for_callbacks(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, true, false);
    struct model_conn *two = model_conn_open(world.model, NULL);
    uint64_t id = 0;
    assert_int_equal(model_watch(world.model, two, SLICE("hooks")), MODEL_OK);
    assert_int_equal(model_reserve(world.model, two, MODEL_FOR_EVER, world.now, &id),
                     MODEL_WAITING);
    (void)put(&world);
    id = reserve(&world);
    assert_int_equal(model_finish(world.model, world.one, id, SLICE(""), world.now), MODEL_OK);
    uint32_t n = 0;
    for (uint32_t i = 0; i < world.model->n_actions; i++)
        n += world.model->actions[i].kind == MODEL_RESERVED;
    assert_int_equal(n, 1);
    settle(&world);
    model_conn_close(world.model, &two, world.now);
    world_deinit(&world);
}

static struct model *replay(const struct world *world, uint32_t n)
{
    struct model *again = model_create(&world->model->limits, 2);
    for (uint32_t i = 0; i < n; i++) {
        struct job_record record;
        assert_int_equal(job_record_read(text_slice(&world->records[i]), &record), 0);
        assert_int_equal(model_replay(again, &record, i + 1), 0);
    }
    return again;
}

/* At each record where a crash may end the log: there is the job, or its callback, or both. */
static void check_each_end(const struct world *world, uint32_t n_put, uint64_t id)
{
    for (uint32_t n = n_put; n <= world->n_records; n++) {
        struct model *again = replay(world, n);
        const struct tube *called = model_tube(again, SLICE("hooks"));
        bool has_call = called && tube_n_jobs(called) > 0;
        assert_true(model_find(again, id) || has_call);
        assert_int_equal(has_call, n >= world->n_records - 1);
        model_destroy(&again);
    }
}

static void test_a_crash_loses_neither(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, true, false);
    (void)put(&world);
    uint32_t n_put = world.n_records;
    uint64_t id = reserve(&world);
    assert_int_equal(model_finish(world.model, world.one, id, SLICE(""), world.now), MODEL_OK);
    settle(&world);
    check_each_end(&world, n_put, id);
    world_deinit(&world);
    world_init(&world, false, true);
    id = put_for(&world, 5, 0);
    n_put = world.n_records;
    world.now.wall_ms += 5000;
    (void)model_tick(world.model, world.now);
    settle(&world);
    check_each_end(&world, n_put, id);
    world_deinit(&world);
}

/* The log ended between the two: the job comes again, ends again, and its callback is there. */
static void test_an_end_that_is_made_again(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, true, false);
    (void)put(&world);
    uint64_t id = reserve(&world);
    assert_int_equal(model_finish(world.model, world.one, id, SLICE(""), world.now), MODEL_OK);
    settle(&world);
    struct model *again = replay(&world, world.n_records - 1);
    struct tube_policy policy = model_tube(world.model, SLICE("reports"))->policy;
    struct model_conn *conn = model_conn_open(again, NULL);
    assert_int_equal(model_configure(again, SLICE("reports"), &policy, world.now), MODEL_OK);
    assert_int_equal(model_watch(again, conn, SLICE("reports")), MODEL_OK);
    assert_int_equal(model_reserve(again, conn, 0, world.now, &id), MODEL_OK);
    assert_int_equal(model_finish(again, conn, id, SLICE(""), world.now), MODEL_OK);
    assert_int_equal(tube_n_jobs(model_tube(again, SLICE("hooks"))), 1);
    model_forget_body(again);
    model_conn_close(again, &conn, world.now);
    model_destroy(&again);
    world_deinit(&world);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_job_that_is_done),
        cmocka_unit_test(test_a_job_that_is_dead),
        cmocka_unit_test(test_leases_that_end),
        cmocka_unit_test(test_a_log_without_room),
        cmocka_unit_test(test_a_job_whose_time_is_over),
        cmocka_unit_test(test_no_callback_of_what_is_over),
        cmocka_unit_test(test_an_expiry_without_room),
        cmocka_unit_test(test_the_path_of_a_job_that_nobody_had),
        cmocka_unit_test(test_many_times_are_over),
        cmocka_unit_test(test_a_path_that_the_job_chose),
        cmocka_unit_test(test_a_callback_is_not_refused),
        cmocka_unit_test(test_who_waits_for_callbacks),
        cmocka_unit_test(test_a_crash_loses_neither),
        cmocka_unit_test(test_an_end_that_is_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
