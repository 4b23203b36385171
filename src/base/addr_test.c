/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses: what is taken and comes back the same, what is refused and with which sentence, the
 * values that the kernel may hand us, and networks.
 */
#include "base/addr.h"
#include "base/mem.h"
#include <arpa/inet.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct addr addr_of(const char *text)
{
    struct addr addr;
    struct err err = ERR_NONE;
    if (addr_parse(slice_from(text), &addr, &err) < 0)
        fail_msg("%s", err.text);
    return addr;
}

/* An IP address without a port. */
static struct addr ip_of(const char *text)
{
    struct addr addr;
    struct err err = ERR_NONE;
    if (addr_parse_ip(slice_from(text), 0, &addr, &err) < 0)
        fail_msg("%s", err.text);
    return addr;
}

static void test_parse_and_format(void **state)
{
    (void)state;
    static const struct {
        const char *text, *formatted, *ip;
        int family;
        uint16_t port;
    } rows[] = {
        {"10.0.0.1:80", "10.0.0.1:80", "10.0.0.1", AF_INET, 80},
        {"0.0.0.0:1", "0.0.0.0:1", "0.0.0.0", AF_INET, 1},
        {"255.255.255.255:65535", "255.255.255.255:65535", "255.255.255.255", AF_INET, 65535},
        {"[::]:80", "[::]:80", "::", AF_INET6, 80},
        {"[::1]:8080", "[::1]:8080", "::1", AF_INET6, 8080},
        {"[2001:DB8:0:0::1]:443", "[2001:db8::1]:443", "2001:db8::1", AF_INET6, 443},
        {"[::ffff:10.0.0.1]:80", "[::ffff:10.0.0.1]:80", "::ffff:10.0.0.1", AF_INET6, 80},
        {"unix:/run/app.sock", "unix:/run/app.sock", "unix", AF_UNIX, 0},
        {"unix:/a b:80", "unix:/a b:80", "unix", AF_UNIX, 0},
        {"unix:@app", "unix:@app", "unix", AF_UNIX, 0},
        {"unix:@/x/", "unix:@/x/", "unix", AF_UNIX, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct addr addr = addr_of(rows[i].text);
        char text[ADDR_TEXT_MAX];
        assert_string_equal(addr_format(&addr, text), rows[i].formatted);
        assert_string_equal(addr_format_ip(&addr, text), rows[i].ip);
        assert_int_equal(addr_family(&addr), rows[i].family);
        assert_int_equal(addr_port(&addr), rows[i].port);
        struct addr again = addr_of(rows[i].formatted);
        assert_true(addr_equal(&addr, &again));
        assert_int_equal(addr.len, again.len);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        struct slice text;
        const char *sentence;
    } rows[] = {
#define ROW(text, sentence) {SLICE_INIT(text), sentence}
        ROW("", "the address is empty: write 10.0.0.1:80, [::1]:80 or unix:/path"),
        ROW("10.0.0.1", "\"10.0.0.1\" has no port: write 10.0.0.1:80"),
        ROW("10.0.0.1:", "\"10.0.0.1:\" ends where its port belongs: write 10.0.0.1:80"),
        ROW("10.0.0.1:0", "\"10.0.0.1:0\": \"0\" is not a port: write a number from 1 to 65535"),
        ROW("10.0.0.1:65536",
            "\"10.0.0.1:65536\": \"65536\" is not a port: write a number from 1 to 65535"),
        ROW("10.0.0.1:http",
            "\"10.0.0.1:http\": \"http\" is not a port: write a number from 1 to 65535"),
        ROW("10.0.0.1:+80",
            "\"10.0.0.1:+80\": \"+80\" is not a port: write a number from 1 to 65535"),
        ROW("10.0.0.1:080", "\"10.0.0.1:080\": the port 080 starts with a zero: write 80"),
        ROW("010.0.0.1:80", "\"010.0.0.1:80\": 010 starts with a zero, which some programs read as "
                            "octal: write 10"),
        ROW("10.0.0.00:80", "\"10.0.0.00:80\": 00 starts with a zero, which some programs read as "
                            "octal: write 0"),
        ROW("10.0.0.256:80",
            "\"10.0.0.256:80\": 256 is above 255, the largest number in an IPv4 address"),
        ROW("10.0.1:80", "\"10.0.1:80\" has fewer than four numbers: write it like 10.0.0.1"),
        ROW("1.2.3.4.5:80", "\"1.2.3.4.5:80\" has more than four numbers: write it like 10.0.0.1"),
        ROW("10..0.1:80",
            "\"10..0.1:80\" has a number missing beside a dot: write it like 10.0.0.1"),
        ROW("10.0.0.1.:80", "\"10.0.0.1.:80\" has more than four numbers: write it like 10.0.0.1"),
        ROW("8080", "\"8080\" has no IP address: write 127.0.0.1:8080, or 0.0.0.0:8080 for all"),
        ROW(":80", "\":80\" has no IP address: write 0.0.0.0:80 for all addresses"),
        ROW("*:80", "\"*:80\" has no IP address: write 0.0.0.0:80 for all addresses"),
        ROW(":", "\":\" has no IP address: write 0.0.0.0:80 for all addresses"),
        ROW("web:80", "\"web:80\": \"web\" is not an IP address: write it like 10.0.0.1:80"),
        ROW("web", "\"web\" is not an address: write it like 10.0.0.1:80, [::1]:80 or unix:/path"),
        ROW("10.0.0.1:80 ",
            "\"10.0.0.1:80 \": \"80 \" is not a port: write a number from 1 to 65535"),
        ROW(" 10.0.0.1:80",
            "\" 10.0.0.1:80\": \" 10.0.0.1\" is not an IP address: write it like 10.0.0.1:80"),
        ROW("10.0.0.1\0:80",
            "\"10.0.0.1?:80\": \"10.0.0.1?\" is not an IP address: write it like 10.0.0.1:80"),
        ROW("10.0.0.0/8", "\"10.0.0.0/8\" is a network where an address belongs: write it like "
                          "10.0.0.1:80"),
        ROW("::1", "\"::1\" has no port: write [::1]:80"),
        ROW("::1:80",
            "\"::1:80\" needs brackets to tell its address from its port: write [::1]:80"),
        ROW("2001:db8::1", "\"2001:db8::1\" has no port: write [2001:db8::1]:80"),
        ROW("a:b:c", "\"a:b:c\" is not an address: write it like 10.0.0.1:80 or [::1]:80"),
        ROW("::", "\"::\" has no port: write [::]:80"),
        ROW("[::1]", "\"[::1]\" has no port: write [::1]:80"),
        ROW("[::1", "\"[::1\" has no ] behind its IPv6 address: write it like [::1]:80"),
        ROW("[::1]80", "\"[::1]80\" has no : between ] and its port: write it like [::1]:80"),
        ROW("[::1]:", "\"[::1]:\" ends where its port belongs: write [::1]:80"),
        ROW("[]:80", "\"[]:80\" holds no IPv6 address that is right: write it like "
                     "[2001:db8::1]:80"),
        ROW("[::1\0]:80", "\"[::1?]:80\" holds no IPv6 address that is right: write it like "
                          "[2001:db8::1]:80"),
        ROW("[10.0.0.1]:80", "\"[10.0.0.1]:80\" holds no IPv6 address that is right: write it like "
                             "[2001:db8::1]:80"),
        ROW("[fe80::1%eth0]:80", "\"[fe80::1%eth0]:80\" names an interface after %, which is not "
                                 "possible here: write an address that needs none"),
        ROW("/run/app.sock", "\"/run/app.sock\" is a path: write unix:/run/app.sock"),
        ROW("unix:", "\"unix:\" has no path: write it like unix:/run/app.sock or unix:@app"),
        ROW("unix:@", "\"unix:@\" has no name behind the @: write it like unix:/run/app.sock or "
                      "unix:@app"),
        ROW("unix:a/b", "\"unix:a/b\" has no / at the start of its path: write unix:/a/b"),
        ROW("unix:/run/", "\"unix:/run/\" is a folder: write the path of the socket in it"),
        ROW("unix:/a\nb", "\"unix:/a?b\" has a control character in it: write it without"),
        ROW("unix:@a\0b", "\"unix:@a?b\" has a control character in it: write it without"),
#undef ROW
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct addr addr = {.len = 4711};
        struct err err = ERR_NONE;
        assert_int_equal(addr_parse(rows[i].text, &addr, &err), -1);
        assert_string_equal(err.text, rows[i].sentence);
        assert_int_equal(addr.len, 4711);
        assert_int_equal(addr_parse(rows[i].text, &addr, NULL), -1);
    }
}

static void test_unix_lengths(void **state)
{
    (void)state;
    static const struct {
        size_t len; /* behind "unix:" */
        char first;
        bool is_fine;
    } rows[] = {{107, '/', true}, {108, '/', false}, {108, '@', true}, {109, '@', false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[200] = "unix:", formatted[ADDR_TEXT_MAX];
        memset(text + 5, 'x', rows[i].len);
        text[5] = rows[i].first;
        struct addr addr;
        struct err err = ERR_NONE;
        assert_int_equal(addr_parse(slice_from(text), &addr, &err), rows[i].is_fine ? 0 : -1);
        if (rows[i].is_fine) {
            assert_string_equal(addr_format(&addr, formatted), text);
            assert_int_equal(addr.len, sizeof(struct sockaddr_un));
            continue;
        }
        char expected[100];
        (void)snprintf(expected, sizeof(expected), "... has %zu bytes behind unix:, and",
                       rows[i].len);
        assert_null(strstr(err.text, expected)); /* the quote's dots stand before the mark */
        assert_non_null(strstr(err.text, expected + 4));
    }
}

static void test_parse_ip(void **state)
{
    (void)state;
    static const struct {
        const char *text, *formatted, *sentence;
    } rows[] = {
        {"10.0.0.1", "10.0.0.1:53", NULL},
        {"::1", "[::1]:53", NULL},
        {"[::1]", "[::1]:53", NULL},
        {"", NULL, "the IP address is empty: write it like 10.0.0.1 or 2001:db8::1"},
        {"10.0.0.1:80", NULL,
         "\"10.0.0.1:80\" has a port where an address alone belongs: write 10.0.0.1"},
        {"[::1]:80", NULL, "\"[::1]:80\" has a port where an address alone belongs: write ::1"},
        {"[10.0.0.1]", NULL,
         "\"[10.0.0.1]\" holds no IPv6 address that is right: write it like 2001:db8::1"},
        {"web", NULL, "\"web\" is not an IP address: write it like 10.0.0.1 or 2001:db8::1"},
        {"1", NULL, "\"1\" is not an IP address: write it like 10.0.0.1 or 2001:db8::1"},
        {"unix:/a", NULL,
         "\"unix:/a\" is not an IP address: write it like 10.0.0.1 or 2001:db8::1"},
        {"1:2:3", NULL, "\"1:2:3\" holds no IPv6 address that is right: write it like 2001:db8::1"},
        {"10.0.0.01", NULL,
         "\"10.0.0.01\": 01 starts with a zero, which some programs read as octal: write 1"},
        {"::ffff:10.0.0.01", NULL,
         "\"::ffff:10.0.0.01\" holds no IPv6 address that is right: write it like 2001:db8::1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct addr addr;
        struct err err = ERR_NONE;
        char text[ADDR_TEXT_MAX];
        int result = addr_parse_ip(slice_from(rows[i].text), 53, &addr, &err);
        assert_int_equal(result, rows[i].formatted ? 0 : -1);
        if (rows[i].formatted)
            assert_string_equal(addr_format(&addr, text), rows[i].formatted);
        else
            assert_string_equal(err.text, rows[i].sentence);
    }
}

static void test_equal(void **state)
{
    (void)state;
    static const char *const all[] = {"10.0.0.1:80",
                                      "10.0.0.1:81",
                                      "10.0.0.2:80",
                                      "[::1]:80",
                                      "[::1]:81",
                                      "[::2]:80",
                                      "unix:/a",
                                      "unix:/ab",
                                      "unix:@/a",
                                      "unix:@/a\x01",
                                      "[::ffff:10.0.0.1]:80"};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        for (size_t j = 0; j < ARRAY_LEN(all); j++) {
            struct addr a, b;
            if (addr_parse(slice_from(all[i]), &a, NULL) < 0 ||
                addr_parse(slice_from(all[j]), &b, NULL) < 0)
                continue;
            assert_int_equal(addr_equal(&a, &b), i == j);
        }
    struct addr none = {.len = 0}, some = addr_of("10.0.0.1:80");
    assert_true(addr_equal(&none, &none));
    assert_false(addr_equal(&none, &some) || addr_equal(&some, &none));
}

/* Lengths as accept(2), getsockname(2) and recvfrom(2) return them. */
static void test_unix_from_the_kernel(void **state)
{
    (void)state;
    char text[ADDR_TEXT_MAX];
    struct addr unnamed = {.len = sizeof(sa_family_t)};
    unnamed.un.sun_family = AF_UNIX;
    assert_string_equal(addr_format(&unnamed, text), "unix:");
    struct addr without_nul = addr_of("unix:/a"), with_nul = without_nul;
    without_nul.len--;
    assert_true(addr_equal(&without_nul, &with_nul));
    assert_string_equal(addr_format(&without_nul, text), "unix:/a");
    struct addr full = {.len = sizeof(struct sockaddr_un)};
    full.un.sun_family = AF_UNIX;
    memset(full.un.sun_path, 'x', sizeof(full.un.sun_path));
    assert_int_equal(strlen(addr_format(&full, text)), 5 + sizeof(full.un.sun_path));
    struct addr binary = {.len = offsetof(struct sockaddr_un, sun_path) + 4};
    binary.un.sun_family = AF_UNIX;
    memcpy(binary.un.sun_path, "\0a\0\n", 4);
    assert_string_equal(addr_format(&binary, text), "unix:@a??");
}

static void test_ports_and_none(void **state)
{
    (void)state;
    char text[ADDR_TEXT_MAX];
    struct addr addr = addr_of("10.0.0.1:80");
    addr_set_port(&addr, 8080);
    assert_string_equal(addr_format(&addr, text), "10.0.0.1:8080");
    addr = addr_of("[::1]:80");
    addr_set_port(&addr, 8080);
    assert_string_equal(addr_format(&addr, text), "[::1]:8080");
    addr = addr_of("unix:/a");
    addr_set_port(&addr, 8080);
    assert_string_equal(addr_format(&addr, text), "unix:/a");
    addr = (struct addr){.len = 0};
    addr_set_port(&addr, 8080);
    assert_int_equal(addr_port(&addr), 0);
    assert_string_equal(addr_format(&addr, text), "none");
    assert_string_equal(addr_format_ip(&addr, text), "none");
}

static void test_net_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text, *ip;
        unsigned n_bits;
        const char *sentence;
    } rows[] = {
        {"10.0.0.0/8", "10.0.0.0", 8, NULL},
        {"0.0.0.0/0", "0.0.0.0", 0, NULL},
        {"10.0.0.1", "10.0.0.1", 32, NULL},
        {"10.0.0.1/32", "10.0.0.1", 32, NULL},
        {"10.0.0.128/25", "10.0.0.128", 25, NULL},
        {"2001:db8::/32", "2001:db8::", 32, NULL},
        {"::/0", "::", 0, NULL},
        {"::1", "::1", 128, NULL},
        {"2001:db8::8000:0:0:0/65", "2001:db8:0:0:8000::", 65, NULL},
        {"", NULL, 0, "the network is empty: write it like 10.0.0.0/8 or 2001:db8::/32"},
        {"/8", NULL, 0, "\"/8\" has no address before its /: write it like 10.0.0.0/8"},
        {"10.0.0.0/", NULL, 0, "\"10.0.0.0/\" ends where its length belongs: write 10.0.0.0/32"},
        {"10.0.0.0/33", NULL, 0,
         "\"10.0.0.0/33\": \"33\" is not a length: write a number from 0 to 32 behind /"},
        {"::/129", NULL, 0,
         "\"::/129\": \"129\" is not a length: write a number from 0 to 128 behind /"},
        {"10.0.0.0/08", NULL, 0,
         "\"10.0.0.0/08\": \"08\" is not a length: write a number from 0 to 32 behind /"},
        {"10.0.0.0/255.0.0.0", NULL, 0,
         "\"10.0.0.0/255.0.0.0\": \"255.0.0.0\" is not a length: write a number from 0 to 32 "
         "behind /"},
        {"10.0.0.1/8", NULL, 0, "\"10.0.0.1/8\" has bits set behind its first 8: write 10.0.0.0/8"},
        {"10.0.0.1/0", NULL, 0, "\"10.0.0.1/0\" has bits set behind its first 0: write 0.0.0.0/0"},
        {"10.0.0.129/25", NULL, 0,
         "\"10.0.0.129/25\" has bits set behind its first 25: write 10.0.0.128/25"},
        {"2001:db8::1/127", NULL, 0,
         "\"2001:db8::1/127\" has bits set behind its first 127: write 2001:db8::/127"},
        {"[::1]/128", NULL, 0,
         "\"[::1]/128\" has brackets, which only a port needs: write it like ::1/128"},
        {"10.0.0.1:80", NULL, 0,
         "\"10.0.0.1:80\" has a port where an address alone belongs: write 10.0.0.1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct addr_net net;
        struct err err = ERR_NONE;
        char text[ADDR_TEXT_MAX];
        int result = addr_net_parse(slice_from(rows[i].text), &net, &err);
        if (rows[i].sentence) {
            assert_int_equal(result, -1);
            assert_string_equal(err.text, rows[i].sentence);
            continue;
        }
        assert_int_equal(result, 0);
        assert_string_equal(addr_format_ip(&net.base, text), rows[i].ip);
        assert_int_equal(net.n_bits, rows[i].n_bits);
        assert_int_equal(addr_port(&net.base), 0);
    }
}

static void test_net_has(void **state)
{
    (void)state;
    static const struct {
        const char *net, *ip;
        bool is_in;
    } rows[] = {
        {"10.0.0.0/8", "10.255.0.1", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "9.255.255.255", false},
        {"0.0.0.0/0", "255.0.0.1", true},
        {"10.0.0.1", "10.0.0.1", true},
        {"10.0.0.1", "10.0.0.0", false},
        {"10.0.0.128/25", "10.0.0.127", false},
        {"10.0.0.128/25", "10.0.0.255", true},
        {"172.16.0.0/12", "172.31.255.255", true},
        {"172.16.0.0/12", "172.32.0.0", false},
        {"10.0.0.0/8", "::ffff:10.1.2.3", true},
        {"10.0.0.0/8", "::ffff:11.1.2.3", false},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "10.0.0.1", false},
        {"::/0", "::ffff:10.0.0.1", true},
        {"::ffff:0.0.0.0/96", "::ffff:10.0.0.1", true},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"::1", "::1", true},
        {"::1", "::2", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct addr_net net;
        assert_int_equal(addr_net_parse(slice_from(rows[i].net), &net, NULL), 0);
        struct addr addr = ip_of(rows[i].ip);
        addr_set_port(&addr, 4711);
        assert_int_equal(addr_net_has(&net, &addr), rows[i].is_in);
    }
    struct addr_net all;
    assert_int_equal(addr_net_parse(SLICE("0.0.0.0/0"), &all, NULL), 0);
    struct addr local = addr_of("unix:/a"), none = {.len = 0};
    assert_false(addr_net_has(&all, &local) || addr_net_has(&all, &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_and_format),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_unix_lengths),
        cmocka_unit_test(test_parse_ip),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_unix_from_the_kernel),
        cmocka_unit_test(test_ports_and_none),
        cmocka_unit_test(test_net_parse),
        cmocka_unit_test(test_net_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
