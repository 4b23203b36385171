/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small server on a real loop and a unix socket: a table of requests, each whole, split in two
 * at every byte, and byte by byte, which must all be answered alike; then late answers, time-outs,
 * limits, a client that reads slowly, and the drain.
 */
#include "web/server.h"

#include "base/mem.h"
#include "base/text.h"
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

enum { BIG_BYTES = 4 << 20, BODY_MAX = 64, WHOLE = -1, SINGLE = -2 };

struct world {
    struct loop *loop;
    struct web_server *server;
    int listen_fd;
    struct addr addr;
    struct web_exchange *kept; /* of /late */
    int n_gone, n_closed;
    void (*on_hangup)(struct web_exchange *exchange);
    char *big;
};

/* ---- handlers ---- */

static void answer_plain(struct web_exchange *exchange, struct slice body)
{
    struct web_answer answer = {.status = 200, .type = "text/plain", .body = body};
    web_answer(exchange, &answer);
}

static void handle_hello(struct web_exchange *exchange, void *ctx)
{
    (void)ctx;
    struct slice name = web_query_value(exchange->query, "name");
    answer_plain(exchange, name.ptr ? name : SLICE("hello"));
}

static void handle_echo(struct web_exchange *exchange, void *ctx)
{
    (void)ctx;
    answer_plain(exchange, exchange->body);
}

static void handle_bye(struct web_exchange *exchange, void *ctx)
{
    (void)ctx;
    struct web_answer answer = {.status = 204, .is_close = true};
    web_answer(exchange, &answer);
}

static void on_gone(struct web_exchange *exchange)
{
    struct world *world = exchange->user;
    world->n_gone++;
    world->kept = NULL;
}

static void handle_late(struct web_exchange *exchange, void *ctx)
{
    struct world *world = ctx;
    world->kept = exchange;
    exchange->user = world;
    exchange->on_gone = on_gone;
    exchange->on_hangup = world->on_hangup;
}

static void handle_big(struct web_exchange *exchange, void *ctx)
{
    struct world *world = ctx;
    answer_plain(exchange, slice_make(world->big, BIG_BYTES));
}

static const struct web_route routes[] = {
    {H1_METHOD_GET, "/hello", handle_hello},  {H1_METHOD_POST, "/echo", handle_echo},
    {H1_METHOD_GET, "/echo", handle_hello},   {H1_METHOD_GET, "/bye", handle_bye},
    {H1_METHOD_GET, "/late", handle_late},    {H1_METHOD_GET, "/big", handle_big},
    {H1_METHOD_GET, "/tree/*", handle_hello}, {H1_METHOD_OTHER, NULL, NULL},
};

static void on_closed(void *ctx)
{
    struct world *world = ctx;
    world->n_closed++;
}

static bool admit(struct web_exchange *exchange, void *ctx)
{
    (void)ctx;
    if (!slice_starts(exchange->path, SLICE("/secret")))
        return true;
    web_error(exchange, 403, "not you");
    return false;
}

/* ---- the world ---- */

static void world_init(struct world *world, struct web_limits limits)
{
    struct err err;
    *world = (struct world){.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)};
    world->addr.un.sun_family = AF_UNIX;
    world->addr.len = sizeof(sa_family_t); /* the kernel chooses an abstract name */
    assert_int_equal(bind(world->listen_fd, &world->addr.sa, world->addr.len), 0);
    world->addr.len = sizeof(world->addr.un);
    assert_int_equal(getsockname(world->listen_fd, &world->addr.sa, &world->addr.len), 0);
    assert_int_equal(listen(world->listen_fd, 16), 0);
    assert_int_equal(loop_create(0, &world->loop, &err), 0);
    limits.body_bytes = BODY_MAX;
    struct web_config config = {.routes = routes,
                                .ctx = world,
                                .admit = admit,
                                .on_closed = on_closed,
                                .limits = limits,
                                .name = "weir"};
    world->server = web_server_create(world->loop, &config);
    assert_int_equal(web_server_listen(world->server, world->listen_fd, NULL, &err), 0);
    world->big = mem_alloc(BIG_BYTES);
    for (size_t i = 0; i < BIG_BYTES; i++)
        world->big[i] = (char)('a' + i % 23);
}

static void world_deinit(struct world *world)
{
    web_server_destroy(&world->server);
    loop_turn(world->loop, 0); /* what was closed is freed at the end of a turn */
    loop_destroy(&world->loop);
    close(world->listen_fd);
    mem_free(world->big);
}

/* Everything that can happen now has happened: unix sockets have no delay. */
static void settle(struct world *world)
{
    for (int i = 0; i < 4; i++)
        loop_turn(world->loop, 0);
}

static int client_open(const struct world *world)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(fd, &world->addr.sa, world->addr.len), 0);
    return fd;
}

static void client_send(int fd, struct slice bytes)
{
    /* The server may have closed in the middle, which the table then says. */
    if (bytes.len)
        (void)!send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
}

/* What is there now; true at the end of the stream. */
static bool client_receive(int fd, struct text *out)
{
    char buf[65536];
    for (;;) {
        ssize_t n = recv(fd, buf, sizeof(buf), 0);
        if (n == 0)
            return true;
        if (n < 0)
            return errno != EAGAIN;
        text_append(out, slice_make(buf, (size_t)n));
    }
}

/* "200 hello|404 {...}": the statuses and bodies in a row, interim answers left out. */
static void summarise(struct slice bytes, bool is_head, struct text *out)
{
    while (bytes.len) {
        struct h1_head head;
        struct h1_body body;
        struct h1_piece piece;
        enum h1_error error = H1_OK;
        h1_head_reset(&head);
        struct h1_asked asked = {is_head ? H1_METHOD_HEAD : H1_METHOD_GET, false};
        ssize_t used =
            h1_parse_response(bytes.ptr, bytes.len, &h1_limits_default, asked, &head, &error);
        if (used <= 0)
            fail_msg("no response: %.*s", SLICE_ARG(bytes));
        bytes = slice_skip(bytes, (size_t)used);
        if (head.is_interim)
            continue;
        text_printf(out, "%s%u ", out->len ? "|" : "", head.status);
        assert_true(h1_find(&head, H1_FIELD_DATE));
        h1_body_init(&body, &head, &h1_limits_default);
        size_t n = 0;
        for (enum h1_event event = H1_DATA; event == H1_DATA; bytes = slice_skip(bytes, n)) {
            event = h1_body_next(&body, bytes.ptr, bytes.len, &n, &piece);
            if (event == H1_DATA)
                text_append(out, piece.data);
            else
                assert_int_equal(event, H1_END);
        }
    }
}

/* ---- the table ---- */

struct row {
    const char *what;
    struct slice request;
    const char *want; /* the summary; "$" behind it: the server closes */
    bool is_head;
};

#define HOST "Host: h\r\n"
#define ROW(what_, request_, want_)                                       \
    {                                                                     \
        .what = (what_), .request = SLICE_INIT(request_), .want = (want_) \
    }

static const struct row rows[] = {
    ROW("plain", "GET /hello HTTP/1.1\r\n" HOST "\r\n", "200 hello"),
    ROW("a query", "GET /hello?a=b&name=you&name HTTP/1.1\r\n" HOST "\r\n", "200 you"),
    ROW("a name without value", "GET /hello?name HTTP/1.1\r\n" HOST "\r\n", "200 "),
    ROW("below a prefix", "GET /tree/a/b HTTP/1.1\r\n" HOST "\r\n", "200 hello"),
    ROW("nothing there", "GET /no HTTP/1.1\r\n" HOST "\r\n",
        "404 {\"error\":\"there is nothing at /no\"}\n"),
    ROW("a quote in the path", "GET /\"x HTTP/1.1\r\n" HOST "\r\n",
        "404 {\"error\":\"there is nothing at /\\\"x\"}\n"),
    ROW("wrong method", "POST /hello HTTP/1.1\r\n" HOST "\r\n",
        "405 {\"error\":\"/hello takes GET, HEAD\"}\n"),
    ROW("two right methods", "PUT /echo HTTP/1.1\r\n" HOST "\r\n",
        "405 {\"error\":\"/echo takes POST, GET, HEAD\"}\n"),
    ROW("not admitted", "GET /secret HTTP/1.1\r\n" HOST "\r\n", "403 {\"error\":\"not you\"}\n"),
    ROW("not admitted, with a body that nobody reads",
        "POST /secret HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nabcd",
        "403 {\"error\":\"not you\"}\n$"),
    ROW("the same with an empty body", "POST /secret HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
        "403 {\"error\":\"not you\"}\n"),
    ROW("a body", "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 6\r\n\r\nabc\r\n\n",
        "200 abc\r\n\n"),
    ROW("no body", "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "200 "),
    ROW("chunks",
        "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
        "3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nT: v\r\n\r\n",
        "200 abcd"),
    ROW("expects to be asked for the body",
        "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
        "200 ok"),
    ROW("three in a row",
        "GET /hello HTTP/1.1\r\n" HOST "\r\n"
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx"
        "GET /no HTTP/1.1\r\n" HOST "\r\n",
        "200 hello|200 x|404 {\"error\":\"there is nothing at /no\"}\n"),
    ROW("the client closes", "GET /hello HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
        "200 hello$"),
    ROW("the handler closes",
        "GET /bye HTTP/1.1\r\n" HOST "\r\nGET /hello HTTP/1.1\r\n" HOST "\r\n", "204 $"),
    ROW("HTTP/1.0", "GET /hello HTTP/1.0\r\n\r\n", "200 hello$"),
    ROW("HTTP/1.0 that stays", "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "200 hello"),
    {.what = "HEAD",
     .request = SLICE_INIT("HEAD /hello HTTP/1.1\r\n" HOST "\r\n"),
     .want = "200 ",
     .is_head = true},
    ROW("the body is too large", "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 65\r\n\r\n",
        "413 {\"error\":\"the body has 65 bytes; 64 are taken\"}\n$"),
    ROW("chunks are too large",
        "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n41\r\n"
        "0123456789012345678901234567890123456789012345678901234567890123x\r\n0\r\n\r\n",
        "413 {\"error\":\"the body is larger than the 64 bytes that are taken\"}\n$"),
};

/* The pieces in which a request goes out. */
static void send_split(struct world *world, int fd, struct slice request, int split)
{
    if (split == WHOLE) {
        client_send(fd, request);
        settle(world);
        return;
    }
    size_t step = split == SINGLE ? 1 : (size_t)split;
    while (request.len) {
        size_t n = step < request.len ? step : request.len;
        client_send(fd, slice_make(request.ptr, n));
        settle(world);
        request = slice_skip(request, n);
        step = split == SINGLE ? 1 : request.len;
    }
}

static void check_row(struct world *world, const struct row *row, int split)
{
    struct text raw = TEXT_NONE, got = TEXT_NONE;
    int fd = client_open(world);
    settle(world);
    send_split(world, fd, row->request, split);
    bool is_closed = client_receive(fd, &raw);
    summarise(text_slice(&raw), row->is_head, &got);
    if (is_closed)
        text_append_char(&got, '$');
    if (strcmp(text_cstr(&got), row->want) != 0)
        fail_msg("%s, split at %d: got \"%s\", want \"%s\"", row->what, split, text_cstr(&got),
                 row->want);
    close(fd);
    settle(world);
    assert_int_equal(web_server_counters(world->server)->n_conns, 0);
    text_deinit(&raw);
    text_deinit(&got);
}

static void test_table(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, (struct web_limits){0});
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(&world, &rows[i], WHOLE);
        check_row(&world, &rows[i], SINGLE);
        for (size_t split = 1; split < rows[i].request.len; split++)
            check_row(&world, &rows[i], (int)split);
    }
    world_deinit(&world);
}

static void expect(struct world *world, int fd, const char *want)
{
    struct text raw = TEXT_NONE, got = TEXT_NONE;
    settle(world);
    bool is_closed = client_receive(fd, &raw);
    summarise(text_slice(&raw), false, &got);
    if (is_closed)
        text_append_char(&got, '$');
    assert_string_equal(text_cstr(&got), want);
    text_deinit(&raw);
    text_deinit(&got);
}

static void pass(struct world *world, int ms)
{
    uint64_t until_ns = loop_clock_ns() + (uint64_t)ms * 1000000;
    while (loop_clock_ns() < until_ns)
        loop_turn(world->loop, 5);
}

/* What the codec refuses is answered with its status, and the connection closes. */
static void test_malformed(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, (struct web_limits){0});
    static const struct {
        const char *bytes;
        const char *want;
    } cases[] = {
        {"GET /hello HTTP/1.1\r\n\r\n", "400 "},
        {"GET /hello HTTP/1.1\n", "400 "},
        {"GET /hello HTTP/2.0\r\n", "505 "},
        {"BREW(/ HTTP/1.1\r\n", "400 "},
        {"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "405 "},
        {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "400 "},
        {"GET / HTTP/1.1\r\n" HOST "Expect: tea\r\n\r\n", "417 "},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct text raw = TEXT_NONE, got = TEXT_NONE;
        int fd = client_open(&world);
        client_send(fd, slice_from(cases[i].bytes));
        settle(&world);
        assert_true(client_receive(fd, &raw));
        summarise(text_slice(&raw), false, &got);
        if (!slice_starts(text_slice(&got), slice_from(cases[i].want)) ||
            !strstr(text_cstr(&got), "{\"error\":\""))
            fail_msg("%s: got \"%s\"", cases[i].bytes, text_cstr(&got));
        close(fd);
        text_deinit(&raw);
        text_deinit(&got);
    }
    settle(&world);
    assert_int_equal(web_server_counters(world.server)->n_malformed, ARRAY_LEN(cases));
    world_deinit(&world);
}

static void test_late_answer(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, (struct web_limits){0});
    int fd = client_open(&world);
    client_send(fd, SLICE("GET /late HTTP/1.1\r\n" HOST "\r\nGET /hello HTTP/1.1\r\n" HOST "\r\n"));
    expect(&world, fd, "");
    assert_non_null(world.kept);
    answer_plain(world.kept, SLICE("at last"));
    expect(&world, fd, "200 at last|200 hello");
    assert_int_equal(world.n_gone, 0);
    /* The server goes away before the answer. */
    client_send(fd, SLICE("GET /late HTTP/1.1\r\n" HOST "\r\n"));
    settle(&world);
    assert_non_null(world.kept);
    world_deinit(&world);
    assert_int_equal(world.n_gone, 1);
    close(fd);
}

static void test_no_answer(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, (struct web_limits){.answer_ms = 20});
    int fd = client_open(&world);
    client_send(fd, SLICE("GET /late HTTP/1.1\r\n" HOST "\r\n"));
    settle(&world);
    assert_non_null(world.kept);
    pass(&world, 60);
    assert_int_equal(world.n_gone, 1);
    expect(&world, fd, "504 {\"error\":\"there was no answer within 0 s\"}\n$");
    close(fd);
    world_deinit(&world);
}

static void test_time_outs(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, (struct web_limits){.head_ms = 30, .body_ms = 30, .idle_ms = 30});
    int silent = client_open(&world), head = client_open(&world), body = client_open(&world),
        idle = client_open(&world);
    client_send(head, SLICE("GET /hel"));
    client_send(body, SLICE("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\na"));
    client_send(idle, SLICE("GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    expect(&world, idle, "200 hello");
    pass(&world, 80);
    expect(&world, silent, "$");
    expect(&world, idle, "$");
    expect(&world, head, "408 {\"error\":\"the request was not complete after 0 s\"}\n$");
    expect(&world, body, "408 {\"error\":\"the request was not complete after 0 s\"}\n$");
    int fds[] = {silent, head, body, idle};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    settle(&world);
    assert_int_equal(web_server_counters(world.server)->n_timed_out, 2);
    world_deinit(&world);
}

static void test_too_many(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, (struct web_limits){.n_conns = 2});
    int busy = client_open(&world);
    client_send(busy, SLICE("GET /late HTTP/1.1\r\n" HOST "\r\n"));
    settle(&world);
    int first = client_open(&world);
    settle(&world);
    int second = client_open(&world); /* the idle one makes room */
    expect(&world, first, "$");
    client_send(second, SLICE("GET /hel"));
    settle(&world);
    int third = client_open(&world); /* nobody is idle */
    settle(&world);
    char answer[512];
    ssize_t n = recv(third, answer, sizeof(answer) - 1, 0);
    assert_true(n > 0);
    answer[n] = '\0';
    assert_non_null(strstr(answer, "HTTP/1.1 503 "));
    const char *body = strstr(answer, "\r\n\r\n") + 4;
    char length[40];
    snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
    assert_non_null(strstr(answer, length));
    assert_int_equal(recv(third, answer, sizeof(answer), 0), 0);
    assert_int_equal(web_server_counters(world.server)->n_refused, 1);
    world_deinit(&world);
    close(busy);
    close(first);
    close(second);
    close(third);
}

static void test_slow_reader(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, (struct web_limits){.send_ms = 20000});
    int fd = client_open(&world);
    client_send(fd, SLICE("GET /big HTTP/1.1\r\n" HOST "\r\nGET /hello HTTP/1.1\r\n" HOST "\r\n"));
    struct text raw = TEXT_NONE, got = TEXT_NONE;
    while (raw.len < BIG_BYTES || !strstr(raw.ptr + BIG_BYTES, "hello")) {
        settle(&world);
        assert_false(client_receive(fd, &raw));
    }
    summarise(text_slice(&raw), false, &got);
    assert_memory_equal(got.ptr + 4, world.big, BIG_BYTES);
    assert_string_equal(got.ptr + 4 + BIG_BYTES, "|200 hello");
    text_deinit(&got);
    text_deinit(&raw);
    world_deinit(&world);
    close(fd);

    /* One who reads nothing at all is dropped. */
    world_init(&world, (struct web_limits){.send_ms = 40});
    fd = client_open(&world);
    client_send(fd, SLICE("GET /big HTTP/1.1\r\n" HOST "\r\n"));
    pass(&world, 100);
    assert_int_equal(web_server_counters(world.server)->n_conns, 0);
    assert_int_equal(web_server_counters(world.server)->n_timed_out, 1);
    close(fd);
    world_deinit(&world);
}

static void test_drain(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, (struct web_limits){0});
    int idle = client_open(&world), busy = client_open(&world);
    int fresh = client_open(&world), silent = client_open(&world);
    client_send(idle, SLICE("GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    client_send(busy, SLICE("GET /late HTTP/1.1\r\n" HOST "\r\n"));
    expect(&world, idle, "200 hello");
    web_server_drain(world.server);
    expect(&world, idle, "$");
    assert_int_equal(web_server_counters(world.server)->n_conns, 3);
    client_send(fresh, SLICE("GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    expect(&world, fresh, "200 hello$");
    expect(&world, silent, "");
    pass(&world, 1100);
    expect(&world, silent, "$");
    answer_plain(world.kept, SLICE("still"));
    expect(&world, busy, "200 still$");
    close(busy);
    settle(&world);
    assert_int_equal(web_server_counters(world.server)->n_conns, 0);
    close(idle);
    close(fresh);
    close(silent);
    world_deinit(&world);
}

/* ---- connections that are given over ---- */

static void on_foreign(struct conn *conn, uint32_t events)
{
    (void)conn;
    (void)events;
}

/* What was read before is read again, wherever it ends; the rest comes as it does. */
static void test_take(void **state)
{
    (void)state;
    static const struct slice bytes =
        SLICE_INIT("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
                   "GET /hello?name=x HTTP/1.1\r\n" HOST "\r\n"
                   "GET /bye HTTP/1.1\r\n" HOST "\r\n");
    for (size_t cut = 0; cut <= bytes.len; cut++) {
        struct world world;
        struct conn conn;
        struct err err;
        int fds[2];
        world_init(&world, (struct web_limits){0});
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        assert_int_equal(conn_open(&conn, world.loop, fds[1], on_foreign, &err), 0);
        client_send(fds[0], slice_skip(bytes, cut));
        settle(&world); /* the events of what has come are gone by now */
        assert_int_equal(
            web_server_take(world.server, &conn, slice_make(bytes.ptr, cut), NULL, NULL, &err), 0);
        assert_false(conn_is_open(&conn));
        expect(&world, fds[0], "200 abc|200 x|204 $");
        close(fds[0]);
        settle(&world);
        assert_int_equal(world.n_closed, 1);
        assert_int_equal(web_server_counters(world.server)->n_conns, 0);
        assert_int_equal(web_server_counters(world.server)->n_bytes_in, bytes.len);
        world_deinit(&world);
    }
}

static void on_hangup(struct web_exchange *exchange)
{
    struct world *world = exchange->user;
    world->kept = NULL;
    answer_plain(exchange, SLICE("gone?"));
}

/* Whoever closes its side before or behind the call of the handler is told of once. */
static void test_hangup(void **state)
{
    (void)state;
    for (int is_before = 0; is_before < 2; is_before++) {
        struct world world;
        world_init(&world, (struct web_limits){0});
        world.on_hangup = on_hangup;
        int client = client_open(&world);
        client_send(client, SLICE("GET /late HTTP/1.1\r\n" HOST "\r\n"));
        if (!is_before) {
            settle(&world);
            assert_non_null(world.kept);
        }
        shutdown(client, SHUT_WR);
        expect(&world, client, "200 gone?$");
        assert_int_equal(world.n_gone, 0);
        close(client);
        settle(&world);
        world_deinit(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),       cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_late_answer), cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_time_outs),   cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_slow_reader), cmocka_unit_test(test_drain),
        cmocka_unit_test(test_take),        cmocka_unit_test(test_hangup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
