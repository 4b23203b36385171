/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder of the chunked transfer coding (RFC 9112 section 7.1). A machine with one state a
 * byte class for sizes and extensions, which may come split anywhere; whole slices for data; whole
 * lines for trailers.
 *
 *      SIZE, EXT*, LF, DATA, DATA_CR, DATA_LF, SIZE ... SIZE of 0, EXT*, LF, TRAILER*, END
 */
#include "wire/h1_body.h"
#include "wire/h1_reader.h"
#include "wire/h1_scan.h"

enum state {
    STATE_SIZE,
    STATE_EXT_SPACE,      /* behind the size or a value, before ; */
    STATE_EXT_NAME_SPACE, /* behind ; */
    STATE_EXT_NAME,
    STATE_EXT_EQUAL_SPACE, /* behind a name, before = or ; */
    STATE_EXT_VALUE_SPACE, /* behind = */
    STATE_EXT_VALUE,       /* a token */
    STATE_EXT_QUOTED,
    STATE_EXT_ESCAPED,
    STATE_EXT_QUOTE_END, /* behind the closing quote */
    STATE_SIZE_LF,
    STATE_DATA,
    STATE_DATA_CR,
    STATE_DATA_LF,
    STATE_TRAILER,
    STATE_END,
};

static int fail(struct h1_piece *piece, enum h1_error error)
{
    piece->error = error;
    return -1;
}

/* The value of a hex digit, or -1. */
static int hex_value(char c)
{
    char lower = (char)(c | 0x20);

    if (c >= '0' && c <= '9')
        return c - '0';
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* What ends an element of the size line: CR, or the next extension. -1: neither. */
static int after_element(char c)
{
    if (c == '\r')
        return STATE_SIZE_LF;
    if (c == ';')
        return STATE_EXT_NAME_SPACE;
    return c == ' ' || c == '\t' ? STATE_EXT_SPACE : -1;
}

/* One byte of a size: the next state, or -1. */
static int size_byte(struct h1_chunked *chunked, char c, struct h1_piece *piece)
{
    int value = hex_value(c);
    int next;

    if (value >= 0) {
        if (chunked->n_digits == H1_CHUNK_DIGITS_MAX)
            return fail(piece, H1_ERR_CHUNK_SIZE);
        chunked->n_digits++;
        chunked->remaining = chunked->remaining << 4 | (unsigned)value;
        return STATE_SIZE;
    }
    next = chunked->n_digits ? after_element(c) : -1;
    if (next < 0)
        return fail(piece, c == '\n' ? H1_ERR_CHUNK_END : H1_ERR_CHUNK_SIZE);
    return next;
}

/* One byte where space, ; or the end of the line may stand, and = behind a name. */
static int ext_end_byte(char c, bool is_name)
{
    int next = after_element(c);

    if (is_name && c == '=')
        return STATE_EXT_VALUE_SPACE;
    /* Space is no end: only ; (and =) may follow it. */
    return is_name && next == STATE_EXT_SPACE ? STATE_EXT_EQUAL_SPACE : next;
}

/* Behind space that is not the end of the line, so CR is wrong here. */
static int ext_space_byte(char c, bool is_name)
{
    return c == '\r' ? -1 : ext_end_byte(c, is_name);
}

static int ext_value_begin(char c)
{
    if (c == ' ' || c == '\t')
        return STATE_EXT_VALUE_SPACE;
    if (c == '"')
        return STATE_EXT_QUOTED;
    return h1_is_class(c, H1_CLASS_TOKEN) ? STATE_EXT_VALUE : -1;
}

static int ext_quoted_byte(char c)
{
    if (c == '"')
        return STATE_EXT_QUOTE_END;
    if (c == '\\')
        return STATE_EXT_ESCAPED;
    return h1_is_class(c, H1_CLASS_VALUE) ? STATE_EXT_QUOTED : -1;
}

/* One byte of an extension: the next state, or -1. */
static int ext_byte(enum state state, char c)
{
    bool is_token = h1_is_class(c, H1_CLASS_TOKEN);

    switch ((unsigned)state) {
    case STATE_EXT_SPACE:
        return ext_space_byte(c, false);
    case STATE_EXT_NAME_SPACE:
        return c == ' ' || c == '\t' ? STATE_EXT_NAME_SPACE : is_token ? STATE_EXT_NAME : -1;
    case STATE_EXT_NAME:
        return is_token ? STATE_EXT_NAME : ext_end_byte(c, true);
    case STATE_EXT_EQUAL_SPACE:
        return ext_space_byte(c, true);
    case STATE_EXT_VALUE_SPACE:
        return ext_value_begin(c);
    case STATE_EXT_VALUE:
        return is_token ? STATE_EXT_VALUE : ext_end_byte(c, false);
    case STATE_EXT_QUOTED:
        return ext_quoted_byte(c);
    case STATE_EXT_ESCAPED:
        return h1_is_class(c, H1_CLASS_VALUE) ? STATE_EXT_QUOTED : -1;
    default:
        return ext_end_byte(c, false);
    }
}

static int count_ext_byte(struct h1_chunked *chunked, char c, const struct h1_limits *limits,
                          struct h1_piece *piece)
{
    int next = ext_byte(chunked->state, c);

    if (next < 0)
        return fail(piece, c == '\n' ? H1_ERR_CHUNK_END : H1_ERR_CHUNK_EXT);
    if (next != STATE_SIZE_LF && ++chunked->n_ext > limits->chunk_ext_bytes)
        return fail(piece, H1_ERR_CHUNK_EXT_LONG);
    return next;
}

/* The size line is complete. */
static int begin_chunk(struct h1_chunked *chunked)
{
    bool is_last = chunked->remaining == 0;

    chunked->n_digits = 0;
    chunked->n_ext = 0;
    return is_last ? STATE_TRAILER : STATE_DATA;
}

/* One byte of framing: the next state, or -1. */
static int framing_byte(struct h1_chunked *chunked, char c, const struct h1_limits *limits,
                        struct h1_piece *piece)
{
    switch (chunked->state) {
    case STATE_SIZE:
        return size_byte(chunked, c, piece);
    case STATE_SIZE_LF:
        return c == '\n' ? begin_chunk(chunked) : fail(piece, H1_ERR_CHUNK_END);
    case STATE_DATA_CR:
        return c == '\r' ? STATE_DATA_LF : fail(piece, H1_ERR_CHUNK_END);
    case STATE_DATA_LF:
        return c == '\n' ? STATE_SIZE : fail(piece, H1_ERR_CHUNK_END);
    default:
        return count_ext_byte(chunked, c, limits, piece);
    }
}

/* More framing than the limit, and more than four times the data: an attack, not an application. */
static bool is_overhead(const struct h1_chunked *chunked, const struct h1_limits *limits)
{
    return chunked->n_overhead > limits->chunk_overhead_bytes &&
           chunked->n_overhead / 4 > chunked->n_data;
}

/* Reads framing from *pos on until there is data, a trailer section, or no byte left. */
static int read_framing(struct h1_chunked *chunked, struct slice in, size_t *pos,
                        const struct h1_limits *limits, struct h1_piece *piece)
{
    while (*pos < in.len && chunked->state != STATE_DATA && chunked->state < STATE_TRAILER) {
        int next = framing_byte(chunked, in.ptr[*pos], limits, piece);

        if (next < 0)
            return next;
        chunked->state = (uint8_t)next;
        chunked->n_overhead++;
        (*pos)++;
        if (is_overhead(chunked, limits))
            return fail(piece, H1_ERR_CHUNK_OVERHEAD);
    }
    return 0;
}

void h1_chunked_skip(struct h1_chunked *chunked, uint64_t n)
{
    assert(chunked->state == STATE_DATA && n <= chunked->remaining);
    chunked->remaining -= n;
    chunked->n_data += n;
    if (chunked->remaining == 0)
        chunked->state = STATE_DATA_CR;
}

uint64_t h1_chunked_direct(const struct h1_chunked *chunked)
{
    return chunked->state == STATE_DATA ? chunked->remaining : 0;
}

bool h1_chunked_is_end(const struct h1_chunked *chunked)
{
    return chunked->state == STATE_END;
}

static enum h1_event take_data(struct h1_chunked *chunked, struct slice rest, size_t *pos,
                               struct h1_piece *piece)
{
    size_t n = rest.len < chunked->remaining ? rest.len : (size_t)chunked->remaining;

    if (n == 0)
        return H1_MORE;
    piece->data = slice_make(rest.ptr, n);
    *pos += n;
    h1_chunked_skip(chunked, n);
    return H1_DATA;
}

/* The empty line at the end of the trailers: its length, 0 where more is needed, or -1. */
static int read_last_line(struct slice rest, struct h1_piece *piece)
{
    if (rest.len < 2)
        return 0;
    return rest.ptr[1] == '\n' ? 2 : fail(piece, H1_ERR_LINE_END);
}

/* Which mistake is byte c where the colon behind a name was due? */
static enum h1_error name_error(char c, bool is_empty)
{
    if (c == ' ' || c == '\t')
        return is_empty ? H1_ERR_FIELD_FOLD : H1_ERR_FIELD_SPACE;
    return c == '\n' ? H1_ERR_LINE_END : H1_ERR_FIELD_NAME;
}

/*
 * Name, colon and value of the line at rest, which may have up to `max` bytes before its CRLF: its
 * length with CRLF, 0 where more is needed, or -1.
 */
static int read_trailer_line(struct slice rest, size_t max, enum h1_error too_long,
                             struct h1_piece *piece)
{
    size_t len = rest.len < max ? rest.len : max;
    size_t colon = h1_scan_token(rest.ptr, 0, len);
    size_t begin;
    size_t end;

    if (colon == len)
        return len < rest.len ? fail(piece, too_long) : 0;
    if (rest.ptr[colon] != ':' || colon == 0)
        return fail(piece, name_error(rest.ptr[colon], colon == 0));
    begin = h1_scan_space(rest.ptr, colon + 1, len);
    end = h1_scan_value(rest.ptr, begin, len);
    if (end == rest.len)
        return 0;
    if (rest.ptr[end] != '\r') {
        if (end == len)
            return fail(piece, too_long);
        return fail(piece, rest.ptr[end] == '\n' ? H1_ERR_LINE_END : H1_ERR_FIELD_VALUE);
    }
    if (end + 1 == rest.len)
        return 0;
    if (rest.ptr[end + 1] != '\n')
        return fail(piece, H1_ERR_LINE_END);
    piece->name = slice_make(rest.ptr, colon);
    piece->value = slice_trim(slice_make(rest.ptr + begin, end - begin));
    piece->id = h1_field_id(piece->name);
    return (int)end + 2;
}

/* One line of the trailers. */
static enum h1_event take_trailer(struct h1_chunked *chunked, struct slice rest, size_t *pos,
                                  const struct h1_limits *limits, struct h1_piece *piece)
{
    size_t left = limits->trailer_bytes - chunked->n_trailer_bytes;
    int n;

    if (chunked->n_trailers == limits->n_trailers)
        n = fail(piece, H1_ERR_TRAILERS_MANY);
    else if (left < limits->field_bytes)
        n = read_trailer_line(rest, left, H1_ERR_TRAILERS_LONG, piece);
    else
        n = read_trailer_line(rest, limits->field_bytes, H1_ERR_FIELD_LONG, piece);
    if (n <= 0)
        return n < 0 ? H1_ERROR : H1_MORE;
    /* Line ends do not count. */
    chunked->n_trailers++;
    chunked->n_trailer_bytes += (uint32_t)n - 2;
    *pos += (size_t)n;
    return H1_TRAILER;
}

static enum h1_event take_trailer_or_end(struct h1_chunked *chunked, struct slice rest, size_t *pos,
                                         const struct h1_limits *limits, struct h1_piece *piece)
{
    int n;

    if (rest.len == 0)
        return H1_MORE;
    if (rest.ptr[0] != '\r')
        return take_trailer(chunked, rest, pos, limits, piece);
    n = read_last_line(rest, piece);
    if (n <= 0)
        return n < 0 ? H1_ERROR : H1_MORE;
    chunked->state = STATE_END;
    *pos += (size_t)n;
    return H1_END;
}

/* Trailers until one may be handed on; those that may not be there are passed over. */
static enum h1_event read_trailers(struct h1_chunked *chunked, struct slice in, size_t *pos,
                                   const struct h1_limits *limits, struct h1_piece *piece)
{
    enum h1_event event;

    do
        event = take_trailer_or_end(chunked, slice_skip(in, *pos), pos, limits, piece);
    while (event == H1_TRAILER && h1_field_is_forbidden_trailer(piece->id));
    return event;
}

enum h1_event h1_chunked_next(struct h1_chunked *chunked, struct slice in, size_t *ret_used,
                              const struct h1_limits *limits, struct h1_piece *ret_piece)
{
    size_t pos = 0;
    int result = read_framing(chunked, in, &pos, limits, ret_piece);
    enum h1_event event = H1_MORE;

    if (result < 0)
        event = H1_ERROR;
    else if (chunked->state == STATE_DATA)
        event = take_data(chunked, slice_skip(in, pos), &pos, ret_piece);
    else if (chunked->state == STATE_TRAILER)
        event = read_trailers(chunked, in, &pos, limits, ret_piece);
    else if (chunked->state == STATE_END)
        event = H1_END;
    *ret_used = pos;
    return event;
}
