/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the cases of tests/h1/ (their format is in tests/h1/README.md): bytes in, facts out, and
 * what the writers make of them. Every case is read whole, cut in two at every byte, and byte by
 * byte, each time from a buffer of exactly its length, and must come out the same. What a writer
 * writes must be read again with the same framing, and must not fit into one byte less.
 *
 *      h1_golden_test                  runs all files
 *      h1_golden_test --update FILE    writes the outcomes of today into the file
 */
#include "base/mem.h"
#include "base/text.h"
#include "wire/h1.h"
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

/* Longer cases are not cut at every byte but at every so manyth. */
enum { CUT_ALL_MAX = 2048, CUT_STEP = 509 };

enum kind {
    KIND_REQUEST,
    KIND_RESPONSE,
    KIND_CHUNKED,
};

struct golden {
    enum kind kind;
    struct h1_asked asked;
    struct h1_limits limits;
    struct text input;
};

/* ---- the notation of bytes ---- */

static unsigned hex_pair(const char *at)
{
    char pair[3] = {at[0], at[1], '\0'};

    return (unsigned)strtoul(pair, NULL, 16);
}

/* \{N c}: N times the character c. Returns the position behind it. */
static const char *read_repeat(const char *at, struct text *out)
{
    char *end;
    unsigned long n = strtoul(at, &end, 10);

    assert_true(end[0] == ' ' && end[1] && end[2] == '}');
    text_pad(out, end[1], n);
    return end + 3;
}

/* Appends the bytes that a line stands for, and CRLF unless it ends with a backslash. */
static void read_bytes(struct slice line, struct text *out)
{
    char *copy = slice_dup(line);
    const char *at = copy;
    bool is_line = true;

    while (*at) {
        char c = *at++;

        if (c != '\\') {
            text_append_char(out, c);
            continue;
        }
        c = *at ? *at++ : '\0';
        if (c == '\0')
            is_line = false;
        else if (c == '{')
            at = read_repeat(at, out);
        else if (c == 'x') {
            text_append_char(out, (char)hex_pair(at));
            at += 2;
        } else
            text_append_char(out, c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c);
    }
    if (is_line)
        text_append(out, SLICE("\r\n"));
    mem_free(copy);
}

/* Runs of a byte are shortened as they are written in the files. */
static size_t run_length(struct slice bytes, size_t at)
{
    size_t end = at;

    while (end < bytes.len && bytes.ptr[end] == bytes.ptr[at])
        end++;
    return end - at;
}

/* The notation of bytes, without line ends at CRLF. */
static void write_bytes(struct slice bytes, struct text *out)
{
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        size_t run = run_length(bytes, i);

        if (run > 40) {
            text_printf(out, "\\{%zu %c}", run, c);
            i += run - 1;
        } else if (c == '\\' || c == '\r' || c == '\n' || c == '\t')
            text_printf(out, "\\%c", c == '\r' ? 'r' : c == '\n' ? 'n' : c == '\t' ? 't' : c);
        else if (c < 0x20 || c >= 0x7f)
            text_printf(out, "\\x%02x", c);
        else
            text_append_char(out, (char)c);
    }
}

/* One line of the file for each line of the bytes, as read_bytes() takes them. */
static void write_lines(const char *prefix, struct slice bytes, struct text *out)
{
    while (bytes.len > 0) {
        const char *end = memmem(bytes.ptr, bytes.len, "\r\n", 2);
        size_t len = end ? (size_t)(end - bytes.ptr) : bytes.len;

        text_printf(out, "%s", prefix);
        if (len > 0)
            text_append_char(out, ' ');
        write_bytes(slice_make(bytes.ptr, len), out);
        text_printf(out, "%s\n", end ? "" : "\\");
        bytes = slice_skip(bytes, end ? len + 2 : len);
    }
}

/* ---- facts as text ---- */

static void dump_span(struct text *out, const char *label, const char *buf, struct h1_span span)
{
    if (span.len == 0)
        return;
    text_printf(out, "= %s ", label);
    write_bytes(h1_slice(buf, span), out);
    text_append_char(out, '\n');
}

static void dump_body(struct text *out, const struct h1_head *head)
{
    static const char *const names[] = {"none", "length", "chunked", "until close", "tunnel"};

    text_printf(out, "= body %s", names[head->body]);
    if (head->body == H1_BODY_LENGTH)
        text_printf(out, " %llu", (unsigned long long)head->length);
    text_printf(out, ", %s\n", head->is_keep_alive ? "keep" : "close");
}

static void dump_flags(struct text *out, const struct h1_head *head)
{
    const struct {
        bool is_set;
        const char *name;
    } flags[] = {
        {head->expect == H1_EXPECT_CONTINUE, "expect 100-continue"},
        {head->expect == H1_EXPECT_OTHER, "expect something else"},
        {head->is_websocket, "websocket"},
        {head->is_h2c, "h2c"},
        {head->is_te_trailers, "takes trailers"},
        {head->is_interim, "interim"},
        {head->is_https_target, "https"},
        {head->is_query && head->query.len == 0, "empty query"},
    };

    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (flags[i].is_set)
            text_printf(out, "= %s\n", flags[i].name);
}

static void dump_fields(struct text *out, const struct h1_head *head, const char *buf)
{
    for (unsigned i = 0; i < head->n_fields; i++) {
        const struct h1_field *field = &head->fields[i];

        text_printf(out, "= field ");
        write_bytes(h1_field_name(buf, field), out);
        text_printf(out, ": ");
        write_bytes(h1_field_value(buf, field), out);
        if (head->named[i / 64] >> (i % 64) & 1)
            text_printf(out, "  (hop)");
        if (field->flags & H1_FLAG_FOLDED)
            text_printf(out, "  (folded)");
        if (field->flags & H1_FLAG_SPACED)
            text_printf(out, "  (spaced)");
        text_append_char(out, '\n');
    }
}

static void dump_head(struct text *out, const struct h1_head *head, const char *buf, size_t len)
{
    static const char *const forms[] = {"origin", "absolute", "authority", "asterisk"};
    enum h1_error refused = head->is_response ? H1_OK : h1_check_request(head);

    if (head->is_response) {
        text_printf(out, "= HTTP/1.%u %u\n", head->minor, head->status);
        dump_span(out, "reason", buf, head->reason);
    } else {
        text_printf(out, "= HTTP/1.%u %s-form\n", head->minor, forms[head->form]);
        dump_span(out, "method", buf, head->method_text);
    }
    dump_span(out, "path", buf, head->path);
    dump_span(out, "query", buf, head->query);
    dump_span(out, "host", buf, head->host);
    if (head->port)
        text_printf(out, "= port %u\n", head->port);
    dump_body(out, head);
    dump_flags(out, head);
    dump_fields(out, head, buf);
    if (refused)
        text_printf(out, "= not served: %s %u\n", h1_error_row(refused)->name,
                    h1_error_row(refused)->status);
    if (len > head->head_len)
        text_printf(out, "= then %zu bytes\n", len - head->head_len);
}

static void dump_error(struct text *out, enum h1_error error)
{
    text_printf(out, "= error %s %u", h1_error_row(error)->name, h1_error_row(error)->status);
}

/* ---- reading ---- */

static ssize_t parse(const struct golden *golden, const char *buf, size_t len, struct h1_head *head,
                     enum h1_error *ret_error)
{
    if (golden->kind == KIND_REQUEST)
        return h1_parse_request(buf, len, &golden->limits, head, ret_error);
    return h1_parse_response(buf, len, &golden->limits, golden->asked, head, ret_error);
}

/* From a copy of exactly that length, so that a sanitizer sees a read beyond it. */
static ssize_t parse_exact(const struct golden *golden, size_t len, struct h1_head *head,
                           enum h1_error *ret_error)
{
    char *copy = mem_alloc(len);
    ssize_t used;

    memcpy(copy, golden->input.ptr, len);
    used = parse(golden, copy, len, head, ret_error);
    mem_free(copy);
    return used;
}

/* Reads as far as `first` bytes, then by `step` bytes more at a time; the outcome goes to out. */
static void read_head(const struct golden *golden, size_t first, size_t step, struct h1_head *head,
                      struct text *out)
{
    size_t len = golden->input.len;
    enum h1_error error = H1_OK;
    ssize_t used = 0;

    h1_head_reset(head);
    for (size_t at = first; used == 0; at = at + step < len ? at + step : len) {
        used = parse_exact(golden, at, head, &error);
        if (at == len)
            break;
    }
    if (used > 0)
        dump_head(out, head, golden->input.ptr, len);
    else if (used < 0) {
        dump_error(out, error);
        text_printf(out, " at %u\n", head->pos);
    } else
        text_printf(out, "= more\n");
}

/* All events that [buf + *pos, buf + len) gives; false when the body is over. */
static bool read_events(struct h1_body *body, const char *buf, size_t len, size_t *pos,
                        struct text *data, struct text *out)
{
    struct h1_piece piece;
    size_t used;

    for (;;) {
        char *copy = mem_alloc(len - *pos);
        enum h1_event event;

        memcpy(copy, buf + *pos, len - *pos);
        event = h1_body_next(body, copy, len - *pos, &used, &piece);
        *pos += used;
        if (event == H1_DATA)
            text_append(data, piece.data);
        else if (event == H1_TRAILER) {
            text_printf(out, "= trailer %.*s: %.*s\n", SLICE_ARG(piece.name),
                        SLICE_ARG(piece.value));
        } else if (event == H1_ERROR) {
            dump_error(out, piece.error);
            text_append_char(out, '\n');
        }
        mem_free(copy);
        if (event == H1_MORE)
            return true;
        if (event == H1_END || event == H1_ERROR)
            return false;
    }
}

static void read_chunked(const struct golden *golden, size_t first, size_t step, struct text *out)
{
    size_t len = golden->input.len;
    struct text data = TEXT_NONE;
    struct text events = TEXT_NONE;
    struct h1_body body;
    size_t pos = 0;
    bool is_more = true;

    h1_body_init_kind(&body, H1_BODY_CHUNKED, 0, &golden->limits);
    for (size_t at = first; is_more; at = at + step < len ? at + step : len) {
        is_more = read_events(&body, golden->input.ptr, at, &pos, &data, &events);
        if (at == len)
            break;
    }
    text_printf(out, "= data ");
    write_bytes(text_slice(&data), out);
    text_append_char(out, '\n');
    text_append(out, text_slice(&events));
    if (h1_body_close(&body) == H1_OK)
        text_printf(out, pos < len ? "= end, then %zu bytes\n" : "= end\n", len - pos);
    else if (is_more)
        text_printf(out, "= more\n");
    text_deinit(&data);
    text_deinit(&events);
}

static void read_case(const struct golden *golden, size_t first, size_t step, struct text *out)
{
    static struct h1_head head;

    if (golden->kind == KIND_CHUNKED)
        read_chunked(golden, first, step, out);
    else
        read_head(golden, first, step, &head, out);
}

/* Whole, in two pieces cut everywhere, and in many small ones: always the same. */
static void run_case(const struct golden *golden, struct text *out)
{
    size_t len = golden->input.len;
    size_t cut_step = len > CUT_ALL_MAX ? CUT_STEP : 1;
    struct text whole = TEXT_NONE;
    struct text again = TEXT_NONE;

    read_case(golden, len, len, &whole);
    for (size_t cut = 0; cut <= len; cut += cut_step) {
        text_clear(&again);
        read_case(golden, cut, len, &again);
        assert_string_equal(text_cstr(&again), text_cstr(&whole));
    }
    text_clear(&again);
    read_case(golden, 0, cut_step, &again);
    assert_string_equal(text_cstr(&again), text_cstr(&whole));
    text_append(out, text_slice(&whole));
    text_deinit(&whole);
    text_deinit(&again);
}

/* ---- writing ---- */

enum { MAX_LINES = 8 };

/* What a `forward` or `reply` line of a case asks for. */
struct write_case {
    struct h1_forward forward;
    struct h1_reply reply;
    struct slice lines[MAX_LINES];
    char *owned[MAX_LINES]; /* the bytes of lines */
    size_t n_lines;
};

static struct slice next_word(struct slice *rest)
{
    struct slice word = slice_cut(rest, ' ');

    if (!rest->ptr)
        *rest = SLICE("");
    return word;
}

static uint64_t number(struct slice text)
{
    uint64_t value;

    assert_int_equal(slice_to_u64(text, &value), 0);
    return value;
}

/* A word with a value behind it; false: not one. */
static bool read_write_value(struct slice word, struct slice *rest, struct write_case *ret)
{
    if (slice_is(word, "target"))
        ret->forward.target = next_word(rest);
    else if (slice_is(word, "host"))
        ret->forward.host = next_word(rest);
    else if (slice_is(word, "fallback"))
        ret->forward.fallback_host = next_word(rest);
    else if (slice_is(word, "drop"))
        ret->forward.drop = ret->reply.drop = H1_SET(h1_field_id(next_word(rest)));
    else if (slice_is(word, "length")) {
        ret->forward.is_length_known = ret->reply.is_length_known = true;
        ret->forward.length = ret->reply.length = number(next_word(rest));
    } else
        return false;
    return true;
}

static void read_write_words(struct slice rest, struct write_case *ret)
{
    *ret = (struct write_case){.reply.client_minor = 1};
    while (rest.len > 0) {
        struct slice word = next_word(&rest);

        if (slice_is(word, "trusted"))
            ret->forward.is_peer_trusted = true;
        else if (slice_is(word, "upgrade"))
            ret->forward.is_upgrade = true;
        else if (slice_is(word, "close"))
            ret->forward.is_close = ret->reply.is_close = true;
        else if (slice_is(word, "1.0"))
            ret->reply.client_minor = 0;
        else if (!read_write_value(word, &rest, ret))
            fail_msg("unknown word '%.*s'", SLICE_ARG(word));
    }
}

static ssize_t write_head(const struct write_case *write, const struct h1_head *head,
                          const char *buf, char *out, size_t cap)
{
    struct h1_forward forward = write->forward;
    struct h1_reply reply = write->reply;

    forward.lines = reply.lines = write->lines;
    forward.n_lines = reply.n_lines = write->n_lines;
    return head->is_response ? h1_write_response_head(out, cap, head, buf, &reply)
                             : h1_write_request_head(out, cap, head, buf, &forward);
}

static void check_written(const struct golden *golden, const struct write_case *write,
                          const struct h1_head *head, struct slice bytes)
{
    static struct h1_head again;
    struct golden copy = {.kind = golden->kind, .asked = golden->asked, .limits = golden->limits};
    enum h1_error error = H1_OK;

    h1_head_reset(&again);
    assert_int_equal(parse(&copy, bytes.ptr, bytes.len, &again, &error), bytes.len);
    if (head->is_response)
        assert_int_equal(again.body, h1_reply_body(head, &write->reply));
    else if (!write->forward.is_length_known)
        assert_int_equal(again.body, head->body);
    if (again.body == H1_BODY_LENGTH && head->body == H1_BODY_LENGTH)
        assert_int_equal(again.length, head->length);
}

static void run_write(const struct golden *golden, const struct write_case *write, struct text *out)
{
    static struct h1_head head;
    enum h1_error error;
    char buf[4096];
    ssize_t len;

    h1_head_reset(&head);
    assert_true(parse(golden, golden->input.ptr, golden->input.len, &head, &error) > 0);
    len = write_head(write, &head, golden->input.ptr, buf, sizeof(buf));
    assert_true(len > 0);
    assert_int_equal(write_head(write, &head, golden->input.ptr, buf, (size_t)len - 1), -1);
    assert_int_equal(write_head(write, &head, golden->input.ptr, buf, (size_t)len), len);
    write_lines("|", slice_make(buf, (size_t)len), out);
    check_written(golden, write, &head, slice_make(buf, (size_t)len));
}

/* ---- the files ---- */

struct limit_row {
    const char *name;
    size_t offset;
};

static const struct limit_row limit_rows[] = {
    {"head_bytes", offsetof(struct h1_limits, head_bytes)},
    {"field_bytes", offsetof(struct h1_limits, field_bytes)},
    {"target_bytes", offsetof(struct h1_limits, target_bytes)},
    {"n_fields", offsetof(struct h1_limits, n_fields)},
    {"trailer_bytes", offsetof(struct h1_limits, trailer_bytes)},
    {"n_trailers", offsetof(struct h1_limits, n_trailers)},
    {"chunk_ext_bytes", offsetof(struct h1_limits, chunk_ext_bytes)},
    {"chunk_overhead_bytes", offsetof(struct h1_limits, chunk_overhead_bytes)},
};

static void read_limit(struct slice rest, struct golden *golden)
{
    struct slice name = next_word(&rest);
    uint32_t value = (uint32_t)number(rest);

    for (size_t i = 0; i < ARRAY_LEN(limit_rows); i++)
        if (slice_is(name, limit_rows[i].name)) {
            memcpy((char *)&golden->limits + limit_rows[i].offset, &value, sizeof(value));
            return;
        }
    fail_msg("unknown limit '%.*s'", SLICE_ARG(name));
}

static void read_kind(struct slice rest, enum kind kind, struct golden *golden)
{
    static const char *const names[] = {"OTHER", "GET",    "HEAD",    "POST",
                                        "PUT",   "DELETE", "OPTIONS", "CONNECT"};

    golden->kind = kind;
    golden->asked = (struct h1_asked){.method = H1_METHOD_GET};
    golden->asked.is_websocket = slice_is(rest, "websocket");
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (slice_is(rest, names[i]))
            golden->asked.method = (enum h1_method)i;
}

/* One run over a file: its lines, and what they should be. */
struct run {
    struct golden golden;
    struct write_case write;
    bool is_read;  /* the input was run */
    bool is_write; /* a forward or reply stands open */
    struct text expected;
    struct text actual;
};

static void finish_input(struct run *run)
{
    if (!run->is_read && run->golden.input.len > 0)
        run_case(&run->golden, &run->actual);
    run->is_read = true;
}

static void finish_write(struct run *run)
{
    if (!run->is_write)
        return;
    run_write(&run->golden, &run->write, &run->actual);
    for (size_t i = 0; i < run->write.n_lines; i++)
        mem_free(run->write.owned[i]);
    run->is_write = false;
}

static void begin_case(struct run *run)
{
    finish_input(run);
    finish_write(run);
    text_clear(&run->golden.input);
    run->golden.limits = h1_limits_default;
    run->is_read = false;
}

static void begin_write(struct run *run, struct slice rest)
{
    finish_input(run);
    finish_write(run);
    read_write_words(rest, &run->write);
    run->is_write = true;
}

static void add_line(struct run *run, struct slice rest)
{
    struct text line = TEXT_NONE;

    size_t i = run->write.n_lines++;

    assert_true(i < MAX_LINES);
    read_bytes(rest, &line);
    run->write.owned[i] = slice_dup(text_slice(&line));
    run->write.lines[i] = slice_make(run->write.owned[i], line.len);
    text_deinit(&line);
}

/* Outcomes are collected on one side and, for what is not an outcome, the line itself on both. */
static void read_line(struct run *run, struct slice line)
{
    struct slice rest = line;
    struct slice word = next_word(&rest);

    if (slice_is(word, "=") || slice_is(word, "|")) {
        text_append(&run->expected, line);
        text_append_char(&run->expected, '\n');
        return;
    }
    if (slice_is(word, "case"))
        begin_case(run);
    else if (slice_is(word, "request"))
        read_kind(rest, KIND_REQUEST, &run->golden);
    else if (slice_is(word, "response"))
        read_kind(rest, KIND_RESPONSE, &run->golden);
    else if (slice_is(word, "chunked"))
        read_kind(rest, KIND_CHUNKED, &run->golden);
    else if (slice_is(word, "limit"))
        read_limit(rest, &run->golden);
    else if (slice_is(word, ">"))
        read_bytes(rest, &run->golden.input);
    else if (slice_is(word, "forward") || slice_is(word, "reply"))
        begin_write(run, rest);
    else if (slice_is(word, "+"))
        add_line(run, rest);
    else if (word.len > 0 && word.ptr[0] != '#')
        fail_msg("unknown line '%.*s'", SLICE_ARG(line));
    else if (word.len == 0) {
        finish_input(run);
        finish_write(run);
    }
    for (struct text *text = &run->expected;; text = &run->actual) {
        text_append(text, line);
        text_append_char(text, '\n');
        if (text == &run->actual)
            break;
    }
}

static struct text read_file(const char *path)
{
    struct text text = TEXT_NONE;
    FILE *file = fopen(path, "rb");
    char block[4096];
    size_t n;

    assert_non_null(file);
    while ((n = fread(block, 1, sizeof(block), file)) > 0)
        text_append(&text, slice_make(block, n));
    assert_int_equal(fclose(file), 0);
    return text;
}

static void run_file(const char *path, struct run *run)
{
    struct text file = read_file(path);
    struct slice rest = text_slice(&file);

    *run = (struct run){.golden.limits = h1_limits_default, .is_read = true};
    while (rest.len > 0) {
        struct slice line = slice_cut(&rest, '\n');

        /* An outcome is due before the line that follows it. */
        if (line.len == 0 || line.ptr[0] == '=' || line.ptr[0] == '|') {
            if (line.len > 0 && line.ptr[0] == '=')
                finish_input(run);
            if (line.len > 0 && line.ptr[0] == '|')
                finish_write(run);
        }
        read_line(run, line);
    }
    finish_input(run);
    finish_write(run);
    text_deinit(&file);
}

static void deinit_run(struct run *run)
{
    text_deinit(&run->actual);
    text_deinit(&run->expected);
    text_deinit(&run->golden.input);
}

static int is_case_file(const struct dirent *entry)
{
    struct slice name = slice_from(entry->d_name);

    return name.len > 4 && memcmp(name.ptr + name.len - 4, ".txt", 4) == 0;
}

static void test_files(void **state)
{
    struct dirent **entries;
    int n = scandir("tests/h1", &entries, is_case_file, alphasort);

    (void)state;
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        char path[512];
        struct run run;

        (void)snprintf(path, sizeof(path), "tests/h1/%s", entries[i]->d_name);
        run_file(path, &run);
        if (!slice_equal(text_slice(&run.actual), text_slice(&run.expected)))
            print_message("%s: the outcomes of today are:\n%s", path, text_cstr(&run.actual));
        assert_string_equal(text_cstr(&run.actual), text_cstr(&run.expected));
        deinit_run(&run);
        free(entries[i]);
    }
    free(entries);
}

static void update_file(void **state)
{
    struct run run;
    FILE *file;

    run_file(*state, &run);
    file = fopen(*state, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(run.actual.ptr, 1, run.actual.len, file), run.actual.len);
    assert_int_equal(fclose(file), 0);
    deinit_run(&run);
}

int main(int argc, char **argv)
{
    bool is_update = argc == 3 && strcmp(argv[1], "--update") == 0;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_files)};
    const struct CMUnitTest updates[] = {
        cmocka_unit_test_prestate(update_file, is_update ? argv[2] : NULL)};

    return is_update ? cmocka_run_group_tests(updates, NULL, NULL)
                     : cmocka_run_group_tests(tests, NULL, NULL);
}
