/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

/*
 * Routes: which action a request gets.
 *
 *     route [METHOD] [host H] [path P] [header N V] [from NET] ACTION [MANNER]
 *
 * What is named must match, all of it; `not` before a word turns that word round; the first route
 * that matches wins. `path /a` means /a and everything below it, never /ab; `path = /a` means
 * exactly that. `host example.org` means that name, `host *.example.org` any name below it.
 * Actions:
 *
 *     pool NAME                       the request goes to a member of the pool
 *     split P 90% Q 10%               or of one of several pools, by their shares, which make 100%
 *     async QUEUE                     it becomes a job of the queue, and is answered 202
 *     respond CODE ["text"]           an answer of weir's own
 *     redirect https                  301 (308 where the method is neither GET nor HEAD) to the
 *                                     same address under https
 *     redirect 301|302|303|307|308 URL
 *
 * Behind a pool or a split may stand in which manner it is asked:
 *
 *     retry idempotency-key           a request that carries an Idempotency-Key is one that may be
 *                                     sent to another member, whatever its method: the application
 *                                     does what it asks for only once
 *     priority high|normal|low        its class in the queue where the members have enough to do
 *     async QUEUE                     a client that says `Prefer: respond-async` gets a 202 as well
 *     overflow QUEUE                  and everybody does where weir itself would answer 503
 *
 * and behind either of these, and behind the action `async`
 *
 *     credentials keep                Authorization and Cookie are stored with the job; else they
 *                                     are left out of it
 *
 * http/async.h has what becomes of such requests. Whether there is a queue of that name is checked
 * by who may know: the edge.
 *
 * Routes are part of the configuration, immutable. Matching looks at bytes where they lie and takes
 * time linear in the request and in the number of routes. A route that no request can reach,
 * because an earlier one takes all that it would match, is a mistake that `weir check` finds.
 */

#include "base/addr.h"
#include "base/slice.h"
#include "base/text.h"
#include "conf/schema.h"
#include "pool/pool.h"
#include "wire/h1.h"
#include <stdbool.h>
#include <stdint.h>

enum { ROUTES_MAX = 1000, ROUTE_SHARES_MAX = 16 };

enum route_action {
    ROUTE_POOL,
    ROUTE_SPLIT,
    ROUTE_ASYNC,
    ROUTE_RESPOND,
    ROUTE_REDIRECT_HTTPS,
    ROUTE_REDIRECT
};

/* The class of a request that waits for a member; those of a lower number go first. */
enum route_priority { ROUTE_PRIORITY_HIGH, ROUTE_PRIORITY_NORMAL, ROUTE_PRIORITY_LOW };

enum route_word {
    ROUTE_METHOD = 1 << 0,
    ROUTE_HOST = 1 << 1,
    ROUTE_PATH = 1 << 2,
    ROUTE_HEADER = 1 << 3,
    ROUTE_FROM = 1 << 4,
};

/* A pool's part of a split. */
struct route_share {
    struct conf_ref pool_ref;
    struct pool *pool; /* found by routes_check() */
    int64_t percent;   /* 0..100 */
};

struct route {
    const struct conf_stmt *stmt;
    const char *at; /* "shop.weir:12:5" */
    unsigned words; /* enum route_word: what must match */
    unsigned nots;  /* those of them that are turned round */
    struct slice method;
    struct slice host;  /* without "*." */
    bool is_host_below; /* "*.": names below host, not host itself */
    struct slice path;  /* without a slash at its end, unless it is "/" or exact */
    bool is_path_exact;
    struct slice header_name, header_value;
    struct addr_net from;

    int action; /* enum route_action */
    struct conf_ref pool_ref;
    struct pool *pool;          /* found by routes_check() */
    struct route_share *shares; /* split; all of them make 100 */
    uint32_t n_shares;
    bool is_idempotent_by_key;    /* retry idempotency-key */
    uint8_t priority;             /* enum route_priority */
    struct conf_ref async_ref;    /* the action or the manner `async`; name empty: neither */
    struct conf_ref overflow_ref; /* name empty: none */
    bool has_queue;               /* one of these */
    uint64_t overflow_bytes;      /* filled by the edge: of the longest body that its queue takes */
    bool keeps_credentials;
    int64_t status;    /* respond, redirect */
    struct slice text; /* respond: the body; redirect: the URL */
};

struct routes {
    struct route *items;
    uint32_t n_items;
    uint32_t cap;
};

/* Reads one `route` statement behind those that are there. 0, or -1 after telling load->diag. */
int routes_parse(struct routes *routes, struct conf_load *load, const struct conf_stmt *stmt);
/* Finds the pools and the routes that can never be reached. 0 or -1. */
int routes_check(struct routes *routes, const struct snapshot *snap, struct conf_load *load);

/* The first route that matches, or NULL. `buf` is what `head` was parsed from. */
const struct route *routes_match(const struct routes *routes, const struct h1_head *head,
                                 const char *buf, const struct addr *peer);
/* The first word of this route that the request fails (enum route_word), 0 where it matches. A peer
 * that is not known (len 0) fails every `from`, turned round or not. */
unsigned route_failing(const struct route *route, const struct h1_head *head, const char *buf,
                       const struct addr *peer);

/* pool, split or async: another process answers. */
static inline bool route_is_relayed(const struct route *route)
{
    return route->action <= ROUTE_ASYNC;
}
/* pool or split. */
bool route_is_to_pool(const struct route *route);
/* The pools that such a route may send to: 1, or the shares. */
uint32_t route_n_pools(const struct route *route);
struct pool *route_pool(const struct route *route, uint32_t i);
/*
 * The pool that such a route sends a request to. `draw` decides a split: any number is as likely as
 * another for a fair one, and the same number leads to the same pool, so that what is drawn from a
 * client's own key keeps the client on its side.
 */
struct pool *route_choose(const struct route *route, uint32_t draw);
/* May the request go to a member once more though one may have seen it? Its method is idempotent
 * (RFC 9110 section 9.2.2), or the route takes the word of its Idempotency-Key. */
bool route_is_repeatable(const struct route *route, const struct h1_head *head);

/* The status of respond and redirect. */
uint16_t route_status(const struct route *route, const struct h1_head *head);
/* Appends where a redirect leads. The request names a host. */
void route_location(const struct route *route, const struct h1_head *head, const char *buf,
                    struct text *out);

/* The form of the sentence, for messages and the manual. */
extern const char route_usage[];

#endif
