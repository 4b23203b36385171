/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The key of a request, from its head and its client's address.
 */

#include "http/pick_key.h"

#include "session/cookie.h"
#include <netinet/in.h>
#include <string.h>

enum { IP4_BYTES = 4, IP6_HOST_BYTES = 8 };

/* An IPv4 client is the same one whether it comes by an IPv6 socket or not. */
static struct slice source_of(const struct addr *peer)
{
    if (peer->len == 0)
        return SLICE("");
    if (addr_family(peer) == AF_INET)
        return slice_make((const char *)&peer->in4.sin_addr, IP4_BYTES);
    if (addr_family(peer) != AF_INET6)
        return SLICE("unix");
    const char *bytes = (const char *)&peer->in6.sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&peer->in6.sin6_addr))
        return slice_make(bytes + 12, IP4_BYTES);
    return slice_make(bytes, IP6_HOST_BYTES);
}

static struct slice header_of(const struct h1_head *head, const char *buf, struct slice name)
{
    for (uint32_t i = 0; i < head->n_fields; i++)
        if (slice_equal_nocase(h1_field_name(buf, &head->fields[i]), name))
            return h1_field_value(buf, &head->fields[i]);
    return SLICE("");
}

static struct slice cookie_of(const struct h1_head *head, const char *buf, struct slice name)
{
    for (uint32_t i = 0; i < head->n_fields; i++) {
        if (head->fields[i].id != H1_FIELD_COOKIE)
            continue;
        struct slice rest = h1_field_value(buf, &head->fields[i]), value;
        if (cookie_next(&rest, name, &value))
            return value;
    }
    return SLICE("");
}

static struct slice query_of(const struct h1_head *head, const char *buf, struct slice name)
{
    struct slice rest = h1_slice(buf, head->query);
    if (name.len == 0)
        return rest;
    while (rest.ptr) {
        struct slice value = slice_cut(&rest, '&');
        if (slice_equal(slice_cut(&value, '='), name))
            return value.ptr ? value : SLICE("");
    }
    return SLICE("");
}

static struct slice key_text(enum pick_key_kind kind, struct slice name, const struct h1_head *head,
                             const char *buf, const struct addr *peer)
{
    switch (kind) {
    case PICK_KEY_SOURCE:
        return source_of(peer);
    case PICK_KEY_HEADER:
        return header_of(head, buf, name);
    case PICK_KEY_COOKIE:
        return cookie_of(head, buf, name);
    case PICK_KEY_PATH:
        return h1_slice(buf, head->path);
    case PICK_KEY_QUERY:
        break;
    }
    return query_of(head, buf, name);
}

bool pick_key(enum pick_key_kind kind, struct slice name, const struct hash_key *hash_key,
              const struct h1_head *head, const char *buf, const struct addr *peer,
              uint64_t *ret_key)
{
    struct slice text = key_text(kind, name, head, buf, peer);
    if (text.len == 0)
        return false;
    *ret_key = hash_bytes(hash_key, text);
    return true;
}
