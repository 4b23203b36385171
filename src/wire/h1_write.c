/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads on their way through a proxy (RFC 9110 section 7.6): what came is copied in runs between
 * the fields that are left out, so that a head with one Connection field costs two copies.
 */
#include "wire/h1_out.h"
#include "wire/h1_reader.h"

/* Between us and the peer alone, whatever Connection says. */
#define SET_HOP                                                      \
    (H1_SET(H1_FIELD_CONNECTION) | H1_SET(H1_FIELD_KEEP_ALIVE) |     \
     H1_SET(H1_FIELD_PROXY_CONNECTION) | H1_SET(H1_FIELD_TE) |       \
     H1_SET(H1_FIELD_TRANSFER_ENCODING) | H1_SET(H1_FIELD_UPGRADE) | \
     H1_SET(H1_FIELD_HTTP2_SETTINGS) | H1_SET(H1_FIELD_PROXY))

/* What only a proxy may say of the client before it. */
#define SET_CLIENT                                                            \
    (H1_SET(H1_FIELD_X_FORWARDED_FOR) | H1_SET(H1_FIELD_X_FORWARDED_HOST) |   \
     H1_SET(H1_FIELD_X_FORWARDED_PORT) | H1_SET(H1_FIELD_X_FORWARDED_PROTO) | \
     H1_SET(H1_FIELD_X_FORWARDED_OTHER) | H1_SET(H1_FIELD_X_REAL_IP) |        \
     H1_SET(H1_FIELD_FORWARDED) | H1_SET(H1_FIELD_CLIENT_CERT) |              \
     H1_SET(H1_FIELD_CLIENT_CERT_CHAIN))

enum { NUMBER_TEXT_MAX = 20 };

void h1_put_number(struct h1_out *out, uint64_t number)
{
    char text[NUMBER_TEXT_MAX];
    size_t at = sizeof(text);

    do {
        text[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    h1_put(out, slice_make(text + at, sizeof(text) - at));
}

void h1_put_length(struct h1_out *out, uint64_t length)
{
    h1_put(out, SLICE("Content-Length: "));
    h1_put_number(out, length);
    h1_put(out, SLICE("\r\n"));
}

/* ---- fields ---- */

static bool is_named(const struct h1_head *head, unsigned index)
{
    return head->named[index / 64] >> (index % 64) & 1;
}

static uint32_t line_end(const struct h1_head *head, unsigned index)
{
    return index + 1u < head->n_fields ? head->fields[index + 1].name_off : head->fields_end;
}

/* The pieces of a folded value with one space between them: RFC 9112 section 5.2. */
static void put_unfolded(struct h1_out *out, struct slice value)
{
    bool is_first = true;

    while (value.ptr) {
        struct slice piece = slice_cut(&value, '\n');

        if (piece.len > 0 && piece.ptr[piece.len - 1] == '\r')
            piece.len--;
        piece = slice_trim(piece);
        if (piece.len == 0)
            continue;
        if (!is_first)
            h1_put(out, SLICE(" "));
        h1_put(out, piece);
        is_first = false;
    }
}

/* A field that cannot be copied as it is: folded, or with space before the colon. */
static void put_mended(struct h1_out *out, const char *buf, const struct h1_field *field)
{
    h1_put(out, h1_field_name(buf, field));
    h1_put(out, SLICE(": "));
    put_unfolded(out, h1_field_value(buf, field));
    h1_put(out, SLICE("\r\n"));
}

static void put_range(struct h1_out *out, const char *buf, uint32_t begin, uint32_t end)
{
    h1_put(out, slice_make(buf + begin, end - begin));
}

/* Copies from `begin`, which is the first field or the line before it, to the end of the fields. */
static void put_fields(struct h1_out *out, const struct h1_head *head, const char *buf,
                       uint32_t begin, uint64_t drop)
{
    bool is_changed = head->present & drop || head->flags || head->is_connection_foreign;

    for (unsigned i = 0; is_changed && i < head->n_fields; i++) {
        const struct h1_field *field = &head->fields[i];
        bool is_dropped = drop >> field->id & 1 || is_named(head, i);

        if (!is_dropped && !field->flags)
            continue;
        put_range(out, buf, begin, field->name_off);
        if (!is_dropped)
            put_mended(out, buf, field);
        begin = line_end(head, i);
    }
    put_range(out, buf, begin, head->fields_end);
}

static void put_lines(struct h1_out *out, const struct slice *lines, size_t n_lines)
{
    for (size_t i = 0; i < n_lines; i++)
        h1_put(out, lines[i]);
}

/* ---- requests ---- */

/* The target in origin-form: RFC 9112 section 3.2.1. */
static void put_target(struct h1_out *out, const struct h1_head *head, const char *buf,
                       const struct h1_forward *forward)
{
    if (forward->target.ptr) {
        h1_put(out, forward->target);
        return;
    }
    if (head->form != H1_FORM_ABSOLUTE) {
        h1_put(out, h1_slice(buf, head->target));
        return;
    }
    /* OPTIONS for a whole server has no path in absolute-form: section 3.2.4. */
    if (head->path.len > 0)
        h1_put(out, h1_slice(buf, head->path));
    else
        h1_put(out, head->method == H1_METHOD_OPTIONS && !head->is_query ? SLICE("*") : SLICE("/"));
    if (head->is_query) {
        h1_put(out, SLICE("?"));
        h1_put(out, h1_slice(buf, head->query));
    }
}

static void put_request_line(struct h1_out *out, const struct h1_head *head, const char *buf,
                             const struct h1_forward *forward)
{
    h1_put(out, h1_slice(buf, head->method_text));
    h1_put(out, SLICE(" "));
    put_target(out, head, buf, forward);
    h1_put(out, SLICE(" HTTP/1.1\r\n"));
}

/* Host, where the one that came is missing or replaced. */
static void put_host(struct h1_out *out, const struct h1_head *head, const char *buf,
                     const struct h1_forward *forward)
{
    if (!forward->host.ptr && h1_has(head, H1_FIELD_HOST))
        return;
    h1_put(out, SLICE("Host: "));
    if (forward->host.ptr)
        h1_put(out, forward->host);
    else if (head->authority.len > 0)
        h1_put(out, h1_slice(buf, head->authority));
    else
        h1_put(out, forward->fallback_host);
    h1_put(out, SLICE("\r\n"));
}

/* What this connection needs said: close, TE (RFC 9110 section 10.1.4), Upgrade (section 7.8). */
static void put_request_options(struct h1_out *out, bool is_close, bool is_te, bool is_upgrade)
{
    static const struct slice names[] = {SLICE_INIT("close"), SLICE_INIT("TE"),
                                         SLICE_INIT("Upgrade")};
    const bool is_wanted[] = {is_close, is_te, is_upgrade};
    struct slice before = SLICE_INIT("Connection: ");

    if (is_te)
        h1_put(out, SLICE("TE: trailers\r\n"));
    if (is_upgrade)
        h1_put(out, SLICE("Upgrade: websocket\r\n"));
    for (unsigned i = 0; i < 3; i++) {
        if (!is_wanted[i])
            continue;
        h1_put(out, before);
        h1_put(out, names[i]);
        before = SLICE(", ");
    }
    if (is_close || is_te || is_upgrade)
        h1_put(out, SLICE("\r\n"));
}

static uint64_t request_drop(const struct h1_head *head, const struct h1_forward *forward)
{
    uint64_t drop = forward->drop | SET_HOP;

    if (!forward->is_peer_trusted)
        drop |= SET_CLIENT;
    if (forward->host.ptr)
        drop |= H1_SET(H1_FIELD_HOST);
    /* HTTP/1.0 expects nothing, but the member would take it for a wish. */
    if (head->minor == 0)
        drop |= H1_SET(H1_FIELD_EXPECT);
    if (forward->is_length_known)
        drop |= H1_SET(H1_FIELD_TRAILER);
    return drop;
}

ssize_t h1_write_request_head(char *out_ptr, size_t cap, const struct h1_head *head,
                              const char *buf, const struct h1_forward *forward)
{
    struct h1_out out = {.ptr = out_ptr, .cap = cap};
    bool is_line_changed = head->is_line_changed || forward->target.ptr;

    assert(head->head_len > 0 && !head->is_response);
    if (is_line_changed)
        put_request_line(&out, head, buf, forward);
    put_fields(&out, head, buf, is_line_changed ? head->fields_off : head->line_off,
               request_drop(head, forward));
    put_host(&out, head, buf, forward);
    if (head->body == H1_BODY_CHUNKED && !forward->is_length_known)
        h1_put(&out, SLICE("Transfer-Encoding: chunked\r\n"));
    else if (head->body == H1_BODY_CHUNKED)
        h1_put_length(&out, forward->length);
    put_request_options(&out, forward->is_close, head->is_te_trailers,
                        forward->is_upgrade && head->is_websocket);
    put_lines(&out, forward->lines, forward->n_lines);
    h1_put(&out, SLICE("\r\n"));
    return h1_out_end(&out);
}

/* ---- responses ---- */

enum h1_body_kind h1_reply_body(const struct h1_head *head, const struct h1_reply *reply)
{
    if (head->body != H1_BODY_CHUNKED && head->body != H1_BODY_UNTIL_CLOSE)
        return head->body;
    if (reply->is_length_known)
        return H1_BODY_LENGTH;
    return reply->client_minor > 0 ? H1_BODY_CHUNKED : H1_BODY_UNTIL_CLOSE;
}

static void put_status_line(struct h1_out *out, const struct h1_head *head, const char *buf)
{
    h1_put(out, SLICE("HTTP/1.1 "));
    h1_put_number(out, head->status);
    h1_put(out, SLICE(" "));
    h1_put(out, h1_slice(buf, head->reason));
    h1_put(out, SLICE("\r\n"));
}

static uint64_t response_drop(const struct h1_head *head, const struct h1_reply *reply,
                              enum h1_body_kind body)
{
    uint64_t drop = reply->drop | SET_HOP;

    /* RFC 9110 section 8.6: these have no length, though some servers say one. */
    if (head->status < 200 || head->status == 204 || body == H1_BODY_TUNNEL)
        drop |= H1_SET(H1_FIELD_CONTENT_LENGTH);
    if (head->body == H1_BODY_CHUNKED && body != H1_BODY_CHUNKED)
        drop |= H1_SET(H1_FIELD_TRAILER);
    return drop;
}

static void put_response_framing(struct h1_out *out, const struct h1_head *head,
                                 const struct h1_reply *reply, enum h1_body_kind body)
{
    if (body == H1_BODY_CHUNKED)
        h1_put(out, SLICE("Transfer-Encoding: chunked\r\n"));
    else if (body == H1_BODY_LENGTH && head->body != H1_BODY_LENGTH)
        h1_put_length(out, reply->length);
}

static void put_response_options(struct h1_out *out, const struct h1_head *head,
                                 const struct h1_reply *reply, enum h1_body_kind body)
{
    if (head->status == 101)
        h1_put(out, SLICE("Upgrade: websocket\r\nConnection: Upgrade\r\n"));
    if (head->status < 200 || body == H1_BODY_TUNNEL)
        return;
    if (reply->is_close || body == H1_BODY_UNTIL_CLOSE)
        h1_put(out, SLICE("Connection: close\r\n"));
    else if (reply->client_minor == 0)
        h1_put(out, SLICE("Connection: keep-alive\r\n"));
}

ssize_t h1_write_response_head(char *out_ptr, size_t cap, const struct h1_head *head,
                               const char *buf, const struct h1_reply *reply)
{
    struct h1_out out = {.ptr = out_ptr, .cap = cap};
    enum h1_body_kind body = h1_reply_body(head, reply);

    assert(head->head_len > 0 && head->is_response);
    if (head->is_line_changed)
        put_status_line(&out, head, buf);
    put_fields(&out, head, buf, head->is_line_changed ? head->fields_off : 0,
               response_drop(head, reply, body));
    put_response_framing(&out, head, reply, body);
    put_response_options(&out, head, reply, body);
    put_lines(&out, reply->lines, reply->n_lines);
    h1_put(&out, SLICE("\r\n"));
    return h1_out_end(&out);
}

/* ---- chunks ---- */

size_t h1_write_chunk_head(char out[H1_CHUNK_HEAD_MAX], uint64_t n)
{
    static const char digits[] = "0123456789abcdef";
    unsigned n_digits = (unsigned)(63 - __builtin_clzll(n | 1)) / 4 + 1;

    assert(n > 0);
    for (unsigned i = n_digits; i > 0; i--, n >>= 4)
        out[i - 1] = digits[n & 15];
    out[n_digits] = '\r';
    out[n_digits + 1] = '\n';
    return n_digits + 2;
}

ssize_t h1_write_chunk_end(char *out_ptr, size_t cap, struct slice trailer_lines)
{
    struct h1_out out = {.ptr = out_ptr, .cap = cap};

    h1_put(&out, SLICE("0\r\n"));
    h1_put(&out, trailer_lines);
    h1_put(&out, SLICE("\r\n"));
    return h1_out_end(&out);
}
