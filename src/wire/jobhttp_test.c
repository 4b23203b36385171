/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Jobs that are requests: what is read of them, what is refused, cut at every byte; and results
 * that are responses.
 */

#include "wire/jobhttp.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HOST "Host: shop\r\n"

static const struct row {
    const char *message; /* behind the first line */
    const char *shown;   /* "METHOD TARGET HOST |lines|body", or NULL */
    const char *why;
} rows[] = {
    {"GET / HTTP/1.1\r\n" HOST "\r\n", "GET / shop ||", NULL},
    {"POST /a?b=c HTTP/1.1\r\nHost: x:80\r\nA: 1\r\nContent-Length: 3\r\n\r\nabc",
     "POST /a?b=c x:80 |A: 1;|abc", NULL},
    {"POST / HTTP/1.1\r\n" HOST "\r\nno length", "POST / shop ||no length", NULL},
    {"PURGE /x HTTP/1.1\r\n" HOST "\r\n", "PURGE /x shop ||", NULL},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS * shop ||", NULL},
    {"GET / HTTP/1.0\r\n" HOST "X-Forwarded-For: 192.0.2.1\r\n\r\n",
     "GET / shop |X-Forwarded-For: 192.0.2.1;|", NULL},
    /* of one connection, of the framing, weir's own */
    {"GET / HTTP/1.1\r\n" HOST
     "Connection: close, x-hop\r\nX-Hop: 1\r\nKeep-Alive: 1\r\nA: 2\r\n\r\n",
     "GET / shop |A: 2;|", NULL},
    {"GET / HTTP/1.1\r\n" HOST "TE: trailers\r\nUpgrade: h2c\r\nExpect: 100-continue\r\n\r\n",
     "GET / shop ||", NULL},
    {"GET / HTTP/1.1\r\n" HOST
     "Weir-Pool: p\r\nweir-attempt: 9\r\nWebhook-Id: 1\r\nWeird: 1\r\n\r\n",
     "GET / shop |Weird: 1;|", NULL},
    {"GET / HTTP/1.1\r\n" HOST "Idempotency-Key: k\r\n\r\n",
     "GET / shop +key |Idempotency-Key: k;|", NULL},
    /* no requests */
    {"", NULL, "end"},
    {"GET / HTTP/1.1\r\n" HOST, NULL, "end"},
    {"GET / HTTP/1.1\r\n\r\n", NULL, "Host"},
    {"GET / HTTP/1.0\r\n\r\n", NULL, "names no host"},
    {"GET x HTTP/1.1\r\n" HOST "\r\n", NULL, ""},
    {"GET http://shop/ HTTP/1.1\r\n" HOST "\r\n", NULL, "no path"},
    {"CONNECT shop:443 HTTP/1.1\r\nHost: shop:443\r\n\r\n", NULL, "CONNECT"},
    {"TRACE / HTTP/1.1\r\n" HOST "\r\n", NULL, "TRACE"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nabc", NULL, "another length"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nabc", NULL, "another length"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", NULL, "chunks"},
    {"GET / HTTP/1.1\r\n" HOST "A: b\nC: d\r\n\r\n", NULL, ""},
    {"GET / HTTP/1.1\r\n" HOST "A b: c\r\n\r\n", NULL, ""},
};

static void show(const struct jobhttp_request *request, const struct text *lines, struct text *out)
{
    text_printf(out, "%.*s %.*s %.*s%s |", SLICE_ARG(request->method), SLICE_ARG(request->target),
                SLICE_ARG(request->host), request->has_key ? " +key" : "");
    for (const char *c = text_cstr(lines); *c; c++)
        if (*c != '\r')
            text_append_char(out, *c == '\n' ? ';' : *c);
    text_printf(out, "|%.*s", SLICE_ARG(request->body));
}

static void check_row(const struct row *row)
{
    struct text job = TEXT_NONE, lines = TEXT_NONE, shown = TEXT_NONE;
    struct jobhttp_request request;
    const char *why = NULL;
    text_append(&job, SLICE(JOBHTTP_REQUEST));
    text_append(&job, slice_from(row->message));
    int result = jobhttp_read(text_slice(&job), true, &request, &lines, &why);
    assert_int_equal(result, row->shown ? 1 : -1);
    if (row->shown) {
        show(&request, &lines, &shown);
        assert_string_equal(text_cstr(&shown), row->shown);
        assert_null(why);
    } else {
        assert_non_null(strstr(why, row->why));
        assert_int_equal(lines.len, 0);
    }
    text_deinit(&job);
    text_deinit(&lines);
    text_deinit(&shown);
}

static void test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_row(&rows[i]);
}

/* Cut anywhere, it is no other request: nothing, or refused. */
static void test_cut(void **state)
{
    (void)state;
    struct slice whole =
        SLICE(JOBHTTP_REQUEST "POST /a HTTP/1.1\r\n" HOST "A: 1\r\nContent-Length: 3\r\n\r\nabc");
    for (size_t n = 0; n <= whole.len; n++) {
        char *copy = mem_alloc(n + 1); /* so that a sanitizer sees what is read behind it */
        struct text lines = TEXT_NONE;
        struct jobhttp_request request;
        const char *why = NULL;
        memcpy(copy, whole.ptr, n);
        int result = jobhttp_read(slice_make(copy, n), true, &request, &lines, &why);
        int wanted = n == whole.len ? 1 : -1;
        if (n < sizeof(JOBHTTP_REQUEST) - 1)
            wanted = 0;
        assert_int_equal(result, wanted);
        text_deinit(&lines);
        mem_free(copy);
    }
}

static void test_other_jobs_are_no_requests(void **state)
{
    (void)state;
    static const char *const jobs[] = {"",
                                       "hello",
                                       "weir-request/1\n",
                                       "weir-request/2\r\n",
                                       "Weir-request/1\r\n",
                                       " weir-request/1\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        struct text lines = TEXT_NONE;
        struct jobhttp_request request;
        const char *why = NULL;
        assert_int_equal(jobhttp_read(slice_from(jobs[i]), true, &request, &lines, &why), 0);
    }
}

/* A webhook of somebody else, which is only passed on. */
static void test_signatures_of_others(void **state)
{
    (void)state;
    struct slice job = SLICE(JOBHTTP_REQUEST "POST / HTTP/1.1\r\n" HOST "Webhook-Id: 7\r\n\r\n");
    struct jobhttp_request request;
    const char *why = NULL;
    for (int is_signed = 0; is_signed < 2; is_signed++) {
        struct text lines = TEXT_NONE;
        assert_int_equal(jobhttp_read(job, is_signed, &request, &lines, &why), 1);
        assert_string_equal(text_cstr(&lines), is_signed ? "" : "Webhook-Id: 7\r\n");
        text_deinit(&lines);
    }
}

/* What is added to a head still fits into that of the next reader. */
static void test_callbacks(void **state)
{
    (void)state;
    static const char job[] =
        JOBHTTP_REQUEST "GET / HTTP/1.1\r\n" HOST "weir-callback: \r\nWeir-Callback: /a b\r\n"
                        "Weir-Callback: /c\r\nWeir-Callbacks: /d\r\n\r\n";
    struct jobhttp_request request;
    struct text lines = TEXT_NONE;
    const char *why = NULL;
    assert_int_equal(jobhttp_read(slice_from(job), true, &request, &lines, &why), 1);
    assert_true(slice_is(request.callback, "/a b"));
    assert_int_equal(request.failure_callback.len, 0);
    assert_int_equal(lines.len, 0);
}

static void test_long_head(void **state)
{
    (void)state;
    struct text job = TEXT_NONE, lines = TEXT_NONE;
    struct jobhttp_request request;
    const char *why = NULL;
    text_append(&job, SLICE(JOBHTTP_REQUEST "GET / HTTP/1.1\r\n" HOST));
    while (job.len < 29000)
        text_append(&job,
                    SLICE("A: 0123456789012345678901234567890123456789012345678901234567890123"
                          "45678901234567890123456789012345678901234567890123456789012345678"
                          "90123456789012345678901234567890123456789012345678901234567890123"
                          "45678901234567890123456789012345678901234567890123456789012345678"
                          "90123456789012345678901234567890123456789012345678901234567890123"
                          "45678901234567890123456789012345678901234567890123456789012345678"
                          "\r\n"));
    text_append(&job, SLICE("\r\n"));
    assert_int_equal(jobhttp_read(text_slice(&job), true, &request, &lines, &why), -1);
    text_deinit(&job);
    text_deinit(&lines);
}

static void test_responses(void **state)
{
    (void)state;
    static const struct {
        const char *head, *body, *wanted;
    } table[] = {
        {"HTTP/1.1 201 Made\r\nContent-Length: 2\r\nA: b\r\nConnection: close\r\n\r\n", "ok",
         JOBHTTP_RESPONSE "HTTP/1.1 201 Made\r\nContent-Length: 2\r\nA: b\r\n\r\nok"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "ok",
         JOBHTTP_RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
        {"HTTP/1.0 200 OK\r\n\r\n", "till the end",
         JOBHTTP_RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\ntill the end"},
        {"HTTP/1.1 204 No Content\r\n\r\n", "", JOBHTTP_RESPONSE "HTTP/1.1 204 No Content\r\n\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct h1_head *head = MEM_NEW(struct h1_head);
        struct text out = TEXT_NONE;
        enum h1_error error;
        ssize_t used = h1_parse_response(table[i].head, strlen(table[i].head), &h1_limits_default,
                                         (struct h1_asked){.method = H1_METHOD_POST}, head, &error);
        assert_true(used > 0);
        jobhttp_write_response(head, table[i].head, slice_from(table[i].body), &out);
        assert_string_equal(text_cstr(&out), table[i].wanted);
        text_deinit(&out);
        mem_free(head);
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

static const struct store_row {
    const char *message;
    bool has_credentials;
    const char *lines;
    const char *wanted; /* behind the first line; NULL: refused */
    const char *why;
} store_rows[] = {
    {"POST /a?b HTTP/1.1\r\n" HOST "A: 1\r\nContent-Length: 3\r\n\r\nabc", false, "",
     "POST /a?b HTTP/1.1\r\n" HOST "A: 1\r\n\r\nabc", NULL},
    {"POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nabc", false, "",
     "POST /a HTTP/1.1\r\n" HOST "\r\nabc", NULL},
    {"GET http://x:81/p?q HTTP/1.1\r\nHost: x:81\r\n\r\n", false, "",
     "GET /p?q HTTP/1.1\r\nHost: x:81\r\n\r\n", NULL},
    {"GET http://x? HTTP/1.1\r\nHost: x\r\n\r\n", false, "", "GET /? HTTP/1.1\r\nHost: x\r\n\r\n",
     NULL},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", false, "", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", NULL},
    {"PURGE / HTTP/1.1\r\n" HOST "a:b  \r\n\r\n", false, "",
     "PURGE / HTTP/1.1\r\n" HOST "a: b\r\n\r\n", NULL},
    {"GET / HTTP/1.1\r\n" HOST "Cookie: c\r\nAuthorization: a\r\nProxy-Authorization: p\r\n\r\n",
     false, "", "GET / HTTP/1.1\r\n" HOST "\r\n", NULL},
    {"GET / HTTP/1.1\r\n" HOST "Cookie: c\r\nAuthorization: a\r\nProxy-Authorization: p\r\n\r\n",
     true, "", "GET / HTTP/1.1\r\n" HOST "Cookie: c\r\nAuthorization: a\r\n\r\n", NULL},
    {"GET / HTTP/1.1\r\n" HOST
     "Connection: x-hop\r\nX-Hop: 1\r\nWeir-Async: put\r\nweir-pool: p\r\nExpect: 100-continue\r\n"
     "TE: trailers\r\nWebhook-Id: 7\r\n\r\n",
     false, "", "GET / HTTP/1.1\r\n" HOST "Webhook-Id: 7\r\n\r\n", NULL},
    {"GET / HTTP/1.1\r\n" HOST "Prefer: respond-async, return=minimal\r\nPrefer: wait=1\r\n\r\n",
     false, "", "GET / HTTP/1.1\r\n" HOST "Prefer: return=minimal\r\n\r\n", NULL},
    {"GET / HTTP/1.1\r\n" HOST "Weir-Callback: x\r\n\r\n", false, "Weir-Callback: y\r\n",
     "GET / HTTP/1.1\r\n" HOST "Weir-Callback: y\r\n\r\n", NULL},
    {"TRACE / HTTP/1.1\r\n" HOST "\r\n", false, "", NULL, "TRACE"},
    {"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", false, "", NULL, "CONNECT"},
    {"GET / HTTP/1.0\r\n\r\n", false, "", NULL, "no host"},
};

static void check_store(const struct store_row *row)
{
    struct h1_head *head = MEM_NEW(struct h1_head);
    struct text out = TEXT_NONE, lines = TEXT_NONE;
    enum h1_error error;
    const char *why = NULL;
    size_t len = strlen(row->message);
    ssize_t used = h1_parse_request(row->message, len, &h1_limits_default, head, &error);
    assert_true(used > 0);
    const struct jobhttp_store store = {.has_credentials = row->has_credentials,
                                        .lines = slice_from(row->lines)};
    int result = jobhttp_write_request(head, row->message, slice_from(row->message + used), &store,
                                       &out, &why);
    assert_int_equal(result, row->wanted ? 0 : -1);
    if (row->wanted) {
        struct jobhttp_request request;
        assert_true(slice_starts(text_slice(&out), SLICE(JOBHTTP_REQUEST)));
        assert_string_equal(text_cstr(&out) + strlen(JOBHTTP_REQUEST), row->wanted);
        assert_int_equal(jobhttp_read(text_slice(&out), true, &request, &lines, &why), 1);
        assert_true(slice_is(request.body, row->message + used));
    } else {
        assert_non_null(strstr(why, row->why));
        assert_int_equal(out.len, 0);
    }
    text_deinit(&out);
    text_deinit(&lines);
    mem_free(head);
}

static void test_storing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(store_rows); i++)
        check_store(&store_rows[i]);
}

/* What the reader would not take is not written. */
static void test_storing_long_heads(void **state)
{
    (void)state;
    struct text message = TEXT_NONE, out = TEXT_NONE;
    struct h1_head *head = MEM_NEW(struct h1_head);
    enum h1_error error;
    const char *why = NULL;
    text_append(&message, SLICE("GET / HTTP/1.1\r\n" HOST));
    while (message.len < 30000) {
        text_append(&message, SLICE("A: "));
        text_pad(&message, 'x', 1000);
        text_append(&message, SLICE("\r\n"));
    }
    text_append(&message, SLICE("\r\n"));
    assert_true(h1_parse_request(message.ptr, message.len, &h1_limits_default, head, &error) > 0);
    const struct jobhttp_store store = {.has_credentials = false};
    assert_int_equal(jobhttp_write_request(head, message.ptr, SLICE("body"), &store, &out, &why),
                     -1);
    assert_non_null(strstr(why, "too long"));
    assert_int_equal(out.len, 0);
    text_deinit(&message);
    text_deinit(&out);
    mem_free(head);
}

/* Weir's own lines come to those that the reader takes at most. */
static void test_storing_many_fields(void **state)
{
    (void)state;
    struct text message = TEXT_NONE, out = TEXT_NONE;
    struct h1_head *head = MEM_NEW(struct h1_head);
    enum h1_error error;
    const char *why = NULL;
    text_append(&message, SLICE("GET / HTTP/1.1\r\n" HOST));
    for (unsigned i = 1; i < h1_limits_default.n_fields; i++)
        text_append(&message, SLICE("A: b\r\n"));
    text_append(&message, SLICE("\r\n"));
    assert_true(h1_parse_request(message.ptr, message.len, &h1_limits_default, head, &error) > 0);
    struct jobhttp_store store = {.lines = SLICE("Weir-Own: 1\r\n")};
    assert_int_equal(jobhttp_write_request(head, message.ptr, SLICE(""), &store, &out, &why), -1);
    store.lines = SLICE("");
    assert_int_equal(jobhttp_write_request(head, message.ptr, SLICE(""), &store, &out, &why), 0);
    text_deinit(&message);
    text_deinit(&out);
    mem_free(head);
}

static void test_stored_responses(void **state)
{
    (void)state;
    static const struct {
        const char *result;
        int read;
        unsigned status;
        const char *lines, *body;
    } table[] = {
        {JOBHTTP_RESPONSE "HTTP/1.1 201 Made\r\nContent-Length: 2\r\nA: b\r\n\r\nok", 1, 201,
         "A: b\r\n", "ok"},
        {JOBHTTP_RESPONSE "HTTP/1.1 204 No Content\r\nA: b\r\n\r\n", 1, 204, "A: b\r\n", ""},
        {JOBHTTP_RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 1, 200, "", ""},
        {"HTTP/1.1 200 OK\r\n\r\n", 0, 0, "", ""},
        {"", 0, 0, "", ""},
        {"ok", 0, 0, "", ""},
        {JOBHTTP_RESPONSE, -1, 0, "", ""},
        {JOBHTTP_RESPONSE "HTTP/1.1 200 OK\r\n", -1, 0, "", ""},
        {JOBHTTP_RESPONSE "HTTP/1.1 100 Continue\r\n\r\n", -1, 0, "", ""},
        {JOBHTTP_RESPONSE "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", -1, 0, "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct jobhttp_response response = {.status = 0};
        struct text lines = TEXT_NONE;
        int read = jobhttp_read_response(slice_from(table[i].result), &response, &lines);
        assert_int_equal(read, table[i].read);
        assert_int_equal(response.status, table[i].status);
        assert_string_equal(text_cstr(&lines), table[i].lines);
        if (read > 0)
            assert_true(slice_is(response.body, table[i].body));
        text_deinit(&lines);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_other_jobs_are_no_requests),
        cmocka_unit_test(test_callbacks),
        cmocka_unit_test(test_signatures_of_others),
        cmocka_unit_test(test_long_head),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_storing),
        cmocka_unit_test(test_storing_long_heads),
        cmocka_unit_test(test_storing_many_fields),
        cmocka_unit_test(test_stored_responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
