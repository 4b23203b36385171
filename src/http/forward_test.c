/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a member is told of the client, line by line: each style, trusted and not, with what the
 * client said of itself.
 */

#include "http/forward.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *name;
    int style;
    char flags[8]; /* t: trusted, s: https, v: via, i: request id */
    const char *ip;
    uint16_t port;
    const char *fields; /* of the request, behind GET / HTTP/1.1 */
    const char *want;
    uint64_t drop;
};

#define XFF       H1_SET(H1_FIELD_X_FORWARDED_FOR)
#define FORWARDED H1_SET(H1_FIELD_FORWARDED)
#define HOST      "Host: a.org:81\r\n"

static const struct row rows[] = {
    {"nothing", FORWARD_OFF, "", "1.2.3.4", 80, HOST, "", 0},
    {"via alone", FORWARD_OFF, "v", "1.2.3.4", 80, HOST, "Via: 1.1 weir\r\n", 0},
    {"the default", FORWARD_X, "v", "1.2.3.4", 80, HOST,
     "Via: 1.1 weir\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: http\r\n"
     "X-Forwarded-Host: a.org:81\r\nX-Forwarded-Port: 80\r\n",
     0},
    {"https, a large port, IPv6", FORWARD_X, "s", "2001:db8::1", 65535, HOST,
     "X-Forwarded-For: 2001:db8::1\r\nX-Forwarded-Proto: https\r\n"
     "X-Forwarded-Host: a.org:81\r\nX-Forwarded-Port: 65535\r\n",
     0},
    {"a unix socket", FORWARD_X, "", "unix", 0, HOST,
     "X-Forwarded-For: unix\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a.org:81\r\n", 0},
    {"lies", FORWARD_X, "", "1.2.3.4", 80,
     HOST "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n",
     "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a.org:81\r\n"
     "X-Forwarded-Port: 80\r\n",
     0},
    {"a proxy that says nothing", FORWARD_X, "t", "1.2.3.4", 80, HOST,
     "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a.org:81\r\n"
     "X-Forwarded-Port: 80\r\n",
     0},
    {"a proxy that says all", FORWARD_X, "t", "1.2.3.4", 80,
     HOST "X-Forwarded-For: 9.9.9.9, 8.8.8.8\r\nX-Forwarded-Proto: https\r\n"
          "x-forwarded-for: 7.7.7.7\r\nX-Forwarded-Host: b\r\nX-Forwarded-Port: 1\r\n"
          "X-Forwarded-For:\r\n",
     "X-Forwarded-For: 9.9.9.9, 8.8.8.8, 7.7.7.7, 1.2.3.4\r\n", XFF},
    {"RFC 7239", FORWARD_RFC7239, "", "1.2.3.4", 80, HOST,
     "Forwarded: for=1.2.3.4;host=\"a.org:81\";proto=http\r\n", 0},
    {"RFC 7239 from IPv6", FORWARD_RFC7239, "s", "2001:db8::1", 80, HOST,
     "Forwarded: for=\"[2001:db8::1]\";host=\"a.org:81\";proto=https\r\n", 0},
    {"RFC 7239 from a unix socket", FORWARD_RFC7239, "", "unix", 0, HOST,
     "Forwarded: for=unknown;host=\"a.org:81\";proto=http\r\n", 0},
    {"RFC 7239 and lies", FORWARD_RFC7239, "", "1.2.3.4", 80, HOST "Forwarded: for=6.6.6.6\r\n",
     "Forwarded: for=1.2.3.4;host=\"a.org:81\";proto=http\r\n", 0},
    {"RFC 7239 from a proxy", FORWARD_RFC7239, "t", "1.2.3.4", 80,
     HOST "Forwarded: for=9.9.9.9\r\nForwarded: for=8.8.8.8\r\n",
     "Forwarded: for=9.9.9.9, for=8.8.8.8, for=1.2.3.4;host=\"a.org:81\";proto=http\r\n",
     FORWARDED},
    {"both", FORWARD_BOTH, "t", "1.2.3.4", 0, HOST "X-Forwarded-For: 9.9.9.9\r\n",
     "X-Forwarded-For: 9.9.9.9, 1.2.3.4\r\nX-Forwarded-Proto: http\r\n"
     "X-Forwarded-Host: a.org:81\r\nForwarded: for=1.2.3.4;host=\"a.org:81\";proto=http\r\n",
     XFF},
    {"a proxy, and off", FORWARD_OFF, "t", "1.2.3.4", 80, HOST "X-Forwarded-For: 9.9.9.9\r\n", "",
     0},
    {"a number", FORWARD_OFF, "i", "1.2.3.4", 80, HOST,
     "X-Request-Id: 0123456789abcdef00000000000000ff\r\n", 0},
    {"a number that is there", FORWARD_OFF, "i", "1.2.3.4", 80, HOST "X-Request-ID: mine\r\n", "",
     0},
};

static struct h1_head head;

static void parse(const char *buf, size_t len)
{
    enum h1_error error;
    h1_head_reset(&head);
    assert_int_equal(h1_parse_request(buf, len, &h1_limits_default, &head, &error), len);
}

static void check(const struct row *row)
{
    char buf[1024], out[4096];
    int len = snprintf(buf, sizeof(buf), "GET / HTTP/1.1\r\n%s\r\n", row->fields);
    parse(buf, (size_t)len);
    struct forward_conf conf = {.style = row->style,
                                .is_via = strchr(row->flags, 'v') != NULL,
                                .is_request_id = strchr(row->flags, 'i') != NULL};
    struct forward_asker asker = {.ip = slice_from(row->ip),
                                  .port = row->port,
                                  .is_https = strchr(row->flags, 's') != NULL,
                                  .is_trusted = strchr(row->flags, 't') != NULL,
                                  .id = {0x0123456789abcdef, 0xff}};
    uint64_t drop = 1;
    size_t n = forward_write(out, sizeof(out), &conf, &asker, &head, buf, &drop);
    out[n] = 0;
    if (strcmp(out, row->want) != 0)
        fprintf(stderr, "%s:\n%s\n", row->name, out);
    assert_string_equal(out, row->want);
    assert_true(drop == row->drop);
}

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i]);
}

/* HTTP/1.0 without a Host, and a host that is none. */
static void test_hosts(void **state)
{
    (void)state;
    static char buf[8192];
    char out[12000];
    struct forward_conf conf = {.style = FORWARD_BOTH, .is_via = true};
    struct forward_asker asker = {.ip = SLICE("1.2.3.4")};
    static const char bare[] = "Via: 1.0 weir\r\nX-Forwarded-For: 1.2.3.4\r\n"
                               "X-Forwarded-Proto: http\r\nForwarded: for=1.2.3.4;proto=http\r\n";
    uint64_t drop;
    parse("GET / HTTP/1.0\r\n\r\n", 18);
    size_t n =
        forward_write(out, sizeof(out), &conf, &asker, &head, "GET / HTTP/1.0\r\n\r\n", &drop);
    assert_int_equal(n, strlen(bare));
    assert_memory_equal(out, bare, n);
    for (int host_len = FORWARD_HOST_MAX; host_len <= FORWARD_HOST_MAX + 1; host_len++) {
        int len = snprintf(buf, sizeof(buf), "GET / HTTP/1.0\r\nHost: %0*d\r\n\r\n", host_len, 0);
        parse(buf, (size_t)len);
        n = forward_write(out, sizeof(out), &conf, &asker, &head, buf, &drop);
        assert_int_equal(n > sizeof(bare), host_len == FORWARD_HOST_MAX);
    }
}

/* The most that can be: every byte of a head goes on, in fields that the peer began. */
static void test_room(void **state)
{
    (void)state;
    static char buf[40000];
    static char out[40000];
    int len = snprintf(buf, sizeof(buf), "GET / HTTP/1.1\r\nHost: %0*d\r\n", FORWARD_HOST_MAX, 0);
    for (int i = 0; i < 98; i++)
        len += snprintf(buf + len, sizeof(buf) - (size_t)len, "X-Forwarded-For:%0*d\r\n", 300, 0);
    len += snprintf(buf + len, sizeof(buf) - (size_t)len, "\r\n");
    parse(buf, (size_t)len);
    struct forward_conf conf = {.style = FORWARD_BOTH, .is_via = true, .is_request_id = true};
    struct forward_asker asker = {
        .ip = SLICE("2001:db8:1111:2222:3333:4444:5555:6666"), .port = 65535, .is_trusted = true};
    uint64_t drop;
    size_t n = forward_write(out, (size_t)len + FORWARD_SLACK, &conf, &asker, &head, buf, &drop);
    assert_true(n > 98 * 302);
}

static void test_trusted(void **state)
{
    (void)state;
    struct addr addr;
    struct addr_net nets[2];
    void *items[2] = {&nets[0], &nets[1]};
    struct forward_conf conf = {.trusted_list = {.items = items, .n_items = 2}};
    assert_int_equal(addr_net_parse(SLICE("10.0.0.0/8"), &nets[0], NULL), 0);
    assert_int_equal(addr_net_parse(SLICE("fd00::/8"), &nets[1], NULL), 0);
    static const struct {
        const char *ip;
        bool is_trusted;
    } peers[] = {{"10.1.2.3", true}, {"11.1.2.3", false}, {"fd00::1", true}, {"fe80::1", false}};
    for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
        assert_int_equal(addr_parse_ip(slice_from(peers[i].ip), 1, &addr, NULL), 0);
        assert_int_equal(forward_trusts(&conf, &addr), peers[i].is_trusted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
