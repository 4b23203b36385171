/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the chunked decoder against a second one that is slow and simple, cut in pieces
 * against whole, and the encoder against the decoder. The first byte chooses the limits and how the
 * input is cut.
 */
#include "wire/h1.h"
#include <stdlib.h>

#define FUZZ_CHECK(what) \
    do {                 \
        if (!(what))     \
            abort();     \
    } while (0)

/* All that came out of a body. */
struct outcome {
    char *data;
    size_t n_data;
    size_t used;
    unsigned n_trailers;
    enum h1_event last; /* MORE, END or ERROR */
    enum h1_error error;
};

/* ---- the codec ---- */

static void take_event(struct outcome *outcome, enum h1_event event, const struct h1_piece *piece)
{
    if (event == H1_DATA) {
        memcpy(outcome->data + outcome->n_data, piece->data.ptr, piece->data.len);
        outcome->n_data += piece->data.len;
    } else if (event == H1_TRAILER) {
        FUZZ_CHECK(h1_is_token(piece->name));
        outcome->n_trailers++;
    } else if (event == H1_ERROR)
        outcome->error = piece->error;
}

/* Feeds buf[used, end) from a copy of exactly that length; false: no more is wanted. */
static bool feed(struct h1_body *body, const char *buf, size_t end, struct outcome *outcome)
{
    size_t len = end - outcome->used;
    char *copy = malloc(len + 1);
    size_t pos = 0;

    FUZZ_CHECK(copy);
    memcpy(copy + 1, buf + outcome->used, len);
    do {
        struct h1_piece piece;
        size_t used;

        outcome->last = h1_body_next(body, copy + 1 + pos, len - pos, &used, &piece);
        FUZZ_CHECK(used <= len - pos);
        pos += used;
        take_event(outcome, outcome->last, &piece);
    } while (outcome->last == H1_DATA || outcome->last == H1_TRAILER);
    outcome->used += pos;
    free(copy);
    return outcome->last == H1_MORE;
}

static void decode(const char *buf, size_t len, size_t step, const struct h1_limits *limits,
                   struct outcome *outcome)
{
    struct h1_body body;
    size_t end = step < len ? step : len;

    *outcome = (struct outcome){.data = malloc(len + 1)};
    FUZZ_CHECK(outcome->data);
    h1_body_init_kind(&body, H1_BODY_CHUNKED, 0, limits);
    while (feed(&body, buf, end, outcome) && end < len)
        end = end + step < len ? end + step : len;
    FUZZ_CHECK((h1_body_close(&body) == H1_OK) == (outcome->last == H1_END));
}

static void check_same(const struct outcome *a, const struct outcome *b)
{
    FUZZ_CHECK(a->last == b->last && a->error == b->error && a->n_trailers == b->n_trailers);
    FUZZ_CHECK(a->n_data == b->n_data && memcmp(a->data, b->data, a->n_data) == 0);
    FUZZ_CHECK(a->last != H1_END || a->used == b->used);
}

/* ---- the second opinion, for bodies that the codec takes for complete ---- */

/* The next line without CRLF; only CRLF ends a line, and no control byte but HTAB is in it. */
static const char *next_line(const char **at, const char *end, size_t *ret_len)
{
    const char *line = *at;
    const char *crlf = memmem(line, (size_t)(end - line), "\r\n", 2);

    FUZZ_CHECK(crlf);
    for (const char *c = line; c < crlf; c++)
        FUZZ_CHECK(((unsigned char)*c >= 0x20 || *c == '\t') && *c != 0x7f);
    *ret_len = (size_t)(crlf - line);
    *at = crlf + 2;
    return line;
}

static bool is_hex(char c)
{
    return c && strchr("0123456789abcdefABCDEF", c);
}

/* The size at the beginning of a line; what follows must be an extension with closed quotes. */
static uint64_t read_size(const char *line, size_t len, const struct h1_limits *limits)
{
    uint64_t size = 0;
    size_t i = 0;
    unsigned n_quotes = 0;

    for (; i < len && is_hex(line[i]); i++)
        size = size * 16 + (uint64_t)(line[i] <= '9' ? line[i] - '0' : (line[i] | 0x20) - 'a' + 10);
    FUZZ_CHECK(i > 0 && i <= 13);
    FUZZ_CHECK(len - i <= limits->chunk_ext_bytes + 1);
    while (i < len && (line[i] == ' ' || line[i] == '\t'))
        i++;
    FUZZ_CHECK(i == len ? is_hex(line[len - 1]) : line[i] == ';');
    for (; i < len; i++) {
        if (line[i] == '\\' && n_quotes % 2 == 1)
            i++;
        else if (line[i] == '"')
            n_quotes++;
    }
    FUZZ_CHECK(n_quotes % 2 == 0);
    return size;
}

static void check_trailers(const char **at, const char *end, const struct h1_limits *limits)
{
    size_t n_trailers = 0;
    size_t n_bytes = 0;
    size_t len;

    for (;; n_trailers++, n_bytes += len) {
        const char *line = next_line(at, end, &len);
        const char *colon = memchr(line, ':', len);

        if (len == 0)
            break;
        FUZZ_CHECK(colon && colon > line && len <= limits->field_bytes);
        for (const char *c = line; c < colon; c++)
            FUZZ_CHECK(*c > 0x20 && *c < 0x7f && !strchr("()<>@,;:\\\"/[]?={}", *c));
    }
    FUZZ_CHECK(n_trailers <= limits->n_trailers && n_bytes <= limits->trailer_bytes);
}

static void check_accepted(const char *buf, const struct outcome *outcome,
                           const struct h1_limits *limits)
{
    const char *at = buf;
    const char *end = buf + outcome->used;
    size_t n_data = 0;

    for (;;) {
        size_t len;
        const char *line = next_line(&at, end, &len);
        uint64_t size = read_size(line, len, limits);

        if (size == 0)
            break;
        FUZZ_CHECK(size + 2 <= (uint64_t)(end - at));
        FUZZ_CHECK(size <= outcome->n_data - n_data);
        FUZZ_CHECK(memcmp(outcome->data + n_data, at, size) == 0);
        n_data += size;
        at += size;
        FUZZ_CHECK(at[0] == '\r' && at[1] == '\n');
        at += 2;
    }
    FUZZ_CHECK(n_data == outcome->n_data);
    check_trailers(&at, end, limits);
    FUZZ_CHECK(at == end);
}

/* ---- the encoder ---- */

static void check_encoder(const char *buf, size_t len, const struct h1_limits *limits)
{
    char *out = malloc(len + (size_t)2 * H1_CHUNK_HEAD_MAX + 2);
    struct outcome outcome;
    size_t n = 0;
    ssize_t n_end;

    FUZZ_CHECK(out);
    if (len > 0) {
        n = h1_write_chunk_head(out, len);
        memcpy(out + n, buf, len);
        memcpy(out + n + len, "\r\n", 2);
        n += len + 2;
    }
    n_end = h1_write_chunk_end(out + n, H1_CHUNK_HEAD_MAX, SLICE(""));
    FUZZ_CHECK(n_end == 5);
    decode(out, n + 5, n + 5, limits, &outcome);
    FUZZ_CHECK(outcome.last == H1_END && outcome.n_data == len);
    FUZZ_CHECK(memcmp(outcome.data, buf, len) == 0);
    free(outcome.data);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct h1_limits limits = h1_limits_default;
    const char *buf = (const char *)data + 1;
    struct outcome whole;
    struct outcome pieces;

    if (len < 1)
        return 0;
    if (data[0] & 1) {
        limits.field_bytes = 16;
        limits.trailer_bytes = 24;
        limits.n_trailers = 8;
        limits.chunk_ext_bytes = 16;
        limits.chunk_overhead_bytes = 64;
    }
    decode(buf, len - 1, len, &limits, &whole);
    decode(buf, len - 1, (data[0] >> 1) + 1, &limits, &pieces);
    check_same(&whole, &pieces);
    if (whole.last == H1_END)
        check_accepted(buf, &whole, &limits);
    free(whole.data);
    free(pieces.data);
    check_encoder(buf, len - 1, &h1_limits_default);
    return 0;
}
