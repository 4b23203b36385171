/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may ask admin what: a row a case.
 */
#include "admin/access.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TOKEN "abcdefghijklmnop"

struct row {
    const char *what;
    struct access_ask ask;
    const char *token;
    int want;
    const char *want_text; /* a part of the sentence */
};

#define TCP(host_, write_, auth_)                                                            \
    {                                                                                        \
        .host = SLICE_INIT(host_), .is_write = (write_), .authorization = SLICE_INIT(auth_), \
    }
#define UNIX(has_, uid_, write_)                                                 \
    {                                                                            \
        .is_unix = true, .has_uid = (has_), .uid = (uid_), .is_write = (write_), \
    }

static const struct row rows[] = {
    {"root reads", UNIX(true, 0, false), "", 0, NULL},
    {"root writes", UNIX(true, 0, true), "", 0, NULL},
    {"the owner writes", UNIX(true, 1000, true), TOKEN, 0, NULL},
    {"another user reads", UNIX(true, 1001, false), TOKEN, 403, "user 1001 may not"},
    {"nobody knows who", UNIX(false, 0, false), "", 403, "does not say who"},
    {"read by IPv4", TCP("127.0.0.1", false, ""), "", 0, NULL},
    {"read by IPv6", TCP("[::1]", false, ""), "", 0, NULL},
    {"read by localhost", TCP("LocalHost", false, ""), "", 0, NULL},
    {"read by a name", TCP("evil.example", false, ""), "", 403, "\"evil.example\""},
    {"read by a name that begins like an address", TCP("127.0.0.1.evil.example", false, ""), "",
     403, "only an IP address"},
    {"read without Host", TCP("", false, ""), "", 403, "only an IP address"},
    {"write by a name, with the token", TCP("evil.example", true, "Bearer " TOKEN), TOKEN, 403,
     "only an IP address"},
    {"write without token-file", TCP("127.0.0.1", true, "Bearer " TOKEN), "", 403,
     "need a token-file"},
    {"write without Authorization", TCP("127.0.0.1", true, ""), TOKEN, 401, "needs Authorization"},
    {"write with the token", TCP("127.0.0.1", true, "Bearer " TOKEN), TOKEN, 0, NULL},
    {"the scheme has no case", TCP("[::1]", true, "bEARER   " TOKEN), TOKEN, 0, NULL},
    {"wrong scheme", TCP("127.0.0.1", true, "Basic " TOKEN), TOKEN, 401, "not that"},
    {"scheme alone", TCP("127.0.0.1", true, "Bearer"), TOKEN, 401, "not that"},
    {"empty token", TCP("127.0.0.1", true, "Bearer "), TOKEN, 401, "not that"},
    {"wrong last character", TCP("127.0.0.1", true, "Bearer abcdefghijklmnoq"), TOKEN, 401,
     "not that"},
    {"too short", TCP("127.0.0.1", true, "Bearer abcdefghijklmno"), TOKEN, 401, "not that"},
    {"repeated", TCP("127.0.0.1", true, "Bearer " TOKEN TOKEN), TOKEN, 401, "not that"},
};

static void test_access(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct access_policy policy = {.token = slice_from(rows[i].token)};
        access_add_owner(&policy, 0);
        access_add_owner(&policy, 1000);
        access_add_owner(&policy, 0);
        assert_int_equal(policy.n_owners, 2);
        struct err err = ERR_NONE;
        int got = access_check(&policy, &rows[i].ask, &err);
        if (got != rows[i].want)
            fail_msg("%s: %d, want %d", rows[i].what, got, rows[i].want);
        if (rows[i].want_text && !strstr(err.text, rows[i].want_text))
            fail_msg("%s: \"%s\" lacks \"%s\"", rows[i].what, err.text, rows[i].want_text);
    }
}

static void test_token(void **state)
{
    (void)state;
    struct slice token;
    struct err err = ERR_NONE;
    assert_int_equal(access_token(SLICE(" \n" TOKEN "\r\n"), &token, &err), 0);
    assert_true(slice_is(token, TOKEN));
    assert_int_equal(access_token(SLICE("Zm9v+/Zm9v=-._~aaaaa"), &token, &err), 0);
    assert_int_equal(access_token(SLICE(""), &token, &err), -1);
    assert_non_null(strstr(err.text, "0 characters"));
    assert_int_equal(access_token(SLICE("abc\n"), &token, &err), -1);
    assert_int_equal(access_token(SLICE("abcdefgh ijklmnopq"), &token, &err), -1);
    assert_non_null(strstr(err.text, "character 9"));
    char nul[20] = "abcdefghijklmno";
    assert_int_equal(access_token(slice_make(nul, sizeof(nul)), &token, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_access),
        cmocka_unit_test(test_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
