/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading HTTP/1 heads: the entry points, which drive the stages of h1_line.c and h1_field.c and
 * keep the limit of the head, and the look-ups in a head that was read.
 */
#include "wire/h1_reader.h"

const struct h1_limits h1_limits_default = {
    .head_bytes = 32 * 1024,
    .field_bytes = 8 * 1024,
    .target_bytes = 8 * 1024,
    .n_fields = 100,
    .trailer_bytes = 32 * 1024,
    .n_trailers = 100,
    .chunk_ext_bytes = 1024,
    .chunk_overhead_bytes = 100 * 1024,
};

void h1_head_reset(struct h1_head *head)
{
    memset(head, 0, offsetof(struct h1_head, fields));
}

static int read_head(struct h1_reader *reader)
{
    int result = h1_read_first_line(reader);

    return result > 0 ? h1_read_fields(reader) : result;
}

/* Reads on from where the head stands; see h1.h for the result. */
static ssize_t parse_head(struct h1_reader *reader, size_t len, enum h1_error *ret_error)
{
    const struct h1_limits *limits = reader->limits;
    int result;

    assert(limits->n_fields <= H1_FIELDS_MAX && limits->field_bytes <= H1_FIELD_BYTES_MAX);
    assert(reader->head->stage != H1_STAGE_DONE && reader->head->pos <= len);
    reader->len = len < limits->head_bytes ? (uint32_t)len : limits->head_bytes;
    result = read_head(reader);
    if (result == 0 && reader->len == limits->head_bytes)
        result = h1_fail(reader, reader->len, H1_ERR_HEAD_LONG);
    if (result < 0)
        *ret_error = reader->error;
    return result > 0 ? (ssize_t)reader->head->head_len : result;
}

ssize_t h1_parse_request(const char *buf, size_t len, const struct h1_limits *limits,
                         struct h1_head *head, enum h1_error *ret_error)
{
    struct h1_reader reader = {.buf = buf, .limits = limits, .head = head};

    return parse_head(&reader, len, ret_error);
}

ssize_t h1_parse_response(const char *buf, size_t len, const struct h1_limits *limits,
                          struct h1_asked asked, struct h1_head *head, enum h1_error *ret_error)
{
    struct h1_reader reader = {.buf = buf, .limits = limits, .head = head, .asked = asked};

    if (!head->is_response) {
        assert(head->pos == 0);
        head->is_response = true;
        head->method = (uint8_t)asked.method;
        head->stage = H1_STAGE_VERSION;
    }
    return parse_head(&reader, len, ret_error);
}

enum h1_error h1_check_request(const struct h1_head *head)
{
    if (head->method == H1_METHOD_CONNECT || head->method == H1_METHOD_TRACE)
        return H1_ERR_METHOD_REFUSED;
    return head->expect == H1_EXPECT_OTHER ? H1_ERR_EXPECTATION : H1_OK;
}

const struct h1_field *h1_find(const struct h1_head *head, enum h1_field_id id)
{
    assert(id != H1_FIELD_OTHER);
    if (!h1_has(head, id))
        return NULL;
    for (unsigned i = 0; i < head->n_fields; i++)
        if (head->fields[i].id == id)
            return &head->fields[i];
    return NULL;
}

const struct h1_field *h1_find_name(const struct h1_head *head, const char *buf, struct slice name)
{
    for (unsigned i = 0; i < head->n_fields; i++)
        if (slice_equal_nocase(h1_field_name(buf, &head->fields[i]), name))
            return &head->fields[i];
    return NULL;
}
