/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEB_SERVER_H
#define WEB_SERVER_H

/*
 * A small HTTP/1 server for weir's own interfaces: the admin API now, the job API later. It is not
 * the balancer: a request is buffered whole, within bounds, before anybody looks at it (a long body
 * in a file, where the owner has a place for it: web/body.h), and an answer is one piece of memory.
 * In return a handler is a plain function, which may answer at once or later.
 *
 *     accept -> [ HEAD, BODY ] -> admit() -> route -> handle() ... web_answer() -> [ FLUSH ] --+
 *                   ^                                                                          |
 *                   +------------------------------ keep-alive --------------------------------+
 *                                                                   else [ LINGER ] -> closed
 *
 * Every answer that is not a handler's own (a request that is no HTTP, a route that does not exist,
 * a limit) is JSON, {"error": sentence}, made by web_error(), which handlers use too.
 *
 * Requests on one connection are answered one after the other, in order; bytes of the next one wait
 * in the kernel, or in the connection's buffer where they came together. Nothing waits for ever:
 * see struct web_limits.
 *
 * A connection that somebody else has accepted, and perhaps read from, is given over by
 * web_server_take(): so one port can serve two protocols, and TLS.
 *
 * Everything runs in one loop's thread. The server owns its connections; whoever creates it owns
 * the listening descriptors. A connection is freed at the end of the turn in which it was closed,
 * so that callbacks need not care who is on the stack.
 */

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "core/loop.h"
#include "net/conn.h"
#include "web/body.h"
#include "wire/h1.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct web_server;
struct web_exchange;

/* Bounds; zero takes the default that stands behind. */
struct web_limits {
    uint32_t n_conns;    /* 256; above it the oldest idle one goes, or the new one gets 503 */
    size_t body_bytes;   /* 64 KiB; 413 */
    uint32_t head_ms;    /* 10 s from its first byte to its last, 408; as long for the first byte */
    uint32_t body_ms;    /* 30 s from the head's last byte to the body's; 408 */
    uint32_t idle_ms;    /* 60 s between two requests; closed without a word */
    uint32_t answer_ms;  /* 60 s for the handler; 504, and on_gone() */
    uint32_t send_ms;    /* 10 s without a byte taken by the client; closed */
    struct h1_limits h1; /* all zero: h1_limits_default */
};

/* What happened since the start, for the metrics of whoever owns the server. */
struct web_counters {
    uint64_t n_accepted;
    uint64_t n_refused; /* connections above n_conns, accept(2) failed */
    uint64_t n_requests;
    uint64_t n_malformed; /* heads and bodies that wire/h1 refused */
    uint64_t n_timed_out;
    uint64_t n_bytes_in, n_bytes_out; /* given by the transport, given to it */
    uint32_t n_conns;                 /* now */
};

/*
 * A request and the answer to it. It lives until web_answer() or on_gone(), whichever comes first:
 * on_gone comes when the client is gone or the time is over before the answer, and the exchange
 * must not be touched after it. All slices point into the connection's own memory and live as long.
 */
struct web_exchange {
    struct web_server *server;
    const void *origin; /* what the listening socket was added with: who may do what */
    int fd;             /* of the connection, for SO_PEERCRED; not to be read from */
    const struct addr *peer;
    const struct h1_head *head;
    const char *head_bytes; /* what head's spans index */
    enum h1_method method;
    struct slice path;  /* as it came, not decoded; "/" where there is none */
    struct slice query; /* without the ? */
    struct slice body;
    void *user; /* the handler's own, for on_gone */
    void (*on_gone)(struct web_exchange *exchange);
    /*
     * While the answer is awaited: the client has closed its side, and is gone or does not ask
     * again. Once, after the handler; the answer is still due. May be NULL.
     */
    void (*on_hangup)(struct web_exchange *exchange);
};

typedef void web_handle_fn(struct web_exchange *exchange, void *ctx);

/* One row of the table of routes. HEAD is answered by the row for GET, without the body. */
struct web_route {
    enum h1_method method;
    const char *path; /* exactly; a last '*' stands for any rest. NULL ends the table */
    web_handle_fn *handle;
};

struct web_config {
    const struct web_route *routes; /* ends with a NULL path; lives as long as the server */
    void *ctx;                      /* for handlers and admit() */
    /*
     * May this request be handled? True, or false after it has answered. Called before the route is
     * looked for, so that whoever may not ask learns nothing. May be NULL.
     */
    bool (*admit)(struct web_exchange *exchange, void *ctx);
    /* A connection is closed, its on_gone() was called. May be NULL. */
    void (*on_closed)(void *ctx);
    web_spool_fn *open_spool; /* for bodies that are long; NULL: they stay in memory. 507 */
    struct web_limits limits;
    const char *name; /* in the Server field; NULL: none */
};

struct web_server *web_server_create(struct loop *loop, const struct web_config *config);
/*
 * Accepts from a listening descriptor, which stays the caller's. `origin` comes back in each
 * exchange, NULL is fine. 0, or -1 with err. At most WEB_LISTENERS_MAX at a time.
 */
enum { WEB_LISTENERS_MAX = 8 };
int web_server_listen(struct web_server *server, int fd, const void *origin, struct err *err);
/* Stops accepting from this descriptor; connections that came by it stay. */
void web_server_unlisten(struct web_server *server, int fd);
/*
 * Takes over a connection, as conn_move() does, with `bytes` that were read from it. Requests that
 * are there are handled within the call. n_conns was the caller's to judge; peer may be NULL, not
 * known. 0; -1 with err: the connection is closed.
 */
int web_server_take(struct web_server *server, struct conn *conn, struct slice bytes,
                    const void *origin, const struct addr *peer, struct err *err);
/* Other limits, from the next step of each connection on. */
void web_server_limit(struct web_server *server, const struct web_limits *limits);
/*
 * No new connection, no further request on those that are there: idle ones close now, the others
 * behind their answer. Who has not asked yet has a second to ask once: it cannot know that it came
 * to one that ends. web_server_counters()->n_conns falls to 0.
 */
void web_server_drain(struct web_server *server);
/* Closes everything at once (on_gone comes for what is unanswered). NULL is fine. */
void web_server_destroy(struct web_server **server);
const struct web_counters *web_server_counters(const struct web_server *server);

/*
 * --- answering ----------------------------------------------------------------------------------
 */

struct web_answer {
    uint16_t status;
    const char *type;   /* Content-Type; NULL: none */
    struct slice body;  /* copied where the client is slow */
    struct slice lines; /* further complete lines with CRLF, or empty */
    bool is_bare;       /* lines are all that the head says beside length and connection */
    bool is_close;      /* the connection closes behind it */
};

/*
 * Sends the answer and ends the exchange. Date, Content-Length and Connection are written by the
 * server; so are Cache-Control: no-store and X-Content-Type-Options: nosniff, which fit all that it
 * serves of its own, but not what somebody else has answered (is_bare). 0, or -1 where the client
 * is gone already: nothing of the answer has left.
 */
int web_answer(struct web_exchange *exchange, const struct web_answer *answer);
/* {"error": sentence} */
void web_error(struct web_exchange *exchange, uint16_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with further complete lines in the head. */
void web_error_lines(struct web_exchange *exchange, uint16_t status, struct slice lines,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * The value of `name` in a query string, still encoded; ptr NULL where it is absent, empty where it
 * stands without a value.
 */
struct slice web_query_value(struct slice query, const char *name);

#endif
