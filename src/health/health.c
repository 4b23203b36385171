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
    {.name = "address",
     .rule = FACT_KEEP,
     .patience_ms = 10000,
     .doc = "a member named by a host: resolved, down, unknown; the reason is its address"},
    {0},
};

#define COUNTER(word_, name_, help_)                                              \
    {                                                                             \
        .name = (name_), .type = METRIC_COUNTER, .word = (word_), .help = (help_) \
    }
#define FAILURE(reason_, name_)                                                      \
    {                                                                                \
        .name = "failures", .type = METRIC_COUNTER,                                  \
        .word = (uint32_t)CHECK_FAILURES + (uint32_t)(reason_)-1, .label = "reason", \
        .label_value = (name_),                                                      \
        .help = "Checks that were not good, by reason; no_resource "                 \
                "says nothing of the member."                                        \
    }

static const struct metric_def check_defs[] = {
    COUNTER(CHECK_RUNS, "runs", "Checks that ended, good or bad."),
    COUNTER(CHECK_DELAYED, "delayed", "Checks that waited because too many were under way."),
    COUNTER(CHECK_NUDGES, "nudges", "Times that failures counted by the edges grew."),
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

static const struct metric_table *const metrics[] = {&check_metrics, NULL};

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

static void free_pools(struct health *health)
{
    for (uint32_t i = 0; i < health->n_pools; i++)
        mem_free((void *)health->pools[i].targets);
    mem_free(health->pools);
    health->pools = NULL;
    health->n_pools = 0;
}

/* What the board says of the pool, so that only news is logged. */
static enum fact_state pool_state_on_board(const struct health *health, const struct pool *conf)
{
    struct fact_ref ref = board_find(health->board, conf->fact);
    return ref.is_set ? board_peek(health->board, ref) : FACT_NONE;
}

/* Moves the targets that stay from `former` to health->targets, and makes those that are new. */
static void take_pool(struct health *health, struct health_pool *pool, const struct pool *conf,
                      struct map *former)
{
    *pool = (struct health_pool){
        .conf = conf,
        .targets = MEM_NEW_ARRAY(struct target *, conf->n_members),
        .logged = pool_state_on_board(health, conf),
    };
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
    map_init(&health->targets, rng_next(&health->rng), false);
    free_pools(health);
    health->pools = MEM_NEW_ARRAY(struct health_pool, conf->n_pools);
    health->n_pools = conf->n_pools;
    for (uint32_t i = 0; i < conf->n_pools; i++)
        take_pool(health, &health->pools[i], conf->pools[i], &former);
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
    const struct health *health = ctx;
    for (uint32_t i = 0; i < health->n_pools; i++) {
        if (strcmp(health->pools[i].conf->fact, name) == 0)
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
}

static void health_commit(void *state, struct snapshot *snap)
{
    struct health *health = state;
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
    free_pools(health);
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
    .start = health_start,
    .commit = health_commit,
    .stop = health_stop,
    .status = health_status,
};
