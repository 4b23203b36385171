/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEB_CLIENT_H
#define WEB_CLIENT_H

/*
 * A small HTTP/1 client for what weir itself asks of others: checks of members now, callbacks of
 * jobs later. One call is one request on a connection of its own, with one deadline for all of it,
 * and ends in exactly one callback, with a response or with a named reason why there is none.
 *
 *     web_call_start -> [ connect ] -> [ send, read the head ] -> [ read the body ] -> fn()
 *                             \                 \                        \
 *                              +-----------------+------------------------+-- a reason -> fn()
 *
 * No redirect is followed, no name is resolved, no connection is kept, nothing is tried again: that
 * is the caller's to decide. Interim responses (1xx) are read and passed over. The head and the
 * body are bounded; a response beyond that is WEB_CALL_TOO_LARGE.
 *
 * A caller who wants the status alone says so (is_status_enough): the body is then read and thrown
 * away, only so that the peer sees its answer taken rather than reset, and neither its size, its
 * end nor the deadline takes the status back.
 *
 * A caller to whom a response counts from its head on (is_part_enough) gets what has come of the
 * body when its end, its limit, the deadline or the end of the connection comes;
 * web_reply.is_whole says whether that is all of it.
 *
 * A caller who looks for a text in the body names it (body_text): the call is over as soon as the
 * text has come, or body_max bytes without it, and web_reply.has_body_text says which.
 */

#include "base/addr.h"
#include "base/slice.h"
#include "core/loop.h"
#include "tls/tls.h"
#include "wire/h1.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WEB_CALL_HEAD_MAX = 32 * 1024, /* bytes of a head, interim ones too */
    WEB_CALL_BODY_MAX = 64 * 1024, /* the default of web_ask.body_max */
    WEB_CALL_INTERIM_MAX = 8,      /* interim responses before the final one */
};

enum web_outcome {
    WEB_CALL_OK,
    WEB_CALL_REFUSED,     /* connection refused; unix: no socket there, or its backlog is full */
    WEB_CALL_UNREACHABLE, /* no route, host or network unreachable */
    WEB_CALL_CONNECT_TIMEOUT, /* the connection was not made within the time */
    WEB_CALL_TIMEOUT,         /* connected, but no whole response within the time */
    WEB_CALL_RESET,
    WEB_CALL_CLOSED,       /* the peer closed before the response was whole */
    WEB_CALL_BAD_RESPONSE, /* not HTTP/1; web_reply.h1_error says what is wrong with it */
    WEB_CALL_TOO_LARGE,
    WEB_CALL_TLS,         /* no handshake: web_reply.tls_reason says why */
    WEB_CALL_NO_RESOURCE, /* our own fault: no descriptor, port or memory left */
    WEB_N_OUTCOMES
};

/* "connection refused". */
const char *web_outcome_text(enum web_outcome outcome);
/* What an errno of connect, send or recv means; it is not 0. */
enum web_outcome web_outcome_of(int error);

struct web_ask {
    const struct addr *addr;      /* copied, as is all below */
    struct slice method;          /* a token */
    struct slice target;          /* "/healthz?deep" */
    struct slice host;            /* the Host field */
    struct slice lines;           /* further complete lines with CRLF, or empty */
    struct slice body;            /* sent with its Content-Length where it is not empty */
    uint32_t timeout_ms;          /* for everything */
    size_t body_max;              /* bytes of the response's body; 0: WEB_CALL_BODY_MAX */
    const struct tls_client *tls; /* NULL: in the clear */
    struct slice tls_name;        /* for tls_connect() */
    struct slice body_text;       /* what is looked for in the response's body; empty: nothing */
    bool is_status_enough;
    bool is_part_enough;
};

/* Lives until the callback returns. */
struct web_reply {
    enum web_outcome outcome;
    enum h1_error h1_error;     /* WEB_CALL_BAD_RESPONSE */
    const struct h1_head *head; /* NULL unless WEB_CALL_OK */
    const char *head_bytes;     /* what head's spans index */
    const char *tls_reason;     /* WEB_CALL_TLS; lives as long as the program */
    struct slice body;          /* empty where is_status_enough */
    bool has_body_text;
    bool is_whole;    /* the body came to its end, and all of it is in `body` */
    uint64_t took_ns; /* from the start to the response's head, or to the failure */
};

struct web_call;
typedef void web_call_fn(void *ctx, const struct web_reply *reply);

/* fn comes from the loop, never from within this call; the call is over when it comes. */
struct web_call *web_call_start(struct loop *loop, const struct web_ask *ask, web_call_fn *fn,
                                void *ctx);
/* Ends it without a callback. NULL is fine. */
void web_call_cancel(struct web_call **call);

#endif
