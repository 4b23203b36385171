/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_MODEL_PART_H
#define QUEUE_MODEL_PART_H

/*
 * What the parts of the model share. Private to queue/model*.c.
 *
 * A job changes its state in two steps, between which whatever orders it may change:
 *
 *     model_leave()    out of the order of its tube, its timers stopped
 *     ...              priority, due_ms
 *     model_enter()    the move is allowed; into the order of its new state, timers armed
 *
 * and model_log() says what the log is to hold of it.
 */

#include "queue/model.h"

#include <assert.h>

/* A lease, in the pool of leases; its end is the key in its connection's heap. */
struct lease {
    struct heap_node node;
    uint32_t job;
    uint64_t number; /* model_lease_number() */
    struct model_conn *conn;
};

/*
 * Keys of heaps: a time in ms and a number that makes the order of what is due at once certain. 44
 * bits of ms are 557 years.
 */
enum { KEY_BITS = 20 };
#define KEY_MS_MAX ((UINT64_C(1) << (64 - KEY_BITS)) - 2)

static inline uint64_t key_make(uint64_t ms, uint64_t number)
{
    ms = ms < KEY_MS_MAX ? ms : KEY_MS_MAX;
    return ms << KEY_BITS | (number & ((1 << KEY_BITS) - 1));
}

static inline uint64_t key_ms(uint64_t key)
{
    return key >> KEY_BITS;
}

/* Every call that changes something begins so: the actions of the former are gone. */
void model_begin(struct model *model);
struct model_action *model_act(struct model *model, enum model_action_kind kind, uint64_t id);
/* PUT, STATE and DEL also note what the log holds of the job then. */
void model_log(struct model *model, enum model_action_kind kind, uint32_t number);

static inline struct tube *tube_of(const struct model *model, const struct job *job)
{
    return model->tubes[job->tube];
}

static inline struct lease *lease_at(const struct model *model, uint32_t lease)
{
    return job_pool_at(&model->leases, lease);
}

void model_leave(struct model *model, uint32_t number);
void model_enter(struct model *model, uint32_t number, enum job_state state);
/* A job that nothing refuses, in its order; neither logged nor given to who waits. Its number. */
uint32_t model_add(struct model *model, struct tube *tube, const struct model_put *put,
                   struct model_now now);
/* The job ends so, and is about to leave: the callback that its tube wants. */
void model_call_back(struct model *model, uint32_t number, enum callback_end end,
                     struct slice result, struct model_now now);
/* The same for one that its time to live drops; it has not left the store. */
void model_call_expired(struct model *model, uint32_t number, struct model_now now);
/*
 * Where nobody asked whether the log has room: may it end as a failed one? If not its callback
 * would be lost.
 */
bool model_may_fail(const struct model *model, const struct job *job);
/* Out of everything; it has left its order. With its record in the log where `is_logged`. */
void model_drop(struct model *model, uint32_t number, bool is_logged);
/* Has its time to live passed? */
bool model_is_expired(const struct model *model, const struct job *job, struct model_now now);

/* The tube of that name, made where there is none; NULL: too many. */
struct tube *model_tube_make(struct model *model, struct slice name, bool is_limited);
/* Frees it if nobody needs it. */
void model_tube_release(struct model *model, struct tube *tube);
/* Sets the timers of a tube by what is due in it. */
void model_arm_tube(struct model *model, struct tube *tube, struct model_now now);
/* When may it give a job, as far as pause, concurrency and rate say? `now` or never or later. */
bool model_may_give(const struct tube *tube, struct model_now now);
/* Gives what is ready to who waits; arms the tube. */
void model_serve(struct model *model, struct tube *tube, struct model_now now);

void model_arm_conn(struct model *model, struct model_conn *conn);
/* A job of this connection's leases: its number, or JOB_NONE. */
uint32_t model_leased(const struct model *model, const struct model_conn *conn, uint64_t id);
/* The job has left its order. */
void model_lease(struct model *model, struct model_conn *conn, uint32_t number,
                 struct model_now now);
/* Takes the lease away; the job has left its order, or will. */
void model_end_lease(struct model *model, uint32_t number);
/* Does a lease of the connection end within the margin? */
bool model_is_soon(const struct model_conn *conn, struct model_now now);
/* An attempt of a leased job ended so: again, or dead. OK or BURIED. */
enum model_result model_fail_attempt(struct model *model, uint32_t number,
                                     const struct model_failure *failure, struct model_now now);

#endif
