/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Connections over real sockets: what waits when the peer does not read, the flush, connecting and
 * being refused, resets, and a look at an idle connection.
 */

#include "net/conn.h"

#include "base/mem.h"
#include "net/listener.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { SMALL_SOCKET = 4608, LONG = 300000, PATTERN = 251 };

struct side {
    struct conn conn;
    uint32_t events; /* all that came */
    size_t pending_at_call;
};

static void side_on_event(struct conn *conn, uint32_t events)
{
    struct side *side = CONTAINER_OF(conn, struct side, conn);
    side->events |= events;
    side->pending_at_call = conn_pending(conn);
}

struct scene {
    struct loop *loop;
    struct side side;
    int peer; /* a blocking descriptor, the other end */
};

static char pattern_at(size_t i)
{
    return (char)(i % PATTERN);
}

/* Turns until nothing more happens. */
static void settle(struct scene *scene)
{
    for (int i = 0; i < 5; i++)
        loop_turn(scene->loop, 0);
}

static void wait_for(struct scene *scene, uint32_t events)
{
    for (int i = 0; i < 200 && !(scene->side.events & events); i++)
        loop_turn(scene->loop, 10);
    assert_true(scene->side.events & events);
}

static void scene_open(struct scene *scene)
{
    *scene = (struct scene){.peer = -1};
    assert_int_equal(loop_create(0, &scene->loop, NULL), 0);
    conn_init(&scene->side.conn);
}

static void scene_pair(struct scene *scene, int n_bytes)
{
    int fds[2];
    scene_open(scene);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    if (n_bytes)
        (void)setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &n_bytes, sizeof(n_bytes));
    (void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
    scene->peer = fds[1];
    assert_int_equal(conn_open(&scene->side.conn, scene->loop, fds[0], side_on_event, NULL), 0);
}

static void scene_close(struct scene *scene)
{
    conn_close(&scene->side.conn);
    if (scene->peer >= 0)
        close(scene->peer);
    loop_destroy(&scene->loop);
}

/* A listening socket on loopback, and its address. */
static int listen_somewhere(int backlog, struct addr *ret_addr)
{
    assert_int_equal(addr_parse(SLICE("127.0.0.1:1"), ret_addr, NULL), 0);
    addr_set_port(ret_addr, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &ret_addr->sa, ret_addr->len), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, &ret_addr->sa, &ret_addr->len), 0);
    return fd;
}

static void scene_tcp(struct scene *scene)
{
    struct addr addr;
    int listener = listen_somewhere(8, &addr);
    scene_open(scene);
    assert_int_equal(conn_connect(&scene->side.conn, scene->loop, &addr, side_on_event, NULL), 0);
    scene->peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(scene->peer >= 0);
    close(listener);
    wait_for(scene, LOOP_WRITE);
    assert_false(scene->side.conn.is_connecting);
}

/* ---- sending ---- */

static void peer_reads(struct scene *scene, size_t n)
{
    char buf[2000];
    for (size_t at = 0; at < n;) {
        struct pollfd poll_fd = {.fd = scene->peer, .events = POLLIN};
        while (poll(&poll_fd, 1, 0) == 0)
            loop_turn(scene->loop, 1);
        ssize_t got = recv(scene->peer, buf, sizeof(buf) < n - at ? sizeof(buf) : n - at, 0);
        assert_true(got > 0);
        for (ssize_t i = 0; i < got; i++)
            assert_int_equal(buf[i], pattern_at(at + (size_t)i));
        at += (size_t)got;
    }
}

static void test_send_at_once(void **state)
{
    (void)state;
    struct scene scene;
    char text[PATTERN];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = pattern_at(i);
    scene_pair(&scene, 0);
    assert_int_equal(conn_send(&scene.side.conn, text, sizeof(text), false), 0);
    assert_int_equal(conn_pending(&scene.side.conn), 0);
    assert_null(scene.side.conn.pending);
    peer_reads(&scene, sizeof(text));
    scene_close(&scene);
}

/* Whatever the cuts of the parts are, what waits is what the kernel did not take. */
static void test_pending(void **state)
{
    (void)state;
    char *text = mem_alloc(LONG);
    for (size_t i = 0; i < LONG; i++)
        text[i] = pattern_at(i);
    for (size_t cut = 0; cut <= LONG; cut += 29989) {
        struct scene scene;
        scene_pair(&scene, SMALL_SOCKET);
        struct iovec parts[] = {{text, cut}, {text + cut, 0}, {text + cut, LONG - cut}};
        assert_int_equal(conn_sendv(&scene.side.conn, parts, 3, false), 0);
        size_t first = conn_pending(&scene.side.conn);
        assert_in_range(first, 1, LONG - 1);
        settle(&scene);
        assert_false(scene.side.events & LOOP_ERROR); /* no progress is no error */
        assert_int_equal(conn_pending(&scene.side.conn), first);
        peer_reads(&scene, LONG);
        settle(&scene);
        assert_int_equal(conn_pending(&scene.side.conn), 0);
        assert_null(scene.side.conn.pending); /* no memory is held once all is gone */
        assert_int_equal(scene.side.pending_at_call, 0);
        scene_close(&scene);
    }
    mem_free(text);
}

/* While something waits, what comes later goes behind it. */
static void test_order(void **state)
{
    (void)state;
    char *text = mem_alloc(LONG);
    for (size_t i = 0; i < LONG; i++)
        text[i] = pattern_at(i);
    struct scene scene;
    scene_pair(&scene, SMALL_SOCKET);
    for (size_t at = 0; at < LONG; at += 1000)
        assert_int_equal(conn_send(&scene.side.conn, text + at, 1000, at % 2000 == 0), 0);
    peer_reads(&scene, LONG / 2);
    assert_int_equal(conn_send(&scene.side.conn, text + LONG % PATTERN, PATTERN, false), 0);
    char rest[LONG / 2 + PATTERN];
    for (size_t at = 0; at < sizeof(rest);) {
        loop_turn(scene.loop, 0);
        ssize_t got = recv(scene.peer, rest + at, sizeof(rest) - at, MSG_DONTWAIT);
        at += got > 0 ? (size_t)got : 0;
    }
    for (size_t i = 0; i < sizeof(rest); i++)
        assert_int_equal(rest[i], pattern_at(i + LONG / 2));
    scene_close(&scene);
    mem_free(text);
}

static void test_send_nothing(void **state)
{
    (void)state;
    struct scene scene;
    scene_pair(&scene, 0);
    assert_int_equal(conn_send(&scene.side.conn, "", 0, false), 0);
    assert_null(scene.side.conn.pending);
    scene_close(&scene);
}

static void test_send_to_nobody(void **state)
{
    (void)state;
    struct scene scene;
    scene_pair(&scene, 0);
    close(scene.peer);
    scene.peer = -1;
    assert_int_equal(conn_send(&scene.side.conn, "x", 1, false), -EPIPE);
    assert_null(scene.side.conn.pending);
    scene_close(&scene);
}

static void test_flush_fails(void **state)
{
    (void)state;
    struct scene scene;
    char *text = MEM_NEW_ARRAY(char, LONG);
    scene_pair(&scene, SMALL_SOCKET);
    assert_int_equal(conn_send(&scene.side.conn, text, LONG, false), 0);
    settle(&scene);
    scene.side.events = 0;
    close(scene.peer);
    scene.peer = -1;
    wait_for(&scene, LOOP_ERROR);
    int error = conn_error(&scene.side.conn);
    assert_true(error == EPIPE || error == ECONNRESET);
    scene_close(&scene); /* frees what still waits */
    mem_free(text);
}

/* ---- connecting ---- */

static void test_connect(void **state)
{
    (void)state;
    struct scene scene;
    scene_tcp(&scene);
    assert_int_equal(conn_error(&scene.side.conn), 0);
    assert_int_equal(send(scene.peer, "hello", 5, 0), 5);
    scene.side.events = 0;
    wait_for(&scene, LOOP_READ);
    char buf[16];
    assert_int_equal(conn_recv(&scene.side.conn, buf, sizeof(buf)), 5);
    assert_int_equal(conn_recv(&scene.side.conn, buf, sizeof(buf)), -EAGAIN);
    shutdown(scene.peer, SHUT_WR);
    wait_for(&scene, LOOP_HANGUP);
    assert_int_equal(conn_recv(&scene.side.conn, buf, sizeof(buf)), 0);
    assert_int_equal(conn_shutdown(&scene.side.conn), 0);
    assert_int_equal(recv(scene.peer, buf, sizeof(buf), 0), 0);
    scene_close(&scene);
}

/* The kernel's queue of connections is full: the connection does not stand, what is sent waits. */
static void test_connect_takes_time(void **state)
{
    (void)state;
    struct scene scene;
    struct addr addr;
    int listener = listen_somewhere(0, &addr);
    int fillers[8];
    for (size_t i = 0; i < ARRAY_LEN(fillers); i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fillers[i], &addr.sa, addr.len);
    }
    scene_open(&scene);
    assert_int_equal(conn_connect(&scene.side.conn, scene.loop, &addr, side_on_event, NULL), 0);
    assert_true(scene.side.conn.is_connecting);
    assert_int_equal(conn_send(&scene.side.conn, "hello", 5, false), 0);
    assert_int_equal(conn_pending(&scene.side.conn), 5);
    settle(&scene);
    assert_true(scene.side.conn.is_connecting);
    assert_false(scene.side.events & (LOOP_WRITE | LOOP_ERROR));
    int accepted[ARRAY_LEN(fillers) + 1];
    size_t n = 0;
    char buf[16] = "";
    while (strcmp(buf, "hello") != 0) { /* the SYN is repeated after a second */
        struct pollfd poll_fd = {.fd = listener, .events = POLLIN};
        loop_turn(scene.loop, 10);
        if (poll(&poll_fd, 1, 0) == 1 && n < ARRAY_LEN(accepted))
            accepted[n++] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        for (size_t i = 0; i < n; i++)
            (void)recv(accepted[i], buf, sizeof(buf), MSG_DONTWAIT);
    }
    assert_true(scene.side.events & LOOP_WRITE);
    assert_false(scene.side.conn.is_connecting);
    assert_int_equal(conn_pending(&scene.side.conn), 0);
    for (size_t i = 0; i < ARRAY_LEN(fillers); i++)
        close(fillers[i]);
    for (size_t i = 0; i < n; i++)
        close(accepted[i]);
    close(listener);
    scene_close(&scene);
}

static void test_connect_refused(void **state)
{
    (void)state;
    struct scene scene;
    struct addr addr;
    struct err err = ERR_NONE;
    close(listen_somewhere(1, &addr)); /* nobody listens there any more */
    scene_open(&scene);
    /* Loopback answers within connect(2), a network does not; both are fine. */
    if (conn_connect(&scene.side.conn, scene.loop, &addr, side_on_event, &err) < 0) {
        assert_int_equal(err.number, ECONNREFUSED);
        assert_non_null(strstr(err.text, "cannot connect to 127.0.0.1:"));
        assert_false(conn_is_open(&scene.side.conn));
    } else {
        wait_for(&scene, LOOP_ERROR);
        assert_int_equal(conn_error(&scene.side.conn), ECONNREFUSED);
        assert_int_equal(conn_error(&scene.side.conn), ECONNREFUSED); /* as often as it is asked */
    }
    scene_close(&scene);
}

static void test_connect_to_no_path(void **state)
{
    (void)state;
    struct scene scene;
    struct addr addr;
    struct err err = ERR_NONE;
    assert_int_equal(addr_parse(SLICE("unix:/nonexistent/weir-conn-test"), &addr, NULL), 0);
    scene_open(&scene);
    assert_int_equal(conn_connect(&scene.side.conn, scene.loop, &addr, side_on_event, &err), -1);
    assert_int_equal(err.number, ENOENT);
    scene_close(&scene);
}

/* ---- ends ---- */

static void test_abort_is_a_reset(void **state)
{
    (void)state;
    struct scene scene;
    char buf[16];
    scene_tcp(&scene);
    assert_int_equal(conn_send(&scene.side.conn, "half", 4, false), 0);
    conn_abort(&scene.side.conn);
    assert_false(conn_is_open(&scene.side.conn));
    while (recv(scene.peer, buf, sizeof(buf), 0) > 0)
        continue;
    assert_int_equal(errno, ECONNRESET);
    conn_abort(&scene.side.conn); /* may be said twice */
    conn_close(&scene.side.conn);
    scene_close(&scene);
}

static void test_close_is_an_end(void **state)
{
    (void)state;
    struct scene scene;
    char buf[16];
    scene_tcp(&scene);
    assert_int_equal(conn_send(&scene.side.conn, "all", 3, false), 0);
    conn_close(&scene.side.conn);
    assert_int_equal(recv(scene.peer, buf, sizeof(buf), MSG_WAITALL), 3);
    assert_int_equal(recv(scene.peer, buf, sizeof(buf), 0), 0);
    scene_close(&scene);
}

static void test_stale(void **state)
{
    (void)state;
    struct scene scene;
    scene_tcp(&scene);
    assert_int_equal(conn_is_stale(&scene.side.conn), 0);
    assert_int_equal(conn_is_stale(&scene.side.conn), 0);
    assert_int_equal(send(scene.peer, "?", 1, 0), 1); /* nothing was asked */
    assert_int_equal(conn_is_stale(&scene.side.conn), 1);
    char byte;
    assert_int_equal(conn_recv(&scene.side.conn, &byte, 1), 1); /* it was only looked at */
    assert_int_equal(conn_is_stale(&scene.side.conn), 0);
    close(scene.peer);
    scene.peer = -1;
    assert_int_equal(conn_is_stale(&scene.side.conn), 1);
    scene_close(&scene);
}

static void test_stale_reset(void **state)
{
    (void)state;
    struct scene scene;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    scene_tcp(&scene);
    (void)setsockopt(scene.peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(scene.peer);
    scene.peer = -1;
    assert_int_equal(conn_is_stale(&scene.side.conn), 1);
    scene_close(&scene);
}

/* ---- accepting ---- */

struct door {
    struct listener listener;
    unsigned n_accepted, n_exhausted;
    unsigned n_stop_at; /* stops listening at that many */
    uint16_t last_port;
    int fds[64];
};

static void door_on_accept(struct listener *listener, struct loop *loop, int fd,
                           const struct addr *peer)
{
    struct door *door = CONTAINER_OF(listener, struct door, listener);
    assert_int_equal(addr_family(peer), AF_INET);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    door->fds[door->n_accepted++] = fd;
    door->last_port = addr_port(peer);
    if (door->n_accepted == door->n_stop_at)
        listener_stop(listener, loop);
}

static void door_on_exhausted(struct listener *listener, struct loop *loop, int error)
{
    (void)loop;
    assert_int_equal(error, EMFILE);
    CONTAINER_OF(listener, struct door, listener)->n_exhausted++;
}

static int connect_to(const struct addr *addr)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, &addr->sa, addr->len), 0);
    return fd;
}

static void door_open(struct door *door, struct loop *loop, int fd)
{
    *door = (struct door){.n_accepted = 0};
    listener_init(&door->listener);
    door->listener.on_accept = door_on_accept;
    door->listener.on_exhausted = door_on_exhausted;
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    assert_int_equal(listener_start(&door->listener, loop, fd, NULL), 0);
}

static void door_close(struct door *door, struct loop *loop)
{
    listener_stop(&door->listener, loop);
    for (unsigned i = 0; i < door->n_accepted; i++)
        close(door->fds[i]);
}

/* More connections than a batch: all are accepted, others have their turn between. */
static void test_listener_batches(void **state)
{
    (void)state;
    struct scene scene;
    struct door door;
    struct addr addr;
    int clients[20];
    int fd = listen_somewhere(64, &addr);
    scene_open(&scene);
    door_open(&door, scene.loop, fd);
    door.listener.n_batch = 8;
    for (size_t i = 0; i < ARRAY_LEN(clients); i++)
        clients[i] = connect_to(&addr);
    loop_turn(scene.loop, 100);
    assert_int_equal(door.n_accepted, 8);
    loop_turn(scene.loop, 0);
    assert_int_equal(door.n_accepted, 16);
    settle(&scene);
    assert_int_equal(door.n_accepted, 20);
    struct addr last = {.len = sizeof(last) - offsetof(struct addr, sa)};
    (void)getsockname(clients[19], &last.sa, &last.len);
    assert_int_equal(door.last_port, addr_port(&last));
    for (size_t i = 0; i < ARRAY_LEN(clients); i++)
        close(clients[i]);
    door_close(&door, scene.loop);
    close(fd);
    scene_close(&scene);
}

static void test_listener_stops(void **state)
{
    (void)state;
    struct scene scene;
    struct door door;
    struct addr addr;
    int fd = listen_somewhere(64, &addr);
    int clients[] = {connect_to(&addr), connect_to(&addr), connect_to(&addr)};
    scene_open(&scene);
    door_open(&door, scene.loop, fd);
    door.n_stop_at = 2;
    settle(&scene);
    assert_int_equal(door.n_accepted, 2);
    listener_stop(&door.listener, scene.loop); /* may be said twice */
    door_close(&door, scene.loop);
    /* What the kernel has queued waits for the next who listens. */
    door_open(&door, scene.loop, fd);
    settle(&scene);
    assert_int_equal(door.n_accepted, 1);
    door_close(&door, scene.loop);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++)
        close(clients[i]);
    close(fd);
    scene_close(&scene);
}

/* No descriptors left: the connection waits, and is taken without a further event of the kernel. */
static void test_listener_pauses(void **state)
{
    (void)state;
    struct scene scene;
    struct door door;
    struct addr addr;
    struct rlimit before, tight;
    int fd = listen_somewhere(64, &addr);
    int client = connect_to(&addr);
    scene_open(&scene);
    door_open(&door, scene.loop, fd);
    int next = dup(0); /* the number that accept would return */
    assert_true(next >= 0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    for (int i = 0; i < 3; i++)
        loop_turn(scene.loop, 2 * LISTENER_PAUSE_MS);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(door.n_accepted, 0);
    assert_in_range(door.n_exhausted, 1, 4); /* it does not spin */
    for (int i = 0; i < 20 && door.n_accepted == 0; i++)
        loop_turn(scene.loop, LISTENER_PAUSE_MS);
    assert_int_equal(door.n_accepted, 1);
    close(client);
    door_close(&door, scene.loop);
    close(fd);
    scene_close(&scene);
}

/* A pair whose own side the loop does not know of yet. */
static void scene_lazy(struct scene *scene, int n_bytes)
{
    scene_pair(scene, n_bytes);
    int fd = dup(scene->side.conn.fd);
    conn_close(&scene->side.conn);
    conn_open_lazily(&scene->side.conn, scene->loop, fd, side_on_event);
}

/* ---- waiting ---- */

/* Read, answered and closed: the loop never hears of it. */
static void test_lazy_never_waits(void **state)
{
    (void)state;
    struct scene scene;
    char text[16];
    scene_lazy(&scene, 0);
    assert_int_equal(send(scene.peer, "ask", 3, 0), 3);
    settle(&scene);
    assert_int_equal(scene.side.events, 0);
    assert_int_equal(conn_recv(&scene.side.conn, text, sizeof(text)), 3);
    assert_int_equal(conn_send(&scene.side.conn, "answer", 6, false), 0);
    assert_false(loop_io_is_armed(&scene.side.conn.io));
    assert_int_equal(recv(scene.peer, text, sizeof(text), 0), 6);
    scene_close(&scene);
}

/* A read that finds nothing makes it wait, and what came before it began to wait is not missed. */
static void test_lazy_read_waits(void **state)
{
    (void)state;
    struct scene scene;
    char text[16];
    scene_lazy(&scene, 0);
    assert_int_equal(conn_recv(&scene.side.conn, text, sizeof(text)), -EAGAIN);
    assert_int_equal(send(scene.peer, "ask", 3, 0), 3);
    wait_for(&scene, LOOP_READ);
    scene_close(&scene);
    scene_lazy(&scene, 0);
    assert_int_equal(send(scene.peer, "ask", 3, 0), 3);
    assert_int_equal(conn_wait(&scene.side.conn), 0);
    wait_for(&scene, LOOP_READ);
    scene_close(&scene);
}

/* So does a write that does not fit, and what is asked for again. */
static void test_lazy_write_waits(void **state)
{
    (void)state;
    struct scene scene;
    char *text = mem_alloc(LONG);
    for (size_t i = 0; i < LONG; i++)
        text[i] = pattern_at(i);
    scene_lazy(&scene, SMALL_SOCKET);
    assert_int_equal(conn_send(&scene.side.conn, text, LONG, false), 0);
    assert_in_range(conn_pending(&scene.side.conn), 1, LONG - 1);
    peer_reads(&scene, LONG);
    scene_close(&scene);
    scene_lazy(&scene, 0);
    conn_again(&scene.side.conn, LOOP_READ);
    wait_for(&scene, LOOP_AGAIN);
    scene_close(&scene);
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_send_at_once),
        cmocka_unit_test(test_pending),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_send_nothing),
        cmocka_unit_test(test_send_to_nobody),
        cmocka_unit_test(test_flush_fails),
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_connect_takes_time),
        cmocka_unit_test(test_connect_refused),
        cmocka_unit_test(test_connect_to_no_path),
        cmocka_unit_test(test_abort_is_a_reset),
        cmocka_unit_test(test_close_is_an_end),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_stale_reset),
        cmocka_unit_test(test_lazy_never_waits),
        cmocka_unit_test(test_lazy_read_waits),
        cmocka_unit_test(test_lazy_write_waits),
        cmocka_unit_test(test_listener_batches),
        cmocka_unit_test(test_listener_stops),
        cmocka_unit_test(test_listener_pauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
