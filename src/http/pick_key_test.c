/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys of requests: which bytes they are made of, told by the hash of those bytes.
 */

#include "http/pick_key.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct hash_key hash_key = {1, 2};

static const struct {
    enum pick_key_kind kind;
    const char *name;
    const char *line, *fields, *from;
    const char *key; /* NULL: none */
    size_t key_len;  /* 0: all of key */
} rows[] = {
    {PICK_KEY_SOURCE, "", "GET /", "", "192.0.2.1", "\xc0\x00\x02\x01", 4},
    {PICK_KEY_SOURCE, "", "GET /", "", "::ffff:192.0.2.1", "\xc0\x00\x02\x01", 4},
    {PICK_KEY_SOURCE, "", "GET /", "", "2001:db8:1:2:3:4:5:6", "\x20\x01\x0d\xb8\0\1\0\2", 8},
    {PICK_KEY_SOURCE, "", "GET /", "", "2001:db8:1:2::9", "\x20\x01\x0d\xb8\0\1\0\2", 8},
    {PICK_KEY_SOURCE, "", "GET /", "", "", NULL, 0},
    {PICK_KEY_HEADER, "X-Tenant", "GET /", "x-tenant: a b\r\n", "::1", "a b", 0},
    {PICK_KEY_HEADER, "X-Tenant", "GET /", "X-Tenant: a\r\nX-Tenant: b\r\n", "::1", "a", 0},
    {PICK_KEY_HEADER, "X-Tenant", "GET /", "X-Tenant:\r\n", "::1", NULL, 0},
    {PICK_KEY_HEADER, "X-Tenant", "GET /", "X-Tenants: a\r\n", "::1", NULL, 0},
    {PICK_KEY_HEADER, "Host", "GET /", "", "::1", "example.org", 0},
    {PICK_KEY_COOKIE, "sid", "GET /", "Cookie: a=b; sid=c; sid=d\r\n", "::1", "c", 0},
    {PICK_KEY_COOKIE, "sid", "GET /", "Cookie: a=b\r\nCookie: sid=\"c\"\r\n", "::1", "c", 0},
    {PICK_KEY_COOKIE, "sid", "GET /", "Cookie: sid=\r\n", "::1", NULL, 0},
    {PICK_KEY_COOKIE, "sid", "GET /", "Cookie: asid=b\r\n", "::1", NULL, 0},
    {PICK_KEY_COOKIE, "sid", "GET /", "X-Cookie: sid=b\r\n", "::1", NULL, 0},
    {PICK_KEY_PATH, "", "GET /a/b?c=d", "", "::1", "/a/b", 0},
    {PICK_KEY_PATH, "", "GET http://example.org", "", "::1", NULL, 0},
    {PICK_KEY_PATH, "", "OPTIONS *", "", "::1", NULL, 0},
    {PICK_KEY_QUERY, "", "GET /?a=b&c", "", "::1", "a=b&c", 0},
    {PICK_KEY_QUERY, "", "GET /?", "", "::1", NULL, 0},
    {PICK_KEY_QUERY, "", "GET /", "", "::1", NULL, 0},
    {PICK_KEY_QUERY, "id", "GET /?a=b&id=c=d&id=e", "", "::1", "c=d", 0},
    {PICK_KEY_QUERY, "id", "GET /?id", "", "::1", NULL, 0},
    {PICK_KEY_QUERY, "id", "GET /?id=", "", "::1", NULL, 0},
    {PICK_KEY_QUERY, "id", "GET /?aid=b", "", "::1", NULL, 0},
    {PICK_KEY_QUERY, "id", "GET /", "", "::1", NULL, 0},
};

static void test_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char buf[256];
        struct h1_head head;
        enum h1_error error;
        struct addr peer = {.len = 0};
        uint64_t key = 0;
        int len = snprintf(buf, sizeof(buf), "%s HTTP/1.1\r\nHost: example.org\r\n%s\r\n",
                           rows[i].line, rows[i].fields);
        h1_head_reset(&head);
        assert_int_equal(h1_parse_request(buf, (size_t)len, &h1_limits_default, &head, &error),
                         len);
        if (rows[i].from[0])
            assert_int_equal(addr_parse_ip(slice_from(rows[i].from), 1, &peer, NULL), 0);
        bool has_key =
            pick_key(rows[i].kind, slice_from(rows[i].name), &hash_key, &head, buf, &peer, &key);
        struct slice want =
            rows[i].key_len ? slice_make(rows[i].key, rows[i].key_len) : slice_from(rows[i].key);
        if (has_key != (rows[i].key != NULL) || (has_key && key != hash_bytes(&hash_key, want)))
            fail_msg("row %zu: %s %s", i, rows[i].line, rows[i].fields);
    }
}

/* The port is not part of who somebody is, and a unix socket's clients are one. */
static void test_port(void **state)
{
    (void)state;
    struct addr a, b, local = {.len = 2};
    struct h1_head head;
    uint64_t key_a, key_b;
    h1_head_reset(&head);
    assert_int_equal(addr_parse(SLICE("192.0.2.1:1000"), &a, NULL), 0);
    assert_int_equal(addr_parse(SLICE("192.0.2.1:2000"), &b, NULL), 0);
    assert_true(pick_key(PICK_KEY_SOURCE, SLICE(""), &hash_key, &head, "", &a, &key_a));
    assert_true(pick_key(PICK_KEY_SOURCE, SLICE(""), &hash_key, &head, "", &b, &key_b));
    assert_int_equal(key_a, key_b);
    memset(&local, 0, sizeof(local));
    local.len = sizeof(local.un.sun_family);
    local.un.sun_family = AF_UNIX;
    assert_true(pick_key(PICK_KEY_SOURCE, SLICE(""), &hash_key, &head, "", &local, &key_b));
    assert_int_equal(key_b, hash_bytes(&hash_key, SLICE("unix")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys), cmocka_unit_test(test_port)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
