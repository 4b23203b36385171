/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Streams of clients, and the events that they are: whole, byte by byte, and cut at every place.
 * An event is written as its verb and what it carries; a body as its parts put together.
 */

#include "wire/jobproto.h"

#include "base/text.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { BODY_MAX = 10 };

/* The stream ends with CR LF unless it has an end of its own. */
static const struct row {
    const char *stream;
    const char *events;
} rows[] = {
    {"put 1 2 3 5\r\nhello\r\n", "put p1 d2 t3 b5 [hello]"},
    {"put 0 0 0 0\r\n\r\n", "put p0 d0 t1 b0 []"},
    {"put 4294967295 4294967295 4294967295 1\r\nx\r\n",
     "put p4294967295 d4294967295 t4294967295 b1 [x]"},
    {"put  1   2    3     5\r\nhello\r\nstats", "put p1 d2 t3 b5 [hello] stats"},
    {"put 1 2 3 10\r\n\r\n345678\r\n\r\n", "put p1 d2 t3 b10 [\r\n345678\r\n]"},
    {"put 1 2 3 11\r\n12345678901\r\nstats", "JOB_TOO_BIG stats"},
    {"put 1 2 3 4294967296\r\n", "BAD_FORMAT"},
    {"put 1 2 3 5\r\nhello!\nstats", "put p1 d2 t3 b5 EXPECTED_CRLF stats"},
    {"put 1 2 3 5\r\nhello\n\nstats", "put p1 d2 t3 b5 EXPECTED_CRLF stats"},
    {"put 1 2 3 5\r\nhello\rxstats", "put p1 d2 t3 b5 EXPECTED_CRLF stats"},
    {"put 4294967296 2 3 5", "BAD_FORMAT"},
    {"put 1 4294967296 3 5", "BAD_FORMAT"},
    {"put 1 2 4294967296 5", "BAD_FORMAT"},
    {"put 1 2 3", "BAD_FORMAT"},
    {"put 1 2 3 5 ", "BAD_FORMAT"},
    {"put 1 2 3 5x", "BAD_FORMAT"},
    {"put 1 2 3 -5", "BAD_FORMAT"},
    {"put 1 2 3 +5", "BAD_FORMAT"},
    {"put 1 2\t3 5", "BAD_FORMAT"},
    {"put 01 02 03 05\r\nhello\r\n", "put p1 d2 t3 b5 [hello]"},
    {"put ", "BAD_FORMAT"},
    {"put", "UNKNOWN_COMMAND"},
    {"PUT 1 2 3 5", "UNKNOWN_COMMAND"},
    {" put 1 2 3 5", "UNKNOWN_COMMAND"},
    {"use emails", "use emails"},
    {"use a-B9+/;.$_()", "use a-B9+/;.$_()"},
    {"use -a", "BAD_FORMAT"},
    {"use  a", "BAD_FORMAT"},
    {"use a ", "BAD_FORMAT"},
    {"use a b", "BAD_FORMAT"},
    {"use a,b", "BAD_FORMAT"},
    {"use \xc3\xa4", "BAD_FORMAT"},
    {"use ", "BAD_FORMAT"},
    {"use", "UNKNOWN_COMMAND"},
    {"reserve", "reserve"},
    {"reserve ", "BAD_FORMAT"},
    {"reserve 1", "BAD_FORMAT"},
    {"reserved", "BAD_FORMAT"},
    {"reserve-batch 3", "BAD_FORMAT"},
    {"reserve-with-timeout 0", "reserve-with-timeout w0"},
    {"reserve-with-timeout 2147483647", "reserve-with-timeout w2147483647"},
    {"reserve-with-timeout 2147483648", "BAD_FORMAT"},
    {"reserve-with-timeout -1", "BAD_FORMAT"},
    {"reserve-with-timeout 1x", "BAD_FORMAT"},
    {"reserve-with-timeout", "BAD_FORMAT"},
    {"reserve-job 18446744073709551615", "reserve-job i18446744073709551615"},
    {"reserve-job 18446744073709551616", "BAD_FORMAT"},
    {"delete 7", "delete i7"},
    {"delete  007", "delete i7"},
    {"delete 7 ", "BAD_FORMAT"},
    {"delete x", "BAD_FORMAT"},
    {"delete\t7", "UNKNOWN_COMMAND"},
    {"delete 99999999999999999999999999", "BAD_FORMAT"},
    {"release 7 1 2", "release i7 p1 d2"},
    {"release 7 1", "BAD_FORMAT"},
    {"release 7 1 2 3", "BAD_FORMAT"},
    {"bury 7 1", "bury i7 p1"},
    {"bury 7", "BAD_FORMAT"},
    {"touch 7", "touch i7"},
    {"touch", "UNKNOWN_COMMAND"},
    {"watch a", "watch a"},
    {"ignore a", "ignore a"},
    {"peek 7", "peek i7"},
    {"peek", "UNKNOWN_COMMAND"},
    {"peek-ready", "peek-ready"},
    {"peek-ready ", "BAD_FORMAT"},
    {"peek-delayed", "peek-delayed"},
    {"peek-buried", "peek-buried"},
    {"peek-other", "UNKNOWN_COMMAND"},
    {"kick 0", "kick k0"},
    {"kick 4294967297", "kick k4294967295"},
    {"kick 18446744073709551616", "BAD_FORMAT"},
    {"kick 5x", "BAD_FORMAT"},
    {"kick -1", "BAD_FORMAT"},
    {"kick ", "BAD_FORMAT"},
    {"kick-job 7", "kick-job i7"},
    {"kick-job", "UNKNOWN_COMMAND"},
    {"stats", "stats"},
    {"stats ", "BAD_FORMAT"},
    {"stats-job 7", "stats-job i7"},
    {"stats-jobs 7", "BAD_FORMAT"},
    {"stats-tube a", "stats-tube a"},
    {"list-tubes", "list-tubes"},
    {"list-tube-used", "list-tube-used"},
    {"list-tubes-watched", "list-tubes-watched"},
    {"list-tubes-", "BAD_FORMAT"},
    {"list-tube", "UNKNOWN_COMMAND"},
    {"pause-tube a 5", "pause-tube d5 a"},
    {"pause-tube  a  5", "pause-tube d5 a"},
    {"pause-tubea 5", "pause-tube d5 a"},
    {"pause-tube -a 5", "BAD_FORMAT"},
    {"pause-tube a", "BAD_FORMAT"},
    {"pause-tube a 5 ", "BAD_FORMAT"},
    {"pause-tube", "BAD_FORMAT"},
    {"quit", "quit"},
    {"quit now", "BAD_FORMAT"},
    {"", "UNKNOWN_COMMAND"},
    {"\n", "UNKNOWN_COMMAND"},
    {"stats\nstats", "BAD_FORMAT"},
    {"stats\rstats", "BAD_FORMAT"},
    {"stats\r", "BAD_FORMAT"},
    {"\r", "BAD_FORMAT"},
    {"stats\r\n\r\nstats\r\nquit", "stats UNKNOWN_COMMAND stats quit"},
    {"auth s3cret~!", "auth {s3cret~!}"},
    {"auth two words", "BAD_FORMAT"},
    {"auth \x7f", "BAD_FORMAT"},
    {"auth ", "BAD_FORMAT"},
    {"put-opts key=a/b ttl=60 attempts=3 not-before=1700000000 result=5",
     "put-opts key=a/b ttl=60 attempts=3 not-before=1700000000 result=5"},
    {"put-opts  ttl=60  ", "put-opts ttl=60"},
    {"put-opts key=a=b", "put-opts key=a=b"},
    {"put-opts key=", "BAD_FORMAT"},
    {"put-opts key", "BAD_FORMAT"},
    {"put-opts ttl=60 ttl=60", "BAD_FORMAT"},
    {"put-opts ttl=0", "BAD_FORMAT"},
    {"put-opts attempts=0", "BAD_FORMAT"},
    {"put-opts not-before=9000000001", "BAD_FORMAT"},
    {"put-opts tried=1", "put-opts tried=1"},
    {"put-opts tried=65535 key=a", "put-opts key=a tried=65535"},
    {"put-opts tried=0", "BAD_FORMAT"},
    {"put-opts tried=65536", "BAD_FORMAT"},
    {"put-opts colour=red", "BAD_FORMAT"},
    {"put-opts expires=0", "put-opts expires=0"},
    {"put-opts counts=1,0,65535,4,5 state=buried created=4294967295 expires=9000000000",
     "put-opts expires=9000000000 created=4294967295 state=buried counts=1,0,65535,4,5"},
    {"put-opts state=done", "put-opts state=done"},
    {"put-opts expires=9000000001", "BAD_FORMAT"},
    {"put-opts created=4294967296", "BAD_FORMAT"},
    {"put-opts state=ready", "BAD_FORMAT"},
    {"put-opts state=", "BAD_FORMAT"},
    {"put-opts counts=1,2,3,4", "BAD_FORMAT"},
    {"put-opts counts=1,2,3,4,", "BAD_FORMAT"},
    {"put-opts counts=1,2,3,4,5,", "BAD_FORMAT"},
    {"put-opts counts=1,2,3,4,5,6", "BAD_FORMAT"},
    {"put-opts counts=1,2,3,4,65536", "BAD_FORMAT"},
    {"put-opts counts=1,,3,4,5", "BAD_FORMAT"},
    {"put-error lost", "put-error e4 {}"},
    {"put-error temporary no such user", "put-error e0 {no such user}"},
    {"put-error back", "BAD_FORMAT"},
    {"put-error ", "BAD_FORMAT"},
    {"put-error busy \x1b", "BAD_FORMAT"},
    {"put-error", "UNKNOWN_COMMAND"},
    {"put-result 4\r\ndone\r\nquit", "put-result b4 [done] quit"},
    {"put-result 0\r\n\r\n", "put-result b0 []"},
    {"put-result 11\r\n12345678901\r\nquit", "JOB_TOO_BIG quit"},
    {"put-result 4\r\ndone!\nquit", "put-result b4 EXPECTED_CRLF quit"},
    {"put-result ", "BAD_FORMAT"},
    {"show-job 7", "show-job i7"},
    {"show-job 7 8", "BAD_FORMAT"},
    {"show-job", "UNKNOWN_COMMAND"},
    {"put-result 4 4", "BAD_FORMAT"},
    {"put-opts ", "BAD_FORMAT"},
    {"put-opts", "UNKNOWN_COMMAND"},
    {"batch-reserve 1000 5", "batch-reserve w5 k1000"},
    {"batch-reserve 0 5", "BAD_FORMAT"},
    {"batch-reserve 1001 5", "BAD_FORMAT"},
    {"batch-reserve 5", "BAD_FORMAT"},
    {"fail 7 temporary", "fail i7 f0 {}"},
    {"fail 7 permanent no such user", "fail i7 f1 {no such user}"},
    {"fail 7 busy ", "fail i7 f2 {}"},
    {"fail 7 back it stops", "fail i7 f3 {it stops}"},
    {"fail 7 bored", "BAD_FORMAT"},
    {"fail 7 busy \x1b", "BAD_FORMAT"},
    {"progress 7 100 almost", "progress i7 u100 {almost}"},
    {"progress 7 101", "BAD_FORMAT"},
    {"finish 7 4\r\ndone\r\n", "finish i7 b4 [done]"},
    {"finish 7 11\r\n12345678901\r\nquit", "JOB_TOO_BIG quit"},
    {"finish 7", "BAD_FORMAT"},
    {"list-jobs ready 0 1000", "list-jobs k1000 a0 s0"},
    {"list-jobs  delayed  4294967295  1", "list-jobs k1 a4294967295 s1"},
    {"list-jobs reserved 7 1", "list-jobs k1 a7 s2"},
    {"list-jobs buried 7 1", "list-jobs k1 a7 s3"},
    {"list-jobs done 0 1", "list-jobs k1 a0 s4"},
    {"list-jobs gone 0 1", "BAD_FORMAT"},
    {"list-jobs read 0 1", "BAD_FORMAT"},
    {"list-jobs readyy 0 1", "BAD_FORMAT"},
    {"list-jobs ready 4294967296 1", "BAD_FORMAT"},
    {"list-jobs ready 0 0", "BAD_FORMAT"},
    {"list-jobs ready 0 1001", "BAD_FORMAT"},
    {"list-jobs ready 0", "BAD_FORMAT"},
    {"list-jobs ready 0 1 1", "BAD_FORMAT"},
    {"list-jobs ", "BAD_FORMAT"},
    {"list-jobs", "UNKNOWN_COMMAND"},
    {"result 18446744073709551615", "result i18446744073709551615"},
    {"result ", "BAD_FORMAT"},
    {"result 1 ", "BAD_FORMAT"},
    {"result 1x", "BAD_FORMAT"},
    {"result", "UNKNOWN_COMMAND"},
    {"cancel 7", "cancel i7"},
    {"cancel -7", "BAD_FORMAT"},
    {"cancel 7 8", "BAD_FORMAT"},
    {"cancel", "UNKNOWN_COMMAND"},
    {"drain-tube a 1", "drain-tube d1 a"},
    {"drain-tube a 0", "drain-tube d0 a"},
    {"drain-tube a", "BAD_FORMAT"},
    {"drain-tube a 1 2", "BAD_FORMAT"},
    {"drain-tube", "UNKNOWN_COMMAND"},
    {"give-back", "give-back"},
    {"give-back ", "BAD_FORMAT"},
    {"give-back 7", "BAD_FORMAT"},
    {"give-bac", "UNKNOWN_COMMAND"},
    {"bury-job 7", "bury-job i7"},
    {"bury-job 7 8", "BAD_FORMAT"},
    {"bury-job", "UNKNOWN_COMMAND"},
};

/* What each verb carries, a letter each, as in the table of the parser. */
static const char *carried(enum jobproto_verb verb)
{
    static const char *const letters[JOBPROTO_N_VERBS] = {
        [JOBPROTO_PUT] = "pdtb",         [JOBPROTO_RESERVE_TIMEOUT] = "w",
        [JOBPROTO_RESERVE_JOB] = "i",    [JOBPROTO_DELETE] = "i",
        [JOBPROTO_RELEASE] = "ipd",      [JOBPROTO_BURY] = "ip",
        [JOBPROTO_TOUCH] = "i",          [JOBPROTO_PEEK] = "i",
        [JOBPROTO_KICK] = "k",           [JOBPROTO_KICK_JOB] = "i",
        [JOBPROTO_STATS_JOB] = "i",      [JOBPROTO_PAUSE_TUBE] = "d",
        [JOBPROTO_BATCH_RESERVE] = "wk", [JOBPROTO_FAIL] = "if",
        [JOBPROTO_PROGRESS] = "iu",      [JOBPROTO_FINISH] = "ib",
        [JOBPROTO_LIST_JOBS] = "kas",    [JOBPROTO_RESULT] = "i",
        [JOBPROTO_CANCEL] = "i",         [JOBPROTO_DRAIN_TUBE] = "d",
        [JOBPROTO_PUT_ERROR] = "e",      [JOBPROTO_PUT_RESULT] = "b",
        [JOBPROTO_SHOW_JOB] = "i",       [JOBPROTO_BURY_JOB] = "i",
    };
    return letters[verb] ? letters[verb] : "";
}

static uint64_t number_of(const struct jobproto_command *command, char letter)
{
    switch (letter) {
    case 'a':
        return command->from;
    case 's':
        return command->state;
    case 'p':
        return command->priority;
    case 'd':
        return command->delay_s;
    case 't':
        return command->ttr_s;
    case 'b':
        return command->body_bytes;
    case 'i':
        return command->id;
    case 'k':
        return command->count;
    case 'w':
        return command->timeout_s;
    case 'u':
        return command->percent;
    case 'e':
        return command->error;
    default:
        return command->fail;
    }
}

static void show_options(const struct jobproto_options *options, struct text *out)
{
    if (options->has & JOBPROTO_HAS_KEY)
        text_printf(out, " key=%.*s", SLICE_ARG(options->key));
    if (options->has & JOBPROTO_HAS_TTL)
        text_printf(out, " ttl=%u", options->ttl_s);
    if (options->has & JOBPROTO_HAS_ATTEMPTS)
        text_printf(out, " attempts=%u", options->attempts);
    if (options->has & JOBPROTO_HAS_NOT_BEFORE)
        text_printf(out, " not-before=%" PRIu64, options->not_before_s);
    if (options->has & JOBPROTO_HAS_RESULT)
        text_printf(out, " result=%u", options->result_s);
    if (options->has & JOBPROTO_HAS_TRIED)
        text_printf(out, " tried=%u", options->tried);
    if (options->has & JOBPROTO_HAS_EXPIRES)
        text_printf(out, " expires=%" PRIu64, options->expires_s);
    if (options->has & JOBPROTO_HAS_CREATED)
        text_printf(out, " created=%u", options->created_s);
    if (options->has & JOBPROTO_HAS_STATE)
        text_printf(out, " state=%s", options->state == JOBPROTO_STATE_DONE ? "done" : "buried");
    for (int i = 0; options->has & JOBPROTO_HAS_COUNTS && i < JOBPROTO_N_COUNTS; i++)
        text_printf(out, "%s%u", i > 0 ? "," : " counts=", (unsigned)options->counts[i]);
}

static void show_command(const struct jobproto_command *command, struct text *out)
{
    text_append(out, slice_from(jobproto_verb_name(command->verb)));
    for (const char *letter = carried(command->verb); *letter; letter++)
        text_printf(out, " %c%" PRIu64, *letter, number_of(command, *letter));
    if (command->tube.len > 0)
        text_printf(out, " %.*s", SLICE_ARG(command->tube));
    if (command->verb == JOBPROTO_AUTH || command->verb == JOBPROTO_FAIL ||
        command->verb == JOBPROTO_PROGRESS || command->verb == JOBPROTO_PUT_ERROR)
        text_printf(out, " {%.*s}", SLICE_ARG(command->text));
    show_options(&command->options, out);
}

struct trace {
    struct text events;
    struct text body;
};

static void show_event(const struct jobproto_event *event, struct trace *trace)
{
    struct slice line;
    switch (event->kind) {
    case JOBPROTO_NOTHING:
        return;
    case JOBPROTO_BODY:
        text_append(&trace->body, event->body);
        if (!event->is_last)
            return;
        text_printf(&trace->events, " [%.*s]", (int)trace->body.len, text_cstr(&trace->body));
        text_clear(&trace->body);
        return;
    case JOBPROTO_COMMAND:
        text_append(&trace->events, trace->events.len ? SLICE(" ") : SLICE(""));
        show_command(&event->command, &trace->events);
        return;
    case JOBPROTO_REFUSED:
        line = slice_from(text_cstr(&trace->events));
        text_clear(&trace->body);
        text_append(&trace->events, line.len ? SLICE(" ") : SLICE(""));
        static const char *const names[JOBPROTO_N_REPLIES] = {
            [JOBPROTO_BAD_FORMAT] = "BAD_FORMAT",
            [JOBPROTO_UNKNOWN_COMMAND] = "UNKNOWN_COMMAND",
            [JOBPROTO_EXPECTED_CRLF] = "EXPECTED_CRLF",
            [JOBPROTO_JOB_TOO_BIG] = "JOB_TOO_BIG",
            [JOBPROTO_DRAINING] = "DRAINING",
        };
        assert_non_null(names[event->reply]);
        text_append(&trace->events, slice_from(names[event->reply]));
        return;
    }
}

/* Feeds all of `bytes`; returns what was not consumed. */
static struct slice feed(struct jobproto_reader *reader, struct slice bytes, struct trace *trace)
{
    struct jobproto_event event;
    size_t n;
    while ((n = jobproto_read(reader, bytes, &event)) > 0) {
        assert_true(n <= bytes.len);
        show_event(&event, trace);
        bytes = slice_skip(bytes, n);
    }
    assert_true(bytes.len < JOBPROTO_LINE_MAX);
    return bytes;
}

/* The same in steps: up to each of `cuts`, with what was left over from the step before. */
static void check_cuts(struct slice stream, const size_t *cuts, size_t n_cuts, const char *events)
{
    struct jobproto_reader reader;
    struct trace trace = {TEXT_NONE, TEXT_NONE};
    jobproto_reader_init(&reader, BODY_MAX);
    struct slice rest = slice_make(stream.ptr, 0);
    for (size_t i = 0; i <= n_cuts; i++) {
        size_t end = i < n_cuts ? cuts[i] : stream.len;
        rest = feed(&reader, slice_make(rest.ptr, (size_t)(stream.ptr + end - rest.ptr)), &trace);
    }
    assert_int_equal(rest.len, 0);
    assert_string_equal(text_cstr(&trace.events), events);
    text_deinit(&trace.events);
    text_deinit(&trace.body);
}

static void check_stream(struct slice stream, const char *events)
{
    size_t every[1024];
    assert_true(stream.len <= sizeof(every) / sizeof(every[0]));
    for (size_t i = 0; i < stream.len; i++)
        every[i] = i;
    check_cuts(stream, every, 0, events);
    check_cuts(stream, every, stream.len, events);
    for (size_t cut = 0; cut <= stream.len; cut++)
        check_cuts(stream, &cut, 1, events);
}

static void test_streams(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text stream = TEXT_NONE;
        text_append(&stream, slice_from(rows[i].stream));
        size_t n = stream.len;
        bool is_ended = n >= 2 && memcmp(stream.ptr + n - 2, "\r\n", 2) == 0;
        if (!is_ended)
            text_append(&stream, SLICE("\r\n"));
        check_stream(text_slice(&stream), rows[i].events);
        text_deinit(&stream);
    }
}

static void test_nul(void **state)
{
    (void)state;
    check_stream(SLICE("stats\0\r\nquit\r\n"), "BAD_FORMAT quit");
    check_stream(SLICE("\0\r\nquit\r\n"), "BAD_FORMAT quit");
    check_stream(SLICE("put 1 2 3 3\r\na\0\n\r\n"), "put p1 d2 t3 b3 [a]");
}

/* n bytes of a line, and its end. */
static void check_long(const char *start, size_t n, const char *events)
{
    struct text stream = TEXT_NONE;
    text_append(&stream, slice_from(start));
    text_pad(&stream, 'a', n - stream.len);
    text_append(&stream, SLICE("\r\nquit\r\n"));
    check_stream(text_slice(&stream), events);
    text_deinit(&stream);
}

static void test_long_lines(void **state)
{
    (void)state;
    char tube[JOBPROTO_LINE_MAX];
    snprintf(tube, sizeof(tube), "use %0*d quit", JOBPROTO_TUBE_MAX, 0);
    for (char *c = tube + 4; *c == '0'; c++)
        *c = 'a';
    check_long("use ", 4 + JOBPROTO_TUBE_MAX, tube);
    check_long("use ", 5 + JOBPROTO_TUBE_MAX, "BAD_FORMAT quit");
    check_long("x", JOBPROTO_LINE_MAX - 2, "UNKNOWN_COMMAND quit");
    for (size_t n = JOBPROTO_LINE_MAX - 1; n < JOBPROTO_LINE_MAX + 4; n++)
        check_long("x", n, "BAD_FORMAT quit");
    check_long("stats\r", 2 * JOBPROTO_LINE_MAX - 1, "BAD_FORMAT quit");
    check_long("stats\r\r", 3 * JOBPROTO_LINE_MAX, "BAD_FORMAT quit");
}

/* A server that does not want the job says so behind its body, whenever it found out. */
static void test_refuse(void **state)
{
    (void)state;
    struct slice stream = SLICE("put 1 2 3 5\r\nhello\r\nquit\r\n");
    for (size_t had = 13; had < 18; had++) {
        struct jobproto_reader reader;
        struct trace trace = {TEXT_NONE, TEXT_NONE};
        jobproto_reader_init(&reader, BODY_MAX);
        struct slice rest = feed(&reader, slice_make(stream.ptr, had), &trace);
        assert_int_equal(rest.len, 0);
        jobproto_refuse(&reader, JOBPROTO_DRAINING);
        feed(&reader, slice_skip(stream, had), &trace);
        assert_string_equal(text_cstr(&trace.events), "put p1 d2 t3 b5 DRAINING quit");
        text_deinit(&trace.events);
        text_deinit(&trace.body);
    }
}

static void test_key_length(void **state)
{
    (void)state;
    char line[JOBPROTO_LINE_MAX];
    struct jobproto_command command;
    int n = snprintf(line, sizeof(line), "put-opts key=%0*d", JOBPROTO_KEY_MAX, 1);
    assert_int_equal(jobproto_parse_line(slice_make(line, (size_t)n), &command), 0);
    assert_int_equal(command.options.key.len, JOBPROTO_KEY_MAX);
    line[n] = '1';
    assert_int_equal(jobproto_parse_line(slice_make(line, (size_t)n + 1), &command),
                     JOBPROTO_BAD_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),    cmocka_unit_test(test_nul),
        cmocka_unit_test(test_long_lines), cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_key_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
