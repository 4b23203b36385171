/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

/*
 * The HTTP service: clients on one side, pools on the other. It lives in the edge's loops; each
 * loop has everything of its own and shares nothing with the others but the configuration, the
 * board and counters.
 *
 *     a loop:
 *        struct http_listen (a listen block, for as long as it is configured)
 *           | listener: accepts          clients: struct http_client ... each with at most one
 *           |                                     struct http_exchange, which borrows an upstream
 *           v service
 *        struct http_epoch (what one snapshot means in this loop)
 *             services[]: routes, limits, time-outs, counters of each listen
 *             upstreams:  the members, and the idle connections to them
 *
 * A new snapshot brings a new epoch. A client takes its listen's newest service at each request; an
 * exchange stays with the epoch that it began in, and counts as its user. An old epoch goes when
 * its last user is gone.
 *
 * The life of a request:
 *
 *     client readable -> head parsed (wire/h1) -> route -> member picked (balance) -> connection
 *     taken (upstream) -> head rewritten and sent -> ... response head parsed, rewritten in front
 *     of what was read of the body, sent in one call -> rest of the body relayed -> both
 *     connections free again
 */

#include "base/addr.h"
#include "conf/schema.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/module.h"
#include "core/process.h"
#include "http/access_log.h"
#include "http/forward.h"
#include "http/retry.h"
#include "http/route.h"
#include "http/sticky.h"
#include "tls/tls.h"
#include <stdbool.h>
#include <stdint.h>

/* --- configuration: words inside a listen block --- */

struct http_timeouts {
    struct conf_object object;
    int64_t handshake_ms; /* of TLS, from the connection accepted: 10 s */
    int64_t headers_ms;   /* from the first byte of a request to the end of its head: 10 s */
    int64_t body_ms;      /* without a byte of a request's body, or below its rate: 30 s */
    int64_t idle_ms;      /* between requests: 60 s */
    int64_t connect_ms;   /* to a member: 3 s */
    int64_t response_ms;  /* from the request sent to the response's head: 30 s */
    int64_t try_ms;       /* one member's share of that, connecting included; 0: no other bound */
    int64_t stream_ms;    /* without a byte of a response's body, either way: 5 m */
    int64_t tunnel_ms;    /* of a tunnel, without a byte either way: 1 h */
    int64_t total_ms; /* from the head of a request to the end of its answer; 0: the others bound
                            what does not move, and what moves may take long */
    int64_t async_ms; /* until a queue has answered that it keeps a request: 30 s */
    int64_t age_ms;   /* of a connection; then the next answer is its last: 1 h */
};

struct http_limits {
    struct conf_object object;
    int64_t connections;        /* of clients, in all loops together: 20000 */
    int64_t requests;           /* on one connection: 1000 */
    int64_t head_bytes;         /* 32k */
    int64_t field_bytes;        /* 8k */
    int64_t target_bytes;       /* 8k */
    int64_t fields;             /* 100 */
    int64_t body_bytes;         /* of a request; 0: as many as come */
    int64_t async_bytes;        /* of one that is for a queue, kept until that has it: 256k */
    struct conf_rate body_rate; /* bytes of a request's body, at least: 500/s */
};

/* When a request is sent once more: http/retry.h. */
struct http_retry {
    struct conf_object object;
    int64_t tries;             /* of members for one request: 3 */
    int64_t budget_percent;    /* repeated requests among those of the last 10 s: 20 */
    struct conf_rate at_least; /* of them, whatever those were: 10/s */
    int64_t backoff_ms;        /* behind a second member that failed; doubles: 25 ms */
};

struct http_conf {
    struct routes routes;
    struct http_timeouts timeouts;
    struct http_limits limits;
    struct http_retry retry;
    struct forward_conf forward;
    int access_log;             /* enum access_mode */
    struct sticky_conf *sticky; /* NULL: clients go as `balance` says */
    struct slice jobs_path;     /* where the results of asynchronous requests are: "/jobs" */
    bool has_queues;            /* filled by http_check(): some route names a queue */
    uint32_t async_wait_s; /* filled by the edge: the longest that a queue keeps an answer back */
    /*
     * Not of the file: clients are other parts of this weir, whose word of their own clients
     * counts. A request's Weir-Pool, which its route reads, ends here. So does its Weir-Timeout,
     * the milliseconds in which the head of an answer has to come: who has the request by then is
     * blamed. Weir-Answer, the name of an enum http_reason or h1_error, is on each answer of weir's
     * own, whose body tells why nobody was reached, and on none of a member's.
     */
    bool is_internal;
};

extern const struct conf_block http_timeouts_block; /* `timeout response 30s` */
extern const struct conf_block http_limits_block;   /* `limits requests 1000` */
extern const struct conf_block http_retry_block;    /* `retry tries 3` */

/* Cross-checks of one listen: its routes, its words. */
int http_check(struct http_conf *conf, const struct conf_object *listen, bool is_tls,
               const struct snapshot *snap, struct conf_load *load);

/* --- metrics --- */

/* What came of a request that was given to a queue. */
enum async_result {
    ASYNC_ACCEPTED, /* 202: it is on the disk */
    ASYNC_ANSWERED, /* done while the client waited: a member's own answer */
    ASYNC_REFUSED,  /* the queue takes it not: full, too large, a key used twice, ... */
    ASYNC_N_RESULTS,
};

enum listen_word {
    LISTEN_CONNECTIONS,
    LISTEN_REFUSED,   /* connections over the limit */
    LISTEN_EXHAUSTED, /* accept failed for want of descriptors or memory */
    LISTEN_ACTIVE,    /* gauge: client connections */
    LISTEN_REQUESTS,
    LISTEN_2XX,
    LISTEN_3XX,
    LISTEN_4XX,
    LISTEN_5XX,
    LISTEN_BYTES_IN,
    LISTEN_BYTES_OUT,
    LISTEN_RETRIES,    /* requests sent to a further member */
    LISTEN_UNREPEATED, /* requests that failed and were not sent again, by enum retry_refusal */
    LISTEN_ABORTED =
        LISTEN_UNREPEATED + RETRY_N_REFUSALS, /* the client left before its answer was complete */
    LISTEN_TUNNELS,                           /* begun */
    LISTEN_TUNNELS_ACTIVE,                    /* gauge */
    LISTEN_TUNNELS_LATE,                      /* closed because nothing moved */
    LISTEN_STICKY, /* requests by enum sticky_state; STICKY_OFF is not counted */
    LISTEN_CUT = LISTEN_STICKY + STICKY_N_STATES, /* broke off in the middle, visibly */
    LISTEN_ASYNC, /* requests for queues, by what came of it: enum async_result */
    LISTEN_OVERFLOWED = LISTEN_ASYNC + ASYNC_N_RESULTS, /* of them, in place of a 503 */
    LISTEN_JOBS,     /* requests that asked for a job or its result */
    LISTEN_STRANDED, /* clients whose floating address went to another host */
    LISTEN_ANSWERS,  /* weir's own answers by reason: enum http_reason, see http/answer.h */
    LISTEN_BAD = LISTEN_ANSWERS + 32,        /* requests refused by the codec, by enum h1_error */
    LISTEN_TLS = LISTEN_BAD + H1_N_ERRORS,   /* handshakes, enum tls_word */
    LISTEN_LATENCY = LISTEN_TLS + TLS_WORDS, /* microseconds: head complete to answer complete */
    LISTEN_WORDS = LISTEN_LATENCY + METRIC_HIST_WORDS
};

extern const struct metric_table listen_metrics; /* table "listen", label listen */

/* --- a loop's part ---------------------------------------------------------------------------- */

struct commons;     /* upstream/commons.h */
struct http_worker; /* a loop's scratch memory and date; one a loop */
struct http_epoch;
struct http_listen;

struct http_worker *http_worker_create(struct loop *loop, const struct board *board);
void http_worker_destroy(struct http_worker **worker);

/* One listen of a snapshot, as the epoch needs it. */
struct http_service_want {
    const char *name;             /* "shop" */
    struct slice host;            /* Host for members where an HTTP/1.0 client names none */
    uint16_t port;                /* that clients connect to; 0: a unix socket */
    const struct http_conf *conf; /* in the snapshot */
    const struct tls_server *tls; /* NULL: in the clear. Lives as long as the epoch */
    metric_word *row;             /* LISTEN_* of this loop */
};

/*
 * Loop 0 makes the epoch for each loop, before it commits; nothing is served by it yet. The
 * options and the wants need to live only as long as the call; the worker and the snapshot as long
 * as the epoch.
 */
struct http_epoch_options {
    struct http_worker *worker; /* of the loop */
    struct snapshot *snap;
    const struct pool_tls *tls; /* of the snapshot's pools; lives as long as the epoch */
    const struct pool *async; /* the queue, as upstream_set_options.own; NULL: no route needs it */
    uint32_t loop_index;
    struct commons *commons; /* of the process: what its loops share about members */
    uint64_t seed;
    struct slice secret; /* the bytes of BLOB_SECRET */
    const struct http_service_want *wants;
    uint32_t n_wants;
    /* Give the metric rows of members in any loop and of pools in that one; called by
     * http_epoch_create() alone. */
    metric_word *(*member_row)(void *row_ctx, const struct member *member, uint32_t loop_index);
    metric_word *(*pool_row)(void *row_ctx, const struct pool *pool);
    void *row_ctx;
    /* Called in the loop's thread when the epoch has been replaced and its last user is gone; it
     * destroys the epoch. */
    void (*on_gone)(struct http_epoch *epoch, void *gone_ctx);
    void *gone_ctx;
};

struct http_epoch *http_epoch_create(const struct http_epoch_options *options);
void http_epoch_destroy(struct http_epoch **epoch);
struct snapshot *http_epoch_snapshot(const struct http_epoch *epoch);
/* In the loop's thread: this epoch serves from now on, in all listens of the worker that are not
 * closed: it has a service for each. `old` may be NULL. */
void http_epoch_begin(struct http_epoch *epoch, struct http_epoch *old);
/* Facts have changed. In the loop's thread. */
void http_epoch_refresh(struct http_epoch *epoch);
/* Nothing follows: the epoch goes when its last user does. */
void http_epoch_end(struct http_epoch *epoch);

/* In the loop's thread: starts accepting on fd (kept by the caller) with the service of that
 * name. */
struct http_listen *http_listen_create(struct http_worker *worker, const char *name, int fd,
                                       struct http_epoch *epoch, struct err *err);
/* The service under a new epoch, which has one of that name. */
void http_listen_switch(struct http_listen *listen, struct http_epoch *epoch);
/*
 * Stops accepting. HTTP/1 has no way to take back that a connection stays, and a request may be on
 * its way on one that looks idle; so the clients that are there are still served for a while, and
 * each next answer says Connection: close. Those that ask nothing for HTTP_LEAVE_MS are closed. The
 * listen frees itself when the last is gone.
 */
void http_listen_close(struct http_listen *listen);
/*
 * An address that floats may leave this host while clients are connected to it. What they are sent
 * still arrives, as their sockets may speak from any address, but what they send goes to the host
 * that has the address now. Left open, such a connection would be met again when the address is
 * back: a new one from the same port would wait a second until the old one is out of its way.
 *
 * To be called in the loop's thread when such addresses may have left or come back: closes those
 * that are connected to one that is_away by a reset, which tells their clients to ask anew. Where
 * nothing is under way at once, else behind the answer, after HTTP_STRANDED_MS at the latest. An
 * answer that is still under way when the address is back has its time again.
 */
typedef bool http_is_away_fn(void *ctx, const struct addr *local);
void http_worker_strand(struct http_worker *worker, http_is_away_fn *is_away, void *ctx);
/* Client connections that are still there, in all listens of the worker. */
uint32_t http_worker_n_clients(const struct http_worker *worker);
/* Closes all clients at once: the deadline of a drain has passed. */
void http_worker_abort(struct http_worker *worker);

#endif
