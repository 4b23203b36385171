/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Data: text -> wire -> text, what is refused, and names in them. What is shown is what BIND
 * 9.18 shows for what it knows, with the blanks in long digits left out.
 */

#include "wire/dns_name.h"
#include "wire/dns_rdata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ORIGIN "\7example\3org\0"
#define S100                                                                                       \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaa"

static const struct row {
    const char *type;
    const char *text;
    const char *shown; /* NULL: the same */
} rows[] = {
    {"A", "192.0.2.1", NULL},
    {"AAAA", "2001:DB8:0:0::1", "2001:db8::1"},
    {"AAAA", "::ffff:192.0.2.1", NULL},
    {"NS", "ns1", "ns1.example.org."},
    {"NS", "ns1.example.net.", NULL},
    {"CNAME", "@", "example.org."},
    {"CNAME", ".", NULL},
    {"PTR", "Host.Example.ORG.", NULL},
    {"DNAME", "other.example.", NULL},
    {"SOA", "ns1 hostmaster 2024010101 1h 15m 2w 300",
     "ns1.example.org. hostmaster.example.org. 2024010101 3600 900 1209600 300"},
    {"SOA", "a. b\\.c.d. 0 1w2d3h4m5S 4294967295 0 1", "a. b\\.c.d. 0 788645 4294967295 0 1"},
    {"MX", "10 mail", "10 mail.example.org."},
    {"MX", "0 .", NULL},
    {"TXT", "\"v=spf1 -all\"", NULL},
    {"TXT", "one two", "\"one\" \"two\""},
    {"TXT", "\"\"", NULL},
    {"TXT", "\"a\\\"b\\\\c\\;d\\007\\255\"", "\"a\\\"b\\\\c;d\\007\\255\""},
    {"TXT", "a\\ b", "\"a b\""},
    {"TXT", "\"" S100 S100 "\" \"x\"", NULL},
    {"SPF", "\"v=spf1 -all\"", NULL},
    {"HINFO", "\"RFC8482\" \"\"", NULL},
    {"HINFO", "x86 linux", "\"x86\" \"linux\""},
    {"X25", "311061700956", "\"311061700956\""},
    {"SRV", "1 2 443 web", "1 2 443 web.example.org."},
    {"SRV", "65535 0 0 .", NULL},
    {"NAPTR", "100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:info@example.com!\" .", NULL},
    {"NAPTR", "100 10 \"\" \"\" \"\\\\\\\\1\" a", "100 10 \"\" \"\" \"\\\\\\\\1\" a.example.org."},
    {"CAA", "0 issue \"letsencrypt.org\"", NULL},
    {"CAA", "128 iodef mailto:a@example.org", "128 iodef \"mailto:a@example.org\""},
    {"CAA", "0 issue \";\"", NULL},
    {"CAA", "0 issue \"\"", NULL},
    {"URI", "10 1 \"ftp://ftp.example.org/public\"", NULL},
    {"RP", "a b", "a.example.org. b.example.org."},
    {"MINFO", "a. b.", NULL},
    {"AFSDB", "1 a.", NULL},
    {"RT", "1 a.", NULL},
    {"KX", "1 a.", NULL},
    {"PX", "10 a. b.", NULL},
    {"LP", "10 a.", NULL},
    {"SSHFP", "1 1 DD465C09CFA51FB45020CC83316FFF21B9EC74AC", NULL},
    {"SSHFP", "4 2 dd46 5c09", "4 2 DD465C09"},
    {"TLSA", "3 1 1 D2ABDE240D7CD3EE6B4B28C54DF034B97983A1D16E8A410E4561CB106618E971", NULL},
    {"SMIMEA", "3 0 0 AB", NULL},
    {"DS", "12892 5 2 26584835CA80C81C91999F31CFAF2A0E89D4FF1C8FAFD0DDB31A85C719277C13", NULL},
    {"CDS", "0 0 0 00", NULL},
    {"DNSKEY",
     "257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0d xCjjnopKl+GqJxpVXckHAeF+KkxLbxIL "
     "fDLUT0rAK9iUzy1L53eKGQ==",
     "257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53e"
     "KGQ=="},
    {"CDNSKEY", "0 3 0 AA==", NULL},
    {"DHCID", "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=", NULL},
    {"OPENPGPKEY", "AQI=", NULL},
    {"ZONEMD", "2018031500 1 1 FEBE3D4C", NULL},
    {"HTTPS", "0 pool.svc.example.", NULL},
    {"HTTPS", "1 .", NULL},
    {"HTTPS", "1 . alpn=\"h2,h3\" ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1", NULL},
    {"HTTPS", "1 . port=8443 alpn=h2", "1 . alpn=\"h2\" port=8443"},
    {"HTTPS", "1 . ech=AEj+DQBEAQ==", NULL},
    {"SVCB", "1 svc alpn=h2 no-default-alpn", "1 svc.example.org. alpn=\"h2\" no-default-alpn"},
    {"SVCB", "1 . alpn=dot port=53 dohpath=/q{?dns}",
     "1 . alpn=\"dot\" port=53 dohpath=\"/q{?dns}\""},
    {"SVCB", "1 . alpn=h2 dohpath=/dns-query{?dns,x}",
     "1 . alpn=\"h2\" dohpath=\"/dns-query{?dns,x}\""},
    {"SVCB", "1 . ohttp alpn=h3", "1 . alpn=\"h3\" ohttp"},
    /* RFC 9460 appendix D.2 */
    {"SVCB", "0 foo.example.com.", NULL},
    {"SVCB", "16 foo.example.com. port=53", NULL},
    {"SVCB", "1 foo.example.com. key667=hello", "1 foo.example.com. key667=\"hello\""},
    {"SVCB", "1 foo.example.com. key667=\"hello\\210qoo\"", NULL},
    {"SVCB", "1 foo.example.com. ipv6hint=\"2001:db8::1,2001:db8::53:1\"",
     "1 foo.example.com. ipv6hint=2001:db8::1,2001:db8::53:1"},
    {"SVCB", "1 example.com. ipv6hint=\"2001:db8:122:344::192.0.2.33\"",
     "1 example.com. ipv6hint=2001:db8:122:344::c000:221"},
    {"SVCB", "16 foo.example.org. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1",
     "16 foo.example.org. mandatory=alpn,ipv4hint alpn=\"h2,h3-19\" ipv4hint=192.0.2.1"},
    {"SVCB", "16 foo.example.org. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"", NULL},
    {"SVCB", "16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2",
     "16 foo.example.org. alpn=\"f\\\\\\\\oo\\\\,bar,h2\""},
    {"SVCB", "1 . key1=\"\\002h2\"", "1 . alpn=\"h2\""},
    {"SVCB", "1 . key65534", NULL},
    {"DS", "12892 RSASHA256 2 AB", "12892 8 2 AB"},
    {"KEY", "256 3 RSASHA1 AQ==", "256 3 5 AQ=="},
    {"CERT", "PKIX 1 RSASHA256 AQI=", "1 1 8 AQI="},
    {"CERT", "65535 0 255 AA==", NULL},
    {"RRSIG", "A 5 3 1d 20030322173103 20030220173103 2642 example.com. oJB1 W6Wn",
     "A 5 3 86400 20030322173103 20030220173103 2642 example.com. oJB1W6Wn"},
    {"RRSIG", "TYPE65280 13 0 0 0 4294967295 1 @ AA==",
     "TYPE65280 13 0 0 19700101000000 21060207062815 1 example.org. AA=="},
    {"RRSIG", "NSEC 13 1 60 951782400 20000301000000 1 . AA==",
     "NSEC 13 1 60 20000229000000 20000301000000 1 . AA=="},
    {"SIG", "SOA 1 1 60 20240229235959 20231231000000 1 a. AA==", NULL},
    {"NSEC", "host A MX RRSIG NSEC TYPE1234", "host.example.org. A MX RRSIG NSEC TYPE1234"},
    {"NSEC", "a. TYPE65535 CAA NSEC A TYPE255 A", "a. A NSEC ANY CAA TYPE65535"},
    {"NSEC", ".", NULL},
    {"NSEC3", "1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA",
     "1 1 12 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR NS SOA MX DNSKEY"},
    {"NSEC3", "1 0 0 - 00", NULL},
    {"NSEC3", "1 0 0 - CPNMU A", NULL},
    {"NSEC3PARAM", "1 0 12 AABBCCDD", NULL},
    {"NSEC3PARAM", "1 0 0 -", NULL},
    {"CSYNC", "66 3 A NS AAAA", NULL},
    {"NID", "10 0014:4fff:FF20:ee64", "10 14:4fff:ff20:ee64"},
    {"L64", "10 2001:0db8:1140:1000", "10 2001:db8:1140:1000"},
    {"L32", "10 10.1.2.0", NULL},
    {"EUI48", "00-00-5E-00-53-2a", "00-00-5e-00-53-2a"},
    {"EUI64", "00-00-5e-ef-10-00-00-2a", NULL},
    {"NSEC", "\\# 5 00 00 02 40 01", ". A MX"},
    {"A", "\\# 4 C0000201", "192.0.2.1"},
    {"MX", "\\# 5 000a 01 6100", "10 a."},
    {"TYPE65280", "\\# 3 01ff00", "\\# 3 01FF00"},
    {"TYPE65280", "\\# 0", NULL},
    {"LOC", "\\# 1 00", NULL},
};

static struct slice read_row(const char *type_name, const char *text, uint8_t *out,
                             uint16_t *ret_type)
{
    struct err err = ERR_NONE;
    size_t len = 0;
    assert_int_equal(dns_type_read(slice_from(type_name), ret_type), 0);
    if (dns_rdata_read_line(*ret_type, slice_from(text), SLICE(ORIGIN), out, DNS_RDATA_MAX, &len,
                            &err) < 0)
        fail_msg("%s %s: %s", type_name, text, err.text);
    return slice_make((char *)out, len);
}

/* Text to wire to text, and once more. */
static void test_round_trip(void **state)
{
    (void)state;
    static uint8_t first[DNS_RDATA_MAX], second[DNS_RDATA_MAX];
    struct text shown = TEXT_NONE;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint16_t type;
        struct slice rdata = read_row(rows[i].type, rows[i].text, first, &type);
        assert_true(dns_rdata_is_valid(type, rdata));
        text_clear(&shown);
        dns_rdata_show(type, rdata, &shown);
        assert_string_equal(text_cstr(&shown), rows[i].shown ? rows[i].shown : rows[i].text);
        struct slice again = read_row(rows[i].type, text_cstr(&shown), second, &type);
        assert_true(slice_equal(rdata, again));
    }
    text_deinit(&shown);
}

/* With less room than it needs, and cut at each byte: refused, never written or read beyond. */
static void test_cuts(void **state)
{
    (void)state;
    static uint8_t whole[DNS_RDATA_MAX];
    struct text shown = TEXT_NONE;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint16_t type;
        struct slice rdata = read_row(rows[i].type, rows[i].text, whole, &type);
        for (size_t len = 0; len < rdata.len; len++) {
            size_t ignored;
            uint8_t *copy = malloc(len + 1);
            assert_non_null(copy);
            assert_int_equal(dns_rdata_read_line(type, slice_from(rows[i].text), SLICE(ORIGIN),
                                                 copy, len, &ignored, NULL),
                             -1);
            memcpy(copy, rdata.ptr, len);
            text_clear(&shown);
            dns_rdata_show(type, slice_make((char *)copy, len), &shown);
            free(copy);
        }
    }
    text_deinit(&shown);
}

/* What is wrong, and a part of what is said. */
static const struct bad_row {
    const char *type, *text, *message;
} bad_rows[] = {
    {"A", "", "want an IPv4 address"},
    {"A", "192.0.2", "\"192.0.2\" is no IPv4 address"},
    {"A", "192.0.2.1 x", "want nothing more before \"x\""},
    {"A", "192.0.2.0001", "no IPv4 address"},
    {"AAAA", "192.0.2.1", "no IPv6 address"},
    {"AAAA", "", "want an IPv6 address"},
    {"MX", "mail 10", "\"mail\" is no number of 0 to 65535"},
    {"MX", "65536 mail", "0 to 65535"},
    {"MX", "10", "want a name behind that"},
    {"MX", "-1 mail", "0 to 65535"},
    {"NS", "a..b", "empty label"},
    {"NS", "a b", "nothing more"},
    {"SOA", "a. b. 1 2 3 4", "want a time"},
    {"SOA", "a. b. 1 2x 3 4 5", "\"2x\" is no time"},
    {"SOA", "a. b. 1 1h2 3 4 5", "no time"},
    {"SOA", "a. b. 1 h 3 4 5", "no time"},
    {"SOA", "a. b. 1 7102w 3 4 5", "no time"},
    {"SOA", "a. b. 4294967296 2 3 4 5", "0 to 4294967295"},
    {"TXT", "", "want a string"},
    {"TXT", "\"" S100 S100 S100 "\"", "more than 255 bytes"},
    {"TXT", "a\\256", "no byte"},
    {"TXT", "\"open", "quote stays open"},
    {"TXT", "a\"open", "quote stays open"},
    {"TXT", "\"a\"b", "want a blank"},
    {"HINFO", "a", "want a string"},
    {"CAA", "0 is-sue x", "no tag"},
    {"CAA", "256 issue x", "0 to 255"},
    {"CAA", "0 issue", "want a string"},
    {"CAA", "0 \"\" x", "no tag"},
    {"SSHFP", "1 1", "want hexadecimal digits"},
    {"SSHFP", "1 1 ABC", "within a byte"},
    {"SSHFP", "1 1 AG", "'G' is no digit"},
    {"SSHFP", "1 1 \"\"", "want hexadecimal digits"},
    {"DNSKEY", "257 3 13 AQ", "within a byte"},
    {"DNSKEY", "257 3 13 AQ=", "within a byte"},
    {"DNSKEY", "257 3 13 AR==", "within a byte"},
    {"DNSKEY", "257 3 13 A===", "is no digit"},
    {"DNSKEY", "257 3 13 AQ==AQ==", "is no digit"},
    {"DNSKEY", "257 3 13 A-==", "'-' is no digit"},
    {"DS", "1 RSA 2 AB", "\"RSA\" is no algorithm"},
    {"DS", "1 256 2 AB", "no algorithm"},
    {"CERT", "X509 1 8 AA==", "no kind of certificate"},
    {"NSEC", "", "want a name"},
    {"NSEC", "a. A B", "\"B\" is no type"},
    {"NSEC", "\\# 4 00 00 01 00", "no data of type NSEC"},
    {"NSEC", "\\# 3 00 00 00", "no data of type NSEC"},
    {"NSEC", "\\# 7 00 01 01 01 00 01 01", "no data of type NSEC"},
    {"RRSIG", "A 5 3 60 20030230000000 0 1 . AA==", "no date"},
    {"RRSIG", "A 5 3 60 20031301000000 0 1 . AA==", "no date"},
    {"RRSIG", "A 5 3 60 20030101240000 0 1 . AA==", "no date"},
    {"RRSIG", "A 5 3 60 21060207062816 0 1 . AA==", "no date"},
    {"RRSIG", "A 5 3 60 4294967296 0 1 . AA==", "no date"},
    {"RRSIG", "B 5 3 60 0 0 1 . AA==", "no type"},
    {"RRSIG", "A 5 3 60 0 0 1 .", "want base64"},
    {"RRSIG", "A 5 3 60", "want a date"},
    {"NSEC3", "1 0 0 aab 00", "within a byte"},
    {"NSEC3", "1 0 0 - 0", "within a byte"},
    {"NSEC3", "1 0 0 - 01", "within a byte"},
    {"NSEC3", "1 0 0 - 0w", "'w' is no digit of base32hex"},
    {"NSEC3", "1 0 0 -", "want a hash"},
    {"NSEC3PARAM", "1 0 0", "want a salt"},
    {"NSEC3PARAM", "1 0 0 - A", "nothing more"},
    {"NID", "10 1:2:3", "four groups"},
    {"NID", "10 1:2:3:4:5", "four groups"},
    {"NID", "10 1::3:4", "four groups"},
    {"L64", "10 1:2:3:12345", "four groups"},
    {"EUI48", "00-00-5e-00-53", "six bytes"},
    {"EUI48", "0-00-5e-00-53-2a", "six bytes"},
    {"EUI64", "00-00-5e-ef-10-00-00-2g", "eight bytes"},
    {"A", "\\# 3 C00002", "no data of type A"},
    {"A", "\\# 4 C00002", "there are 3 bytes"},
    {"A", "\\#", "want a number of bytes"},
    {"A", "\\# 65536 00", "want a number of bytes"},
    {"TYPE65280", "abc", "written as \\#"},
    {"NULL", "abc", "written as \\#"},
    {"OPT", "\\# 0", "no type of a record"},
    {"ANY", "\\# 0", "no type of a record"},
    {"HTTPS", "1", "want a name"},
    {"HTTPS", "1 . foo=1", "\"foo\" is no key"},
    {"HTTPS", "1 . key65535=a", "no key"},
    {"HTTPS", "1 . key=a", "no key"},
    {"HTTPS", "1 . key01=a", "no key"},
    {"HTTPS", "1 . \"alpn=h2\"", "without quotes"},
    {"HTTPS", "1 . alpn", "empty protocol"},
    {"HTTPS", "1 . alpn=h2,", "empty protocol"},
    {"HTTPS", "1 . alpn=" S100 S100 S100, "more than 255"},
    {"HTTPS", "1 . alpn=\"a\\\\\"", "backslash ends"},
    {"HTTPS", "1 . alpn=h2 alpn=h3", "stands twice"},
    {"HTTPS", "1 . key1=\"\\002h2\" alpn=h3", "stands twice"},
    {"HTTPS", "1 . no-default-alpn", "wants alpn"},
    {"HTTPS", "1 . alpn=h2 no-default-alpn=x", "cannot have"},
    {"HTTPS", "1 . port=65536", "no port"},
    {"HTTPS", "1 . port", "no port"},
    {"HTTPS", "1 . ipv4hint=::1", "no IPv4 address"},
    {"HTTPS", "1 . ipv4hint=192.0.2.1,", "no IPv4 address"},
    {"HTTPS", "1 . ipv6hint=192.0.2.1", "no IPv6 address"},
    {"HTTPS", "1 . ipv4hint", "no IPv4 address"},
    {"HTTPS", "1 . ech=A", "within a byte"},
    {"HTTPS", "1 . ech", "cannot have"},
    {"HTTPS", "1 . mandatory=port", "keys that the record has"},
    {"HTTPS", "1 . mandatory=port,port port=1", "keys that the record has"},
    {"HTTPS", "1 . mandatory=mandatory", "keys that the record has"},
    {"HTTPS", "1 . mandatory", "no key"},
    {"HTTPS", "1 . mandatory=x", "\"x\" is no key"},
    {"HTTPS", "1 . dohpath=q{?dns}", "cannot have"},
    {"HTTPS", "1 . dohpath=/q", "cannot have"},
    {"HTTPS", "1 . key3=\"abc\"", "cannot have"},
    {"HTTPS", "\\# 7 0001 00 00030001", "no data of type HTTPS"},
};

static void test_refused(void **state)
{
    (void)state;
    static uint8_t out[DNS_RDATA_MAX];
    for (size_t i = 0; i < sizeof(bad_rows) / sizeof(bad_rows[0]); i++) {
        struct err err = ERR_NONE;
        uint16_t type;
        size_t len;
        assert_int_equal(dns_type_read(slice_from(bad_rows[i].type), &type), 0);
        int result = dns_rdata_read_line(type, slice_from(bad_rows[i].text), SLICE(ORIGIN), out,
                                         sizeof(out), &len, &err);
        if (result == 0 || strstr(err.text, bad_rows[i].message) == NULL)
            fail_msg("%s %s: %d %s", bad_rows[i].type, bad_rows[i].text, result, err.text);
    }
}

static void test_parts(void **state)
{
    (void)state;
    static const struct {
        const char *type, *text;
        const char *kinds; /* a letter a part: bytes, name, old, short */
    } cases[] = {
        {"A", "192.0.2.1", "b"},
        {"NS", "a.", "s"},
        {"SOA", "a. b. 1 2 3 4 5", "ssb"},
        {"MX", "1 a.", "bs"},
        {"SRV", "1 2 3 a.", "bo"},
        {"NAPTR", "1 2 a b c d.", "bo"},
        {"HTTPS", "1 a. port=1", "bnb"},
        {"HTTPS", "1 a.", "bn"},
        {"DNAME", "a.", "n"},
        {"TXT", "a b", "b"},
        {"RP", "a. b.", "oo"},
        {"NSEC", "a. A", "nb"},
        {"RRSIG", "A 5 3 60 0 0 1 a. AA==", "bnb"},
        {"TYPE65280", "\\# 2 0100", "b"},
    };
    static uint8_t out[DNS_RDATA_MAX];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint16_t type;
        struct slice rdata = read_row(cases[i].type, cases[i].text, out, &type);
        struct dns_parts parts;
        struct dns_part part;
        size_t n = 0, len = 0;
        dns_parts_init(&parts, type, rdata);
        for (; dns_parts_next(&parts, &part); n++) {
            assert_int_equal("bnos"[part.kind], cases[i].kinds[n]);
            assert_ptr_equal(part.bytes.ptr, rdata.ptr + len);
            len += part.bytes.len;
        }
        assert_int_equal(n, strlen(cases[i].kinds));
        assert_int_equal(len, rdata.len);
    }
}

static void test_target(void **state)
{
    (void)state;
    static uint8_t out[DNS_RDATA_MAX];
    uint16_t type;
    struct slice rdata = read_row("SRV", "1 2 3 web", out, &type);
    assert_true(slice_equal(dns_rdata_target(type, rdata), SLICE("\3web" ORIGIN)));
    rdata = read_row("HTTPS", "1 web port=1", out, &type);
    assert_true(slice_equal(dns_rdata_target(type, rdata), SLICE("\3web" ORIGIN)));
    rdata = read_row("A", "192.0.2.1", out, &type);
    assert_int_equal(dns_rdata_target(type, rdata).len, 0);
}

/* Data that their type does not allow are shown as bytes. */
static void test_invalid(void **state)
{
    (void)state;
    static const struct {
        uint16_t type;
        struct slice rdata;
        const char *shown;
    } cases[] = {
        {DNS_A, SLICE_INIT("\1\2\3"), "\\# 3 010203"},
        {DNS_A, SLICE_INIT(""), "\\# 0"},
        {DNS_MX, SLICE_INIT("\0\1\xc0\x0c"), "\\# 4 0001C00C"},
        {DNS_NS, SLICE_INIT("\1a\0x"), "\\# 4 01610078"},
        {DNS_TXT, SLICE_INIT(""), "\\# 0"},
        {DNS_TXT, SLICE_INIT("\2a"), "\\# 2 0261"},
        {DNS_CAA, SLICE_INIT("\0\1-x"), "\\# 4 00012D78"},
        {DNS_HTTPS, SLICE_INIT("\0\1\0\0\3\0\2\0\1\0\3\0\2\0\1"),
         "\\# 15 00010000030002000100030002"
         "0001"},
        {DNS_HTTPS, SLICE_INIT("\0\1\0\0\1\0\3\2h"), "\\# 9 000100000100030268"},
    };
    struct text shown = TEXT_NONE;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        text_clear(&shown);
        assert_false(dns_rdata_is_valid(cases[i].type, cases[i].rdata));
        dns_rdata_show(cases[i].type, cases[i].rdata, &shown);
        assert_string_equal(text_cstr(&shown), cases[i].shown);
    }
    text_deinit(&shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_parts),
        cmocka_unit_test(test_target),     cmocka_unit_test(test_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
