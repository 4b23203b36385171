/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Queries: what earns which verdict, every cut, every byte changed.
 */

#include "wire/dns_name.h"
#include "wire/dns_query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A header: the flags' two bytes and the counts' low bytes. */
#define HEAD(flags, qd, an, ns, ar) "\x12\x34" flags "\0" qd "\0" an "\0" ns "\0" ar
#define QUERY_1(ar)                 HEAD("\1\0", "\1", "\0", "\0", ar)
#define WWW                         "\3WwW\7Example\3org\0"
#define WWW_A                       WWW "\0\1\0\1"
#define WWW_IXFR                    WWW "\0\xfb\0\1"
/* The OPT record: its options, whose length is the literal's. */
#define OPT(udp, ext, version, flags, len, options) \
    "\0\0\x29" udp ext version flags "\0" len options
#define OPT_OF(len, options) OPT("\4\xd0", "\0", "\0", "\0\0", len, options)
#define SOA_BODY                   \
    "\0\0\6\0\1\0\0\0\0\0\x16\0\0" \
    "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5"
#define CC                        "\1\2\3\4\5\6\7\x08"
#define HMAC                      "\13hmac-sha256\0" /* 13 is octal: eleven */
#define TSIG_TAIL                 "\0\0\0\0\0\1\1\x2c\0\2\xaa\xbb\x12\x34\0\0\0\0"
#define TSIG_OF(class, ttl, tail) "\3key\0\0\xfa" class ttl "\0\x1f" HMAC tail
#define TSIG                      TSIG_OF("\0\xff", "\0\0\0\0", TSIG_TAIL)
#define ANY_TXT                   "\0\0\x10\0\1\0\0\0\0\0\2\1x"
#define SIG0                      "\0\0\x18\0\xff\0\0\0\0\0\x03\0\0\5"
#define PACKET(bytes)             SLICE_INIT(bytes)

static const struct row {
    const char *what;
    struct slice packet;
    int verdict;
} rows[] = {
    {"plain", PACKET(QUERY_1("\0") WWW_A), DNS_OK},
    {"the root", PACKET(QUERY_1("\0") "\0\0\2\0\1"), DNS_OK},
    {"a byte of any value", PACKET(QUERY_1("\0") "\4\0\xff.@\0\0\2\0\1"), DNS_OK},
    {"unknown type and class", PACKET(QUERY_1("\0") "\0\xff\xfe\xff\xfd"), DNS_OK},
    {"AA TC RD", PACKET(HEAD("\7\0", "\1", "\0", "\0", "\0") WWW_A), DNS_OK},
    {"RA Z AD CD, an rcode", PACKET(HEAD("\0\xff", "\1", "\0", "\0", "\0") WWW_A), DNS_OK},
    {"a response", PACKET(HEAD("\x81\0", "\1", "\0", "\0", "\0") WWW_A), DNS_SILENCE},
    {"NOTIFY", PACKET(HEAD("\x20\0", "\1", "\0", "\0", "\0") WWW_A), DNS_NOTIMP},
    {"UPDATE", PACKET(HEAD("\x28\0", "\1", "\0", "\0", "\0") WWW_A), DNS_NOTIMP},
    {"opcode 15, nothing behind", PACKET(HEAD("\x78\0", "\1", "\7", "\7", "\7")), DNS_NOTIMP},
    {"no question", PACKET(QUERY_1("\0")), DNS_FORMERR},
    {"none wanted", PACKET(HEAD("\0\0", "\0", "\0", "\0", "\0")), DNS_FORMERR},
    {"none wanted, EDNS", PACKET(HEAD("\0\0", "\0", "\0", "\0", "\1") OPT_OF("\0", "")),
     DNS_FORMERR},
    {"none wanted, a cookie",
     PACKET(HEAD("\0\0", "\0", "\0", "\0", "\1") OPT_OF("\x0c", "\0\12\0\x08" CC)), DNS_OK},
    {"two questions", PACKET(HEAD("\0\0", "\2", "\0", "\0", "\0") WWW_A WWW_A), DNS_FORMERR},
    {"256 questions", PACKET("\x12\x34\0\0\1\1\0\0\0\0\0\0" WWW_A), DNS_FORMERR},
    {"an answer", PACKET(HEAD("\0\0", "\1", "\1", "\0", "\0") WWW_A ANY_TXT), DNS_FORMERR},
    {"an authority", PACKET(HEAD("\0\0", "\1", "\0", "\1", "\0") WWW_A SOA_BODY), DNS_FORMERR},
    {"IXFR", PACKET(HEAD("\0\0", "\1", "\0", "\1", "\0") WWW_IXFR SOA_BODY), DNS_OK},
    {"IXFR with TXT", PACKET(HEAD("\0\0", "\1", "\0", "\1", "\0") WWW_IXFR ANY_TXT), DNS_FORMERR},
    {"IXFR with two", PACKET(HEAD("\0\0", "\1", "\0", "\2", "\0") WWW_IXFR SOA_BODY SOA_BODY),
     DNS_FORMERR},
    {"a byte behind", PACKET(QUERY_1("\0") WWW_A "x"), DNS_FORMERR},
    {"a byte behind OPT", PACKET(QUERY_1("\1") WWW_A OPT_OF("\0", "") "x"), DNS_FORMERR},
    {"a pointer to itself", PACKET(QUERY_1("\0") "\xc0\x0c\0\1\0\1"), DNS_FORMERR},
    {"a pointer forward", PACKET(QUERY_1("\0") "\1a\xc0\x12\0\1\0\1\0"), DNS_FORMERR},
    {"label type 01", PACKET(QUERY_1("\0") "\x41\1\0\0\1\0\1"), DNS_FORMERR},
    {"label type 10", PACKET(QUERY_1("\0") "\x81\1\0\0\1\0\1"), DNS_FORMERR},

    {"EDNS", PACKET(QUERY_1("\1") WWW_A OPT_OF("\0", "")), DNS_OK},
    {"EDNS, flags", PACKET(QUERY_1("\1") WWW_A OPT("\4\xd0", "\0", "\0", "\xff\xff", "\0", "")),
     DNS_OK},
    {"EDNS, an rcode", PACKET(QUERY_1("\1") WWW_A OPT("\4\xd0", "\7", "\0", "\0\0", "\0", "")),
     DNS_OK},
    {"an unknown option", PACKET(QUERY_1("\1") WWW_A OPT_OF("\7", "\xff\0\0\3abc")), DNS_OK},
    {"version 1", PACKET(QUERY_1("\1") WWW_A OPT("\4\xd0", "\0", "\1", "\0\0", "\0", "")),
     DNS_BADVERS},
    {"version 255, options of its own",
     PACKET(QUERY_1("\1") WWW_A OPT("\4\xd0", "\0", "\xff", "\0\0", "\3", "abc")), DNS_BADVERS},
    {"version 1, a byte behind",
     PACKET(QUERY_1("\1") WWW_A OPT("\4\xd0", "\0", "\1", "\0\0", "\0", "") "x"), DNS_FORMERR},
    {"two OPT", PACKET(QUERY_1("\2") WWW_A OPT_OF("\0", "") OPT_OF("\0", "")), DNS_FORMERR},
    {"OPT of a name", PACKET(QUERY_1("\1") WWW_A "\1a" OPT_OF("\0", "")), DNS_FORMERR},
    {"OPT of a pointer", PACKET(QUERY_1("\1") WWW_A "\xc0\x1c\0\x29\4\xd0\0\0\0\0\0\0"),
     DNS_FORMERR},
    {"OPT missing", PACKET(QUERY_1("\1") WWW_A), DNS_FORMERR},
    {"OPT, then another", PACKET(QUERY_1("\2") WWW_A OPT_OF("\0", "") ANY_TXT), DNS_OK},
    {"another, then OPT", PACKET(QUERY_1("\2") WWW_A ANY_TXT OPT_OF("\0", "")), DNS_OK},
    {"an option without its length", PACKET(QUERY_1("\1") WWW_A OPT_OF("\3", "\0\3\0")),
     DNS_FORMERR},
    {"an option too long", PACKET(QUERY_1("\1") WWW_A OPT_OF("\4", "\0\3\0\1")), DNS_FORMERR},
    {"SIG(0)", PACKET(QUERY_1("\1") WWW_A SIG0), DNS_OK},

    {"cookie of 0", PACKET(QUERY_1("\1") WWW_A OPT_OF("\4", "\0\12\0\0")), DNS_FORMERR},
    {"cookie of 7",
     PACKET(QUERY_1("\1") WWW_A OPT_OF("\x0b", "\0\12\0\7"
                                               "1234567")),
     DNS_FORMERR},
    {"cookie of 8", PACKET(QUERY_1("\1") WWW_A OPT_OF("\x0c", "\0\12\0\x08" CC)), DNS_OK},
    {"cookie of 9", PACKET(QUERY_1("\1") WWW_A OPT_OF("\x0d", "\0\12\0\x09" CC "9")), DNS_FORMERR},
    {"cookie of 15", PACKET(QUERY_1("\1") WWW_A OPT_OF("\x13", "\0\12\0\x0f" CC "1234567")),
     DNS_FORMERR},
    {"cookie of 16", PACKET(QUERY_1("\1") WWW_A OPT_OF("\x14", "\0\12\0\x10" CC CC)), DNS_OK},
    {"cookie of 40", PACKET(QUERY_1("\1") WWW_A OPT_OF("\x2c", "\0\12\0\x28" CC CC CC CC CC)),
     DNS_OK},
    {"cookie of 41", PACKET(QUERY_1("\1") WWW_A OPT_OF("\x2d", "\0\12\0\x29" CC CC CC CC CC "1")),
     DNS_FORMERR},
    {"two cookies, the second bad",
     PACKET(QUERY_1("\1") WWW_A OPT_OF("\x11", "\0\12\0\x08" CC "\0\12\0\1x")), DNS_OK},

    {"subnet", PACKET(QUERY_1("\1") WWW_A OPT_OF("\x0b", "\0\x08\0\7\0\1\x18\0\xc0\0\2")), DNS_OK},
    {"subnet of 0 bits", PACKET(QUERY_1("\1") WWW_A OPT_OF("\x08", "\0\x08\0\4\0\1\0\0")), DNS_OK},
    {"subnet of no family", PACKET(QUERY_1("\1") WWW_A OPT_OF("\x08", "\0\x08\0\4\0\0\0\0")),
     DNS_OK},
    {"no family, a prefix", PACKET(QUERY_1("\1") WWW_A OPT_OF("\x09", "\0\x08\0\5\0\0\1\0\x80")),
     DNS_FORMERR},
    {"subnet of family 3", PACKET(QUERY_1("\1") WWW_A OPT_OF("\x08", "\0\x08\0\4\0\3\0\0")),
     DNS_FORMERR},
    {"subnet cut", PACKET(QUERY_1("\1") WWW_A OPT_OF("\7", "\0\x08\0\3\0\1\0")), DNS_FORMERR},
    {"subnet with a scope",
     PACKET(QUERY_1("\1") WWW_A OPT_OF("\x0b", "\0\x08\0\7\0\1\x18\x18\xc0\0\2")), DNS_FORMERR},
    {"subnet a byte short",
     PACKET(QUERY_1("\1") WWW_A OPT_OF("\x0a", "\0\x08\0\6\0\1\x18\0\xc0\0")), DNS_FORMERR},
    {"subnet a byte more",
     PACKET(QUERY_1("\1") WWW_A OPT_OF("\x0c", "\0\x08\0\x08\0\1\x18\0\xc0\0\2\0")), DNS_FORMERR},
    {"subnet with loose bits",
     PACKET(QUERY_1("\1") WWW_A OPT_OF("\x0b", "\0\x08\0\7\0\1\x17\0\xc0\0\1")), DNS_FORMERR},
    {"subnet of /23", PACKET(QUERY_1("\1") WWW_A OPT_OF("\x0b", "\0\x08\0\7\0\1\x17\0\xc0\0\2")),
     DNS_OK},
    {"subnet of 33 bits",
     PACKET(QUERY_1("\1") WWW_A OPT_OF("\x0d", "\0\x08\0\x09\0\1\x21\0\xc0\0\2\1\0")), DNS_FORMERR},
    {"subnet of IPv6",
     PACKET(QUERY_1("\1") WWW_A OPT_OF("\x0c", "\0\x08\0\x08\0\2\x20\0\x20\1\x0d\xb8")), DNS_OK},
    {"subnet of 129 bits",
     PACKET(QUERY_1("\1") WWW_A OPT_OF("\x19", "\0\x08\0\x15\0\2\x81\0" CC CC "\0")), DNS_FORMERR},

    {"TSIG", PACKET(QUERY_1("\1") WWW_A TSIG), DNS_NOTAUTH},
    {"OPT and TSIG", PACKET(QUERY_1("\2") WWW_A OPT_OF("\0", "") TSIG), DNS_NOTAUTH},
    {"TSIG not the last", PACKET(QUERY_1("\2") WWW_A TSIG OPT_OF("\0", "")), DNS_FORMERR},
    {"two TSIG", PACKET(QUERY_1("\2") WWW_A TSIG TSIG), DNS_FORMERR},
    {"TSIG of class IN", PACKET(QUERY_1("\1") WWW_A TSIG_OF("\0\1", "\0\0\0\0", TSIG_TAIL)),
     DNS_FORMERR},
    {"TSIG with a TTL", PACKET(QUERY_1("\1") WWW_A TSIG_OF("\0\xff", "\0\0\0\1", TSIG_TAIL)),
     DNS_FORMERR},
    {"TSIG, its MAC too long",
     PACKET(QUERY_1("\1") WWW_A TSIG_OF("\0\xff", "\0\0\0\0",
                                        "\0\0\0\0\0\1\1\x2c\0\3\xaa\xbb\x12\x34\0\0\0\0")),
     DNS_FORMERR},
};

static void test_verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct dns_query query;
        int verdict = dns_query_parse(rows[i].packet, &query);
        if (verdict != rows[i].verdict)
            fail_msg("%s: %d, want %d", rows[i].what, verdict, rows[i].verdict);
        if (verdict == DNS_SILENCE)
            continue;
        assert_int_equal(query.id, 0x1234);
        if (query.has_question)
            assert_true(dns_name_is_valid(dns_query_name(&query)));
    }
}

/* What is cut is never fine, and never read behind its end: the copy is exactly as long. */
static void test_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t len = 0; len < rows[i].packet.len; len++) {
            struct dns_query query;
            char *copy = malloc(len + 1);
            assert_non_null(copy);
            memcpy(copy + 1, rows[i].packet.ptr, len);
            int verdict = dns_query_parse(slice_make(copy + 1, len), &query);
            free(copy);
            if (len < DNS_HEADER_BYTES)
                assert_int_equal(verdict, DNS_SILENCE);
            else if (rows[i].verdict == DNS_OK || rows[i].verdict == DNS_NOTAUTH)
                assert_int_equal(verdict, DNS_FORMERR);
        }
    }
}

/* Any value of any byte ends in one of the verdicts, with facts that hold. */
static void test_changes(void **state)
{
    (void)state;
    char copy[256];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slice packet = rows[i].packet;
        assert_true(packet.len <= sizeof(copy));
        memcpy(copy, packet.ptr, packet.len);
        for (size_t at = 0; at < packet.len * 256; at++) {
            struct dns_query query;
            copy[at / 256] = (char)at;
            int verdict = dns_query_parse(slice_make(copy, packet.len), &query);
            copy[at / 256] = packet.ptr[at / 256];
            if (verdict == DNS_SILENCE)
                continue;
            assert_true(query.udp_bytes >= DNS_UDP_PLAIN);
            assert_true(query.cookie.len == 0 || query.cookie.len == 8 ||
                        (query.cookie.len >= 16 && query.cookie.len <= 40));
            assert_true(!query.has_question || dns_name_is_valid(dns_query_name(&query)));
        }
    }
}

static void test_facts(void **state)
{
    (void)state;
    static const char packet[] = HEAD("\1\x10", "\1", "\0", "\0", "\1") WWW
        "\0\x1c\0\3" OPT("\x10\0", "\0", "\0", "\x80\0", "\x33",
                         "\0\3\0\0"
                         "\0\x0b\0\0"
                         "\0\12\0\x18" CC CC CC "\0\x08\0\x0b\0\2\x38\0\x20\1\x0d\xb8\1\2\3");
    struct dns_query query;
    char text[ADDR_TEXT_MAX];
    assert_int_equal(dns_query_parse(slice_make(packet, sizeof(packet) - 1), &query), DNS_OK);
    assert_true(query.is_recursion_wanted && query.is_checking_disabled && query.has_edns);
    assert_true(query.is_dnssec_ok && query.is_nsid_wanted && query.has_keepalive);
    assert_int_equal(query.type, DNS_AAAA);
    assert_int_equal(query.class, DNS_CLASS_CH);
    assert_int_equal(query.udp_bytes, 4096);
    assert_int_equal(query.n_labels, 3);
    assert_true(slice_equal(dns_query_name(&query), SLICE("\3www\7example\3org\0")));
    assert_true(slice_equal(query.question, SLICE(WWW "\0\x1c\0\3")));
    assert_true(slice_equal(query.cookie, SLICE(CC CC CC)));
    assert_true(query.has_subnet);
    assert_int_equal(query.subnet.source_bits, 56);
    assert_string_equal(addr_format_ip(&query.subnet.addr, text), "2001:db8:102:300::");
}

/* UDP sizes under 512 mean 512. */
static void test_small_udp(void **state)
{
    (void)state;
    static const char packet[] = QUERY_1("\1") WWW_A OPT("\0\1", "\0", "\0", "\0\0", "\0", "");
    struct dns_query query;
    assert_int_equal(dns_query_parse(slice_make(packet, sizeof(packet) - 1), &query), DNS_OK);
    assert_int_equal(query.udp_bytes, DNS_UDP_PLAIN);
    assert_false(query.is_dnssec_ok || query.is_nsid_wanted || query.has_keepalive);
}

/* Names of every length, each one label or many: folded as byte by byte. */
static void test_fold(void **state)
{
    (void)state;
    for (size_t len = 1; len <= DNS_NAME_MAX + 2; len++) {
        char packet[DNS_HEADER_BYTES + DNS_NAME_MAX + 6] = QUERY_1("\0");
        uint8_t folded[DNS_NAME_MAX + 2];
        size_t at = DNS_HEADER_BYTES;
        for (size_t left = len - 1; left > 0;) {
            size_t label = left > 64 ? (left == 65 ? 63 : 64) : left; /* with its length; never 1 */
            if (label < 2)
                break;
            packet[at] = (char)(label - 1);
            for (size_t i = 1; i < label; i++)
                packet[at + i] = (char)('@' + (at + i) % 30); /* capitals and what surrounds them */
            at += label;
            left -= label;
        }
        packet[at++] = 0;
        struct slice name = slice_make(packet + DNS_HEADER_BYTES, at - DNS_HEADER_BYTES);
        memcpy(packet + at, "\0\1\0\1", 4);
        struct dns_query query;
        int verdict = dns_query_parse(slice_make(packet, at + 4), &query);
        assert_int_equal(verdict, name.len <= DNS_NAME_MAX ? DNS_OK : DNS_FORMERR);
        if (verdict != DNS_OK)
            continue;
        dns_name_fold(name, folded);
        assert_true(slice_equal(dns_query_name(&query), slice_make((char *)folded, name.len)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),  cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_changes),   cmocka_unit_test(test_facts),
        cmocka_unit_test(test_small_udp), cmocka_unit_test(test_fold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
