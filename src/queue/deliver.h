/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_DELIVER_H
#define QUEUE_DELIVER_H

/*
 * Deliveries: the jobs of a queue with `deliver` are posted to a pool, through the edge's socket
 * (queue/deliver_conf.h). For the model a deliverer is a worker among others: each job that is
 * under way is leased by a connection of the model of its own (delivery.h), and one more such
 * connection waits for the next job, as long as one more may be under way.
 *
 *     model --RESERVED--> its waiter ... end of the turn: deliver_go_on()
 *                                             |
 *               delivery: body from the log, head, signature     delivery_call.c
 *                                             |
 *               web_call() to deliver.sock  ---------------->  edge ----> a member
 *                                             |
 *               deliver_judge()  <------------- answer           deliver_reply.h
 *                                             |
 *               model_finish(), model_fail_with(), model_give_back()
 *
 * Under way at once are at most `concurrency` jobs, and at most `window`, which begins at 1,
 * doubles with each job done, and is 1 again after a hold (deliver_hold.c):
 *
 *     [GOES] --pool down or draining (its fact), or nobody took a job (the edge's answer)--> [HELD]
 *     [HELD] --the fact says otherwise, and `hold` is over---------------------------------> [GOES]
 *
 * While it is held nothing is taken, and what was taken and seen by nobody is given back: no
 * attempt counts. A lease is renewed as long as its delivery is under way; `timeout` ends that.
 *
 * At least once: where this process, the edge or a member dies between a member's answer and the
 * record of it in the log, the job is delivered again. Receivers know it by its Idempotency-Key.
 *
 * A drain begins no delivery; those under way end, or are given back when the drain's time is over.
 * What a file says reaches deliveries that begin after it; a queue that delivers no more finishes
 * what it has.
 */

#include "queue/delivery.h"
#include "tls/key.h"

/* What of the file a deliverer needs; its own, so that no snapshot is held by what is under way. */
struct deliver_rule {
    struct addr addr; /* of the edge's socket */
    char *queue, *pool, *node, *path, *host, *type, *pool_fact, *open_fact; /* of mem_strdup() */
    uint32_t concurrency;
    uint32_t timeout_ms;
    size_t response_bytes;
    uint64_t retry_after_ms, hold_ms;
    bool is_signed;
    uint8_t key[TLS_KEY_BYTES]; /* of the signature */
};

struct deliverer {
    struct list node; /* hall.deliverers */
    struct hall *hall;
    struct deliver_rule rule;
    struct list flight;
    uint32_t n_flight;
    uint32_t window;
    struct delivery *next; /* waits for a job, or has just been given next->id; or NULL */
    bool is_waiting, is_told;
    bool is_held;
    bool is_held_told;                /* in the log, and nobody has taken a job since */
    char held_why[JOB_ERROR_MAX + 1]; /* the answer for which it was, or empty; likewise */
    bool is_leaving;                  /* its file is gone, or delivers no more */
    uint64_t hold_until_ns;           /* monotonic; 0: no hold but by the fact */
    struct loop_timer hold;           /* ends then */
    uint64_t n_ends[DELIVER_N_ENDS],
        n_told[DELIVER_N_ENDS]; /* so far; as far as the counters know */
};

/* ---- deliver.c: for queue.c ------------------------------------------------------------------ */

/* hall->snap is in force. Those of queues that stay keep what they have under way. */
void deliver_commit(struct hall *hall);
/* At the end of a turn: begins what may begin. True where it did something in the model. */
bool deliver_go_on(struct hall *hall);
/* Is nothing under way? */
bool deliver_is_idle(const struct hall *hall);
/* Gives back what is under way, at once; nothing is left. */
void deliver_stop(struct hall *hall);
/* The deliverer of that queue, or NULL. */
struct deliverer *deliver_find(const struct hall *hall, struct slice queue);

/* ---- deliver.c: for delivery.c --------------------------------------------------------------- */

/* The place that waited has a job, which is begun at the end of the turn. */
void deliver_told(struct deliverer *deliverer, struct delivery *delivery,
                  const struct model_action *action);
/* It is empty again: waits for the next job, or is freed. */
void deliver_left(struct deliverer *deliverer, struct delivery *delivery);

/* ---- deliver_hold.c -------------------------------------------------------------------------- */

/* The first of its life: no hold, and one at a time. */
void deliver_hold_init(struct deliverer *deliverer);
/* Looks whether it is to be held now. */
void deliver_look(struct deliverer *deliverer);
/* The queue of its callbacks that has no room for more, so that nothing more begins; or NULL. */
const char *deliver_full_callback(const struct deliverer *deliverer);
/* A model_path_fn, ctx is the hall: of a job of a queue that delivers, from its body. */
bool deliver_failure_path(void *ctx, const struct job *job, struct slice below,
                          struct slice *ret_path);
/* A delivery ended so; HELD: `why` is what the edge said. */
void deliver_note(struct deliverer *deliverer, enum deliver_end end, const char *why);

/* ---- deliver_rule.c -------------------------------------------------------------------------- */

/* Of a queue of hall->snap that delivers. */
void deliver_rule_init(const struct hall *hall, const struct queue_conf *queue,
                       struct deliver_rule *ret_rule);
void deliver_rule_deinit(struct deliver_rule *rule);

#endif
