/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_DELIVER_CONF_H
#define QUEUE_DELIVER_CONF_H

/*
 * The words of a delivery, and where it goes:
 *
 *     queue reports {
 *         deliver pool web path /reports timeout 5m
 *     }
 *
 * The process `queue` posts each job to DELIVER_SOCKET, a unix socket in the state directory at
 * which the edge listens as soon as one queue delivers (edge/deliver.h). A request there names its
 * pool by the field Weir-Pool, and so has what any request has: balancing, TLS towards members,
 * ejection, time-outs, retries. Any pool that a queue of the file delivers to may be named, no
 * other.
 *
 * The field Weir-Timeout tells the edge how long the head of the answer may take, so that it is the
 * edge who ends a delivery that takes too long, and knows which member is why: it is avoided and
 * ejected as one is that fails other requests. The queue's own time is longer by a grace, and ends
 * what the edge does not.
 *
 * Who may connect: the socket is of mode 0600 and belongs, like the folder it lies in, to the user
 * that weir's processes run as; so weir itself, that user, and root.
 *
 * Every answer of the edge's own carries Weir-Answer with the reason's name (http/answer.h:
 * `no_member` where nobody is up); an answer of a member never does. That is how a pool without
 * members is told from a member that says 503. The body says why nobody was reached.
 */

#include "conf/schema.h"
#include "core/module.h"
#include <stdbool.h>
#include <stdint.h>

#define DELIVER_SOCKET "deliver.sock" /* in the state directory */
#define DELIVER_LISTEN "deliver-socket"

enum {
    DELIVER_CONCURRENCY = 8, /* at once, where the queue says no other */
    DELIVER_GRACE_MS = 1000, /* behind the edge's time for the answer; for its end */
};

enum deliver_sign { DELIVER_SIGN_AUTO, DELIVER_SIGN_ON, DELIVER_SIGN_OFF };

struct deliver_conf {
    struct conf_object object;
    struct conf_ref pool_ref;
    struct slice path; /* "/reports?x", of jobs that are no requests */
    struct slice host; /* empty: the pool's name */
    struct slice type; /* Content-Type of jobs that are no requests */
    int64_t timeout_ms;
    int64_t response_bytes;
    int64_t retry_after_ms; /* the longest that a Retry-After counts */
    int64_t hold_ms;        /* until a pool that took nothing is tried again */
    int sign;               /* enum deliver_sign */
    /* --- filled by check --- */
    const char *pool_fact; /* "pool:web" */
    const char *open_fact; /* "failopen:web"; NULL: the pool has no such word */
    bool is_signed;
};

extern const struct conf_block deliver_block;

/* Finds the pool. 0, or -1 and it is told. */
int deliver_check(struct deliver_conf *deliver, const struct snapshot *snap,
                  struct conf_load *load);

/*
 * The n-th queue of the file, in its order, that delivers and what it says; NULL behind the last.
 * For the edge's check(), which may come before the queue's: nothing is checked yet.
 */
const struct deliver_conf *deliver_conf_at(const struct snapshot *snap, size_t n);

#endif
