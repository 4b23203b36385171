/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Streams of a server, and the events that they are: whole, byte by byte, and cut at every place;
 * and commands that are written as they are read.
 */

#include "wire/jobproto_client.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { BODY_MAX = 100 };

/* An event as its kind and what it carries; "!" is a mistake, "..." that more is needed. */
static const struct row {
    const char *stream;
    const char *events;
} rows[] = {
    {"TOUCHED\r\nTIMED_OUT\r\n", "TOUCHED TIMED_OUT"},
    {"INSERTED 7\r\n", "inserted i7"},
    {"BURIED\r\nBURIED 7\r\n", "BURIED buried i7"},
    {"EXISTS 18446744073709551615\r\n", "exists i18446744073709551615"},
    {"EXISTS 18446744073709551616\r\n", "!"},
    {"USING a-b\r\n", "using a-b"},
    {"USING -b\r\n", "!"},
    {"WATCHING 2\r\nWATCHING 1\r\n", "watching n2 watching n1"},
    {"KICKED\r\nKICKED 0\r\n", "KICKED kicked n0"},
    {"RESERVED 7 5\r\nhello\r\nDELETED\r\n", "reserved i7 b5 [hello] DELETED"},
    {"RESERVED 7 0\r\n\r\n", "reserved i7 b0 []"},
    {"FOUND 7 4\r\n\r\n\r\n\r\nFINISHED\r\n", "found i7 b4 [\r\n\r\n] FINISHED"},
    {"OK 3\r\n---\r\n", "ok b3 [---]"},
    {"BATCH 2\r\nRESERVED 1 1\r\na\r\nRESERVED 2 1\r\nb\r\n",
     "batch n2 reserved i1 b1 [a] reserved i2 b1 [b]"},
    {"RESERVED 7 5\r\nhello!\n", "reserved i7 b5 !"},
    {"RESERVED 7 101\r\n", "!"},
    {"RESERVED 7 100\r\n", "reserved i7 b100 ..."},
    {"RESERVED 7\r\n", "!"},
    {"RESERVED 7 5 6\r\n", "!"},
    {"RESERVED  7 5\r\n", "!"},
    {"RESERVED 7 -5\r\n", "!"},
    {"RESERVED\r\n", "!"},
    {"OK\r\n", "!"},
    {"TOUCHED \r\n", "!"},
    {"touched\r\n", "!"},
    {"HELLO\r\n", "!"},
    {"\r\n", "!"},
    {"TOUCHED\n", "..."},
    {"TOUCHED\r", "..."},
    {"", "..."},
};

struct trace {
    struct text events, body;
    bool is_wrong;
};

static void show_reply(const struct jobreply *reply, struct text *out)
{
    static const struct {
        const char *name, *carried;
    } kinds[JOBREPLY_N_KINDS] = {
        [JOBREPLY_INSERTED] = {"inserted", "i"}, [JOBREPLY_BURIED] = {"buried", "i"},
        [JOBREPLY_EXISTS] = {"exists", "i"},     [JOBREPLY_USING] = {"using", ""},
        [JOBREPLY_WATCHING] = {"watching", "n"}, [JOBREPLY_KICKED] = {"kicked", "n"},
        [JOBREPLY_BATCH] = {"batch", "n"},       [JOBREPLY_RESERVED] = {"reserved", "ib"},
        [JOBREPLY_FOUND] = {"found", "ib"},      [JOBREPLY_OK] = {"ok", "b"},
    };
    if (reply->kind == JOBREPLY_PLAIN) {
        struct slice line = jobproto_reply_line(reply->plain);
        text_append(out, slice_make(line.ptr, line.len - 2));
        return;
    }
    text_append(out, slice_from(kinds[reply->kind].name));
    const char *carried = kinds[reply->kind].carried;
    for (const char *letter = carried ? carried : ""; *letter; letter++) {
        uint64_t number = *letter == 'i'   ? reply->id
                          : *letter == 'n' ? reply->count
                                           : reply->body_bytes;
        text_printf(out, " %c%" PRIu64, *letter, number);
    }
    if (reply->tube.len > 0)
        text_printf(out, " %.*s", SLICE_ARG(reply->tube));
}

static void show_event(const struct jobreply_event *event, struct trace *trace)
{
    struct slice space = trace->events.len > 0 ? SLICE(" ") : SLICE("");
    if (!event->is_body) {
        text_append(&trace->events, space);
        show_reply(&event->reply, &trace->events);
        return;
    }
    text_append(&trace->body, event->body);
    if (!event->is_last)
        return;
    text_printf(&trace->events, " [%.*s]", (int)trace->body.len, text_cstr(&trace->body));
    text_clear(&trace->body);
}

/* Returns what was not consumed. */
static struct slice feed(struct jobreply_reader *reader, struct slice bytes, struct trace *trace)
{
    struct jobreply_event event;
    ssize_t n = 0;
    while (!trace->is_wrong && (n = jobreply_read(reader, bytes, &event)) > 0) {
        assert_true((size_t)n <= bytes.len);
        show_event(&event, trace);
        bytes = slice_skip(bytes, (size_t)n);
    }
    trace->is_wrong |= n < 0;
    assert_true(trace->is_wrong || bytes.len < JOBPROTO_OUT_MAX);
    return bytes;
}

static void check_cuts(struct slice stream, const size_t *cuts, size_t n_cuts, const char *events)
{
    struct jobreply_reader reader;
    struct trace trace = {TEXT_NONE, TEXT_NONE, false};
    jobreply_reader_init(&reader, BODY_MAX);
    struct slice rest = slice_make(stream.ptr, 0);
    for (size_t i = 0; i <= n_cuts; i++) {
        size_t end = i < n_cuts ? cuts[i] : stream.len;
        rest = feed(&reader, slice_make(rest.ptr, (size_t)(stream.ptr + end - rest.ptr)), &trace);
    }
    struct slice space = trace.events.len > 0 ? SLICE(" ") : SLICE("");
    bool is_short = !trace.is_wrong && (rest.len > 0 || reader.is_in_body || stream.len == 0);
    if (trace.is_wrong || is_short) {
        text_append(&trace.events, space);
        text_append(&trace.events, trace.is_wrong ? SLICE("!") : SLICE("..."));
    }
    assert_string_equal(text_cstr(&trace.events), events);
    text_deinit(&trace.events);
    text_deinit(&trace.body);
}

static void test_streams(void **state)
{
    size_t every[JOBPROTO_OUT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof(every) / sizeof(every[0]); i++)
        every[i] = i;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slice stream = slice_from(rows[i].stream);
        check_cuts(stream, every, 0, rows[i].events);
        check_cuts(stream, every, stream.len, rows[i].events);
        for (size_t cut = 0; cut <= stream.len; cut++)
            check_cuts(stream, &cut, 1, rows[i].events);
    }
}

/* A line has an end, or is none. */
static void test_long_line(void **state)
{
    char line[JOBPROTO_OUT_MAX + 1];
    struct jobreply_reader reader;
    struct jobreply_event event;
    (void)state;
    memset(line, 'x', sizeof(line));
    jobreply_reader_init(&reader, BODY_MAX);
    assert_int_equal(jobreply_read(&reader, slice_make(line, JOBPROTO_OUT_MAX - 1), &event), 0);
    assert_int_equal(jobreply_read(&reader, slice_make(line, JOBPROTO_OUT_MAX), &event), -1);
}

static void test_documents(void **state)
{
    struct slice document = SLICE("---\nid: 7\ntube: \"a: 9\"\nttr: 60\nreserves: 3\n");
    uint64_t value = 0;
    (void)state;
    assert_int_equal(jobreply_number(document, "ttr", &value), 0);
    assert_int_equal(value, 60);
    assert_int_equal(jobreply_number(document, "reserves", &value), 0);
    assert_int_equal(value, 3);
    assert_int_equal(jobreply_number(document, "tube", &value), -1);
    assert_int_equal(jobreply_number(document, "reserve", &value), -1);
    assert_int_equal(jobreply_number(SLICE(""), "id", &value), -1);
}

/* ---- commands -------------------------------------------------------------------------------- */

/* Each line is read, written, and the same. */
static void test_commands(void **state)
{
    static const char *const lines[] = {
        "put 1 2 3 5",
        "use a",
        "reserve",
        "reserve-with-timeout 9",
        "reserve-job 7",
        "delete 7",
        "release 7 1 2",
        "bury 7 1",
        "touch 7",
        "watch a",
        "ignore a",
        "peek 7",
        "peek-ready",
        "peek-delayed",
        "peek-buried",
        "kick 5",
        "kick-job 7",
        "stats-job 7",
        "stats-tube a",
        "stats",
        "list-tubes",
        "quit",
        "list-tube-used",
        "list-tubes-watched",
        "pause-tube a 5",
        "auth secret",
        "batch-reserve 3 4",
        "fail 7 temporary",
        "fail 7 back stops",
        "list-jobs buried 7 10",
        "progress 7 50",
        "finish 7 5",
        "put-opts key=a ttl=6 attempts=3",
        "put-opts key=a tried=2 expires=0 created=7 state=done counts=1,2,3,4,5",
        "put-error timeout",
        "put-error lost the line",
        "put-result 5",
        "show-job 7",
    };
    struct text out = TEXT_NONE;
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct jobproto_command command;
        assert_int_equal(jobproto_parse_line(slice_from(lines[i]), &command), 0);
        text_clear(&out);
        jobproto_write_command(&out, &command);
        assert_int_equal(out.len, strlen(lines[i]) + 2);
        assert_memory_equal(out.ptr, lines[i], strlen(lines[i]));
        assert_memory_equal(out.ptr + out.len - 2, "\r\n", 2);
    }
    text_deinit(&out);
}

/* Whatever the text, the line is one that the server takes. */
static void test_text_of_a_line(void **state)
{
    char text[400];
    struct text out = TEXT_NONE;
    struct jobproto_command command = {
        .verb = JOBPROTO_FAIL, .id = UINT64_MAX, .fail = JOBPROTO_FAIL_PERMANENT};
    (void)state;
    memset(text, '\r', sizeof(text));
    text_append(&out, SLICE("touch 1\r\n")); /* what was written before does not count */
    for (size_t len = 0; len <= sizeof(text); len++) {
        struct jobproto_command again;
        out.len = sizeof("touch 1\r\n") - 1;
        command.text = slice_make(text, len);
        jobproto_write_command(&out, &command);
        struct slice line = slice_skip(text_slice(&out), sizeof("touch 1\r\n") - 1);
        assert_true(line.len <= JOBPROTO_LINE_MAX);
        assert_int_equal(jobproto_parse_line(slice_make(line.ptr, line.len - 2), &again), 0);
        assert_int_equal(again.text.len, slice_find(again.text, '\r'));
    }
    text_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_documents),      cmocka_unit_test(test_commands),
        cmocka_unit_test(test_text_of_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
