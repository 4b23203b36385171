/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of HTTP/1 messages (RFC 9112 section 6.3), whatever their framing, as one stream of
 * events.
 */
#include "wire/h1_body.h"

void h1_body_init_kind(struct h1_body *body, enum h1_body_kind kind, uint64_t length,
                       const struct h1_limits *limits)
{
    memset(body, 0, sizeof(*body));
    body->limits = limits;
    body->kind = (uint8_t)kind;
    body->remaining = kind == H1_BODY_LENGTH ? length : 0;
}

void h1_body_init(struct h1_body *body, const struct h1_head *head, const struct h1_limits *limits)
{
    assert(head->head_len > 0);
    h1_body_init_kind(body, head->body, head->length, limits);
}

static enum h1_event take(struct h1_body *body, struct slice in, uint64_t max, size_t *ret_used,
                          struct h1_piece *ret_piece)
{
    size_t n = in.len < max ? in.len : (size_t)max;

    *ret_used = n;
    if (n == 0)
        return max == 0 ? H1_END : H1_MORE;
    ret_piece->data = slice_make(in.ptr, n);
    h1_body_skip(body, n);
    return H1_DATA;
}

enum h1_event h1_body_next(struct h1_body *body, const char *buf, size_t len, size_t *ret_used,
                           struct h1_piece *ret_piece)
{
    struct slice in = slice_make(buf, len);

    if (body->kind == H1_BODY_CHUNKED)
        return h1_chunked_next(&body->chunked, in, ret_used, body->limits, ret_piece);
    return take(body, in, h1_body_direct(body), ret_used, ret_piece);
}

enum h1_error h1_body_close(const struct h1_body *body)
{
    if (body->kind == H1_BODY_CHUNKED)
        return h1_chunked_is_end(&body->chunked) ? H1_OK : H1_ERR_BODY_SHORT;
    return body->remaining == 0 ? H1_OK : H1_ERR_BODY_SHORT;
}

uint64_t h1_body_direct(const struct h1_body *body)
{
    switch (body->kind) {
    case H1_BODY_CHUNKED:
        return h1_chunked_direct(&body->chunked);
    case H1_BODY_UNTIL_CLOSE:
    case H1_BODY_TUNNEL:
        return UINT64_MAX;
    default:
        return body->remaining;
    }
}

void h1_body_skip(struct h1_body *body, uint64_t n)
{
    assert(n <= h1_body_direct(body));
    if (body->kind == H1_BODY_CHUNKED)
        h1_chunked_skip(&body->chunked, n);
    else if (body->kind == H1_BODY_LENGTH)
        body->remaining -= n;
}
