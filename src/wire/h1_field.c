/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The field lines of an HTTP/1 head (RFC 9112 section 5), one stage an element, up to the empty line.
 *
 * A field of a request is acted on when its line is complete. A field of a response may go on in the
 * next line, so it is acted on when the first byte of that is known.
 */
#include "wire/h1_reader.h"
#include "wire/h1_scan.h"

static struct h1_field *last_field(struct h1_head *head)
{
    return &head->fields[head->n_fields - 1];
}

/* Where the field that begins at off must have ended, or reader->len. */
static size_t field_end(const struct h1_reader *reader, uint32_t off)
{
    size_t max = (size_t)off + reader->limits->field_bytes;

    return reader->len < max ? reader->len : max;
}

/* The field is complete: counts it among those that are there and reads what it says. */
static int accept_field(struct h1_reader *reader, size_t pos)
{
    struct h1_head *head = reader->head;
    const struct h1_field *field = last_field(head);
    enum h1_error error = H1_OK;

    head->flags |= field->flags;
    if (field->id != H1_FIELD_OTHER)
        error = h1_read_fact(reader, field);
    head->present |= H1_SET(field->id);
    return error ? h1_fail(reader, pos, error) : 1;
}

/* A line that begins with space. In a response it goes on with the value of the line before. */
static int read_fold(struct h1_reader *reader, size_t pos)
{
    struct h1_head *head = reader->head;
    struct h1_field *field;

    if (!head->is_response || head->n_fields == 0)
        return h1_fail(reader, pos, H1_ERR_FIELD_FOLD);
    field = last_field(head);
    if (pos >= (size_t)field->name_off + reader->limits->field_bytes)
        return h1_fail(reader, pos, H1_ERR_FIELD_LONG);
    field->flags |= H1_FLAG_FOLDED;
    if (field->value_len == 0)
        return h1_step(reader, pos, H1_STAGE_SPACE);
    head->pos = (uint32_t)pos;
    head->start = field->value_off;
    head->stage = H1_STAGE_VALUE;
    return 1;
}

static int begin_field(struct h1_reader *reader, size_t pos)
{
    struct h1_head *head = reader->head;
    struct h1_field *field;

    if (!h1_is_class(reader->buf[pos], H1_CLASS_TOKEN))
        return h1_fail(reader, pos, reader->buf[pos] == '\n' ? H1_ERR_LINE_END : H1_ERR_FIELD_NAME);
    if (head->n_fields == reader->limits->n_fields)
        return h1_fail(reader, pos, H1_ERR_FIELDS_MANY);
    field = &head->fields[head->n_fields++];
    field->name_off = (uint32_t)pos;
    field->flags = 0;
    return h1_step(reader, pos, H1_STAGE_NAME);
}

/* The first byte of a line. */
static inline int read_line_start(struct h1_reader *reader)
{
    struct h1_head *head = reader->head;
    size_t pos = head->pos;
    char c;

    if (pos == reader->len)
        return 0;
    c = reader->buf[pos];
    if (c == ' ' || c == '\t')
        return read_fold(reader, pos);
    if (head->is_response && head->n_fields > 0 && accept_field(reader, pos) < 0)
        return -1;
    if (c == '\r') {
        head->fields_end = (uint32_t)pos;
        return h1_step(reader, pos + 1, H1_STAGE_END_LF);
    }
    return begin_field(reader, pos);
}

static inline int read_name(struct h1_reader *reader)
{
    struct h1_head *head = reader->head;
    struct h1_field *field = last_field(head);
    size_t end = field_end(reader, field->name_off);
    size_t pos = h1_scan_token(reader->buf, head->pos, end);

    if (pos == reader->len)
        return h1_wait(reader, pos);
    if (pos == end)
        return h1_fail(reader, pos, H1_ERR_FIELD_LONG);
    field->name_len = (uint16_t)(pos - head->start);
    field->id = (uint8_t)h1_field_id(h1_field_name(reader->buf, field));
    if (reader->buf[pos] == ':')
        return h1_step(reader, pos + 1, H1_STAGE_SPACE);
    return h1_step(reader, pos, H1_STAGE_COLON);
}

/* There is something between name and colon: an error but for space in a response. */
static int read_colon(struct h1_reader *reader)
{
    struct h1_head *head = reader->head;
    struct h1_field *field = last_field(head);
    size_t end = field_end(reader, field->name_off);
    size_t pos = head->is_response ? h1_scan_space(reader->buf, head->pos, end) : head->pos;
    char c;

    if (pos == reader->len)
        return h1_wait(reader, pos);
    if (pos == end)
        return h1_fail(reader, pos, H1_ERR_FIELD_LONG);
    c = reader->buf[pos];
    if (c == ':') {
        field->flags |= H1_FLAG_SPACED;
        return h1_step(reader, pos + 1, H1_STAGE_SPACE);
    }
    return h1_fail(reader, pos, c == ' ' || c == '\t' ? H1_ERR_FIELD_SPACE : H1_ERR_FIELD_NAME);
}

static inline int read_space(struct h1_reader *reader)
{
    struct h1_head *head = reader->head;
    struct h1_field *field = last_field(head);
    size_t end = field_end(reader, field->name_off);
    size_t pos = h1_scan_space(reader->buf, head->pos, end);

    if (pos == reader->len)
        return h1_wait(reader, pos);
    field->value_off = (uint32_t)pos;
    return h1_step(reader, pos, H1_STAGE_VALUE);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static inline int read_value(struct h1_reader *reader)
{
    struct h1_head *head = reader->head;
    struct h1_field *field = last_field(head);
    size_t end = field_end(reader, field->name_off);
    size_t pos = h1_scan_value(reader->buf, head->pos, end);
    size_t value_end = pos;

    if (pos == reader->len)
        return h1_wait(reader, pos);
    if (reader->buf[pos] != '\r') {
        if (pos == end)
            return h1_fail(reader, pos, H1_ERR_FIELD_LONG);
        return h1_fail(reader, pos,
                       reader->buf[pos] == '\n' ? H1_ERR_LINE_END : H1_ERR_FIELD_VALUE);
    }
    while (value_end > field->value_off && is_space(reader->buf[value_end - 1]))
        value_end--;
    field->value_len = (uint16_t)(value_end - field->value_off);
    return h1_step(reader, pos + 1, H1_STAGE_VALUE_LF);
}

static inline int read_value_lf(struct h1_reader *reader)
{
    struct h1_head *head = reader->head;
    size_t pos = head->pos;

    if (pos == reader->len)
        return 0;
    if (reader->buf[pos] != '\n')
        return h1_fail(reader, pos, H1_ERR_LINE_END);
    h1_step(reader, pos + 1, H1_STAGE_FIELD);
    return head->is_response ? 1 : accept_field(reader, pos + 1);
}

/* The LF of the empty line: the head is complete. */
static int read_end_lf(struct h1_reader *reader)
{
    struct h1_head *head = reader->head;
    size_t pos = head->pos;
    enum h1_error error;

    if (pos == reader->len)
        return 0;
    if (reader->buf[pos] != '\n')
        return h1_fail(reader, pos, H1_ERR_LINE_END);
    error = head->is_response ? h1_conclude_response(reader) : h1_conclude_request(reader);
    if (error)
        return h1_fail(reader, pos + 1, error);
    head->head_len = (uint32_t)pos + 1;
    return h1_step(reader, pos + 1, H1_STAGE_DONE);
}

/*
 * The stages follow each other in this order but for a few, so each falls into the next; the switch
 * is for the first stage of a call.
 */
static int read_line(struct h1_reader *reader)
{
    int result;

    switch (reader->head->stage) {
    case H1_STAGE_FIELD:
        result = read_line_start(reader);
        break;
    case H1_STAGE_NAME:
        result = read_name(reader);
        break;
    case H1_STAGE_COLON:
        result = read_colon(reader);
        break;
    case H1_STAGE_SPACE:
        result = read_space(reader);
        break;
    case H1_STAGE_VALUE:
        result = read_value(reader);
        break;
    case H1_STAGE_VALUE_LF:
        result = read_value_lf(reader);
        break;
    default:
        result = read_end_lf(reader);
        break;
    }
    return result;
}

int h1_read_fields(struct h1_reader *reader)
{
    int result = 1;

    while (result > 0 && reader->head->stage != H1_STAGE_DONE)
        result = read_line(reader);
    return result;
}
