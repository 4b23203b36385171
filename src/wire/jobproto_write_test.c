/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Replies, byte for byte as clients know them.
 */

#include "wire/jobproto_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void check(const char *out, size_t n, const char *wanted)
{
    assert_int_equal(n, strlen(wanted));
    assert_memory_equal(out, wanted, n);
}

static void test_lines(void **state)
{
    (void)state;
    char out[JOBPROTO_OUT_MAX];
    for (int reply = 0; reply < JOBPROTO_N_REPLIES; reply++) {
        size_t n = jobproto_write_reply(out, (enum jobproto_reply)reply);
        assert_true(n > 2 && memcmp(out + n - 2, "\r\n", 2) == 0);
    }
    check(out, jobproto_write_reply(out, JOBPROTO_BAD_FORMAT), "BAD_FORMAT\r\n");
    check(out, jobproto_write_id(out, JOBPROTO_INSERTED_ID, 0), "INSERTED 0\r\n");
    check(out, jobproto_write_id(out, JOBPROTO_INSERTED_ID, UINT64_MAX),
          "INSERTED 18446744073709551615\r\n");
    check(out, jobproto_write_id(out, JOBPROTO_BURIED_ID, 7), "BURIED 7\r\n");
    check(out, jobproto_write_id(out, JOBPROTO_EXISTS_ID, 7), "EXISTS 7\r\n");
    check(out, jobproto_write_count(out, JOBPROTO_WATCHING_N, 2), "WATCHING 2\r\n");
    check(out, jobproto_write_count(out, JOBPROTO_KICKED_N, 10), "KICKED 10\r\n");
    check(out, jobproto_write_count(out, JOBPROTO_BATCH_N, 100), "BATCH 100\r\n");
    check(out, jobproto_write_using(out, SLICE("emails")), "USING emails\r\n");
    check(out, jobproto_write_job(out, JOBPROTO_RESERVED_JOB, 7, 5), "RESERVED 7 5\r\n");
    check(out, jobproto_write_job(out, JOBPROTO_FOUND_JOB, 7, 0), "FOUND 7 0\r\n");
}

static void test_longest_tube(void **state)
{
    (void)state;
    char out[JOBPROTO_OUT_MAX];
    char tube[JOBPROTO_TUBE_MAX];
    memset(tube, 'x', sizeof(tube));
    size_t n = jobproto_write_using(out, slice_make(tube, sizeof(tube)));
    assert_int_equal(n, strlen("USING ") + JOBPROTO_TUBE_MAX + 2);
}

static void test_job_and_tube(void **state)
{
    (void)state;
    struct text out = TEXT_NONE;
    text_append(&out, SLICE("before"));
    jobproto_write_stats_job(&(struct jobproto_stats_job){.id = 1,
                                                          .tube = SLICE("default"),
                                                          .state = SLICE("reserved"),
                                                          .priority = 2,
                                                          .age_s = 3,
                                                          .delay_s = 4,
                                                          .ttr_s = 5,
                                                          .time_left_s = 6,
                                                          .file = 7,
                                                          .n_reserves = 8,
                                                          .n_timeouts = 9,
                                                          .n_releases = 10,
                                                          .n_buries = 11,
                                                          .n_kicks = 12,
                                                          .n_attempts = 13},
                             &out);
    check(
        out.ptr, out.len,
        "beforeOK 164\r\n---\nid: 1\ntube: \"default\"\nstate: reserved\npri: 2\nage: 3\ndelay: 4\n"
        "ttr: 5\ntime-left: 6\nfile: 7\nreserves: 8\ntimeouts: 9\nreleases: 10\nburies: 11\n"
        "kicks: 12\nattempts: 13\n\r\n");
    text_clear(&out);
    jobproto_write_stats_tube(&(struct jobproto_stats_tube){.name = SLICE("a"), .n_ready = 3},
                              &out);
    check(
        out.ptr, out.len,
        "OK 280\r\n---\nname: \"a\"\ncurrent-jobs-urgent: 0\ncurrent-jobs-ready: 3\n"
        "current-jobs-reserved: 0\ncurrent-jobs-delayed: 0\ncurrent-jobs-buried: 0\n"
        "total-jobs: 0\ncurrent-using: 0\ncurrent-watching: 0\ncurrent-waiting: 0\n"
        "cmd-delete: 0\ncmd-pause-tube: 0\npause: 0\npause-time-left: 0\noldest-ready-ms: 0\n\r\n");
    text_deinit(&out);
}

static void test_server(void **state)
{
    (void)state;
    struct text out = TEXT_NONE;
    struct jobproto_stats stats = {.pid = 9,
                                   .version = SLICE("1 \"a\\"),
                                   .user_us = 1000001,
                                   .is_draining = true,
                                   .id = SLICE("00ff"),
                                   .hostname = SLICE("h"),
                                   .os = SLICE("#1 x"),
                                   .platform = SLICE("p")};
    stats.n_commands[JOBPROTO_RESERVE_TIMEOUT] = 77;
    jobproto_write_stats(&stats, &out);
    const char *tail = "\npid: 9\nversion: \"1 \\\"a\\\\\"\nrusage-utime: 1.000001\n"
                       "rusage-stime: 0.000000\nuptime: 0\nbinlog-oldest-index: 0\n"
                       "binlog-current-index: 0\nbinlog-records-migrated: 0\n"
                       "binlog-records-written: 0\nbinlog-max-size: 0\ndraining: true\nid: 00ff\n"
                       "hostname: \"h\"\nos: \"#1 x\"\nplatform: \"p\"\n\r\n";
    const char *at = strstr(out.ptr, "\npid:");
    assert_non_null(at);
    assert_string_equal(at, tail);
    assert_non_null(strstr(out.ptr, "\ncmd-reserve: 0\ncmd-reserve-with-timeout: 77\n"));
    text_deinit(&out);
}

static void test_list(void **state)
{
    (void)state;
    struct text out = TEXT_NONE;
    size_t start = jobproto_list_begin(&out);
    jobproto_list_tube(&out, SLICE("default"));
    jobproto_list_tube(&out, SLICE("b"));
    jobproto_list_end(&out, start);
    check(out.ptr, out.len, "OK 18\r\n---\n- default\n- b\n\r\n");
    text_deinit(&out);
}

static void test_show_job(void **state)
{
    (void)state;
    struct text out = TEXT_NONE;
    struct jobproto_shown_job shown = {.job = {.id = 7, .state = SLICE("ready")},
                                       .tube = SLICE("mail")};
    jobproto_write_show_job(&shown, &out);
    check(out.ptr, out.len,
          "OK 91\r\n---\nid: 7\ntube: \"mail\"\nstate: ready\npri: 0\nattempts: 0\nage: 0\nttr: 0\n"
          "time-left: 0\nbytes: 0\n\r\n");
    text_clear(&out);
    shown.job.key = SLICE("a\"b");
    shown.job.error = SLICE("lost");
    shown.attempts_allowed = 9;
    shown.percent = 50;
    shown.progress = SLICE("half\n");
    jobproto_write_show_job(&shown, &out);
    assert_non_null(strstr(out.ptr,
                           "\nbytes: 0\nattempts-allowed: 9\nkey: \"a\\\"b\"\npercent: 50\n"
                           "progress: \"half \"\nerror: lost\n\r\n"));
    text_deinit(&out);
}

static void test_jobs(void **state)
{
    (void)state;
    struct text out = TEXT_NONE;
    size_t start = jobproto_jobs_begin(&out, UINT32_MAX);
    jobproto_jobs_add(&out, &(struct jobproto_listed_job){.id = UINT64_MAX,
                                                          .state = SLICE("ready"),
                                                          .priority = 1,
                                                          .n_attempts = 2,
                                                          .age_s = 3,
                                                          .ttr_s = 4,
                                                          .time_left_s = 5,
                                                          .body_bytes = 6});
    jobproto_jobs_add(&out, &(struct jobproto_listed_job){.id = 7,
                                                          .state = SLICE("buried"),
                                                          .error = SLICE("temporary"),
                                                          .error_text = SLICE("a\n\"b\\, id: 9}")});
    jobproto_list_end(&out, start);
    check(out.ptr, out.len,
          "OK 260\r\n---\nnext: 4294967295\njobs:\n"
          "- {id: 18446744073709551615, state: ready, pri: 1, attempts: 2, age: 3, ttr: 4, "
          "time-left: 5, bytes: 6}\n"
          "- {id: 7, state: buried, pri: 0, attempts: 0, age: 0, ttr: 0, time-left: 0, bytes: 0, "
          "error: temporary, text: \"a \\\"b\\\\, id: 9}\"}\n\r\n");
    text_clear(&out);
    start = jobproto_jobs_begin(&out, 0);
    jobproto_list_end(&out, start);
    check(out.ptr, out.len, "OK 18\r\n---\nnext: 0\njobs:\n\r\n");
    text_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),        cmocka_unit_test(test_longest_tube),
        cmocka_unit_test(test_job_and_tube), cmocka_unit_test(test_server),
        cmocka_unit_test(test_list),         cmocka_unit_test(test_jobs),
        cmocka_unit_test(test_show_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
