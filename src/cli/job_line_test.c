/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Jobs as lines: what was written is read again, whatever the body; and what is no job is refused
 * with a reason.
 */

#include "cli/job_line.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void check_again(struct slice body)
{
    const struct job_line line = {.queue = SLICE("mail"),
                                  .id = 7,
                                  .state = SLICE("buried"),
                                  .priority = UINT32_MAX,
                                  .ttr_s = 3,
                                  .attempts = 4,
                                  .not_before_s = 5,
                                  .expires_s = 6,
                                  .created_s = 7,
                                  .attempts_max = 8,
                                  .keep_s = 9,
                                  .counts = {1, 2, 3, 4, 65535},
                                  .key = SLICE("k\"#"),
                                  .error = SLICE("temporary"),
                                  .error_text = SLICE("a \"b\"\\"),
                                  .body = body,
                                  .result = body};
    struct text out = TEXT_NONE;
    struct err err = ERR_NONE;
    struct job_line again;
    job_line_write(&line, &out);
    assert_int_equal(slice_find(text_slice(&out), '\n'), out.len - 1);
    assert_int_equal(job_line_read(slice_make(out.ptr, out.len - 1), &again, &err), 0);
    assert_true(slice_equal(again.queue, line.queue) && slice_equal(again.state, line.state));
    assert_int_equal(again.id, 7);
    assert_int_equal(again.priority, UINT32_MAX);
    assert_int_equal(again.not_before_s, 5);
    assert_int_equal(again.expires_s, 6);
    assert_int_equal(again.created_s, 7);
    assert_int_equal(again.attempts_max, 8);
    assert_int_equal(again.keep_s, 9);
    assert_memory_equal(again.counts, line.counts, sizeof(line.counts));
    assert_true(slice_equal(again.key, line.key) && slice_equal(again.result, body));
    assert_int_equal(again.ttr_s, 3);
    assert_int_equal(again.attempts, 4);
    assert_true(slice_equal(again.error, line.error));
    assert_true(slice_equal(again.error_text, line.error_text));
    assert_true(slice_equal(again.body, body));
    job_line_deinit(&again);
    text_deinit(&out);
}

static void test_bodies(void **state)
{
    (void)state;
    char all[256];
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (char)i;
    for (size_t n = 0; n <= sizeof(all); n++) {
        check_again(slice_make(all, n));
        check_again(slice_make(all + sizeof(all) - n, n));
    }
    check_again(SLICE("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80"));
    check_again(SLICE("\xed\xa0\x80"));
    check_again(SLICE("\xc3"));
}

static void test_written(void **state)
{
    (void)state;
    struct text out = TEXT_NONE;
    struct job_line line = {.queue = SLICE("a"),
                            .id = 1,
                            .state = SLICE("ready"),
                            .priority = 2,
                            .ttr_s = 3,
                            .body = SLICE("hi\n")};
    job_line_write(&line, &out);
    assert_string_equal(text_cstr(&out),
                        "{\"queue\":\"a\",\"id\":1,\"state\":\"ready\",\"priority\":2,"
                        "\"ttr\":3,\"attempts\":0,\"expires\":0,\"body\":\"hi\\n\"}\n");
    text_clear(&out);
    line.body = SLICE("\xfb\xff\xfe\0");
    job_line_write(&line, &out);
    assert_non_null(strstr(text_cstr(&out), "\"body_base64\":\"+//+AA==\"}\n"));
    text_clear(&out);
    line = (struct job_line){.queue = SLICE("a"),
                             .id = 1,
                             .state = SLICE("done"),
                             .ttr_s = 3,
                             .expires_s = 9,
                             .counts = {1, 0, 0, 0, 2},
                             .result = SLICE("")};
    job_line_write(&line, &out);
    assert_string_equal(text_cstr(&out),
                        "{\"queue\":\"a\",\"id\":1,\"state\":\"done\",\"priority\":0,\"ttr\":3,"
                        "\"attempts\":0,\"expires\":9,\"reserves\":1,\"kicks\":2,"
                        "\"result\":\"\"}\n");
    text_deinit(&out);
}

static void test_read(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why; /* why NULL: it is a job */
    } rows[] = {
        {"{\"queue\":\"a\",\"body\":\"\"}", NULL},
        {"{\"queue\":\"a\",\"body_base64\":\"\"}", NULL},
        {"{\"queue\":\"a\",\"body_base64\":\"aGk\"}", NULL},
        {"{\"queue\":\"a\",\"body_base64\":\"aGk=\"}", NULL},
        {"{\"queue\":\"a\",\"body_base64\":\"AA==\"}", NULL},
        {"{\"queue\":\"a\",\"body_base64\":\"AA=\"}", "no value for \"body_base64\""},
        {" {\"body\":\"x\", \"queue\":\"a\", \"priority\":0, \"state\":\"delayed\"} ", NULL},
        {"", "no JSON"},
        {"{", "no JSON"},
        {"[]", "a job is an object"},
        {"7", "no JSON"},
        {"{}", "\"queue\""},
        {"{\"queue\":\"a\"}", "neither"},
        {"{\"queue\":\"a b\",\"body\":\"\"}", "\"queue\""},
        {"{\"queue\":7,\"body\":\"\"}", "no value for \"queue\""},
        {"{\"queue\":\"a\",\"body\":\"\",\"body\":\"\"}", "no JSON"},
        {"{\"queue\":\"a\",\"body\":\"\",\"body_base64\":\"\"}", "one too many"},
        {"{\"queue\":\"a\",\"body_base64\":\"a\"}", "no value for \"body_base64\""},
        {"{\"queue\":\"a\",\"body_base64\":\"a===\"}", "no value for \"body_base64\""},
        {"{\"queue\":\"a\",\"body_base64\":\"aGl\"}", "no value for \"body_base64\""},
        {"{\"queue\":\"a\",\"body\":\"\",\"prio\":1}", "a job has no \"prio\""},
        {"{\"queue\":\"a\",\"body\":\"\",\"priority\":-1}", "no value for \"priority\""},
        {"{\"queue\":\"a\",\"body\":\"\",\"priority\":4294967296}", "no value for \"priority\""},
        {"{\"queue\":\"a\",\"body\":\"\",\"priority\":1.5}", "no value for \"priority\""},
        {"{\"queue\":\"a\",\"body\":\"\",\"delay\":\"1\"}", "no value for \"delay\""},
        {"{\"queue\":\"a\",\"body\":\"\",\"ttr\":0}", "\"ttr\""},
        {"{\"queue\":\"a\",\"body\":\"\",\"state\":\"gone\"}", "\"state\""},
        {"{\"queue\":\"a\",\"state\":\"done\",\"expires\":9}", NULL},
        {"{\"queue\":\"a\",\"state\":\"done\",\"expires\":9,\"result_base64\":\"AA==\"}", NULL},
        {"{\"queue\":\"a\",\"state\":\"done\"}", "\"expires\""},
        {"{\"queue\":\"a\",\"state\":\"done\",\"expires\":0}", "\"expires\""},
        {"{\"queue\":\"a\",\"body\":\"\",\"result\":\"x\"}", "\"result\""},
        {"{\"queue\":\"a\",\"body\":\"\",\"state\":\"buried\",\"result\":\"x\"}", NULL},
        {"{\"queue\":\"a\",\"body\":\"\",\"result\":\"\",\"result_base64\":\"\"}", "one too many"},
        {"{\"queue\":\"a\",\"body\":\"\",\"result_base64\":7}", "no value for \"result_base64\""},
        {"{\"queue\":\"a\",\"body\":\"\",\"error\":\"bored\"}", "\"error\""},
        {"{\"queue\":\"a\",\"body\":\"\",\"error\":\"lost\"}", NULL},
        {"{\"queue\":\"a\",\"body\":\"\",\"key\":\"a b\"}", "\"key\""},
        {"{\"queue\":\"a\",\"body\":\"\",\"kicks\":-1}", "no value for \"kicks\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = ERR_NONE;
        struct job_line line;
        int result = job_line_read(slice_from(rows[i].line), &line, &err);
        assert_int_equal(result, rows[i].why ? -1 : 0);
        if (rows[i].why)
            assert_non_null(strstr(err.text, rows[i].why));
        job_line_deinit(&line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bodies),
                                       cmocka_unit_test(test_written), cmocka_unit_test(test_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
