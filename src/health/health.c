/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The module health: from a committed snapshot to targets and back, and what it tells the others
 * about itself.
 */

#include "health/health.h"

#include "health/internal.h"
#include <stdio.h>

enum { NS_PER_MS = 1000000 };

/* ---- what it publishes ---- */

static const struct fact_kind fact_kinds[] = {
    {.name = "member",
     .rule = FACT_KEEP,
     .patience_ms = 10000,
     .doc = "a member of a pool: up, down, draining, unknown; the value is its weight in force"},
    {.name = "pool",
     .rule = FACT_KEEP,
     .patience_ms = 10000,
     .doc = "a pool: up, degraded, draining, down, unknown; the value is how many members are up"},
    {.name = "failopen",
     .rule = FACT_KEEP,
     .patience_ms = 10000,
     .doc = "a pool with fail-open: up while members that are down are used too, else down"},
    {.name = "address",
     .rule = FACT_KEEP,
     .patience_ms = 10000,
     .doc = "a member named by a host: resolved, down, unknown; the reason is its address"},
    {.name = "turn",
     .rule = FACT_KEEP,
     .patience_ms = 10000,
     .doc = "a member that a record of DNS answers while it is healthy: up; the value is how many "
            "seconds its checks need at least to turn it"},
    {0},
};

#define COUNTER(word_, name_, help_)                                              \
    {                                                                             \
        .name = (name_), .type = METRIC_COUNTER, .word = (word_), .help = (help_) \
    }
#define FAILURE(reason_, name_)                                                             \
    {                                                                                       \
        .name = "failures", .type = METRIC_COUNTER,                                         \
        .word = (uint32_t)CHECK_FAILURES + (uint32_t)(reason_)-1, .label = "reason",        \
        .label_value = (name_),                                                             \
        .help = "Checks that were not good, by reason; no_resource, not_started, busy and " \
                "no_worker say nothing of the member."                                      \
    }

static const struct metric_def check_defs[] = {
    COUNTER(CHECK_RUNS, "runs", "Checks that ended, good or bad."),
    COUNTER(CHECK_DELAYED, "delayed", "Checks that waited because too many were under way."),
    COUNTER(CHECK_NUDGES, "nudges",
            "Times that an edge counted failures, or another node found the pool down."),
    COUNTER(CHECK_TRANSITIONS, "transitions", "Times that the member's state changed."),
    FAILURE(REASON_REFUSED, "refused"),
    FAILURE(REASON_UNREACHABLE, "unreachable"),
    FAILURE(REASON_CONNECT_TIMEOUT, "connect_timeout"),
    FAILURE(REASON_TIMEOUT, "timeout"),
    FAILURE(REASON_RESET, "reset"),
    FAILURE(REASON_CLOSED, "closed"),
    FAILURE(REASON_BAD_STATUS, "bad_status"),
    FAILURE(REASON_BAD_RESPONSE, "bad_response"),
    FAILURE(REASON_TOO_LARGE, "too_large"),
    FAILURE(REASON_BAD_BODY, "bad_body"),
    FAILURE(REASON_AGENT_DOWN, "agent_down"),
    FAILURE(REASON_AGENT_WORD, "agent_word"),
    FAILURE(REASON_EXIT, "exit"),
    FAILURE(REASON_SIGNAL, "signal"),
    FAILURE(REASON_NOT_STARTED, "not_started"),
    FAILURE(REASON_BUSY, "busy"),
    FAILURE(REASON_NO_WORKER, "no_worker"),
    FAILURE(REASON_TLS, "tls"),
    FAILURE(REASON_UNRESOLVED, "unresolved"),
    FAILURE(REASON_NO_RESOURCE, "no_resource"),
    {.name = "latency_seconds",
     .type = METRIC_HISTOGRAM,
     .word = CHECK_LATENCY,
     .scale = 1e-6,
     .help = "Of good checks, from the start to the connection or to the answer's head."},
    {0},
};

const struct metric_table check_metrics = {
    .name = "check",
    .labels = {"pool", "member"},
    .n_words = CHECK_WORDS,
    .defs = check_defs,
};

static const struct metric_def eject_defs[] = {
    {.name = "members",
     .type = METRIC_GAUGE,
     .word = EJECT_MEMBERS,
     .help = "Members that are ejected now."},
    {.name = "ejections",
     .type = METRIC_COUNTER,
     .word = EJECT_BY_ROW,
     .label = "reason",
     .label_value = "failures",
     .help = "Ejections, by what was too much: failures in a row, or their rate."},
    {.name = "ejections",
     .type = METRIC_COUNTER,
     .word = EJECT_BY_RATE,
     .label = "reason",
     .label_value = "rate",
     .help = "Ejections, by what was too much: failures in a row, or their rate."},
    COUNTER(EJECT_REFUSED, "refused", "Ejections that were not made: too many members are out."),
    {0},
};

const struct metric_table eject_metrics = {
    .name = "eject",
    .labels = {"pool"},
    .n_words = EJECT_WORDS,
    .defs = eject_defs,
};

static const struct metric_table *const metrics[] = {&check_metrics, &eject_metrics, NULL};

/* ---- what it needs ---- */

static bool health_is_needed(const struct snapshot *snap)
{
    return pool_conf_of(snap)->n_pools > 0;
}

/* ---- a commit ---- */

static size_t count_members(const struct pool_conf *conf)
{
    size_t n = 0;
    for (uint32_t i = 0; i < conf->n_pools; i++)
        n += conf->pools[i]->n_members;
    return n;
}

static struct health_pool *find_pool(const struct health *health, const char *fact)
{
    for (uint32_t i = 0; i < health->n_pools; i++) {
        if (strcmp(health->pools[i].conf->fact, fact) == 0)
            return &health->pools[i];
    }
    return NULL;
}

static void free_pools(struct health_pool *pools, uint32_t n_pools)
{
    for (uint32_t i = 0; i < n_pools; i++)
        mem_free((void *)pools[i].targets);
    mem_free(pools);
}

/* Those that stay hand their slab over; the counters of the others go with them. */
static void pass_slabs(struct health *health, const struct health_pool *former, uint32_t n_former)
{
    for (uint32_t i = 0; i < n_former; i++) {
        struct health_pool *pool = find_pool(health, former[i].conf->fact);
        if (pool)
            pool->slab = former[i].slab;
        else if (former[i].slab)
            metric_close(health->board, former[i].slab);
    }
    for (uint32_t i = 0; i < health->n_pools; i++) {
        struct health_pool *pool = &health->pools[i];
        if (!pool->slab)
            pool->slab = metric_open(health->board, &eject_metrics,
                                     pool->conf->fact + strlen("pool:"), 1, health->is_starting);
    }
}

/* What the board says of the pool, so that only news is logged. */
static enum fact_state pool_state_on_board(const struct health *health, const struct pool *conf)
{
    struct fact_ref ref = board_find(health->board, conf->fact);
    return ref.is_set ? board_peek(health->board, ref) : FACT_NONE;
}

/* Moves the targets that stay from `former` to health->targets, and makes those that are new. */
static void take_pool(struct health *health, struct health_pool *pool, struct map *former)
{
    const struct pool *conf = pool->conf;
    pool->targets = MEM_NEW_ARRAY(struct target *, conf->n_members);
    pool->logged = pool_state_on_board(health, conf);
    for (uint32_t i = 0; i < conf->n_members; i++) {
        const struct member *member = conf->members[i];
        struct target *target = map_remove(former, slice_from(member->label));
        if (!target)
            target = target_create(health, member);
        pool->targets[i] = target;
        map_put(&health->targets, slice_from(target->label), target);
        target_configure(target, pool, member);
    }
}

static void take_pools(struct health *health, const struct pool_conf *conf)
{
    struct map former = health->targets;
    struct health_pool *former_pools = health->pools;
    uint32_t n_former = health->n_pools;
    map_init(&health->targets, rng_next(&health->rng), false);
    health->pools = MEM_NEW_ARRAY(struct health_pool, conf->n_pools);
    health->n_pools = conf->n_pools;
    for (uint32_t i = 0; i < conf->n_pools; i++)
        health->pools[i].conf = conf->pools[i];
    pass_slabs(health, former_pools, n_former);
    free_pools(former_pools, n_former);
    for (uint32_t i = 0; i < conf->n_pools; i++)
        take_pool(health, &health->pools[i], &former);
    uint32_t cursor = 0;
    struct slice label;
    for (struct target *target; (target = map_next(&former, &cursor, &label)) != NULL;)
        target_remove(&target);
    map_deinit(&former);
}

static struct target *target_of(const struct health *health, const char *fact)
{
    struct slice rest = slice_from(fact);
    slice_cut(&rest, ':');
    return map_get(&health->targets, rest);
}

static bool keep_member(void *ctx, const char *name)
{
    return target_of(ctx, name) != NULL;
}

static bool keep_address(void *ctx, const char *name)
{
    const struct target *target = target_of(ctx, name);
    return target && target->host;
}

static bool keep_pool(void *ctx, const char *name)
{
    return find_pool(ctx, name) != NULL;
}

static bool keep_turn(void *ctx, const char *name)
{
    const struct target *target = target_of(ctx, name);
    return target && target->told_turn_s >= 0;
}

static bool keep_open(void *ctx, const char *name)
{
    const struct health *health = ctx;
    for (uint32_t i = 0; i < health->n_pools; i++) {
        const char *fact = health->pools[i].conf->open_fact;
        if (fact && strcmp(fact, name) == 0)
            return true;
    }
    return false;
}

static void sweep(struct health *health)
{
    uint64_t wall_ns = loop_wall_ns(health->loop);
    board_sweep(health->board, "member:", keep_member, health, wall_ns);
    board_sweep(health->board, "address:", keep_address, health, wall_ns);
    board_sweep(health->board, "pool:", keep_pool, health, wall_ns);
    board_sweep(health->board, "failopen:", keep_open, health, wall_ns);
    board_sweep(health->board, "turn:", keep_turn, health, wall_ns);
}

static struct slice health_bytes(void *ctx, const char *name)
{
    const struct health *health = ctx;
    return process_blob(health->process, name);
}

static int health_prepare(void *state, struct snapshot *snap, struct err *err)
{
    struct health *health = state;
    pool_tls_destroy(&health->next_tls);
    health->next_tls = pool_tls_create(snap, health_bytes, health, err);
    return health->next_tls ? 0 : -1;
}

static void health_abort(void *state, struct snapshot *snap)
{
    struct health *health = state;
    (void)snap;
    pool_tls_destroy(&health->next_tls);
}

static void health_commit(void *state, struct snapshot *snap)
{
    struct health *health = state;
    pool_tls_destroy(&health->tls);
    health->tls = health->next_tls;
    health->next_tls = NULL;
    const struct pool_conf *conf = pool_conf_of(snap);
    size_t n_members = count_members(conf);
    health->n_first = 0;
    health->first_spread_ns = HEALTH_FIRST_SPREAD_NS;
    if (n_members > HEALTH_FIRST_WITHIN_NS / HEALTH_FIRST_SPREAD_NS)
        health->first_spread_ns = HEALTH_FIRST_WITHIN_NS / n_members;
    health->is_committing = true;
    resolver_configure(health->resolver, process_blob(health->process, "hosts"),
                       process_blob(health->process, "resolv.conf"));
    take_pools(health, conf);
    health->is_committing = false;
    health->is_starting = false;
    sweep(health);
    for (uint32_t i = 0; i < health->n_pools; i++)
        fact_pool(health, &health->pools[i]);
    schedule_next(health);
}

/* ---- life ---- */

static void on_watch(struct loop *loop, struct loop_timer *timer)
{
    struct health *health = CONTAINER_OF(timer, struct health, watch_timer);
    suspects_look(health);
    force_look(health);
    listens_look(health);
    loop_timer_set(loop, timer, loop_now_ns(loop) + (uint64_t)HEALTH_WATCH_MS * NS_PER_MS);
}

static int health_start(struct process *process, void **ret_state, struct err *err)
{
    struct health *health = MEM_NEW(struct health);
    health->process = process;
    health->loop = process->loops[0];
    health->board = process->board;
    health->is_starting = true;
    rng_init(&health->rng, process->seed);
    if (resolver_create(health->loop, rng_next(&health->rng), &health->resolver, err) < 0) {
        mem_free(health);
        return -1;
    }
    map_init(&health->targets, rng_next(&health->rng), false);
    schedule_init(health);
    health->sink = MEM_NEW_ARRAY(metric_word, CHECK_WORDS);
    process_watch(process, force_on_change, force_on_lost, health);
    process_watch(process, listens_on_change, NULL, health);
    process_watch(process, suspects_on_change, NULL, health);
    loop_timer_init(&health->watch_timer, on_watch);
    loop_timer_set(health->loop, &health->watch_timer, loop_now_ns(health->loop));
    *ret_state = health;
    return 0;
}

static void health_stop(void *state)
{
    struct health *health = state;
    uint32_t cursor = 0;
    struct slice label;
    loop_timer_clear(health->loop, &health->watch_timer);
    for (struct target *target; (target = map_next(&health->targets, &cursor, &label)) != NULL;)
        target_destroy(&target);
    map_deinit(&health->targets);
    schedule_deinit(health);
    pool_tls_destroy(&health->tls);
    pool_tls_destroy(&health->next_tls);
    for (uint32_t i = 0; i < health->n_pools; i++) {
        if (health->pools[i].slab)
            metric_forget(health->pools[i].slab);
    }
    free_pools(health->pools, health->n_pools);
    resolver_destroy(&health->resolver);
    mem_free(health->sink);
    mem_free(health);
}

static void health_status(void *state, struct json *json)
{
    const struct health *health = state;
    json_key(json, "members");
    json_uint(json, health->targets.n_live);
    json_key(json, "checks_running");
    json_uint(json, health->n_running);
}

const struct module health_module = {
    .name = "health",
    .doc = "decides which member is up, and resolves the names of members",
    .fact_kinds = fact_kinds,
    .metrics = metrics,
    .process = "health",
    .is_needed = health_is_needed,
    .sandbox = {.allow = SANDBOX_CONNECT | SANDBOX_DATAGRAM},
    .starts_programs = true,
    .start = health_start,
    .prepare = health_prepare,
    .commit = health_commit,
    .abort = health_abort,
    .stop = health_stop,
    .status = health_status,
};
