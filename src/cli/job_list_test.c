/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Lines of list-jobs, as the server writes them and as no server should.
 */

#include "cli/job_list.h"

#include "base/mem.h"
#include "wire/jobproto_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* What the writer makes of `text`, and the reader of that, is the text again. */
static void check_text(struct slice text)
{
    const struct jobproto_listed_job job = {.id = 7,
                                            .state = SLICE("buried"),
                                            .priority = 1,
                                            .n_attempts = 2,
                                            .age_s = 3,
                                            .ttr_s = 4,
                                            .time_left_s = 5,
                                            .body_bytes = 6,
                                            .created_s = 7,
                                            .not_before_s = 8,
                                            .expires_s = 9,
                                            .attempts_max = 10,
                                            .result_s = 11,
                                            .result_bytes = 12,
                                            .counts = SLICE("1,2,3,4,65535"),
                                            .key = text,
                                            .error = SLICE("permanent"),
                                            .error_text = text};
    struct text line = TEXT_NONE;
    struct job_row row;
    jobproto_jobs_add(&line, &job);
    assert_int_equal(job_row_read(slice_make(line.ptr, line.len - 1), &row), 0);
    assert_int_equal(row.id, 7);
    assert_int_equal(row.priority, 1);
    assert_int_equal(row.n_attempts, 2);
    assert_int_equal(row.age_s, 3);
    assert_int_equal(row.ttr_s, 4);
    assert_int_equal(row.time_left_s, 5);
    assert_int_equal(row.body_bytes, 6);
    assert_int_equal(row.created_s, 7);
    assert_int_equal(row.not_before_s, 8);
    assert_int_equal(row.expires_s, 9);
    assert_int_equal(row.attempts_max, 10);
    assert_int_equal(row.result_s, 11);
    assert_int_equal(row.result_bytes, 12);
    assert_int_equal(row.counts[JOBPROTO_RESERVES], 1);
    assert_int_equal(row.counts[JOBPROTO_KICKS], 65535);
    assert_true(slice_equal(slice_from(row.key), text));
    assert_string_equal(row.state, "buried");
    assert_string_equal(row.error, "permanent");
    assert_true(slice_equal(slice_from(row.text), text));
    job_row_deinit(&row);
    text_deinit(&line);
}

static void test_what_the_server_writes(void **state)
{
    (void)state;
    check_text(SLICE(""));
    check_text(SLICE("no such user"));
    check_text(SLICE("\"\\\", id: 9, text: \"x\"}"));
    check_text(SLICE("\\"));
    check_text(SLICE("\xff\xc3"));
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int result;
    } rows[] = {
        {"- {id: 7}", 0},
        {"- {id: 7, later: word, bytes: 5}", 0},
        {"- {id: 7, counts: 1,2,3,4,5, key: \"a\"}", 0},
        {"- {id: 7, counts: 1,2,3,4}", -1},
        {"- {id: 7, counts: 1,2,3,4,5,6}", -1},
        {"- {id: 7, key: a}", -1},
        {"- {id: 7, text: \"\"}", 0},
        {"- {id: 7, text: \"a\", bytes: 5}", 0},
        {"- {id: 7, error: busy, error: lost, text: \"a\", text: \"b\"}", 0},
        {"", -1},
        {"- ", -1},
        {"- {", -1},
        {"- }", -1},
        {"- {}", -1},
        {"- {id: 7", -1},
        {"- {id: x}", -1},
        {"- {id: }", -1},
        {"- {id}", -1},
        {"- {bytes: 5}", -1},
        {"- {id: 7, error: busy, text: }", -1},
        {"- {id: 7, error: busy, text: \"}", -1},
        {"- {id: 7, error: busy, text: \"a\\}", -1},
        {"- {id: 7, error: busy, text: a}", -1},
        {"- {id: 18446744073709551616}", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        /* Of its own length, so that a read behind it is seen. */
        size_t len = strlen(rows[i].line);
        char *copy = mem_alloc(len > 0 ? len : 1);
        struct job_row row;
        memcpy(copy, rows[i].line, len);
        assert_int_equal(job_row_read(slice_make(copy, len), &row), rows[i].result);
        job_row_deinit(&row);
        mem_free(copy);
    }
}

static void test_sort(void **state)
{
    (void)state;
    struct job_row rows[] = {
        {.id = 9}, {.id = 2}, {.id = UINT64_MAX}, {.id = 9, .place = 3}, {.id = 2, .place = 4}};
    struct job_list list = {.rows = rows, .n_rows = ARRAY_LEN(rows)};
    rows[0].error = mem_strdup("busy");
    rows[3].error = mem_strdup("lost");
    job_list_sort(&list);
    assert_int_equal(list.n_rows, 3);
    assert_int_equal(rows[0].id, 2);
    assert_int_equal(rows[1].id, 9);
    assert_int_equal(rows[2].id, UINT64_MAX);
    assert_string_equal(rows[1].error, "lost");
    job_row_deinit(&rows[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_the_server_writes),
                                       cmocka_unit_test(test_lines), cmocka_unit_test(test_sort)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
