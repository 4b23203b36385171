/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The life of the DNS process: start, prepare, commit, drain, and how loops learn of changed facts.
 */

#include "dns/dns.h"

#include "base/mem.h"
#include "dns/count.h"
#include "dns/explain.h"
#include "dns/internal.h"
#include <assert.h>
#include <string.h>

const struct dns_conf *dns_conf_of(const struct snapshot *snap)
{
    return snapshot_conf(snap, &dns_module);
}

/* ---- facts that change ---- */

/* A view on its way through the loops. */
struct view_change {
    struct dns *dns;
    struct record_view *view;
    struct record_view *former; /* a reference, given back when no loop has it */
};

static void loop_look(struct loop *loop, void *ctx)
{
    const struct view_change *change = ctx;
    change->dns->loops[loop_index(loop)].view.records = answers_of(change->view);
}

static void on_looked(struct process *process, void *ctx)
{
    (void)process;
    struct view_change *change = ctx;
    record_view_unref(&change->former);
    mem_free(change);
}

static void refresh(struct dns *dns)
{
    uint64_t wall_ns = loop_wall_ns(dns->process->loops[0]);
    struct record_view *view = record_set_refresh(dns->current->records, dns->ledger, wall_ns);
    if (!view)
        return;
    struct view_change *change = MEM_NEW(struct view_change);
    *change = (struct view_change){.dns = dns, .view = view, .former = dns->view};
    dns->view = view;
    process_each_loop(dns->process, loop_look, change, on_looked);
}

static void on_refresh(struct loop *loop, struct loop_task *task)
{
    (void)loop;
    struct dns *dns = CONTAINER_OF(task, struct dns, refresh);
    dns->is_refresh_due = false;
    if (dns->current)
        refresh(dns);
}

/* Once a turn, however many facts have changed. */
static void refresh_later(struct dns *dns)
{
    if (dns->is_refresh_due)
        return;
    dns->is_refresh_due = true;
    loop_defer(dns->process->loops[0], &dns->refresh, on_refresh);
}

static void dns_on_change(void *ctx, const struct board_change *change)
{
    struct dns *dns = ctx;
    if (dns->next)
        record_set_on_change(dns->next->records, change);
    if (dns->current && record_set_on_change(dns->current->records, change))
        refresh_later(dns);
}

static void dns_on_lost(void *ctx, size_t segment)
{
    (void)segment;
    struct dns *dns = ctx;
    if (dns->next)
        record_set_on_lost(dns->next->records);
    if (!dns->current)
        return;
    record_set_on_lost(dns->current->records);
    refresh_later(dns);
}

/* ---- plans ---- */

static int dns_start(struct process *process, void **ret_state, struct err *err)
{
    (void)err;
    struct dns *dns = MEM_NEW(struct dns);
    dns->process = process;
    dns->ledger = record_ledger_create(process->board, process->seed);
    slabs_init(&dns->slabs, process->board, process->n_loops, process->seed);
    for (uint32_t l = 0; l < process->n_loops; l++)
        dns_loop_init(&dns->loops[l], dns, process->loops[l]);
    process_watch(process, dns_on_change, dns_on_lost, dns);
    *ret_state = dns;
    return 0;
}

static int dns_prepare(void *state, struct snapshot *snap, struct err *err)
{
    struct dns *dns = state;
    assert(!dns->next);
    dns->next = dns_plan_create(dns, snap, err);
    return dns->next ? 0 : -1;
}

static void dns_abort(void *state, struct snapshot *snap)
{
    (void)snap;
    struct dns *dns = state;
    dns_plan_destroy(&dns->next);
}

static bool is_listen_of_plan(void *ctx, const char *name)
{
    const struct dns_plan *plan = ctx;
    for (uint32_t i = 0; i < plan->n_listens; i++)
        if (strcmp(plan->listens[i]->fact, name) == 0 || strcmp(plan->listens[i]->tcp, name) == 0)
            return true;
    return false;
}

static void publish(struct dns *dns, enum fact_state state)
{
    struct board *board = dns->process->board;
    uint64_t wall_ns = loop_wall_ns(dns->process->loops[0]);
    struct dns_plan *plan = dns->current;
    board_sweep(board, "dns:", is_listen_of_plan, plan, wall_ns);
    board_sweep(board, "dns-tcp:", is_listen_of_plan, plan, wall_ns);
    for (uint32_t i = 0; i < plan->n_listens; i++) {
        const char *addr = plan->listens[i]->addr.text.ptr;
        board_state(board, plan->listens[i]->fact, state, 0, addr, wall_ns);
        board_state(board, plan->listens[i]->tcp, state, 0, addr, wall_ns);
    }
    zones_publish(plan->zones, plan->conf, board, wall_ns);
}

/* Loops on their way from one plan to another. */
struct plan_change {
    struct dns *dns;
    struct dns_plan *plan, *former; /* former: NULL at the start */
    struct record_view *former_view;
};

static void loop_switch(struct loop *loop, void *ctx)
{
    const struct plan_change *change = ctx;
    dns_loop_switch(&change->dns->loops[loop_index(loop)], change->plan);
}

static void on_switched(struct process *process, void *ctx)
{
    (void)process;
    struct plan_change *change = ctx;
    if (change->plan == change->dns->current)
        publish(change->dns, FACT_SERVING);
    if (change->former_view)
        record_view_unref(&change->former_view);
    dns_plan_destroy(&change->former);
    mem_free(change);
}

static void dns_commit(void *state, struct snapshot *snap)
{
    struct dns *dns = state;
    assert(dns->next && dns->next->snap == snap);
    struct plan_change *change = MEM_NEW(struct plan_change);
    *change = (struct plan_change){
        .dns = dns, .plan = dns->next, .former = dns->current, .former_view = dns->view};
    dns->current = dns->next;
    dns->next = NULL;
    dns->view = record_view_ref(dns->current->view);
    record_set_commit(dns->current->records, dns->ledger, loop_wall_ns(dns->process->loops[0]));
    process_each_loop(dns->process, loop_switch, change, on_switched);
    refresh_later(dns);
}

/* ---- the end ---- */

static void loop_drain(struct loop *loop, void *ctx)
{
    struct dns *dns = ctx;
    dns_loop_drain(&dns->loops[loop_index(loop)]);
}

static void on_drained(struct process *process, void *ctx)
{
    (void)process;
    struct dns *dns = ctx;
    dns->is_closed = true;
}

static void dns_drain(void *state, uint64_t deadline_ns)
{
    (void)deadline_ns;
    struct dns *dns = state;
    if (dns->current)
        publish(dns, FACT_DRAINING);
    process_each_loop(dns->process, loop_drain, dns, on_drained);
}

static uint64_t n_connections(const struct dns *dns)
{
    uint64_t n = 0;
    const struct dns_plan *plan = dns->current;
    for (uint32_t i = 0; plan && i < plan->n_listens; i++)
        for (uint32_t l = 0; l < dns->process->n_loops; l++)
            n += atomic_load_explicit(
                &metric_row(plan->slabs[i]->slab, l)[DNS_WORD_CONNECTIONS_ACTIVE],
                memory_order_relaxed);
    return n;
}

static bool dns_is_drained(void *state)
{
    const struct dns *dns = state;
    return dns->is_closed && n_connections(dns) == 0;
}

static void dns_status(void *state, struct json *json)
{
    const struct dns *dns = state;
    json_key(json, "connections");
    json_uint(json, n_connections(dns));
    if (!dns->current)
        return;
    json_key(json, "zones");
    json_uint(json, zone_set_n_zones(dns->current->zones->set));
    json_key(json, "zone_bytes");
    json_uint(json, zone_set_size_bytes(dns->current->zones->set));
}

/* ---- from the outside ---- */

static bool dns_is_needed(const struct snapshot *snap)
{
    return dns_conf_of(snap)->dns_list.n_items > 0;
}

static int dns_sockets(const struct snapshot *snap, socket_want_fn *want, void *ctx)
{
    enum { BACKLOG = 1024 };
    const struct dns_conf *conf = dns_conf_of(snap);
    for (size_t i = 0; i < conf->dns_list.n_items; i++) {
        const struct dns_listen_conf *listen = conf->dns_list.items[i];
        struct socket_want socket = {
            .name = listen->fact, .addr = listen->addr, .type = SOCK_DGRAM, .is_per_loop = true};
        if (want(ctx, &socket) < 0)
            return -1;
        socket.name = listen->tcp;
        socket.type = SOCK_STREAM;
        socket.backlog = BACKLOG;
        if (want(ctx, &socket) < 0)
            return -1;
    }
    return 0;
}

static int dns_files(const struct snapshot *snap, file_want_fn *want, void *ctx)
{
    return zones_files(dns_conf_of(snap), want, ctx);
}

static struct slice bundle_bytes(void *ctx, const char *name)
{
    const struct conf_bundle *const *files = ctx;
    return conf_bundle_blob(*files, name);
}

/* All zones as the process will make them, so that their mistakes are told before it is asked. */
static int dns_check_files(const struct snapshot *snap, const struct conf_bundle *files,
                           struct conf_diag *diag)
{
    const struct zones_options options = {
        .snap = snap,
        .conf = dns_conf_of(snap),
        .bytes = bundle_bytes,
        .bytes_ctx = &files,
        .wall_s = 1,
    };
    struct zones *zones = zones_make(&options, diag, NULL);
    bool is_good = zones != NULL;
    zones_destroy(&zones);
    return is_good ? 0 : -1;
}

static int explain(const struct snapshot *snap, const struct board *board,
                   const struct explain_ask *ask, struct json *json, struct err *err)
{
    return dns_explain_conf(snap, dns_conf_of(snap), board, ask, json, err);
}

static int explain_inside(void *state, const struct explain_ask *ask, struct json *json,
                          struct err *err)
{
    const struct dns *dns = state;
    const struct dns_plan *plan = dns->current;
    if (!plan)
        return err_set(err, "no zone is served yet");
    const struct explain_source source = {
        .conf = plan->conf,
        .board = dns->process->board,
        .zones = plan->zones->set,
        .records = plan->records,
        .view = dns->view,
    };
    return dns_explain(&source, ask, json, err);
}

static const struct fact_kind fact_kinds[] = {
    {.name = "dns",
     .rule = FACT_DISTRUST,
     .patience_ms = 2000,
     .doc = "an address where zones are asked for over UDP: serving, or draining"},
    {.name = "dns-tcp", .rule = FACT_DISTRUST, .patience_ms = 2000, .doc = "the same over TCP"},
    {.name = "zone", .rule = FACT_KEEP, .doc = "a zone that is answered, and its serial"},
    {.name = "answer",
     .rule = FACT_KEEP,
     .doc = "a member that DNS answers: serving, with its TTL; draining, until when others may "
            "remember it"},
    {0},
};

static const struct metric_table *const metrics[] = {&dns_metrics, NULL};

const struct module dns_module = {
    .name = "dns",
    .doc = "zones, and records that follow health",
    .words = dns_words,
    .conf_size = sizeof(struct dns_conf),
    .check = dns_check,
    .fact_kinds = fact_kinds,
    .metrics = metrics,
    .process = "dns",
    .is_needed = dns_is_needed,
    .sandbox = {.allow = SANDBOX_ACCEPT | SANDBOX_THREADS},
    .has_loops = true,
    .sockets = dns_sockets,
    .files = dns_files,
    .check_files = dns_check_files,
    .start = dns_start,
    .prepare = dns_prepare,
    .commit = dns_commit,
    .abort = dns_abort,
    .drain = dns_drain,
    .is_drained = dns_is_drained,
    .status = dns_status,
    .explains = "dns",
    .explain = explain,
    .explain_inside = explain_inside,
};
