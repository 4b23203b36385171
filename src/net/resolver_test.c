/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The resolver against a small DNS server on loopback that answers, says no, is silent, talks
 * nonsense or sends the client to TCP, as its table says.
 */

#include "net/resolver.h"

#include "base/mem.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { TYPE_A = 1, TYPE_AAAA = 28, ROWS_MAX = 300, WAIT_MS = 8000 };

enum way { ANSWER, SILENT, GARBAGE, WRONG_ID, STREAM_ONLY, ONLY_V6_ANSWERS };

struct dns_row {
    const char *name;
    const char *v4; /* addresses, a blank between them */
    const char *v6;
    uint8_t rcode;
    enum way way;
    uint32_t ttl;
};

struct fixture {
    struct loop *loop;
    struct resolver *resolver;
    int udp_fd;
    int tcp_fd;
    int stream_fd; /* the accepted connection, or -1 */
    uint16_t port;
    struct dns_row rows[8];
    unsigned n_questions;
    unsigned n_streams;
};

struct watched {
    struct resolver_name name;
    unsigned n_answers;
};

static void on_answer(struct resolver_name *name)
{
    CONTAINER_OF(name, struct watched, name)->n_answers++;
}

/* ---- the server ---- */

struct packet {
    uint8_t bytes[2048];
    size_t len;
};

static void put(struct packet *packet, const void *bytes, size_t len)
{
    assert_true(packet->len + len <= sizeof(packet->bytes));
    memcpy(packet->bytes + packet->len, bytes, len);
    packet->len += len;
}

static void put16(struct packet *packet, uint16_t value)
{
    put(packet, &(uint16_t){htons(value)}, 2);
}

static void put_record(struct packet *packet, int family, struct slice text, uint32_t ttl)
{
    struct addr addr;
    assert_int_equal(addr_parse_ip(text, 0, &addr, NULL), 0);
    put16(packet, 0xc00c); /* the name of the question */
    put16(packet, family == AF_INET ? TYPE_A : TYPE_AAAA);
    put16(packet, 1);
    put(packet, &(uint32_t){htonl(ttl)}, 4);
    put16(packet, family == AF_INET ? 4 : 16);
    if (family == AF_INET)
        put(packet, &addr.in4.sin_addr, 4);
    else
        put(packet, &addr.in6.sin6_addr, 16);
}

/* The text of the question's name; returns where its type stands. */
static size_t question_name(const uint8_t *bytes, char name[256])
{
    size_t at = 12;
    name[0] = '\0';
    for (; bytes[at]; at += bytes[at] + 1u)
        snprintf(name + strlen(name), 256 - strlen(name), "%s%.*s", name[0] ? "." : "", bytes[at],
                 (const char *)bytes + at + 1);
    return at + 1;
}

static const struct dns_row *row_of(const struct fixture *fixture, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(fixture->rows); i++) {
        if (fixture->rows[i].name && strcasecmp(fixture->rows[i].name, name) == 0)
            return &fixture->rows[i];
    }
    return NULL;
}

static uint16_t put_records(struct packet *packet, const struct dns_row *row, int type)
{
    struct slice rest = slice_from(type == TYPE_A ? row->v4 : row->v6);
    uint16_t n = 0;
    while (rest.ptr && rest.len) {
        put_record(packet, type == TYPE_A ? AF_INET : AF_INET6, slice_cut(&rest, ' '), row->ttl);
        n++;
    }
    return n;
}

/* Makes the answer to a question. Returns false where there is none. */
static bool answer(struct fixture *fixture, const uint8_t *question, bool is_stream,
                   struct packet *ret_packet)
{
    char name[256];
    size_t type_at = question_name(question, name);
    int type = question[type_at] << 8 | question[type_at + 1];
    const struct dns_row *row = row_of(fixture, name);
    fixture->n_questions++;
    if (row && (row->way == SILENT || (row->way == ONLY_V6_ANSWERS && type == TYPE_A)))
        return false;
    *ret_packet = (struct packet){.len = 0};
    put(ret_packet, question, type_at + 4);
    uint8_t *head = ret_packet->bytes;
    head[2] = 0x81;
    head[3] = (uint8_t)(0x80 | (row ? row->rcode : 3));
    memset(head + 6, 0, 6);
    bool is_cut = row && row->way == STREAM_ONLY && !is_stream;
    if (is_cut)
        head[2] |= 2;
    else if (row && row->rcode == 0)
        head[7] = (uint8_t)put_records(ret_packet, row, type);
    if (row && row->way == WRONG_ID)
        head[0] ^= 0xff;
    if (row && row->way == GARBAGE) {
        memset(head + type_at + 4, 0xff, 40);
        ret_packet->len = type_at + 24;
        head[7] = 3;
    }
    return true;
}

static void serve_datagram(struct fixture *fixture)
{
    uint8_t question[2048];
    struct addr peer = {.len = sizeof(peer.in6)};
    struct packet packet;
    while (recvfrom(fixture->udp_fd, question, sizeof(question), MSG_DONTWAIT, &peer.sa,
                    &peer.len) > 0) {
        if (answer(fixture, question, false, &packet))
            (void)sendto(fixture->udp_fd, packet.bytes, packet.len, 0, &peer.sa, peer.len);
    }
}

/* One byte of the answer at a time, so that the client's reading is seen to go on. */
static void serve_stream(struct fixture *fixture)
{
    uint8_t question[2048];
    struct packet packet;
    if (fixture->stream_fd < 0) {
        fixture->stream_fd = accept4(fixture->tcp_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        fixture->n_streams += fixture->stream_fd >= 0;
        return;
    }
    ssize_t n = recv(fixture->stream_fd, question, sizeof(question), MSG_DONTWAIT);
    for (size_t at = 0; n > 0 && at < (size_t)n;) {
        size_t len = (size_t)(question[at] << 8 | question[at + 1]);
        if (answer(fixture, question + at + 2, true, &packet)) {
            uint8_t prefix[2] = {(uint8_t)(packet.len >> 8), (uint8_t)packet.len};
            (void)send(fixture->stream_fd, prefix, 2, MSG_NOSIGNAL);
            for (size_t i = 0; i < packet.len; i++) {
                (void)send(fixture->stream_fd, packet.bytes + i, 1, MSG_NOSIGNAL);
                if (i % 16 == 0)
                    loop_turn(fixture->loop, 0);
            }
        }
        at += len + 2;
    }
    if (n == 0) {
        close(fixture->stream_fd);
        fixture->stream_fd = -1;
    }
}

static void turn(struct fixture *fixture)
{
    loop_turn(fixture->loop, 2);
    serve_datagram(fixture);
    serve_stream(fixture);
}

static void turn_until(struct fixture *fixture, const struct watched *watched, unsigned n_answers)
{
    uint64_t end_ns = loop_clock_ns() + (uint64_t)WAIT_MS * 1000000;
    while (watched->n_answers < n_answers && loop_clock_ns() < end_ns)
        turn(fixture);
    assert_int_equal(watched->n_answers, n_answers);
}

static void turn_for(struct fixture *fixture, unsigned ms)
{
    uint64_t end_ns = loop_clock_ns() + (uint64_t)ms * 1000000;
    while (loop_clock_ns() < end_ns)
        turn(fixture);
}

static int setup(void **state)
{
    struct fixture *fixture = MEM_NEW(struct fixture);
    struct addr addr;
    assert_int_equal(addr_parse_ip(SLICE("127.0.0.1"), 0, &addr, NULL), 0);
    assert_int_equal(loop_create(0, &fixture->loop, NULL), 0);
    assert_int_equal(resolver_create(fixture->loop, 7, &fixture->resolver, NULL), 0);
    fixture->stream_fd = -1;
    do { /* the same port for both */
        addr_set_port(&addr, 0);
        fixture->udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        fixture->tcp_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fixture->udp_fd, &addr.sa, addr.len), 0);
        assert_int_equal(getsockname(fixture->udp_fd, &addr.sa, &addr.len), 0);
        if (bind(fixture->tcp_fd, &addr.sa, addr.len) == 0)
            break;
        close(fixture->udp_fd);
        close(fixture->tcp_fd);
    } while (true);
    assert_int_equal(listen(fixture->tcp_fd, 4), 0);
    fixture->port = addr_port(&addr);
    char conf[100];
    snprintf(conf, sizeof(conf), "nameserver 127.0.0.1:%u\nsearch internal\n", fixture->port);
    resolver_configure(fixture->resolver, SLICE("10.9.9.9 fixed\n"), slice_from(conf));
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    resolver_destroy(&fixture->resolver);
    loop_destroy(&fixture->loop);
    close(fixture->udp_fd);
    close(fixture->tcp_fd);
    if (fixture->stream_fd >= 0)
        close(fixture->stream_fd);
    mem_free(fixture);
    return 0;
}

static void watch(struct fixture *fixture, struct watched *watched, const char *host)
{
    *watched = (struct watched){.n_answers = 0};
    resolver_name_init(&watched->name);
    resolver_watch(fixture->resolver, &watched->name, slice_from(host), on_answer);
}

static void assert_addr(const struct watched *watched, const char *text)
{
    char got[ADDR_TEXT_MAX];
    if (watched->name.addr.len == 0)
        assert_string_equal("none", text);
    else
        assert_string_equal(addr_format_ip(&watched->name.addr, got), text);
}

/* ---- one answer ---- */

static void test_answers(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *host;
        struct dns_row row;
        enum resolver_status status;
        const char *addr;
    } rows[] = {
        {"a.example", {"a.example", "10.0.0.1", NULL, 0, ANSWER, 60}, RESOLVER_OK, "10.0.0.1"},
        {"a.example.", {"a.example", "10.0.0.1", NULL, 0, ANSWER, 60}, RESOLVER_OK, "10.0.0.1"},
        {"b.example",
         {"b.example", "10.0.0.9 10.0.0.2 10.0.0.3", "fd00::1", 0, ANSWER, 60},
         RESOLVER_OK,
         "10.0.0.2"},
        {"c.example",
         {"c.example", NULL, "fd00::2 fd00::1", 0, ANSWER, 60},
         RESOLVER_OK,
         "fd00::1"},
        {"app", {"app.internal", "10.0.0.4", NULL, 0, ANSWER, 60}, RESOLVER_OK, "10.0.0.4"},
        {"d.example",
         {"d.example.internal", "10.0.0.5", NULL, 0, ANSWER, 60},
         RESOLVER_OK,
         "10.0.0.5"},
        {"e.example", {NULL, NULL, NULL, 0, ANSWER, 0}, RESOLVER_NO_NAME, "none"},
        {"f.example.", {"f.example", NULL, NULL, 0, ANSWER, 0}, RESOLVER_NO_ADDRESS, "none"},
        {"g.example", {"g.example", NULL, NULL, 2, ANSWER, 0}, RESOLVER_NO_SERVER, "none"},
        {"h.example", {"h.example", NULL, NULL, 5, ANSWER, 0}, RESOLVER_NO_SERVER, "none"},
        {"i.example", {"i.example", "10.0.0.6", NULL, 0, STREAM_ONLY, 60}, RESOLVER_OK, "10.0.0.6"},
        {"j.example.", {"j.example", NULL, NULL, 0, GARBAGE, 60}, RESOLVER_GARBAGE, "none"},
        {"localhost", {NULL, NULL, NULL, 0, ANSWER, 0}, RESOLVER_OK, "127.0.0.1"},
        {"fixed", {"fixed", "10.0.0.7", NULL, 0, ANSWER, 60}, RESOLVER_OK, "10.9.9.9"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct watched watched;
        fixture->rows[0] = rows[i].row;
        watch(fixture, &watched, rows[i].host);
        assert_int_equal(watched.n_answers, 0); /* never from within */
        turn_until(fixture, &watched, 1);
        assert_int_equal(watched.name.status, rows[i].status);
        assert_addr(&watched, rows[i].addr);
        resolver_unwatch(&watched.name);
    }
    assert_int_equal(fixture->n_streams, 1);
}

static void test_long_answer(void **state)
{
    struct fixture *fixture = *state;
    static const char many[] = "10.0.1.30 10.0.1.29 10.0.1.28 10.0.1.27 10.0.1.26 10.0.1.25 "
                               "10.0.1.24 10.0.1.23 10.0.1.22 10.0.1.21 10.0.1.20 10.0.1.19 "
                               "10.0.1.18 10.0.1.17 10.0.1.16 10.0.1.15 10.0.1.14 10.0.1.13 "
                               "10.0.1.12 10.0.1.11 10.0.1.10 10.0.1.9 10.0.1.8 10.0.1.7 10.0.1.6 "
                               "10.0.1.5 10.0.1.4 10.0.1.3";
    struct watched watched;
    fixture->rows[0] = (struct dns_row){"a.example", many, NULL, 0, STREAM_ONLY, 60};
    watch(fixture, &watched, "a.example");
    turn_until(fixture, &watched, 1);
    assert_addr(&watched, "10.0.1.3");
    resolver_unwatch(&watched.name);
}

/* ---- a name over time ---- */

static void test_change_of_address(void **state)
{
    struct fixture *fixture = *state;
    struct watched watched;
    fixture->rows[0] = (struct dns_row){"a.example", "10.0.0.5", NULL, 0, ANSWER, 0};
    watch(fixture, &watched, "a.example");
    turn_until(fixture, &watched, 1);
    assert_addr(&watched, "10.0.0.5");

    /* A lower one does not take over while the first is there. */
    fixture->rows[0].v4 = "10.0.0.1 10.0.0.5";
    fixture->rows[0].v6 = "fd00::1";
    turn_until(fixture, &watched, 2);
    assert_addr(&watched, "10.0.0.5");

    fixture->rows[0].v4 = "10.0.0.7 10.0.0.3";
    turn_until(fixture, &watched, 3);
    assert_addr(&watched, "10.0.0.3");

    /* What goes wrong takes nothing away. */
    fixture->rows[0].rcode = 3;
    turn_until(fixture, &watched, 4);
    assert_int_equal(watched.name.status, RESOLVER_NO_NAME);
    assert_addr(&watched, "10.0.0.3");
    fixture->rows[0].rcode = 0;
    fixture->rows[0].way = GARBAGE;
    turn_until(fixture, &watched, 5);
    assert_int_equal(watched.name.status, RESOLVER_GARBAGE);
    assert_addr(&watched, "10.0.0.3");
    resolver_unwatch(&watched.name);
}

/* Only AAAA is answered: the IPv4 address is not given up for that. */
static void test_half_an_answer(void **state)
{
    struct fixture *fixture = *state;
    struct watched watched;
    fixture->rows[0] = (struct dns_row){"a.example", "10.0.0.5", "fd00::1", 0, ANSWER, 0};
    watch(fixture, &watched, "a.example.");
    turn_until(fixture, &watched, 1);
    fixture->rows[0].way = ONLY_V6_ANSWERS;
    turn_until(fixture, &watched, 2);
    assert_int_equal(watched.name.status, RESOLVER_TIMEOUT);
    assert_addr(&watched, "10.0.0.5");
    resolver_unwatch(&watched.name);
}

static void test_timeout(void **state)
{
    struct fixture *fixture = *state;
    struct watched silent, forged;
    fixture->rows[0] = (struct dns_row){"a.example", "10.0.0.5", NULL, 0, SILENT, 60};
    fixture->rows[1] = (struct dns_row){"b.example", "10.0.0.5", NULL, 0, WRONG_ID, 60};
    watch(fixture, &silent, "a.example.");
    watch(fixture, &forged, "b.example.");
    turn_until(fixture, &silent, 1);
    turn_until(fixture, &forged, 1);
    assert_int_equal(silent.name.status, RESOLVER_TIMEOUT);
    assert_int_equal(forged.name.status, RESOLVER_TIMEOUT);
    assert_int_equal(forged.name.addr.len, 0);
    /* It is asked again behind a failure. */
    fixture->rows[0].way = ANSWER;
    turn_until(fixture, &silent, 2);
    assert_addr(&silent, "10.0.0.5");
    resolver_unwatch(&silent.name);
    resolver_unwatch(&forged.name);
}

static void test_no_server(void **state)
{
    struct fixture *fixture = *state;
    struct watched watched;
    close(fixture->udp_fd);
    fixture->udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    watch(fixture, &watched, "a.example");
    turn_until(fixture, &watched, 1);
    assert_int_equal(watched.name.status, RESOLVER_NO_SERVER);
    resolver_unwatch(&watched.name);
}

/* ---- many ---- */

static void test_many_names(void **state)
{
    struct fixture *fixture = *state;
    struct watched *watched = MEM_NEW_ARRAY(struct watched, ROWS_MAX);
    fixture->rows[0] = (struct dns_row){"a.example", "10.0.0.5", NULL, 0, ANSWER, 60};
    for (size_t i = 0; i < ROWS_MAX; i++)
        watch(fixture, &watched[i], "a.example");
    for (size_t i = 0; i < ROWS_MAX; i++)
        turn_until(fixture, &watched[i], 1);
    for (size_t i = 0; i < ROWS_MAX; i++) {
        assert_addr(&watched[i], "10.0.0.5");
        resolver_unwatch(&watched[i].name);
    }
    assert_int_equal(fixture->n_questions, 2 * ROWS_MAX);
    mem_free(watched);
}

/* Whoever unwatches while it is asked hears nothing any more. */
static void test_unwatch_under_way(void **state)
{
    struct fixture *fixture = *state;
    struct watched watched, other;
    fixture->rows[0] = (struct dns_row){"a.example", "10.0.0.5", NULL, 0, ANSWER, 60};
    for (unsigned n_turns = 0; n_turns < 3; n_turns++) {
        watch(fixture, &watched, "a.example");
        watch(fixture, &other, "a.example");
        for (unsigned i = 0; i < n_turns; i++)
            loop_turn(fixture->loop, 0);
        resolver_unwatch(&watched.name);
        resolver_unwatch(&watched.name);
        turn_until(fixture, &other, 1);
        assert_int_equal(watched.n_answers, 0);
        resolver_unwatch(&other.name);
    }
}

static void test_configure_anew(void **state)
{
    struct fixture *fixture = *state;
    struct watched watched;
    char conf[100];
    fixture->rows[0] = (struct dns_row){"a.example", "10.0.0.5", NULL, 0, ANSWER, 60};
    watch(fixture, &watched, "a.example");
    turn_until(fixture, &watched, 1);
    snprintf(conf, sizeof(conf), "nameserver 127.0.0.1:%u\nsearch internal\n", fixture->port);
    resolver_configure(fixture->resolver, SLICE("10.9.9.9 fixed\n"), slice_from(conf));
    turn_for(fixture, 100);
    assert_int_equal(watched.n_answers, 1); /* nothing is new */
    resolver_configure(fixture->resolver, SLICE("10.8.8.8 a.example\n"), slice_from(conf));
    turn_until(fixture, &watched, 2);
    assert_addr(&watched, "10.8.8.8");
    assert_true(watched.name.is_static);
    /* In the middle of a look-up, and back to DNS. */
    resolver_configure(fixture->resolver, SLICE(""), slice_from(conf));
    loop_turn(fixture->loop, 0);
    loop_turn(fixture->loop, 0);
    resolver_configure(fixture->resolver, SLICE("# x\n"), slice_from(conf));
    turn_until(fixture, &watched, 3);
    assert_addr(&watched, "10.0.0.5");
    assert_false(watched.name.is_static);
    resolver_unwatch(&watched.name);
}

/* What an earlier life knew counts as the address in force. */
static void test_preset(void **state)
{
    struct fixture *fixture = *state;
    struct watched watched = {.n_answers = 0};
    fixture->rows[0] = (struct dns_row){"a.example", "10.0.0.1 10.0.0.5", NULL, 0, ANSWER, 60};
    resolver_name_init(&watched.name);
    assert_int_equal(addr_parse(SLICE("10.0.0.5:80"), &watched.name.addr, NULL), 0);
    resolver_watch(fixture->resolver, &watched.name, SLICE("a.example"), on_answer);
    turn_until(fixture, &watched, 1);
    assert_addr(&watched, "10.0.0.5");
    resolver_unwatch(&watched.name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_change_of_address, setup, teardown),
        cmocka_unit_test_setup_teardown(test_half_an_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_server, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unwatch_under_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_configure_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_preset, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
