/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sticky cookies: what is written is read by whoever has the key, and by nobody else; no byte of it
 * can be changed; ages; and finding them among others in a field.
 */

#include "session/cookie.h"

#include "base/mem.h"
#include "tls/key.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void mac(void *key, struct slice data, uint8_t ret_mac[COOKIE_HASH_BYTES])
{
    tls_hmac_sha256(slice_from(key), data, ret_mac);
}

static char first[] = "the first secret of all", second[] = "a second one", third[] = "the third";

static struct cookie_keys keys_of(char *a, char *b)
{
    struct cookie_keys keys = {.n_items = 0};
    cookie_keys_add(&keys, mac, a);
    if (b)
        cookie_keys_add(&keys, mac, b);
    return keys;
}

static struct cookie cookie_of(const char *member, uint64_t born_s, uint64_t used_s)
{
    struct cookie cookie = {
        .born_s = born_s, .used_s = used_s, .member_len = (uint8_t)strlen(member)};
    memcpy(cookie.member, member, cookie.member_len);
    return cookie;
}

static struct slice write_to(char value[COOKIE_VALUE_MAX], const struct cookie_keys *keys,
                             const char *pool, const struct cookie *cookie)
{
    return slice_make(value, cookie_write(keys, slice_from(pool), cookie, value));
}

/* ---- writing and reading ---- */

/* The form is a promise to other nodes and other versions: docs/formats/sticky-cookie.md. */
static void test_form(void **state)
{
    (void)state;
    char value[COOKIE_VALUE_MAX];
    struct cookie_keys keys = keys_of(first, NULL);
    struct cookie cookie = cookie_of("app1", 1795575600, 1795575660);
    struct slice text = write_to(value, &keys, "web", &cookie);
    if (!slice_is(text, "v1.kH8K.AABrBk8wAGsGT2xhcHAx.QpmwH9nir2chis7Kuc4Rkg"))
        fail_msg("%.*s", SLICE_ARG(text));
}

static void test_round_trip(void **state)
{
    (void)state;
    struct cookie_keys keys = keys_of(first, NULL);
    char name[COOKIE_MEMBER_MAX + 1] = "";
    for (size_t len = 1; len <= COOKIE_MEMBER_MAX; len++) {
        char value[COOKIE_VALUE_MAX];
        name[len - 1] = (char)('a' + len % 26);
        struct cookie cookie = cookie_of(name, (UINT64_C(1) << 40) - len, len * 1000003);
        struct cookie back;
        struct slice text = write_to(value, &keys, "web", &cookie);
        assert_int_equal(cookie_read(&keys, SLICE("web"), text, &back), COOKIE_OK);
        assert_true(slice_is(cookie_member(&back), name));
        assert_int_equal(back.born_s, cookie.born_s);
        assert_int_equal(back.used_s, cookie.used_s);
        if (len == COOKIE_MEMBER_MAX)
            assert_int_equal(text.len, COOKIE_VALUE_MAX);
    }
}

/* Every character changed to every other one, every prefix, and bytes behind: none is believed. */
static void test_no_byte_can_change(void **state)
{
    (void)state;
    struct cookie_keys keys = keys_of(first, second);
    struct cookie cookie = cookie_of("app1", 1795575600, 1795575660);
    struct cookie back;
    char value[COOKIE_VALUE_MAX + 1];
    struct slice text = write_to(value, &keys, "web", &cookie);
    for (size_t at = 0; at < text.len; at++) {
        char own = value[at];
        assert_int_not_equal(cookie_read(&keys, SLICE("web"), slice_make(value, at), &back), 0);
        for (int c = 0; c < 256; c++) {
            value[at] = (char)c;
            if ((char)c != own && cookie_read(&keys, SLICE("web"), text, &back) == COOKIE_OK)
                fail_msg("byte %zu as %d", at, c);
        }
        value[at] = own;
    }
    value[text.len] = 'A';
    assert_int_equal(cookie_read(&keys, SLICE("web"), slice_make(value, text.len + 1), &back),
                     COOKIE_FORGED);
    assert_int_equal(cookie_read(&keys, SLICE("web"), text, &back), COOKIE_OK);
}

/* A name cannot lend bytes to the pool's, nor the other way round. */
static void test_pools_are_apart(void **state)
{
    (void)state;
    struct cookie_keys keys = keys_of(first, NULL);
    struct cookie cookie = cookie_of("app1", 1795575600, 1795575660);
    struct cookie back;
    char value[COOKIE_VALUE_MAX];
    struct slice text = write_to(value, &keys, "web", &cookie);
    assert_int_equal(cookie_read(&keys, SLICE("we"), text, &back), COOKIE_FORGED);
    assert_int_equal(cookie_read(&keys, SLICE("webb"), text, &back), COOKIE_FORGED);
    assert_int_equal(cookie_read(&keys, SLICE("static"), text, &back), COOKIE_FORGED);
    assert_int_equal(cookie_read(&keys, SLICE(""), text, &back), COOKIE_FORGED);
}

/* first -> first, second -> second, first -> second: nobody notices until the old key is gone. */
static void test_change_of_keys(void **state)
{
    (void)state;
    struct cookie_keys steps[] = {keys_of(first, NULL), keys_of(first, second),
                                  keys_of(second, first), keys_of(second, NULL)};
    struct cookie_keys strangers = keys_of(third, NULL);
    struct cookie cookie = cookie_of("app1", 1, 2), back;
    char value[COOKIE_VALUE_MAX];
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct slice text = write_to(value, &steps[i], "web", &cookie);
        for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
            enum cookie_result result = cookie_read(&steps[k], SLICE("web"), text, &back);
            bool is_far = (i < 2 && k == 3) || (i >= 2 && k == 0);
            assert_int_equal(result, is_far ? COOKIE_NO_KEY : COOKIE_OK);
        }
        assert_int_equal(cookie_read(&strangers, SLICE("web"), text, &back), COOKIE_NO_KEY);
    }
}

/* A signed payload that this version does not understand. */
static void test_strange_payloads(void **state)
{
    (void)state;
    static const char *const values[] = {
        "",
        "app1",
        "v1",
        "v1....",
        "v2.AAAA.AAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA",
        "v1.AAAA..AAAAAAAAAAAAAAAAAAAAAA",
        "v1.AAAA.AAAAAAAAAAAAAAAAAAAAAAAA",
        "v1.AAAA.AAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAB",
        "v1.AAAA.AAAAAAAAAAAAAAAAAAA=.AAAAAAAAAAAAAAAAAAAAAA",
    };
    struct cookie_keys keys = keys_of(first, NULL);
    struct cookie back;
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        if (cookie_read(&keys, SLICE("web"), slice_from(values[i]), &back) != COOKIE_FORGED)
            fail_msg("%s", values[i]);
}

/* ---- ages ---- */

static const struct {
    uint64_t idle_s, life_s; /* the policy */
    uint64_t born_s, used_s; /* at 1,000,000 */
    bool is_expired, is_worn;
} age_rows[] = {
    {0, 0, 0, 0, false, false},
    {3600, 0, 0, 1000000, false, false},
    {3600, 0, 0, 999550, false, false}, /* an eighth: 450 s */
    {3600, 0, 0, 999549, false, true},
    {3600, 0, 0, 996400, false, true}, /* idle for as long as may be */
    {3600, 0, 0, 995951, false, true}, /* and the eighth that the cookie may be behind */
    {3600, 0, 0, 995950, true, true},
    {0, 86400, 913601, 0, false, false},
    {0, 86400, 913600, 1000000, true, false},
    {3600, 86400, 913600, 1000000, true, false},
    {3600, 86400, 2000000, 2000000, false, false}, /* another node's clock is ahead */
    {1, 0, 0, 999999, true, true},
    {1, 0, 0, 1000000, false, false},
};

static void test_ages(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(age_rows); i++) {
        struct cookie_policy policy = {age_rows[i].idle_s, age_rows[i].life_s};
        struct cookie cookie = cookie_of("a", age_rows[i].born_s, age_rows[i].used_s);
        if (cookie_is_expired(&cookie, &policy, 1000000) != age_rows[i].is_expired ||
            cookie_is_worn(&cookie, &policy, 1000000) != age_rows[i].is_worn)
            fail_msg("row %zu", i);
    }
}

/* ---- the field ---- */

static const struct {
    const char *field;
    const char *values; /* of WEIR, each with a bar behind it */
    const char *rest;   /* without them */
} field_rows[] = {
    {"WEIR=a", "a|", ""},
    {"a=b", "", "a=b"},
    {"", "", ""},
    {"a=b; WEIR=c; d=e", "c|", "a=b; d=e"},
    {"WEIR=a; b=c", "a|", "b=c"},
    {"b=c; WEIR=a", "a|", "b=c"},
    {"WEIR=a; WEIR=b; c=WEIR=d", "a|b|", "c=WEIR=d"},
    {"WEIR=\"a\"; b=\"c;d\"", "a|", "b=\"c;d\""},
    {"WEIRD=a; XWEIR=b; weir=c", "", "WEIRD=a; XWEIR=b; weir=c"},
    {"WEIR", "|", ""},
    {"WEIR=", "|", ""},
    {";; WEIR = a ;;b=c;", "a|", "b=c"},
    {"a=b;c=d;WEIR=x;e", "x|", "a=b;c=d;e"},
    {"  a=b", "", "a=b"},
    {"$Version=1; WEIR=a; $Path=/", "a|", "$Version=1; $Path=/"},
    {"WEIR=a=b", "a=b|", ""},
};

static void test_field(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(field_rows); i++) {
        char values[64] = "", out[64];
        struct slice rest = slice_from(field_rows[i].field), value;
        while (cookie_next(&rest, SLICE("WEIR"), &value))
            snprintf(values + strlen(values), sizeof(values) - strlen(values), "%.*s|",
                     SLICE_ARG(value));
        assert_string_equal(values, field_rows[i].values);
        size_t n = cookie_strip(slice_from(field_rows[i].field), SLICE("WEIR"), out);
        assert_in_range(n, 0, strlen(field_rows[i].field));
        if (!slice_is(slice_make(out, n), field_rows[i].rest))
            fail_msg("%s: %.*s", field_rows[i].field, (int)n, out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_no_byte_can_change),
        cmocka_unit_test(test_pools_are_apart),
        cmocka_unit_test(test_change_of_keys),
        cmocka_unit_test(test_strange_payloads),
        cmocka_unit_test(test_ages),
        cmocka_unit_test(test_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
