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
 * Nothing is read while the client waits for a job (but for its hang-up), while a command waits
 * for the log to have room, or while more answers wait for the client than `limits output`.
 */

#include "queue/internal.h"
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
    struct model_conn *model;
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
    uint32_t n_batch;                /* what batch-reserve asked for; 0: a plain reserve */
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

void jobs_client_open(struct jobs_listener *listener, int fd);
/* Lets go of its leases. It is freed at the end of the turn. */
void jobs_client_close(struct client *client);
/* It goes on at the end of the turn. */
void jobs_client_wake(struct client *client);
/* At the end of a turn: those that are ready go on. */
void clients_go_on(struct hall *hall);
/* Answers up to lsn leave; commands that waited for room try again. */
void clients_release(struct hall *hall, uint64_t lsn);
/* The log has failed: who waits for it hears nothing, so that nothing is promised. */
void clients_fail(struct hall *hall);
/* What a waiting client got. */
void jobs_client_told(struct client *client, const struct model_action *action);
/* Has it no lease, and no command under way? Answers that it does not take do not count. */
bool jobs_client_is_idle(const struct client *client);

/* ---- answers ---- */

/* lsn 0: it waits for nothing of its own. */
void jobs_client_reply(struct client *client, enum jobproto_reply reply, uint64_t lsn);
void jobs_client_answer(struct client *client, struct slice bytes, uint64_t lsn);

/* ---- command.c ---- */

/* 0: answered, or under way; 1: not now, the log has no room: again with the same command. */
int command_line(struct client *client, const struct jobproto_command *command);
/* All of the body of client->command is there. As command_line(). */
int command_body(struct client *client, struct slice body);
/*
 * A reserve has ended with client->told. Answers it without a call of the model, or returns 1 where
 * that takes one, which command_reserved() makes at the end of the turn.
 */
int command_told(struct client *client);
void command_reserved(struct client *client);

#endif
