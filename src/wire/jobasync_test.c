/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The field of asynchronous routes, and the paths of jobs: what is read, what is refused, cut at
 * every byte.
 */

#include "wire/jobasync.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ID    "0123456789abcdef0123456789abcdef"
#define TOKEN "ABCDEFGHIJKLMNOPQRSTUVWXYZabcd-_"
#define PUT   "put; queue=mail; mode=prefer; credentials=keep; id=" ID "; path=/jobs"

static void test_put(void **state)
{
    (void)state;
    struct jobasync async;
    assert_int_equal(jobasync_read(SLICE(PUT), &async), 0);
    assert_int_equal(async.kind, JOBASYNC_PUT);
    assert_int_equal(async.mode, JOBASYNC_PREFER);
    assert_true(async.has_credentials);
    assert_true(slice_is(async.queue, "mail"));
    assert_true(slice_is(async.id, ID));
    assert_true(slice_is(async.path, "/jobs"));
    assert_int_equal(
        jobasync_read(SLICE("put;path=/a/b;mode=overflow;id=" ID ";credentials=drop;queue=q"),
                      &async),
        0);
    assert_int_equal(async.mode, JOBASYNC_OVERFLOW);
    assert_false(async.has_credentials);
    assert_true(slice_is(async.path, "/a/b"));
}

static void test_job(void **state)
{
    (void)state;
    struct jobasync async;
    assert_int_equal(jobasync_read(SLICE("job; path=/jobs"), &async), 0);
    assert_int_equal(async.kind, JOBASYNC_JOB);
    assert_true(slice_is(async.path, "/jobs"));
}

static void test_written(void **state)
{
    (void)state;
    static const char *const values[] = {
        PUT, "put; queue=q; mode=always; credentials=drop; id=" ID "; path=/a/b",
        "put; queue=q; mode=overflow; credentials=keep; id=" ID "; path=/j", "job; path=/jobs"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct jobasync async;
        char line[256], wanted[256];
        snprintf(wanted, sizeof(wanted), "Weir-Async: %s\r\n", values[i]);
        assert_int_equal(jobasync_read(slice_from(values[i]), &async), 0);
        assert_int_equal(jobasync_write(&async, line, sizeof(line)), strlen(wanted));
        assert_string_equal(line, wanted);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const table[] = {
        "",
        "put",
        "job",
        "Job; path=/jobs",
        "get; path=/jobs",
        "job; path=jobs",
        "job; path=/",
        "job; path=/jobs/",
        "job; path=",
        "job; path",
        "job; path=/jobs;",
        "job; path=/jobs; path=/jobs",
        "job; path=/jobs; queue=q",
        "job; Path=/jobs",
        "put; queue=; mode=prefer; credentials=keep; id=" ID "; path=/jobs",
        "put; queue=mail; mode=often; credentials=keep; id=" ID "; path=/jobs",
        "put; queue=mail; mode=prefer; credentials=some; id=" ID "; path=/jobs",
        "put; queue=mail; mode=prefer; credentials=keep; id=" ID "0; path=/jobs",
        "put; queue=mail; mode=prefer; credentials=keep; id=0123; path=/jobs",
        "put; queue=mail; mode=prefer; credentials=keep; id=0123456789ABCDEF0123456789abcdef; "
        "path=/jobs",
        PUT "; colour=blue",
        PUT "; path=/jobs",
    };
    struct jobasync async;
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (jobasync_read(slice_from(table[i]), &async) != -1)
            fail_msg("taken: %s", table[i]);
}

/* A value that is cut is none, or one whose last part is shorter: the path. */
static void test_cut(void **state)
{
    (void)state;
    struct slice whole = SLICE(PUT);
    for (size_t n = 0; n < whole.len; n++) {
        char *copy = mem_alloc(n + 1);
        struct jobasync async;
        memcpy(copy, whole.ptr, n);
        int wanted = n > whole.len - strlen("jobs") ? 0 : -1;
        assert_int_equal(jobasync_read(slice_make(copy, n), &async), wanted);
        mem_free(copy);
    }
}

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int result;
        bool is_response;
    } table[] = {
        {"/jobs/" TOKEN, 0, false},
        {"/jobs/" TOKEN "/response", 0, true},
        {"/jobs", -1, false},
        {"/jobs/", -1, false},
        {"/jobs/x", -1, false},
        {"/jobs/" TOKEN "x", -1, false},
        {"/jobs/" TOKEN "/", -1, false},
        {"/jobs/" TOKEN "/body", -1, false},
        {"/jobs/" TOKEN "/response/", -1, false},
        {"/job/" TOKEN, -1, false},
        {"/jobsx" TOKEN, -1, false},
        {"", -1, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct slice token;
        bool is_response = false;
        int result =
            jobasync_read_path(slice_from(table[i].path), SLICE("/jobs"), &token, &is_response);
        assert_int_equal(result, table[i].result);
        assert_int_equal(is_response, table[i].is_response);
        if (result == 0)
            assert_true(slice_is(token, TOKEN));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put),     cmocka_unit_test(test_job), cmocka_unit_test(test_written),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_cut), cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
