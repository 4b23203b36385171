/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a callback says, and which paths a job may choose.
 */

#include "queue/callback.h"

#include "base/mem.h"
#include "wire/jobhttp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct callback_rule rule(size_t body_max)
{
    static char queue[] = "hooks", path[] = "/hooks", host[] = "app";
    return (struct callback_rule){.queue = queue, .path = path, .host = host, .body_max = body_max};
}

static struct callback plain(void)
{
    return (struct callback){.end = CALLBACK_DONE,
                             .queue = SLICE("reports"),
                             .id = 7,
                             .n_attempts = 1,
                             .created_s = 100,
                             .ended_s = 160,
                             .error_text = SLICE(""),
                             .result = SLICE(""),
                             .path = SLICE("")};
}

/* That the document of such a callback is this, and that its head can be read. */
static void says(const struct callback_rule *to, const struct callback *what, const char *target,
                 const char *document)
{
    struct text job = TEXT_NONE, lines = TEXT_NONE;
    struct jobhttp_request request;
    const char *why = NULL;
    callback_write(to, what, &job);
    assert_true(job.len <= callback_bytes(to, what->result.len));
    assert_int_equal(jobhttp_read(text_slice(&job), true, &request, &lines, &why), 1);
    assert_true(slice_is(request.method, "POST") && slice_is(request.host, "app"));
    assert_true(slice_is(request.target, target));
    assert_string_equal(text_cstr(&lines), "Content-Type: application/json\r\n");
    assert_int_equal(request.body.len, strlen(document));
    assert_memory_equal(request.body.ptr, document, request.body.len);
    text_deinit(&lines);
    text_deinit(&job);
}

static void test_what_it_says(void **state)
{
    (void)state;
    const struct callback_rule to = rule(100);
    struct callback what = plain();
    says(&to, &what, "/hooks",
         "{\"queue\":\"reports\",\"id\":7,\"state\":\"done\",\"attempts\":1,\"created\":100,"
         "\"ended\":160}\n");
    what.end = CALLBACK_DEAD;
    what.path = SLICE("/hooks/17?a=b");
    what.error = "permanent";
    what.error_text = SLICE("404 \"x\"");
    what.result = SLICE(JOBHTTP_RESPONSE "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n"
                                         "Content-Length: 3\r\n\r\nno\n");
    says(&to, &what, "/hooks/17?a=b",
         "{\"queue\":\"reports\",\"id\":7,\"state\":\"dead\",\"attempts\":1,\"created\":100,"
         "\"ended\":160,\"error\":\"permanent\",\"error_text\":\"404 \\\"x\\\"\","
         "\"response\":{\"status\":404,\"type\":\"text/plain\",\"body_bytes\":3,"
         "\"body\":\"no\\n\"}}\n");
}

static void test_results(void **state)
{
    (void)state;
    const struct {
        struct slice result;
        size_t body_max;
        const char *response;
    } rows[] = {
        {SLICE("abc"), 3, "{\"body_bytes\":3,\"body\":\"abc\"}"},
        {SLICE("abcd"), 3, "{\"body_bytes\":4}"},
        {SLICE("\xff\x01"), 3, "{\"body_bytes\":2,\"body_base64\":\"/wE=\"}"},
        {SLICE("\x01\x01\x01"), 3, "{\"body_bytes\":3,\"body\":\"\\u0001\\u0001\\u0001\"}"},
        /* A worker's that only begins like a response. */
        {SLICE(JOBHTTP_RESPONSE "x"), 30,
         "{\"body_bytes\":18,\"body\":\"weir-response/1\\r\\nx\"}"},
        {SLICE(JOBHTTP_RESPONSE "HTTP/1.1 204 No Content\r\n\r\n"), 0,
         "{\"status\":204,\"body_bytes\":0,\"body\":\"\"}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct callback_rule to = rule(rows[i].body_max);
        struct callback what = plain();
        char document[512];
        what.result = rows[i].result;
        snprintf(
            document, sizeof(document),
            "{\"queue\":\"reports\",\"id\":7,\"state\":\"done\",\"attempts\":1,\"created\":100,"
            "\"ended\":160,\"response\":%s}\n",
            rows[i].response);
        says(&to, &what, "/hooks", document);
    }
}

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *path, *below;
        bool is_allowed;
    } rows[] = {
        {"/hooks", "/hooks", true},
        {"/hooks/", "/hooks", true},
        {"/hooks/17", "/hooks", true},
        {"/hooks/17?a=/../b%2e", "/hooks", true},
        {"/hooks?a", "/hooks?b", true},
        {"/a/b", "/", true},
        {"/", "/", true},
        {"/hooks/17", "/hooks/", true},
        {"/hooks/...", "/hooks", true},
        {"", "/", false},
        {"hooks", "/", false},
        {"http://example.org/hooks", "/", false},
        {"//example.org/hooks", "/", false},
        {"/hooksome", "/hooks", false},
        {"/admin", "/hooks", false},
        {"/hooks/../admin", "/hooks", false},
        {"/hooks/..", "/hooks", false},
        {"/hooks/./a", "/hooks", false},
        {"/hooks//a", "/hooks", false},
        {"/hooks/%2e%2e/admin", "/hooks", false},
        {"/hooks/..%2fadmin", "/hooks", false},
        {"/hooks\\..\\admin", "/hooks", false},
        {"/hooks/a b", "/hooks", false},
        {"/hooks/a#b", "/hooks", false},
        {"/hooks/\xc3\xa4", "/hooks", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *why = callback_refusal(slice_from(rows[i].path), slice_from(rows[i].below));
        if (!why != rows[i].is_allowed)
            fail_msg("%s below %s: %s", rows[i].path, rows[i].below, why ? why : "allowed");
    }
    char path[CALLBACK_PATH_MAX + 2];
    memset(path, 'a', sizeof(path));
    path[0] = '/';
    assert_null(callback_refusal(slice_make(path, CALLBACK_PATH_MAX), SLICE("/")));
    assert_non_null(callback_refusal(slice_make(path, CALLBACK_PATH_MAX + 1), SLICE("/")));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_says),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
