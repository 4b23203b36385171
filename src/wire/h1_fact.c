/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fields of an HTTP/1 head say to a proxy: the host, the framing of the body, and what is
 * to become of the connection. Each is checked as soon as its field is complete; what only the
 * whole head can tell comes at its end.
 */
#include "wire/h1_reader.h"
#include "wire/h1_scan.h"

/* ---- host ---- */

static uint16_t port_or_default(const struct h1_head *head, uint16_t port)
{
    if (port || head->form != H1_FORM_ABSOLUTE)
        return port;
    return head->is_https_target ? 443 : 80;
}

/* RFC 9112 section 3.2: one Host, valid, and the same as in the target. */
static enum h1_error read_host(struct h1_head *head, const char *buf, const struct h1_field *field)
{
    struct slice value = h1_field_value(buf, field);
    uint32_t host_len;
    uint16_t port;

    if (h1_has(head, H1_FIELD_HOST))
        return H1_ERR_HOST_REPEATED;
    if (h1_parse_authority(value, &host_len, &port))
        return H1_ERR_HOST_INVALID;
    if (head->form == H1_FORM_ABSOLUTE || head->form == H1_FORM_AUTHORITY) {
        bool is_same =
            slice_equal_nocase(slice_make(value.ptr, host_len), h1_slice(buf, head->host)) &&
            port_or_default(head, port) == port_or_default(head, head->port);

        return is_same ? H1_OK : H1_ERR_HOST_DIFFERS;
    }
    head->authority = h1_span_make(field->value_off, field->value_len);
    head->host = h1_span_make(field->value_off, host_len);
    head->port = port;
    return H1_OK;
}

/* ---- framing ---- */

/* RFC 9110 section 8.6. */
static enum h1_error read_length(struct h1_head *head, struct slice value)
{
    uint64_t length;

    if (h1_has(head, H1_FIELD_CONTENT_LENGTH))
        return H1_ERR_LENGTH_REPEATED;
    if (slice_to_u64(value, &length) || length > INT64_MAX)
        return H1_ERR_LENGTH_INVALID;
    if (h1_has(head, H1_FIELD_TRANSFER_ENCODING))
        return H1_ERR_CODING_LENGTH;
    head->length = length;
    return H1_OK;
}

/* The registered codings but chunked: RFC 9112 section 7. */
static bool is_compression(struct slice token)
{
    return H1_TOKEN_IS(token, "gzip") || H1_TOKEN_IS(token, "x-gzip") ||
           H1_TOKEN_IS(token, "deflate") || H1_TOKEN_IS(token, "compress") ||
           H1_TOKEN_IS(token, "x-compress");
}

/* Splits member into its token and what follows it. */
static struct slice member_token(struct slice member, struct slice *ret_rest)
{
    size_t len = h1_scan_token(member.ptr, 0, member.len);

    *ret_rest = slice_trim(slice_skip(member, len));
    return slice_make(member.ptr, len);
}

/* Anything but one `chunked`: which of the mistakes is it? */
static enum h1_error read_coding_list(struct slice value)
{
    struct slice member;
    bool is_chunked = false;
    bool is_last_compression = false;

    while (h1_list_next(&value, &member)) {
        struct slice rest;
        struct slice token = member_token(member, &rest);

        if (token.len == 0 || (rest.len > 0 && rest.ptr[0] != ';') || is_chunked)
            return H1_ERR_CODING_INVALID;
        is_chunked = H1_TOKEN_IS(token, "chunked");
        if (is_chunked && rest.len > 0)
            return H1_ERR_CODING_INVALID;
        is_last_compression = is_compression(token);
    }
    return is_last_compression ? H1_ERR_CODING_INVALID : H1_ERR_CODING_UNKNOWN;
}

/* RFC 9112 sections 6.1 and 6.3. */
static enum h1_error read_coding(struct h1_head *head, struct slice value)
{
    if (h1_has(head, H1_FIELD_TRANSFER_ENCODING))
        return H1_ERR_CODING_REPEATED;
    if (head->minor == 0)
        return H1_ERR_CODING_VERSION;
    if (h1_has(head, H1_FIELD_CONTENT_LENGTH))
        return H1_ERR_CODING_LENGTH;
    if (!H1_TOKEN_IS(value, "chunked"))
        return read_coding_list(value);
    head->is_chunked_coding = true;
    return H1_OK;
}

/* ---- connection ---- */

enum {
    OPTION_CLOSE = 1,
    OPTION_KEEP_ALIVE = 2,
};

/* RFC 9110 section 7.6.1; what is no token names nothing. */
static enum h1_error read_connection(struct h1_head *head, struct slice value)
{
    struct slice option;

    while (h1_list_next(&value, &option)) {
        if (option.len == 0)
            continue;
        if (++head->n_options > H1_CONNECTION_MAX)
            return H1_ERR_CONNECTION_LONG;
        if (H1_TOKEN_IS(option, "close"))
            head->connection |= OPTION_CLOSE;
        else if (H1_TOKEN_IS(option, "keep-alive"))
            head->connection |= OPTION_KEEP_ALIVE;
        else if (H1_TOKEN_IS(option, "upgrade"))
            head->is_upgrade_option = true;
        else if (!H1_TOKEN_IS(option, "te"))
            head->is_connection_foreign = true;
    }
    return H1_OK;
}

static void name_fields(struct h1_head *head, const char *buf, struct slice option)
{
    for (unsigned i = 0; i < head->n_fields; i++) {
        const struct h1_field *field = &head->fields[i];

        if (!h1_field_is_protected(field->id) &&
            slice_equal_nocase(h1_field_name(buf, field), option))
            head->named[i / 64] |= UINT64_C(1) << (i % 64);
    }
}

/* Marks the fields that the Connection fields name, at most H1_CONNECTION_MAX options. */
static void resolve_connection(struct h1_head *head, const char *buf)
{
    for (unsigned i = 0; i < head->n_fields; i++) {
        struct slice value = h1_field_value(buf, &head->fields[i]);
        struct slice option;

        if (head->fields[i].id != H1_FIELD_CONNECTION)
            continue;
        while (h1_list_next(&value, &option))
            if (option.len > 0)
                name_fields(head, buf, option);
    }
}

static bool is_kept(const struct h1_head *head)
{
    if (head->connection & OPTION_CLOSE)
        return false;
    return head->minor > 0 || head->connection & OPTION_KEEP_ALIVE;
}

/* ---- the rest ---- */

/* RFC 9110 section 7.8. */
static void read_upgrade(struct h1_head *head, struct slice value)
{
    struct slice protocol;

    while (h1_list_next(&value, &protocol)) {
        if (H1_TOKEN_IS(protocol, "websocket"))
            head->is_websocket = true;
        else if (H1_TOKEN_IS(protocol, "h2c"))
            head->is_h2c = true;
    }
}

/* RFC 9110 section 10.1.1: in HTTP/1.0 there is no expectation. */
static void read_expect(struct h1_head *head, struct slice value)
{
    if (head->minor == 0)
        return;
    if (!H1_TOKEN_IS(value, "100-continue"))
        head->expect = H1_EXPECT_OTHER;
    else if (head->expect == H1_EXPECT_NOTHING)
        head->expect = H1_EXPECT_CONTINUE;
}

/* RFC 9110 section 10.1.4. */
static void read_te(struct h1_head *head, struct slice value)
{
    struct slice member;
    struct slice rest;

    while (h1_list_next(&value, &member)) {
        struct slice token = member_token(member, &rest);

        if (H1_TOKEN_IS(token, "trailers") && head->minor > 0)
            head->is_te_trailers = true;
    }
}

static enum h1_error read_request_fact(struct h1_head *head, const char *buf,
                                       const struct h1_field *field)
{
    switch (field->id) {
    case H1_FIELD_HOST:
        return read_host(head, buf, field);
    case H1_FIELD_EXPECT:
        read_expect(head, h1_field_value(buf, field));
        return H1_OK;
    case H1_FIELD_TE:
        read_te(head, h1_field_value(buf, field));
        return H1_OK;
    default:
        return H1_OK;
    }
}

enum h1_error h1_read_fact(struct h1_reader *reader, const struct h1_field *field)
{
    struct h1_head *head = reader->head;
    struct slice value = h1_field_value(reader->buf, field);

    switch (field->id) {
    case H1_FIELD_CONTENT_LENGTH:
        return read_length(head, value);
    case H1_FIELD_TRANSFER_ENCODING:
        return read_coding(head, value);
    case H1_FIELD_CONNECTION:
        return read_connection(head, value);
    case H1_FIELD_UPGRADE:
        read_upgrade(head, value);
        return H1_OK;
    default:
        return head->is_response ? H1_OK : read_request_fact(head, reader->buf, field);
    }
}

/* ---- at the end of the head ---- */

static enum h1_body_kind framing(const struct h1_head *head, enum h1_body_kind otherwise)
{
    if (head->is_chunked_coding)
        return H1_BODY_CHUNKED;
    return h1_has(head, H1_FIELD_CONTENT_LENGTH) ? H1_BODY_LENGTH : otherwise;
}

enum h1_error h1_conclude_request(struct h1_reader *reader)
{
    struct h1_head *head = reader->head;

    if (head->minor > 0 && !h1_has(head, H1_FIELD_HOST))
        return H1_ERR_HOST_MISSING;
    head->body = (uint8_t)framing(head, H1_BODY_NONE);
    head->is_keep_alive = is_kept(head);
    head->is_websocket = head->is_websocket && head->is_upgrade_option && head->minor > 0 &&
                         head->method == H1_METHOD_GET && head->body != H1_BODY_CHUNKED &&
                         head->length == 0;
    if (head->is_connection_foreign)
        resolve_connection(head, reader->buf);
    return H1_OK;
}

/* RFC 9112 section 6.3, the first two rules. */
static bool has_body(const struct h1_head *head)
{
    return head->method != H1_METHOD_HEAD && head->status >= 200 && head->status != 204 &&
           head->status != 304;
}

enum h1_error h1_conclude_response(struct h1_reader *reader)
{
    struct h1_head *head = reader->head;
    bool is_success = head->status >= 200 && head->status < 300;

    head->is_keep_alive = is_kept(head);
    if (head->is_connection_foreign)
        resolve_connection(head, reader->buf);
    if (head->status == 101) {
        head->body = H1_BODY_TUNNEL;
        return reader->asked.is_websocket && head->is_websocket && head->is_upgrade_option
                   ? H1_OK
                   : H1_ERR_STATUS_UPGRADE;
    }
    head->is_websocket = false;
    head->is_interim = head->status < 200;
    if (head->method == H1_METHOD_CONNECT && is_success)
        head->body = H1_BODY_TUNNEL;
    else if (has_body(head))
        head->body = (uint8_t)framing(head, H1_BODY_UNTIL_CLOSE);
    if (head->body == H1_BODY_UNTIL_CLOSE || head->body == H1_BODY_TUNNEL)
        head->is_keep_alive = false;
    return H1_OK;
}
