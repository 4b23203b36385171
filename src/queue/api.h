/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_API_H
#define QUEUE_API_H

/*
 * The job API: the full model of jobs by HTTP and JSON (weir(1), JOB API, and for machines
 * docs/formats/jobs-api.openapi.json). It is served where the job protocol is, on every `jobs`
 * listener: client.c reads the first line of a connection, and gives one of HTTP over to the
 * listener's web_server.
 *
 *     client.c -- api_take() --> web/server.h -- admit: token, route, size
 *                                      |
 *                                      v
 *     api_route.c     which row, its id, queue or lease        struct api_ask
 *     api_put.c       put, batch
 *     api_work.c      reserve, and what a lease allows
 *     api_look.c      jobs, bodies, results, lists, queues
 *     api_change.c    delete, kick, bury, pause
 *                                      |
 *                                      v  api_send()
 *     api.c           the answer waits for the log, the request for room or for a job
 *
 * A request that is not answered in the call of its handler has a call, in the list of its stage:
 *
 *     HELD      it is answered when the log has its lsn
 *     PARKED    the log has no room yet: it is asked again from its start
 *     WAITING   a reserve: the model says when there is a job, or that the time is over; or
 *               somebody else's wait (struct api_wait)
 *     TOLD      it need not wait any more: it is answered at the end of the turn
 *
 * Leases of HTTP do not hang on a connection. One connection of the model, the holder, has all of
 * them; a worker shows the token of its lease (api_token.h). A lease ends when its time is over,
 * the job is gone, or the process ends.
 *
 * A body comes in whole before it is a job, up to `limits job` of the listener: in memory, or where
 * it is long in a file without a name in the state directory (web/body.h).
 */

#include "queue/api_token.h"
#include "queue/api_word.h"
#include "queue/internal.h"
#include "web/server.h"

enum {
    API_JOBS_MAX = 1000,    /* of a batch, of a page, of a reserve, of a kick */
    API_PAGE = 100,         /* jobs of a page that does not say how many */
    API_RETRY_AFTER_S = 1,  /* said with 503 and 507 */
    API_ANSWER_MS = 120000, /* for the log, beyond what a reserve waits */
};

enum api_stage { API_HELD, API_PARKED, API_WAITING, API_TOLD, API_N_STAGES };

/* An answer on its way. `body` and `lines` are its own. */
struct api_answer {
    uint16_t status;
    const char *type;
    struct text body;
    struct text lines; /* further fields, complete */
    bool is_bare;      /* struct web_answer's */
};

struct api_call;

/* What a call waits for, beside the log. */
struct api_wait {
    /* It waits no more: whoever would have told it forgets it. */
    void (*leave)(struct api_call *call);
    /* TOLD: answers it, and frees it. */
    void (*answer)(struct api_call *call);
    /* WAITING or TOLD, and nobody hears the answer: as if it had not asked. It is freed then. */
    void (*end)(struct api_call *call);
};

struct api_call {
    struct list node; /* in api.calls[stage] */
    enum api_stage stage;
    struct waiter waiter;
    struct jobs_listener *listener;
    struct web_exchange *exchange;
    uint64_t lsn;                /* HELD */
    struct api_answer answer;    /* HELD */
    const struct api_wait *wait; /* WAITING, TOLD */
    /* A reserve */
    struct model_conn *conn;
    uint32_t n_jobs; /* that it asks for */
    bool has_job;    /* TOLD: told_id, which conn has leased */
    uint64_t told_id;
    /* async.h */
    uint64_t put_id;         /* the job that it has put; 0: none */
    uint64_t put_lsn;        /* that the answer to a put waits for */
    uint64_t watched_id;     /* the job that it waits for */
    struct list watch;       /* in async.watches, while it WAITs */
    struct loop_timer timer; /* the end of the wait */
};

struct api {
    struct list calls[API_N_STAGES];
    struct model_conn *holder; /* NULL until there is a lease */
    struct tls_mac *mac;       /* of tokens */
};

/* A request while its handler runs. */
struct api_ask {
    struct jobs_listener *listener;
    struct hall *hall;
    struct engine *engine;
    struct web_exchange *exchange;
    const struct api_route *route;
    struct model_now now;
    struct slice name;  /* of the route's {queue} or {lease}, decoded */
    struct text room;   /* the name */
    struct text words;  /* values of the query */
    struct text lines;  /* further fields of a refusal */
    uint64_t id;        /* of {id}, and of {lease} */
    uint64_t put_id;    /* of the job that an asynchronous route has put; 0: none */
    struct tube *tube;  /* of {queue}, NULL: there is none */
    struct slice query; /* not decoded */
    struct slice body;
};

typedef void api_handle_fn(struct api_ask *ask);

enum api_body { API_NO_BODY, API_JOB_BODY, API_BATCH_BODY };

/* Requests are counted by it. */
enum api_sort { API_PUT, API_RESERVE, API_LEASE, API_LOOK, API_CHANGE };

/* One row of the table of routes; {id}, {queue} and {lease} stand for one part of the path. */
struct api_route {
    enum h1_method method;
    const char *path; /* NULL ends the table */
    enum api_sort sort;
    enum api_body body;
    api_handle_fn *handle;
};

/* ---- api.c: the life of it ------------------------------------------------------------------- */

struct api *api_create(void);
/* No call is left. */
void api_destroy(struct api **api);

/* The web server of a listener whose conf is set, made or brought up to date. */
void api_configure(struct jobs_listener *listener);
/* Closes its connections. */
void api_close(struct jobs_listener *listener);
/* Gives a connection over that has sent `bytes`, the beginning of a request. */
void api_take(struct jobs_listener *listener, struct conn *conn, struct slice bytes);

/* Answers up to lsn leave; requests that waited for room are asked again. */
void api_release(struct hall *hall, uint64_t lsn);
/* The log has failed. */
void api_fail(struct hall *hall);
/* Those who were told are answered. Returns true where there was one. */
bool api_go_on(struct hall *hall);
/* Nobody gets a job any more; connections close where nothing is under way. */
void api_drain(struct hall *hall);
/* Before the log is given back: the leases end. */
void api_stop(struct hall *hall);
/* Counters of the listener's web server. */
void api_publish(struct jobs_listener *listener);
/* Connections of HTTP. */
uint32_t api_n_conns(const struct jobs_listener *listener);

/* ---- answers --------------------------------------------------------------------------------- */

/*
 * Answers when the log has lsn, 0: now. Takes what the answer has. -1 where the client is known to
 * be gone already, which only lsn 0 tells.
 */
int api_send(struct api_ask *ask, struct api_answer *take_answer, uint64_t lsn);
/* 204 */
void api_send_nothing(struct api_ask *ask, uint64_t lsn);
/* {"error": sentence}, at once, and counted by its status. */
void api_refuse(struct api_ask *ask, uint16_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, counted as a word of the listener. */
void api_refuse_as(struct api_ask *ask, uint16_t status, enum jobs_word word, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));
/* The refusal that fits what the model or the log says; `err` where the client's words are wrong.
 */
void api_refuse_err(struct api_ask *ask, const struct err *err);
void api_refuse_full(struct api_ask *ask);
void api_refuse_draining(struct api_ask *ask);
void api_refuse_broken(struct api_ask *ask);

/* Would the log take so much? If not the request was refused, or is asked again later. */
bool api_may(struct api_ask *ask, enum wal_class class, size_t n_bytes);
/* The words of the query into `self`; false: refused. */
bool api_words(struct api_ask *ask, const struct api_word *words, void *self);

/* The request waits; its exchange is the call's from now on. */
struct api_call *api_call_make(struct api_ask *ask, enum api_stage stage);
/* Out of its list, and freed; its exchange is no longer anybody's. */
void api_call_free(struct api_call **call);
void api_call_move(struct api_call *call, enum api_stage stage);

/* The ask of an exchange, made anew. */
void api_ask_init(struct api_ask *ask, struct jobs_listener *listener,
                  struct web_exchange *exchange);
void api_ask_deinit(struct api_ask *ask);

/* ---- api_route.c ----------------------------------------------------------------------------- */

extern const struct web_route api_web_routes[];
/* May it be asked at all? Else it was answered. */
bool api_may_ask(struct web_exchange *exchange, void *ctx);
/* Finds the handler and calls it. */
void api_dispatch(struct jobs_listener *listener, struct web_exchange *exchange);

/* ---- api_json.c ------------------------------------------------------------------------------ */

/* The members of a job, in an object that has begun. */
void api_json_job(struct json *json, const struct hall *hall, const struct job *job,
                  struct model_now now);
void api_json_body(struct json *json, struct slice body);
void api_json_tube(struct json *json, const struct tube *tube, struct model_now now);

/* ---- handlers -------------------------------------------------------------------------------- */

api_handle_fn api_put, api_batch;
api_handle_fn api_reserve, api_touch, api_progress, api_finish, api_release_lease, api_fail_lease,
    api_bury_lease;
api_handle_fn api_job, api_job_body, api_result, api_list, api_queues, api_queue;
api_handle_fn api_delete, api_kick_job, api_bury_job, api_kick, api_pause, api_unpause;

#endif
