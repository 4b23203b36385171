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
 *     async_try.c where it goes to a queue (http/async.h)
 *
 * Both directions are driven from two callbacks, the client's and the upstream connection's.
 * Whichever finds an end calls one of the ends below, and after that neither exchange nor upstream
 * may be used.
 */

#include "http/async.h"
#include "http/internal.h"

enum { HTTP_ROOM = 1024 }; /* bytes for a request's head within the exchange */

/* Who was not reached in the last such try, and why; texts that live as long as the program. */
struct http_unreached {
    const struct upstream_member *member; /* NULL: there was none */
    const char *what, *why;               /* "no TLS: ", "certificate has expired" */
};

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
    const struct route *overflow; /* its route, where it may be done later; NULL */
    const struct route *route;    /* mode: its route */
    uint64_t id[ASYNC_ID_WORDS];  /* mode: the same in every try */
    uint64_t away_ns;             /* mode: since when the queue takes nothing; 0: it does */
    struct http_unreached unreached;
    uint32_t wait_s;   /* mode: that the client is ready to wait */
    uint32_t grant_ms; /* from start_ns to the response's head, by Weir-Timeout; 0: no bound */
    struct h1_asked asked;
    uint8_t mode; /* enum async_mode */
    uint8_t client_minor;
    uint8_t n_tries;
    uint8_t n_excused; /* tries at members that turned down, which do not count */
    uint8_t n_reached; /* members that were reached and failed */
    uint8_t n_pauses;  /* mode: since away_ns */
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
/* The client's own time for an answer is over, and none has begun. */
bool exchange_is_granted_over(const struct http_exchange *exchange);

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
/* What befell a connection that is no good any more. */
enum retry_event exchange_event(const struct http_exchange *exchange, int error);
/* A connection to the member for this try; NULL: it was not reached. */
struct upstream *exchange_take(struct http_exchange *exchange, struct upstream_member *member);
/* All that is kept of the request goes out on the connection that was just taken. */
void exchange_send(struct http_exchange *exchange);
/* Tries again when a pause of so many milliseconds is over. */
void exchange_pause(struct http_exchange *exchange, uint32_t pause_ms);
/* It is not sent again, for this reason: fails by exchange->failure. */
void exchange_refuse(struct http_exchange *exchange, enum retry_refusal refusal);

/* --- async_try.c --- */
/* Decides whether it goes to a queue, now or in place of a 503; its mode says. The head is in
 * worker->request, and bytes of it in buf. */
void async_decide(struct http_exchange *exchange, const struct route *route, const char *buf);
/* The head for the queue says so; sent is still there. */
void async_announce(struct http_exchange *exchange);
/* What exchange_try() and exchange_upstream_failed() do for it. */
void async_try(struct http_exchange *exchange);
void async_failed(struct http_exchange *exchange, enum retry_event event);
/* Instead of an answer of weir's own for this reason: it goes to the queue, and the exchange goes
 * on. False: it does not. */
bool async_overflow(struct http_exchange *exchange, enum http_reason reason);
/* Is there room to keep so many bytes more of the body for another try? */
bool async_keeps(const struct http_exchange *exchange, size_t len);
/* The time for the head of its answer, milliseconds. */
int64_t async_answer_ms(const struct http_exchange *exchange);
/* The queue has answered: counted. */
void async_answered(struct http_exchange *exchange);

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
