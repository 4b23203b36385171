/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEB_SERVER_PART_H
#define WEB_SERVER_PART_H

/*
 * The parts of the server among themselves:
 *
 *     server.c         who is let in: listening sockets, limits, the drain
 *     server_conn.c    one connection: its states, its bytes, its time-outs
 *     server_answer.c  which row a request has, and what is said
 */

#include "base/list.h"
#include "base/text.h"
#include "net/listener.h"
#include "web/body.h"
#include "web/server.h"

enum web_state {
    WEB_IDLE,   /* nothing of a request is here; in server->idle */
    WEB_HEAD,   /* a part of a head is here */
    WEB_BODY,   /* the head is complete and admitted, the body is not complete */
    WEB_HANDLE, /* the exchange is the handler's */
    WEB_FLUSH,  /* answered; the kernel has not taken all of it */
    WEB_LINGER, /* all is said; what still comes is thrown away until the client closes */
    WEB_CLOSED, /* freed at the end of the turn */
    WEB_N_STATES
};

/* From the first byte of a request to the end of its answer. */
struct web_request {
    struct text in; /* what came: the head, then what is not used yet */
    struct h1_head head;
    struct h1_body body;
    struct web_body content;
    const struct web_route *route;
};

struct web_conn {
    struct conn conn;
    struct web_exchange exchange;
    struct web_server *server;
    struct list link; /* in server->conns */
    struct list idle; /* in server->idle, the oldest first */
    struct loop_timer timer;
    struct loop_task free_task;
    struct addr peer;
    struct web_request *request; /* NULL while idle */
    struct text kept;            /* bytes of the next request that came with the last one */
    size_t n_pending;            /* what the kernel had not taken when last looked at */
    enum web_state state;
    bool is_readable; /* the kernel has not said EAGAIN since the last event */
    bool is_eof;
    bool is_running;
    bool is_answered; /* this exchange; asserted against a second answer */
    bool is_close;    /* behind this answer */
    bool has_asked;   /* a request has begun */
};

struct web_listener {
    struct listener listener;
    struct web_server *server;
    const void *origin;
    int fd; /* -1: free */
};

struct web_server {
    struct loop *loop;
    struct web_config config;
    struct web_counters counters;
    struct list conns;
    struct list idle;
    struct web_listener listeners[WEB_LISTENERS_MAX];
    bool is_draining;
};

/* ---- server_conn.c --------------------------------------------------------------------------- */

/* A connection that is not open yet. */
struct web_conn *web_conn_make(struct web_server *server, const void *origin,
                               const struct addr *peer);
void web_conn_on_event(struct conn *conn, uint32_t events);
/* Its descriptor is open: it is the server's. */
void web_conn_begin(struct web_conn *web);
/* Goes as far as the bytes that are here reach. */
void web_conn_run(struct web_conn *web);
void web_conn_close(struct web_conn *web);
/* The server drains, and this one is idle: it closes now, or may still ask for the first time. */
void web_conn_drain(struct web_conn *web);
/* The only place where a state changes: the list and the time-out follow it. */
void web_conn_move(struct web_conn *web, enum web_state state);

/* ---- server_answer.c ------------------------------------------------------------------------- */

/* Answers 404 or 405 where there is no row, and returns NULL. */
const struct web_route *web_route_find(struct web_exchange *exchange,
                                       const struct web_route *routes);

#endif
