/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Jobs that are requests, results that are responses.
 */

#include "wire/jobhttp.h"

#include "base/mem.h"
#include "wire/prefer.h"
#include <assert.h>

/* Of one connection, of the framing, or said anew by whoever sends it. */
#define SET_OWN                                                                           \
    (H1_SET(H1_FIELD_CONNECTION) | H1_SET(H1_FIELD_KEEP_ALIVE) |                          \
     H1_SET(H1_FIELD_PROXY_CONNECTION) | H1_SET(H1_FIELD_TE) | H1_SET(H1_FIELD_TRAILER) | \
     H1_SET(H1_FIELD_TRANSFER_ENCODING) | H1_SET(H1_FIELD_UPGRADE) |                      \
     H1_SET(H1_FIELD_HTTP2_SETTINGS) | H1_SET(H1_FIELD_PROXY) | H1_SET(H1_FIELD_HOST) |   \
     H1_SET(H1_FIELD_CONTENT_LENGTH) | H1_SET(H1_FIELD_EXPECT) | H1_SET(H1_FIELD_X_WEIR_MOVED))

/* The sender adds fields of its own, and its reader has a limit, too. */
enum { OWN_HEAD_BYTES = 4096 };

static bool begins(struct slice name, struct slice prefix)
{
    return name.len >= prefix.len && slice_equal_nocase(slice_make(name.ptr, prefix.len), prefix);
}

static bool is_named(const struct h1_head *head, unsigned index)
{
    return head->named[index / 64] >> (index % 64) & 1;
}

static bool is_left_out(const struct h1_head *head, unsigned index, struct slice name,
                        bool is_signed)
{
    return (SET_OWN >> head->fields[index].id & 1) || is_named(head, index) ||
           begins(name, SLICE("weir-")) || (is_signed && begins(name, SLICE("webhook-")));
}

static void add_line(struct slice name, struct slice value, struct text *lines)
{
    text_printf(lines, "%.*s: %.*s\r\n", SLICE_ARG(name), SLICE_ARG(value));
}

static void add_fields(const struct h1_head *head, const char *buf, bool is_signed,
                       struct text *lines)
{
    for (unsigned i = 0; i < head->n_fields; i++) {
        struct slice name = h1_field_name(buf, &head->fields[i]);
        struct slice value = h1_field_value(buf, &head->fields[i]);
        if (!is_left_out(head, i, name, is_signed))
            add_line(name, value, lines);
    }
}

/* The value of the first such field that is not empty. */
static struct slice own_field(const struct h1_head *head, const char *buf, struct slice wanted)
{
    for (unsigned i = 0; i < head->n_fields; i++) {
        struct slice value = h1_field_value(buf, &head->fields[i]);
        if (value.len > 0 && slice_equal_nocase(h1_field_name(buf, &head->fields[i]), wanted))
            return value;
    }
    return SLICE("");
}

/* NULL, or why what the head asks for cannot be asked later. */
static const char *refusal_of_ask(const struct h1_head *head)
{
    if (head->method == H1_METHOD_CONNECT || head->method == H1_METHOD_TRACE)
        return "asks for what cannot be done later (CONNECT, TRACE)";
    return head->authority.len == 0 ? "names no host" : NULL;
}

/* NULL, or why the head is none of a request that can be sent later. */
static const char *refusal(const struct h1_head *head, struct slice body)
{
    const char *why = refusal_of_ask(head);
    if (why)
        return why;
    if (head->form != H1_FORM_ORIGIN && head->form != H1_FORM_ASTERISK)
        return "has a target that is no path";
    if (head->body == H1_BODY_CHUNKED)
        return "has a body in chunks, which is to lie behind the head as it is";
    if (head->body == H1_BODY_LENGTH && head->length != body.len)
        return "says another length of its body than it has";
    return NULL;
}

/* The bytes of the head, or 0 or below and *ret_why, which may be NULL. */
static ssize_t parse_head(struct slice message, struct h1_head *head, const char **ret_why)
{
    enum h1_error error = H1_OK;
    struct h1_limits limits = h1_limits_default;
    limits.head_bytes -= OWN_HEAD_BYTES;
    ssize_t used = h1_parse_request(message.ptr, message.len, &limits, head, &error);
    if (used <= 0 && ret_why)
        *ret_why = used < 0 ? h1_error_row(error)->sentence : "has a head without an end";
    return used;
}

int jobhttp_read(struct slice job, bool is_signed, struct jobhttp_request *ret_request,
                 struct text *lines, const char **ret_why)
{
    if (!slice_starts(job, SLICE(JOBHTTP_REQUEST)))
        return 0;
    struct slice message = slice_skip(job, sizeof(JOBHTTP_REQUEST) - 1);
    struct h1_head *head = MEM_NEW(struct h1_head);
    const char *why = NULL;
    ssize_t used = parse_head(message, head, &why);
    struct slice body = slice_skip(message, used > 0 ? (size_t)used : 0);
    if (used > 0)
        why = refusal(head, body);
    if (!why) {
        *ret_request = (struct jobhttp_request){
            .method = h1_slice(message.ptr, head->method_text),
            .target = h1_slice(message.ptr, head->target),
            .host = h1_slice(message.ptr, head->authority),
            .body = body,
            .has_key = h1_has(head, H1_FIELD_IDEMPOTENCY_KEY),
            .callback = own_field(head, message.ptr, SLICE("weir-callback")),
            .failure_callback = own_field(head, message.ptr, SLICE("weir-failure-callback")),
        };
        add_fields(head, message.ptr, is_signed, lines);
    }
    mem_free(head);
    *ret_why = why;
    return why ? -1 : 1;
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool is_stored(const struct h1_head *head, unsigned index, struct slice name,
                      const struct jobhttp_store *store)
{
    const uint64_t credentials = H1_SET(H1_FIELD_AUTHORIZATION) | H1_SET(H1_FIELD_COOKIE);
    uint64_t out = SET_OWN | H1_SET(H1_FIELD_PROXY_AUTHORIZATION);
    if (!store->has_credentials)
        out |= credentials;
    return !(out >> head->fields[index].id & 1) && !is_named(head, index) &&
           !begins(name, SLICE("weir-"));
}

/* What the client prefers but for when it is answered, which is over then. */
static void add_preference(struct slice value, struct text *out)
{
    size_t begin = out->len;
    text_append(out, SLICE("Prefer: "));
    size_t end = out->len;
    prefer_write_others(value, out);
    if (out->len > end)
        text_append(out, SLICE("\r\n"));
    else
        out->len = begin;
}

/* In origin form, or the * of OPTIONS. */
static void add_target(const struct h1_head *head, const char *buf, struct text *out)
{
    if (head->form != H1_FORM_ABSOLUTE) {
        text_append(out, h1_slice(buf, head->target));
        return;
    }
    text_append(out, head->path.len > 0 ? h1_slice(buf, head->path) : SLICE("/"));
    if (head->is_query)
        text_printf(out, "?%.*s", SLICE_ARG(h1_slice(buf, head->query)));
}

static void add_request_head(const struct h1_head *head, const char *buf,
                             const struct jobhttp_store *store, struct text *out)
{
    text_printf(out, "%.*s ", SLICE_ARG(h1_slice(buf, head->method_text)));
    add_target(head, buf, out);
    text_append(out, SLICE(" HTTP/1.1\r\n"));
    add_line(SLICE("Host"), h1_slice(buf, head->authority), out);
    for (unsigned i = 0; i < head->n_fields; i++) {
        struct slice name = h1_field_name(buf, &head->fields[i]);
        struct slice value = h1_field_value(buf, &head->fields[i]);
        if (slice_equal_nocase(name, SLICE("prefer")))
            add_preference(value, out);
        else if (is_stored(head, i, name, store))
            add_line(name, value, out);
    }
    text_append(out, store->lines);
    text_append(out, SLICE("\r\n"));
}

/* A space more for each field, or a line of weir's own, may be more than the reader takes. */
static bool can_be_read(struct slice written)
{
    struct h1_head *head = MEM_NEW(struct h1_head);
    ssize_t used = parse_head(written, head, NULL);
    mem_free(head);
    return used == (ssize_t)written.len;
}

int jobhttp_write_request(const struct h1_head *head, const char *buf, struct slice body,
                          const struct jobhttp_store *store, struct text *out, const char **ret_why)
{
    size_t begin = out->len;
    *ret_why = refusal_of_ask(head);
    if (*ret_why)
        return -1;
    text_append(out, SLICE(JOBHTTP_REQUEST));
    size_t head_begin = out->len;
    add_request_head(head, buf, store, out);
    if (!can_be_read(slice_skip(text_slice(out), head_begin))) {
        out->len = begin;
        *ret_why = "has a head that is too long to be kept";
        return -1;
    }
    text_append(out, body);
    return 0;
}

/* ---- responses ------------------------------------------------------------------------------- */

static void add_response_fields(const struct h1_head *head, const char *buf, struct text *lines)
{
    for (unsigned i = 0; i < head->n_fields; i++)
        if (!(SET_OWN >> head->fields[i].id & 1) && !is_named(head, i))
            add_line(h1_field_name(buf, &head->fields[i]), h1_field_value(buf, &head->fields[i]),
                     lines);
}

/* What was asked decides only whether there is a body, and that is seen. */
int jobhttp_read_response(struct slice result, struct jobhttp_response *ret_response,
                          struct text *lines)
{
    if (!slice_starts(result, SLICE(JOBHTTP_RESPONSE)))
        return 0;
    struct slice message = slice_skip(result, sizeof(JOBHTTP_RESPONSE) - 1);
    struct h1_head *head = MEM_NEW(struct h1_head);
    enum h1_error error = H1_OK;
    struct h1_asked asked = {.method = H1_METHOD_GET};
    struct h1_limits limits = h1_limits_default;
    limits.n_fields = H1_FIELDS_MAX;
    limits.head_bytes += OWN_HEAD_BYTES;
    ssize_t used = h1_parse_response(message.ptr, message.len, &limits, asked, head, &error);
    bool is_whole = used > 0 && !head->is_interim && !(head->flags & H1_FLAG_FOLDED);
    if (is_whole) {
        const struct h1_field *type = h1_find(head, H1_FIELD_CONTENT_TYPE);
        *ret_response =
            (struct jobhttp_response){.status = head->status,
                                      .type = type ? h1_field_value(message.ptr, type) : SLICE(""),
                                      .body = slice_skip(message, (size_t)used)};
    }
    if (is_whole && lines)
        add_response_fields(head, message.ptr, lines);
    mem_free(head);
    return is_whole ? 1 : -1;
}

void jobhttp_write_response(const struct h1_head *head, const char *buf, struct slice body,
                            struct text *out)
{
    size_t cap = head->head_len + H1_WRITE_SLACK;
    char *written = mem_alloc(cap);
    const struct h1_reply reply = {.client_minor = 1, .is_length_known = true, .length = body.len};
    ssize_t n = h1_write_response_head(written, cap, head, buf, &reply);
    assert(n > 0);
    text_append(out, SLICE(JOBHTTP_RESPONSE));
    text_append(out, slice_make(written, (size_t)n));
    text_append(out, body);
    mem_free(written);
}
