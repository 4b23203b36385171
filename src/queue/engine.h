/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_ENGINE_H
#define QUEUE_ENGINE_H

/*
 * The model with its log in a loop: one engine a process. Whoever works for a client asks here
 * whether the log would take what comes (engine_may()), calls the model, and then
 * engine_settle(), which gives the model's actions to the log and to those who waited:
 *
 *     client --> engine_now()       what is due by now happens first
 *            --> engine_may()       0, or why the command must wait or be refused
 *            --> model_...()        the answer
 *            --> engine_settle()    the lsn that the answer waits for
 *     log    --> on_durable(lsn)    answers up to there may leave
 *
 * The log is opened by engine_open(), which replays it; while another process has it (the former
 * one of an upgrade) that is tried again and again. Without a log nothing is served.
 */

#include "core/process.h"
#include "queue/conf.h"
#include "queue/journal.h"
#include "queue/model.h"
#include "queue/schedule.h"
#include "wal/wal_drive.h"
#include "wal/wal_warm.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    ENGINE_CHANGE_BYTES = 1024, /* what a change of one job takes in the log, at most, but for its
                                   result and a callback: engine_end_room() */
    ENGINE_KICK_BYTES = 400,    /* a job that is kicked */
};

/* For engine_may(). */
struct engine_room {
    enum wal_class class;
    size_t n_bytes;
};

/* Whom the engine tells. Called from its loop, never from within a call of the same client. */
struct engine_hooks {
    /* A client that waited: RESERVED, TIMED_OUT_NOW, DEADLINE_SOON_NOW. `now` is the present. */
    void (*on_action)(void *ctx, const struct model_action *action);
    /* A job is in another state, or is gone; while n_watching of the engine is not 0. From within
     * engine_settle(). */
    void (*on_changed)(void *ctx, uint64_t id);
    void (*on_durable)(void *ctx, uint64_t lsn);
    /* The log takes nothing any more. */
    void (*on_trouble)(void *ctx);
    /* Given to the model. */
    model_path_fn *failure_path;
    /* The end of a turn in which something was settled. */
    void (*on_settled)(void *ctx);
    void *ctx;
};

struct engine {
    struct process *process;
    struct loop *loop;
    struct engine_hooks hooks;
    struct model *model;
    struct journal journal;
    struct wal_disk *disk;
    struct wal *wal; /* NULL: not open */
    struct wal_drive *drive;
    struct wal_warmer *warmer;
    uint64_t n_cold;        /* bodies that it was asked for */
    struct text body;       /* of the job that is read from the log */
    struct text ended_body; /* likewise, while others may be reading `body` */
    uint64_t durable_lsn;
    struct schedules schedules;
    struct callback_rule *callbacks; /* of the policies of the file that is in force */
    size_t n_callbacks;
    struct loop_timer timer; /* what the model and the schedules have due */
    struct loop_task task;   /* at the end of the turn */
    bool is_task_due;
    bool is_settling;
    uint32_t n_watching; /* who wants on_changed(); theirs to count */
    bool is_configured;  /* nothing becomes due before: schedules look at what a replay left */
    struct err trouble;  /* its text is empty while the log works */
};

void engine_init(struct engine *engine, struct process *process, const struct engine_hooks *hooks);
/*
 * Opens and replays the log as `conf` says. 0; 1: another process has it; -1 with err. Made again
 * after 1.
 */
int engine_open(struct engine *engine, const struct queues_conf *conf, struct err *err);
/* Writes and syncs what there is, and gives the log back; no model_conn is open. */
void engine_close(struct engine *engine);

/* The limits and policies of a file. */
void engine_configure(struct engine *engine, const struct queue_module_conf *conf,
                      const struct queue_module_conf *former);

/* The present, before a command: what is due by now has happened. */
struct model_now engine_now(struct engine *engine);
/* The same, without doing anything. */
struct model_now engine_clock(const struct engine *engine);

/*
 * Would the log take so many bytes? 0; WAL_BUSY: later, on_durable() says when to ask again;
 * WAL_FULL; -1: it has failed.
 */
int engine_may(struct engine *engine, enum wal_class class, size_t n_bytes);
/* The same for who only wants to know. */
int engine_would(const struct engine *engine, enum wal_class class, size_t n_bytes);
/*
 * The end of a job, perhaps with such a result: what it takes in the log at most, and as what. A
 * callback lives on, and so leaves room for the ends of those that have none: what makes room must
 * never wait for what takes it.
 */
struct engine_room engine_end_room(const struct engine *engine, uint64_t id, size_t result_bytes);

/*
 * All leases of the connection, which the queue ends itself: ready at once, and no attempt counts.
 * What the log has no room for is as lost as if the process had died.
 */
void engine_give_back(struct engine *engine, struct model_conn *conn);
/* After each call of the model that may leave actions. Returns the lsn to wait for, 0: none. */
uint64_t engine_settle(struct engine *engine);

/* on_settled() comes at the end of this turn. */
void engine_later(struct engine *engine);

/* Is the put of the job on the disk, as far as `sync` promises that? What the log could not take is
 * as durable as it will ever be. */
bool engine_is_durable(const struct engine *engine, const struct job *job);

/* The body of a job; lives until the next call. -1: it is damaged, which was logged. */
int engine_body(struct engine *engine, const struct job *job, struct slice *ret_body);
/* The same for a job that ends in the midst of another call; does not touch what that has read. */
int engine_ended_body(struct engine *engine, const struct job *job, struct slice *ret_body);
/* The same, or 1: engine_body() would keep the loop waiting for the disk, or fail. */
int engine_body_now(struct engine *engine, const struct job *job, struct slice *ret_body);
/*
 * Has the body of a job brought into memory; done(owner) comes in a later turn, whatever became of
 * that. NULL, and nothing comes: it cannot be done.
 */
struct wal_warm *engine_warm(struct engine *engine, const struct job *job, wal_warm_fn *done,
                             void *owner);

#endif
