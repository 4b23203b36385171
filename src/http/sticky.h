/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_STICKY_H
#define HTTP_STICKY_H

/*
 * Stickiness: a client stays with the member that holds its session.
 *
 *     sticky cookie WEIR [idle 1h] [life 1d] [same-site lax|strict|none] [domain example.org]
 *     sticky source
 *     sticky header X-Session
 *
 * By a cookie (session/cookie.h): the first answer names the member in a signed cookie, and while
 * that member is up the client's requests go there, whatever `balance` says.
 *
 *     the member      what becomes of a client that has the cookie         others
 *     up              served by it                                         as `balance` says
 *     draining        served by it                                         not sent there
 *     down, gone      served by another; a new cookie names that one, and
 *                     the request carries `X-Weir-Moved: 1`                not sent there
 *
 * A cookie that is forged, was made with a key that is not here any more, or is too old makes its
 * client a new one, and is replaced. Applications do not see the cookie: it is cut out of the
 * request's Cookie fields, the others stay. What it says must be nobody's but the client's, so the
 * answer that sets it carries `Cache-Control: private` as well.
 *
 * By source or header: the key belongs to a member by rendezvous hashing (session/rendezvous.h)
 * among those that are up. Nothing is remembered, so a member that drains or dies gives its clients
 * up at once, and only its own move. A request without the key goes as `balance` says.
 *
 * Under a route's split the cookie also says on which side a client is, as it is good for the pool
 * that it was made for and no other; a key falls on the same side each time.
 *
 * Nothing here does I/O; exchange.c asks at the beginning of a request, at each pick and before the
 * head of the response.
 */

#include "conf/schema.h"
#include "core/secret.h"
#include "http/pick_key.h"
#include "http/route.h"
#include "session/cookie.h"
#include "tls/key.h"
#include "upstream/upstream.h"
#include "wire/h1.h"
#include <stdbool.h>
#include <stdint.h>

enum sticky_kind { STICKY_COOKIE, STICKY_SOURCE, STICKY_HEADER };
enum sticky_same_site { STICKY_LAX, STICKY_STRICT, STICKY_NONE };

struct sticky_conf {
    struct conf_object object;
    int kind;          /* enum sticky_kind */
    struct slice name; /* of the cookie or the field */
    int64_t idle_ms;   /* 0: no end */
    int64_t life_ms;
    int same_site; /* enum sticky_same_site */
    struct slice domain;
};

extern const struct conf_block sticky_block;
/* same-site none means nothing to browsers but over TLS. 0 or -1. */
int sticky_check(const struct sticky_conf *conf, bool is_tls, struct conf_load *load);

enum {
    STICKY_LINES_MAX = 640, /* bytes that sticky_lines() may write */
    STICKY_DOMAIN_MAX = 253,
    STICKY_COOKIES_MAX = 4, /* of the session's name that are looked at; the rest counts for none */
};

/* What a loop knows of the secret: made once an epoch. */
struct sticky_keys {
    struct tls_mac *macs[COOKIE_KEYS_MAX];
    struct cookie_keys cookie;
    struct hash_key hash; /* for keys of requests; of the first secret */
};

/* From the bytes of BLOB_SECRET, which the supervisor has checked. */
void sticky_keys_init(struct sticky_keys *keys, struct slice secret);
void sticky_keys_deinit(struct sticky_keys *keys);

/* How a request stands to its session; counted by LISTEN_STICKY + state, and told in the access
 * log. */
enum sticky_state {
    STICKY_OFF,     /* the listen has none, or the request has not the field */
    STICKY_NEW,     /* it had no cookie */
    STICKY_HELD,    /* it goes where its cookie or its key says */
    STICKY_MOVED,   /* its member cannot take it: another does */
    STICKY_GONE,    /* the same, as the pool has no member of that name any more */
    STICKY_EXPIRED, /* these three were treated as new */
    STICKY_FORGED,
    STICKY_NO_KEY,
    STICKY_N_STATES,
};

/* "held". */
const char *sticky_state_name(enum sticky_state state);

/* A request's session. */
struct sticky {
    uint8_t state; /* enum sticky_state */
    bool is_due;   /* the answer sets a cookie, whoever gives it */
    bool has_key;  /* of source or header */
    uint64_t key;
    uint64_t born_s;             /* of a cookie that was believed */
    const struct member *member; /* that the cookie names; NULL: none */
};

/* What sticky_begin() looks at. */
struct sticky_ask {
    const struct sticky_conf *conf; /* NULL: no stickiness */
    const struct sticky_keys *keys;
    const struct h1_head *head;
    const char *buf;
    const struct addr *peer;
    uint64_t now_s; /* of the wall clock */
    uint32_t draw;  /* a fair one, for a split that no session decides */
};

/* The pool that the route sends this request to, and how it stands to its session. */
struct pool *sticky_begin(const struct sticky_ask *ask, const struct route *route,
                          struct sticky *ret_sticky);

/*
 * The member that the session asks for, or NULL: of a cookie the one that it names, of a key the
 * one that it belongs to among those that are up and not tried.
 */
const struct upstream_member *sticky_member(const struct sticky *sticky,
                                            const struct sticky_keys *keys,
                                            const struct upstream_pool *pool,
                                            const struct upstream_tried *tried);
/* `member` takes the request. True: tell the application that the client has moved. */
bool sticky_picked(struct sticky *sticky, const struct member *member);

/* The lines that the answer of `member` carries for the session: what is written, maybe nothing. */
size_t sticky_lines(const struct sticky *sticky, const struct sticky_conf *conf,
                    const struct sticky_keys *keys, const struct member *member, uint64_t now_s,
                    bool is_tls, char out[STICKY_LINES_MAX]);

/*
 * Writes the request's Cookie fields without the session's own cookies, as whole lines, into out,
 * which has room for the request's head. False, and nothing is to be changed, where it has none.
 */
bool sticky_strip(const struct sticky_conf *conf, const struct h1_head *head, const char *buf,
                  char *out, size_t *ret_len);

#endif
