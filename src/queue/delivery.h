/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_DELIVERY_H
#define QUEUE_DELIVERY_H

/*
 * One delivery: a job that a deliverer (deliver.h) has under way, or the place for the next one.
 * It has a connection of the model for itself, so that its lease is its own, and is freed when it
 * has neither a job nor a turn.
 *
 *     [EMPTY] --a job is leased--> [BEGINS] --its put is on the disk, its body here--> [ASKED]
 *        ^                            |                                                   |
 *        |<--deleted, lease lost------+---------------------------------------------------+
 *        |                            | it can never be sent                   the answer |
 *        '--in the model and so in the log-- [JUDGED] <-----------------------------------'
 *                                     stays while the log has no room
 *
 * BEGINS waits for two things. No member hears of a job before it is on the disk, for a job that a
 * crash takes back would come again under another's id, with another's Idempotency-Key. And a body
 * that the kernel has to bring from the disk is brought by a thread (engine_warm()); the loop goes
 * on meanwhile, and so does the lease.
 */

#include "queue/deliver_reply.h"
#include "queue/internal.h"
#include "web/client.h"

enum { DELIVERY_LEASE_PARTS = 3 }; /* of a lease: it is renewed so often */

struct deliverer;

enum delivery_state { DELIVERY_EMPTY, DELIVERY_BEGINS, DELIVERY_ASKED, DELIVERY_JUDGED };

struct delivery {
    struct waiter waiter; /* the owner of conn */
    struct list node;     /* deliverer.flight, unless EMPTY */
    struct deliverer *deliverer;
    struct model_conn *conn;
    uint64_t id;
    enum delivery_state state;
    struct wal_warm *warm; /* BEGINS: the disk brings the body */
    bool is_warm;          /* it has */
    bool is_request;       /* the job said what to ask, and its result is the whole response */
    struct web_call *call; /* ASKED */
    struct loop_timer timer;
    struct deliver_verdict verdict; /* JUDGED */
    struct text result;
};

/* ---- delivery.c ------------------------------------------------------------------------------ */

/* An empty one, whose connection watches the queue alone; NULL: there are too many queues. */
struct delivery *delivery_create(struct deliverer *deliverer);
/* What it still has is lost to it, as a worker's is whose connection ends. */
void delivery_destroy(struct delivery **delivery);

/* It is in the flight of its deliverer, and its connection has the job's lease. */
void delivery_enter(struct delivery *delivery, uint64_t id);
/* BEGINS, JUDGED: goes on where it can now. True where it left the flight. */
bool delivery_go_on(struct delivery *delivery);
/* Ends it in any state: what is not judged is given back, and no attempt counts. */
void delivery_give_up(struct delivery *delivery);

/* ---- delivery_call.c ------------------------------------------------------------------------- */

/*
 * Sends the job with that body, whose lease the delivery has. 0, or 1 and *ret_why: it is no
 * request, and can never be sent; a literal, the end of a sentence.
 */
int delivery_call(struct delivery *delivery, const struct job *job, struct slice body,
                  const char **ret_why);
/* delivery.c: the answer has come. */
void delivery_on_reply(void *ctx, const struct web_reply *web);

#endif
