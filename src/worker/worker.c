/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The life of the process worker: files that come and go, a drain, the end.
 */

#include "worker/worker.h"

#include "base/mem.h"
#include "worker/internal.h"
#include <linux/capability.h>
#include <stdio.h>

#define NS_PER_MS UINT64_C(1000000)

enum { PUBLISH_MS = 1000 };

static const struct worker_module_conf *conf_of(const struct snapshot *snap)
{
    return snapshot_conf(snap, &worker_module);
}

/* ---- orphans --------------------------------------------------------------------------------- */

static bool is_program(void *ctx, pid_t pid)
{
    const struct workshop *shop = ctx;
    LIST_EACH (node, &shop->crews)
        if (crew_has(LIST_ENTRY(node, struct crew, node), pid))
            return true;
    return shop->asks && asks_has(shop->asks, pid);
}

static void on_kill(void *ctx)
{
    const struct workshop *shop = ctx;
    if (shop->asks)
        asks_count(shop->asks, PROGRAM_ORPHANS);
}

/* ---- the node drains ------------------------------------------------------------------------- */

static void look_for_drain(struct workshop *shop, const char *own)
{
    const struct board *board = shop->process->board;
    char name[FACT_NAME_MAX];
    snprintf(name, sizeof(name), "drain:node/%s", own);
    enum fact_state state = board_peek(board, board_find(board, name));
    bool is_resting = state == FACT_DRAINING || state == FACT_DRAINED;
    if (is_resting == shop->is_resting)
        return;
    shop->is_resting = is_resting;
    LIST_EACH (node, &shop->crews)
        crew_look(LIST_ENTRY(node, struct crew, node));
}

static void on_fact(void *ctx, const struct board_change *change)
{
    const struct workshop *shop = ctx;
    if (shop->process->snap && slice_starts(slice_from(change->name), SLICE("drain:node/")))
        look_for_drain(ctx, shop->process->snap->node);
}

static void on_lost(void *ctx, size_t segment)
{
    const struct workshop *shop = ctx;
    (void)segment;
    if (shop->process->snap)
        look_for_drain(ctx, shop->process->snap->node);
}

/* ---- the start ------------------------------------------------------------------------------- */

static void stop_crews(struct workshop *shop)
{
    LIST_EACH (node, &shop->crews)
        crew_stop(LIST_ENTRY(node, struct crew, node), shop->deadline_ns);
}

static void on_retired(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    stop_crews(CONTAINER_OF(timer, struct workshop, retired));
}

static void on_publish(struct loop *loop, struct loop_timer *timer)
{
    struct workshop *shop = CONTAINER_OF(timer, struct workshop, publish);
    LIST_EACH (node, &shop->crews) {
        struct crew *crew = LIST_ENTRY(node, struct crew, node);
        if (crew->is_leaving && crew_is_empty(crew))
            crew_destroy(crew);
        else
            crew_publish(crew);
    }
    cells_tidy(&shop->cells);
    loop_timer_set(loop, timer, loop_now_ns(loop) + PUBLISH_MS * NS_PER_MS);
}

/* By the descriptor, for its path may lead through folders that only root may enter. */
static int find_queue(struct workshop *shop, struct err *err)
{
    char text[64];
    snprintf(text, sizeof(text), "unix:/proc/self/fd/%d/" JOBS_SOCKET, shop->process->state_fd);
    return addr_parse(slice_from(text), &shop->queue, err);
}

static int worker_start(struct process *process, void **ret_state, struct err *err)
{
    struct workshop *shop = MEM_NEW(struct workshop);
    shop->process = process;
    shop->loop = process->loops[0];
    list_init(&shop->crews);
    cells_init(&shop->cells, process->groups_fd);
    slabs_init(&shop->slabs, process->board, process->n_loops, process->seed);
    loop_timer_init(&shop->publish, on_publish);
    loop_timer_init(&shop->retired, on_retired);
    const struct orphans_calls calls = {is_program, on_kill, shop};
    shop->orphans = orphans_create(shop->loop, &calls);
    shop->asks = asks_create(process, shop->orphans);
    process_watch(process, on_fact, on_lost, shop);
    *ret_state = shop;
    return find_queue(shop, err);
}

/* ---- files ----------------------------------------------------------------------------------- */

static void forget_coming(struct workshop *shop)
{
    for (size_t i = 0; i < shop->n_coming; i++) {
        if (shop->coming[i])
            slabs_leave(&shop->slabs, shop->coming[i]);
        run_user_destroy(&shop->coming_users[i]);
    }
    mem_free(shop->coming);
    mem_free(shop->coming_users);
    shop->coming = NULL;
    shop->coming_users = NULL;
    shop->n_coming = 0;
}

static int prepare_one(struct workshop *shop, size_t i, const struct worker_conf *conf,
                       struct err *err)
{
    shop->coming[i] = slabs_take(&shop->slabs, &worker_metrics, conf->name.ptr);
    if (!shop->coming[i])
        return err_set(err, "no room on the board for the counters of worker %.*s",
                       SLICE_ARG(conf->name));
    if (run_user_find(conf->user, conf->group, &shop->coming_users[i], err) < 0)
        return err_prefix(err, "worker %.*s", SLICE_ARG(conf->name));
    return 0;
}

static int worker_prepare(void *state, struct snapshot *snap, struct err *err)
{
    struct workshop *shop = state;
    const struct conf_list *list = &conf_of(snap)->worker_list;
    shop->coming = MEM_NEW_ARRAY(struct shared_slab *, list->n_items);
    shop->coming_users = MEM_NEW_ARRAY(struct run_user *, list->n_items);
    shop->n_coming = list->n_items;
    for (size_t i = 0; i < list->n_items; i++) {
        if (prepare_one(shop, i, list->items[i], err) == 0)
            continue;
        forget_coming(shop);
        return -1;
    }
    return 0;
}

static void worker_abort(void *state, struct snapshot *snap)
{
    (void)snap;
    forget_coming(state);
}

static struct crew *find_crew(const struct workshop *shop, struct slice name)
{
    LIST_EACH (node, &shop->crews) {
        struct crew *crew = LIST_ENTRY(node, struct crew, node);
        if (slice_is(name, crew->name))
            return crew;
    }
    return NULL;
}

static bool has_crew(const struct conf_list *list, const char *name)
{
    for (size_t i = 0; i < list->n_items; i++) {
        const struct worker_conf *conf = list->items[i];
        if (slice_is(conf->name, name))
            return true;
    }
    return false;
}

static bool is_told(void *ctx, const char *name)
{
    return find_crew(ctx, slice_skip(slice_from(name), sizeof("worker:") - 1)) != NULL;
}

/* Nothing else bounds it. */
static void warn_of_cores(const struct workshop *shop, const struct worker_conf *conf)
{
    if (conf->limits.cores_percent > 0 &&
        (shop->cells.fd < 0 || !cgroup_has(shop->cells.fd, "cpu")))
        log_write(process_log(shop->loop), LOG_LEVEL_WARN,
                  "worker %.*s: `limits cores` bounds nothing here: its programs have no control "
                  "groups for the processor",
                  SLICE_ARG(conf->name));
}

static void worker_commit(void *state, struct snapshot *snap)
{
    struct workshop *shop = state;
    const struct conf_list *list = &conf_of(snap)->worker_list;
    asks_commit(shop->asks, snap);
    for (size_t i = 0; i < list->n_items; i++) {
        const struct worker_conf *conf = list->items[i];
        struct crew *crew = find_crew(shop, conf->name);
        if (crew) {
            crew_configure(crew, snap, conf);
        } else {
            crew = crew_create(shop, snap, conf, shop->coming[i]);
            shop->coming[i] = NULL;
        }
        warn_of_cores(shop, conf);
        crew_set_user(crew, shop->coming_users[i]);
        shop->coming_users[i] = NULL;
    }
    forget_coming(shop);
    look_for_drain(shop, snap->node);
    LIST_EACH (node, &shop->crews) {
        struct crew *crew = LIST_ENTRY(node, struct crew, node);
        if (has_crew(list, crew->name))
            crew_look(crew);
        else
            crew_leave(crew);
    }
    board_sweep(shop->process->board, "worker:", is_told, shop, loop_wall_ns(shop->loop));
    on_publish(shop->loop, &shop->publish);
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Another build takes jobs from now on: what runs here may go on for as long as there is time. */
static void retire_crews(struct workshop *shop)
{
    uint64_t until_ns = shop->deadline_ns;
    LIST_EACH (node, &shop->crews) {
        struct crew *crew = LIST_ENTRY(node, struct crew, node);
        uint64_t last_ns = crew_retire(crew, shop->deadline_ns);
        until_ns = last_ns < until_ns ? last_ns : until_ns;
    }
    loop_timer_set(shop->loop, &shop->retired, until_ns);
}

static void worker_drain(void *state, uint64_t deadline_ns)
{
    struct workshop *shop = state;
    shop->is_draining = true;
    shop->deadline_ns = deadline_ns;
    if (shop->process->is_former)
        retire_crews(shop);
    else
        stop_crews(shop);
}

static bool worker_is_drained(void *state)
{
    const struct workshop *shop = state;
    LIST_EACH (node, &shop->crews) {
        const struct crew *crew = LIST_ENTRY(node, struct crew, node);
        if (!crew_is_empty(crew))
            return false;
    }
    return true;
}

static void worker_stop(void *state)
{
    struct workshop *shop = state;
    shop->is_draining = true;
    loop_timer_clear(shop->loop, &shop->publish);
    loop_timer_clear(shop->loop, &shop->retired);
    LIST_EACH (node, &shop->crews)
        crew_destroy(LIST_ENTRY(node, struct crew, node));
    forget_coming(shop);
    asks_destroy(&shop->asks);
    orphans_destroy(&shop->orphans);
    cells_deinit(&shop->cells);
    slabs_deinit(&shop->slabs);
    mem_free(shop);
}

static void worker_status(void *state, struct json *json)
{
    const struct workshop *shop = state;
    uint32_t n = asks_running(shop->asks);
    LIST_EACH (node, &shop->crews)
        n += LIST_ENTRY(node, struct crew, node)->n_busy;
    json_key(json, "running");
    json_uint(json, n);
    json_key(json, "workers");
    json_array_begin(json);
    LIST_EACH (node, &shop->crews)
        crew_status(LIST_ENTRY(node, struct crew, node), json);
    json_array_end(json);
}

/* ---- from the outside ------------------------------------------------------------------------ */

/* One is enough. */
static int stop_at_first(void *ctx, const struct program_want *want)
{
    (void)ctx;
    (void)want;
    return -1;
}

static bool worker_is_needed(const struct snapshot *snap)
{
    return snapshot_programs(snap, stop_at_first, NULL) < 0;
}

static const struct fact_kind fact_kinds[] = {
    {.name = "worker",
     .rule = FACT_DISTRUST,
     .patience_ms = 2000,
     .doc = "a worker of the file: serving, draining, down while the queue is not there, failed "
            "while its programs fail at once; the value is how many jobs it has"},
    {0},
};

static const struct metric_table *const metrics[] = {&worker_metrics, &program_metrics, NULL};

const struct module worker_module = {
    .name = "worker",
    .doc = "starts the programs that the file names",
    .words = worker_words,
    .conf_size = sizeof(struct worker_module_conf),
    .check = worker_check,
    .fact_kinds = fact_kinds,
    .metrics = metrics,
    .process = "worker",
    .is_needed = worker_is_needed,
    .sandbox = {.allow = SANDBOX_EXEC | SANDBOX_STATE_SOCKETS | SANDBOX_ALONE,
                .capabilities = UINT64_C(1) << CAP_SETUID | UINT64_C(1) << CAP_SETGID |
                                UINT64_C(1) << CAP_KILL},
    .programs = worker_programs,
    .start = worker_start,
    .prepare = worker_prepare,
    .commit = worker_commit,
    .abort = worker_abort,
    .drain = worker_drain,
    .is_drained = worker_is_drained,
    .stop = worker_stop,
    .status = worker_status,
};
