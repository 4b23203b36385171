/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names that the HTTP/1 codec knows: fields with what a proxy must know of them, methods, and
 * the small readers of tokens and lists.
 */
#include "wire/h1_reader.h"
#include "wire/h1_scan.h"

enum {
    PROTECTED = 1,  /* Connection cannot take it away */
    NO_TRAILER = 2, /* framing, routing, authentication: RFC 9110 section 6.5.1 */
    BOTH = PROTECTED | NO_TRAILER,
};

struct field_row {
    struct slice text;
    uint8_t traits;
};

static const struct field_row field_rows[H1_N_FIELD_IDS] = {
    [H1_FIELD_OTHER] = {SLICE_INIT(""), 0},
    [H1_FIELD_ACCEPT_ENCODING] = {SLICE_INIT("Accept-Encoding"), NO_TRAILER},
    [H1_FIELD_AGE] = {SLICE_INIT("Age"), NO_TRAILER},
    [H1_FIELD_AUTHORIZATION] = {SLICE_INIT("Authorization"), BOTH},
    [H1_FIELD_CACHE_CONTROL] = {SLICE_INIT("Cache-Control"), BOTH},
    [H1_FIELD_CLIENT_CERT] = {SLICE_INIT("Client-Cert"), BOTH},
    [H1_FIELD_CLIENT_CERT_CHAIN] = {SLICE_INIT("Client-Cert-Chain"), BOTH},
    [H1_FIELD_CONNECTION] = {SLICE_INIT("Connection"), NO_TRAILER},
    [H1_FIELD_CONTENT_ENCODING] = {SLICE_INIT("Content-Encoding"), BOTH},
    [H1_FIELD_CONTENT_LENGTH] = {SLICE_INIT("Content-Length"), BOTH},
    [H1_FIELD_CONTENT_RANGE] = {SLICE_INIT("Content-Range"), BOTH},
    [H1_FIELD_CONTENT_TYPE] = {SLICE_INIT("Content-Type"), BOTH},
    [H1_FIELD_COOKIE] = {SLICE_INIT("Cookie"), BOTH},
    [H1_FIELD_DATE] = {SLICE_INIT("Date"), BOTH},
    [H1_FIELD_ETAG] = {SLICE_INIT("ETag"), PROTECTED},
    [H1_FIELD_EXPECT] = {SLICE_INIT("Expect"), BOTH},
    [H1_FIELD_FORWARDED] = {SLICE_INIT("Forwarded"), BOTH},
    [H1_FIELD_HOST] = {SLICE_INIT("Host"), BOTH},
    [H1_FIELD_HTTP2_SETTINGS] = {SLICE_INIT("HTTP2-Settings"), NO_TRAILER},
    [H1_FIELD_IDEMPOTENCY_KEY] = {SLICE_INIT("Idempotency-Key"), BOTH},
    [H1_FIELD_KEEP_ALIVE] = {SLICE_INIT("Keep-Alive"), NO_TRAILER},
    [H1_FIELD_LOCATION] = {SLICE_INIT("Location"), BOTH},
    [H1_FIELD_MAX_FORWARDS] = {SLICE_INIT("Max-Forwards"), BOTH},
    [H1_FIELD_PROXY] = {SLICE_INIT("Proxy"), NO_TRAILER},
    [H1_FIELD_PROXY_AUTHENTICATE] = {SLICE_INIT("Proxy-Authenticate"), NO_TRAILER},
    [H1_FIELD_PROXY_AUTHORIZATION] = {SLICE_INIT("Proxy-Authorization"), NO_TRAILER},
    [H1_FIELD_PROXY_CONNECTION] = {SLICE_INIT("Proxy-Connection"), NO_TRAILER},
    [H1_FIELD_RANGE] = {SLICE_INIT("Range"), BOTH},
    [H1_FIELD_REFERER] = {SLICE_INIT("Referer"), NO_TRAILER},
    [H1_FIELD_RETRY_AFTER] = {SLICE_INIT("Retry-After"), BOTH},
    [H1_FIELD_SERVER] = {SLICE_INIT("Server"), NO_TRAILER},
    [H1_FIELD_SET_COOKIE] = {SLICE_INIT("Set-Cookie"), BOTH},
    [H1_FIELD_TE] = {SLICE_INIT("TE"), NO_TRAILER},
    [H1_FIELD_TRAILER] = {SLICE_INIT("Trailer"), BOTH},
    [H1_FIELD_TRANSFER_ENCODING] = {SLICE_INIT("Transfer-Encoding"), BOTH},
    [H1_FIELD_UPGRADE] = {SLICE_INIT("Upgrade"), NO_TRAILER},
    [H1_FIELD_USER_AGENT] = {SLICE_INIT("User-Agent"), NO_TRAILER},
    [H1_FIELD_VARY] = {SLICE_INIT("Vary"), BOTH},
    [H1_FIELD_VIA] = {SLICE_INIT("Via"), BOTH},
    [H1_FIELD_WEIR_ANSWER] = {SLICE_INIT("Weir-Answer"), BOTH},
    [H1_FIELD_WEIR_ASYNC] = {SLICE_INIT("Weir-Async"), BOTH},
    [H1_FIELD_WEIR_POOL] = {SLICE_INIT("Weir-Pool"), BOTH},
    [H1_FIELD_WEIR_TIMEOUT] = {SLICE_INIT("Weir-Timeout"), BOTH},
    [H1_FIELD_WWW_AUTHENTICATE] = {SLICE_INIT("WWW-Authenticate"), BOTH},
    [H1_FIELD_X_FORWARDED_FOR] = {SLICE_INIT("X-Forwarded-For"), BOTH},
    [H1_FIELD_X_FORWARDED_HOST] = {SLICE_INIT("X-Forwarded-Host"), BOTH},
    [H1_FIELD_X_FORWARDED_PORT] = {SLICE_INIT("X-Forwarded-Port"), BOTH},
    [H1_FIELD_X_FORWARDED_PROTO] = {SLICE_INIT("X-Forwarded-Proto"), BOTH},
    [H1_FIELD_X_FORWARDED_OTHER] = {SLICE_INIT(""), BOTH},
    [H1_FIELD_X_REAL_IP] = {SLICE_INIT("X-Real-IP"), BOTH},
    [H1_FIELD_X_REQUEST_ID] = {SLICE_INIT("X-Request-ID"), PROTECTED},
    [H1_FIELD_X_WEIR_MOVED] = {SLICE_INIT("X-Weir-Moved"), BOTH},
};

enum { LONGEST_NAME = 19, SAME_LENGTH_MAX = 6 };

/* The names by their length; a zero ends a row. */
static const uint8_t ids_by_length[LONGEST_NAME + 1][SAME_LENGTH_MAX + 1] = {
    [2] = {H1_FIELD_TE},
    [3] = {H1_FIELD_VIA, H1_FIELD_AGE},
    [4] = {H1_FIELD_HOST, H1_FIELD_DATE, H1_FIELD_ETAG, H1_FIELD_VARY},
    [5] = {H1_FIELD_RANGE, H1_FIELD_PROXY},
    [6] = {H1_FIELD_COOKIE, H1_FIELD_SERVER, H1_FIELD_EXPECT},
    [7] = {H1_FIELD_REFERER, H1_FIELD_UPGRADE, H1_FIELD_TRAILER},
    [8] = {H1_FIELD_LOCATION},
    [9] = {H1_FIELD_FORWARDED, H1_FIELD_X_REAL_IP, H1_FIELD_WEIR_POOL},
    [10] = {H1_FIELD_CONNECTION, H1_FIELD_USER_AGENT, H1_FIELD_SET_COOKIE, H1_FIELD_KEEP_ALIVE,
            H1_FIELD_WEIR_ASYNC},
    [11] = {H1_FIELD_RETRY_AFTER, H1_FIELD_CLIENT_CERT, H1_FIELD_WEIR_ANSWER},
    [12] = {H1_FIELD_CONTENT_TYPE, H1_FIELD_X_REQUEST_ID, H1_FIELD_MAX_FORWARDS,
            H1_FIELD_X_WEIR_MOVED, H1_FIELD_WEIR_TIMEOUT},
    [13] = {H1_FIELD_CACHE_CONTROL, H1_FIELD_AUTHORIZATION, H1_FIELD_CONTENT_RANGE},
    [14] = {H1_FIELD_CONTENT_LENGTH, H1_FIELD_HTTP2_SETTINGS},
    [15] = {H1_FIELD_ACCEPT_ENCODING, H1_FIELD_X_FORWARDED_FOR, H1_FIELD_IDEMPOTENCY_KEY},
    [16] = {H1_FIELD_CONTENT_ENCODING, H1_FIELD_X_FORWARDED_HOST, H1_FIELD_X_FORWARDED_PORT,
            H1_FIELD_PROXY_CONNECTION, H1_FIELD_WWW_AUTHENTICATE},
    [17] = {H1_FIELD_TRANSFER_ENCODING, H1_FIELD_X_FORWARDED_PROTO, H1_FIELD_CLIENT_CERT_CHAIN},
    [18] = {H1_FIELD_PROXY_AUTHENTICATE},
    [19] = {H1_FIELD_PROXY_AUTHORIZATION},
};

/*
 * Equal without case, where b is of letters, digits and - and a has no control bytes: setting the
 * bit 0x20 then makes no two different characters the same. Blocks of eight, the last overlapping.
 */
static bool equal_folded(const char *a, const char *b, size_t len)
{
    const uint64_t fold = H1_EACH(0x20);
    size_t i = 0;

    for (; len - i >= 8; i += 8)
        if ((h1_word_load(a + i) | fold) != (h1_word_load(b + i) | fold))
            return false;
    if (len >= 8)
        return (h1_word_load(a + len - 8) | fold) == (h1_word_load(b + len - 8) | fold);
    for (; i < len; i++)
        if ((a[i] | 0x20) != (b[i] | 0x20))
            return false;
    return true;
}

bool h1_token_is(struct slice token, const char *lower, size_t len)
{
    return token.len == len && equal_folded(token.ptr, lower, len);
}

/*
 * Applications that take their fields by the rules of CGI see _ and - as one: who may not say
 * X-Forwarded-For may not say X_Forwarded_For either, in any mixture. Does the name begin so?
 */
static bool is_alias(struct slice name, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = name.ptr[i] == '_' ? '-' : name.ptr[i];

        if ((c | 0x20) != (text.ptr[i] | 0x20))
            return false;
    }
    return true;
}

static bool is_client_alias(struct slice name)
{
    static const struct slice prefix = SLICE_INIT("x-forwarded-");
    static const uint8_t ids[] = {H1_FIELD_X_REAL_IP, H1_FIELD_CLIENT_CERT,
                                  H1_FIELD_CLIENT_CERT_CHAIN};

    if (name.len > prefix.len && is_alias(name, prefix))
        return true;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        if (name.len == field_rows[ids[i]].text.len && is_alias(name, field_rows[ids[i]].text))
            return true;
    return false;
}

/* A name that no list has. */
static enum h1_field_id alias_id(struct slice name)
{
    static const struct slice async = SLICE_INIT("weir-async");

    if (name.len == async.len && is_alias(name, async))
        return H1_FIELD_WEIR_ASYNC;
    return is_client_alias(name) ? H1_FIELD_X_FORWARDED_OTHER : H1_FIELD_OTHER;
}

enum h1_field_id h1_field_id(struct slice name)
{
    if (name.len <= LONGEST_NAME) {
        for (const uint8_t *id = ids_by_length[name.len]; *id; id++) {
            const char *text = field_rows[*id].text.ptr;

            if ((name.ptr[0] | 0x20) == (text[0] | 0x20) && equal_folded(name.ptr, text, name.len))
                return *id;
        }
    }
    return alias_id(name);
}

struct slice h1_field_text(enum h1_field_id id)
{
    assert(id < H1_N_FIELD_IDS);
    return field_rows[id].text;
}

bool h1_field_is_protected(enum h1_field_id id)
{
    assert(id < H1_N_FIELD_IDS);
    return field_rows[id].traits & PROTECTED;
}

bool h1_field_is_forbidden_trailer(enum h1_field_id id)
{
    assert(id < H1_N_FIELD_IDS);
    return field_rows[id].traits & NO_TRAILER;
}

static const struct slice method_rows[] = {
    [H1_METHOD_OTHER] = SLICE_INIT(""),          [H1_METHOD_GET] = SLICE_INIT("GET"),
    [H1_METHOD_HEAD] = SLICE_INIT("HEAD"),       [H1_METHOD_POST] = SLICE_INIT("POST"),
    [H1_METHOD_PUT] = SLICE_INIT("PUT"),         [H1_METHOD_DELETE] = SLICE_INIT("DELETE"),
    [H1_METHOD_OPTIONS] = SLICE_INIT("OPTIONS"), [H1_METHOD_CONNECT] = SLICE_INIT("CONNECT"),
    [H1_METHOD_TRACE] = SLICE_INIT("TRACE"),     [H1_METHOD_PATCH] = SLICE_INIT("PATCH"),
};

enum h1_method h1_method_id(struct slice text)
{
    for (unsigned i = H1_METHOD_GET; i <= H1_METHOD_PATCH; i++)
        if (slice_equal(text, method_rows[i]))
            return (enum h1_method)i;
    return H1_METHOD_OTHER;
}

struct slice h1_method_text(enum h1_method method)
{
    assert(method <= H1_METHOD_PATCH);
    return method_rows[method];
}

bool h1_method_is_idempotent(enum h1_method method)
{
    switch (method) {
    case H1_METHOD_GET:
    case H1_METHOD_HEAD:
    case H1_METHOD_OPTIONS:
    case H1_METHOD_TRACE:
    case H1_METHOD_PUT:
    case H1_METHOD_DELETE:
        return true;
    case H1_METHOD_OTHER:
    case H1_METHOD_POST:
    case H1_METHOD_CONNECT:
    case H1_METHOD_PATCH:
    default:
        return false;
    }
}

bool h1_is_token(struct slice text)
{
    return text.len > 0 && h1_scan_token(text.ptr, 0, text.len) == text.len;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool h1_list_next(struct slice *rest, struct slice *ret_member)
{
    struct slice member;

    if (!rest->ptr)
        return false;
    member = slice_cut(rest, ',');
    while (member.len > 0 && is_blank(member.ptr[0]))
        member = slice_skip(member, 1);
    while (member.len > 0 && is_blank(member.ptr[member.len - 1]))
        member.len--;
    *ret_member = member;
    return true;
}
