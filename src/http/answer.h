/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_ANSWER_H
#define HTTP_ANSWER_H

/*
 * What weir answers by itself, and why: each reason with its status, its name in metrics and logs,
 * and the sentence that the client reads. Answers to malformed requests have reasons of their own,
 * in wire/h1.h.
 */

#include <stdbool.h>
#include <stdint.h>

enum http_reason {
    HTTP_NO_ROUTE,      /* 404 */
    HTTP_RESPOND,       /* as the route says */
    HTTP_REDIRECT,      /* as the route says */
    HTTP_NO_MEMBER,     /* 503: nobody is up */
    HTTP_QUEUE_FULL,    /* 503: no member has room, and as many wait as may */
    HTTP_QUEUE_LATE,    /* 503: it waited as long as it may */
    HTTP_UNREACHABLE,   /* 502: no member could be reached */
    HTTP_BROKEN,        /* 502: the member closed before it answered */
    HTTP_NONSENSE,      /* 502: the member's answer is not HTTP */
    HTTP_LATE,          /* 504: the member did not answer in time */
    HTTP_OVERDUE,       /* 504: the request as a whole took too long */
    HTTP_HEAD_LATE,     /* 408: the request's head did not come in time */
    HTTP_BODY_LATE,     /* 408: the request's body did not come in time */
    HTTP_BODY_SLOW,     /* 408: it came, but below its rate */
    HTTP_BODY_LARGE,    /* 413: it is over its limit */
    HTTP_CROWDED,       /* 503: too many connections */
    HTTP_ASYNC_AWAY,    /* 503: the queue that the request is for takes nothing now */
    HTTP_ASYNC_LATE,    /* 503: it has the request, and did not say in time that it keeps it */
    HTTP_ASYNC_UPGRADE, /* 400: a WebSocket where requests are done later */
    HTTP_N_REASONS,
};

struct http_reason_row {
    const char *name;
    uint16_t status; /* 0: the route says */
    bool is_close;
    uint32_t retry_after_s;
    const char *sentence; /* the body; NULL: only the status */
};

const struct http_reason_row *http_reason_row(enum http_reason reason);

#endif
