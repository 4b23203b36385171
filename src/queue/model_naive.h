/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_MODEL_NAIVE_H
#define QUEUE_MODEL_NAIVE_H

/*
 * The model once more, as plain as it can be said: arrays of jobs, connections and tubes, and
 * a search through all of them for every question. No heap, no list, no index, no timer. The test
 * asks both the same and compares; only the arithmetic of back-off and rates is the model's own,
 * which have tests of their own.
 */

#include "queue/model.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    NAIVE_JOBS = 256, /* numbers of jobs in one run: an id is a place */
    NAIVE_CONNS = 4,
    NAIVE_TUBES = 3,
    NAIVE_EVENTS = 512,
    NAIVE_SCHEDULE_KEY = 3, /* the one key that is a schedule's */
};

struct naive_job {
    bool is_there;
    enum job_state state;
    int tube, conn;
    uint32_t priority, ttr_s, delay_s, n_bytes, key; /* key 0: none */
    uint64_t due_ms, end_ms, expire_ms;
    uint64_t buried_at; /* in the order of burials */
    uint32_t attempts_max, result_s, result_bytes;
    uint32_t n_attempts, n_reserves, n_timeouts, n_releases, n_buries, n_kicks;
    enum job_error error;
};

struct naive_conn {
    bool is_open, is_waiting, is_watching[NAIVE_TUBES];
    uint32_t serial;
    int used;
    uint64_t waits_since; /* in the order of arrival */
    uint64_t wait_until_ms;
};

struct naive_tube {
    struct tube_policy policy;
    struct limit_rate rate;
    uint64_t paused_until_ms;
    bool is_draining, is_configured;
};

struct naive_event {
    enum model_action_kind kind;
    int conn;
    uint64_t id;
};

struct naive {
    struct naive_job jobs[NAIVE_JOBS];
    struct naive_conn conns[NAIVE_CONNS];
    struct naive_tube tubes[NAIVE_TUBES];
    struct rng rng;
    uint64_t next_id, order;
    uint64_t jobs_max, bytes_max;
    uint32_t next_serial;
    uint32_t numbers[NAIVE_TUBES]; /* the model's: what is due at once is done in their order */
    bool is_draining;
    struct naive_event events[NAIVE_EVENTS]; /* of the last call: who waits and hears something */
    uint32_t n_events;
};

void naive_init(struct naive *naive, const struct model_limits *limits, uint64_t seed);
/* As the functions of the model, with places of connections and tubes instead of pointers. */
enum model_result naive_put(struct naive *naive, int conn, const struct model_put *put,
                            uint32_t key, struct model_now now, uint64_t *ret_id);
void naive_open(struct naive *naive, int conn);
void naive_close(struct naive *naive, int conn, struct model_now now);
enum model_result naive_ignore(struct naive *naive, int conn, int tube);
enum model_result naive_reserve(struct naive *naive, int conn, uint64_t timeout_ms,
                                struct model_now now, uint64_t *ret_id);
enum model_result naive_reserve_job(struct naive *naive, int conn, uint64_t id,
                                    struct model_now now);
enum model_result naive_release(struct naive *naive, int conn, uint64_t id, uint32_t priority,
                                uint32_t delay_s, struct model_now now);
enum model_result naive_bury(struct naive *naive, int conn, uint64_t id, uint32_t priority,
                             struct model_now now);
enum model_result naive_touch(struct naive *naive, int conn, uint64_t id, struct model_now now);
enum model_result naive_give_back(struct naive *naive, int conn, uint64_t id, struct model_now now);
enum model_result naive_fail(struct naive *naive, int conn, uint64_t id,
                             const struct model_failure *failure, struct model_now now);
enum model_result naive_finish(struct naive *naive, int conn, uint64_t id, uint32_t n_bytes,
                               struct model_now now);
enum model_result naive_delete(struct naive *naive, int conn, uint64_t id, struct model_now now);
uint32_t naive_kick(struct naive *naive, int tube, enum job_state state, uint32_t n,
                    struct model_now now);
enum model_result naive_kick_job(struct naive *naive, uint64_t id, struct model_now now);
enum model_result naive_bury_job(struct naive *naive, uint64_t id, struct model_now now);
void naive_pause(struct naive *naive, int tube, uint64_t pause_ms, struct model_now now);
void naive_configure(struct naive *naive, int tube, const struct tube_policy *policy,
                     struct model_now now);
void naive_tick(struct naive *naive, struct model_now now);

/* The job that the state's `peek` shows, 0: none. */
uint64_t naive_peek(const struct naive *naive, int tube, enum job_state state);
uint64_t naive_n_bytes(const struct naive *naive, int tube); /* tube < 0: of all */
uint32_t naive_count(const struct naive *naive, int tube, enum job_state state);
/* Is there anything that keeps the tube? */
bool naive_has_tube(const struct naive *naive, int tube);

#endif
