/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The field lines of an HTTP/1 head (RFC 9112 section 5), up to the empty line.
 *
 * Lines that are plain and all there are read in one go, which is what nearly all are. Anything
 * else goes stage by stage, one an element; the tests hold one way against the other. A field of a
 * request is acted on when its line is complete. A field of a response may go on in the next line,
 * so it is acted on when the first byte of that is known.
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

/* The line before goes on: RFC 9112 section 5.2. */
static int read_fold(struct h1_reader *reader, size_t pos)
{
    struct h1_head *head = reader->head;
    struct h1_field *field = last_field(head);

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

/* The first byte behind a field of a response says whether the field is complete. */
static int read_next(struct h1_reader *reader)
{
    size_t pos = reader->head->pos;
    char c;

    if (pos == reader->len)
        return 0;
    c = reader->buf[pos];
    if (c == ' ' || c == '\t')
        return read_fold(reader, pos);
    h1_step(reader, pos, H1_STAGE_FIELD);
    return accept_field(reader, pos);
}

static enum h1_error line_error(const struct h1_reader *reader, char c)
{
    if (c == ' ' || c == '\t')
        return H1_ERR_FIELD_FOLD;
    if (c == '\n')
        return H1_ERR_LINE_END;
    if (!h1_is_class(c, H1_CLASS_TOKEN))
        return H1_ERR_FIELD_NAME;
    return reader->head->n_fields == reader->limits->n_fields ? H1_ERR_FIELDS_MANY : H1_OK;
}

/* The first byte of a line: a field, or the empty line. */
static int read_line_start(struct h1_reader *reader)
{
    struct h1_head *head = reader->head;
    size_t pos = head->pos;
    enum h1_error error;

    if (pos == reader->len)
        return 0;
    if (reader->buf[pos] == '\r') {
        head->fields_end = (uint32_t)pos;
        return h1_step(reader, pos + 1, H1_STAGE_END_LF);
    }
    error = line_error(reader, reader->buf[pos]);
    if (error)
        return h1_fail(reader, pos, error);
    head->fields[head->n_fields++] = (struct h1_field){.name_off = (uint32_t)pos};
    return h1_step(reader, pos, H1_STAGE_NAME);
}

static int read_name(struct h1_reader *reader)
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

static int read_space(struct h1_reader *reader)
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

static int read_value(struct h1_reader *reader)
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

static int read_value_lf(struct h1_reader *reader)
{
    struct h1_head *head = reader->head;
    size_t pos = head->pos;

    if (pos == reader->len)
        return 0;
    if (reader->buf[pos] != '\n')
        return h1_fail(reader, pos, H1_ERR_LINE_END);
    if (head->is_response)
        return h1_step(reader, pos + 1, H1_STAGE_NEXT);
    h1_step(reader, pos + 1, H1_STAGE_FIELD);
    return accept_field(reader, pos + 1);
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
 * Reads a line that is plain and all there in one go: false where it is not, and nothing has
 * changed. The stages say what is wrong with it, or wait for the rest.
 */
static bool read_plain_field(struct h1_reader *reader, struct h1_field *field, size_t *ret_next)
{
    const char *buf = reader->buf;
    size_t begin = reader->head->pos;
    size_t end = field_end(reader, (uint32_t)begin);
    size_t colon = h1_scan_token(buf, begin, end);
    size_t value;
    size_t stop;

    if (colon == begin || colon == end || buf[colon] != ':')
        return false;
    value = h1_scan_space(buf, colon + 1, end);
    stop = h1_scan_value(buf, value, end);
    /* One more byte than the line: it may be the space of a fold. */
    if (reader->len - stop < 3 || buf[stop] != '\r' || buf[stop + 1] != '\n')
        return false;
    if (buf[stop + 2] == ' ' || buf[stop + 2] == '\t')
        return false;
    *ret_next = stop + 2;
    while (stop > value && is_space(buf[stop - 1]))
        stop--;
    field->name_off = (uint32_t)begin;
    field->name_len = (uint16_t)(colon - begin);
    field->value_off = (uint32_t)value;
    field->value_len = (uint16_t)(stop - value);
    field->id = (uint8_t)h1_field_id(slice_make(buf + begin, colon - begin));
    field->flags = 0;
    return true;
}

/* As many plain lines as there are: 1, or -1 where one of them says something wrong. */
static int read_plain_lines(struct h1_reader *reader)
{
    struct h1_head *head = reader->head;
    size_t next;

    while (head->n_fields < reader->limits->n_fields &&
           read_plain_field(reader, &head->fields[head->n_fields], &next)) {
        head->n_fields++;
        h1_step(reader, next, H1_STAGE_FIELD);
        if (accept_field(reader, next) < 0)
            return -1;
    }
    return 1;
}

static int read_stage(struct h1_reader *reader)
{
    switch (reader->head->stage) {
    case H1_STAGE_FIELD:
        return read_line_start(reader);
    case H1_STAGE_NAME:
        return read_name(reader);
    case H1_STAGE_COLON:
        return read_colon(reader);
    case H1_STAGE_SPACE:
        return read_space(reader);
    case H1_STAGE_VALUE:
        return read_value(reader);
    case H1_STAGE_VALUE_LF:
        return read_value_lf(reader);
    case H1_STAGE_NEXT:
        return read_next(reader);
    default:
        return read_end_lf(reader);
    }
}

int h1_read_fields(struct h1_reader *reader)
{
    int result = 1;

    while (result > 0 && reader->head->stage != H1_STAGE_DONE) {
        if (reader->head->stage == H1_STAGE_FIELD)
            result = read_plain_lines(reader);
        if (result > 0)
            result = read_stage(reader);
    }
    return result;
}
