/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_JOBPROTO_GREET_H
#define WIRE_JOBPROTO_GREET_H

/*
 * Which protocol a client of a `jobs` listener speaks, told by the first line that it sends:
 *
 *     put 0 0 60 5 CR LF                  beanstalkd's: its commands are lower case letters
 *     GET /v1/queues HTTP/1.1 CR LF       HTTP: a method of capitals, a target, " HTTP/" and digits
 *
 * What could be either is decided by the end of the line. Capitals that are no request of HTTP are
 * left to the job protocol, which answers them as it always did. A line that is longer than any of
 * the job protocol, and begins as a request of HTTP does, is one.
 */

#include "base/slice.h"

enum jobproto_greeting {
    JOBPROTO_GREET_MORE, /* the line has not said yet; fewer than JOBPROTO_LINE_MAX bytes */
    JOBPROTO_GREET_JOBS,
    JOBPROTO_GREET_HTTP,
    JOBPROTO_GREET_TLS, /* a handshake (RFC 8446 section 5.1): nothing comes of it here */
};

/* `bytes`: all that has come since the connection began. */
enum jobproto_greeting jobproto_greet(struct slice bytes);

#endif
