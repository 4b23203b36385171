/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Lines of jobs as they are written, and of answers as they are read: each row whole, and cut off
 * at each byte.
 */

#include "wire/jobline.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void check_written(const struct jobline_job *job, const char *wanted)
{
    struct text out = TEXT_NONE;
    jobline_write(job, &out);
    assert_string_equal(text_cstr(&out), wanted);
    text_deinit(&out);
}

static void test_written(void **state)
{
    (void)state;
    check_written(
        &(struct jobline_job){.id = 7,
                              .attempt = 2,
                              .queue = SLICE("mail"),
                              .body = SLICE("a \"b\"\nc\xc3\xa4"),
                              .is_text = true},
        "{\"id\":7,\"attempt\":2,\"queue\":\"mail\",\"body\":\"a \\\"b\\\"\\nc\xc3\xa4\"}\n");
    check_written(
        &(struct jobline_job){
            .id = UINT64_MAX, .attempt = 1, .queue = SLICE("q"), .body = SLICE("\xff\0\n")},
        "{\"id\":18446744073709551615,\"attempt\":1,\"queue\":\"q\",\"body_base64\":"
        "\"/wAK\"}\n");
    check_written(&(struct jobline_job){.id = 1, .queue = SLICE("q"), .is_text = true},
                  "{\"id\":1,\"attempt\":0,\"queue\":\"q\",\"body\":\"\"}\n");
}

static const struct {
    const char *text;
    struct jobline wanted;
    const char *bytes;
} good[] = {
    {"{\"ready\":true}", {.kind = JOBLINE_READY}, ""},
    {" { \"ready\" : true } \r", {.kind = JOBLINE_READY}, ""},
    {"{\"id\":7,\"outcome\":\"done\"}",
     {.kind = JOBLINE_ANSWER, .id = 7, .outcome = JOBLINE_DONE},
     ""},
    {"{\"outcome\":\"done\",\"result\":\"sent\\n\",\"id\":7}",
     {.kind = JOBLINE_ANSWER, .id = 7, .outcome = JOBLINE_DONE},
     "sent\n"},
    {"{\"id\":7,\"outcome\":\"done\",\"result_base64\":\"aGk=\"}",
     {.kind = JOBLINE_ANSWER, .id = 7, .outcome = JOBLINE_DONE},
     "hi"},
    {"{\"id\":7,\"outcome\":\"again\",\"reason\":\"no table\"}",
     {.kind = JOBLINE_ANSWER, .id = 7, .outcome = JOBLINE_AGAIN},
     "no table"},
    {"{\"id\":7,\"outcome\":\"bury\"}",
     {.kind = JOBLINE_ANSWER, .id = 7, .outcome = JOBLINE_BURY},
     ""},
    {"{\"id\":7,\"progress\":0}", {.kind = JOBLINE_PROGRESS, .id = 7}, ""},
    {"{\"id\":7,\"progress\":100,\"text\":\"all\"}",
     {.kind = JOBLINE_PROGRESS, .id = 7, .percent = 100},
     "all"},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct jobline line;
        struct err err = ERR_NONE;
        if (jobline_read(slice_from(good[i].text), &line, &err) < 0)
            fail_msg("%s: %s", good[i].text, err.text);
        assert_int_equal(line.kind, good[i].wanted.kind);
        assert_int_equal(line.id, good[i].wanted.id);
        assert_int_equal(line.outcome, good[i].wanted.outcome);
        assert_int_equal(line.percent, good[i].wanted.percent);
        assert_string_equal(text_cstr(&line.bytes), good[i].bytes);
        jobline_deinit(&line);
        size_t n_whole = slice_find(slice_from(good[i].text), '}') + 1;
        for (size_t n = 0; n < n_whole; n++)
            assert_int_equal(jobline_read(slice_make(good[i].text, n), &line, NULL), -1);
    }
}

static const struct {
    const char *text, *why;
} bad[] = {
    {"7", "no JSON"},
    {"[]", "a line is an object"},
    {"{}", "neither {\"ready\":true} nor an \"id\" and its \"outcome\""},
    {"{\"ready\":false}", "\"ready\" wants true"},
    {"{\"ready\":true,\"id\":7}", "keys that do not belong together"},
    {"{\"id\":0,\"outcome\":\"done\"}", "\"id\" wants the number of the job"},
    {"{\"id\":-7,\"outcome\":\"done\"}", "\"id\" wants the number of the job"},
    {"{\"id\":\"7\",\"outcome\":\"done\"}", "\"id\" wants the number of the job"},
    {"{\"id\":7.0,\"outcome\":\"done\"}", "\"id\" wants the number of the job"},
    {"{\"id\":7,\"outcome\":\"ok\"}", "\"outcome\" wants \"done\", \"again\" or \"bury\""},
    {"{\"id\":7,\"outcome\":0}", "\"outcome\" wants"},
    {"{\"id\":7}", "neither"},
    {"{\"outcome\":\"done\"}", "neither"},
    {"{\"id\":7,\"outcome\":\"done\",\"outcome\":\"bury\"}", "no JSON"},
    {"{\"id\":7,\"outcome\":\"done\",\"reason\":\"x\"}", "\"result\" belongs to \"done\""},
    {"{\"id\":7,\"outcome\":\"again\",\"result\":\"x\"}", "\"result\" belongs to \"done\""},
    {"{\"id\":7,\"outcome\":\"done\",\"result\":\"x\",\"result_base64\":\"aGk=\"}",
     "keys that do not belong together"},
    {"{\"id\":7,\"outcome\":\"done\",\"result\":7}", "\"result\" wants a string"},
    {"{\"id\":7,\"outcome\":\"done\",\"result_base64\":\"a\"}", "\"result_base64\" wants"},
    {"{\"id\":7,\"outcome\":\"done\",\"resutl\":\"x\"}", "nobody knows a key \"resutl\""},
    {"{\"id\":7,\"progress\":101}", "\"progress\" wants a whole number from 0 to 100"},
    {"{\"id\":7,\"progress\":1,\"outcome\":\"done\"}", "keys that do not belong together"},
    {"{\"ready\":true}{\"ready\":true}", "no JSON"},
    {"{\"id\":7,\"outcome\":\"done\",\"result\":\"\xff\"}", "no JSON"},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct jobline line;
        struct err err = ERR_NONE;
        if (jobline_read(slice_from(bad[i].text), &line, &err) == 0)
            fail_msg("%s is read", bad[i].text);
        if (!strstr(err.text, bad[i].why))
            fail_msg("%s: %s", bad[i].text, err.text);
    }
}

/* A result may have every byte. */
static void test_nul(void **state)
{
    struct jobline line;
    (void)state;
    assert_int_equal(jobline_read(SLICE("{\"id\":7,\"outcome\":\"done\",\"result\":\"a\\u0000b\"}"),
                                  &line, NULL),
                     0);
    assert_int_equal(line.bytes.len, 3);
    assert_memory_equal(line.bytes.ptr, "a\0b", 3);
    jobline_deinit(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written),
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
