/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Bodies framed anew: each framing that may come with each that may go out, the input cut at every
 * byte, more chunks than a call has parts, trailers, and every way to be wrong. What comes out is
 * read back by the codec and compared with what went in.
 */

#include "http/relay.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A body being relayed, and what has come out. */
struct run {
    struct relay relay;
    struct h1_body body;
    bool is_chunked_out;
    struct text trailers;
    struct text out;
    struct text held; /* of the input, not used yet */
    unsigned n_calls;
    enum relay_result result;
};

static void run_start(struct run *run, enum h1_body_kind kind, uint64_t length, bool is_chunked_out)
{
    memset(run, 0, sizeof(*run));
    h1_body_init_kind(&run->body, kind, length, &h1_limits_default);
    run->is_chunked_out = is_chunked_out;
    run->result = RELAY_MORE;
}

static void run_end(struct run *run)
{
    text_deinit(&run->trailers);
    text_deinit(&run->out);
    text_deinit(&run->held);
}

static void collect(struct run *run)
{
    const struct relay *relay = &run->relay;
    size_t n_data = 0;
    assert_in_range(relay->n_parts, 2, RELAY_PARTS_MAX);
    for (int i = 1; i < relay->n_parts; i++) {
        text_append(&run->out, slice_make(relay->parts[i].iov_base, relay->parts[i].iov_len));
        n_data += relay->parts[i].iov_len;
    }
    if (!run->is_chunked_out)
        assert_int_equal(n_data, relay->n_data);
}

/* As the exchange does it: what is held and the new bytes, until more is needed. The bytes lie in
 * memory of exactly their size, so that a sanitizer sees a read behind them. */
static void run_feed(struct run *run, struct slice bytes)
{
    text_append(&run->held, bytes);
    if (run->result == RELAY_END)
        return;
    size_t len = run->held.len, at = 0;
    char *buf = mem_alloc(len ? len : 1);
    if (len)
        memcpy(buf, run->held.ptr, len);
    do {
        size_t used = SIZE_MAX;
        run->result = relay_next(&run->relay, &run->body, run->is_chunked_out, &run->trailers,
                                 buf + at, len - at, &used);
        assert_in_range(used, 0, len - at);
        run->n_calls++;
        at += used;
        if (run->result != RELAY_ERROR)
            collect(run);
    } while (run->result == RELAY_FULL);
    text_clear(&run->held);
    text_append(&run->held, slice_make(buf + at, len - at));
    mem_free(buf);
}

/* The data and trailers of a chunked body, as the codec reads them. */
static void decode(struct slice bytes, struct text *data, struct text *trailers)
{
    struct h1_body body;
    h1_body_init_kind(&body, H1_BODY_CHUNKED, 0, &h1_limits_default);
    for (;;) {
        struct h1_piece piece;
        size_t used;
        enum h1_event event = h1_body_next(&body, bytes.ptr, bytes.len, &used, &piece);
        bytes = slice_skip(bytes, used);
        if (event == H1_DATA)
            text_append(data, piece.data);
        else if (event == H1_TRAILER)
            text_printf(trailers, "%.*s=%.*s;", SLICE_ARG(piece.name), SLICE_ARG(piece.value));
        else {
            assert_int_equal(event, H1_END);
            assert_int_equal(bytes.len, 0);
            return;
        }
    }
}

/* ---- whole bodies ---- */

struct row {
    const char *name;
    enum h1_body_kind kind;
    const char *in;
    const char *data;
    const char *trailers; /* as decode() writes them */
    const char *rest;     /* behind the body: belongs to the next message */
};

static const struct row rows[] = {
    {"none", H1_BODY_NONE, "", "", "", ""},
    {"none and more", H1_BODY_NONE, "", "", "", "GET / HTTP/1.1\r\n"},
    {"length 0", H1_BODY_LENGTH, "", "", "", "x"},
    {"length", H1_BODY_LENGTH, "hello world", "hello world", "", ""},
    {"length and more", H1_BODY_LENGTH, "hello world", "hello world", "", "HTTP/1.1 200"},
    {"chunked, empty", H1_BODY_CHUNKED, "0\r\n\r\n", "", "", "next"},
    {"chunked", H1_BODY_CHUNKED, "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", "", "n"},
    {"chunked, extensions", H1_BODY_CHUNKED,
     "5;a=b\r\nhello\r\n6;c=\"; \\\" 0\"\r\n world\r\n0;x\r\n\r\n", "hello world", "", ""},
    {"chunked, trailers", H1_BODY_CHUNKED,
     "b\r\nhello world\r\n0\r\nX-Sum: 42\r\nX-Empty:\r\nY:  z \r\n\r\n", "hello world",
     "X-Sum=42;X-Empty=;Y=z;", "next"},
    {"chunked, trailers that may not be there", H1_BODY_CHUNKED,
     "1\r\na\r\n0\r\nContent-Length: 7\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n", "a",
     "X-A=b;", ""},
    {"chunked, CRLF as data", H1_BODY_CHUNKED, "4\r\n\r\n\r\n\r\n5\r\n0\r\n\r\n\r\n0\r\n\r\n",
     "\r\n\r\n0\r\n\r\n", "", ""},
    {"until close", H1_BODY_UNTIL_CLOSE, "hello world", "hello world", "", ""},
    {"tunnel", H1_BODY_TUNNEL, "hello world", "hello world", "", ""},
};

/* What came out, behind the last byte that went in. */
static void check_out(const struct run *run, const struct row *row)
{
    struct text data = TEXT_NONE, trailers = TEXT_NONE, whole = TEXT_NONE;
    bool is_endless = row->kind == H1_BODY_UNTIL_CLOSE || row->kind == H1_BODY_TUNNEL;
    assert_int_equal(run->result, is_endless ? RELAY_MORE : RELAY_END);
    assert_string_equal(text_cstr(&run->held), row->rest);
    if (run->is_chunked_out) {
        text_append(&whole, text_slice(&run->out));
        if (is_endless)
            text_append(&whole, SLICE("0\r\n\r\n")); /* whoever closes ends it */
        decode(text_slice(&whole), &data, &trailers);
        assert_string_equal(text_cstr(&data), row->data);
        assert_string_equal(text_cstr(&trailers), row->trailers);
    } else {
        assert_string_equal(text_cstr(&run->out), row->data);
        assert_int_equal(run->trailers.len, 0); /* nobody wants them */
    }
    text_deinit(&data);
    text_deinit(&trailers);
    text_deinit(&whole);
}

static void relay_row(const struct row *row, bool is_chunked_out, size_t cut, size_t step)
{
    struct run run;
    struct text in = TEXT_NONE;
    text_append(&in, slice_from(row->in));
    text_append(&in, slice_from(row->rest));
    run_start(&run, row->kind, strlen(row->data), is_chunked_out);
    if (step) {
        for (size_t at = 0; at < in.len; at += step)
            run_feed(&run, slice_make(in.ptr + at, at + step < in.len ? step : in.len - at));
        if (in.len == 0)
            run_feed(&run, SLICE(""));
    } else {
        run_feed(&run, slice_make(text_cstr(&in), cut));
        run_feed(&run, slice_skip(text_slice(&in), cut));
    }
    check_out(&run, row);
    run_end(&run);
    text_deinit(&in);
}

static void test_framings(void **state)
{
    (void)state;
    for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
        size_t len = strlen(rows[r].in) + strlen(rows[r].rest);
        for (int is_chunked_out = 0; is_chunked_out < 2; is_chunked_out++) {
            for (size_t cut = 0; cut <= len; cut++)
                relay_row(&rows[r], is_chunked_out, cut, 0);
            for (size_t step = 1; step <= 5; step++)
                relay_row(&rows[r], is_chunked_out, 0, step);
        }
    }
}

/* All data of one call leaves as one chunk. */
static void test_one_chunk_a_call(void **state)
{
    (void)state;
    struct run run;
    run_start(&run, H1_BODY_CHUNKED, 0, true);
    run_feed(&run, SLICE("5\r\nhello\r\n6\r\n world\r\n"));
    assert_string_equal(text_cstr(&run.out), "b\r\nhello world\r\n");
    run_feed(&run, SLICE("1\r\n!\r\n0\r\nA: b\r\n\r\n"));
    assert_string_equal(text_cstr(&run.out), "b\r\nhello world\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n");
    assert_int_equal(run.n_calls, 2);
    run_end(&run);
}

/* Nothing came, nothing goes out: no empty chunk, which would be the end. */
static void test_nothing(void **state)
{
    (void)state;
    struct run run;
    run_start(&run, H1_BODY_CHUNKED, 0, true);
    run_feed(&run, SLICE(""));
    run_feed(&run, SLICE("5;ext"));
    run_feed(&run, SLICE("=1\r\n"));
    assert_int_equal(run.out.len, 0);
    assert_int_equal(run.relay.n_parts, 2);
    assert_int_equal(run.relay.parts[1].iov_len, 0);
    run_end(&run);
}

/* ---- many chunks ---- */

static void many_chunks(unsigned n_chunks, bool is_chunked_out, bool has_trailers)
{
    struct run run;
    struct text in = TEXT_NONE, want = TEXT_NONE, data = TEXT_NONE, trailers = TEXT_NONE;
    for (unsigned i = 0; i < n_chunks; i++) {
        text_printf(&in, "3\r\n%03u\r\n", i % 1000);
        text_printf(&want, "%03u", i % 1000);
    }
    text_append(&in,
                has_trailers ? SLICE("0\r\nA: 1\r\nB: 2\r\n\r\nrest") : SLICE("0\r\n\r\nrest"));
    run_start(&run, H1_BODY_CHUNKED, 0, is_chunked_out);
    run_feed(&run, text_slice(&in));
    assert_int_equal(run.result, RELAY_END);
    assert_string_equal(text_cstr(&run.held), "rest");
    if (is_chunked_out) {
        decode(text_slice(&run.out), &data, &trailers);
        assert_string_equal(text_cstr(&data), text_cstr(&want));
        assert_string_equal(text_cstr(&trailers), has_trailers ? "A=1;B=2;" : "");
    } else {
        assert_string_equal(text_cstr(&run.out), text_cstr(&want));
    }
    run_end(&run);
    text_deinit(&in);
    text_deinit(&want);
    text_deinit(&data);
    text_deinit(&trailers);
}

/* Around the number of parts that one call has, and far beyond. */
static void test_many_chunks(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 3 * RELAY_PARTS_MAX; n++)
        for (unsigned bits = 0; bits < 4; bits++)
            many_chunks(n, bits & 1, bits & 2);
    many_chunks(10000, true, true);
    many_chunks(10000, false, true);
}

/* ---- what is wrong ---- */

static const struct {
    const char *in;
    enum h1_error error;
} wrongs[] = {
    {"x\r\n", H1_ERR_CHUNK_SIZE},
    {"-1\r\n", H1_ERR_CHUNK_SIZE},
    {"0x5\r\nhello\r\n", H1_ERR_CHUNK_SIZE},
    {"10000000000000\r\n", H1_ERR_CHUNK_SIZE},
    {"5\nhello\r\n", H1_ERR_CHUNK_END},
    {"5\r\nhelloX", H1_ERR_CHUNK_END},
    {"5\r\nhello\n0\r\n\r\n", H1_ERR_CHUNK_END},
    {"5;\x01\r\n", H1_ERR_CHUNK_EXT},
    {"0\r\nA : c\r\n\r\n", H1_ERR_FIELD_SPACE},
    {"0\r\nA: b\nC: d\r\n\r\n", H1_ERR_LINE_END},
};

/* Found in whatever pieces it comes; what was right before it has gone out, the end has not. */
static void test_wrong(void **state)
{
    (void)state;
    for (size_t w = 0; w < ARRAY_LEN(wrongs); w++) {
        struct text in = TEXT_NONE;
        text_printf(&in, "3\r\nabc\r\n%s", wrongs[w].in);
        for (size_t step = 1; step <= in.len; step++) {
            struct run run;
            run_start(&run, H1_BODY_CHUNKED, 0, true);
            for (size_t at = 0; at < in.len && run.result != RELAY_ERROR; at += step)
                run_feed(&run, slice_make(in.ptr + at, at + step < in.len ? step : in.len - at));
            assert_int_equal(run.result, RELAY_ERROR);
            if (run.relay.error != wrongs[w].error)
                fail_msg("%s: %s", wrongs[w].in, h1_error_row(run.relay.error)->name);
            assert_null(strstr(text_cstr(&run.out), "\r\n0\r\n"));
            run_end(&run);
        }
        text_deinit(&in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_framings), cmocka_unit_test(test_one_chunk_a_call),
        cmocka_unit_test(test_nothing),  cmocka_unit_test(test_many_chunks),
        cmocka_unit_test(test_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
