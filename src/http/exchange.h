/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

/*
 * One request and its response, between a client and a member.
 *
 *     exchange.c  begins and ends it, keeps its deadline
 *     try.c       picks members and takes connections, again where that is safe
 *     request.c   client -> member: the head, what is kept for another try, the body
 *     response.c  member -> client: heads and the body
 *     tunnel.c    what becomes of it after 101
 *
 * Both directions are driven from two callbacks, the client's and the upstream connection's.
 * Whichever finds an end calls one of the ends below, and after that neither exchange nor upstream
 * may be used.
 */

#include "http/internal.h"

enum { HTTP_ROOM = 1024 }; /* bytes for a request's head within the exchange */

struct http_exchange {
    struct http_client *client;
    struct http_exchange *next_spare;
    struct http_service *service; /* and with it the epoch */
    struct upstream_pool *pool;
    struct upstream_member *member; /* of this try: reserved; NULL between tries */
    struct upstream *upstream;      /* NULL between tries */
    struct upstream_waiter waiter;  /* in the pool's queue while no member has room */
    struct upstream_tried tried;
    struct sticky sticky;
    uint64_t key; /* has_key: of `balance hash` */
    struct h1_body request_body, response_body;
    struct held *held; /* a part of the response's head or of its trailers */
    struct text request_trailers, response_trailers; /* complete lines */
    char *sent; /* so far, for another try: in room or on the heap; NULL: none is possible */
    uint32_t sent_len, sent_cap;
    uint32_t head_len;   /* of sent: the head */
    uint64_t start_ns;   /* the head was complete */
    uint64_t sent_ns;    /* the member had the request */
    uint64_t stood_ns;   /* its connection stood */
    uint64_t latency_ns; /* from then to the response's head; 0: none yet */
    uint64_t n_body;     /* bytes of the request's body so far */
    uint64_t slow_ns;    /* since when its rate is measured; 0: the member does not take more */
    uint64_t n_slow;     /* n_body then */
    struct h1_asked asked;
    uint8_t client_minor;
    uint8_t n_tries;
    uint8_t n_excused; /* tries at members that turned down, which do not count */
    uint8_t n_reached; /* members that were reached and failed */
    uint8_t failure;   /* enum http_reason of the last try that failed */
    uint16_t status;   /* of the response, 0: none yet */
    uint16_t pause_ms; /* is_pausing */
    bool has_key;
    bool is_moved_said; /* the head for the member says that the client has moved */
    bool is_idempotent;
    bool is_blamed;            /* this try failed, and the member is why */
    bool is_fresh;             /* the connection carries its first request */
    bool is_connecting;        /* and does not stand yet: nothing has been sent */
    bool is_request_chunked;   /* the body goes to the member as chunks */
    bool is_request_done;      /* all of it is with the upstream connection */
    bool is_interim;           /* the client has a 1xx of this member */
    bool is_pausing;           /* before another try */
    bool is_member_deaf;       /* takes no more of the body; its answer may be here all the same */
    bool is_response_readable; /* the kernel may have bytes of it that were not read */
    bool is_response_hangup;
    bool is_reply_chunked;
    bool is_upstream_kept; /* the member wants to go on after this response */
    char room[HTTP_ROOM];  /* for most requests; not zeroed */
};

static inline struct http_worker *worker_of(const struct http_exchange *exchange)
{
    return exchange->client->listen->worker;
}

static inline const struct http_timeouts *timeouts_of(const struct http_exchange *exchange)
{
    return &exchange->service->conf->timeouts;
}

/* --- exchange.c: beginning and deadline --- */
void exchange_free_spare(struct http_worker *worker);
/*
 * The request whose head is worker->request and whose bytes are buf[0, len), the first head_len of
 * them the head. Returns the bytes used.
 */
size_t exchange_start(struct http_client *client, const struct route *route, const char *buf,
                      size_t head_len, size_t len);
/* Seconds of the wall clock. */
uint64_t exchange_wall_s(const struct http_exchange *exchange);
/* Sets the deadline of the phase that it is in now. */
void exchange_rearm(struct http_exchange *exchange);
/* The deadline passed. */
void exchange_on_timeout(struct http_exchange *exchange);

/* --- exchange.c: ends --- */
/* Both sides have all: the client goes on. is_clean: the member's connection may be kept. */
void exchange_finish(struct http_exchange *exchange, bool is_clean);
/* No answer comes from a member: weir's own, or a cut where one has begun. */
void exchange_fail(struct http_exchange *exchange, enum http_reason reason);
/* What the client has of the answer must not look whole: a reset. */
void exchange_cut(struct http_exchange *exchange);
/* The client left, or cannot be written to. */
void exchange_client_lost(struct http_exchange *exchange);
/* The client is gone: gives everything back. */
void exchange_abandon(struct http_exchange *exchange);
/* It ends, and its connection goes on with another user, which has its reservation as well. */
struct upstream *exchange_detach(struct http_exchange *exchange);
/* Between tries: gives the connection back, or closes it. */
void exchange_release(struct http_exchange *exchange, bool is_kept);

/* --- try.c --- */
/* Sends what is kept of the request to a member; fails where there is none. */
void exchange_try(struct http_exchange *exchange);
/*
 * The connection to the member is no good any more: errno, 0: it closed, EPROTO: no HTTP. Another
 * try, at once or behind a pause, or the end.
 */
void exchange_upstream_failed(struct http_exchange *exchange, int error);
/* Out of the pool's queue: tries again. */
void exchange_on_turn(struct upstream_waiter *waiter);

/* --- request.c --- */
/* The head for the member, in a buffer that is kept until the response begins. */
void request_write_head(struct http_exchange *exchange, const char *buf, size_t head_len);
/* One more line at the end of the head, for this try and further ones; sent is still there. */
void request_add_line(struct http_exchange *exchange, struct slice line);
/* What is already here of the body goes behind the head. Returns the bytes used, or -1. */
ssize_t request_write_body(struct http_exchange *exchange, const char *buf, size_t len);
/* From here on the request cannot be repeated. */
void sent_drop(struct http_exchange *exchange);
/* It is over its limit. */
bool request_is_large(const struct http_exchange *exchange);
bool exchange_wants_body(const struct http_exchange *exchange);
/* The client has bytes of the body, or the upstream has room. */
void exchange_pull_request(struct http_exchange *exchange);

/* --- response.c --- */
/* The upstream has bytes, or the client has room. */
void exchange_pull_response(struct http_exchange *exchange);

#endif
