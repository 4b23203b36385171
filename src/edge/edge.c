/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The edge's life: start, prepare, commit, drain, and what each loop does with its share of a plan.
 */

#include "edge/edge.h"

#include "base/mem.h"
#include "edge/internal.h"
#include "queue/deliver_conf.h"
#include <assert.h>
#include <string.h>
#include <unistd.h>

/* ---- in each loop ---- */

static struct edge_listen *loop_find(const struct edge_loop *self, const struct listen_conf *conf)
{
    for (uint32_t i = 0; i < self->n_listens; i++)
        if (slice_is(conf->name, self->listens[i]->name) &&
            addr_equal(&conf->addr.addr, &self->listens[i]->addr))
            return self->listens[i];
    return NULL;
}

static bool plan_has(const struct edge_plan *plan, const struct edge_listen *listen)
{
    for (uint32_t i = 0; i < plan->n_listens; i++)
        if (slice_is(plan->listens[i]->name, listen->name) &&
            addr_equal(&plan->listens[i]->addr.addr, &listen->addr))
            return true;
    return false;
}

static void loop_close_listen(struct edge_loop *self, uint32_t index)
{
    struct edge_listen *listen = self->listens[index];
    http_listen_close(listen->http);
    close(listen->fd);
    mem_free(listen);
    self->listens[index] = self->listens[--self->n_listens];
}

static void loop_open_listen(struct edge_loop *self, const struct listen_conf *conf, int *fd)
{
    struct err err;
    struct edge_listen *listen = MEM_NEW(struct edge_listen);
    slice_copy(conf->name, listen->name, sizeof(listen->name));
    listen->addr = conf->addr.addr;
    listen->fd = *fd;
    listen->http = http_listen_create(self->worker, listen->name, *fd, self->epoch, &err);
    if (!listen->http) {
        log_write(process_log(self->loop), LOG_LEVEL_ERROR, "listen %s: %s", listen->name,
                  err.text);
        mem_free(listen);
        return;
    }
    *fd = -1; /* taken */
    self->listens[self->n_listens++] = listen;
}

/* Between two turns: this loop goes over to the plan. */
static void loop_switch(struct loop *loop, void *ctx)
{
    struct edge_plan *plan = ctx;
    struct edge_loop *self = &plan->edge->loops[loop_index(loop)];
    struct http_epoch *old = self->epoch;
    for (uint32_t i = self->n_listens; i-- > 0;)
        if (!plan_has(plan, self->listens[i]))
            loop_close_listen(self, i);
    self->epoch = plan->loops[loop_index(loop)].epoch;
    http_epoch_begin(self->epoch, old);
    uint32_t n_loops = plan->edge->process->n_loops;
    for (uint32_t i = 0; i < plan->n_listens; i++)
        if (!loop_find(self, plan->listens[i]))
            loop_open_listen(self, plan->listens[i],
                             &plan->sockets[i * n_loops + loop_index(loop)]);
}

static void loop_drain(struct loop *loop, void *ctx)
{
    struct edge *edge = ctx;
    struct edge_loop *self = &edge->loops[loop_index(loop)];
    while (self->n_listens > 0)
        loop_close_listen(self, self->n_listens - 1);
}

static void loop_refresh(struct loop *loop, void *ctx)
{
    const struct edge_round *round = ctx;
    if (round->edge->loops[loop_index(loop)].epoch)
        http_epoch_refresh(round->edge->loops[loop_index(loop)].epoch);
}

/* Has this host lost the address? Not where nobody says so. */
static bool is_away(void *ctx, const struct addr *local)
{
    const struct edge_loop *self = ctx;
    const struct board *board = self->edge->process->board;
    const char *fact = snapshot_floating_fact(http_epoch_snapshot(self->epoch), local);
    struct fact_ref ref = {.is_set = false};
    if (fact)
        ref = board_find(board, fact);
    enum fact_state state = ref.is_set ? board_peek(board, ref) : FACT_NONE;
    return state == FACT_BACKUP || state == FACT_DRAINED || state == FACT_DOWN;
}

static void loop_strand(struct loop *loop, void *ctx)
{
    const struct edge_round *round = ctx;
    struct edge_loop *self = &round->edge->loops[loop_index(loop)];
    if (self->epoch)
        http_worker_strand(self->worker, is_away, self);
}

/* ---- in loop 0 ---- */

static void round_begin(struct edge_round *round);

static void round_on_done(struct process *process, void *ctx)
{
    (void)process;
    struct edge_round *round = ctx;
    round->is_running = false;
    if (round->is_due)
        round_begin(round);
}

static void round_begin(struct edge_round *round)
{
    round->is_due = round->is_running;
    if (round->is_running)
        return;
    round->is_running = true;
    process_each_loop(round->edge->process, round->fn, round, round_on_done);
}

static void edge_on_change(void *ctx, const struct board_change *change)
{
    struct edge *edge = ctx;
    struct slice name = slice_from(change->name);
    if (slice_starts(name, SLICE("member:")) || slice_starts(name, SLICE("address:")) ||
        slice_starts(name, SLICE("failopen:")))
        round_begin(&edge->refresh);
    if (slice_starts(name, SLICE("vip:")))
        round_begin(&edge->strand);
}

static void edge_on_lost(void *ctx, size_t segment)
{
    struct edge *edge = ctx;
    (void)segment;
    round_begin(&edge->refresh);
    round_begin(&edge->strand);
}

static int edge_start(struct process *process, void **ret_state, struct err *err)
{
    (void)err;
    struct edge *edge = MEM_NEW(struct edge);
    edge->process = process;
    edge->refresh = (struct edge_round){.edge = edge, .fn = loop_refresh};
    edge->strand = (struct edge_round){.edge = edge, .fn = loop_strand};
    edge->commons = commons_create(process->n_loops);
    slabs_init(&edge->slabs, process->board, process->n_loops, process->seed);
    for (uint32_t l = 0; l < process->n_loops; l++) {
        edge->loops[l].edge = edge;
        edge->loops[l].loop = process->loops[l];
        edge->loops[l].worker = http_worker_create(process->loops[l], process->board);
    }
    process_watch(process, edge_on_change, edge_on_lost, edge);
    *ret_state = edge;
    return 0;
}

static int edge_prepare(void *state, struct snapshot *snap, struct err *err)
{
    struct edge *edge = state;
    assert(!edge->next);
    edge->next = plan_create(edge, snap, err);
    return edge->next ? 0 : -1;
}

static void edge_abort(void *state, struct snapshot *snap)
{
    (void)snap;
    struct edge *edge = state;
    plan_destroy(&edge->next);
}

static bool is_listen_of_plan(void *ctx, const char *name)
{
    const struct edge_plan *plan = ctx;
    for (uint32_t i = 0; i < plan->n_listens; i++)
        if (strcmp(plan->listens[i]->fact, name) == 0)
            return true;
    return false;
}

static void edge_publish(struct edge *edge, enum fact_state state)
{
    struct board *board = edge->process->board;
    uint64_t wall_ns = loop_wall_ns(edge->process->loops[0]);
    struct edge_plan *plan = edge->current;
    board_sweep(board, "listen:", is_listen_of_plan, plan, wall_ns);
    for (uint32_t i = 0; i < plan->n_listens; i++)
        board_state(board, plan->listens[i]->fact, state, 0, plan->listens[i]->addr.text.ptr,
                    wall_ns);
}

static void edge_on_switched(struct process *process, void *ctx)
{
    (void)process;
    struct edge_plan *plan = ctx;
    if (plan == plan->edge->current)
        edge_publish(plan->edge, FACT_SERVING);
}

static void edge_commit(void *state, struct snapshot *snap)
{
    struct edge *edge = state;
    assert(edge->next && edge->next->snap == snap);
    edge->current = edge->next;
    edge->next = NULL;
    edge->current->is_committed = true;
    process_each_loop(edge->process, loop_switch, edge->current, edge_on_switched);
}

static void edge_on_drained(struct process *process, void *ctx)
{
    (void)process;
    struct edge *edge = ctx;
    edge->is_closed = true;
}

static void edge_drain(void *state, uint64_t deadline_ns)
{
    (void)deadline_ns;
    struct edge *edge = state;
    if (edge->current)
        edge_publish(edge, FACT_DRAINING);
    process_each_loop(edge->process, loop_drain, edge, edge_on_drained);
}

/* The gauges are the one place where all loops' clients may be counted from here. */
static uint64_t edge_n_clients(const struct edge *edge)
{
    uint64_t n = 0;
    const struct edge_plan *plan = edge->current;
    for (uint32_t i = 0; plan && i < plan->n_listens; i++)
        for (uint32_t l = 0; l < edge->process->n_loops; l++)
            n += atomic_load_explicit(&metric_row(plan->listen_slabs[i]->slab, l)[LISTEN_ACTIVE],
                                      memory_order_relaxed);
    return n;
}

static bool edge_is_drained(void *state)
{
    const struct edge *edge = state;
    return edge->is_closed && edge_n_clients(edge) == 0;
}

static void edge_status(void *state, struct json *json)
{
    const struct edge *edge = state;
    json_key(json, "plans");
    json_uint(json, edge->n_plans);
    json_key(json, "clients");
    json_uint(json, edge_n_clients(edge));
}

static void edge_claim(const struct snapshot *snap, void *conf)
{
    async_claim(snap, conf);
}

static bool edge_is_needed(const struct snapshot *snap)
{
    /* Also before the check() that makes the list of all. */
    return edge_conf_of(snap)->listen_list.n_items > 0 || deliver_conf_at(snap, 0);
}

static const struct fact_kind edge_facts[] = {
    {.name = "listen",
     .rule = FACT_DISTRUST,
     .patience_ms = 2000,
     .doc = "an address that clients connect to: serving, or draining"},
    {0},
};

static const struct metric_table *const edge_metrics[] = {&listen_metrics, &pool_metrics,
                                                          &member_metrics, NULL};

const struct module edge_module = {
    .name = "edge",
    .doc = "listens, routes and HTTP",
    .words = edge_words,
    .conf_size = sizeof(struct edge_conf),
    .claim = edge_claim,
    .check = edge_check,
    .fact_kinds = edge_facts,
    .metrics = edge_metrics,
    .process = "edge",
    .is_needed = edge_is_needed,
    .sandbox = {.allow = SANDBOX_ACCEPT | SANDBOX_CONNECT | SANDBOX_STATE_SOCKETS},
    .has_loops = true,
    .sockets = edge_sockets,
    .files = edge_files,
    .check_files = edge_check_files,
    .start = edge_start,
    .prepare = edge_prepare,
    .commit = edge_commit,
    .abort = edge_abort,
    .drain = edge_drain,
    .is_drained = edge_is_drained,
    .status = edge_status,
    .explains = "http",
    .explain = edge_explain,
};
