/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Access log lines: what a request's facts become, and which requests have a line.
 */

#include "http/access_log.h"

#include "base/mem.h"
#include "base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* As text shows it, but for the marks of numbers. */
static const char *said(const struct access *access)
{
    static char line[4096];
    struct access_text text;
    struct log_field fields[ACCESS_FIELDS_MAX];
    struct text out = TEXT_NONE;
    size_t n = access_fields(access, &text, fields);
    assert_true(n <= ACCESS_FIELDS_MAX);
    for (size_t i = 0; i < n; i++)
        text_printf(&out, "%s%s=%s", i ? " " : "", fields[i].key, fields[i].value);
    slice_copy(text_slice(&out), line, sizeof(line));
    text_deinit(&out);
    return line;
}

static void test_whole(void **state)
{
    (void)state;
    struct access access = {
        .mode = ACCESS_ON,
        .n_tries = 2,
        .status = 200,
        .first_ns = 1000000000,
        .head_ns = 1001500000,
        .sent_ns = 1001512000,
        .stood_ns = 1002000000,
        .answer_ns = 1005204000,
        .end_ns = 1100000999,
        .n_in = 312,
        .n_out = 1290,
        .reason = "cut",
        .sticky = "held",
        .listen = "shop",
        .client = "192.0.2.7",
        .method = "GET",
        .host = "a.org",
        .path = "/x?y=1",
        .pool = "web",
        .member = "app1",
        .route = "shop.weir:12:5",
    };
    assert_string_equal(
        said(&access),
        "listen=shop client=192.0.2.7 method=GET host=a.org path=/x?y=1 #status=200 #in=312 "
        "#out=1290 pool=web member=app1 #tries=2 #head_ms=1.500 #queue_ms=0.012 #connect_ms=0.488 "
        "#response_ms=3.204 #total_ms=100.000 reason=cut route=shop.weir:12:5 sticky=held");
}

/* A head that never came whole has no more than what was seen of it. */
static void test_partial(void **state)
{
    (void)state;
    struct access *access = access_create(ACCESS_ON, SLICE("shop"), SLICE("::1"), 5000000);
    access->status = 408;
    access->reason = "head_late";
    access->end_ns = 7000000;
    assert_string_equal(said(access), "listen=shop client=::1 #status=408 #in=0 #out=0 "
                                      "#total_ms=2.000 reason=head_late");
    access_destroy(&access);
    assert_null(access);
}

static void take(struct access *access, const char *bytes)
{
    struct h1_head head;
    enum h1_error error;
    h1_head_reset(&head);
    h1_parse_request(bytes, strlen(bytes), &h1_limits_default, &head, &error);
    access_head(access, &head, bytes, 42);
}

static void test_head(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *method, *host, *path;
        uint64_t n_in;
    } rows[] = {
        {"GET /a?b HTTP/1.1\r\nHost: x.org:80\r\n\r\n", "GET", "x.org", "/a?b", 37},
        {"GET http://x.org HTTP/1.1\r\nHost: x.org\r\n\r\nbody", "GET", "x.org", "", 42},
        {"OPTIONS * HTTP/1.0\r\n\r\n", "OPTIONS", "", "", 22},
        {"GET /a? HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "x", "/a?", 29},
        {"GET /a HTTP/1.1\r\nHost : x\r\n\r\n", "GET", "", "/a", 0},
        {"G\x01T", "", "", "", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct access access = {.mode = ACCESS_ON};
        take(&access, rows[i].bytes);
        assert_string_equal(access.method, rows[i].method);
        assert_string_equal(access.host, rows[i].host);
        assert_string_equal(access.path, rows[i].path);
        assert_int_equal(access.n_in, rows[i].n_in);
    }
}

/* Too long ones are cut, whole strings all the same. */
static void test_long(void **state)
{
    (void)state;
    struct access access = {.mode = ACCESS_ON};
    struct text bytes = TEXT_NONE;
    text_append(&bytes, SLICE("GET /"));
    text_pad(&bytes, 'a', 1021);
    text_append(&bytes, SLICE("?bcd HTTP/1.1\r\nHost: "));
    text_pad(&bytes, 'h', 300);
    text_append(&bytes, SLICE("\r\n\r\n"));
    take(&access, text_cstr(&bytes));
    assert_int_equal(strlen(access.path), ACCESS_PATH_MAX - 1);
    assert_int_equal(access.path[ACCESS_PATH_MAX - 2], '?');
    assert_int_equal(strlen(access.host), ACCESS_HOST_MAX - 1);
    text_deinit(&bytes);
}

static void test_wanted(void **state)
{
    (void)state;
    static const struct {
        struct access access;
        bool is_wanted;
    } rows[] = {
        {{.mode = ACCESS_ON, .status = 200}, true},
        {{.mode = ACCESS_ERRORS, .status = 200}, false},
        {{.mode = ACCESS_ERRORS, .status = 404}, false}, /* the member's own */
        {{.mode = ACCESS_ERRORS, .status = 404, .reason = "no_route"}, true},
        {{.mode = ACCESS_ERRORS, .status = 301, .reason = "redirect", .is_reason_fine = true},
         false},
        {{.mode = ACCESS_ERRORS, .status = 500}, true},
        {{.mode = ACCESS_ERRORS, .status = 200, .reason = "cut"}, true},
        {{.mode = ACCESS_ERRORS, .status = 0, .reason = "aborted"}, true},
        {{.mode = ACCESS_ERRORS, .status = 400, .reason = "line_end"}, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (access_is_wanted(&rows[i].access) != rows[i].is_wanted)
            fail_msg("row %zu", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole), cmocka_unit_test(test_partial), cmocka_unit_test(test_head),
        cmocka_unit_test(test_long),  cmocka_unit_test(test_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
