/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

/*
 * The parts of the HTTP service among themselves: the client's side (client.c), own answers
 * (answer.c), what a snapshot means in a loop (service.c), clients whose address has left this host
 * (strand.c). The member's side is in exchange.h.
 *
 * Ownership. A listen owns its clients, a client owns its exchange, an exchange borrows an upstream
 * connection. Both directions of an exchange are driven from two callbacks; whichever finds an end
 * calls exchange_finish() or exchange_abandon(), after which neither exchange nor upstream may be
 * used. The client's memory stays until the end of the loop's turn (loop_defer), so that callers on
 * the stack may still look at client->phase.
 *
 * A client's phases (each change goes through client_move()):
 *
 *     IDLE --first byte--> HEAD --complete--> BUSY --answered--> IDLE
 *       |                   |                  |
 *       |                   +----bad, late-----+--must close--> LINGER --peer closed, 2 s--> GONE
 *       |                                      +--101--> TUNNEL --both ends-----------------> GONE
 *       +--------closed, time-out, drained--------------------------------------------> GONE
 */

#include "base/list.h"
#include "base/rng.h"
#include "base/text.h"
#include "core/loop.h"
#include "http/answer.h"
#include "http/http.h"
#include "http/relay.h"
#include "limit/budget.h"
#include "net/conn.h"
#include "net/listener.h"
#include "upstream/upstream.h"
#include "wire/h1.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    HTTP_LINGER_MS = 2000,
    HTTP_LEAVE_MS = 1000,    /* in which an idle client of a closing listen may still ask */
    HTTP_STRANDED_MS = 5000, /* in which an answer from an address that has left is to end */
    HTTP_RETRY_AFTER_S = 1,
    HTTP_IP_MAX = 46,
    HTTP_HEAD_MAX = 32768, /* limits head is at most that */
    HTTP_SPARE_MAX = 1024, /* exchanges kept for the next requests, a loop */
    HTTP_DATE_LINE = 37,   /* "Date: Tue, 24 Nov 2026 03:00:00 GMT\r\n" */
    HTTP_REASON_LINE = 64, /* "Weir-Answer: no_member\r\n" */
};

struct http_worker {
    struct loop *loop;
    const struct board *board;
    struct list listens; /* of struct http_listen, also those that are closing */
    struct list tunnels; /* of struct http_tunnel */
    struct http_epoch *current;
    struct loop_timer stranded; /* when the answers of stranded clients have had their time */
    uint32_t n_clients;
    struct http_exchange *spare; /* exchanges to be used again, not in use */
    uint32_t n_spare;
    uint64_t date_s; /* the second that date_line shows */
    char date_line[HTTP_DATE_LINE + 1];
    char own_lines[HTTP_DATE_LINE + HTTP_REASON_LINE + 1]; /* of an answer of weir's own */
    struct h1_head request;                                /* valid while a callback runs */
    struct h1_head response;                               /* likewise */
    struct relay relay;
    char scratch[LOOP_BUF_HEADROOM]; /* a head that is being written */
    char cookies[HTTP_HEAD_MAX];     /* a request's Cookie fields without the session's */
};

struct http_service {
    const char *name;
    struct slice host; /* where an HTTP/1.0 client names none */
    uint16_t port;
    const struct http_conf *conf;
    const struct tls_server *tls; /* NULL: in the clear */
    struct h1_limits limits;
    metric_word *row;
    struct http_epoch *epoch;
    struct limit_budget budget; /* of what is sent once more */
};

struct http_epoch {
    struct http_worker *worker;
    struct snapshot *snap; /* borrowed from whoever made the epoch */
    struct upstream_set *upstreams;
    struct upstream_pool *async; /* the queue; NULL: no route needs it */
    uint32_t n_users;            /* exchanges, and 1 while it is the current one */
    uint32_t n_services;
    uint32_t n_loops; /* that share the limits */
    struct rng rng;   /* of the splits */
    struct sticky_keys sticky_keys;
    struct http_service *services;
    void (*on_gone)(struct http_epoch *epoch, void *ctx);
    void *gone_ctx;
};

struct http_listen {
    struct http_worker *worker;
    struct list link; /* in worker->listens */
    struct listener listener;
    struct http_service *service; /* of the current epoch; NULL: being closed */
    metric_word *row;             /* outlives the service: gauges are taken down with it */
    struct list clients;
    uint32_t n_clients;
    bool is_closing;  /* the last clients leave */
    bool is_internal; /* as its service's conf says, also when that is gone */
    struct loop_task free_task;
};

enum client_phase {
    CLIENT_IDLE,
    CLIENT_HEAD,
    CLIENT_BUSY,
    CLIENT_TUNNEL,
    CLIENT_LINGER,
    CLIENT_GONE
};

/* Bytes that came and could not be used yet. */
struct held {
    uint32_t len, cap;
    char bytes[];
};

struct http_exchange;
struct http_tunnel;

struct http_client {
    struct conn conn;
    struct loop_timer timer;        /* the deadline of the phase */
    struct list link;               /* in listen->clients, until GONE */
    struct http_listen *listen;     /* NULL: a tunnel whose listen is gone */
    struct http_exchange *exchange; /* BUSY with a pool */
    struct http_tunnel *tunnel;     /* TUNNEL */
    struct access *access;          /* BUSY or TUNNEL, where its request will be logged */
    struct held *held;              /* a part of a head, or requests that came early */
    struct loop_task free_task;
    struct addr peer;
    char ip[HTTP_IP_MAX]; /* of the peer, as members are told it; made once */
    uint8_t ip_len;
    uint64_t born_ns;
    uint64_t head_ns; /* HEAD: since when */
    uint32_t n_requests;
    uint8_t phase;    /* enum client_phase */
    bool is_readable; /* the kernel may have bytes that were not read */
    bool is_hangup;   /* the peer has closed its sending side: read until the end comes */
    bool must_close;  /* behind the answer that is being sent */
    bool is_flushing; /* between requests, while the last answer is still on its way */
    bool is_leaving;  /* it said itself that it sends no further request */
    bool is_shaking;  /* hands, before its first request */
    bool is_stranded; /* at an address that has left: closed by a reset behind its answer */
    uint8_t minor;    /* of the HTTP version of its last request */
};

/* --- client.c --- */
void client_accept(struct http_listen *listen, int fd, const struct addr *peer);
/* The answer is complete: on to the next request, or close behind it. */
void client_done(struct http_client *client);
/* Sets the time in which the next request must begin. While the last answer is still on its way to
 * a client that reads slowly, it has the time of a body that streams instead. */
void client_rest(struct http_client *client);
/* Closes behind what is being sent: no more is read but to throw it away. */
void client_linger(struct http_client *client);
/* Closes now. A reset where is_abort, so that the client sees that something is missing. */
void client_close(struct http_client *client, bool is_abort);
/* BUSY becomes TUNNEL. */
void client_tunnel(struct http_client *client, struct http_tunnel *tunnel);
/* The listen forgets it: it goes, or the listen does and a tunnel stays. */
void client_leave(struct http_client *client);
/* The phase ends in so many milliseconds from now. */
void client_deadline(struct http_client *client, int64_t ms);
/* The listen closes, or these were requests enough, or it is old: this answer is its last. */
bool client_is_last(const struct http_client *client);
/* held_recv() from the client, counted; says by is_readable whether there may be more. */
ssize_t client_recv(struct http_client *client, char **ret_buf);
/* Sends to the client and counts; -errno when it is gone. */
int client_send(struct http_client *client, const struct iovec *parts, int n_parts);

/* Why its request did not get what it asked for, for the access log. A literal. */
static inline void client_reason(struct http_client *client, const char *reason)
{
    if (client->access)
        client->access->reason = reason;
}
/* The status that its request is answered with, likewise. */
static inline void client_status(struct http_client *client, unsigned status)
{
    if (client->access)
        client->access->status = (uint16_t)status;
}

/* --- strand.c --- */
void strand_init(struct http_worker *worker);
void strand_deinit(struct http_worker *worker);

/* --- bytes between reads --- */
void held_keep(struct held **held, const char *bytes, size_t len);
void held_free(struct held **held);
/*
 * Reads once behind what is held, into the loop's buffer: >0 all bytes that are there now (*held is
 * empty then), 0 the end, -errno. *ret_is_drained: the kernel had no more.
 */
ssize_t held_recv(struct conn *conn, struct held **held, char **ret_buf, bool *ret_is_drained);

/* --- answer.c --- */
struct slice worker_date(struct http_worker *worker);
/* Answers by a reason of ours; the head in worker->request may be incomplete. */
void answer_reason(struct http_client *client, enum http_reason reason, bool is_head);
/* The same with another text than the reason's sentence, unless it is empty. */
void answer_reason_with(struct http_client *client, enum http_reason reason, const char *text,
                        bool is_head);
/* Closes, but for an expectation: that request was whole, and the next one is welcome. */
void answer_error(struct http_client *client, enum h1_error error, bool is_head);
/* respond and redirect. */
void answer_route(struct http_client *client, const struct route *route, const char *buf);
void count_status(metric_word *row, uint32_t first_word, unsigned status);

/* --- service.c --- */
void epoch_leave(struct http_epoch *epoch);
void listen_leave(struct http_listen *listen);

#endif
