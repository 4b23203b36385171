/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The model's time, its actions, and its log.
 */

#include "queue/engine.h"

#include "base/hash.h"
#include "base/mem.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

enum {
    TICKS_PER_TURN = 64,
    WALL_LOOK_MS = 1000, /* how late a step of the wall clock is noticed */
    SLACK_BYTES = 4096,  /* the log's own records, and leases that ride along */
};

/* ---- time ------------------------------------------------------------------------------------ */

struct model_now engine_clock(const struct engine *engine)
{
    return (struct model_now){.wall_ms = loop_wall_ns(engine->loop) / NS_PER_MS,
                              .mono_ms = loop_now_ns(engine->loop) / NS_PER_MS};
}

static bool is_due(const struct engine *engine, struct model_now now)
{
    return model_next_mono_ms(engine->model) <= now.mono_ms ||
           model_next_wall_ms(engine->model) <= now.wall_ms;
}

struct model_now engine_now(struct engine *engine)
{
    struct model_now now = engine_clock(engine);
    if (schedules_are_due(&engine->schedules, now))
        schedules_run(&engine->schedules, now);
    for (int i = 0; i < TICKS_PER_TURN && is_due(engine, now); i++) {
        (void)model_tick(engine->model, now);
        (void)engine_settle(engine);
    }
    return now;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The next moment at which something is due, as a deadline of the loop. */
static void arm(struct engine *engine)
{
    struct model_now now = engine_clock(engine);
    const struct schedules *schedules = &engine->schedules;
    uint64_t mono_ms = earlier(model_next_mono_ms(engine->model), schedules->retry_mono_ms);
    uint64_t wall_ms = earlier(model_next_wall_ms(engine->model), schedules->due_ms);
    uint64_t wait_ms = UINT64_MAX;
    if (mono_ms != UINT64_MAX)
        wait_ms = mono_ms > now.mono_ms ? mono_ms - now.mono_ms : 0;
    if (wall_ms != UINT64_MAX) {
        uint64_t wall_wait_ms = wall_ms > now.wall_ms ? wall_ms - now.wall_ms : 0;
        wait_ms = earlier(earlier(wall_wait_ms, WALL_LOOK_MS), wait_ms);
    }
    if (schedules_are_due(schedules, now))
        wait_ms = 0;
    if (wait_ms == UINT64_MAX)
        loop_timer_clear(engine->loop, &engine->timer);
    else
        loop_timer_set(engine->loop, &engine->timer,
                       loop_now_ns(engine->loop) + wait_ms * NS_PER_MS);
}

static void on_turn(struct loop *loop, struct loop_task *task)
{
    (void)loop;
    struct engine *engine = CONTAINER_OF(task, struct engine, task);
    engine->hooks.on_settled(engine->hooks.ctx);
    engine->is_task_due = false;
    if (engine->wal && engine->is_configured)
        arm(engine);
}

/* Once a turn, however much happens in it. */
void engine_later(struct engine *engine)
{
    if (engine->is_task_due)
        return;
    engine->is_task_due = true;
    loop_defer(engine->loop, &engine->task, on_turn);
}

static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    struct engine *engine = CONTAINER_OF(timer, struct engine, timer);
    (void)engine_now(engine);
    engine_later(engine);
}

/* ---- actions --------------------------------------------------------------------------------- */

static void tell(const struct engine *engine, const struct model_action *action)
{
    bool is_change = action->kind == MODEL_LOG_STATE || action->kind == MODEL_LOG_DEL;
    if (action->kind >= MODEL_RESERVED)
        engine->hooks.on_action(engine->hooks.ctx, action);
    else if (is_change && engine->n_watching > 0)
        engine->hooks.on_changed(engine->hooks.ctx, action->id);
}

uint64_t engine_settle(struct engine *engine)
{
    struct model *model = engine->model;
    assert(!engine->is_settling);
    engine->is_settling = true;
    uint64_t lsn = engine->wal ? journal_write(&engine->journal) : 0;
    for (uint32_t i = 0; i < model->n_actions; i++)
        tell(engine, &model->actions[i]);
    engine->is_settling = false;
    model_forget_body(model);
    if (engine->n_callbacks > 0)
        model->is_log_short = engine_would(engine, WAL_MORE, CALLBACK_HEAD_BYTES) != 0;
    engine_later(engine);
    return lsn;
}

void engine_give_back(struct engine *engine, struct model_conn *conn)
{
    uint64_t id;
    while ((id = model_first_leased(engine->model, conn)) > 0 &&
           engine_may(engine, WAL_CHANGE, ENGINE_CHANGE_BYTES) == 0) {
        (void)model_give_back(engine->model, conn, id, engine_clock(engine));
        (void)engine_settle(engine);
    }
}

static bool has_log(const struct engine *engine)
{
    return engine->trouble.text[0] == '\0' && engine->wal;
}

int engine_may(struct engine *engine, enum wal_class class, size_t n_bytes)
{
    return has_log(engine) ? wal_may_append(engine->wal, class, n_bytes + SLACK_BYTES) : -1;
}

int engine_would(const struct engine *engine, enum wal_class class, size_t n_bytes)
{
    return has_log(engine) ? wal_would_append(engine->wal, class, n_bytes + SLACK_BYTES) : -1;
}

struct engine_room engine_end_room(const struct engine *engine, uint64_t id, size_t result_bytes)
{
    const struct job *job = model_find(engine->model, id);
    const struct tube *tube = job ? engine->model->tubes[job->tube] : NULL;
    size_t most = 0;
    for (int end = 0; tube && end < CALLBACK_N_ENDS; end++) {
        const struct callback_rule *rule = tube->policy.callbacks[end];
        size_t n_call = rule ? callback_bytes(rule, result_bytes) : 0;
        most = n_call > most ? n_call : most;
    }
    return (struct engine_room){.class = most > 0 ? WAL_MORE : WAL_CHANGE,
                                .n_bytes = ENGINE_CHANGE_BYTES + result_bytes + most};
}

/* ---- schedules ------------------------------------------------------------------------------- */

static int may_schedule(void *ctx, size_t n_bytes)
{
    return engine_may(ctx, WAL_NEW, n_bytes);
}

static void settle_schedule(void *ctx)
{
    (void)engine_settle(ctx);
}

/* The schedules of all queues of the file. */
static void set_schedules(struct engine *engine, const struct queue_module_conf *conf,
                          struct model_now now)
{
    size_t n = 0;
    for (size_t i = 0; i < conf->queue_list.n_items; i++)
        n += ((const struct queue_conf *)conf->queue_list.items[i])->schedules.n_items;
    struct schedule_plan *plans = MEM_NEW_ARRAY(struct schedule_plan, n);
    n = 0;
    for (size_t i = 0; i < conf->queue_list.n_items; i++) {
        const struct queue_conf *queue = conf->queue_list.items[i];
        for (size_t k = 0; k < queue->schedules.n_items; k++) {
            const struct schedule_conf *schedule = queue->schedules.items[k];
            struct slice zone = SLICE("");
            if (schedule->zone_blob)
                zone = process_blob(engine->process, schedule->zone_blob);
            schedule_plan(queue, schedule, zone, &plans[n++]);
        }
    }
    schedules_set(&engine->schedules, plans, n, now);
    mem_free(plans);
}

bool engine_is_durable(const struct engine *engine, const struct job *job)
{
    return wal_place_is_within(job->places.put, engine->durable_lsn);
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static int read_body(struct engine *engine, const struct job *job, struct text *buf,
                     struct slice *ret_body)
{
    struct err err = ERR_NONE;
    if (journal_body(&engine->journal, job, buf, ret_body, &err) == 0)
        return 0;
    log_write(engine->process->logs[0], LOG_LEVEL_ERROR, "queue: %s", err.text);
    return -1;
}

int engine_body(struct engine *engine, const struct job *job, struct slice *ret_body)
{
    return read_body(engine, job, &engine->body, ret_body);
}

int engine_ended_body(struct engine *engine, const struct job *job, struct slice *ret_body)
{
    return read_body(engine, job, &engine->ended_body, ret_body);
}

int engine_body_now(struct engine *engine, const struct job *job, struct slice *ret_body)
{
    return journal_body_now(&engine->journal, job, &engine->body, ret_body);
}

struct wal_warm *engine_warm(struct engine *engine, const struct job *job, wal_warm_fn *done,
                             void *owner)
{
    uint64_t offset;
    size_t len;
    int fd = wal_read_open(engine->wal, job->places.put, &offset, &len);
    if (fd < 0)
        return NULL;
    engine->n_cold++;
    return wal_warmer_ask(engine->warmer, fd, offset, len, done, owner);
}

/* ---- the log --------------------------------------------------------------------------------- */

static void on_durable(void *ctx, uint64_t lsn)
{
    struct engine *engine = ctx;
    engine->durable_lsn = lsn;
    journal_catch_up(&engine->journal);
    engine->hooks.on_durable(engine->hooks.ctx, lsn);
    engine_later(engine);
}

static void on_trouble(void *ctx, const struct err *err)
{
    struct engine *engine = ctx;
    engine->trouble = *err;
    log_write(engine->process->logs[0], LOG_LEVEL_ERROR,
              "queue: the log has failed, no job is taken any more: %s", err->text);
    engine->hooks.on_trouble(engine->hooks.ctx);
}

static int append(void *ctx, const struct wal_record *record, struct wal_place *ret_place,
                  uint64_t *ret_lsn, struct err *err)
{
    return wal_drive_append(ctx, record, ret_place, ret_lsn, err);
}

/* A long replay is no hang. */
static void on_replay(void *ctx)
{
    const struct engine *engine = ctx;
    atomic_store_explicit(board_heartbeat(engine->process->board, 0), loop_clock_ns(),
                          memory_order_relaxed);
}

static struct model_limits limits_of(const struct queues_conf *conf)
{
    return (struct model_limits){.jobs_max = (uint64_t)conf->limits.jobs,
                                 .bytes_max = (uint64_t)conf->limits.bytes,
                                 .tubes_max = (uint32_t)conf->limits.tubes,
                                 .watches_max = (uint32_t)conf->limits.watches};
}

static struct wal_options options_of(struct engine *engine, const struct queues_conf *conf)
{
    struct wal_options options = wal_options_default();
    options.disk = engine->disk;
    options.owner = journal_owner(&engine->journal);
    options.sync = (enum wal_sync)conf->sync.mode;
    options.interval_ns = (uint64_t)conf->sync.every_ms * NS_PER_MS;
    options.segment_bytes = (uint32_t)conf->segment_bytes;
    options.segments_max = (uint32_t)(conf->limits.log_bytes / conf->segment_bytes);
    options.clean_bytes_per_s = (uint64_t)conf->clean_bytes_per_s;
    options.salt = hash_mix(engine->process->seed ^ loop_clock_ns());
    return options;
}

static void drop_callbacks(struct callback_rule *rules, size_t n)
{
    for (size_t i = 0; i < n; i++)
        callback_rule_deinit(&rules[i]);
    mem_free(rules);
}

static void forget(struct engine *engine)
{
    wal_warmer_destroy(&engine->warmer);
    schedules_deinit(&engine->schedules);
    engine->is_configured = false;
    journal_deinit(&engine->journal);
    model_destroy(&engine->model);
    drop_callbacks(engine->callbacks, engine->n_callbacks);
    engine->callbacks = NULL;
    engine->n_callbacks = 0;
    wal_disk_destroy(&engine->disk);
}

static int open_log(struct engine *engine, const struct queues_conf *conf, struct err *err)
{
    int fd = fcntl(engine->process->state_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return err_set_errno(err, errno, "no state directory");
    if (wal_disk_create_at(fd, QUEUE_LOG, &engine->disk, err) < 0)
        return -1;
    const struct wal_options options = options_of(engine, conf);
    return wal_open(&options, &engine->wal, err);
}

static int explain(struct err *err)
{
    if (wal_is_damage(err))
        err_write(err,
                  "%s; `weir queue repair` says what is damaged and what would be lost, and mends "
                  "it with --yes",
                  err->text);
    return err_prefix(err, "the queue's log");
}

int engine_open(struct engine *engine, const struct queues_conf *conf, struct err *err)
{
    const struct model_limits limits = limits_of(conf);
    const struct wal_drive_hooks hooks = {
        .ctx = engine, .on_durable = on_durable, .on_trouble = on_trouble};
    const struct schedule_hooks schedule_hooks = {
        .ctx = engine, .may = may_schedule, .settle = settle_schedule};
    assert(!engine->wal);
    engine->model = model_create(&limits, engine->process->seed);
    engine->model->failure_path = engine->hooks.failure_path;
    engine->model->failure_path_ctx = engine->hooks.ctx;
    journal_init(&engine->journal, engine->model, engine->process->seed);
    schedules_init(&engine->schedules, engine->model, &schedule_hooks);
    engine->warmer = wal_warmer_create(engine->loop);
    engine->journal.on_replay = on_replay;
    engine->journal.on_replay_ctx = engine;
    if (open_log(engine, conf, err) < 0) {
        int result = err->number == EAGAIN ? 1 : -1;
        forget(engine);
        return result < 0 ? explain(err) : result;
    }
    engine->durable_lsn = wal_collect(engine->wal); /* all that was replayed */
    if (wal_drive_open(engine->loop, engine->wal, &hooks, &engine->drive, err) < 0) {
        wal_close(&engine->wal);
        forget(engine);
        return err_prefix(err, "the queue's log");
    }
    model_skip_ids(engine->model, wal_ids_begin(engine->wal)); /* some may have been lost */
    engine->journal.wal = engine->wal;
    engine->journal.append = append;
    engine->journal.append_ctx = engine->drive;
    log_write(engine->process->logs[0], LOG_LEVEL_INFO, "queue: %llu jobs in the log",
              (unsigned long long)engine->model->store.n_jobs);
    engine_later(engine);
    return 0;
}

void engine_close(struct engine *engine)
{
    enum { WAIT_S = 10 };
    struct err err = ERR_NONE;
    loop_timer_clear(engine->loop, &engine->timer);
    if (!engine->wal)
        return;
    if (wal_drive_close(&engine->drive, WAIT_S * NS_PER_S, &err) < 0) {
        log_write(engine->process->logs[0], LOG_LEVEL_ERROR, "queue: %s", err.text);
        engine->wal = NULL; /* the thread has it, and the process ends */
        return;
    }
    wal_close(&engine->wal);
    forget(engine);
    text_deinit(&engine->body);
    text_deinit(&engine->ended_body);
}

void engine_init(struct engine *engine, struct process *process, const struct engine_hooks *hooks)
{
    *engine = (struct engine){.process = process, .loop = process->loops[0], .hooks = *hooks};
    loop_timer_init(&engine->timer, on_timer);
    schedules_deinit(&engine->schedules);
}

/* ---- the file -------------------------------------------------------------------------------- */

/* The policies of all queues of the file; those that it names no more have let go of theirs. */
static void set_policies(struct engine *engine, const struct queue_module_conf *conf,
                         struct model_now now)
{
    struct callback_rule *former = engine->callbacks;
    size_t n_former = engine->n_callbacks, n = 0;
    engine->callbacks =
        MEM_NEW_ARRAY(struct callback_rule, CALLBACK_N_ENDS * conf->queue_list.n_items);
    for (size_t i = 0; i < conf->queue_list.n_items; i++) {
        const struct queue_conf *queue = conf->queue_list.items[i];
        struct tube_policy policy;
        queue_policy(queue, &policy);
        for (int end = 0; end < CALLBACK_N_ENDS; end++) {
            if (!queue->callbacks[end])
                continue;
            callback_rule_init(queue->callbacks[end], &engine->callbacks[n]);
            policy.callbacks[end] = &engine->callbacks[n++];
        }
        if (model_configure(engine->model, queue->name, &policy, now) == MODEL_FULL)
            log_write(engine->process->logs[0], LOG_LEVEL_ERROR,
                      "queue %.*s: there are too many queues (`queues { limits tubes }`)",
                      SLICE_ARG(queue->name));
        (void)engine_settle(engine);
    }
    engine->n_callbacks = n;
    drop_callbacks(former, n_former);
}

void engine_configure(struct engine *engine, const struct queue_module_conf *conf,
                      const struct queue_module_conf *former)
{
    struct model_now now = engine->is_configured ? engine_now(engine) : engine_clock(engine);
    engine->model->limits = limits_of(&conf->queues);
    engine->model->results_max = (uint64_t)conf->queues.limits.result_bytes;
    for (size_t i = 0; former && i < former->queue_list.n_items; i++) {
        struct slice name = ((const struct queue_conf *)former->queue_list.items[i])->name;
        if (queue_conf_find(conf, name))
            continue;
        model_unconfigure(engine->model, name, now);
        (void)engine_settle(engine);
    }
    set_policies(engine, conf, now);
    set_schedules(engine, conf, now);
    engine->is_configured = true;
}
