/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_ASYNC_H
#define HTTP_ASYNC_H

/*
 * Requests that are done later. A route gives them to a queue, and the client has its answer as
 * soon as they are on the disk:
 *
 *     client --POST /reports--> edge --the same, and Weir-Async--> queue, at a socket of its own
 *            <-202, Location: /jobs/TOKEN--    <--
 *            --GET /jobs/TOKEN-->              --Weir-Async: job-->
 *            <-its state, or what a member answered--
 *
 *     route ... async reports              ALWAYS
 *     route ... pool web async reports     PREFER: who says Prefer: respond-async (RFC 7240)
 *     route ... pool web overflow reports  OVERFLOW: in place of a 503 of weir's own
 *     GET, HEAD, DELETE /jobs/TOKEN        JOB: on a listen that has one of these routes
 *
 * To the service the queue is one more member, of a pool that no file names (edge/async.h), so that
 * bodies stream there and wait for each other as to any member. What differs is how it is tried:
 *
 *     a try that breaks   another one at the same member, behind a pause, until `timeout async` is
 *                         over; then 503. A queue that starts again, or is being upgraded, takes
 *                         its connections a moment later
 *     what is repeated    any method: the queue knows the request by the id that the edge has drawn
 *                         for it, and answers a second put of the same id as it did the first.
 *                         `limits async` bytes of a body are kept for that; of a longer one nothing
 *                         is sent twice: 503
 *     the answer's time   `timeout async`, and what the client asked to wait (Prefer: wait=N)
 *
 * A request that overflows was sent to nobody: none of its bytes has left. HEAD, OPTIONS and TRACE
 * ask for something that has no use later, and a WebSocket cannot begin later: they are no matter
 * of PREFER and OVERFLOW, and an `async` route refuses a WebSocket with 400.
 *
 * Everything here is bytes in, bytes out.
 */

#include "http/route.h"
#include "wire/h1.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum async_mode {
    ASYNC_NONE, /* an ordinary request */
    ASYNC_ALWAYS,
    ASYNC_PREFER,
    ASYNC_OVERFLOW,
    ASYNC_JOB,
};

enum {
    ASYNC_ID_WORDS = 2,
    ASYNC_PATH_MAX = 200, /* bytes of `jobs-path` */
    ASYNC_LINE_MAX = 512, /* bytes that async_line() may write */
};

/* Where results are: a word of a listen. */
extern const char async_path_default[]; /* "/jobs" */

/* Begins with a slash, ends without one, and is neither long nor a query. */
bool async_path_is_valid(struct slice path);

/* "always". */
const char *async_mode_name(enum async_mode mode);

/* How the request goes by its head, where it is for the route; OVERFLOW comes later. */
enum async_mode async_mode_of(const struct route *route, const struct h1_head *head,
                              const char *buf);
/* May it be done later where there is no room now? A body without a length is tried. */
bool async_may_overflow(const struct route *route, const struct h1_head *head);
/* The seconds of Prefer: wait, at most so many; 0 without one. */
uint32_t async_wait_s(const struct h1_head *head, const char *buf, uint32_t most);
/* Is it for a job below that path: PATH/TOKEN or PATH/TOKEN/response, and a method for one? */
bool async_is_job(struct slice jobs_path, const struct h1_head *head, const char *buf);

/* What the queue is told. */
struct async_put {
    enum async_mode mode;
    struct slice queue;
    struct slice jobs_path;
    bool keeps_credentials;
    uint64_t id[ASYNC_ID_WORDS];
};

/* "Weir-Async: put; queue=reports; ...\r\n": its length. The names are those of a file. */
size_t async_line(const struct async_put *put, char out[ASYNC_LINE_MAX]);

/* For jobs: a route that no file has. */
extern const struct route async_job_route;

#endif
