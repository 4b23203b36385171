/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_JOBHTTP_H
#define WIRE_JOBHTTP_H

/*
 * HTTP messages as jobs and results: docs/formats/job-http.md is the specification.
 *
 *     weir-request/1 CRLF                      weir-response/1 CRLF
 *     POST /reports?year=2026 HTTP/1.1 CRLF    HTTP/1.1 201 Created CRLF
 *     Host: shop.example.org CRLF              Content-Type: text/plain CRLF
 *     Content-Type: application/json CRLF      Content-Length: 2 CRLF
 *     CRLF                                     CRLF
 *     {...}                                    ok
 *
 * A job whose body begins with that line is a request of its own: the queue sends its method,
 * target, host and fields, in place of a POST to the path that the file says. Any other body is
 * posted as it is. Who stores a request writes the line, the head as it came, and the body without
 * its framing; who reads it takes nothing on trust.
 *
 * What belongs to one connection, what weir says itself (weir-..., and webhook-... where it signs),
 * and what frames the body is left out of the fields that are read. No sockets, no clock.
 */

#include "base/slice.h"
#include "base/text.h"
#include "wire/h1.h"
#include <stdbool.h>

#define JOBHTTP_REQUEST  "weir-request/1\r\n"
#define JOBHTTP_RESPONSE "weir-response/1\r\n"

/* Slices lie in the bytes that were read. */
struct jobhttp_request {
    struct slice method; /* a token; neither CONNECT nor TRACE */
    struct slice target; /* begins with a slash, or is the * of OPTIONS */
    struct slice host;   /* with its port; not empty */
    struct slice body;
    bool has_key;                            /* an Idempotency-Key is among the fields */
    struct slice callback, failure_callback; /* Weir-Callback, Weir-Failure-Callback, or empty */
};

/*
 * Reads a job's whole body. 1 and *ret_request, its further fields appended to `lines` as complete
 * lines with CRLF; 0: it is no request; -1 and *ret_why, the end of a sentence ("names no host")
 * that lives for ever: it begins like one, and is none. is_signed: the delivery says webhook-...
 * itself, which is left out then.
 */
int jobhttp_read(struct slice job, bool is_signed, struct jobhttp_request *ret_request,
                 struct text *lines, const char **ret_why);

/* How a request becomes a job. */
struct jobhttp_store {
    bool has_credentials; /* Authorization and Cookie are stored, too */
    struct slice lines;   /* further complete lines with CRLF: weir's own, which no member sees */
};

/*
 * Appends a request as a job that jobhttp_read() reads as the same. `head` is complete and was
 * parsed from buf; `body` is whole, without its framing. Left out is what jobhttp_read() would
 * leave out, but webhook-... is kept; and Proxy-Authorization, and of Prefer what says when to
 * answer. 0; -1 and *ret_why as above, and nothing is appended.
 */
int jobhttp_write_request(const struct h1_head *head, const char *buf, struct slice body,
                          const struct jobhttp_store *store, struct text *out,
                          const char **ret_why);

/* A response that was stored. Slices lie in the bytes that were read. */
struct jobhttp_response {
    unsigned status;
    struct slice type; /* Content-Type; empty: none */
    struct slice body;
};

/*
 * Reads a whole result. 1 and *ret_response, its fields appended to `lines` (NULL: nowhere) as
 * complete lines but for those of the framing; 0: it is no response, but what a worker has said;
 * -1: it would be one, and is damaged.
 */
int jobhttp_read_response(struct slice result, struct jobhttp_response *ret_response,
                          struct text *lines);

/*
 * Appends a response with its whole body as a result. `head` is complete and was parsed from buf.
 * Fields that belong to one connection are left out; the length is that of `body`.
 */
void jobhttp_write_response(const struct h1_head *head, const char *buf, struct slice body,
                            struct text *out);

#endif
