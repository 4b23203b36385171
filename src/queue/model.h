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
 * A job that its worker has done, that is dead, or whose time to live is over may bring a job into
 * another tube (callback.h).
 *
 * Delivery is bounded by what a tube's policy says (tube.h); load by the limits here: a put above
 * them is refused (MODEL_FULL), never queued.
 */

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/slice.h"
#include "base/text.h"
#include "queue/callback.h"
#include "queue/job.h"
#include "queue/job_record.h"
#include "queue/tube.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    MODEL_MARGIN_MS = 1000,  /* of a lease: whoever waits hears DEADLINE_SOON that long before */
    MODEL_KICK_MAX = 1000,   /* jobs that one call kicks */
    MODEL_TICK_MAX = 1000,   /* jobs that one tick moves */
    MODEL_LIST_SCAN = 16384, /* places that one call of model_list() looks at */
    MODEL_ID_STEP = 1 << 20, /* ids that one MARK sets aside */
    MODEL_EXPIRE_WORK =
        50, /* of MODEL_TICK_MAX: a job that a tick drops, and that brings a callback */
    MODEL_EXPIRE_AGAIN_MS =
        1000, /* a job whose callback the log had no room for is looked at then */
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

/* The limit that refuses a put. */
enum model_limit {
    MODEL_LIMIT_NONE,
    MODEL_LIMIT_JOBS, /* of the model */
    MODEL_LIMIT_BYTES,
    MODEL_LIMIT_TUBE_JOBS, /* of the tube's policy */
    MODEL_LIMIT_TUBE_BYTES,
};

/* Why a tube gives no job. */
enum model_hold {
    MODEL_HOLD_NONE, /* it would: nobody waits */
    MODEL_HOLD_EMPTY,
    MODEL_HOLD_PAUSE,
    MODEL_HOLD_CONCURRENCY,
    MODEL_HOLD_RATE,
};

enum model_action_kind {
    MODEL_LOG_PUT,
    MODEL_LOG_STATE,
    MODEL_LOG_DEL,
    MODEL_LOG_LEASE,
    MODEL_LOG_TUBE,
    MODEL_LOG_CALL, /* a PUT that the end of a job brings along: a callback */
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

/* A callback of the last call, and where in model.call_bytes its body is. */
struct model_call {
    uint64_t id;
    size_t at, len;
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

/*
 * The path that a job asks for its failure callback, of one that ends before anybody has read its
 * body; false: none, or one that callback_refusal() does not allow below `below`. It may read a
 * disk, so that the model asks only for what it is about to put. Lives until the next call.
 */
typedef bool model_path_fn(void *ctx, const struct job *job, struct slice below,
                           struct slice *ret_path);

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
    uint64_t next_lease;
    uint32_t n_conns, next_serial;
    uint64_t n_puts, n_timeouts; /* of all tubes, since this process began */
    bool is_draining;
    bool is_log_short; /* it has no room for a callback that nobody asked whether it has; the
                          owner's to set */
    model_path_fn *failure_path; /* NULL: jobs ask for none; the owner's to set */
    void *failure_path_ctx;
    bool has_idle_tubes;    /* an operator's word no longer keeps one */
    bool has_schedule_left; /* a job that waited for the time of its schedule; theirs to clear */
    struct model_action *actions;
    uint32_t n_actions, cap_actions;
    uint64_t put_id; /* the job of the last put, whose body the caller still has: put_body */
    struct slice put_body;
    struct model_call *calls; /* likewise, of those that ends of jobs have put */
    uint32_t n_calls, cap_calls;
    struct text call_bytes;
};

/* Seeds jitter and hashes. There is a tube "default", which stays. */
struct model *model_create(const struct model_limits *limits, uint64_t seed);
void model_destroy(struct model **model);

/* ---- producers ------------------------------------------------------------------------------- */

/* What became of a job elsewhere, for who moves it here. */
struct model_past {
    enum job_state state;    /* READY: it waits, by delay_s and not_before_ms; BURIED, DONE */
    bool has_expiry;         /* expire_ms counts, whatever ttl_s is; DONE: it has */
    uint64_t expire_ms;      /* wall clock; 0: never, but not of what is DONE */
    uint32_t created_s;      /* wall clock; 0: now */
    enum job_error error;    /* the last */
    struct slice error_text; /* cut at JOB_ERROR_MAX */
    struct slice result;     /* BURIED, DONE */
    uint16_t n_reserves, n_timeouts, n_releases, n_buries, n_kicks;
};

struct model_put {
    uint32_t priority;
    uint32_t delay_s;
    uint32_t ttr_s;         /* 1.. */
    struct slice body;      /* whole; lives until the actions of the call are done with; empty where
                               the past is DONE, whose bodies are forgotten */
    struct slice key;       /* empty: none; at most JOB_RECORD_KEY_MAX */
    uint32_t ttl_s;         /* 0: as the tube says */
    uint32_t attempts_max;  /* 0: as the tube says */
    uint32_t result_s;      /* 0: as the tube says */
    uint16_t n_attempts;    /* that it had elsewhere, and that count */
    uint64_t not_before_ms; /* wall clock; 0: now */
    const struct model_past *past; /* NULL: it is new. No callback comes of a past */
};

/* Into the tube that the connection uses. OK and EXISTS: *ret_id. FULL (also for a result that no
 * room is for among the results), DRAINING. */
enum model_result model_put(struct model *model, struct model_conn *conn,
                            const struct model_put *put, struct model_now now, uint64_t *ret_id);
/* Into the tube of that name, which is valid, and made where there is none. */
enum model_result model_put_named(struct model *model, struct slice name,
                                  const struct model_put *put, struct model_now now,
                                  uint64_t *ret_id);
/* One of the clock, into any tube; a drain does not refuse it. OK and EXISTS: *ret_id. FULL. */
enum model_result model_put_scheduled(struct model *model, struct tube *tube,
                                      const struct model_put *put, struct model_now now,
                                      uint64_t *ret_id);
/* The caller is done with the actions of a call, and the bodies of what it put live no longer. */
void model_forget_body(struct model *model);
/* The body of a job that the last call has put, until they are forgotten. False: it has not. */
bool model_has_body(const struct model *model, uint64_t id, struct slice *ret_body);

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

/*
 * The lease that a connection has on a job goes to another one, which does not wait, and ends when
 * it would have. OK or NOT_FOUND.
 */
enum model_result model_hand_over(struct model *model, struct model_conn *conn, uint64_t id,
                                  struct model_conn *to);
/* Which lease it is that the connection has on the job: no other ever had that number. 0: none. */
uint64_t model_lease_number(const struct model *model, const struct model_conn *conn, uint64_t id);

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
/* How an attempt failed. */
struct model_failure {
    enum job_error error;
    struct slice text;   /* cut at JOB_ERROR_MAX */
    uint64_t least_ms;   /* not before that from now, whatever the back-off is */
    struct slice result; /* of a job that is dead then: kept as long as it is, where results are */
};

/* OK: it will be tried again; BURIED: it is dead. */
enum model_result model_fail(struct model *model, struct model_conn *conn, uint64_t id,
                             enum job_error error, struct slice text, struct model_now now);
enum model_result model_fail_with(struct model *model, struct model_conn *conn, uint64_t id,
                                  const struct model_failure *failure, struct model_now now);
/* The worker stops: ready at once, the attempt does not count, and nothing was wrong. */
enum model_result model_give_back(struct model *model, struct model_conn *conn, uint64_t id,
                                  struct model_now now);
/* The same, where something was: its last error says why, unless that is empty. */
enum model_result model_give_back_with(struct model *model, struct model_conn *conn, uint64_t id,
                                       struct slice why, struct model_now now);
/*
 * Its callbacks go to these paths, which callback_refusal() allowed; an empty one: as the file
 * says. OK or NOT_FOUND.
 */
enum model_result model_choose_callbacks(struct model *model, const struct model_conn *conn,
                                         uint64_t id, const struct slice paths[CALLBACK_N_ENDS]);
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
 * Up to n, at most MODEL_KICK_MAX, of those buried (the longest first) or delayed (the first due,
 * but what waits for the time of a schedule stays; model_kick_job() takes that too). Returns how
 * many. beanstalkd's kick takes delayed ones only where none is buried. A dead job starts again
 * with no attempt counted.
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

/* After a replay: no job is given an id below this one. */
void model_skip_ids(struct model *model, uint64_t id);

/* NULL where there is none; not for JOB_DONE, which model_find_any() finds too. */
const struct job *model_find(const struct model *model, uint64_t id);
const struct job *model_find_any(const struct model *model, uint64_t id);
/* The one with that unique key in the tube, or NULL. */
const struct job *model_find_key(const struct model *model, const struct tube *tube,
                                 struct slice key);
/* Has this connection reserved it? */
bool model_has(const struct model *model, const struct model_conn *conn, uint64_t id);
/* The job whose lease of this connection's ends first, 0: it has none. */
uint64_t model_first_leased(const struct model *model, const struct model_conn *conn);
/* The tube of that name, or NULL. */
struct tube *model_tube(const struct model *model, struct slice name);
/* What `peek-ready`, `peek-delayed` and `peek-buried` show, or NULL. */
const struct job *model_peek(const struct model *model, const struct tube *tube,
                             enum job_state state);
/*
 * Jobs of a tube in a state, in the order of their places in the store, which says nothing else: an
 * order by id would have to be kept for every job, or be made anew by each call. `*cursor` is 0 for
 * the first call and what the former left there for the next; it is 0 again at the end. A call
 * returns how many of ret_jobs[n_max] it has set, and may set none before the end, because it looks
 * at MODEL_LIST_SCAN places at most. Who has the state all the while is shown once; who comes or
 * goes meanwhile, perhaps. A cursor means nothing to another model.
 */
uint32_t model_list(const struct model *model, const struct tube *tube, enum job_state state,
                    uint32_t *cursor, const struct job **ret_jobs, uint32_t n_max);
/* What would refuse a body of so many bytes; tube NULL: one that is not there yet. */
enum model_limit model_limit(const struct model *model, const struct tube *tube, uint64_t n_bytes);
enum model_hold model_hold(const struct tube *tube, struct model_now now);
/* ms until the lease of a reserved or the delay of a delayed job ends, or the result of a done one
 * is forgotten; else 0. */
uint64_t model_left_ms(const struct model *model, const struct job *job, struct model_now now);
/*
 * The age of the oldest ready job of the tube; 0: none is ready. Exact where all have one priority,
 * for then the first by (priority, id) is the oldest. Otherwise it is the oldest of the first
 * thousand places of the heap, and an older one of a later priority may be missed: an order by id
 * of all that is ready would cost each job memory and each put and reserve time, for one figure.
 */
uint64_t model_oldest_ms(const struct model *model, const struct tube *tube, struct model_now now);

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
