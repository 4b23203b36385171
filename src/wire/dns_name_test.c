/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Names: text and wire form, folding, order.
 */

#include "wire/dns_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ORIGIN "\7example\3org\0"
#define L63    "012345678901234567890123456789012345678901234567890123456789012"

static const struct row {
    const char *text;
    struct slice wire;   /* empty: refused */
    const char *message; /* part of it, or what it shows as where that is another text */
} rows[] = {
    {".", SLICE_INIT("\0"), NULL},
    {"org.", SLICE_INIT("\3org\0"), NULL},
    {"Www.Example.ORG.", SLICE_INIT("\3Www\7Example\3ORG\0"), NULL},
    {"www", SLICE_INIT("\3www" ORIGIN), "www.example.org."},
    {"a.b", SLICE_INIT("\1a\1b" ORIGIN), "a.b.example.org."},
    {"@", SLICE_INIT(ORIGIN), "example.org."},
    {"*", SLICE_INIT("\1*" ORIGIN), "*.example.org."},
    {"_sip._tcp", SLICE_INIT("\4_sip\4_tcp" ORIGIN), "_sip._tcp.example.org."},
    {"\\@.", SLICE_INIT("\1@\0"), NULL},
    {"a\\.b.", SLICE_INIT("\3a.b\0"), NULL},
    {"\\097.", SLICE_INIT("\1a\0"), "a."},
    {"\\000\\255.", SLICE_INIT("\2\0\xff\0"), NULL},
    {"\\032\\\".", SLICE_INIT("\2 \"\0"), NULL},
    {"\\\\.", SLICE_INIT("\1\\\0"), NULL},
    {"\\a.", SLICE_INIT("\1a\0"), "a."},
    {"\xc3\xa9.", SLICE_INIT("\2\xc3\xa9\0"), "\\195\\169."},
    {L63 ".", SLICE_INIT("\77" L63 "\0"), NULL},
    {L63 "." L63 "." L63 ".0123456789012345678901234567890123456789012345678901234567890.",
     SLICE_INIT("\77" L63 "\77" L63 "\77" L63 "\75"
                "0123456789012345678901234567890123456789012345678901234567890"
                "\0"),
     NULL},
    {"", SLICE_INIT(""), "empty"},
    {"..", SLICE_INIT(""), "empty label"},
    {".a.", SLICE_INIT(""), "empty label"},
    {"a..b", SLICE_INIT(""), "empty label"},
    {"a..", SLICE_INIT(""), "empty label"},
    {"a\\", SLICE_INIT(""), "backslash"},
    {"a\\1", SLICE_INIT(""), "backslash"},
    {"a\\12", SLICE_INIT(""), "backslash"},
    {"a\\12x", SLICE_INIT(""), "backslash"},
    {"a\\256", SLICE_INIT(""), "\\256 is no byte"},
    {L63 "4.", SLICE_INIT(""), "label of more than 63"},
    {L63 "4", SLICE_INIT(""), "label of more than 63"},
    {L63 "." L63 "." L63 ".01234567890123456789012345678901234567890123456789012345678901.",
     SLICE_INIT(""), "more than 255"},
    {L63 "." L63 "." L63 ".0123456789012345678901234567890123456789012345678901", SLICE_INIT(""),
     "more than 255"},
};

static void test_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t name[DNS_NAME_MAX];
        char text[DNS_NAME_TEXT_MAX];
        size_t len;
        struct err err = ERR_NONE;
        int result = dns_name_read(slice_from(rows[i].text), SLICE(ORIGIN), name, &len, &err);
        if ((result == 0) != (rows[i].wire.len > 0))
            fail_msg("%s: %d %s", rows[i].text, result, err.text);
        if (result < 0) {
            if (strstr(err.text, rows[i].message) == NULL)
                fail_msg("%s: %s", rows[i].text, err.text);
            continue;
        }
        struct slice wire = slice_make((char *)name, len);
        if (!slice_equal(wire, rows[i].wire) || !dns_name_is_valid(wire))
            fail_msg("%s: %zu bytes", rows[i].text, len);
        size_t n = dns_name_show(wire, text);
        assert_int_equal(n, strlen(text));
        assert_string_equal(text, rows[i].message ? rows[i].message : rows[i].text);
    }
}

static void test_no_origin(void **state)
{
    (void)state;
    static const char *const relative[] = {"www", "@", "a.b"};
    uint8_t name[DNS_NAME_MAX];
    size_t len;
    for (size_t i = 0; i < sizeof(relative) / sizeof(relative[0]); i++) {
        struct err err = ERR_NONE;
        assert_int_equal(dns_name_read(slice_from(relative[i]), SLICE(""), name, &len, &err), -1);
        assert_non_null(strstr(err.text, "relative"));
    }
    assert_int_equal(dns_name_read(SLICE("www."), SLICE(""), name, &len, NULL), 0);
}

/* The longest text: every byte as four characters. */
static void test_longest_text(void **state)
{
    (void)state;
    char name[DNS_NAME_MAX], text[DNS_NAME_TEXT_MAX];
    uint8_t again[DNS_NAME_MAX];
    size_t len;
    memset(name, 0xff, sizeof(name));
    name[0] = name[64] = name[128] = 63;
    name[192] = 61;
    name[254] = 0;
    struct slice wire = slice_make(name, sizeof(name));
    assert_true(dns_name_is_valid(wire));
    size_t n = dns_name_show(wire, text);
    assert_int_equal(dns_name_read(slice_make(text, n), SLICE(""), again, &len, NULL), 0);
    assert_true(slice_equal(wire, slice_make((char *)again, len)));
}

static void test_valid(void **state)
{
    (void)state;
    assert_true(dns_name_is_valid(DNS_ROOT));
    assert_false(dns_name_is_valid(SLICE("")));
    assert_false(dns_name_is_valid(SLICE("\1a")));
    assert_false(dns_name_is_valid(SLICE("\2a\0")));
    assert_false(dns_name_is_valid(SLICE("\1a\0\0")));
    assert_false(dns_name_is_valid(SLICE("\xc0\x0c")));
    char name[300] = {0};
    for (size_t at = 0; at + 2 < sizeof(name); at += 2)
        name[at] = 1;
    assert_true(dns_name_is_valid(slice_make(name, 299)) == false);
    name[254] = 0;
    assert_true(dns_name_is_valid(slice_make(name, 255)));
    assert_int_equal(dns_name_labels(slice_make(name, 255)), DNS_LABELS_MAX);
}

static void test_labels(void **state)
{
    (void)state;
    struct slice name = SLICE("\3wWw\7eXample\3org\0");
    assert_int_equal(dns_name_labels(name), 3);
    assert_int_equal(dns_name_labels(DNS_ROOT), 0);
    struct slice org = dns_name_parent(dns_name_parent(name));
    assert_true(slice_equal(org, SLICE("\3org\0")));
    assert_true(slice_equal(dns_name_parent(org), DNS_ROOT));
    assert_true(slice_equal(dns_name_parent(DNS_ROOT), DNS_ROOT));
    assert_true(dns_name_ends(name, SLICE(ORIGIN)));
    assert_true(dns_name_ends(name, name));
    assert_true(dns_name_ends(name, DNS_ROOT));
    assert_false(dns_name_ends(name, SLICE("\6xample\3org\0")));
    assert_false(dns_name_ends(SLICE(ORIGIN), name));
    assert_false(dns_name_ends(SLICE("\12ww\7example\3org\0"), SLICE(ORIGIN)));
}

/* RFC 4034 section 6.1, its own example. */
static void test_order(void **state)
{
    (void)state;
    static const struct slice order[] = {
        SLICE_INIT("\0"),
        SLICE_INIT("\7example\0"),
        SLICE_INIT("\1a\7example\0"),
        SLICE_INIT("\x08yljkjljk\1a\7example\0"),
        SLICE_INIT("\1Z\1a\7example\0"),
        SLICE_INIT("\4zABC\1a\7EXAMPLE\0"),
        SLICE_INIT("\1z\7example\0"),
        SLICE_INIT("\1\1\1z\7example\0"),
        SLICE_INIT("\1*\1z\7example\0"),
        SLICE_INIT("\1\310\1z\7example\0"),
    };
    enum { N = sizeof(order) / sizeof(order[0]) };
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < N; j++) {
            int diff = dns_name_compare(order[i], order[j]);
            assert_int_equal(diff < 0 ? -1 : diff > 0, i < j ? -1 : i > j);
            assert_int_equal(dns_name_equal(order[i], order[j]), i == j);
        }
    }
    assert_int_equal(dns_name_compare(SLICE("\1A\0"), SLICE("\1a\0")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),         cmocka_unit_test(test_no_origin),
        cmocka_unit_test(test_longest_text), cmocka_unit_test(test_valid),
        cmocka_unit_test(test_labels),       cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
