/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Searches, and nothing else.
 */

#include "queue/model_naive.h"

#include <assert.h>
#include <string.h>

enum { NOBODY = -1, MS_PER_S = 1000, NS_PER_MS = 1000000 };

void naive_init(struct naive *naive, const struct model_limits *limits, uint64_t seed)
{
    memset(naive, 0, sizeof(*naive));
    naive->next_id = 1;
    naive->jobs_max = limits->jobs_max;
    naive->bytes_max = limits->bytes_max;
    rng_init(&naive->rng, seed);
    for (int i = 0; i < NAIVE_TUBES; i++) {
        tube_policy_init(&naive->tubes[i].policy);
        limit_rate_init(&naive->tubes[i].rate, 0, 1, 1);
    }
    naive->tubes[0].is_configured = true;
}

static void say(struct naive *naive, enum model_action_kind kind, int conn, uint64_t id)
{
    assert(naive->n_events < NAIVE_EVENTS);
    naive->events[naive->n_events++] = (struct naive_event){kind, conn, id};
}

/* ---- questions ------------------------------------------------------------------------------- */

uint32_t naive_count(const struct naive *naive, int tube, enum job_state state)
{
    uint32_t n = 0;
    for (int i = 1; i < NAIVE_JOBS; i++) {
        const struct naive_job *job = &naive->jobs[i];
        n += job->is_there && (tube < 0 || job->tube == tube) &&
             (state == JOB_N_STATES || job->state == state);
    }
    return n;
}

uint64_t naive_n_bytes(const struct naive *naive, int tube)
{
    uint64_t n = 0;
    for (int i = 1; i < NAIVE_JOBS; i++) {
        const struct naive_job *job = &naive->jobs[i];
        if (job->is_there && (tube < 0 || job->tube == tube))
            n += job->result_bytes + (job->state == JOB_DONE ? 0 : job->n_bytes);
    }
    return n;
}

/* Of two jobs in one state, is `a` before `b`? */
static bool is_first(const struct naive *naive, int a, int b)
{
    const struct naive_job *x = &naive->jobs[a];
    const struct naive_job *y = &naive->jobs[b];
    if (x->state == JOB_BURIED)
        return x->buried_at < y->buried_at;
    if (x->state == JOB_DELAYED && x->due_ms != y->due_ms)
        return x->due_ms < y->due_ms;
    if (x->state == JOB_READY && x->priority != y->priority)
        return x->priority < y->priority;
    return a < b;
}

uint64_t naive_peek(const struct naive *naive, int tube, enum job_state state)
{
    int best = 0;
    for (int i = 1; i < NAIVE_JOBS; i++) {
        const struct naive_job *job = &naive->jobs[i];
        if (job->is_there && job->tube == tube && job->state == state &&
            (best == 0 || is_first(naive, i, best)))
            best = i;
    }
    return (uint64_t)best;
}

bool naive_has_tube(const struct naive *naive, int tube)
{
    const struct naive_tube *one = &naive->tubes[tube];
    bool is_named = false;
    for (int i = 0; i < NAIVE_CONNS; i++)
        is_named |= naive->conns[i].is_open &&
                    (naive->conns[i].used == tube || naive->conns[i].is_watching[tube]);
    return one->is_configured || one->is_draining || one->paused_until_ms > 0 || is_named ||
           naive_count(naive, tube, JOB_N_STATES) > 0;
}

static bool may_give(const struct naive *naive, int tube, struct model_now now)
{
    const struct naive_tube *one = &naive->tubes[tube];
    uint32_t max = one->policy.concurrency_max;
    uint64_t now_ns = now.mono_ms * NS_PER_MS;
    return naive_count(naive, tube, JOB_READY) > 0 && one->paused_until_ms <= now.wall_ms &&
           (max == 0 || naive_count(naive, tube, JOB_RESERVED) < max) &&
           limit_rate_next_ns(&one->rate, now_ns) == now_ns;
}

/* Of a connection: the job whose lease ends first, 0: none. */
static int first_lease(const struct naive *naive, int conn)
{
    int best = 0;
    for (int i = 1; i < NAIVE_JOBS; i++) {
        const struct naive_job *job = &naive->jobs[i];
        if (job->is_there && job->state == JOB_RESERVED && job->conn == conn &&
            (best == 0 || job->end_ms < naive->jobs[best].end_ms))
            best = i;
    }
    return best;
}

static bool is_soon(const struct naive *naive, int conn, struct model_now now)
{
    int job = first_lease(naive, conn);
    return job > 0 && naive->jobs[job].end_ms <= now.mono_ms + MODEL_MARGIN_MS;
}

static struct naive_job *leased(struct naive *naive, int conn, uint64_t id)
{
    struct naive_job *job = id < NAIVE_JOBS ? &naive->jobs[id] : &naive->jobs[0];
    return job->is_there && job->state == JOB_RESERVED && job->conn == conn ? job : NULL;
}

static struct naive_job *find(struct naive *naive, uint64_t id)
{
    struct naive_job *job = id < NAIVE_JOBS ? &naive->jobs[id] : &naive->jobs[0];
    return job->is_there ? job : NULL;
}

/* ---- giving ---------------------------------------------------------------------------------- */

static void lease(struct naive *naive, int conn, uint64_t id, struct model_now now)
{
    struct naive_job *job = &naive->jobs[id];
    job->state = JOB_RESERVED;
    job->conn = conn;
    job->end_ms = now.mono_ms + (uint64_t)job->ttr_s * MS_PER_S;
    job->n_reserves++;
    job->n_attempts++;
}

static int first_waiter(const struct naive *naive, int tube)
{
    int best = NOBODY;
    for (int i = 0; i < NAIVE_CONNS; i++) {
        const struct naive_conn *conn = &naive->conns[i];
        if (conn->is_open && conn->is_waiting && conn->is_watching[tube] &&
            (best == NOBODY || conn->waits_since < naive->conns[best].waits_since))
            best = i;
    }
    return best;
}

static void serve(struct naive *naive, int tube, struct model_now now)
{
    int conn;
    while ((conn = first_waiter(naive, tube)) != NOBODY && may_give(naive, tube, now)) {
        uint64_t id = naive_peek(naive, tube, JOB_READY);
        naive->conns[conn].is_waiting = false;
        lease(naive, conn, id, now);
        limit_rate_note(&naive->tubes[tube].rate, now.mono_ms * NS_PER_MS);
        say(naive, MODEL_RESERVED, conn, id);
    }
}

static void wait_again(struct naive *naive, struct naive_job *job, uint64_t due_ms,
                       struct model_now now)
{
    job->result_bytes = 0;
    if (job->expire_ms > 0 && job->expire_ms <= now.wall_ms) {
        job->is_there = false;
    } else if (due_ms > now.wall_ms) {
        job->state = JOB_DELAYED;
        job->due_ms = due_ms;
    } else {
        job->state = JOB_READY;
    }
    serve(naive, job->tube, now);
}

/* Has a result of so many bytes room, beside the others, and is it wanted? */
static bool is_kept(const struct naive *naive, const struct naive_job *job, uint64_t others,
                    uint64_t n_bytes)
{
    uint32_t policy_s = naive->tubes[job->tube].policy.result_s;
    return (job->result_s > 0 || policy_s > 0) && others + n_bytes <= naive->bytes_max;
}

static void bury(struct naive *naive, struct naive_job *job, uint32_t n_bytes, struct model_now now)
{
    bool has_room = is_kept(naive, job, naive_n_bytes(naive, NOBODY), n_bytes);
    job->result_bytes = has_room ? n_bytes : 0;
    job->state = JOB_BURIED;
    job->n_buries++;
    job->buried_at = ++naive->order;
    serve(naive, job->tube, now);
}

static enum model_result end_attempt(struct naive *naive, struct naive_job *job,
                                     const struct model_failure *failure, struct model_now now)
{
    const struct tube_policy *policy = &naive->tubes[job->tube].policy;
    enum job_error error = failure->error;
    const struct retry_rule *rule = &policy->retry[error];
    uint32_t max = job->attempts_max > 0 ? job->attempts_max : policy->attempts_max;
    uint64_t delay_ms = 0;
    job->n_timeouts += error == JOB_ERROR_TIMEOUT;
    if (rule->action != RETRY_DEAD && rule->base_ms > 0)
        delay_ms = retry_delay_ms(rule, job->n_attempts, rng_next(&naive->rng));
    if (delay_ms < failure->least_ms)
        delay_ms = failure->least_ms;
    if (rule->action == RETRY_HELD)
        job->n_attempts--;
    bool is_dead = rule->action == RETRY_DEAD ||
                   (rule->action == RETRY_LATER && max > 0 && job->n_attempts >= max);
    if (is_dead || (error != JOB_ERROR_TIMEOUT && error != JOB_ERROR_LOST))
        job->error = error;
    if (is_dead) {
        bury(naive, job, (uint32_t)failure->result.len, now);
        return MODEL_BURIED;
    }
    wait_again(naive, job, now.wall_ms + delay_ms, now);
    return MODEL_OK;
}

/* ---- commands -------------------------------------------------------------------------------- */

enum model_result naive_put(struct naive *naive, int conn, const struct model_put *put,
                            uint32_t key, struct model_now now, uint64_t *ret_id)
{
    int tube = naive->conns[conn].used;
    const struct tube_policy *policy = &naive->tubes[tube].policy;
    uint32_t n = (uint32_t)put->body.len;
    naive->n_events = 0;
    if (naive->is_draining || naive->tubes[tube].is_draining)
        return MODEL_DRAINING;
    for (int i = 1; key > 0 && i < NAIVE_JOBS; i++) {
        if (!naive->jobs[i].is_there || naive->jobs[i].tube != tube || naive->jobs[i].key != key)
            continue;
        *ret_id = (uint64_t)i;
        return MODEL_EXISTS;
    }
    if (naive_count(naive, NOBODY, JOB_N_STATES) >= naive->jobs_max ||
        naive_n_bytes(naive, NOBODY) + n > naive->bytes_max ||
        (policy->jobs_max > 0 && naive_count(naive, tube, JOB_N_STATES) >= policy->jobs_max) ||
        (policy->bytes_max > 0 && naive_n_bytes(naive, tube) + n > policy->bytes_max))
        return MODEL_FULL;
    uint64_t id = naive->next_id++;
    assert(id < NAIVE_JOBS);
    struct naive_job *job = &naive->jobs[id];
    uint64_t due_ms = now.wall_ms + (uint64_t)put->delay_s * MS_PER_S;
    due_ms = put->not_before_ms > due_ms ? put->not_before_ms : due_ms;
    uint32_t ttl_s = put->ttl_s > 0 ? put->ttl_s : policy->ttl_s;
    *job = (struct naive_job){.is_there = true,
                              .tube = tube,
                              .priority = put->priority,
                              .ttr_s = put->ttr_s,
                              .delay_s = put->delay_s,
                              .n_bytes = n,
                              .key = key,
                              .n_attempts = put->n_attempts,
                              .attempts_max = put->attempts_max,
                              .result_s = put->result_s,
                              .expire_ms = ttl_s > 0 ? due_ms + (uint64_t)ttl_s * MS_PER_S : 0,
                              .due_ms = due_ms,
                              .state = due_ms > now.wall_ms ? JOB_DELAYED : JOB_READY};
    *ret_id = id;
    serve(naive, tube, now);
    return MODEL_OK;
}

void naive_open(struct naive *naive, int conn)
{
    naive->n_events = 0;
    naive->conns[conn] =
        (struct naive_conn){.is_open = true, .is_watching = {true}, .serial = naive->next_serial++};
}

void naive_close(struct naive *naive, int conn, struct model_now now)
{
    int job;
    naive->n_events = 0;
    naive->conns[conn].is_waiting = false;
    while ((job = first_lease(naive, conn)) > 0)
        end_attempt(naive, &naive->jobs[job], &(struct model_failure){.error = JOB_ERROR_LOST},
                    now);
    naive->conns[conn].is_open = false;
}

enum model_result naive_ignore(struct naive *naive, int conn, int tube)
{
    bool *is_watching = naive->conns[conn].is_watching;
    int n = 0;
    naive->n_events = 0;
    for (int i = 0; i < NAIVE_TUBES; i++)
        n += is_watching[i];
    if (is_watching[tube] && n == 1)
        return MODEL_NOT_IGNORED;
    is_watching[tube] = false;
    return MODEL_OK;
}

enum model_result naive_reserve(struct naive *naive, int conn, uint64_t timeout_ms,
                                struct model_now now, uint64_t *ret_id)
{
    struct naive_conn *one = &naive->conns[conn];
    uint64_t best = 0;
    naive->n_events = 0;
    for (int i = 0; i < NAIVE_TUBES; i++) {
        if (!one->is_watching[i] || !may_give(naive, i, now))
            continue;
        uint64_t id = naive_peek(naive, i, JOB_READY);
        if (best == 0 || is_first(naive, (int)id, (int)best))
            best = id;
    }
    if (best > 0) {
        lease(naive, conn, best, now);
        limit_rate_note(&naive->tubes[naive->jobs[best].tube].rate, now.mono_ms * NS_PER_MS);
        *ret_id = best;
        return MODEL_OK;
    }
    if (is_soon(naive, conn, now))
        return MODEL_DEADLINE_SOON;
    if (timeout_ms == 0)
        return MODEL_TIMED_OUT;
    one->is_waiting = true;
    one->waits_since = ++naive->order;
    one->wait_until_ms = timeout_ms == MODEL_FOR_EVER ? MODEL_FOR_EVER : now.mono_ms + timeout_ms;
    return MODEL_WAITING;
}

enum model_result naive_reserve_job(struct naive *naive, int conn, uint64_t id,
                                    struct model_now now)
{
    const struct naive_job *job = find(naive, id);
    naive->n_events = 0;
    if (!job || job->state == JOB_RESERVED || job->state == JOB_DONE)
        return MODEL_NOT_FOUND;
    lease(naive, conn, id, now);
    return MODEL_OK;
}

enum model_result naive_release(struct naive *naive, int conn, uint64_t id, uint32_t priority,
                                uint32_t delay_s, struct model_now now)
{
    struct naive_job *job = leased(naive, conn, id);
    naive->n_events = 0;
    if (!job)
        return MODEL_NOT_FOUND;
    job->priority = priority;
    job->delay_s = delay_s;
    job->n_releases++;
    wait_again(naive, job, now.wall_ms + (uint64_t)delay_s * MS_PER_S, now);
    return MODEL_OK;
}

enum model_result naive_bury(struct naive *naive, int conn, uint64_t id, uint32_t priority,
                             struct model_now now)
{
    struct naive_job *job = leased(naive, conn, id);
    naive->n_events = 0;
    if (!job)
        return MODEL_NOT_FOUND;
    job->priority = priority;
    bury(naive, job, 0, now);
    return MODEL_OK;
}

enum model_result naive_touch(struct naive *naive, int conn, uint64_t id, struct model_now now)
{
    struct naive_job *job = leased(naive, conn, id);
    naive->n_events = 0;
    if (!job)
        return MODEL_NOT_FOUND;
    job->end_ms = now.mono_ms + (uint64_t)job->ttr_s * MS_PER_S;
    return MODEL_OK;
}

enum model_result naive_fail(struct naive *naive, int conn, uint64_t id,
                             const struct model_failure *failure, struct model_now now)
{
    struct naive_job *job = leased(naive, conn, id);
    naive->n_events = 0;
    return job ? end_attempt(naive, job, failure, now) : MODEL_NOT_FOUND;
}

enum model_result naive_give_back(struct naive *naive, int conn, uint64_t id, struct model_now now)
{
    struct naive_job *job = leased(naive, conn, id);
    naive->n_events = 0;
    if (!job)
        return MODEL_NOT_FOUND;
    job->n_attempts--;
    wait_again(naive, job, now.wall_ms, now);
    return MODEL_OK;
}

enum model_result naive_finish(struct naive *naive, int conn, uint64_t id, uint32_t n_bytes,
                               struct model_now now)
{
    struct naive_job *job = leased(naive, conn, id);
    naive->n_events = 0;
    if (!job)
        return MODEL_NOT_FOUND;
    const struct tube_policy *policy = &naive->tubes[job->tube].policy;
    uint32_t kept_s = job->result_s > 0 ? job->result_s : policy->result_s;
    uint64_t others = naive_n_bytes(naive, NOBODY) - job->n_bytes;
    if (is_kept(naive, job, others, n_bytes)) {
        job->state = JOB_DONE;
        job->result_bytes = n_bytes;
        job->expire_ms = now.wall_ms + (uint64_t)kept_s * MS_PER_S;
    } else {
        job->is_there = false;
    }
    serve(naive, job->tube, now);
    return MODEL_OK;
}

enum model_result naive_delete(struct naive *naive, int conn, uint64_t id, struct model_now now)
{
    struct naive_job *job = find(naive, id);
    naive->n_events = 0;
    if (!job || (conn != NOBODY &&
                 (job->state == JOB_DONE || (job->state == JOB_RESERVED && job->conn != conn))))
        return MODEL_NOT_FOUND;
    job->is_there = false;
    serve(naive, job->tube, now);
    return MODEL_OK;
}

static void kick(struct naive *naive, struct naive_job *job, struct model_now now)
{
    job->n_kicks++;
    if (job->state == JOB_BURIED)
        job->n_attempts = 0;
    job->expire_ms = 0;
    job->result_bytes = 0;
    job->state = JOB_READY;
    serve(naive, job->tube, now);
}

/* 0: none. */
static int next_to_kick(const struct naive *naive, int tube, enum job_state state)
{
    int best = 0;
    for (int i = 1; i < NAIVE_JOBS; i++) {
        const struct naive_job *job = &naive->jobs[i];
        bool is_clocks =
            state == JOB_DELAYED && job->key == NAIVE_SCHEDULE_KEY && job->n_reserves == 0;
        if (job->is_there && job->tube == tube && job->state == state && !is_clocks &&
            (best == 0 || is_first(naive, i, best)))
            best = i;
    }
    return best;
}

uint32_t naive_kick(struct naive *naive, int tube, enum job_state state, uint32_t n,
                    struct model_now now)
{
    uint32_t n_kicked = 0;
    int id;
    naive->n_events = 0;
    for (; n_kicked < n && (id = next_to_kick(naive, tube, state)) > 0; n_kicked++)
        kick(naive, &naive->jobs[id], now);
    return n_kicked;
}

enum model_result naive_kick_job(struct naive *naive, uint64_t id, struct model_now now)
{
    struct naive_job *job = find(naive, id);
    naive->n_events = 0;
    if (!job || (job->state != JOB_BURIED && job->state != JOB_DELAYED))
        return MODEL_NOT_FOUND;
    kick(naive, job, now);
    return MODEL_OK;
}

enum model_result naive_bury_job(struct naive *naive, uint64_t id, struct model_now now)
{
    struct naive_job *job = find(naive, id);
    naive->n_events = 0;
    if (!job || (job->state != JOB_READY && job->state != JOB_DELAYED))
        return MODEL_NOT_FOUND;
    bury(naive, job, 0, now);
    return MODEL_OK;
}

void naive_pause(struct naive *naive, int tube, uint64_t pause_ms, struct model_now now)
{
    naive->n_events = 0;
    naive->tubes[tube].paused_until_ms = pause_ms == 0               ? 0
                                         : pause_ms == TUBE_FOR_EVER ? TUBE_FOR_EVER
                                                                     : now.wall_ms + pause_ms;
    serve(naive, tube, now);
}

void naive_configure(struct naive *naive, int tube, const struct tube_policy *policy,
                     struct model_now now)
{
    struct naive_tube *one = &naive->tubes[tube];
    uint64_t due_ns = one->rate.due_ns;
    naive->n_events = 0;
    one->policy = *policy;
    one->is_configured = true;
    limit_rate_init(&one->rate, policy->rate_n, policy->rate_per_ns, policy->rate_burst);
    one->rate.due_ns = due_ns;
    serve(naive, tube, now);
}

/* ---- time ------------------------------------------------------------------------------------ */

/* When something of a tube is due on the wall clock. */
static uint64_t tube_due_ms(const struct naive *naive, int tube)
{
    uint64_t paused_ms = naive->tubes[tube].paused_until_ms;
    uint64_t id = naive_peek(naive, tube, JOB_DELAYED);
    uint64_t due_ms = id > 0 ? naive->jobs[id].due_ms : UINT64_MAX;
    return paused_ms > 0 && paused_ms < due_ms ? paused_ms : due_ms;
}

static uint64_t rate_due_ns(const struct naive *naive, int tube)
{
    return limit_rate_next_ns(&naive->tubes[tube].rate, 0);
}

static void wake_tube(struct naive *naive, int tube, struct model_now now)
{
    uint64_t id;
    if (naive->tubes[tube].paused_until_ms <= now.wall_ms)
        naive->tubes[tube].paused_until_ms = 0;
    while ((id = naive_peek(naive, tube, JOB_DELAYED)) > 0 && naive->jobs[id].due_ms <= now.wall_ms)
        naive->jobs[id].state = JOB_READY;
    serve(naive, tube, now);
}

/* Of two tubes, is `a` before `b`, whose times these are? */
static bool is_sooner(const struct naive *naive, int a, uint64_t a_time, int b, uint64_t b_time)
{
    return a_time != b_time ? a_time < b_time : naive->numbers[a] < naive->numbers[b];
}

/* The tube of which something is due first, or NOBODY. */
static int next_tube(const struct naive *naive, struct model_now now)
{
    int best = NOBODY;
    for (int i = 0; i < NAIVE_TUBES; i++)
        if (tube_due_ms(naive, i) <= now.wall_ms &&
            (best == NOBODY ||
             is_sooner(naive, i, tube_due_ms(naive, i), best, tube_due_ms(naive, best))))
            best = i;
    return best;
}

/* The tube whose rate allows one again to somebody who waits, the longest allowed first. */
static int next_rated(const struct naive *naive, struct model_now now)
{
    int best = NOBODY;
    for (int i = 0; i < NAIVE_TUBES; i++) {
        if (first_waiter(naive, i) == NOBODY || !may_give(naive, i, now))
            continue;
        if (best == NOBODY ||
            is_sooner(naive, i, rate_due_ns(naive, i), best, rate_due_ns(naive, best)))
            best = i;
    }
    return best;
}

static uint64_t conn_due_ms(const struct naive *naive, int conn)
{
    const struct naive_conn *one = &naive->conns[conn];
    int job = first_lease(naive, conn);
    uint64_t ms = job > 0 ? naive->jobs[job].end_ms : UINT64_MAX;
    if (!one->is_open)
        return UINT64_MAX;
    if (one->is_waiting && job > 0)
        ms = ms > MODEL_MARGIN_MS ? ms - MODEL_MARGIN_MS : 0;
    return one->is_waiting && one->wait_until_ms < ms ? one->wait_until_ms : ms;
}

static int next_conn(const struct naive *naive, struct model_now now)
{
    int best = NOBODY;
    for (int i = 0; i < NAIVE_CONNS; i++) {
        uint64_t ms = conn_due_ms(naive, i);
        if (ms > now.mono_ms)
            continue;
        if (best == NOBODY || ms < conn_due_ms(naive, best) ||
            (ms == conn_due_ms(naive, best) && naive->conns[i].serial < naive->conns[best].serial))
            best = i;
    }
    return best;
}

static void wake_conn(struct naive *naive, int conn, struct model_now now)
{
    struct naive_conn *one = &naive->conns[conn];
    int job;
    if (one->is_waiting && is_soon(naive, conn, now)) {
        one->is_waiting = false;
        say(naive, MODEL_DEADLINE_SOON_NOW, conn, 0);
    }
    while ((job = first_lease(naive, conn)) > 0 && naive->jobs[job].end_ms <= now.mono_ms)
        end_attempt(naive, &naive->jobs[job], &(struct model_failure){.error = JOB_ERROR_TIMEOUT},
                    now);
    if (one->is_waiting && one->wait_until_ms <= now.mono_ms) {
        one->is_waiting = false;
        say(naive, MODEL_TIMED_OUT_NOW, conn, 0);
    }
}

void naive_tick(struct naive *naive, struct model_now now)
{
    int who;
    naive->n_events = 0;
    for (int i = 1; i < NAIVE_JOBS; i++) {
        struct naive_job *job = &naive->jobs[i];
        bool is_mortal =
            job->state == JOB_READY || job->state == JOB_DELAYED || job->state == JOB_DONE;
        if (job->is_there && is_mortal && job->expire_ms > 0 && job->expire_ms <= now.wall_ms)
            job->is_there = false;
    }
    while ((who = next_tube(naive, now)) != NOBODY)
        wake_tube(naive, who, now);
    while ((who = next_rated(naive, now)) != NOBODY)
        serve(naive, who, now);
    while ((who = next_conn(naive, now)) != NOBODY)
        wake_conn(naive, who, now);
}
