/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A line of the job protocol, read and written. Each verb is a row: how a line with it begins, and
 * a letter for each argument. The order is that in which beanstalkd looks for a beginning, so that
 * what only begins like a verb ("stats-jobs 1") gets the same reply: BAD_FORMAT, not
 * UNKNOWN_COMMAND.
 */

#include "wire/jobproto.h"

#include "base/ascii.h"
#include "wire/jobproto_client.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/*
 * a from which place    b bytes of a body    d delay           e kind of error
 * f kind of failure
 * i id                  k how many to kick   n how many, 1..   o options
 * p priority            s tube and more      S state           t time to run
 * T tube, to the end    u percent            v token, to the end
 * w timeout             x text to the end, or nothing
 */
static const struct row {
    struct slice start;
    enum jobproto_verb verb;
    const char *args;
} rows[] = {
    {SLICE_INIT("put "), JOBPROTO_PUT, "pdtb"},
    {SLICE_INIT("peek "), JOBPROTO_PEEK, "i"},
    {SLICE_INIT("peek-ready"), JOBPROTO_PEEK_READY, ""},
    {SLICE_INIT("peek-delayed"), JOBPROTO_PEEK_DELAYED, ""},
    {SLICE_INIT("peek-buried"), JOBPROTO_PEEK_BURIED, ""},
    {SLICE_INIT("reserve-with-timeout "), JOBPROTO_RESERVE_TIMEOUT, "w"},
    {SLICE_INIT("reserve-job "), JOBPROTO_RESERVE_JOB, "i"},
    {SLICE_INIT("reserve"), JOBPROTO_RESERVE, ""},
    {SLICE_INIT("delete "), JOBPROTO_DELETE, "i"},
    {SLICE_INIT("release "), JOBPROTO_RELEASE, "ipd"},
    {SLICE_INIT("bury "), JOBPROTO_BURY, "ip"},
    {SLICE_INIT("kick "), JOBPROTO_KICK, "k"},
    {SLICE_INIT("kick-job "), JOBPROTO_KICK_JOB, "i"},
    {SLICE_INIT("touch "), JOBPROTO_TOUCH, "i"},
    {SLICE_INIT("stats-job "), JOBPROTO_STATS_JOB, "i"},
    {SLICE_INIT("stats-tube "), JOBPROTO_STATS_TUBE, "T"},
    {SLICE_INIT("stats"), JOBPROTO_STATS, ""},
    {SLICE_INIT("use "), JOBPROTO_USE, "T"},
    {SLICE_INIT("watch "), JOBPROTO_WATCH, "T"},
    {SLICE_INIT("ignore "), JOBPROTO_IGNORE, "T"},
    {SLICE_INIT("list-tubes-watched"), JOBPROTO_LIST_TUBES_WATCHED, ""},
    {SLICE_INIT("list-tube-used"), JOBPROTO_LIST_TUBE_USED, ""},
    {SLICE_INIT("list-tubes"), JOBPROTO_LIST_TUBES, ""},
    {SLICE_INIT("quit"), JOBPROTO_QUIT, ""},
    {SLICE_INIT("pause-tube"), JOBPROTO_PAUSE_TUBE, "sd"},
    {SLICE_INIT("auth "), JOBPROTO_AUTH, "v"},
    {SLICE_INIT("put-opts "), JOBPROTO_PUT_OPTS, "o"},
    {SLICE_INIT("batch-reserve "), JOBPROTO_BATCH_RESERVE, "nw"},
    {SLICE_INIT("fail "), JOBPROTO_FAIL, "ifx"},
    {SLICE_INIT("progress "), JOBPROTO_PROGRESS, "iux"},
    {SLICE_INIT("finish "), JOBPROTO_FINISH, "ib"},
    {SLICE_INIT("list-jobs "), JOBPROTO_LIST_JOBS, "San"},
    {SLICE_INIT("result "), JOBPROTO_RESULT, "i"},
    {SLICE_INIT("cancel "), JOBPROTO_CANCEL, "i"},
    {SLICE_INIT("drain-tube "), JOBPROTO_DRAIN_TUBE, "sd"},
    {SLICE_INIT("put-error "), JOBPROTO_PUT_ERROR, "ex"},
    {SLICE_INIT("put-result "), JOBPROTO_PUT_RESULT, "b"},
    {SLICE_INIT("show-job "), JOBPROTO_SHOW_JOB, "i"},
    {SLICE_INIT("give-back"), JOBPROTO_GIVE_BACK, ""},
    {SLICE_INIT("bury-job "), JOBPROTO_BURY_JOB, "i"},
};

const char *jobproto_verb_name(enum jobproto_verb verb)
{
    static const char *const names[JOBPROTO_N_VERBS] = {
        [JOBPROTO_PUT] = "put",
        [JOBPROTO_USE] = "use",
        [JOBPROTO_RESERVE] = "reserve",
        [JOBPROTO_RESERVE_TIMEOUT] = "reserve-with-timeout",
        [JOBPROTO_RESERVE_JOB] = "reserve-job",
        [JOBPROTO_DELETE] = "delete",
        [JOBPROTO_RELEASE] = "release",
        [JOBPROTO_BURY] = "bury",
        [JOBPROTO_TOUCH] = "touch",
        [JOBPROTO_WATCH] = "watch",
        [JOBPROTO_IGNORE] = "ignore",
        [JOBPROTO_PEEK] = "peek",
        [JOBPROTO_PEEK_READY] = "peek-ready",
        [JOBPROTO_PEEK_DELAYED] = "peek-delayed",
        [JOBPROTO_PEEK_BURIED] = "peek-buried",
        [JOBPROTO_KICK] = "kick",
        [JOBPROTO_KICK_JOB] = "kick-job",
        [JOBPROTO_STATS_JOB] = "stats-job",
        [JOBPROTO_STATS_TUBE] = "stats-tube",
        [JOBPROTO_STATS] = "stats",
        [JOBPROTO_LIST_TUBES] = "list-tubes",
        [JOBPROTO_LIST_TUBE_USED] = "list-tube-used",
        [JOBPROTO_LIST_TUBES_WATCHED] = "list-tubes-watched",
        [JOBPROTO_PAUSE_TUBE] = "pause-tube",
        [JOBPROTO_QUIT] = "quit",
        [JOBPROTO_AUTH] = "auth",
        [JOBPROTO_PUT_OPTS] = "put-opts",
        [JOBPROTO_BATCH_RESERVE] = "batch-reserve",
        [JOBPROTO_FAIL] = "fail",
        [JOBPROTO_PROGRESS] = "progress",
        [JOBPROTO_FINISH] = "finish",
        [JOBPROTO_LIST_JOBS] = "list-jobs",
        [JOBPROTO_RESULT] = "result",
        [JOBPROTO_CANCEL] = "cancel",
        [JOBPROTO_DRAIN_TUBE] = "drain-tube",
        [JOBPROTO_PUT_ERROR] = "put-error",
        [JOBPROTO_PUT_RESULT] = "put-result",
        [JOBPROTO_SHOW_JOB] = "show-job",
        [JOBPROTO_GIVE_BACK] = "give-back",
        [JOBPROTO_BURY_JOB] = "bury-job",
    };
    assert(verb < JOBPROTO_N_VERBS);
    return names[verb];
}

static bool is_tube_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || ascii_is_digit(c) ||
           (c != '\0' && strchr("-+/;.$_()", c));
}

bool jobproto_is_tube(struct slice name)
{
    if (name.len == 0 || name.len > JOBPROTO_TUBE_MAX || name.ptr[0] == '-')
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!is_tube_byte(name.ptr[i]))
            return false;
    return true;
}

static void skip_spaces(struct slice *rest)
{
    while (rest->len > 0 && rest->ptr[0] == ' ')
        *rest = slice_skip(*rest, 1);
}

/* Cuts the bytes up to a space or the end off. */
static struct slice cut_word(struct slice *rest)
{
    skip_spaces(rest);
    size_t n = slice_find(*rest, ' ');
    struct slice word = slice_make(rest->ptr, n);
    *rest = slice_skip(*rest, n);
    return word;
}

/* A number of its own word, at most `max`: 0 or -1. */
static int take_number(struct slice *rest, uint64_t max, uint64_t *ret)
{
    uint64_t value;
    if (slice_to_u64(cut_word(rest), &value) < 0 || value > max)
        return -1;
    *ret = value;
    return 0;
}

static int take_u32(struct slice *rest, uint32_t max, uint32_t *ret)
{
    uint64_t value = 0;
    if (take_number(rest, max, &value) < 0)
        return -1;
    *ret = (uint32_t)value;
    return 0;
}

/* More than there can be jobs is all of them. */
static int take_bound(struct slice *rest, uint32_t *ret)
{
    uint64_t value = 0;
    if (take_number(rest, UINT64_MAX, &value) < 0)
        return -1;
    *ret = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
    return 0;
}

static int take_tube(struct slice name, struct slice *ret)
{
    *ret = name;
    return jobproto_is_tube(name) ? 0 : -1;
}

/* The place of the next word among the names, or -1. */
static int take_name(struct slice *rest, const char *const *names, int n_names)
{
    struct slice word = cut_word(rest);
    for (int i = 0; i < n_names; i++)
        if (slice_is(word, names[i]))
            return i;
    return -1;
}

static const char *const fail_names[JOBPROTO_N_FAILS] = {
    [JOBPROTO_FAIL_TEMPORARY] = "temporary",
    [JOBPROTO_FAIL_PERMANENT] = "permanent",
    [JOBPROTO_FAIL_BUSY] = "busy",
    [JOBPROTO_FAIL_BACK] = "back",
};

static int take_fail(struct slice *rest, enum jobproto_fail *ret)
{
    int place = take_name(rest, fail_names, JOBPROTO_N_FAILS);
    *ret = (enum jobproto_fail)(place < 0 ? 0 : place);
    return place < 0 ? -1 : 0;
}

static const char *const error_names[JOBPROTO_N_ERRORS] = {
    [JOBPROTO_ERROR_TEMPORARY] = "temporary", [JOBPROTO_ERROR_PERMANENT] = "permanent",
    [JOBPROTO_ERROR_BUSY] = "busy",           [JOBPROTO_ERROR_TIMEOUT] = "timeout",
    [JOBPROTO_ERROR_LOST] = "lost",
};

static int take_error(struct slice *rest, enum jobproto_error *ret)
{
    int place = take_name(rest, error_names, JOBPROTO_N_ERRORS);
    *ret = (enum jobproto_error)(place < 0 ? 0 : place);
    return place < 0 ? -1 : 0;
}

static const char *const state_names[JOBPROTO_N_STATES] = {
    [JOBPROTO_STATE_READY] = "ready",       [JOBPROTO_STATE_DELAYED] = "delayed",
    [JOBPROTO_STATE_RESERVED] = "reserved", [JOBPROTO_STATE_BURIED] = "buried",
    [JOBPROTO_STATE_DONE] = "done",
};

static int take_state(struct slice *rest, enum jobproto_state *ret)
{
    int place = take_name(rest, state_names, JOBPROTO_N_STATES);
    *ret = (enum jobproto_state)(place < 0 ? 0 : place);
    return place < 0 ? -1 : 0;
}

/* Visible bytes alone. */
static int take_token(struct slice *rest, struct slice *ret)
{
    struct slice word = cut_word(rest);
    for (size_t i = 0; i < word.len; i++)
        if (word.ptr[i] <= ' ' || word.ptr[i] > '~')
            return -1;
    *ret = word;
    return word.len > 0 ? 0 : -1;
}

/* What is left, without control characters. */
static int take_text(struct slice *rest, struct slice *ret)
{
    skip_spaces(rest);
    for (size_t i = 0; i < rest->len; i++)
        if (ascii_is_control(rest->ptr[i]))
            return -1;
    *ret = *rest;
    *rest = slice_skip(*rest, rest->len);
    return 0;
}

static struct slice take_rest(struct slice *rest)
{
    struct slice all = *rest;
    *rest = slice_skip(all, all.len);
    return all;
}

static int take_argument(char kind, struct slice *rest, struct jobproto_command *command)
{
    switch (kind) {
    case 'a':
        return take_u32(rest, UINT32_MAX, &command->from);
    case 'b':
        return take_u32(rest, UINT32_MAX, &command->body_bytes);
    case 'd':
        return take_u32(rest, UINT32_MAX, &command->delay_s);
    case 'e':
        return take_error(rest, &command->error);
    case 'f':
        return take_fail(rest, &command->fail);
    case 'i':
        return take_number(rest, UINT64_MAX, &command->id);
    case 'k':
        return take_bound(rest, &command->count);
    case 'n':
        if (take_u32(rest, JOBPROTO_BATCH_MAX, &command->count) < 0)
            return -1;
        return command->count > 0 ? 0 : -1;
    case 'o':
        return jobproto_parse_options(take_rest(rest), &command->options);
    case 'p':
        return take_u32(rest, UINT32_MAX, &command->priority);
    case 's':
        return take_tube(cut_word(rest), &command->tube);
    case 'S':
        return take_state(rest, &command->state);
    case 't':
        return take_u32(rest, UINT32_MAX, &command->ttr_s);
    case 'T':
        return take_tube(take_rest(rest), &command->tube);
    case 'u':
        return take_u32(rest, 100, &command->percent);
    case 'v':
        return take_token(rest, &command->text);
    case 'w':
        return take_u32(rest, INT32_MAX, &command->timeout_s);
    case 'x':
        return take_text(rest, &command->text);
    default:
        assert(false && "a kind of argument");
        return -1;
    }
}

static const struct row *find_row(struct slice line)
{
    if (line.len == 0)
        return NULL;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].start.ptr[0] == line.ptr[0] && slice_starts(line, rows[i].start))
            return &rows[i];
    return NULL;
}

int jobproto_parse_line(struct slice line, struct jobproto_command *ret_command)
{
    *ret_command = (struct jobproto_command){.verb = JOBPROTO_N_VERBS};
    if (slice_find(line, '\0') < line.len || slice_find(line, '\r') < line.len)
        return JOBPROTO_BAD_FORMAT;
    const struct row *row = find_row(line);
    if (!row)
        return JOBPROTO_UNKNOWN_COMMAND;
    ret_command->verb = row->verb;
    struct slice rest = slice_skip(line, row->start.len);
    for (const char *kind = row->args; *kind; kind++)
        if (take_argument(*kind, &rest, ret_command) < 0)
            return JOBPROTO_BAD_FORMAT;
    if (rest.len > 0)
        return JOBPROTO_BAD_FORMAT;
    if (row->verb == JOBPROTO_PUT && ret_command->ttr_s == 0)
        ret_command->ttr_s = 1;
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* As much as a line that began at `start` has room for. */
static void write_text(struct text *out, size_t start, struct slice text)
{
    size_t room = JOBPROTO_LINE_MAX - sizeof("\r\n") - (out->len - start);
    if (text.len == 0)
        return;
    text_append_char(out, ' ');
    for (size_t i = 0; i < text.len && i < room; i++)
        text_append_char(out, ascii_is_control(text.ptr[i]) ? '?' : text.ptr[i]);
}

static void write_number(struct text *out, uint64_t number)
{
    text_printf(out, " %" PRIu64, number);
}

static void write_word(struct text *out, struct slice word)
{
    text_append_char(out, ' ');
    text_append(out, word);
}

static void write_argument(struct text *out, size_t start, char kind,
                           const struct jobproto_command *command)
{
    switch (kind) {
    case 'a':
        write_number(out, command->from);
        break;
    case 'b':
        write_number(out, command->body_bytes);
        break;
    case 'd':
        write_number(out, command->delay_s);
        break;
    case 'e':
        write_word(out, slice_from(error_names[command->error]));
        break;
    case 'f':
        write_word(out, slice_from(fail_names[command->fail]));
        break;
    case 'i':
        write_number(out, command->id);
        break;
    case 'k':
    case 'n':
        write_number(out, command->count);
        break;
    case 'o':
        jobproto_write_options(out, &command->options);
        break;
    case 'p':
        write_number(out, command->priority);
        break;
    case 'S':
        write_word(out, slice_from(state_names[command->state]));
        break;
    case 's':
    case 'T':
        write_word(out, command->tube);
        break;
    case 't':
        write_number(out, command->ttr_s);
        break;
    case 'u':
        write_number(out, command->percent);
        break;
    case 'v':
        write_word(out, command->text);
        break;
    case 'w':
        write_number(out, command->timeout_s);
        break;
    default:
        assert(kind == 'x');
        write_text(out, start, command->text);
    }
}

void jobproto_write_command(struct text *out, const struct jobproto_command *command)
{
    const struct row *row = rows;
    size_t start = out->len;
    while (row->verb != command->verb)
        row++;
    text_append(out, slice_from(jobproto_verb_name(row->verb)));
    for (const char *kind = row->args; *kind; kind++)
        write_argument(out, start, *kind, command);
    text_append(out, SLICE("\r\n"));
    assert(out->len - start <= JOBPROTO_LINE_MAX);
}
