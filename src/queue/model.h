/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_MODEL_H
#define QUEUE_MODEL_H

/*
 * The queue as a machine: tubes, jobs, connections, leases and deadlines, without a socket, a file
 * or a clock. Whoever owns it tells it what clients ask and what time it is; a call answers at
 * once, and leaves behind actions: what is to be logged, and which of those that wait got
 * something.
 *
 *     command ---> model_put() ... ---> result (the reply)
 *     time    ---> model_tick()    ---> actions: LOG_PUT LOG_STATE LOG_DEL ...   to the log
 *                                               RESERVED TIMED_OUT DEADLINE_SOON to who waits
 *     log     ---> model_replay()                                                at a start
 *
 * Actions are in the order in which they happened and are valid until the next call; model_record()
 * makes the record of one. A reply leaves when the records of its call are on disk; LOG_LEASE alone
 * may wait for a next batch. Delivery is at least once.
 *
 * Times: leases, waiting and rates run on the monotonic clock; delays, pauses, times to live and
 * results on the wall clock, for they outlive a restart. Both come in with each call. A step of the
 * wall clock moves what is due with it, and no lease.
 *
 * Who waits is served in the order in which they came; who reserves gets the first by (priority,
 * id) of all tubes that it watches and that may give. A tube that may give has no one waiting while
 * it has a job ready: that is the invariant.
 *
 * Delivery is bounded by what a tube's policy says (tube.h); load by the limits here: a put above
 * them is refused (MODEL_FULL), never queued.
 */

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/slice.h"
#include "queue/job.h"
#include "queue/job_record.h"
#include "queue/tube.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    MODEL_MARGIN_MS = 1000,  /* of a lease: whoever waits hears DEADLINE_SOON that long before */
    MODEL_KICK_MAX = 1000,   /* jobs that one call kicks */
    MODEL_TICK_MAX = 1000,   /* jobs that one tick moves */
    MODEL_ID_STEP = 1 << 20, /* ids that one MARK sets aside */
};

#define MODEL_FOR_EVER UINT64_MAX /* timeout_ms of model_reserve() */

struct model_now {
    uint64_t wall_ms; /* since 1970 UTC */
    uint64_t mono_ms; /* never falls */
};

struct model_limits {
    uint64_t jobs_max;    /* 1.., below 2^32 */
    uint64_t bytes_max;   /* of all bodies and results */
    uint32_t tubes_max;   /* 1..2^20 */
    uint32_t watches_max; /* tubes that one connection watches, 1.. */
};

enum model_result {
    MODEL_OK = 0,
    MODEL_NOT_FOUND,     /* no such job or tube, or not in a state for this, or not yours */
    MODEL_EXISTS,        /* the unique key is taken */
    MODEL_FULL,          /* a limit of jobs, bytes, tubes or watches */
    MODEL_DRAINING,      /* no new jobs */
    MODEL_BURIED,        /* fail: the job is dead */
    MODEL_NOT_IGNORED,   /* the only tube that is watched */
    MODEL_WAITING,       /* an action will say */
    MODEL_TIMED_OUT,     /* nothing to reserve, and no time to wait */
    MODEL_DEADLINE_SOON, /* a lease of one's own runs out within MODEL_MARGIN_MS */
};

enum model_action_kind {
    MODEL_LOG_PUT,
    MODEL_LOG_STATE,
    MODEL_LOG_DEL,
    MODEL_LOG_LEASE,
    MODEL_LOG_TUBE,
    MODEL_LOG_MARK,
    MODEL_RESERVED, /* conn, which waited, has job id */
    MODEL_TIMED_OUT_NOW,
    MODEL_DEADLINE_SOON_NOW,
};

struct model_conn;

struct model_action {
    enum model_action_kind kind;
    uint64_t id;
    union {
        struct model_conn *conn;  /* RESERVED, TIMED_OUT_NOW, DEADLINE_SOON_NOW */
        struct job_places places; /* LOG_DEL: where the log has the job */
        uint32_t tube;            /* LOG_TUBE */
    };
};

struct model_watch {
    struct list waiting; /* in tube.waiters, while the connection waits */
    struct model_conn *conn;
    struct tube *tube;
};

/* One client. Made and freed by the model; `owner` is the caller's. */
struct model_conn {
    void *owner;
    struct heap_node timer; /* in the model's heap: the first of a lease, a margin, a waiting */
    uint32_t serial;
    struct tube *used;
    struct model_watch **watches; /* in the order in which they were watched */
    uint32_t n_watches, cap_watches;
    struct heap leases; /* by the end of the lease, then id */
    bool is_waiting;
    uint64_t wait_until_ms; /* monotonic, or MODEL_FOR_EVER */
};

struct model {
    struct model_limits limits;
    struct job_store store;
    struct job_pool leases;
    struct map names;    /* name -> struct tube */
    struct tube **tubes; /* by number, NULL: free */
    uint32_t n_tube_slots, n_tubes;
    struct heap wall_timers; /* of tubes */
    struct heap mono_timers; /* of tubes */
    struct heap conn_timers;
    struct heap expiries; /* of extras */
    struct rng rng;
    uint64_t seed;
    uint64_t n_bytes; /* of bodies and results */
    uint64_t n_result_bytes;
    uint64_t results_max;     /* bytes of all results, which lie in memory; the owner's to set */
    uint64_t next_id, id_end; /* id_end: what the last MARK set aside */
    uint32_t n_conns, next_serial;
    uint64_t n_puts, n_timeouts; /* of all tubes, since this process began */
    bool is_draining;
    bool has_idle_tubes; /* an operator's word no longer keeps one */
    struct model_action *actions;
    uint32_t n_actions, cap_actions;
    uint64_t put_id; /* the job of the last put, whose body the caller still has: put_body */
    struct slice put_body;
};

/* Seeds jitter and hashes. There is a tube "default", which stays. */
struct model *model_create(const struct model_limits *limits, uint64_t seed);
void model_destroy(struct model **model);

/* ---- producers ------------------------------------------------------------------------------- */

struct model_put {
    uint32_t priority;
    uint32_t delay_s;
    uint32_t ttr_s;         /* 1.. */
    struct slice body;      /* whole; lives until the actions of the call are done with */
    struct slice key;       /* empty: none; at most JOB_RECORD_KEY_MAX */
    uint32_t ttl_s;         /* 0: as the tube says */
    uint32_t attempts_max;  /* 0: as the tube says */
    uint32_t result_s;      /* 0: as the tube says */
    uint64_t not_before_ms; /* wall clock; 0: now */
};

/* Into the tube that the connection uses. OK and EXISTS: *ret_id. FULL, DRAINING. */
enum model_result model_put(struct model *model, struct model_conn *conn,
                            const struct model_put *put, struct model_now now, uint64_t *ret_id);
/* The caller is done with the actions of a put, and its body lives no longer. */
void model_forget_body(struct model *model);

/* ---- connections ----------------------------------------------------------------------------- */

/* Uses and watches "default". */
struct model_conn *model_conn_open(struct model *model, void *owner);
/* Its leases end at once, as JOB_ERROR_LOST; frees it. */
void model_conn_close(struct model *model, struct model_conn **conn, struct model_now now);

/* Names are valid (jobproto_is_tube()). OK, or FULL. */
enum model_result model_use(struct model *model, struct model_conn *conn, struct slice name);
enum model_result model_watch(struct model *model, struct model_conn *conn, struct slice name);
/* OK (also where it was not watched), or NOT_IGNORED. The connection does not wait. */
enum model_result model_ignore(struct model *model, struct model_conn *conn, struct slice name);

/*
 * OK and *ret_id, DEADLINE_SOON, TIMED_OUT (timeout_ms is 0), or WAITING: then RESERVED,
 * TIMED_OUT_NOW or DEADLINE_SOON_NOW of this connection follows in the actions of a later call. It
 * does not wait already. A batch is this again with 0 for as long as it gives OK.
 */
enum model_result model_reserve(struct model *model, struct model_conn *conn, uint64_t timeout_ms,
                                struct model_now now, uint64_t *ret_id);
/* It waits no more, if it did (the client's side of the connection is closed). */
void model_stop_waiting(struct model *model, struct model_conn *conn);
/* Whatever pause, rate and concurrency say. OK or NOT_FOUND. */
enum model_result model_reserve_job(struct model *model, struct model_conn *conn, uint64_t id,
                                    struct model_now now);

/* ---- workers: of jobs that they have reserved, else NOT_FOUND -------------------------------- */

enum model_result model_release(struct model *model, struct model_conn *conn, uint64_t id,
                                uint32_t priority, uint32_t delay_s, struct model_now now);
enum model_result model_bury(struct model *model, struct model_conn *conn, uint64_t id,
                             uint32_t priority, struct model_now now);
enum model_result model_touch(struct model *model, struct model_conn *conn, uint64_t id,
                              struct model_now now);
/* touch, and how far it is: percent 0..100; text is cut at JOB_ERROR_MAX. Not logged. */
enum model_result model_progress(struct model *model, struct model_conn *conn, uint64_t id,
                                 uint32_t percent, struct slice text, struct model_now now);
/* OK: it will be tried again; BURIED: it is dead. text is cut at JOB_ERROR_MAX. */
enum model_result model_fail(struct model *model, struct model_conn *conn, uint64_t id,
                             enum job_error error, struct slice text, struct model_now now);
/* It is done; the result is kept if the job or its tube wants that, and there is room for it. */
enum model_result model_finish(struct model *model, struct model_conn *conn, uint64_t id,
                               struct slice result, struct model_now now);

/* ---- anybody --------------------------------------------------------------------------------- */

/*
 * What is reserved by this connection, ready, delayed or buried; conn NULL is the operator, who may
 * delete any, a done one and one that another has reserved too.
 */
enum model_result model_delete(struct model *model, struct model_conn *conn, uint64_t id,
                               struct model_now now);
/*
 * Up to n, at most MODEL_KICK_MAX, of those buried (the longest first) or delayed (the first due).
 * Returns how many. beanstalkd's kick takes delayed ones only where none is buried. A dead job
 * starts again with no attempt counted.
 */
uint32_t model_kick(struct model *model, struct tube *tube, enum job_state state, uint32_t n,
                    struct model_now now);
enum model_result model_kick_job(struct model *model, uint64_t id, struct model_now now);
/* An operator's: buries what is ready or delayed. */
enum model_result model_bury_job(struct model *model, uint64_t id, struct model_now now);
/* pause_ms 0 ends a pause, TUBE_FOR_EVER has no end. A tube that nobody needs then goes with the
 * next tick. */
void model_pause(struct model *model, struct tube *tube, uint64_t pause_ms, struct model_now now);
void model_drain_tube(struct model *model, struct tube *tube, bool is_draining);
void model_drain(struct model *model, bool is_draining);

/* NULL where there is none; not for JOB_DONE, which model_find_any() finds too. */
const struct job *model_find(const struct model *model, uint64_t id);
const struct job *model_find_any(const struct model *model, uint64_t id);
/* The tube of that name, or NULL. */
struct tube *model_tube(const struct model *model, struct slice name);
/* What `peek-ready`, `peek-delayed` and `peek-buried` show, or NULL. */
const struct job *model_peek(const struct model *model, const struct tube *tube,
                             enum job_state state);
/* ms until the lease of a reserved or the delay of a delayed job ends; else 0. */
uint64_t model_left_ms(const struct model *model, const struct job *job, struct model_now now);

/* ---- the operator's file --------------------------------------------------------------------- */

/* Makes the tube, or gives it another policy. FULL: too many tubes. */
enum model_result model_configure(struct model *model, struct slice name,
                                  const struct tube_policy *policy, struct model_now now);
/* The file names it no more: the policy of any other tube. */
void model_unconfigure(struct model *model, struct slice name, struct model_now now);

/* ---- time ------------------------------------------------------------------------------------ */

/* Does what is due, MODEL_TICK_MAX jobs at most. Returns true where more is due. */
bool model_tick(struct model *model, struct model_now now);
/* When it is to be called next, UINT64_MAX: never. */
uint64_t model_next_wall_ms(const struct model *model);
uint64_t model_next_mono_ms(const struct model *model);

/* ---- the log --------------------------------------------------------------------------------- */

/* The record of a LOG_* action of the last call; its slices live until the next call. */
void model_record(const struct model *model, const struct model_action *action,
                  struct job_record *ret_record);
/* The record that holds all of a job, for who moves it to another place in the log. */
void model_snapshot(const struct model *model, const struct job *job,
                    struct job_record *ret_record);
/*
 * The log has the job's PUT there, which holds all of it, or behind that a STATE or LEASE. Nothing
 * happens where the job is gone already.
 */
void model_placed(struct model *model, uint64_t id, struct wal_place place);
void model_updated(struct model *model, uint64_t id, struct wal_place place);

/*
 * Before anything else, in the order of the log; place is that of the record. Returns 0, or -1 for
 * a record that contradicts those before it (two jobs with one key). Limits refuse nothing here:
 * what was acknowledged stays. A STATE, LEASE or DEL of a job that is not there is one whose PUT
 * the cleaner took with it: it is passed over. No connection is open.
 */
int model_replay_at(struct model *model, const struct job_record *record, struct wal_place place);
/* The same for records that are in no log: `place` is any number but 0. */
static inline int model_replay(struct model *model, const struct job_record *record, uint64_t place)
{
    return model_replay_at(model, record, (struct wal_place){.segment = (uint32_t)place});
}

#endif
