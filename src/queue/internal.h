/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_INTERNAL_H
#define QUEUE_INTERNAL_H

/*
 * The parts of the queue's process among themselves. It has one loop, which owns all of it:
 *
 *     queue.c     the module's life: the log is opened, files come and go
 *     listen.c    the listeners of the file
 *     client.c    a connection: bytes in, answers out in order, what holds both up
 *     command.c   what a command becomes; those that give a job are in command_job.c
 *     report.c    the documents of stats
 *     api.h       requests of HTTP, which client.c finds to be none of its own
 *     async.h     requests of asynchronous routes, which the edge sends
 *     publish.c   facts and counters by queue
 *     explain.c   why something is as it is; explain_why.c has the sentences
 *     engine.c    the model, its log and its time
 *     schedule.c  jobs that the clock puts
 *     callback.h  what a queue puts into another one when a job ends
 *     deliver.c   jobs that are posted to a pool; delivery.c is one of them under way
 *
 * A client is in at most one list of each of these:
 *
 *     jobs_listener.clients   it is there
 *     hall.ready              something of its changed: it goes on at the end of the turn
 *     hall.held               answers wait for the log, who waits for the least first
 *     hall.parked             a command waits for the log to have room
 */

#include "base/list.h"
#include "core/process.h"
#include "core/slabs.h"
#include "net/conn.h"
#include "net/listener.h"
#include "queue/conf.h"
#include "queue/count.h"
#include "queue/engine.h"
#include "tls/tls.h"
#include "web/server.h"
#include "wire/jobproto.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/utsname.h>

/* A listener while it is there, across files. */
struct jobs_listener {
    char name[128];
    struct addr addr;
    struct hall *hall;
    struct listener listener;
    struct list clients;
    const struct jobs_conf *conf; /* of the present file */
    struct shared_slab *slab;
    metric_word *row;
    struct tls_server *tls, *coming_tls; /* NULL: plain */
    struct web_server *web;              /* connections of HTTP */
    /* Finds who answers a request, and asks there; again where it had to wait for the log. */
    void (*dispatch)(struct jobs_listener *listener, struct web_exchange *exchange);
    struct web_counters web_told; /* as far as the counters know */
    int fd;                       /* its own */
    uint32_t n_clients;           /* open, those of HTTP not among them */
    bool is_open;                 /* it accepts */
};

/* What there is of a queue of the file, beside its tube: how it is counted. */
struct queue_tally {
    const struct queue_conf *conf;
    struct shared_slab *slab;
    struct tube_counts told; /* as far as the counters know */
};

/* Whom a connection of the model is for: its `owner`. Called from within engine_settle(). */
struct waiter {
    void (*told)(struct waiter *waiter, const struct model_action *action);
};

/* Refusals for want of room for the log, as far as they are told. */
struct hall_full {
    uint64_t n_seen;  /* of the counter */
    uint64_t n_told;  /* in the log of weir */
    uint64_t seen_ns; /* when there was one; 0: never */
    uint64_t told_ns; /* when that was told; 0: never */
};

struct hall {
    struct process *process;
    struct loop *loop;
    struct slabs slabs;
    struct engine engine;
    struct api *api;
    struct async *async;
    struct snapshot *snap; /* in force, or NULL; a reference */
    struct snapshot *next; /* prepared; a reference */
    struct jobs_listener **listeners;
    struct jobs_listener **coming; /* of `next`: those that stay and those that are new */
    size_t n_listeners, n_coming;
    struct queue_tally *tallies, *coming_tallies;
    size_t n_tallies, n_coming_tallies;
    struct shared_slab *log_slab; /* of the log */
    struct hall_full full;
    struct list ready, held, parked;
    struct list deliverers;    /* of the queues that deliver (deliver.h) */
    struct loop_timer retry;   /* another process has the log */
    struct loop_timer publish; /* facts and counters */
    struct loop_timer let_go;  /* the end of a hand-over's time */
    bool is_closing;           /* a drain */
    bool is_letting_go;        /* of the log, when no delivery is under way any more */
    bool is_closed;            /* the log was given back */
    /* For `stats`. */
    uint64_t n_commands[JOBPROTO_N_VERBS];
    /* Only of what is there now but for the second. */
    uint64_t n_conns, n_total_conns, n_producers, n_workers, n_waiting;
    uint64_t started_ns;
    char id[17];
    struct utsname system;
};

const struct queue_module_conf *queue_conf_of(const struct snapshot *snap);

/* ---- listen.c -------------------------------------------------------------------------------- */

/* Finds or makes the listeners of hall->next. 0, or -1 with err. */
int listen_prepare(struct hall *hall, struct err *err);
void listen_abort(struct hall *hall);
void listen_commit(struct hall *hall);
/* Accepts where the log is open and nothing drains. */
void listen_open(struct hall *hall);
void listen_close(struct hall *hall);
/* Closes all that there is. */
void listen_stop(struct hall *hall);

/* ---- publish.c ------------------------------------------------------------------------------- */

int publish_prepare(struct hall *hall, struct err *err);
void publish_abort(struct hall *hall);
void publish_commit(struct hall *hall);
/* Facts and counters as they are now. */
void publish_all(struct hall *hall);
void publish_stop(struct hall *hall);

/* ---- report.c -------------------------------------------------------------------------------- */

void report_job(struct hall *hall, const struct job *job, struct text *out);
/* The same for weir's own show-job: of what is done, too. */
void report_shown_job(struct hall *hall, const struct job *job, struct text *out);
void report_tube(struct hall *hall, const struct tube *tube, struct text *out);
void report_all(struct hall *hall, struct text *out);
void report_tubes(struct hall *hall, struct text *out);
/* The page of a tube's jobs that a list-jobs asks for. */
void report_jobs(struct hall *hall, const struct tube *tube, const struct jobproto_command *command,
                 struct text *out);

/* ---- leave.c --------------------------------------------------------------------------------- */

/* The module's leaves(). */
void queue_leaves(const struct snapshot *before, const struct snapshot *after,
                  const struct board *board, struct conf_diag *diag);

/* ---- status.c -------------------------------------------------------------------------------- */

/* The members of an object that has begun. */
void status_tell(const struct hall *hall, struct json *json);

#endif
