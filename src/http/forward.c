/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The lines that tell a member of the client before weir.
 */

#include "http/forward.h"

#include <assert.h>
#include <string.h>

const struct conf_choice forward_styles[] = {
    {.name = "x-forwarded", .value = FORWARD_X, .doc = "X-Forwarded-For, -Proto, -Host and -Port"},
    {.name = "rfc7239", .value = FORWARD_RFC7239, .doc = "Forwarded, as in RFC 7239"},
    {.name = "both", .value = FORWARD_BOTH, .doc = "all of these"},
    {.name = "off", .value = FORWARD_OFF, .doc = "nothing of the client"},
    {0},
};

const struct conf_choice forward_vias[] = {
    {.name = "on", .value = 1, .doc = "Via names weir, so that members can tell and loops be seen"},
    {.name = "off", .value = 0, .doc = "nothing names weir"},
    {0},
};

bool forward_trusts(const struct forward_conf *conf, const struct addr *peer)
{
    for (size_t i = 0; i < conf->trusted_list.n_items; i++)
        if (addr_net_has(conf->trusted_list.items[i], peer))
            return true;
    return false;
}

/* What is being written, and from what. */
struct forward {
    char *out;
    size_t len, cap;
    const struct forward_asker *asker;
    const struct h1_head *head;
    const char *buf;
    uint64_t drop;
};

static void put(struct forward *forward, struct slice bytes)
{
    assert(bytes.len <= forward->cap - forward->len);
    if (bytes.len)
        memcpy(forward->out + forward->len, bytes.ptr, bytes.len);
    forward->len += bytes.len;
}

static void put_line(struct forward *forward, struct slice name, struct slice value)
{
    put(forward, name);
    put(forward, value);
    put(forward, SLICE("\r\n"));
}

/* A trusted peer has said it, and its word stands. */
static bool is_said(const struct forward *forward, enum h1_field_id id)
{
    return forward->asker->is_trusted && h1_has(forward->head, id);
}

/* The values of a list that the peer began, each with a comma behind it. */
static void put_begun(struct forward *forward, enum h1_field_id id)
{
    if (!is_said(forward, id))
        return;
    forward->drop |= H1_SET(id);
    for (unsigned i = 0; i < forward->head->n_fields; i++) {
        const struct h1_field *field = &forward->head->fields[i];
        struct slice value = h1_field_value(forward->buf, field);
        if (field->id != id || value.len == 0)
            continue;
        put(forward, value);
        put(forward, SLICE(", "));
    }
}

/* The host that the client named; empty where it named none, or none that could be one. */
static struct slice host_of(const struct forward *forward)
{
    struct slice host = h1_slice(forward->buf, forward->head->authority);
    return host.len <= FORWARD_HOST_MAX ? host : SLICE("");
}

static struct slice proto_of(const struct forward *forward)
{
    return forward->asker->is_https ? SLICE("https") : SLICE("http");
}

static void put_port(struct forward *forward, uint16_t port)
{
    char digits[5];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + port % 10);
        port /= 10;
    } while (port);
    put_line(forward, SLICE("X-Forwarded-Port: "), slice_make(digits + at, sizeof(digits) - at));
}

static void put_x_forwarded(struct forward *forward)
{
    struct slice host = host_of(forward);
    put(forward, SLICE("X-Forwarded-For: "));
    put_begun(forward, H1_FIELD_X_FORWARDED_FOR);
    put_line(forward, SLICE(""), forward->asker->ip);
    if (!is_said(forward, H1_FIELD_X_FORWARDED_PROTO))
        put_line(forward, SLICE("X-Forwarded-Proto: "), proto_of(forward));
    if (host.len && !is_said(forward, H1_FIELD_X_FORWARDED_HOST))
        put_line(forward, SLICE("X-Forwarded-Host: "), host);
    if (forward->asker->port && !is_said(forward, H1_FIELD_X_FORWARDED_PORT))
        put_port(forward, forward->asker->port);
}

/* RFC 7239 section 4: an IPv6 address has brackets and therefore quotes; section 6.2: who has no
 * address is unknown. A valid host holds neither quotes nor backslashes. */
static void put_rfc7239(struct forward *forward)
{
    struct slice ip = forward->asker->ip, host = host_of(forward);
    bool is_ipv6 = slice_find(ip, ':') < ip.len;
    put(forward, SLICE("Forwarded: "));
    put_begun(forward, H1_FIELD_FORWARDED);
    put(forward, is_ipv6 ? SLICE("for=\"[") : SLICE("for="));
    put(forward, slice_equal(ip, SLICE("unix")) ? SLICE("unknown") : ip);
    put(forward, is_ipv6 ? SLICE("]\"") : SLICE(""));
    if (host.len) {
        put(forward, SLICE(";host=\""));
        put(forward, host);
        put(forward, SLICE("\""));
    }
    put_line(forward, SLICE(";proto="), proto_of(forward));
}

static void put_id(struct forward *forward, const uint64_t id[2])
{
    static const char digits[] = "0123456789abcdef";
    char text[32];
    for (unsigned i = 0; i < sizeof(text); i++)
        text[i] = digits[id[i / 16] >> (60 - i % 16 * 4) & 15];
    put_line(forward, SLICE("X-Request-Id: "), slice_make(text, sizeof(text)));
}

size_t forward_write(char *out, size_t cap, const struct forward_conf *conf,
                     const struct forward_asker *asker, const struct h1_head *head, const char *buf,
                     uint64_t *ret_drop)
{
    struct forward forward = {.out = out, .cap = cap, .asker = asker, .head = head, .buf = buf};
    assert(cap >= head->head_len + (size_t)FORWARD_SLACK);
    if (conf->is_via)
        put(&forward, head->minor ? SLICE("Via: 1.1 weir\r\n") : SLICE("Via: 1.0 weir\r\n"));
    if (conf->style & FORWARD_X)
        put_x_forwarded(&forward);
    if (conf->style & FORWARD_RFC7239)
        put_rfc7239(&forward);
    if (conf->is_request_id && !h1_has(head, H1_FIELD_X_REQUEST_ID))
        put_id(&forward, asker->id);
    *ret_drop = forward.drop;
    return forward.len;
}
