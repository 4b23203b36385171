/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SESSION_COOKIE_H
#define SESSION_COOKIE_H

/*
 * The value of a sticky cookie: which member holds a client's session, said by name and signed, so
 * that no load balancer has to remember anything. Whoever has the same secret reads it: every loop,
 * every node, after a reload, a restart or an upgrade.
 *
 *     WEIR=v1.Fq3x.AAAAAGk…d2ViMQ.0mT9…
 *          |  |    |              +- MAC: the first 16 bytes of HMAC-SHA256, base64url
 *          |  |    +- payload, base64url:  | flags 1 | born 5 | used 5 | member 1..63 |
 *          |  +- key id: 4 characters that are derived from the key
 *          +- version
 *
 * born and used are seconds of the wall clock, big endian: when the session began, and when the
 * client was last given this cookie. flags is 0; a reader that finds a flag set that it does not
 * know treats the cookie as one that it cannot read. The MAC covers
 *
 *     "v1.Fq3x.<payload>" NUL <name of the pool>
 *
 * so a cookie of one pool means nothing in another, even where members have the same names. Nothing
 * in it says an address or an order, and a change of either keeps every session.
 *
 * Two keys (up to four) may be valid at a time, for a change that no client notices: the first
 * writes, all of them read. docs/formats/sticky-cookie.md is the specification.
 *
 * Pure: the MAC comes as a function, the time as a number. Nothing is allocated.
 */

#include "base/slice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    COOKIE_KEYS_MAX = 4,
    COOKIE_HASH_BYTES = 32, /* of SHA-256 */
    COOKIE_MAC_BYTES = 16,
    COOKIE_ID_CHARS = 4,
    COOKIE_MEMBER_MAX = 63, /* bytes of a name, as everywhere */
    COOKIE_HEAD_BYTES = 11, /* of the payload, before the name */
    COOKIE_PAYLOAD_MAX = COOKIE_HEAD_BYTES + COOKIE_MEMBER_MAX,
    COOKIE_VALUE_MAX = 3 + COOKIE_ID_CHARS + 1 + 99 + 1 + 22, /* characters */
};

/* HMAC-SHA256 of data under the key that `key` stands for. */
typedef void cookie_mac_fn(void *key, struct slice data, uint8_t ret_mac[COOKIE_HASH_BYTES]);

struct cookie_key {
    cookie_mac_fn *mac;
    void *key; /* borrowed, handed to mac() */
    char id[COOKIE_ID_CHARS];
};

struct cookie_keys {
    struct cookie_key items[COOKIE_KEYS_MAX];
    size_t n_items;
};

/* One more key, behind those that are there; at most COOKIE_KEYS_MAX. */
void cookie_keys_add(struct cookie_keys *keys, cookie_mac_fn *mac, void *key);

/* What a cookie says. */
struct cookie {
    uint64_t born_s, used_s; /* below 2^40 */
    uint8_t member_len;      /* 1.. */
    char member[COOKIE_MEMBER_MAX];
};

static inline struct slice cookie_member(const struct cookie *cookie)
{
    return slice_make(cookie->member, cookie->member_len);
}

/* Writes the value under the first key, no NUL; returns its length. There is a key, and the name of
 * the member is 1..COOKIE_MEMBER_MAX bytes. */
size_t cookie_write(const struct cookie_keys *keys, struct slice pool, const struct cookie *cookie,
                    char ret_value[COOKIE_VALUE_MAX]);

enum cookie_result {
    COOKIE_OK = 0,
    COOKIE_FORGED, /* not of this form, or the MAC is not ours: nothing in it can be believed */
    COOKIE_NO_KEY, /* of the form, but made with a key that is not, or no longer, here */
};

/* *ret_cookie is set on COOKIE_OK alone. Where MACs differ is not to be told by the time taken. */
enum cookie_result cookie_read(const struct cookie_keys *keys, struct slice pool,
                               struct slice value, struct cookie *ret_cookie);

/* For how long a session lasts, seconds; 0: without an end. */
struct cookie_policy {
    uint64_t idle_s; /* since its last request */
    uint64_t life_s; /* since its first */
};

/*
 * Is it over? A clock that was set back, or another node's that is ahead, makes no session older.
 * As the client is not given a new cookie with each answer, used_s is up to an eighth of idle_s
 * behind; that much longer it lives, never shorter.
 */
bool cookie_is_expired(const struct cookie *cookie, const struct cookie_policy *policy,
                       uint64_t now_s);
/* Is used_s so old that the client should be given a new one? */
bool cookie_is_worn(const struct cookie *cookie, const struct cookie_policy *policy,
                    uint64_t now_s);

/* --- in the field Cookie (RFC 6265 section 4.2) ----------------------------------------------- */

/*
 * The next value of the cookie `name` in a field's value: *rest starts as the whole value and
 * becomes what follows. False where there is no further one. A cookie may come several times, from
 * several paths; quotes around a value are not part of it.
 */
bool cookie_next(struct slice *rest, struct slice name, struct slice *ret_value);
/* Copies the field's value without the cookies of that name into out, which has room for all of it;
 * returns the bytes written. 0: nothing else was there. */
size_t cookie_strip(struct slice value, struct slice name, char *out);

#endif
