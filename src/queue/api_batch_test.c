/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of queries and of JSON by tables: what they mean, and the sentence for what they do not; a
 * batch cut at every byte; tokens of leases with any byte changed.
 */
#include "queue/api_batch.h"

#include "base/mem.h"
#include "queue/api_token.h"
#include "queue/api_word.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { JOBS_MAX = 3, JOB_BYTES = 8 };

/* ---- queries --------------------------------------------------------------------------------- */

static const struct {
    const char *query, *err; /* err NULL: it is fine, and means `put` */
    struct api_put put;
} queries[] = {
    {"", NULL, API_PUT_NONE},
    {"&&", NULL, API_PUT_NONE},
    {"priority=0&ttr=4294967295", NULL, {.priority = 0, .ttr_s = UINT32_MAX}},
    {"delay=10&ttl=5m&keep=7d&attempts=65535",
     NULL,
     {.priority = API_PRIORITY,
      .ttr_s = API_TTR_S,
      .delay_s = 10,
      .ttl_s = 300,
      .keep_s = 604800,
      .attempts = 65535}},
    {"not-before=4294967295",
     NULL,
     {.priority = API_PRIORITY, .ttr_s = API_TTR_S, .not_before_ms = 4294967295000}},
    {"%6bey=a%2Fb%25",
     NULL,
     {.priority = API_PRIORITY, .ttr_s = API_TTR_S, .key = SLICE_INIT("a/b%")}},
    {"priority=4294967296", "priority: from 0 to 4294967295", API_PUT_NONE},
    {"priority=18446744073709551616", "priority: a number of digits is wanted", API_PUT_NONE},
    {"priority=1s", "priority: a number of digits is wanted", API_PUT_NONE},
    {"delay=1500ms", "delay: whole seconds are counted", API_PUT_NONE},
    {"delay=40000d", NULL, API_PUT_NONE}, /* any sentence: see below */
    {"ttr=0", "ttr: from 1 to 4294967295", API_PUT_NONE},
    {"key=", "key: from 1 to 128 characters", API_PUT_NONE},
    {"key=a+b", "key: visible characters of ASCII are wanted", API_PUT_NONE},
    {"key=%00", "\"%00\" in the query is no text", API_PUT_NONE},
    {"key=%4", "\"%4\" in the query is no text", API_PUT_NONE},
    {"key=%", "\"%\" in the query is no text", API_PUT_NONE},
    {"key=%g0", "\"%g0\" in the query is no text", API_PUT_NONE},
    {"delay=1&delay=1", "delay: it is there twice", API_PUT_NONE},
    {"Delay=1", "nothing is known by the name \"Delay\" in the query", API_PUT_NONE},
    {"=1", "nothing is known by the name \"\" in the query", API_PUT_NONE},
};

static void assert_put(const struct api_put *is, const struct api_put *right)
{
    assert_int_equal(is->priority, right->priority);
    assert_int_equal(is->delay_s, right->delay_s);
    assert_int_equal(is->ttr_s, right->ttr_s);
    assert_int_equal(is->ttl_s, right->ttl_s);
    assert_int_equal(is->attempts, right->attempts);
    assert_int_equal(is->keep_s, right->keep_s);
    assert_int_equal(is->not_before_ms, right->not_before_ms);
    assert_true(slice_equal(is->key, right->key));
}

static void test_queries(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        struct api_put put = API_PUT_NONE;
        struct text room = TEXT_NONE;
        struct err err = ERR_NONE;
        bool is_far = strcmp(queries[i].query, "delay=40000d") == 0;
        int result = api_query_read(slice_from(queries[i].query), api_put_words, &put, &room, &err);
        if (queries[i].err || is_far) {
            assert_int_equal(result, -1);
            if (queries[i].err)
                assert_string_equal(err.text, queries[i].err);
        } else {
            if (result < 0)
                fail_msg("%s: %s", queries[i].query, err.text);
            assert_put(&put, &queries[i].put);
        }
        text_deinit(&room);
    }
}

struct named {
    struct api_queues queues;
};

static const struct api_word named_words[] = {
    {"queue", API_QUEUES, offsetof(struct named, queues), 0, 0},
    {0},
};

static void test_queues(void **state)
{
    (void)state;
    struct text query = TEXT_NONE, room = TEXT_NONE;
    struct named named = {.queues = {.n = 0}};
    struct err err = ERR_NONE;
    for (int i = 0; i < API_QUEUES_MAX; i++)
        text_printf(&query, "&queue=q%d", i);
    assert_int_equal(api_query_read(text_slice(&query), named_words, &named, &room, &err), 0);
    assert_int_equal(named.queues.n, API_QUEUES_MAX);
    assert_true(slice_is(named.queues.names[API_QUEUES_MAX - 1], "q63"));
    text_printf(&query, "&queue=q");
    named.queues.n = 0;
    text_clear(&room);
    assert_int_equal(api_query_read(text_slice(&query), named_words, &named, &room, &err), -1);
    assert_string_equal(err.text, "queue: at most 64");
    text_clear(&room);
    assert_int_equal(api_query_read(SLICE("queue=a%20b"), named_words, &named, &room, &err), -1);
    assert_string_equal(err.text, "queue: \"a b\" is no name of a queue");
    text_deinit(&query);
    text_deinit(&room);
}

/* ---- batches --------------------------------------------------------------------------------- */

static const struct {
    const char *text, *err;
    const char *bodies[JOBS_MAX + 1]; /* NULL ends them */
} batches[] = {
    {"[{\"body\":\"a\"}]", NULL, {"a"}},
    {" \r\n\t[ {\"body\":\"a\"} , {\"json\":{\"b\": 1}} ]\n", NULL, {"a", "{\"b\":1}"}},
    {"{\"body\":\"a\"}\n\n \r\n{\"body_base64\":\"Zm9v\"}\r\n{\"json\":\"x\"}",
     NULL,
     {"a", "foo", "\"x\""}},
    {"{\"body\":\"\\u00e4\", \"not_before\": 7, \"ttr\": \"1m\"}", NULL, {"\303\244"}},
    {"{\"body\":\"12345678\"}", NULL, {"12345678"}},
    {"{\"body\":\"123456789\"}", "job 1: a body of 9 bytes; 8 are taken", {NULL}},
    {"{\"body_base64\":\"MTIzNDU2Nzg5\"}", "job 1: a body of 9 bytes; 8 are taken", {NULL}},
    {"", "there is no job in it", {NULL}},
    {"\n\n", "there is no job in it", {NULL}},
    {"[]", "there is no job in it", {NULL}},
    {"[{\"body\":\"a\"},{\"body\":\"a\"},{\"body\":\"a\"},7]", "more than 3 jobs", {NULL}},
    {"7\n7\n7\n7\n", "more than 3 jobs", {NULL}},
    {"7", "job 1: a job is an object, as {\"body\": \"...\"}", {NULL}},
    {"{\"body\":\"a\"} 7", "no JSON at line 1, column 14: end of file expected near '7'", {NULL}},
    {"[{\"body\":\"a\"},\n 7]", "job 2: a job is an object, as {\"body\": \"...\"}", {NULL}},
    {"{\"body\":\"a\"}\n\n{",
     "no JSON at line 3, column 1: string or '}' expected near end of file",
     {NULL}},
    {"{\"body\":7}", "job 1: body: a string is wanted; any other value is `json`", {NULL}},
    {"{\"body_base64\":\"*\"}", "job 1: body_base64: base64 is wanted", {NULL}},
    {"{\"body_base64\":7}", "job 1: body_base64: base64 is wanted", {NULL}},
    {"{\"body\":\"a\",\"json\":7}", "job 1: json: the job has a body already", {NULL}},
    {"{\"delay\":7}", "job 1: none of \"body\", \"body_base64\" and \"json\"", {NULL}},
    {"{\"body\":\"a\",\"delay\":-1}", "job 1: delay: a whole number is wanted", {NULL}},
    {"{\"body\":\"a\",\"delay\":1.0}", "job 1: delay: a whole number is wanted", {NULL}},
    {"{\"body\":\"a\",\"delay\":4294967296}", "job 1: delay: from 0 to 4294967295", {NULL}},
    {"{\"body\":\"a\",\"key\":7}", "job 1: key: a string is wanted", {NULL}},
    {"{\"body\":\"a\",\"key\":\"a\\u0000\"}",
     "job 1: key: visible characters of ASCII are wanted",
     {NULL}},
    {"{\"body\":\"a\",\"Key\":\"k\"}", "job 1: a job has no \"Key\"", {NULL}},
};

static int read_batch(struct slice bytes, struct api_batch *batch, struct err *err)
{
    return api_batch_read(bytes, JOBS_MAX, JOB_BYTES, batch, err);
}

static void test_batches(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(batches); i++) {
        struct api_batch batch;
        struct err err = ERR_NONE;
        int result = read_batch(slice_from(batches[i].text), &batch, &err);
        if (batches[i].err) {
            assert_int_equal(result, -1);
            assert_string_equal(err.text, batches[i].err);
            continue;
        }
        if (result < 0)
            fail_msg("%s: %s", batches[i].text, err.text);
        uint32_t n = 0;
        for (; batches[i].bodies[n]; n++)
            assert_true(slice_is(batch.items[n].body, batches[i].bodies[n]));
        assert_int_equal(batch.n_items, n);
        api_batch_deinit(&batch);
    }
}

/* A NUL is a byte of a body, and the words are those of a query. */
static void test_a_job(void **state)
{
    (void)state;
    static const struct slice text = SLICE_INIT(
        "{\"body\":\"a\\u0000b\",\"priority\":1,\"delay\":\"2\",\"ttr\":\"3m\",\"key\":\"k\","
        "\"ttl\":4,\"attempts\":5,\"keep\":6,\"not_before\":7}");
    const struct api_put right = {.priority = 1,
                                  .delay_s = 2,
                                  .ttr_s = 180,
                                  .key = SLICE("k"),
                                  .ttl_s = 4,
                                  .attempts = 5,
                                  .keep_s = 6,
                                  .not_before_ms = 7000};
    struct api_batch batch;
    struct err err = ERR_NONE;
    assert_int_equal(read_batch(text, &batch, &err), 0);
    assert_put(&batch.items[0].put, &right);
    assert_true(slice_equal(batch.items[0].body, slice_make("a\0b", 3)));
    api_batch_deinit(&batch);
    for (size_t n = 0; n < text.len; n++) /* no part of it is a job */
        assert_int_equal(read_batch(slice_make(text.ptr, n), &batch, &err), -1);
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static void test_tokens(void **state)
{
    (void)state;
    struct tls_mac *mac = tls_mac_create(SLICE("one")), *other = tls_mac_create(SLICE("two"));
    char token[API_TOKEN_CHARS];
    uint64_t id = 0, number = 0;
    api_token_write(mac, 7, UINT64_MAX - 1, token);
    struct slice text = slice_make(token, sizeof(token));
    assert_int_equal(api_token_read(mac, text, &id, &number), 0);
    assert_int_equal(id, 7);
    assert_true(number == UINT64_MAX - 1);
    assert_int_equal(api_token_read(other, text, &id, &number), 1);
    assert_int_equal(api_token_read(mac, slice_make(token, text.len - 1), &id, &number), -1);
    assert_int_equal(api_token_read(mac, SLICE(""), &id, &number), -1);
    for (size_t i = 0; i < text.len; i++) {
        char was = token[i];
        token[i] = was == 'A' ? 'B' : 'A';
        assert_int_not_equal(api_token_read(mac, text, &id, &number), 0);
        token[i] = '+';
        assert_int_equal(api_token_read(mac, text, &id, &number), -1);
        token[i] = was;
    }
    tls_mac_destroy(&mac);
    tls_mac_destroy(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queries), cmocka_unit_test(test_queues),
        cmocka_unit_test(test_batches), cmocka_unit_test(test_a_job),
        cmocka_unit_test(test_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
