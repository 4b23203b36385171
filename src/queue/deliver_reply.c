/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Answers to deliveries: which status means what, and the words that are kept of it.
 */

#include "queue/deliver_reply.h"

#include "base/mem.h"
#include "wire/h1.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MS_PER_S = 1000, SECONDS_MAX = 400 * 24 * 3600, DATE_BYTES = 29 };

/* Reasons of the edge for which no member has seen the request (http/answer.h). */
static const char *const unseen[] = {"no_route",   "no_member", "queue_full",
                                     "queue_late", "crowded",   "unreachable"};

static bool is_unseen(struct slice answer)
{
    for (size_t i = 0; i < ARRAY_LEN(unseen); i++)
        if (slice_is(answer, unseen[i]))
            return true;
    return false;
}

static enum deliver_end end_of(const struct deliver_reply *reply)
{
    static const uint16_t again[] = {408, 409, 425, 429};
    if (is_unseen(reply->answer))
        return DELIVER_HELD;
    if (reply->status == 0 || reply->status >= 500)
        return DELIVER_AGAIN;
    if (reply->status >= 200 && reply->status < 300)
        return DELIVER_DONE;
    for (size_t i = 0; i < ARRAY_LEN(again); i++)
        if (reply->status == again[i])
            return DELIVER_AGAIN;
    return DELIVER_DEAD;
}

/* "Fri, 27 Nov 2026 13:40:00 GMT" */
static uint64_t date_s(struct slice value)
{
    char text[DATE_BYTES + 1];
    struct tm tm = {.tm_isdst = 0};
    slice_copy(value, text, sizeof(text));
    const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    time_t seconds = end && *end == '\0' ? timegm(&tm) : 0;
    return seconds > 0 ? (uint64_t)seconds : 0;
}

uint64_t deliver_retry_after_s(struct slice value, uint64_t wall_s)
{
    uint64_t seconds = 0;
    if (value.len == DATE_BYTES) {
        uint64_t at_s = date_s(value);
        return at_s > wall_s ? at_s - wall_s : 0;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return 0;
        seconds = seconds * 10 + (uint64_t)(value.ptr[i] - '0');
        if (seconds > SECONDS_MAX)
            seconds = SECONDS_MAX;
    }
    return seconds;
}

/* The first line that is not empty. */
static struct slice first_line(struct slice body)
{
    while (body.len > 0 && (body.ptr[0] == '\r' || body.ptr[0] == '\n'))
        body = slice_skip(body, 1);
    size_t n = 0;
    while (n < body.len && body.ptr[n] != '\r' && body.ptr[n] != '\n')
        n++;
    return slice_make(body.ptr, n);
}

/* What others say comes into logs and terminals. */
static void tame(char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

static void describe(const struct deliver_reply *reply, char *text, size_t cap)
{
    struct slice line = first_line(reply->body);
    struct slice reason = reply->reason.len > 0 ? reply->reason : h1_reason(reply->status);
    int line_len = (int)(line.len < cap ? line.len : cap);
    int reason_len = (int)(reason.len < cap ? reason.len : cap);
    if (reply->status == 0)
        snprintf(text, cap, "no answer: %s", reply->failure);
    else
        snprintf(text, cap, "%u %.*s%s%.*s", reply->status, reason_len, reason.ptr,
                 line.len > 0 ? ": " : "", line_len, line.len > 0 ? line.ptr : "");
    tame(text);
}

void deliver_judge(const struct deliver_reply *reply, uint64_t wall_s, uint64_t retry_after_max_ms,
                   struct deliver_verdict *ret_verdict)
{
    ret_verdict->end = end_of(reply);
    ret_verdict->least_ms = 0;
    if (ret_verdict->end == DELIVER_AGAIN && reply->answer.len == 0) {
        uint64_t asked_ms = deliver_retry_after_s(reply->retry_after, wall_s) * MS_PER_S;
        ret_verdict->least_ms = asked_ms < retry_after_max_ms ? asked_ms : retry_after_max_ms;
    }
    describe(reply, ret_verdict->text, sizeof(ret_verdict->text));
}
