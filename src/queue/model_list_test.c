/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Lists of more jobs than one call looks at: none is missed, and a call that finds nothing says
 * where to go on. That each is shown once whatever happened before is in model_random_test.c. And
 * the age of the oldest job of more than are looked at.
 */

#include "queue/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { N_JOBS = 2 * MODEL_LIST_SCAN + 10, N_PAGE = 1000 };

static const struct model_now now = {.wall_ms = 1700000000000, .mono_ms = 1};

static uint64_t put(struct model *model, struct model_conn *conn, uint32_t delay_s)
{
    const struct model_put put = {.delay_s = delay_s, .ttr_s = 1, .body = SLICE("x")};
    uint64_t id = 0;
    assert_int_equal(model_put(model, conn, &put, now, &id), MODEL_OK);
    model_forget_body(model);
    return id;
}

/* How many there are, in how many calls. */
static uint32_t count(const struct model *model, enum job_state state, uint32_t *ret_n_calls)
{
    const struct tube *tube = model_tube(model, SLICE("default"));
    const struct job *jobs[N_PAGE];
    uint32_t cursor = 0, n = 0;
    *ret_n_calls = 0;
    do {
        n += model_list(model, tube, state, &cursor, jobs, N_PAGE);
        ++*ret_n_calls;
    } while (cursor != 0);
    return n;
}

static void test_many(void **state)
{
    (void)state;
    const struct model_limits limits = {
        .jobs_max = N_JOBS, .bytes_max = N_JOBS, .tubes_max = 4, .watches_max = 4};
    struct model *model = model_create(&limits, 1);
    struct model_conn *conn = model_conn_open(model, NULL);
    uint32_t n_calls;
    assert_int_equal(count(model, JOB_READY, &n_calls), 0);
    assert_int_equal(n_calls, 1);
    for (int i = 0; i < N_JOBS - 1; i++)
        (void)put(model, conn, 60);
    uint64_t last = put(model, conn, 0);
    assert_int_equal(count(model, JOB_READY, &n_calls), 1);
    assert_int_equal(n_calls, 3);
    assert_int_equal(count(model, JOB_DELAYED, &n_calls), N_JOBS - 1);
    assert_int_equal(n_calls, N_JOBS / N_PAGE + 1);
    assert_int_equal(model_delete(model, conn, last, now), MODEL_OK);
    assert_int_equal(count(model, JOB_READY, &n_calls), 0);
    model_conn_close(model, &conn, now);
    model_destroy(&model);
}

static void test_a_cursor_of_nobody(void **state)
{
    (void)state;
    const struct model_limits limits = {
        .jobs_max = 10, .bytes_max = 10, .tubes_max = 4, .watches_max = 4};
    struct model *model = model_create(&limits, 1);
    struct model_conn *conn = model_conn_open(model, NULL);
    const struct job *jobs[1];
    (void)put(model, conn, 0);
    static const uint32_t cursors[] = {2, 3, MODEL_LIST_SCAN, UINT32_MAX - 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof(cursors) / sizeof(cursors[0]); i++) {
        uint32_t cursor = cursors[i];
        const struct tube *tube = model_tube(model, SLICE("default"));
        assert_int_equal(model_list(model, tube, JOB_READY, &cursor, jobs, 1), 0);
        assert_int_equal(cursor, 0);
    }
    model_conn_close(model, &conn, now);
    model_destroy(&model);
}

/* More jobs than are looked at, put one each second and taken from the front. */
static void test_the_oldest(void **state)
{
    (void)state;
    enum { N = 3000, N_TAKEN = 1500, MS_PER_S = 1000 };
    const struct model_limits limits = {
        .jobs_max = N, .bytes_max = N, .tubes_max = 4, .watches_max = 4};
    struct model *model = model_create(&limits, 1);
    struct model_conn *conn = model_conn_open(model, NULL);
    const struct tube *tube = model_tube(model, SLICE("default"));
    struct model_now at = now;
    const struct model_put job = {.priority = 7, .ttr_s = N * 2, .body = SLICE("x")};
    uint64_t id = 0;
    assert_int_equal(model_oldest_ms(model, tube, at), 0);
    for (int i = 0; i < N; i++, at.wall_ms += MS_PER_S) {
        assert_int_equal(model_put(model, conn, &job, at, &id), MODEL_OK);
        model_forget_body(model);
    }
    for (uint64_t i = 0; i < N_TAKEN; i++) {
        assert_int_equal(model_oldest_ms(model, tube, at), (N - i) * MS_PER_S);
        assert_int_equal(model_reserve(model, conn, 0, at, &id), MODEL_OK);
        assert_int_equal(id, i + 1);
    }
    /* One that comes back is the oldest again. */
    assert_int_equal(model_release(model, conn, 1, 7, 0, at), MODEL_OK);
    assert_int_equal(model_oldest_ms(model, tube, at), N * MS_PER_S);
    model_conn_close(model, &conn, at);
    model_destroy(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_many),
                                       cmocka_unit_test(test_a_cursor_of_nobody),
                                       cmocka_unit_test(test_the_oldest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
