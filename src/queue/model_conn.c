/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Connections: what they use and watch, what they wait for, what they have leased.
 */

#include "queue/model_part.h"

#include "base/mem.h"

enum { WATCHES_MIN = 4, MS_PER_S = 1000 };

/* ---- leases ---------------------------------------------------------------------------------- */

/* When the first lease ends, or UINT64_MAX. */
static uint64_t first_end_ms(const struct model_conn *conn)
{
    return conn->leases.n_slots > 0 ? key_ms(heap_first_key(&conn->leases)) : UINT64_MAX;
}

static uint64_t margin_of(uint64_t end_ms)
{
    return end_ms > MODEL_MARGIN_MS ? end_ms - MODEL_MARGIN_MS : 0;
}

bool model_is_soon(const struct model_conn *conn, struct model_now now)
{
    return conn->leases.n_slots > 0 && margin_of(first_end_ms(conn)) <= now.mono_ms;
}

void model_arm_conn(struct model *model, struct model_conn *conn)
{
    uint64_t ms = first_end_ms(conn);
    if (conn->is_waiting) {
        ms = ms == UINT64_MAX ? ms : margin_of(ms);
        ms = conn->wait_until_ms < ms ? conn->wait_until_ms : ms;
    }
    if (ms != UINT64_MAX && heap_has(&conn->timer))
        heap_move(&model->conn_timers, &conn->timer, key_make(ms, conn->serial));
    else if (ms != UINT64_MAX)
        heap_insert(&model->conn_timers, &conn->timer, key_make(ms, conn->serial));
    else if (heap_has(&conn->timer))
        heap_remove(&model->conn_timers, &conn->timer);
}

uint32_t model_leased(const struct model *model, const struct model_conn *conn, uint64_t id)
{
    uint32_t number = job_find(&model->store, id);
    if (number == JOB_NONE)
        return JOB_NONE;
    const struct job *job = job_at(&model->store, number);
    if (job->state != JOB_RESERVED || lease_at(model, job->at)->conn != conn)
        return JOB_NONE;
    return number;
}

void model_lease(struct model *model, struct model_conn *conn, uint32_t number,
                 struct model_now now)
{
    struct job *job = job_at(&model->store, number);
    uint32_t item = job_pool_take(&model->leases);
    struct lease *lease = lease_at(model, item);
    lease->job = number;
    lease->number = ++model->next_lease;
    lease->conn = conn;
    heap_node_init(&lease->node);
    uint64_t end_ms = now.mono_ms + (uint64_t)job->ttr_s * MS_PER_S;
    heap_insert(&conn->leases, &lease->node, key_make(end_ms, job->id));
    job_count(&job->n_reserves);
    job_count(&job->n_attempts);
    model_enter(model, number, JOB_RESERVED);
    job->at = item;
    model_log(model, MODEL_LOG_LEASE, number);
    model_arm_conn(model, conn);
}

void model_end_lease(struct model *model, uint32_t number)
{
    uint32_t item = job_at(&model->store, number)->at;
    struct lease *lease = lease_at(model, item);
    struct model_conn *conn = lease->conn;
    assert(lease->job == number);
    heap_remove(&conn->leases, &lease->node);
    job_pool_give(&model->leases, item);
    model_arm_conn(model, conn);
}

uint64_t model_lease_number(const struct model *model, const struct model_conn *conn, uint64_t id)
{
    uint32_t number = model_leased(model, conn, id);
    return number == JOB_NONE ? 0 : lease_at(model, job_at(&model->store, number)->at)->number;
}

enum model_result model_hand_over(struct model *model, struct model_conn *conn, uint64_t id,
                                  struct model_conn *to)
{
    model_begin(model);
    uint32_t number = model_leased(model, conn, id);
    if (number == JOB_NONE)
        return MODEL_NOT_FOUND;
    struct lease *lease = lease_at(model, job_at(&model->store, number)->at);
    uint64_t key = heap_key(&conn->leases, &lease->node);
    heap_remove(&conn->leases, &lease->node);
    heap_insert(&to->leases, &lease->node, key);
    lease->conn = to;
    model_arm_conn(model, conn);
    model_arm_conn(model, to);
    return MODEL_OK;
}

/* ---- open and close -------------------------------------------------------------------------- */

static void add_watch(struct model_conn *conn, struct tube *tube)
{
    if (conn->n_watches == conn->cap_watches) {
        conn->cap_watches = conn->cap_watches ? 2 * conn->cap_watches : WATCHES_MIN;
        conn->watches =
            mem_realloc(conn->watches, conn->cap_watches * sizeof(struct model_watch *));
    }
    struct model_watch *watch = MEM_NEW(struct model_watch);
    list_init(&watch->waiting);
    watch->conn = conn;
    watch->tube = tube;
    conn->watches[conn->n_watches++] = watch;
    tube->n_watching++;
}

struct model_conn *model_conn_open(struct model *model, void *owner)
{
    model_begin(model);
    struct model_conn *conn = MEM_NEW(struct model_conn);
    struct tube *tube = model_tube(model, SLICE("default"));
    conn->owner = owner;
    conn->serial = model->next_serial++;
    heap_node_init(&conn->timer);
    heap_init(&conn->leases);
    conn->used = tube;
    tube->n_using++;
    add_watch(conn, tube);
    model->n_conns++;
    return conn;
}

static void end_watch(struct model *model, struct model_watch *watch)
{
    struct tube *tube = watch->tube;
    tube->n_watching--;
    mem_free(watch);
    model_tube_release(model, tube);
}

void model_conn_close(struct model *model, struct model_conn **conn_ptr, struct model_now now)
{
    struct model_conn *conn = *conn_ptr;
    const struct model_failure failure = {.error = JOB_ERROR_LOST};
    model_begin(model);
    model_stop_waiting(model, conn);
    while (conn->leases.n_slots > 0) {
        const struct lease *lease = CONTAINER_OF(heap_first(&conn->leases), struct lease, node);
        model_fail_attempt(model, lease->job, &failure, now);
    }
    for (uint32_t i = 0; i < conn->n_watches; i++)
        end_watch(model, conn->watches[i]);
    conn->used->n_using--;
    model_tube_release(model, conn->used);
    assert(!heap_has(&conn->timer));
    heap_deinit(&conn->leases);
    mem_free(conn->watches);
    mem_free(conn);
    model->n_conns--;
    *conn_ptr = NULL;
}

/* ---- tubes ----------------------------------------------------------------------------------- */

enum model_result model_use(struct model *model, struct model_conn *conn, struct slice name)
{
    model_begin(model);
    struct tube *tube = model_tube_make(model, name, true);
    if (!tube)
        return MODEL_FULL;
    struct tube *former = conn->used;
    tube->n_using++;
    former->n_using--;
    conn->used = tube;
    model_tube_release(model, former);
    return MODEL_OK;
}

/* The place of the tube in the list, or n_watches. */
static uint32_t find_watch(const struct model_conn *conn, const struct tube *tube)
{
    uint32_t i = 0;
    while (i < conn->n_watches && conn->watches[i]->tube != tube)
        i++;
    return i;
}

enum model_result model_watch(struct model *model, struct model_conn *conn, struct slice name)
{
    model_begin(model);
    assert(!conn->is_waiting);
    const struct tube *known = model_tube(model, name);
    if (known && find_watch(conn, known) < conn->n_watches)
        return MODEL_OK;
    if (conn->n_watches >= model->limits.watches_max)
        return MODEL_FULL;
    struct tube *tube = model_tube_make(model, name, true);
    if (!tube)
        return MODEL_FULL;
    add_watch(conn, tube);
    return MODEL_OK;
}

enum model_result model_ignore(struct model *model, struct model_conn *conn, struct slice name)
{
    model_begin(model);
    assert(!conn->is_waiting);
    const struct tube *tube = model_tube(model, name);
    uint32_t i = tube ? find_watch(conn, tube) : conn->n_watches;
    if (i == conn->n_watches)
        return MODEL_OK;
    if (conn->n_watches == 1)
        return MODEL_NOT_IGNORED;
    struct model_watch *watch = conn->watches[i];
    for (conn->n_watches--; i < conn->n_watches; i++)
        conn->watches[i] = conn->watches[i + 1];
    end_watch(model, watch);
    return MODEL_OK;
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* The first job of all tubes that it watches and that may give one, or JOB_NONE. */
static uint32_t best_job(const struct model *model, const struct model_conn *conn,
                         struct model_now now)
{
    uint32_t best = JOB_NONE;
    for (uint32_t i = 0; i < conn->n_watches; i++) {
        const struct tube *tube = conn->watches[i]->tube;
        if (!model_may_give(tube, now))
            continue;
        uint32_t number = job_heap_first(&tube->ready);
        if (best == JOB_NONE ||
            job_is_before(job_at(&model->store, number), job_at(&model->store, best)))
            best = number;
    }
    return best;
}

static void begin_waiting(struct model *model, struct model_conn *conn, uint64_t until_ms,
                          struct model_now now)
{
    conn->is_waiting = true;
    conn->wait_until_ms = until_ms;
    for (uint32_t i = 0; i < conn->n_watches; i++) {
        struct tube *tube = conn->watches[i]->tube;
        list_add_back(&tube->waiters, &conn->watches[i]->waiting);
        tube->n_waiting++;
        model_arm_tube(model, tube, now);
    }
    model_arm_conn(model, conn);
}

void model_stop_waiting(struct model *model, struct model_conn *conn)
{
    if (!conn->is_waiting)
        return;
    conn->is_waiting = false;
    for (uint32_t i = 0; i < conn->n_watches; i++) {
        list_remove(&conn->watches[i]->waiting);
        conn->watches[i]->tube->n_waiting--;
    }
    model_arm_conn(model, conn);
}

enum model_result model_reserve(struct model *model, struct model_conn *conn, uint64_t timeout_ms,
                                struct model_now now, uint64_t *ret_id)
{
    model_begin(model);
    assert(!conn->is_waiting);
    uint32_t number = best_job(model, conn, now);
    if (number != JOB_NONE) {
        struct job *job = job_at(&model->store, number);
        struct tube *tube = tube_of(model, job);
        model_leave(model, number);
        model_lease(model, conn, number, now);
        limit_rate_note(&tube->rate, now.mono_ms * 1000000);
        model_arm_tube(model, tube, now);
        *ret_id = job->id;
        return MODEL_OK;
    }
    if (model_is_soon(conn, now))
        return MODEL_DEADLINE_SOON;
    if (timeout_ms == 0)
        return MODEL_TIMED_OUT;
    bool is_endless = timeout_ms >= KEY_MS_MAX - now.mono_ms;
    begin_waiting(model, conn, is_endless ? UINT64_MAX : now.mono_ms + timeout_ms, now);
    return MODEL_WAITING;
}

enum model_result model_reserve_job(struct model *model, struct model_conn *conn, uint64_t id,
                                    struct model_now now)
{
    model_begin(model);
    assert(!conn->is_waiting);
    uint32_t number = job_find(&model->store, id);
    if (number == JOB_NONE)
        return MODEL_NOT_FOUND;
    const struct job *job = job_at(&model->store, number);
    if (job->state == JOB_RESERVED || job->state == JOB_DONE)
        return MODEL_NOT_FOUND;
    model_leave(model, number);
    model_lease(model, conn, number, now);
    model_arm_tube(model, tube_of(model, job), now);
    return MODEL_OK;
}
