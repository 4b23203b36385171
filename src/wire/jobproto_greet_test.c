/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First lines and what they are, each also cut at every byte: what was said once stays, whatever
 * comes behind it.
 */
#include "wire/jobproto_greet.h"

#include "base/mem.h"
#include "wire/jobproto.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *bytes;
    enum jobproto_greeting greeting;
    size_t n_needed; /* the fewest bytes that say so; 0: none do */
} rows[] = {
    {"", JOBPROTO_GREET_MORE, 0},
    {"put 0 0 60 5\r\nhello\r\n", JOBPROTO_GREET_JOBS, 1},
    {"quit\r\n", JOBPROTO_GREET_JOBS, 1},
    {"\r\nGET / HTTP/1.1\r\n", JOBPROTO_GREET_JOBS, 1},
    {" GET / HTTP/1.1\r\n", JOBPROTO_GREET_JOBS, 1},
    {"get / HTTP/1.1\r\n", JOBPROTO_GREET_JOBS, 1},
    {"GET / HTTP/1.1\r\n", JOBPROTO_GREET_HTTP, 16},
    {"GET / HTTP/1.1\n", JOBPROTO_GREET_HTTP, 15},
    {"GET / HTTP/1.0\r\n", JOBPROTO_GREET_HTTP, 16},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", JOBPROTO_GREET_HTTP, 16},
    {"POST http://host/v1/queues/q/jobs?delay=3 HTTP/1.1\r\n", JOBPROTO_GREET_HTTP, 52},
    {"M-SEARCH * HTTP/1.1\r\n", JOBPROTO_GREET_HTTP, 21},
    {"GET / HTTP/1.1 \r\n", JOBPROTO_GREET_JOBS, 17},
    {"GET / HTTP/1.\r\n", JOBPROTO_GREET_JOBS, 15},
    {"GET / HTTP/11.1\r\n", JOBPROTO_GREET_JOBS, 17},
    {"GET / http/1.1\r\n", JOBPROTO_GREET_JOBS, 16},
    {"GET /\r\n", JOBPROTO_GREET_JOBS, 7},
    {"GET x HTTP/1.1\r\n", JOBPROTO_GREET_JOBS, 5},
    {"PUT 0 0 60 5\r\nhello\r\n", JOBPROTO_GREET_JOBS, 5},
    {"PUT\r\n", JOBPROTO_GREET_JOBS, 4},
    {"Put /", JOBPROTO_GREET_JOBS, 2},
    {"GET\t/ HTTP/1.1\r\n", JOBPROTO_GREET_JOBS, 4},
    {"STATS", JOBPROTO_GREET_MORE, 0},
    {"\x16\x03\x01\x02", JOBPROTO_GREET_TLS, 1}, /* towards a plain port */
    {"\x15\x03\x01\x02", JOBPROTO_GREET_JOBS, 1},
    {"\xff\xff", JOBPROTO_GREET_JOBS, 1},
    {" HTTP/1.1\r\n", JOBPROTO_GREET_JOBS, 1},
};

static void at_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].bytes);
        size_t n_needed = rows[i].n_needed ? rows[i].n_needed : len + 1;
        for (size_t n = 0; n <= len; n++) {
            enum jobproto_greeting is = jobproto_greet(slice_make(rows[i].bytes, n));
            enum jobproto_greeting right = n < n_needed ? JOBPROTO_GREET_MORE : rows[i].greeting;
            if (is != right)
                fail_msg("row %zu, %zu bytes: %d and not %d", i, n, is, right);
        }
    }
}

/* Beyond the longest line of the job protocol there is no doubt. */
static void long_lines(void **state)
{
    char bytes[2 * JOBPROTO_LINE_MAX];
    (void)state;
    memset(bytes, 'a', sizeof(bytes));
    memcpy(bytes, "GET /", 5);
    for (size_t n = 1; n <= sizeof(bytes); n++)
        assert_int_equal(jobproto_greet(slice_make(bytes, n)),
                         n < JOBPROTO_LINE_MAX ? JOBPROTO_GREET_MORE : JOBPROTO_GREET_HTTP);
    memset(bytes, 'A', sizeof(bytes));
    for (size_t n = 1; n <= sizeof(bytes); n++)
        assert_int_equal(jobproto_greet(slice_make(bytes, n)),
                         n < JOBPROTO_LINE_MAX ? JOBPROTO_GREET_MORE : JOBPROTO_GREET_JOBS);
    bytes[JOBPROTO_LINE_MAX - 1] = ' ';
    assert_int_equal(jobproto_greet(slice_make(bytes, JOBPROTO_LINE_MAX)), JOBPROTO_GREET_HTTP);
}

/* No command of the job protocol is ever taken for HTTP, not even its first byte. */
static void commands(void **state)
{
    (void)state;
    for (int verb = 0; verb < JOBPROTO_N_VERBS; verb++)
        assert_int_equal(
            jobproto_greet(slice_make(jobproto_verb_name((enum jobproto_verb)verb), 1)),
            JOBPROTO_GREET_JOBS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_every_byte),
        cmocka_unit_test(long_lines),
        cmocka_unit_test(commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
