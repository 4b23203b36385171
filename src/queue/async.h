/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_ASYNC_H
#define QUEUE_ASYNC_H

/*
 * Requests of asynchronous routes (async_conf.h): each becomes a job, or asks for one.
 *
 *     edge -- async.sock --> web/server.h -- admit: what it is, its queue, its size
 *                                 |
 *           put                   v                     job
 *     async_put.c <--------- async_dispatch() ------> async_look.c
 *       known already?                                  state, response, cancel
 *       room for it?                                       |
 *       the request as a job (wire/jobhttp.h)              |
 *          |                                               |
 *          '---> api_send(): when the log has it <---------'
 *
 * They are calls as those of the job API (api.h), on a listener of their own. A put is repeatable:
 * its unique key in the queue is made of the edge's id of the request, or of the client's
 * Idempotency-Key, so that the same request is the same job, also in another life of the process,
 * as long as the job or its result is there.
 *
 *     async:ID           32 hexadecimal digits
 *     async:HASH#HASH    of the Idempotency-Key and the Authorization; of the request
 *
 * Who prefers to wait (RFC 7240) is a call that WAITs, in async.watches by the job; the engine
 * tells each change of a job, the call's timer the end of the wait.
 */

#include "queue/api.h"
#include "queue/async_token.h"
#include "wire/jobasync.h"
#include "wire/jobhttp.h"
#include "wire/prefer.h"

enum { ASYNC_WATCHES = 1024 /* lists of calls that wait for jobs, by id */ };

struct async {
    struct async_keys keys; /* of the snapshot in force */
    struct list watches[ASYNC_WATCHES];
};

/* A request while it is handled. */
struct async_ask {
    struct api_ask *api;
    struct jobasync field;
    struct prefer prefer;
    const struct queue_conf *queue; /* PUT */
    struct slice token;             /* JOB */
    bool is_response;
};

/* ---- async.c: for queue.c, listen.c and api.c ------------------------------------------------ */

struct async *async_create(void);
void async_destroy(struct async **async);
/* hall->snap is in force. */
void async_commit(struct hall *hall);
/* A connection of the edge. */
void async_open(struct jobs_listener *listener, int fd);
/* As api_may_ask(), api_dispatch() and api_web_routes. */
bool async_may_ask(struct web_exchange *exchange, void *ctx);
void async_dispatch(struct jobs_listener *listener, struct web_exchange *exchange);
extern const struct web_route async_web_routes[];
/* Job id is in another state, or gone. */
void async_changed(struct hall *hall, uint64_t id);

/* ---- among themselves ------------------------------------------------------------------------ */

/* What the edge says of a request; 0, or -1: nothing, or nonsense. */
int async_field_read(const struct web_exchange *exchange, struct jobasync *ret_field);
/* The request is answered when the job is over, or when the wait that the client prefers is.
 * put_lsn: what the answer to a put waits for, 0: it is none. */
void async_wait(struct async_ask *ask, uint64_t id, uint64_t put_lsn);
/* Is it over, or gone (NULL)? */
bool async_is_over(const struct job *job);
/* Says which job: "/jobs/TOKEN". */
void async_path(const struct async_ask *ask, const struct job *job, struct text *out);
/* For how long may the answer wait? 0: not at all. */
uint64_t async_wait_ms(const struct async_ask *ask);

/* async_put.c */
void async_put(struct async_ask *ask);
/* The answer to a put, of the job as it is now; NULL: it is gone. */
void async_answer_put(struct async_ask *ask, const struct job *job, uint64_t lsn);

/* async_look.c */
void async_look(struct async_ask *ask);
/* Type, body and Retry-After of an answer that tells the state of a job. */
void async_state_write(const struct async_ask *ask, const struct job *job,
                       struct api_answer *answer);
void async_answer_state(struct async_ask *ask, const struct job *job);
/* What the member has answered: 0, or -1 and nothing is answered, as nothing was kept. */
int async_answer_response(struct async_ask *ask, const struct job *job);
/* "waiting", "delayed", "running", "done", "dead" */
const char *async_state_name(const struct job *job);

#endif
