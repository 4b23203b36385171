/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the HTTP/1 codec that are tables or helpers: scans against the grammar, names, error
 * rows, authorities, body readers, chunk heads, answers. Whole messages are cases in tests/h1/.
 */
#include "base/mem.h"
#include "wire/h1_reader.h"
#include "wire/h1_scan.h"
#include "wire/h1_scan_word.h"
#include <stdarg.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#ifdef __SSE2__
#include "wire/h1_scan_sse2.h"
#define WIDE_TOKEN  h1_sse2_token
#define WIDE_VALUE  h1_sse2_value
#define WIDE_TARGET h1_sse2_target
#else
#define WIDE_TOKEN  h1_word_token
#define WIDE_VALUE  h1_word_value
#define WIDE_TARGET h1_word_target
#endif

/* ---- scans ---- */

static bool is_tchar(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static void test_classes(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;

        assert_int_equal(h1_is_class(byte, H1_CLASS_TOKEN), is_tchar(c));
        assert_int_equal(h1_is_class(byte, H1_CLASS_TARGET), c > 0x20 && c < 0x7f && c != '#');
        assert_int_equal(h1_is_class(byte, H1_CLASS_VALUE), c == '\t' || (c >= 0x20 && c != 0x7f));
    }
}

/* The byte c at every position of every length up to three blocks, from every start. */
static void check_scans(char *buf, size_t len, size_t at, char c)
{
    bool is_value = h1_is_class(c, H1_CLASS_VALUE);
    bool is_target = h1_is_class(c, H1_CLASS_TARGET);
    bool is_token = h1_is_class(c, H1_CLASS_TOKEN);

    memset(buf, 'a', len);
    buf[at] = c;
    for (size_t pos = 0; pos <= len; pos += 3) {
        size_t stop = pos <= at ? at : len;

        assert_int_equal(h1_word_token(buf, pos, len), is_token ? len : stop);
        assert_int_equal(WIDE_TOKEN(buf, pos, len), is_token ? len : stop);
        assert_int_equal(h1_word_value(buf, pos, len), is_value ? len : stop);
        assert_int_equal(WIDE_VALUE(buf, pos, len), is_value ? len : stop);
        assert_int_equal(h1_word_target(buf, pos, len), is_target ? len : stop);
        assert_int_equal(WIDE_TARGET(buf, pos, len), is_target ? len : stop);
    }
}

static void test_scans(void **state)
{
    (void)state;
    for (size_t len = 1; len <= 40; len++) {
        char *buf = mem_alloc(len);

        for (size_t at = 0; at < len; at++)
            for (int c = 0; c < 256; c++)
                check_scans(buf, len, at, (char)c);
        mem_free(buf);
    }
}

/* ---- names ---- */

static void test_field_ids(void **state)
{
    (void)state;
    for (unsigned id = H1_FIELD_OTHER + 1; id < H1_N_FIELD_IDS; id++) {
        struct slice text = h1_field_text((enum h1_field_id)id);
        char upper[32];
        char other[32];

        if (id == H1_FIELD_X_FORWARDED_OTHER)
            continue;
        assert_true(h1_is_token(text));
        for (size_t i = 0; i < text.len; i++) {
            char c = text.ptr[i];

            upper[i] = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
            other[i] = (char)(i + 1 == text.len ? '!' : c);
        }
        assert_int_equal(h1_field_id(text), id);
        assert_int_equal(h1_field_id(slice_make(upper, text.len)), id);
        assert_int_not_equal(h1_field_id(slice_make(other, text.len)), id);
        assert_int_not_equal(h1_field_id(slice_make(text.ptr, text.len - 1)), id);
    }
    assert_int_equal(h1_field_id(SLICE("X_Forwarded-For")), H1_FIELD_X_FORWARDED_OTHER);
    assert_int_equal(h1_field_id(SLICE("x_real_ip")), H1_FIELD_X_FORWARDED_OTHER);
    assert_int_equal(h1_field_id(SLICE("WEIR_async")), H1_FIELD_WEIR_ASYNC);
    assert_int_equal(h1_field_id(SLICE("Weir_Asynk")), H1_FIELD_OTHER);
    assert_int_equal(h1_field_id(SLICE("Weir_Async_")), H1_FIELD_OTHER);
    assert_int_equal(h1_field_id(SLICE("Content_Length")), H1_FIELD_OTHER);
    assert_int_equal(h1_field_id(SLICE("X-Forwarded-Ssl")), H1_FIELD_X_FORWARDED_OTHER);
    assert_int_equal(h1_field_id(SLICE("X-Forwarded-")), H1_FIELD_OTHER);
    assert_int_equal(h1_field_id(SLICE("X")), H1_FIELD_OTHER);
    assert_int_equal(h1_field_id(SLICE("An-Unusually-Long-Name-Of-A-Field")), H1_FIELD_OTHER);
}

static void test_methods(void **state)
{
    static const bool is_idempotent[] = {false, true, true,  false, true,
                                         true,  true, false, true,  false};

    (void)state;
    for (unsigned i = H1_METHOD_OTHER; i <= H1_METHOD_PATCH; i++) {
        enum h1_method method = (enum h1_method)i;

        if (method != H1_METHOD_OTHER)
            assert_int_equal(h1_method_id(h1_method_text(method)), method);
        assert_int_equal(h1_method_is_idempotent(method), is_idempotent[i]);
    }
    assert_int_equal(h1_method_id(SLICE("Get")), H1_METHOD_OTHER);
}

static void test_find(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nCookie: b\r\n\r\n";
    struct h1_head head;
    enum h1_error error;

    (void)state;
    h1_head_reset(&head);
    assert_true(h1_parse_request(text, sizeof(text) - 1, &h1_limits_default, &head, &error) > 0);
    assert_ptr_equal(h1_find(&head, H1_FIELD_COOKIE), &head.fields[2]);
    assert_null(h1_find(&head, H1_FIELD_EXPECT));
    assert_ptr_equal(h1_find_name(&head, text, SLICE("x-a")), &head.fields[1]);
    assert_null(h1_find_name(&head, text, SLICE("x-b")));
    assert_true(slice_is(h1_slice(text, head.authority), "a"));
}

static void test_errors(void **state)
{
    (void)state;
    for (unsigned i = H1_OK + 1; i < H1_N_ERRORS; i++) {
        const struct h1_error_row *row = h1_error_row((enum h1_error)i);

        assert_true(row->status >= 400 && row->status <= 505);
        assert_true(h1_reason(row->status).len > 0);
        assert_true(h1_is_token(slice_from(row->name)));
        assert_true(strlen(row->sentence) > 10);
        for (unsigned j = H1_OK + 1; j < i; j++)
            assert_string_not_equal(row->name, h1_error_row((enum h1_error)j)->name);
    }
}

/* ---- authorities ---- */

static void test_authority(void **state)
{
    static const struct {
        const char *text;
        int result;
        uint32_t host_len;
        uint16_t port;
    } rows[] = {
        {"a", 0, 1, 0},
        {"a:80", 0, 1, 80},
        {"a:00080", 0, 1, 80},
        {"a:", 0, 1, 0},
        {"a:65535", 0, 1, 65535},
        {"a:65536", -1, 0, 0},
        {"a:000080", -1, 0, 0},
        {"a:0", -1, 0, 0},
        {"a:-1", -1, 0, 0},
        {"", -1, 0, 0},
        {":80", -1, 0, 0},
        {"a_b-c.d~e!$&'()*+,;=", 0, 20, 0},
        {"%41", 0, 3, 0},
        {"%4", -1, 0, 0},
        {"%4g", -1, 0, 0},
        {"10.0.0.1:8080", 0, 8, 8080},
        {"[::]", 0, 4, 0},
        {"[::1]:1", 0, 5, 1},
        {"[::ffff:10.0.0.1]", 0, 17, 0},
        {"[]", -1, 0, 0},
        {"[::1", -1, 0, 0},
        {"[::1]80", -1, 0, 0},
        {"[fe80::1%eth0]", -1, 0, 0},
        {"[v1.a]", -1, 0, 0},
        {"[1:2:3:4:5:6:7:8:9]", -1, 0, 0},
        {"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]", -1, 0, 0},
        {"a@b", -1, 0, 0},
        {"a/b", -1, 0, 0},
        {"a b", -1, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t host_len = 0;
        uint16_t port = 0;

        assert_int_equal(h1_parse_authority(slice_from(rows[i].text), &host_len, &port),
                         rows[i].result);
        assert_int_equal(host_len, rows[i].host_len);
        assert_int_equal(port, rows[i].port);
    }
}

/* ---- bodies ---- */

static void test_body_length(void **state)
{
    struct h1_body body;
    struct h1_piece piece;
    size_t used;

    (void)state;
    h1_body_init_kind(&body, H1_BODY_LENGTH, 5, &h1_limits_default);
    assert_int_equal(h1_body_next(&body, "hello!", 0, &used, &piece), H1_MORE);
    assert_int_equal(h1_body_next(&body, "hello!", 2, &used, &piece), H1_DATA);
    assert_true(slice_is(piece.data, "he") && used == 2);
    assert_int_equal(h1_body_close(&body), H1_ERR_BODY_SHORT);
    assert_int_equal(h1_body_direct(&body), 3);
    h1_body_skip(&body, 1);
    assert_int_equal(h1_body_next(&body, "lo!", 3, &used, &piece), H1_DATA);
    assert_true(slice_is(piece.data, "lo") && used == 2);
    assert_int_equal(h1_body_next(&body, "!", 1, &used, &piece), H1_END);
    assert_int_equal(used, 0);
    assert_int_equal(h1_body_close(&body), H1_OK);
}

static void test_body_until_close(void **state)
{
    struct h1_body body;
    struct h1_piece piece;
    size_t used;

    (void)state;
    h1_body_init_kind(&body, H1_BODY_UNTIL_CLOSE, 0, &h1_limits_default);
    assert_int_equal(h1_body_next(&body, "", 0, &used, &piece), H1_MORE);
    assert_int_equal(h1_body_next(&body, "abc", 3, &used, &piece), H1_DATA);
    assert_int_equal(used, 3);
    assert_int_equal(h1_body_direct(&body), UINT64_MAX);
    assert_int_equal(h1_body_close(&body), H1_OK);
    h1_body_init_kind(&body, H1_BODY_NONE, 0, &h1_limits_default);
    assert_int_equal(h1_body_next(&body, "abc", 3, &used, &piece), H1_END);
    assert_int_equal(used, 0);
}

/* Data that goes past the codec counts like data that it saw. */
static void test_body_direct(void **state)
{
    struct h1_body body;
    struct h1_piece piece;
    size_t used;

    (void)state;
    h1_body_init_kind(&body, H1_BODY_CHUNKED, 0, &h1_limits_default);
    assert_int_equal(h1_body_direct(&body), 0);
    assert_int_equal(h1_body_next(&body, "10\r\nabc", 7, &used, &piece), H1_DATA);
    assert_int_equal(h1_body_direct(&body), 13);
    h1_body_skip(&body, 13);
    assert_int_equal(h1_body_direct(&body), 0);
    assert_int_equal(h1_body_next(&body, "\r\n0\r\n\r\n", 7, &used, &piece), H1_END);
    assert_int_equal(used, 7);
}

/* ---- writers ---- */

static void test_chunk_head(void **state)
{
    static const struct {
        uint64_t n;
        const char *text;
    } rows[] = {
        {1, "1\r\n"},       {15, "f\r\n"},        {16, "10\r\n"},
        {0xabc, "abc\r\n"}, {0x1000, "1000\r\n"}, {UINT64_MAX, "ffffffffffffffff\r\n"},
    };
    char out[H1_CHUNK_HEAD_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = h1_write_chunk_head(out, rows[i].n);

        assert_true(slice_is(slice_make(out, len), rows[i].text));
    }
}

static void test_chunk_end(void **state)
{
    char out[32];

    (void)state;
    assert_int_equal(h1_write_chunk_end(out, sizeof(out), SLICE("")), 5);
    assert_memory_equal(out, "0\r\n\r\n", 5);
    assert_int_equal(h1_write_chunk_end(out, 4, SLICE("")), -1);
    assert_int_equal(h1_write_chunk_end(out, sizeof(out), SLICE("A: b\r\n")), 11);
    assert_memory_equal(out, "0\r\nA: b\r\n\r\n", 11);
}

static void check_answer(struct h1_answer answer, const char *expected)
{
    char out[512];
    ssize_t len = h1_write_answer(out, sizeof(out), &answer);

    assert_true(len > 0);
    assert_int_equal(h1_write_answer(out, (size_t)len - 1, &answer), -1);
    len = h1_write_answer(out, (size_t)len, &answer);
    assert_true(len > 0 && (size_t)len < sizeof(out));
    out[len] = '\0';
    assert_string_equal(out, expected);
}

static void test_answer(void **state)
{
    (void)state;
    check_answer((struct h1_answer){.status = 400, .is_close = true, .client_minor = 1},
                 "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
                 "Content-Length: 16\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
                 "400 Bad Request\n");
    check_answer(
        (struct h1_answer){.status = 503, .retry_after_s = 5, .client_minor = 1, .is_head = true},
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: 24\r\nCache-Control: no-store\r\nRetry-After: 5\r\n\r\n");
    check_answer((struct h1_answer){.status = 301,
                                    .lines = SLICE("Location: /b\r\n"),
                                    .text = SLICE("gone\n")},
                 "HTTP/1.1 301 Moved Permanently\r\nContent-Type: text/plain; charset=utf-8\r\n"
                 "Content-Length: 5\r\nConnection: keep-alive\r\nLocation: /b\r\n\r\ngone\n");
    check_answer((struct h1_answer){.status = 405, .is_close = true},
                 "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\n"
                 "Content-Length: 23\r\nCache-Control: no-store\r\n"
                 "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n"
                 "Connection: close\r\n\r\n405 Method Not Allowed\n");
    check_answer((struct h1_answer){.status = 204, .client_minor = 1},
                 "HTTP/1.1 204 No Content\r\n\r\n");
    check_answer((struct h1_answer){.status = 100, .client_minor = 1},
                 "HTTP/1.1 100 Continue\r\n\r\n");
    check_answer((struct h1_answer){.status = 299, .client_minor = 1},
                 "HTTP/1.1 299 \r\nContent-Type: text/plain; charset=utf-8\r\n"
                 "Content-Length: 5\r\n\r\n299 \n");
}

/* An answer is a response that the codec itself accepts, whatever the reason for it. */
static void test_answer_parses(void **state)
{
    (void)state;
    for (unsigned i = H1_OK + 1; i < H1_N_ERRORS; i++) {
        struct h1_answer answer = {.status = h1_error_row((enum h1_error)i)->status,
                                   .is_close = true};
        struct h1_asked asked = {.method = H1_METHOD_GET};
        struct h1_head head;
        enum h1_error error;
        char out[512];
        ssize_t len = h1_write_answer(out, sizeof(out), &answer);

        assert_true(len > 0);
        h1_head_reset(&head);
        assert_true(h1_parse_response(out, (size_t)len, &h1_limits_default, asked, &head, &error) >
                    0);
        assert_int_equal(head.body, H1_BODY_LENGTH);
        assert_int_equal(head.head_len + head.length, len);
        assert_false(head.is_keep_alive);
    }
}

/* A head of the largest size fed byte by byte must not cost more than its bytes. */
static void test_drip(void **state)
{
    enum { LEN = 32000 };
    char *buf = mem_alloc(LEN);
    struct h1_head head;
    enum h1_error error;
    size_t at = 0;

    (void)state;
    at += (size_t)snprintf(buf, LEN, "GET / HTTP/1.1\r\nHost: a\r\n");
    while (at + 8100 < LEN) {
        memcpy(buf + at, "X: ", 3);
        memset(buf + at + 3, 'x', 8000);
        memcpy(buf + at + 8003, "\r\n", 2);
        at += 8005;
    }
    h1_head_reset(&head);
    for (size_t len = 0; len <= at; len++) {
        assert_int_equal(h1_parse_request(buf, len, &h1_limits_default, &head, &error), 0);
        assert_true(head.pos + 1 >= len);
    }
    mem_free(buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_scans),
        cmocka_unit_test(test_field_ids),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_authority),
        cmocka_unit_test(test_body_length),
        cmocka_unit_test(test_body_until_close),
        cmocka_unit_test(test_body_direct),
        cmocka_unit_test(test_chunk_head),
        cmocka_unit_test(test_chunk_end),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_answer_parses),
        cmocka_unit_test(test_drip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
