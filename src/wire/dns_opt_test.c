/* SPDX-License-Identifier: Apache-2.0 */

/*
 * OPT and TSIG records: byte for byte, in too little room, and read again as a query's.
 */

#include "wire/dns_opt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CC   "\1\2\3\4\5\6\7\x08"
#define HEAD "\x12\x34\1\0\0\1\0\0\0\0\0\1\1a\3org\0\0\1\0\1"

/* In exactly the room that it takes, and in less. */
static size_t write_opt(const struct dns_opt *opt, uint8_t *out)
{
    size_t len = dns_opt_bytes(opt);
    for (size_t cap = 0; cap < len; cap++) {
        uint8_t *small = malloc(cap + 1);
        assert_non_null(small);
        assert_int_equal(dns_opt_write(opt, small, cap), 0);
        free(small);
    }
    assert_int_equal(dns_opt_write(opt, out, len), len);
    return len;
}

static void test_bytes(void **state)
{
    (void)state;
    static const struct dns_subnet subnet = {
        .family = 1,
        .source_bits = 20,
        .scope_bits = 16,
        .addr = {.len = sizeof(struct sockaddr_in), .in4 = {.sin_family = AF_INET}}};
    static const struct {
        struct dns_opt opt;
        struct slice want;
    } cases[] = {
        {{.udp_bytes = 1232}, SLICE_INIT("\0\0\x29\4\xd0\0\0\0\0\0\0")},
        {{.udp_bytes = 512, .is_dnssec_ok = true, .rcode = DNS_BADVERS},
         SLICE_INIT("\0\0\x29\2\0\1\0\x80\0\0\0")},
        {{.udp_bytes = 512,
          .rcode = DNS_BADCOOKIE,
          .client_cookie = SLICE_INIT(CC),
          .server_cookie = SLICE_INIT(CC CC)},
         SLICE_INIT("\0\0\x29\2\0\1\0\0\0\0\x1c\0\12\0\x18" CC CC CC)},
        {{.udp_bytes = 512,
          .nsid = SLICE_INIT("ns1"),
          .has_keepalive = true,
          .keepalive_ticks = 300},
         SLICE_INIT("\0\0\x29\2\0\0\0\0\0\0\x0d\0\3\0\3ns1\0\x0b\0\2\1\x2c")},
        {{.udp_bytes = 512, .subnet = &subnet},
         SLICE_INIT("\0\0\x29\2\0\0\0\0\0\0\x0b\0\x08\0\7\0\1\x14\x10\0\0\0")},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t out[256];
        size_t len = write_opt(&cases[i].opt, out);
        assert_true(slice_equal(slice_make((char *)out, len), cases[i].want));
    }
}

/* What is written as an answer's reads as a query's. */
static void test_read_again(void **state)
{
    (void)state;
    struct dns_subnet subnet = {.family = 2, .source_bits = 49};
    char packet[256] = HEAD;
    struct dns_query query;
    assert_int_equal(addr_parse_ip(SLICE("2001:db8:1:8000::"), 0, &subnet.addr, NULL), 0);
    struct dns_opt opt = {.udp_bytes = 4096,
                          .is_dnssec_ok = true,
                          .client_cookie = SLICE(CC),
                          .server_cookie = SLICE(CC CC),
                          .has_keepalive = true,
                          .nsid = SLICE("x"),
                          .subnet = &subnet};
    size_t len = sizeof(HEAD) - 1;
    len += write_opt(&opt, (uint8_t *)packet + len);
    assert_int_equal(dns_query_parse(slice_make(packet, len), &query), DNS_OK);
    assert_int_equal(query.udp_bytes, 4096);
    assert_true(query.is_dnssec_ok && query.is_nsid_wanted && query.has_keepalive);
    assert_true(slice_equal(query.cookie, SLICE(CC CC CC)));
    assert_int_equal(query.subnet.source_bits, 49);
    assert_true(addr_equal(&query.subnet.addr, &subnet.addr));
}

#define TSIG_FIXED "\0\0\xfa\0\xff\0\0\0\0"
#define TSIG_TIME  "\0\0\1\2\3\4\1\x2c"
#define ALGORITHM  "\x0bhmac-sha256\0"

static void test_tsig(void **state)
{
    (void)state;
    static const struct {
        struct slice packet, want;
    } cases[] = {
        {SLICE_INIT(HEAD "\3key" TSIG_FIXED "\0\x21" ALGORITHM TSIG_TIME
                         "\0\4MACX\x12\x34\0\0\0\0"),
         SLICE_INIT("\3key" TSIG_FIXED "\0\x1d" ALGORITHM TSIG_TIME "\0\0\x12\x34\0\x11\0\0")},
        {SLICE_INIT(HEAD "\3key\xc0\x0e\0\xfa\0\xff\0\0\0\0\0\x1f" ALGORITHM TSIG_TIME
                         "\0\0\x12\x34\0\0\0\2??"),
         SLICE_INIT("\3key\xc0\x0e\0\xfa\0\xff\0\0\0\0\0\x1d" ALGORITHM TSIG_TIME
                    "\0\0\x12\x34\0\x11\0\0")},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dns_query query;
        uint8_t out[128];
        assert_int_equal(dns_query_parse(cases[i].packet, &query), DNS_NOTAUTH);
        for (size_t cap = 0; cap < cases[i].want.len; cap++)
            assert_int_equal(dns_tsig_write(query.tsig, out, cap), 0);
        size_t len = dns_tsig_write(query.tsig, out, cases[i].want.len);
        assert_true(slice_equal(slice_make((char *)out, len), cases[i].want));
        assert_true(len <= query.tsig.len);
    }
}

/* An owner's name that ends behind the question cannot be repeated. */
static void test_tsig_elsewhere(void **state)
{
    (void)state;
    static const char *const pointers[] = {"\xc0\x0b", "\xc0\x13", "\xff\xff"};
    static const char packet[] =
        HEAD "\3key??\0\xfa\0\xff\0\0\0\0\0\x1d" ALGORITHM TSIG_TIME "\0\0\x12\x34\0\0\0\0";
    for (size_t i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++) {
        char copy[sizeof(packet)];
        struct dns_query query;
        memcpy(copy, packet, sizeof(packet));
        memcpy(copy + sizeof(HEAD) - 1 + 4, pointers[i], 2);
        assert_int_equal(dns_query_parse(slice_make(copy, sizeof(packet) - 1), &query),
                         DNS_FORMERR);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_read_again),
        cmocka_unit_test(test_tsig),
        cmocka_unit_test(test_tsig_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
