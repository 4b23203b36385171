/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first line of an HTTP/1 message: request line (RFC 9112 section 3) and status line (section
 * 4), one stage an element, each resumable at every byte.
 */
#include "wire/h1_reader.h"
#include "wire/h1_scan.h"

/* "HTTP/1." and what follows: the byte is 0 or 1. */
enum { VERSION_LEN = 8 };

static int read_empty_line(struct h1_reader *reader)
{
    if (reader->len == 0)
        return 0;
    if (reader->buf[0] == '\r')
        return h1_step(reader, 1, H1_STAGE_EMPTY_LINE_LF);
    return h1_step(reader, 0, H1_STAGE_METHOD);
}

static int read_empty_line_lf(struct h1_reader *reader)
{
    if (reader->len == 1)
        return 0;
    if (reader->buf[1] != '\n')
        return h1_fail(reader, 1, H1_ERR_LINE_END);
    reader->head->line_off = 2;
    return h1_step(reader, 2, H1_STAGE_METHOD);
}

static int read_method(struct h1_reader *reader)
{
    struct h1_head *head = reader->head;
    size_t max = (size_t)head->start + H1_METHOD_MAX;
    size_t end = reader->len < max ? reader->len : max;
    size_t pos = h1_scan_token(reader->buf, head->pos, end);

    if (pos == reader->len)
        return h1_wait(reader, pos);
    if (reader->buf[pos] != ' ' || pos == head->start) {
        bool is_long = pos == max && h1_is_class(reader->buf[pos], H1_CLASS_TOKEN);

        return h1_fail(reader, pos, is_long ? H1_ERR_METHOD_LONG : H1_ERR_METHOD);
    }
    head->method_text = h1_span_make(head->start, pos - head->start);
    head->method = (uint8_t)h1_method_id(h1_slice(reader->buf, head->method_text));
    return h1_step(reader, pos + 1, H1_STAGE_TARGET);
}

/* No target of this method begins with this byte. */
static bool is_wrong_first_byte(enum h1_method method, char c)
{
    char lower = (char)(c | 0x20);

    if (method == H1_METHOD_CONNECT)
        return !h1_is_class(c, H1_CLASS_HOST) && c != '[' && c != '%';
    if (c == '*')
        return method != H1_METHOD_OPTIONS;
    return c != '/' && lower != 'h';
}

static int read_target(struct h1_reader *reader)
{
    struct h1_head *head = reader->head;
    size_t max = (size_t)head->start + reader->limits->target_bytes;
    size_t end = reader->len < max ? reader->len : max;
    size_t pos = h1_scan_target(reader->buf, head->pos, end);
    enum h1_error error;

    if (pos > head->start && is_wrong_first_byte(head->method, reader->buf[head->start]))
        return h1_fail(reader, head->start, H1_ERR_TARGET_FORM);
    if (pos == reader->len)
        return h1_wait(reader, pos);
    if (reader->buf[pos] != ' ' || pos == head->start) {
        if (pos == max && h1_is_class(reader->buf[pos], H1_CLASS_TARGET))
            return h1_fail(reader, pos, H1_ERR_TARGET_LONG);
        return h1_fail(reader, pos, reader->buf[pos] == '\r' ? H1_ERR_VERSION : H1_ERR_TARGET);
    }
    head->target = h1_span_make(head->start, pos - head->start);
    error = h1_read_target(head, reader->buf);
    if (error)
        return h1_fail(reader, pos, error);
    return h1_step(reader, pos + 1, H1_STAGE_VERSION);
}

/* Why byte c is wrong as byte `index` of the version. */
static enum h1_error version_error(size_t index, char c)
{
    return index == 5 && c >= '2' && c <= '9' ? H1_ERR_VERSION_MAJOR : H1_ERR_VERSION;
}

/* The version, and behind it the CR of a request line or the space of a status line. */
static int read_version(struct h1_reader *reader)
{
    static const char wanted[] = "HTTP/1.";
    struct h1_head *head = reader->head;
    size_t pos = head->pos;
    char c;

    if (pos == head->start && reader->len - pos > VERSION_LEN &&
        h1_word_load(reader->buf + pos) == h1_word_load("HTTP/1.1"))
        pos += VERSION_LEN;
    for (; pos < reader->len && pos - head->start < VERSION_LEN; pos++) {
        size_t index = pos - head->start;

        c = reader->buf[pos];
        if (index < VERSION_LEN - 1 ? c != wanted[index] : c != '0' && c != '1')
            return h1_fail(reader, pos, version_error(index, c));
    }
    if (pos == reader->len)
        return h1_wait(reader, pos);
    head->minor = (uint8_t)(reader->buf[pos - 1] - '0');
    c = reader->buf[pos];
    if (head->is_response)
        return c == ' ' ? h1_step(reader, pos + 1, H1_STAGE_STATUS)
                        : h1_fail(reader, pos, H1_ERR_STATUS);
    if (c != '\r')
        return h1_fail(reader, pos, c == '\n' ? H1_ERR_LINE_END : H1_ERR_VERSION);
    return h1_step(reader, pos + 1, H1_STAGE_LINE_LF);
}

/* Three digits, and behind them the space before the reason or the end of the line. */
static int read_status(struct h1_reader *reader)
{
    struct h1_head *head = reader->head;
    size_t pos = head->pos;
    char c;

    for (; pos < reader->len && pos - head->start < 3; pos++) {
        c = reader->buf[pos];
        if (c < (pos == head->start ? '1' : '0') || c > '9')
            return h1_fail(reader, pos, H1_ERR_STATUS);
        head->status = (uint16_t)(head->status * 10 + (c - '0'));
        head->pos = (uint32_t)pos + 1;
    }
    if (pos == reader->len)
        return h1_wait(reader, pos);
    c = reader->buf[pos];
    if (c == ' ')
        return h1_step(reader, pos + 1, H1_STAGE_REASON);
    if (c != '\r')
        return h1_fail(reader, pos, c == '\n' ? H1_ERR_LINE_END : H1_ERR_STATUS);
    head->is_line_changed = true;
    return h1_step(reader, pos + 1, H1_STAGE_LINE_LF);
}

static int read_reason(struct h1_reader *reader)
{
    struct h1_head *head = reader->head;
    size_t pos = h1_scan_value(reader->buf, head->pos, reader->len);

    if (pos == reader->len)
        return h1_wait(reader, pos);
    if (reader->buf[pos] != '\r')
        return h1_fail(reader, pos, reader->buf[pos] == '\n' ? H1_ERR_LINE_END : H1_ERR_STATUS);
    head->reason = h1_span_make(head->start, pos - head->start);
    return h1_step(reader, pos + 1, H1_STAGE_LINE_LF);
}

static int read_line_lf(struct h1_reader *reader)
{
    struct h1_head *head = reader->head;

    if (head->pos == reader->len)
        return 0;
    if (reader->buf[head->pos] != '\n')
        return h1_fail(reader, head->pos, H1_ERR_LINE_END);
    head->fields_off = head->pos + 1;
    if (head->minor == 0)
        head->is_line_changed = true;
    return h1_step(reader, head->fields_off, H1_STAGE_FIELD);
}

static int read_stage(struct h1_reader *reader)
{
    switch (reader->head->stage) {
    case H1_STAGE_EMPTY_LINE:
        return read_empty_line(reader);
    case H1_STAGE_EMPTY_LINE_LF:
        return read_empty_line_lf(reader);
    case H1_STAGE_METHOD:
        return read_method(reader);
    case H1_STAGE_TARGET:
        return read_target(reader);
    case H1_STAGE_VERSION:
        return read_version(reader);
    case H1_STAGE_STATUS:
        return read_status(reader);
    case H1_STAGE_REASON:
        return read_reason(reader);
    default:
        return read_line_lf(reader);
    }
}

int h1_read_first_line(struct h1_reader *reader)
{
    int result = 1;

    while (result > 0 && reader->head->stage < H1_STAGE_FIELD)
        result = read_stage(reader);
    return result;
}
