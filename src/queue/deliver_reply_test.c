/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What answers to deliveries mean for their jobs.
 */

#include "queue/deliver_reply.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Fri, 27 Nov 2026 13:40:00 GMT */
#define NOW_S UINT64_C(1795786800)

static const struct row {
    unsigned status;
    const char *answer; /* of weir's own, or "" */
    const char *retry_after;
    const char *body;
    enum deliver_end end;
    uint64_t least_ms;
    const char *text;
} rows[] = {
    {200, "", "", "", DELIVER_DONE, 0, "200 OK"},
    {204, "", "10", "", DELIVER_DONE, 0, "204 No Content"},
    {299, "", "", "", DELIVER_DONE, 0, "299 "},
    {301, "", "10", "", DELIVER_DEAD, 0, "301 Moved Permanently"},
    {304, "", "", "", DELIVER_DEAD, 0, "304 Not Modified"},
    {400, "", "", "bad", DELIVER_DEAD, 0, "400 Bad Request: bad"},
    {404, "", "5", "\r\n\nno\nsuch", DELIVER_DEAD, 0, "404 Not Found: no"},
    {410, "", "", "caf\xc3\xa9\x1b[0m", DELIVER_DEAD, 0, "410 Gone: caf???[0m"},
    {408, "", "", "", DELIVER_AGAIN, 0, "408 Request Timeout"},
    {409, "", "", "", DELIVER_AGAIN, 0, "409 Conflict"},
    {425, "", "", "", DELIVER_AGAIN, 0, "425 Too Early"},
    {429, "", "7", "slow", DELIVER_AGAIN, 7000, "429 Too Many Requests: slow"},
    {429, "", "99999999999999999999", "", DELIVER_AGAIN, 60000, "429 Too Many Requests"},
    {503, "", "61", "", DELIVER_AGAIN, 60000, "503 Service Unavailable"},
    {503, "", "Fri, 27 Nov 2026 13:40:30 GMT", "", DELIVER_AGAIN, 30000, "503 Service Unavailable"},
    {503, "", "Fri, 27 Nov 2026 13:39:30 GMT", "", DELIVER_AGAIN, 0, "503 Service Unavailable"},
    {503, "", "soon", "", DELIVER_AGAIN, 0, "503 Service Unavailable"},
    {500, "", "", "", DELIVER_AGAIN, 0, "500 Internal Server Error"},
    {0, "", "", "", DELIVER_AGAIN, 0, "no answer: connection reset"},
    {503, "no_member", "1", "", DELIVER_HELD, 0, "503 Service Unavailable"},
    {503, "queue_full", "1", "", DELIVER_HELD, 0, "503 Service Unavailable"},
    {503, "queue_late", "1", "", DELIVER_HELD, 0, "503 Service Unavailable"},
    {502, "unreachable", "", "", DELIVER_HELD, 0, "502 Bad Gateway"},
    {404, "no_route", "", "", DELIVER_HELD, 0, "404 Not Found"},
    {0, "unreachable", "", "", DELIVER_HELD, 0, "no answer: connection reset"},
    {502, "broken", "", "", DELIVER_AGAIN, 0, "502 Bad Gateway"},
    {504, "late", "9", "", DELIVER_AGAIN, 0, "504 Gateway Timeout"},
    {431, "head_long", "", "", DELIVER_DEAD, 0, "431 Request Header Fields Too Large"},
};

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        const struct deliver_reply reply = {.status = row->status,
                                            .failure = "connection reset",
                                            .answer = slice_from(row->answer),
                                            .retry_after = slice_from(row->retry_after),
                                            .body = slice_from(row->body)};
        struct deliver_verdict verdict;
        deliver_judge(&reply, NOW_S, 60000, &verdict);
        assert_string_equal(verdict.text, row->text);
        assert_int_equal(verdict.end, row->end);
        assert_int_equal(verdict.least_ms, row->least_ms);
    }
}

/* However long a line is, what is kept ends with a NUL within its room. */
static void test_long_line(void **state)
{
    (void)state;
    char line[2 * JOB_ERROR_MAX];
    memset(line, 'x', sizeof(line));
    struct deliver_verdict verdict;
    const struct deliver_reply reply = {.status = 500, .body = slice_make(line, sizeof(line))};
    deliver_judge(&reply, NOW_S, 0, &verdict);
    assert_int_equal(strlen(verdict.text), JOB_ERROR_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_long_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
