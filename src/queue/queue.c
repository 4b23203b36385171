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
#include "queue/api.h"
#include "queue/async.h"
#include "queue/client.h"
#include "queue/deliver.h"
#include "queue/explain.h"
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
    struct waiter *waiter = action->conn->owner;
    (void)ctx;
    waiter->told(waiter, action);
}

static void on_changed(void *ctx, uint64_t id)
{
    async_changed(ctx, id);
}

static void on_durable(void *ctx, uint64_t lsn)
{
    clients_release(ctx, lsn);
    api_release(ctx, lsn);
}

static void on_trouble(void *ctx)
{
    clients_fail(ctx);
    api_fail(ctx);
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

/* True where somebody did something in the model, which others may have waited for. */
static bool go_on(struct hall *hall)
{
    clients_go_on(hall);
    bool is_told = api_go_on(hall);
    bool is_begun = deliver_go_on(hall);
    return is_told || is_begun;
}

static void on_settled(void *ctx)
{
    struct hall *hall = ctx;
    if (hall->is_closed)
        return;
    if (hall->is_closing) {
        clients_go_on(hall);
        close_idle(hall);
        api_drain(hall);
    }
    while (go_on(hall))
        ;
    if (hall->is_letting_go && deliver_is_idle(hall))
        loop_timer_set(hall->loop, &hall->let_go, loop_now_ns(hall->loop));
}

/* A pool has changed, and perhaps the queue that is held by it. */
static void on_change(void *ctx, const struct board_change *change)
{
    struct hall *hall = ctx;
    struct slice name = slice_from(change->name);
    if (slice_starts(name, SLICE("pool:")) || slice_starts(name, SLICE("failopen:")))
        engine_later(&hall->engine);
}

static void on_lost(void *ctx, size_t segment)
{
    struct hall *hall = ctx;
    (void)segment;
    engine_later(&hall->engine);
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
    if (hall->next) { /* the files of zones are those of the coming file just now */
        loop_timer_set(loop, timer, loop_now_ns(loop) + RETRY_MS * NS_PER_MS);
        return;
    }
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

static void on_let_go(struct loop *loop, struct loop_timer *timer);

static int queue_start(struct process *process, void **ret_state, struct err *err)
{
    (void)err;
    struct hall *hall = MEM_NEW(struct hall);
    const struct engine_hooks hooks = {.on_action = on_action,
                                       .on_changed = on_changed,
                                       .on_durable = on_durable,
                                       .on_trouble = on_trouble,
                                       .on_settled = on_settled,
                                       .failure_path = deliver_failure_path,
                                       .ctx = hall};
    hall->process = process;
    hall->loop = process->loops[0];
    slabs_init(&hall->slabs, process->board, process->n_loops, process->seed);
    engine_init(&hall->engine, process, &hooks);
    hall->api = api_create();
    hall->async = async_create();
    list_init(&hall->ready);
    list_init(&hall->held);
    list_init(&hall->parked);
    list_init(&hall->deliverers);
    loop_timer_init(&hall->retry, on_retry);
    loop_timer_init(&hall->publish, on_publish);
    loop_timer_init(&hall->let_go, on_let_go);
    process_watch(process, on_change, on_lost, hall);
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
    deliver_commit(hall);
    async_commit(hall);
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
    loop_timer_clear(hall->loop, &hall->let_go);
    deliver_stop(hall);
    listen_stop(hall);
    api_stop(hall);
    hall->is_closed = true;
    engine_close(&hall->engine);
}

static void on_let_go(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    let_go(CONTAINER_OF(timer, struct hall, let_go));
}

/*
 * Behind an upgrade the new process waits for the log: its clients come again. Deliveries that are
 * under way have a moment to end, as they could only be begun anew.
 */
static void hand_over(struct hall *hall, uint64_t deadline_ns)
{
    int64_t wait_ms = hall->snap ? queue_conf_of(hall->snap)->queues.handover_ms : 0;
    uint64_t end_ns = loop_now_ns(hall->loop) + (uint64_t)wait_ms * NS_PER_MS;
    hall->is_closing = true;
    hall->is_letting_go = true;
    listen_stop(hall);
    if (deliver_is_idle(hall))
        let_go(hall);
    else
        loop_timer_set(hall->loop, &hall->let_go, end_ns < deadline_ns ? end_ns : deadline_ns);
}

static void queue_drain(void *state, uint64_t deadline_ns)
{
    struct hall *hall = state;
    if (hall->process->is_former) {
        hand_over(hall, deadline_ns);
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
    return hall->is_closed || (hall->n_conns == 0 && deliver_is_idle(hall));
}

static void queue_stop(void *state)
{
    struct hall *hall = state;
    let_go(hall);
    publish_stop(hall);
    api_destroy(&hall->api);
    async_destroy(&hall->async);
    slabs_deinit(&hall->slabs);
    if (hall->snap)
        snapshot_unref(&hall->snap);
    mem_free(hall);
}

static void queue_status(void *state, struct json *json)
{
    status_tell(state, json);
}

/* ---- from the outside ------------------------------------------------------------------------ */

static bool queue_is_needed(const struct snapshot *snap)
{
    const struct queue_module_conf *conf = queue_conf_of(snap);
    return conf->jobs_list.n_items > 0 || conf->is_async;
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
     .doc = "a queue of the file: serving, draining, degraded while it is paused, or held because "
            "its pool has nobody to deliver to; the value is how many jobs it has"},
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
    .sandbox = {.allow = SANDBOX_ACCEPT | SANDBOX_CONNECT | SANDBOX_STATE_FILES | SANDBOX_THREADS},
    .sockets = queue_sockets,
    .files = queue_files,
    .check_files = queue_check_files,
    .leaves = queue_leaves,
    .start = queue_start,
    .prepare = queue_prepare,
    .commit = queue_commit,
    .abort = queue_abort,
    .drain = queue_drain,
    .is_drained = queue_is_drained,
    .stop = queue_stop,
    .status = queue_status,
    .explains = "queue",
    .explain = queue_explain,
    .explain_inside = queue_explain_inside,
};
