/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which requests are done later, by tables, and what the queue is told of them.
 */

#include "http/async.h"

#include "base/mem.h"
#include "base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TOKEN "AAAAAAAAAAAAAAAA-_09azAZbbbbbbbb"

struct ask {
    struct text bytes;
    struct h1_head head;
};

/* The head of a request: "POST /reports", and its further lines. */
static void ask_init(struct ask *ask, const char *line, const char *lines)
{
    enum h1_error error;
    *ask = (struct ask){.bytes = TEXT_NONE};
    text_printf(&ask->bytes, "%s HTTP/1.1\r\nHost: x\r\n%s\r\n", line, lines);
    h1_head_reset(&ask->head);
    ssize_t n =
        h1_parse_request(ask->bytes.ptr, ask->bytes.len, &h1_limits_default, &ask->head, &error);
    assert_int_equal(n, ask->bytes.len);
}

static const struct route always = {
    .action = ROUTE_ASYNC, .async_ref = {.name = SLICE_INIT("reports")}, .has_queue = true};
static const struct route prefer = {
    .action = ROUTE_POOL, .async_ref = {.name = SLICE_INIT("reports")}, .has_queue = true};
static const struct route overflow = {.action = ROUTE_POOL,
                                      .overflow_ref = {.name = SLICE_INIT("late")},
                                      .overflow_bytes = 10,
                                      .has_queue = true};

#define WEBSOCKET                                                                \
    "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n" \
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"

static void test_modes(void **state)
{
    (void)state;
    static const struct {
        const struct route *route;
        const char *line, *lines;
        enum async_mode mode;
    } rows[] = {
        {&always, "POST /reports", "", ASYNC_ALWAYS},
        {&always, "HEAD /reports", "", ASYNC_ALWAYS},
        {&async_job_route, "GET /jobs/" TOKEN, "", ASYNC_JOB},
        {&prefer, "POST /reports", "", ASYNC_NONE},
        {&prefer, "POST /reports", "Prefer: respond-async\r\n", ASYNC_PREFER},
        {&prefer, "GET /reports", "prefer: Respond-Async, wait=10\r\n", ASYNC_PREFER},
        {&prefer, "POST /reports", "Prefer: wait=10 ,\trespond-async;x=y\r\n", ASYNC_PREFER},
        {&prefer, "POST /reports", "Prefer: wait=1\r\nPrefer: respond-async\r\n", ASYNC_PREFER},
        {&prefer, "POST /reports", "Prefer: respond-asynchronously\r\n", ASYNC_NONE},
        {&prefer, "POST /reports", "Prefer: a=\"b, respond-async, c\"\r\n", ASYNC_NONE},
        {&prefer, "POST /reports", "Prefer: a=\"b\\\", respond-async, c\"\r\n", ASYNC_NONE},
        {&prefer, "POST /reports", "Prefer: a=\"b\", respond-async\r\n", ASYNC_PREFER},
        {&prefer, "POST /reports", "Prefer: a; respond-async\r\n", ASYNC_NONE},
        {&prefer, "POST /reports", "Prefer:\r\n", ASYNC_NONE},
        {&prefer, "POST /reports", "Prefer: ,,\r\n", ASYNC_NONE},
        {&prefer, "POST /reports", "X-Prefer: respond-async\r\n", ASYNC_NONE},
        {&prefer, "HEAD /reports", "Prefer: respond-async\r\n", ASYNC_NONE},
        {&prefer, "OPTIONS /reports", "Prefer: respond-async\r\n", ASYNC_NONE},
        {&prefer, "GET /reports", WEBSOCKET "Prefer: respond-async\r\n", ASYNC_NONE},
        {&overflow, "POST /reports", "Prefer: respond-async\r\n", ASYNC_NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ask ask;
        ask_init(&ask, rows[i].line, rows[i].lines);
        enum async_mode mode = async_mode_of(rows[i].route, &ask.head, ask.bytes.ptr);
        assert_string_equal(async_mode_name(mode), async_mode_name(rows[i].mode));
        text_deinit(&ask.bytes);
    }
}

static void test_waits(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        uint32_t wait_s;
    } rows[] = {
        {"", 0},
        {"Prefer: wait=10\r\n", 10},
        {"Prefer: respond-async, WAIT = 7\r\n", 7},
        {"Prefer: wait=\"12\"\r\n", 12},
        {"Prefer: wait=3, wait=9\r\n", 3},
        {"Prefer: wait\r\n", 0},
        {"Prefer: wait=\r\n", 0},
        {"Prefer: wait=1s\r\n", 0},
        {"Prefer: wait=-1\r\n", 0},
        {"Prefer: wait=30\r\n", 30},
        {"Prefer: wait=31\r\n", 30},
        {"Prefer: wait=99999999999999999999\r\n", 30},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ask ask;
        ask_init(&ask, "POST /", rows[i].lines);
        assert_int_equal(async_wait_s(&ask.head, ask.bytes.ptr, 30), rows[i].wait_s);
        text_deinit(&ask.bytes);
    }
}

static void test_overflows(void **state)
{
    (void)state;
    static const struct {
        const struct route *route;
        const char *line, *lines;
        bool may;
    } rows[] = {
        {&overflow, "POST /", "Content-Length: 10\r\n", true},
        {&overflow, "POST /", "Content-Length: 11\r\n", false},
        {&overflow, "POST /", "Transfer-Encoding: chunked\r\n", true},
        {&overflow, "GET /", "", true},
        {&overflow, "HEAD /", "", false},
        {&overflow, "OPTIONS /", "", false},
        {&overflow, "TRACE /", "", false},
        {&overflow, "GET /", WEBSOCKET, false},
        {&prefer, "POST /", "", false},
        {&always, "POST /", "", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ask ask;
        ask_init(&ask, rows[i].line, rows[i].lines);
        assert_int_equal(async_may_overflow(rows[i].route, &ask.head), rows[i].may);
        text_deinit(&ask.bytes);
    }
}

static void test_jobs(void **state)
{
    (void)state;
    static const struct {
        const char *path, *line;
        bool is_job;
    } rows[] = {
        {"/jobs", "GET /jobs/" TOKEN, true},
        {"/jobs", "HEAD /jobs/" TOKEN, true},
        {"/jobs", "DELETE /jobs/" TOKEN, true},
        {"/jobs", "GET /jobs/" TOKEN "?wait=1", true},
        {"/jobs", "GET http://x/jobs/" TOKEN "/response", true},
        {"/jobs", "POST /jobs/" TOKEN, false},
        {"/jobs", "OPTIONS /jobs/" TOKEN, false},
        {"/jobs", "GET /jobs/" TOKEN "/", false},
        {"/jobs", "GET /jobs/" TOKEN "/responses", false},
        {"/jobs", "GET /jobs/" TOKEN "/respons", false},
        {"/jobs", "GET /jobs/" TOKEN "A", false},
        {"/jobs", "GET /jobs/" TOKEN "%41", false},
        {"/jobs", "GET /jobs/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", false},
        {"/jobs", "GET /jobs/AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAA", false},
        {"/jobs", "GET /jobs/AAAAAAAAAAAAAAAA/AAAAAAAAAAAAAAA", false},
        {"/jobs", "GET /jobsX" TOKEN, false},
        {"/jobs", "GET /jobs", false},
        {"/jobs", "GET /", false},
        {"/jobs", "GET /x/jobs/" TOKEN, false},
        {"/later/on", "GET /later/on/" TOKEN, true},
        {"/later/on", "GET /jobs/" TOKEN, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ask ask;
        ask_init(&ask, rows[i].line, "");
        assert_int_equal(async_is_job(slice_from(rows[i].path), &ask.head, ask.bytes.ptr),
                         rows[i].is_job);
        text_deinit(&ask.bytes);
    }
}

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool is_valid;
    } rows[] = {{"/jobs", true}, {"/a/b", true},    {"", false},         {"/", false},
                {"jobs", false}, {"/jobs/", false}, {"/a b", false},     {"/a?b", false},
                {"/a#b", false}, {"/a;b", false},   {"/\xc3\xa4", false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(async_path_is_valid(slice_from(rows[i].path)), rows[i].is_valid);
    char path[ASYNC_PATH_MAX + 1];
    memset(path, 'a', sizeof(path));
    path[0] = '/';
    assert_true(async_path_is_valid(slice_make(path, ASYNC_PATH_MAX)));
    assert_false(async_path_is_valid(slice_make(path, ASYNC_PATH_MAX + 1)));
    assert_true(async_path_is_valid(slice_from(async_path_default)));
}

static void must_tell(const struct async_put *put, const char *line)
{
    char out[ASYNC_LINE_MAX];
    size_t len = async_line(put, out);
    assert_int_equal(len, strlen(line));
    assert_memory_equal(out, line, len);
}

static void test_lines(void **state)
{
    (void)state;
    struct async_put put = {.mode = ASYNC_ALWAYS,
                            .queue = SLICE("reports"),
                            .jobs_path = SLICE("/jobs"),
                            .id = {0x1, 0xfedcba9876543210}};
    must_tell(&put, "Weir-Async: put; queue=reports; mode=always; credentials=drop; "
                    "id=0000000000000001fedcba9876543210; path=/jobs\r\n");
    put.mode = ASYNC_OVERFLOW;
    put.keeps_credentials = true;
    must_tell(&put, "Weir-Async: put; queue=reports; mode=overflow; credentials=keep; "
                    "id=0000000000000001fedcba9876543210; path=/jobs\r\n");
    put.mode = ASYNC_JOB;
    must_tell(&put, "Weir-Async: job; path=/jobs\r\n");
    char longest[ASYNC_PATH_MAX];
    memset(longest, '/', sizeof(longest));
    put.mode = ASYNC_OVERFLOW;
    put.jobs_path = slice_make(longest, sizeof(longest));
    put.queue = slice_make(longest, 63);
    char out[ASYNC_LINE_MAX];
    assert_true(async_line(&put, out) > sizeof(longest) + 63);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes),     cmocka_unit_test(test_waits),
        cmocka_unit_test(test_overflows), cmocka_unit_test(test_jobs),
        cmocka_unit_test(test_paths),     cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
