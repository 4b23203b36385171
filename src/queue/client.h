/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_CLIENT_H
#define QUEUE_CLIENT_H

/*
 * A connection of the job protocol: commands are answered in their order, and an answer leaves
 * when the log has what it says.
 *
 *     in     what was read and not taken yet: the beginning of a command, or what came behind one
 *            that waits
 *     out    | sent | may leave        | waits for lsn 7 | waits for lsn 9 |
 *                    out_at             gates[0].at       gates[1].at
 *
 * Its first line says whether it is one at all: HTTP is given over to the job API (api.h).
 *
 * Nothing is read while the client waits for a job (but for its hang-up), while a command waits
 * for the log to have room or for the disk to bring a body, or while more answers wait for the
 * client than `limits output`.
 */

#include "queue/internal.h"
#include "wire/jobproto_greet.h"
#include "wire/jobproto_write.h"

enum { CLIENT_GATES = 16 };

/* From `at` on the answers wait for lsn. */
struct client_gate {
    size_t at;
    uint64_t lsn;
    uint64_t turn_ns; /* when it was last used: answers of one turn share a gate */
};

/* A command whose body is whole, and that the log has no room for yet. */
enum client_parked { CLIENT_NOT_PARKED, CLIENT_PARKED_LINE, CLIENT_PARKED_BODY };

enum client_phase { CLIENT_QUIET, CLIENT_IN_REQUEST, CLIENT_SENDING };

struct client {
    struct list node;   /* jobs_listener.clients */
    struct list ready;  /* hall.ready */
    struct list held;   /* hall.held */
    struct list parked; /* hall.parked */
    struct hall *hall;
    struct jobs_listener *listener;
    struct conn conn;
    struct loop_timer timer;
    enum client_phase phase;
    uint64_t n_requests; /* that are whole, or nearly: it grows as they end */
    uint64_t n_handed;   /* bytes of answers that left `out` */
    uint64_t progress;   /* of the phase, when its timer was set */
    struct model_conn *model;
    struct waiter waiter;            /* what it got */
    enum jobproto_greeting greeting; /* HTTP: it is the job API's at the end of the event */
    struct jobproto_reader reader;
    struct text in;
    struct text out;
    size_t out_at;
    struct client_gate gates[CLIENT_GATES];
    uint32_t n_gates;
    struct jobproto_command command; /* of the body that is coming */
    struct text body;
    struct jobproto_options options; /* for the next put */
    char key[JOBPROTO_KEY_MAX];      /* of the options */
    enum job_error put_error;        /* likewise, with its text, and a result */
    struct text put_error_text;
    struct text put_result;
    uint32_t n_batch; /* what batch-reserve asked for; 0: a plain reserve */
    uint64_t *batch;  /* what it got, NULL: nothing yet */
    uint32_t n_got, n_good, batch_at;
    struct wal_warm *warm; /* the disk brings a body */
    bool is_warm;          /* it has, of what comes next */
    enum client_parked parked_as;
    enum model_result told; /* what the wait ended with */
    uint64_t told_id;
    bool is_told; /* that is to be answered at the end of the turn */
    bool is_waiting;
    bool is_allowed; /* it has shown the token, or needs none */
    bool is_producer, is_worker;
    bool has_ended;   /* it sends no more */
    bool is_quitting; /* nothing more of it is read; what is answered still leaves */
    bool is_closed;   /* freed at the end of the turn */
};

static inline struct engine *engine_of(const struct client *client)
{
    return &client->hall->engine;
}

static inline struct model *model_of(const struct client *client)
{
    return client->hall->engine.model;
}

void jobs_client_open(struct jobs_listener *listener, int fd);
/* Lets go of its leases. It is freed at the end of the turn. */
void jobs_client_close(struct client *client);
/* The same, by the queue's own will: what it has reserved is given back, and no attempt counts. */
void jobs_client_dismiss(struct client *client);
/* It goes on at the end of the turn. */
void jobs_client_wake(struct client *client);
/* At the end of a turn: those that are ready go on. */
void clients_go_on(struct hall *hall);
/* Answers up to lsn leave; commands that waited for room try again. */
void clients_release(struct hall *hall, uint64_t lsn);
/* The log has failed: who waits for it hears nothing, so that nothing is promised. */
void clients_fail(struct hall *hall);
/* Has it no lease, and no command under way? Answers that it does not take do not count. */
bool jobs_client_is_idle(const struct client *client);

/* ---- answers ---- */

/* lsn 0: it waits for nothing of its own. */
void jobs_client_reply(struct client *client, enum jobproto_reply reply, uint64_t lsn);
void jobs_client_answer(struct client *client, struct slice bytes, uint64_t lsn);

/* ---- command.c ---- */

/* 0: answered, or under way; 1: not now, the log has no room or client->warm is under way: again
 * with the same command. */
int command_line(struct client *client, const struct jobproto_command *command);
/* All of the body of client->command is there. As command_line(). */
int command_body(struct client *client, struct slice body);

/* May the log take so much? 0; 1: the command is to come again; -1: it was refused. */
int command_may(struct client *client, enum wal_class class, size_t n_bytes);

/* ---- command_put.c ---- */

/* The line of a put: its body follows, or is refused. */
void command_put_begin(struct client *client, const struct jobproto_command *command);
/* The body, as command_body(). */
int command_put_body(struct client *client, struct slice body);
/* What is said before it. */
void command_put_options(struct client *client, const struct jobproto_command *command);
void command_put_error(struct client *client, const struct jobproto_command *command);
void command_put_result(struct client *client, struct slice result);
/* Nothing is asked for the next put any more. */
void command_forget_options(struct client *client);

/* ---- command_job.c ---- */

/* timeout_ms: MODEL_FOR_EVER, or how long; n_batch 0: one job. */
void command_reserve(struct client *client, uint64_t timeout_ms, uint32_t n_batch);
void command_reserve_job(struct client *client, uint64_t id);
/*
 * A reserve has ended with client->told. Answers it without a call of the model or a wait for the
 * disk, or returns 1 where that takes one: then command_reserved() comes at the end of the turn,
 * and again, as long as client->is_told.
 */
int command_told(struct client *client);
void command_reserved(struct client *client);
/* As command_line(). */
int command_peek(struct client *client, const struct jobproto_command *command);

#endif
