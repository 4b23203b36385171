/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The small HTTP/1 client against a scripted peer on loopback: every answer whole, split at every
 * byte and byte by byte; every way in which there is none.
 */

#include "web/client.h"

#include "base/mem.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { LIMIT_MS = 5000, TURNS_MAX = 20000 };

struct got {
    unsigned n_replies;
    enum web_outcome outcome;
    enum h1_error h1_error;
    unsigned status;
    bool has_body_text;
    bool is_whole;
    struct text body;
};

struct fixture {
    struct loop *loop;
    int listen_fd;
    int peer_fd; /* the accepted connection, or -1 */
    struct addr addr;
    struct got got;
};

static void on_reply(void *ctx, const struct web_reply *reply)
{
    struct got *got = ctx;
    got->n_replies++;
    got->outcome = reply->outcome;
    got->h1_error = reply->h1_error;
    got->status = reply->head ? reply->head->status : 0;
    got->has_body_text = reply->has_body_text;
    got->is_whole = reply->is_whole;
    text_append(&got->body, reply->body);
}

static int setup(void **state)
{
    struct fixture *fixture = MEM_NEW(struct fixture);
    assert_int_equal(loop_create(0, &fixture->loop, NULL), 0);
    assert_int_equal(addr_parse_ip(SLICE("127.0.0.1"), 0, &fixture->addr, NULL), 0);
    fixture->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fixture->listen_fd, &fixture->addr.sa, fixture->addr.len), 0);
    assert_int_equal(listen(fixture->listen_fd, 16), 0);
    assert_int_equal(getsockname(fixture->listen_fd, &fixture->addr.sa, &fixture->addr.len), 0);
    fixture->peer_fd = -1;
    *state = fixture;
    return 0;
}

static void forget(struct fixture *fixture)
{
    if (fixture->peer_fd >= 0)
        close(fixture->peer_fd);
    fixture->peer_fd = -1;
    text_deinit(&fixture->got.body);
    fixture->got = (struct got){.n_replies = 0};
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    forget(fixture);
    close(fixture->listen_fd);
    loop_destroy(&fixture->loop);
    mem_free(fixture);
    return 0;
}

static struct web_ask ask_of(const struct fixture *fixture)
{
    return (struct web_ask){
        .addr = &fixture->addr,
        .method = SLICE("GET"),
        .target = SLICE("/healthz"),
        .host = SLICE("app1:80"),
        .timeout_ms = LIMIT_MS,
    };
}

static void turns(struct fixture *fixture, int n)
{
    while (n-- > 0)
        loop_turn(fixture->loop, 0);
}

/* Turns until the reply has come; it must come. */
static void await_reply(struct fixture *fixture)
{
    for (int i = 0; i < TURNS_MAX && !fixture->got.n_replies; i++)
        loop_turn(fixture->loop, 1);
    turns(fixture, 3);
    assert_int_equal(fixture->got.n_replies, 1);
}

/* The peer has the whole request head. */
static void await_request(struct fixture *fixture, struct text *request)
{
    char buf[4096];
    for (int i = 0; i < TURNS_MAX; i++) {
        loop_turn(fixture->loop, 1);
        if (fixture->peer_fd < 0)
            fixture->peer_fd = accept4(fixture->listen_fd, NULL, NULL, SOCK_NONBLOCK);
        ssize_t n = fixture->peer_fd < 0 ? -1 : read(fixture->peer_fd, buf, sizeof(buf));
        if (n > 0)
            text_append(request, slice_make(buf, (size_t)n));
        if (request->len && strstr(request->ptr, "\r\n\r\n"))
            return;
    }
    fail_msg("no request came");
}

static void peer_send(struct fixture *fixture, struct slice bytes)
{
    if (bytes.len)
        assert_int_equal(send(fixture->peer_fd, bytes.ptr, bytes.len, MSG_NOSIGNAL), bytes.len);
}

static void peer_close(struct fixture *fixture)
{
    close(fixture->peer_fd);
    fixture->peer_fd = -1;
}

static void peer_reset(struct fixture *fixture)
{
    struct linger reset = {.l_onoff = 1};
    setsockopt(fixture->peer_fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    peer_close(fixture);
}

static size_t count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* ---- answers ---- */

struct answer_row {
    const char *bytes;
    bool is_closed; /* behind the bytes */
    enum web_outcome outcome;
    unsigned status;
    const char *body;
};

static const struct answer_row answers[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, WEB_CALL_OK, 200, "hello"},
    {"HTTP/1.1 204 No Content\r\n\r\n", false, WEB_CALL_OK, 204, ""},
    {"HTTP/1.1 503 Sick\r\nContent-Length: 0\r\n\r\n", false, WEB_CALL_OK, 503, ""},
    {"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 2\r\n\r\nno", false, WEB_CALL_OK, 302,
     "no"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nA: "
     "b\r\n\r\n",
     false, WEB_CALL_OK, 200, "hello!"},
    {"HTTP/1.0 200 OK\r\n\r\nuntil close", true, WEB_CALL_OK, 200, "until close"},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 "
     "OK\r\nContent-Length: 1\r\n\r\nx",
     false, WEB_CALL_OK, 200, "x"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx and more", false, WEB_CALL_OK, 200, "x"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", true, WEB_CALL_CLOSED, 0, ""},
    {"HTTP/1.1 200 OK\r\nContent-Le", true, WEB_CALL_CLOSED, 0, ""},
    {"", true, WEB_CALL_CLOSED, 0, ""},
    {"SSH-2.0-OpenSSH_9.2\r\n", false, WEB_CALL_BAD_RESPONSE, 0, ""},
    {"HTTP/2 200\r\n\r\n", false, WEB_CALL_BAD_RESPONSE, 0, ""},
    {"HTTP/1.1 20x OK\r\n\r\n", false, WEB_CALL_BAD_RESPONSE, 0, ""},
    {"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n", false, WEB_CALL_BAD_RESPONSE, 0, ""},
    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", false,
     WEB_CALL_BAD_RESPONSE, 0, ""},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", false, WEB_CALL_BAD_RESPONSE, 0,
     ""},
};

/*
 * Sends [0, cut), lets the client look, sends the rest; step > 0: so many bytes at a time instead.
 */
static void play(struct fixture *fixture, const struct answer_row *row, size_t cut, size_t step)
{
    struct web_ask ask = ask_of(fixture);
    struct slice bytes = slice_from(row->bytes);
    struct text request = TEXT_NONE;
    web_call_start(fixture->loop, &ask, on_reply, &fixture->got);
    await_request(fixture, &request);
    assert_string_equal(request.ptr,
                        "GET /healthz HTTP/1.1\r\nHost: app1:80\r\nConnection: close\r\n\r\n");
    text_deinit(&request);
    if (step == 0) {
        peer_send(fixture, slice_make(bytes.ptr, cut));
        turns(fixture, 2);
        bytes = slice_skip(bytes, cut);
        step = bytes.len;
    }
    while (bytes.len && !fixture->got.n_replies) {
        peer_send(fixture, slice_make(bytes.ptr, step < bytes.len ? step : bytes.len));
        bytes = slice_skip(bytes, step);
        turns(fixture, 1);
    }
    if (row->is_closed)
        peer_close(fixture);
    await_reply(fixture);
    assert_int_equal(fixture->got.outcome, row->outcome);
    assert_int_equal(fixture->got.status, row->status);
    assert_string_equal(text_cstr(&fixture->got.body), row->body);
    if (row->outcome == WEB_CALL_BAD_RESPONSE)
        assert_int_not_equal(fixture->got.h1_error, H1_OK);
    forget(fixture);
}

static void test_answers_split(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        for (size_t cut = 0; cut <= strlen(answers[i].bytes); cut++)
            play(*state, &answers[i], cut, 0);
        play(*state, &answers[i], 0, 1);
    }
}

/* ---- no answers ---- */

static void test_refused(void **state)
{
    struct fixture *fixture = *state;
    close(fixture->listen_fd);
    struct web_ask ask = ask_of(fixture);
    web_call_start(fixture->loop, &ask, on_reply, &fixture->got);
    assert_int_equal(fixture->got.n_replies, 0);
    await_reply(fixture);
    assert_int_equal(fixture->got.outcome, WEB_CALL_REFUSED);
    fixture->listen_fd = -1;
}

static void test_no_unix_socket(void **state)
{
    struct fixture *fixture = *state;
    struct addr nowhere;
    assert_int_equal(addr_parse(SLICE("unix:/nonexistent/socket"), &nowhere, NULL), 0);
    struct web_ask ask = ask_of(fixture);
    ask.addr = &nowhere;
    web_call_start(fixture->loop, &ask, on_reply, &fixture->got);
    assert_int_equal(fixture->got.n_replies, 0); /* never from within */
    await_reply(fixture);
    assert_int_equal(fixture->got.outcome, WEB_CALL_REFUSED);
}

static void test_reset(void **state)
{
    struct fixture *fixture = *state;
    static const char *const before[] = {"", "HTTP/1.1 200 OK\r\nContent-Le",
                                         "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhell"};
    for (size_t i = 0; i < ARRAY_LEN(before); i++) {
        struct web_ask ask = ask_of(fixture);
        struct text request = TEXT_NONE;
        web_call_start(fixture->loop, &ask, on_reply, &fixture->got);
        await_request(fixture, &request);
        text_deinit(&request);
        peer_send(fixture, slice_from(before[i]));
        turns(fixture, 3);
        peer_reset(fixture);
        await_reply(fixture);
        assert_int_equal(fixture->got.outcome, WEB_CALL_RESET);
        forget(fixture);
    }
}

static void test_timeout(void **state)
{
    struct fixture *fixture = *state;
    static const char *const before[] = {"", "HTTP/1.1 200 OK\r\nContent-Le",
                                         "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhell"};
    for (size_t i = 0; i < ARRAY_LEN(before); i++) {
        struct web_ask ask = ask_of(fixture);
        struct text request = TEXT_NONE;
        ask.timeout_ms = 60;
        web_call_start(fixture->loop, &ask, on_reply, &fixture->got);
        await_request(fixture, &request);
        text_deinit(&request);
        peer_send(fixture, slice_from(before[i]));
        await_reply(fixture);
        assert_int_equal(fixture->got.outcome, WEB_CALL_TIMEOUT);
        forget(fixture);
    }
}

/* A listening socket whose backlog is full takes no connection. */
static void test_connect_timeout(void **state)
{
    struct fixture *fixture = *state;
    struct addr addr = fixture->addr;
    int full_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    addr_set_port(&addr, 0);
    assert_int_equal(bind(full_fd, &addr.sa, addr.len), 0);
    assert_int_equal(listen(full_fd, 0), 0);
    assert_int_equal(getsockname(full_fd, &addr.sa, &addr.len), 0);
    int fillers[4];
    for (size_t i = 0; i < ARRAY_LEN(fillers); i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fillers[i], &addr.sa, addr.len);
    }
    struct web_ask ask = ask_of(fixture);
    ask.addr = &addr;
    ask.timeout_ms = 60;
    web_call_start(fixture->loop, &ask, on_reply, &fixture->got);
    await_reply(fixture);
    assert_int_equal(fixture->got.outcome, WEB_CALL_CONNECT_TIMEOUT);
    for (size_t i = 0; i < ARRAY_LEN(fillers); i++)
        close(fillers[i]);
    close(full_fd);
}

/* ---- bounds ---- */

static void play_large(struct fixture *fixture, bool is_status_enough, struct slice head, char fill,
                       size_t n)
{
    struct web_ask ask = ask_of(fixture);
    struct text request = TEXT_NONE;
    ask.body_max = 1000;
    ask.is_status_enough = is_status_enough;
    web_call_start(fixture->loop, &ask, on_reply, &fixture->got);
    await_request(fixture, &request);
    text_deinit(&request);
    peer_send(fixture, head);
    char chunk[500];
    memset(chunk, fill, sizeof(chunk));
    for (size_t sent = 0; sent < n && !fixture->got.n_replies; sent += sizeof(chunk)) {
        (void)send(fixture->peer_fd, chunk, sizeof(chunk), MSG_NOSIGNAL);
        turns(fixture, 2);
    }
    await_reply(fixture);
}

static void test_too_large(void **state)
{
    struct fixture *fixture = *state;
    play_large(fixture, false, SLICE("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"), 'x', 5000);
    assert_int_equal(fixture->got.outcome, WEB_CALL_TOO_LARGE);
    forget(fixture);
    play_large(fixture, false, SLICE("HTTP/1.1 200 OK\r\nX: "), 'x', 40000);
    assert_int_equal(fixture->got.outcome, WEB_CALL_TOO_LARGE);
    forget(fixture);
    play_large(fixture, false, SLICE("HTTP/1.1 200 OK\r\n\r\n"), 'x', 5000);
    assert_int_equal(fixture->got.outcome, WEB_CALL_TOO_LARGE);
}

/* What has come of the body counts, whatever ends it. */
static void test_part_is_enough(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *response, *body;
        bool is_closed, is_whole;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", false, true},
        {"HTTP/1.1 200 OK\r\n\r\nhello", "hello", true, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "hello", true, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "hello", false, false}, /* late */
        {"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n01234567890123456789", "0123456789012345",
         false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct web_ask ask = ask_of(fixture);
        struct text request = TEXT_NONE;
        ask.is_part_enough = true;
        ask.timeout_ms = 300;
        ask.body_max = 16;
        web_call_start(fixture->loop, &ask, on_reply, &fixture->got);
        await_request(fixture, &request);
        text_deinit(&request);
        peer_send(fixture, slice_from(rows[i].response));
        turns(fixture, 3);
        if (rows[i].is_closed)
            peer_close(fixture);
        await_reply(fixture);
        assert_int_equal(fixture->got.outcome, WEB_CALL_OK);
        assert_int_equal(fixture->got.is_whole, rows[i].is_whole);
        assert_true(slice_is(text_slice(&fixture->got.body), rows[i].body));
        forget(fixture);
    }
}

static void test_many_interim(void **state)
{
    struct fixture *fixture = *state;
    struct web_ask ask = ask_of(fixture);
    struct text request = TEXT_NONE;
    web_call_start(fixture->loop, &ask, on_reply, &fixture->got);
    await_request(fixture, &request);
    text_deinit(&request);
    for (int i = 0; i <= WEB_CALL_INTERIM_MAX; i++)
        peer_send(fixture, SLICE("HTTP/1.1 102 Wait\r\n\r\n"));
    await_reply(fixture);
    assert_int_equal(fixture->got.outcome, WEB_CALL_TOO_LARGE);
}

/* ---- the status alone ---- */

static void test_status_is_enough(void **state)
{
    struct fixture *fixture = *state;
    play_large(fixture, true, SLICE("HTTP/1.1 201 Made\r\nContent-Length: 5000\r\n\r\n"), 'x',
               5000);
    assert_int_equal(fixture->got.outcome, WEB_CALL_OK);
    assert_int_equal(fixture->got.status, 201);
    assert_int_equal(fixture->got.body.len, 0);
    forget(fixture);

    /* What becomes of the body does not matter: closed, reset, late, malformed. */
    for (int way = 0; way < 4; way++) {
        struct web_ask ask = ask_of(fixture);
        struct text request = TEXT_NONE;
        ask.is_status_enough = true;
        ask.timeout_ms = 100;
        web_call_start(fixture->loop, &ask, on_reply, &fixture->got);
        await_request(fixture, &request);
        text_deinit(&request);
        peer_send(fixture, SLICE("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhell"));
        turns(fixture, 3);
        assert_int_equal(fixture->got.n_replies, 0); /* it waits for the rest */
        if (way == 0)
            peer_close(fixture);
        else if (way == 1)
            peer_reset(fixture);
        else if (way == 2)
            peer_send(fixture, SLICE("o you!xx"));
        await_reply(fixture);
        assert_int_equal(fixture->got.outcome, WEB_CALL_OK);
        assert_int_equal(fixture->got.status, 200);
        forget(fixture);
    }
}

/* ---- requests ---- */

static void test_request(void **state)
{
    struct fixture *fixture = *state;
    struct web_ask ask = ask_of(fixture);
    ask.method = SLICE("POST");
    ask.target = SLICE("/hook?x=1");
    ask.lines = SLICE("A: b\r\n");
    ask.body = SLICE("{}");
    struct text request = TEXT_NONE;
    web_call_start(fixture->loop, &ask, on_reply, &fixture->got);
    await_request(fixture, &request);
    assert_string_equal(request.ptr, "POST /hook?x=1 HTTP/1.1\r\nHost: app1:80\r\nA: b\r\n"
                                     "Content-Length: 2\r\nConnection: close\r\n\r\n{}");
    text_deinit(&request);
    peer_send(fixture, SLICE("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    await_reply(fixture);
    assert_int_equal(fixture->got.outcome, WEB_CALL_OK);
}

static void test_head_has_no_body(void **state)
{
    struct fixture *fixture = *state;
    struct web_ask ask = ask_of(fixture);
    ask.method = SLICE("HEAD");
    struct text request = TEXT_NONE;
    web_call_start(fixture->loop, &ask, on_reply, &fixture->got);
    await_request(fixture, &request);
    text_deinit(&request);
    peer_send(fixture, SLICE("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"));
    await_reply(fixture);
    assert_int_equal(fixture->got.outcome, WEB_CALL_OK);
}

/* Cancelled in every stage: no callback, no descriptor and no timer left. */
static void test_cancel(void **state)
{
    struct fixture *fixture = *state;
    size_t n_fds = count_fds();
    for (int stage = 0; stage < 4; stage++) {
        struct web_ask ask = ask_of(fixture);
        struct text request = TEXT_NONE;
        struct web_call *call = web_call_start(fixture->loop, &ask, on_reply, &fixture->got);
        if (stage > 0)
            turns(fixture, 2);
        if (stage > 1)
            await_request(fixture, &request);
        if (stage > 2) {
            peer_send(fixture, SLICE("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhell"));
            turns(fixture, 2);
        }
        web_call_cancel(&call);
        assert_null(call);
        turns(fixture, 5);
        assert_int_equal(fixture->got.n_replies, 0);
        text_deinit(&request);
        for (int fd; (fd = accept(fixture->listen_fd, NULL, NULL)) >= 0;)
            close(fd);
        forget(fixture);
    }
    assert_int_equal(count_fds(), n_fds);
}

/* What is looked for in a body: found at once wherever the parts end, or not at its end. */
static void test_body_text(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *parts[4];
        bool is_closed, has_text;
        enum web_outcome outcome;
    } rows[] = {
        {{"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nit is ready, and"},
         false,
         true,
         WEB_CALL_OK},
        {{"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nit is re", "ad", "y"},
         false,
         true,
         WEB_CALL_OK},
        {{"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", "rready"}, false, true, WEB_CALL_OK},
        {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nrea\r\n", "2\r\ndy\r\n"},
         false,
         true,
         WEB_CALL_OK},
        {{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}, false, false, WEB_CALL_OK},
        {{"HTTP/1.1 204 No Content\r\n\r\n"}, false, false, WEB_CALL_OK},
        {{"HTTP/1.1 200 OK\r\n\r\n0123456789012345ready"}, false, false, WEB_CALL_OK}, /* too far */
        {{"HTTP/1.1 200 OK\r\n\r\n01234567890ready"}, false, true, WEB_CALL_OK},
        {{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nread"}, true, false, WEB_CALL_CLOSED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct web_ask ask = ask_of(fixture);
        struct text request = TEXT_NONE;
        ask.body_text = SLICE("ready");
        ask.body_max = 16;
        web_call_start(fixture->loop, &ask, on_reply, &fixture->got);
        await_request(fixture, &request);
        text_deinit(&request);
        for (size_t n = 0; n < 4 && rows[i].parts[n]; n++) {
            assert_int_equal(fixture->got.n_replies, 0);
            peer_send(fixture, slice_from(rows[i].parts[n]));
            turns(fixture, 3);
        }
        if (rows[i].is_closed)
            peer_close(fixture);
        await_reply(fixture);
        assert_int_equal(fixture->got.outcome, rows[i].outcome);
        assert_int_equal(fixture->got.has_body_text, rows[i].has_text);
        forget(fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers_split, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_unix_socket, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connect_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_part_is_enough, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_interim, setup, teardown),
        cmocka_unit_test_setup_teardown(test_status_is_enough, setup, teardown),
        cmocka_unit_test_setup_teardown(test_body_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_head_has_no_body, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
