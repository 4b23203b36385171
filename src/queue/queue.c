/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The life of the queue's process: start, prepare, commit, drain, stop.
 *
 * The first prepare opens the log, so that what is wrong with it refuses the start. Where another
 * process still has it, the former one of an upgrade, that waits until it has let go.
 */

#include "queue/queue.h"

#include "base/hash.h"
#include "base/mem.h"
#include "queue/client.h"
#include <assert.h>
#include <stdio.h>

#define NS_PER_MS UINT64_C(1000000)

enum { RETRY_MS = 20, PUBLISH_MS = 1000, BACKLOG = 1024 };

const struct queue_module_conf *queue_conf_of(const struct snapshot *snap)
{
    return snapshot_conf(snap, &queue_module);
}

/* ---- what the engine tells ------------------------------------------------------------------- */

static void on_action(void *ctx, const struct model_action *action)
{
    (void)ctx;
    jobs_client_told(action->conn->owner, action);
}

static void on_durable(void *ctx, uint64_t lsn)
{
    clients_release(ctx, lsn);
}

static void on_trouble(void *ctx)
{
    clients_fail(ctx);
    publish_all(ctx);
}

/* While a drain goes on, whoever has nothing under way is sent away. */
static void close_idle(struct hall *hall)
{
    for (size_t i = 0; i < hall->n_listeners; i++) {
        LIST_EACH (node, &hall->listeners[i]->clients) {
            struct client *client = LIST_ENTRY(node, struct client, node);
            if (!client->is_closed && jobs_client_is_idle(client))
                jobs_client_close(client);
        }
    }
}

static void on_settled(void *ctx)
{
    struct hall *hall = ctx;
    if (hall->is_closed)
        return;
    clients_go_on(hall);
    if (hall->is_closing)
        close_idle(hall);
    clients_go_on(hall);
}

/* ---- the start ------------------------------------------------------------------------------- */

static void on_publish(struct loop *loop, struct loop_timer *timer)
{
    publish_all(CONTAINER_OF(timer, struct hall, publish));
    loop_timer_set(loop, timer, loop_now_ns(loop) + PUBLISH_MS * NS_PER_MS);
}

/* The log is ours from now on. */
static void serve(struct hall *hall)
{
    engine_configure(&hall->engine, queue_conf_of(hall->snap), NULL);
    listen_open(hall);
    publish_all(hall);
}

static void on_retry(struct loop *loop, struct loop_timer *timer)
{
    struct hall *hall = CONTAINER_OF(timer, struct hall, retry);
    struct err err = ERR_NONE;
    if (hall->is_closing)
        return;
    int result = engine_open(&hall->engine, &queue_conf_of(hall->snap)->queues, &err);
    if (result == 0) {
        serve(hall);
    } else if (result > 0) {
        loop_timer_set(loop, timer, loop_now_ns(loop) + RETRY_MS * NS_PER_MS);
    } else {
        hall->engine.trouble = err;
        log_write(process_log(loop), LOG_LEVEL_ERROR, "%s", err.text);
        publish_all(hall);
    }
}

static int queue_start(struct process *process, void **ret_state, struct err *err)
{
    (void)err;
    struct hall *hall = MEM_NEW(struct hall);
    const struct engine_hooks hooks = {.on_action = on_action,
                                       .on_durable = on_durable,
                                       .on_trouble = on_trouble,
                                       .on_settled = on_settled,
                                       .ctx = hall};
    hall->process = process;
    hall->loop = process->loops[0];
    slabs_init(&hall->slabs, process->board, process->n_loops, process->seed);
    engine_init(&hall->engine, process, &hooks);
    list_init(&hall->ready);
    list_init(&hall->held);
    list_init(&hall->parked);
    loop_timer_init(&hall->retry, on_retry);
    loop_timer_init(&hall->publish, on_publish);
    hall->started_ns = loop_now_ns(hall->loop);
    snprintf(hall->id, sizeof(hall->id), "%016llx", (unsigned long long)hash_mix(process->seed));
    uname(&hall->system);
    *ret_state = hall;
    return 0;
}

/* ---- files ----------------------------------------------------------------------------------- */

static void forget_next(struct hall *hall)
{
    listen_abort(hall);
    publish_abort(hall);
    snapshot_unref(&hall->next);
}

static int queue_prepare(void *state, struct snapshot *snap, struct err *err)
{
    struct hall *hall = state;
    assert(!hall->next);
    hall->next = snapshot_ref(snap);
    int result = 0;
    if (!hall->engine.wal && !hall->snap)
        result = engine_open(&hall->engine, &queue_conf_of(snap)->queues, err);
    if (result >= 0 && listen_prepare(hall, err) == 0 && publish_prepare(hall, err) == 0)
        return 0;
    forget_next(hall);
    return -1;
}

static void queue_abort(void *state, struct snapshot *snap)
{
    (void)snap;
    forget_next(state);
}

static void queue_commit(void *state, struct snapshot *snap)
{
    struct hall *hall = state;
    struct snapshot *former = hall->snap;
    assert(hall->next == snap);
    listen_commit(hall);
    publish_commit(hall);
    hall->snap = hall->next;
    hall->next = NULL;
    if (hall->engine.wal)
        engine_configure(&hall->engine, queue_conf_of(snap), former ? queue_conf_of(former) : NULL);
    else if (!hall->engine.trouble.text[0])
        loop_timer_set(hall->loop, &hall->retry, loop_now_ns(hall->loop));
    if (former)
        snapshot_unref(&former);
    listen_open(hall);
    publish_all(hall);
    loop_timer_set(hall->loop, &hall->publish, loop_now_ns(hall->loop) + PUBLISH_MS * NS_PER_MS);
}

/* ---- the end --------------------------------------------------------------------------------- */

/* What was acknowledged is on the disk, and the next process may have the log. */
static void let_go(struct hall *hall)
{
    if (hall->is_closed)
        return;
    publish_all(hall);
    hall->is_closing = true;
    loop_timer_clear(hall->loop, &hall->retry);
    loop_timer_clear(hall->loop, &hall->publish);
    listen_stop(hall);
    hall->is_closed = true;
    engine_close(&hall->engine);
}

/* Behind an upgrade the new process waits for the log: its clients come again. */
static void queue_drain(void *state, uint64_t deadline_ns)
{
    struct hall *hall = state;
    (void)deadline_ns;
    if (hall->process->is_former) {
        let_go(hall);
        return;
    }
    hall->is_closing = true;
    listen_close(hall);
    if (hall->engine.wal)
        model_drain(hall->engine.model, true);
    publish_all(hall);
    engine_later(&hall->engine);
}

static bool queue_is_drained(void *state)
{
    const struct hall *hall = state;
    return hall->is_closed || hall->n_conns == 0;
}

static void queue_stop(void *state)
{
    struct hall *hall = state;
    let_go(hall);
    publish_stop(hall);
    slabs_deinit(&hall->slabs);
    if (hall->snap)
        snapshot_unref(&hall->snap);
    mem_free(hall);
}

static void queue_status(void *state, struct json *json)
{
    const struct hall *hall = state;
    json_key(json, "connections");
    json_uint(json, hall->n_conns);
    if (!hall->engine.wal)
        return;
    json_key(json, "jobs");
    json_uint(json, hall->engine.model->store.n_jobs);
    json_key(json, "bytes");
    json_uint(json, hall->engine.model->n_bytes);
    json_key(json, "queues");
    json_uint(json, hall->engine.model->n_tubes);
    json_key(json, "is_durable");
    json_bool(json,
              wal_sync_is_durable((enum wal_sync)queue_conf_of(hall->snap)->queues.sync.mode));
}

/* ---- from the outside ------------------------------------------------------------------------ */

static bool queue_is_needed(const struct snapshot *snap)
{
    return queue_conf_of(snap)->jobs_list.n_items > 0;
}

static int queue_sockets(const struct snapshot *snap, socket_want_fn *want, void *ctx)
{
    const struct conf_list *list = &queue_conf_of(snap)->listens;
    for (size_t i = 0; i < list->n_items; i++) {
        const struct jobs_conf *jobs = list->items[i];
        const struct socket_want socket = {.name = jobs->fact,
                                           .addr = jobs->addr,
                                           .type = SOCK_STREAM,
                                           .backlog = BACKLOG,
                                           .unix_mode = jobs->addr.at.line > 0 ? 0660 : 0600};
        if (want(ctx, &socket) < 0)
            return -1;
    }
    return 0;
}

static const struct fact_kind fact_kinds[] = {
    {.name = "jobs",
     .rule = FACT_DISTRUST,
     .patience_ms = 2000,
     .doc = "an address where jobs are put and taken: serving, draining, or down while another "
            "process has the log; failed when the log is, and no job is taken"},
    {.name = "queue",
     .rule = FACT_DISTRUST,
     .patience_ms = 2000,
     .doc = "a queue of the file: serving, draining, degraded while it is paused; the value is how "
            "many jobs it has"},
    {0},
};

static const struct metric_table *const metrics[] = {&jobs_metrics, &queue_metrics,
                                                     &queue_log_metrics, NULL};

const struct module queue_module = {
    .name = "queue",
    .doc = "a durable queue of jobs",
    .words = queue_words,
    .conf_size = sizeof(struct queue_module_conf),
    .check = queue_check,
    .fact_kinds = fact_kinds,
    .metrics = metrics,
    .process = "queue",
    .is_needed = queue_is_needed,
    .sandbox = {.allow = SANDBOX_ACCEPT | SANDBOX_STATE_FILES | SANDBOX_THREADS},
    .sockets = queue_sockets,
    .files = queue_files,
    .check_files = queue_check_files,
    .start = queue_start,
    .prepare = queue_prepare,
    .commit = queue_commit,
    .abort = queue_abort,
    .drain = queue_drain,
    .is_drained = queue_is_drained,
    .stop = queue_stop,
    .status = queue_status,
};
