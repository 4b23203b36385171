/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON writer: whole documents, the table of escapes, ill-formed UTF-8, and numbers. */
#include "base/json.h"
#include "base/mem.h"

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void write_document(struct json *json)
{
    json_object_begin(json);
    json_key(json, "pools");
    json_array_begin(json);
    json_object_begin(json);
    json_key(json, "name");
    json_cstr(json, "web");
    json_key(json, "up");
    json_bool(json, true);
    json_object_end(json);
    json_object_begin(json);
    json_object_end(json);
    json_array_begin(json);
    json_array_end(json);
    json_none(json);
    json_cstr(json, NULL);
    json_bool(json, false);
    json_array_end(json);
    json_key(json, "a \"key\"");
    json_int(json, INT64_MIN);
    json_key(json, "u");
    json_uint(json, UINT64_MAX);
    json_key(json, "d");
    json_double(json, 0.1);
    json_key(json, "s");
    json_slice(json, SLICE("x"));
    json_object_end(json);
    json_finish(json);
}

static void test_document(void **state)
{
    (void)state;
    struct text text = TEXT_NONE;
    struct json json;
    json_init(&json, &text);
    write_document(&json);
    assert_string_equal(text_cstr(&text),
                        "{\"pools\":[{\"name\":\"web\",\"up\":true},{},[],null,null,false],"
                        "\"a \\\"key\\\"\":-9223372036854775808,\"u\":18446744073709551615,"
                        "\"d\":0.1,\"s\":\"x\"}");
    text_deinit(&text);
}

static void test_deepest(void **state)
{
    (void)state;
    struct text text = TEXT_NONE;
    struct json json;
    json_init(&json, &text);
    for (int i = 0; i + 1 < JSON_DEPTH_MAX; i++)
        json_array_begin(&json);
    for (int i = 0; i + 1 < JSON_DEPTH_MAX; i++)
        json_array_end(&json);
    json_finish(&json);
    assert_string_equal(text_cstr(&text), "[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]");
    text_deinit(&text);
}

#define FFFD "\xef\xbf\xbd"

static void test_escape(void **state)
{
    (void)state;
    static const struct {
        struct slice in;
        const char *out;
    } rows[] = {
        {SLICE_INIT(""), ""},
        {SLICE_INIT("plain / text"), "plain / text"},
        {SLICE_INIT("\"\\"), "\\\"\\\\"},
        {SLICE_INIT("a\b\f\n\r\tz"), "a\\b\\f\\n\\r\\tz"},
        {SLICE_INIT("\0\x01\x1f\x7f"), "\\u0000\\u0001\\u001f\x7f"},
        /* The shortest and longest of each length. */
        {SLICE_INIT("\xc2\x80\xdf\xbf"), "\xc2\x80\xdf\xbf"},
        {SLICE_INIT("\xe0\xa0\x80\xef\xbf\xbf"), "\xe0\xa0\x80\xef\xbf\xbf"},
        {SLICE_INIT("\xed\x9f\xbf\xee\x80\x80"), "\xed\x9f\xbf\xee\x80\x80"},
        {SLICE_INIT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
        /* Bytes that begin nothing. */
        {SLICE_INIT("a\x80z"), "a" FFFD "z"},
        {SLICE_INIT("\xbf\xbf"), FFFD FFFD},
        {SLICE_INIT("\xfe\xff\xf5\xf8"), FFFD FFFD FFFD FFFD},
        /* Overlong forms, surrogates, too large: no beginning of anything. */
        {SLICE_INIT("\xc0\xaf\xc1\xbf"), FFFD FFFD FFFD FFFD},
        {SLICE_INIT("\xe0\x9f\xbf"), FFFD FFFD FFFD},
        {SLICE_INIT("\xed\xa0\x80"), FFFD FFFD FFFD},
        {SLICE_INIT("\xf0\x8f\xbf\xbf"), FFFD FFFD FFFD FFFD},
        {SLICE_INIT("\xf4\x90\x80\x80"), FFFD FFFD FFFD FFFD},
        /* A beginning that is cut short is one mistake, and what follows stands. */
        {SLICE_INIT("\xc3"), FFFD},
        {SLICE_INIT("\xe2\x82"), FFFD},
        {SLICE_INIT("\xf0\x9f\x98"), FFFD},
        {SLICE_INIT("\xf0\x9f\x98\"\xc3\xa4"), FFFD "\\\"\xc3\xa4"},
        {SLICE_INIT("\xe2\x82\xe2\x82\xac"), FFFD "\xe2\x82\xac"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct text text = TEXT_NONE;
        json_escape(&text, rows[i].in);
        struct slice out = text_slice(&text);
        assert_true(out.len >= 2 && out.ptr[0] == '"' && out.ptr[out.len - 1] == '"');
        assert_true(slice_is((struct slice){out.ptr + 1, out.len - 2}, rows[i].out));
        text_deinit(&text);
    }
}

/* Every sequence of three bytes: jansson, which checks UTF-8 by itself, takes each result. */
static void test_every_three_bytes(void **state)
{
    (void)state;
    static const unsigned char some[] = {0x00, 0x1f, ' ',  '"',  '\\', 'a',  0x7f, 0x80, 0x8f, 0x90,
                                         0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec,
                                         0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
    struct text text = TEXT_NONE;
    for (size_t i = 0; i < ARRAY_LEN(some); i++)
        for (size_t j = 0; j < ARRAY_LEN(some); j++)
            for (size_t k = 0; k < ARRAY_LEN(some); k++) {
                const char bytes[] = {(char)some[i], (char)some[j], (char)some[k], (char)0x80};
                text_clear(&text);
                json_escape(&text, (struct slice){bytes, sizeof(bytes)});
                json_t *value =
                    json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
                assert_non_null(value);
                json_t *same = json_stringn(bytes, sizeof(bytes));
                if (same)
                    assert_true(json_equal(value, same));
                json_decref(same);
                json_decref(value);
            }
    text_deinit(&text);
}

static void test_doubles(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {0.1, "0.1"},
        {-2.5, "-2.5"},
        {100000, "100000"},
        {1e300, "1e+300"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {5e-324, "5e-324"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {(double)NAN, "null"},
        {(double)INFINITY, "null"},
        {-(double)INFINITY, "null"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct text text = TEXT_NONE;
        struct json json;
        json_init(&json, &text);
        json_double(&json, rows[i].value);
        json_finish(&json);
        assert_string_equal(text_cstr(&text), rows[i].text);
        if (isfinite(rows[i].value))
            assert_true(strtod(text_cstr(&text), NULL) == rows[i].value);
        text_deinit(&text);
    }
}

static void test_base64(void **state)
{
    (void)state;
    struct text text = TEXT_NONE;
    struct json json;
    json_init(&json, &text);
    json_array_begin(&json);
    json_base64(&json, SLICE(""));
    json_base64(&json, SLICE("\0\xff"));
    json_base64(&json, SLICE("abc"));
    json_array_end(&json);
    json_finish(&json);
    assert_string_equal(text_cstr(&text), "[\"\",\"AP8=\",\"YWJj\"]");
    text_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document), cmocka_unit_test(test_deepest),
        cmocka_unit_test(test_escape),   cmocka_unit_test(test_every_three_bytes),
        cmocka_unit_test(test_doubles),  cmocka_unit_test(test_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
