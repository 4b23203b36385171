/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Server cookies: the vectors of RFC 9018 appendix A, ages, and every byte changed.
 */

#include "wire/dns_cookie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define KEY_1 "\xe5\xe9\x73\xe5\xa6\xb2\xa4\x3f\x48\xe7\xdc\x84\x9e\x37\xbf\xcf"
#define KEY_2 "\xdd\x3b\xdf\x93\x44\xb6\x78\xb1\x85\xa6\xf5\xcb\x60\xfc\xa7\x15"
#define KEY_3 "\x44\x55\x36\xbc\xd2\x51\x32\x98\x07\x5a\x5d\x37\x96\x63\xc9\x62"

static const struct row {
    const char *key;
    const char *from;
    uint32_t made_s;
    const char *cookie; /* both parts */
} rows[] = {
    /* A.1: learning a new cookie */
    {KEY_1, "198.51.100.100", 1559731985,
     "\x24\x64\xc4\xab\xcf\x10\xc9\x57\x01\0\0\0\x5c\xf7\x9f\x11\x1f\x81\x30\xc3\xee\xe2\x94\x80"},
    /* A.2: the same client's, renewed */
    {KEY_1, "198.51.100.100", 1559734385,
     "\x24\x64\xc4\xab\xcf\x10\xc9\x57\x01\0\0\0\x5c\xf7\xa8\x71\xd4\xa5\x64\xa1\x44\x2a\xca\x77"},
    /* A.3: another client's, renewed */
    {KEY_1, "203.0.113.203", 1559734700,
     "\xfc\x93\xfc\x62\x80\x7d\xdb\x86\x01\0\0\0\x5c\xf7\xa9\xac\xf7\x3a\x78\x10\xac\xa2\x38\x1e"},
    /* A.4: over IPv6, before and after the key was replaced */
    {KEY_2, "2001:db8:220:1:59de:d0f4:8769:82b8", 1559741817,
     "\x22\x68\x1a\xb9\x7d\x52\xc2\x98\x01\0\0\0\x5c\xf7\xc5\x79\x26\x55\x6b\xd0\x93\x4c\x72\xf8"},
    {KEY_3, "2001:db8:220:1:59de:d0f4:8769:82b8", 1559741961,
     "\x22\x68\x1a\xb9\x7d\x52\xc2\x98\x01\0\0\0\x5c\xf7\xc6\x09\xa6\xbb\x79\xd1\x66\x25\x50\x7a"},
};

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

static struct addr from_of(const char *text)
{
    struct addr addr;
    assert_int_equal(addr_parse_ip(slice_from(text), 53, &addr, NULL), 0);
    return addr;
}

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS; i++) {
        struct addr from = from_of(rows[i].from);
        const uint8_t *key = (const uint8_t *)rows[i].key;
        struct slice cookie = slice_make(rows[i].cookie, 24);
        uint8_t made[DNS_SERVER_COOKIE_BYTES];
        dns_cookie_make(key, cookie, &from, rows[i].made_s, made);
        assert_memory_equal(made, cookie.ptr + 8, sizeof(made));
        assert_int_equal(dns_cookie_check(key, cookie, &from, rows[i].made_s), DNS_COOKIE_FRESH);
        const uint8_t *other = (const uint8_t *)rows[(i + 3) % N_ROWS].key;
        if (memcmp(other, key, DNS_COOKIE_KEY_BYTES) != 0)
            assert_int_equal(dns_cookie_check(other, cookie, &from, rows[i].made_s),
                             DNS_COOKIE_BAD);
    }
}

/* A.3: the reserved bytes of who made it are not zero, and are hashed as they are. */
static void test_reserved(void **state)
{
    (void)state;
    struct addr from = from_of("203.0.113.203");
    struct slice cookie =
        slice_make("\xfc\x93\xfc\x62\x80\x7d\xdb\x86\x01\xab\xcd\xef\x5c\xf7\x8f\x71\xa3\x14\x22"
                   "\x7b\x66\x79\xeb\xf5",
                   24);
    assert_int_equal(dns_cookie_check((const uint8_t *)KEY_1, cookie, &from, 1559728000),
                     DNS_COOKIE_FRESH);
}

static void test_ages(void **state)
{
    (void)state;
    static const struct {
        uint32_t made_s, now_s;
        enum dns_cookie_state want;
    } cases[] = {
        {1000000, 1000000, DNS_COOKIE_FRESH}, {1000000, 1001800, DNS_COOKIE_FRESH},
        {1000000, 1001801, DNS_COOKIE_RENEW}, {1000000, 1003600, DNS_COOKIE_RENEW},
        {1000000, 1003601, DNS_COOKIE_BAD},   {1000000, 999700, DNS_COOKIE_FRESH},
        {1000000, 999699, DNS_COOKIE_BAD},    {0xffffff00, 0x100, DNS_COOKIE_FRESH},
        {0x10, 0xfffffff0, DNS_COOKIE_FRESH}, {0xffff0000, 0x100, DNS_COOKIE_BAD},
        {0, 0x80000000, DNS_COOKIE_BAD},
    };
    struct addr from = from_of("192.0.2.1");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t whole[24] = "clientid";
        struct slice cookie = slice_make((char *)whole, sizeof(whole));
        const uint8_t *key = (const uint8_t *)KEY_1;
        dns_cookie_make(key, cookie, &from, cases[i].made_s, whole + 8);
        assert_int_equal(dns_cookie_check(key, cookie, &from, cases[i].now_s), cases[i].want);
    }
}

/* A byte that is changed, a byte less or more, another address: no good. The port does not count,
 * and an IPv4-mapped address is IPv4. */
static void test_changes(void **state)
{
    (void)state;
    struct addr from = from_of("198.51.100.100");
    struct addr mapped = from_of("::ffff:198.51.100.100");
    struct addr other = from_of("198.51.100.101");
    const uint8_t *key = (const uint8_t *)rows[0].key;
    char copy[25] = {0};
    memcpy(copy, rows[0].cookie, 24);
    for (size_t i = 0; i < 24 * 8; i++) {
        copy[i / 8] ^= (char)(1 << i % 8);
        assert_int_equal(dns_cookie_check(key, slice_make(copy, 24), &from, rows[0].made_s),
                         DNS_COOKIE_BAD);
        copy[i / 8] ^= (char)(1 << i % 8);
    }
    for (size_t len = 0; len <= 25; len++)
        assert_int_equal(dns_cookie_check(key, slice_make(copy, len), &from, rows[0].made_s),
                         len == 24 ? DNS_COOKIE_FRESH : DNS_COOKIE_BAD);
    addr_set_port(&from, 1);
    assert_int_equal(dns_cookie_check(key, slice_make(copy, 24), &from, rows[0].made_s), 0);
    assert_int_equal(dns_cookie_check(key, slice_make(copy, 24), &mapped, rows[0].made_s), 0);
    assert_int_equal(dns_cookie_check(key, slice_make(copy, 24), &other, rows[0].made_s), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_reserved),
        cmocka_unit_test(test_ages),
        cmocka_unit_test(test_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
