/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The words of pools and members, what their cross-checks say, how the others find a pool,
 * and the table of what the edge counts about a member.
 */

#include "pool/pool.h"

#include "base/mem.h"
#include "pool/check_program.h"
#include "pool/pool_tls.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- member and pool ---- */

static const struct conf_word member_args[] = {
    {.name = "NAME",
     .type = CONF_NAME,
     .flags = CONF_REQUIRED,
     .offset = offsetof(struct member, name),
     .doc = "the member's name, the same in facts, metrics and commands"},
    {.name = "ADDRESS",
     .type = CONF_ENDPOINT,
     .flags = CONF_REQUIRED,
     .offset = offsetof(struct member, endpoint),
     .doc = "where it listens: an address, a host name and port, or a unix socket"},
    {0},
};

#define PLANNED(name_, type_, doc_)                                             \
    {                                                                           \
        .name = (name_), .type = (type_), .flags = CONF_PLANNED, .doc = (doc_), \
    }

static const struct conf_word member_words[] = {
    {.name = "weight",
     .type = CONF_INT,
     .offset = offsetof(struct member, weight),
     .fallback = "1",
     .min = 1,
     .max = MEMBER_WEIGHT_MAX,
     .doc = "its share of the requests, beside the weights of the others"},
    {.name = "backup",
     .type = CONF_FLAG,
     .offset = offsetof(struct member, is_backup),
     .doc = "takes requests only while no other member may be used"},
    {.name = "listen",
     .type = CONF_REF,
     .offset = offsetof(struct member, listen),
     .doc = "a listen of this node, which the member is: up while it serves, instead of a check"},
    {.name = "max-connections",
     .type = CONF_INT,
     .offset = offsetof(struct member, max_connections),
     .min = 1,
     .max = 1000000,
     .doc = "connections to it at a time, in all loops together; the pool's otherwise"},
    {.name = "slow-start",
     .type = CONF_TIME,
     .offset = offsetof(struct member, slow_start_ms),
     .min = 0,
     .max = 3600000,
     .doc = "how long its share grows when it was down; the pool's otherwise"},
    {0},
};

static const struct conf_block member_block = {
    .size = sizeof(struct member),
    .args = member_args,
    .words = member_words,
};

static const struct conf_word fail_open_words[] = {
    {.name = "below",
     .type = CONF_PERCENT,
     .flags = CONF_REQUIRED,
     .offset = offsetof(struct fail_open_conf, below_percent),
     .min = 1,
     .max = 100,
     .doc = "of the members that do not drain must be up"},
    {0},
};

static const struct conf_block fail_open_block = {
    .size = sizeof(struct fail_open_conf),
    .words = fail_open_words,
};

static const struct conf_word pool_args[] = {
    {.name = "NAME",
     .type = CONF_NAME,
     .flags = CONF_REQUIRED,
     .offset = offsetof(struct pool, name),
     .doc = "what routes and facts call it"},
    {0},
};

static const struct conf_word pool_block_words[] = {
    {.name = "member",
     .type = CONF_BLOCK,
     .flags = CONF_REQUIRED | CONF_REPEAT,
     .offset = offsetof(struct pool, member_list),
     .block = &member_block,
     .doc = "one that serves"},
    {.name = "tls",
     .type = CONF_BLOCK,
     .offset = offsetof(struct pool, tls),
     .block = &tls_client_block,
     .doc = "members are spoken to under TLS, requests and checks alike; without it in the clear"},
    {.name = "check",
     .type = CONF_BLOCK,
     .offset = offsetof(struct pool, check),
     .block = &check_block,
     .doc = "how health finds out that a member can serve; without it all members are up"},
    {.name = "balance",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct pool, balance),
     .block = &balance_block,
     .doc = "which member takes the next request"},
    {.name = "eject",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct pool, eject),
     .block = &eject_block,
     .doc = "when requests that fail take a member out for a while"},
    {.name = "fail-open",
     .type = CONF_BLOCK,
     .offset = offsetof(struct pool, fail_open),
     .block = &fail_open_block,
     .doc = "members that are down are used too while too few are up; without it never"},
    {.name = "max-connections",
     .type = CONF_INT,
     .offset = offsetof(struct pool, max_connections),
     .min = 1,
     .max = 1000000,
     .doc = "connections to each member at a time, in all loops together"},
    {.name = "queue",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct pool, queue),
     .block = &queue_block,
     .doc = "requests that wait for a member with room, or for the first checks"},
    {.name = "slow-start",
     .type = CONF_TIME,
     .offset = offsetof(struct pool, slow_start_ms),
     .fallback = "0s",
     .min = 0,
     .max = 3600000,
     .doc = "how long the share of a member that was down grows, from a tenth to the whole; "
            "hash and first know no shares that grow"},
    {0},
};

static const struct conf_block pool_block = {
    .size = sizeof(struct pool),
    .args = pool_args,
    .words = pool_block_words,
};

static const struct conf_word pool_words[] = {
    {.name = "pool",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct pool_conf, pool_list),
     .block = &pool_block,
     .doc = "members that serve the same"},
    {0},
};

/* ---- looking over all of them ---- */

static bool is_same_endpoint(const struct conf_addr *a, const struct conf_addr *b)
{
    if (a->host.len || b->host.len)
        return a->port == b->port && slice_equal_nocase(a->host, b->host);
    return addr_equal(&a->addr, &b->addr);
}

/* One server counted as two would get twice its share, and its death would be two. */
static void warn_of_twins(struct conf_load *load, const struct pool *pool)
{
    for (uint32_t i = 1; i < pool->n_members; i++) {
        const struct member *member = pool->members[i];
        for (uint32_t j = 0; j < i; j++) {
            const struct member *other = pool->members[j];
            if (!is_same_endpoint(&member->endpoint, &other->endpoint))
                continue;
            conf_warning(load->diag, member->endpoint.at, "weight 2",
                         "members %.*s and %.*s of pool %.*s have the same address",
                         SLICE_ARG(other->name), SLICE_ARG(member->name), SLICE_ARG(pool->name));
            break;
        }
    }
}

static bool is_unix(const struct member *member)
{
    return !member->endpoint.host.len && addr_family(&member->endpoint.addr) == AF_UNIX;
}

/* What is in the clear anyway needs no word for it. */
static int check_plain(struct conf_load *load, const struct pool *pool)
{
    if (!pool->check || !pool->check->is_plain || pool->tls)
        return 0;
    return conf_error(load->diag, conf_where(&pool->check->object, "plain"), NULL,
                      "pool %.*s has no tls, so its check is plain already", SLICE_ARG(pool->name));
}

/* A check elsewhere than at the member takes the member's address with another port. */
static int check_port(struct conf_load *load, const struct pool *pool)
{
    if (!pool->check || !pool->check->port)
        return 0;
    for (uint32_t i = 0; i < pool->n_members; i++) {
        if (is_unix(pool->members[i]))
            return conf_error(load->diag, pool->members[i]->endpoint.at, NULL,
                              "the pool's check connects to port %" PRId64
                              ", and a unix socket has no ports",
                              pool->check->port);
    }
    return 0;
}

static void member_fill(struct pool *pool, uint32_t index, struct arena *arena)
{
    struct member *member = pool->members[index];
    member->pool = pool;
    member->index = index;
    member->label =
        arena_printf(arena, "%.*s/%.*s", SLICE_ARG(pool->name), SLICE_ARG(member->name));
    member->fact = arena_printf(arena, "member:%s", member->label);
    if (!conf_is_set(&member->object, "max-connections"))
        member->max_connections = pool->max_connections;
    if (!conf_is_set(&member->object, "slow-start"))
        member->slow_start_ms = pool->slow_start_ms;
    if (member->endpoint.host.len)
        member->address_fact = arena_printf(arena, "address:%s", member->label);
    if (member->listen.name.len)
        member->listen_fact = arena_printf(arena, "listen:%.*s", SLICE_ARG(member->listen.name));
}

static int pool_fill(struct pool *pool, struct conf_load *load)
{
    pool->members = (struct member **)pool->member_list.items;
    pool->fact = arena_printf(load->arena, "pool:%.*s", SLICE_ARG(pool->name));
    if (pool->fail_open)
        pool->open_fact = arena_printf(load->arena, "failopen:%.*s", SLICE_ARG(pool->name));
    if (pool->member_list.n_items > POOL_MEMBERS_MAX) {
        pool->n_members = 0;
        return conf_error(load->diag, conf_where(&pool->object, "member"), NULL,
                          "pool %.*s has %zu members; %d are the limit", SLICE_ARG(pool->name),
                          pool->member_list.n_items, POOL_MEMBERS_MAX);
    }
    pool->n_members = (uint32_t)pool->member_list.n_items;
    for (uint32_t i = 0; i < pool->n_members; i++)
        member_fill(pool, i, load->arena);
    warn_of_twins(load, pool);
    return check_port(load, pool) < 0 || check_plain(load, pool) < 0 ||
                   pool_tls_check(pool, load) < 0
               ? -1
               : 0;
}

static int compare_pools(const void *a, const void *b)
{
    const struct pool *const *left = a;
    const struct pool *const *right = b;
    return slice_compare((*left)->name, (*right)->name);
}

static void sort_by_name(struct pool_conf *conf, struct arena *arena)
{
    conf->by_name = ARENA_NEW_ARRAY(arena, struct pool *, conf->n_pools + 1);
    for (uint32_t i = 0; i < conf->n_pools; i++)
        conf->by_name[i] = conf->pools[i];
    qsort((void *)conf->by_name, conf->n_pools, sizeof(*conf->by_name), compare_pools);
}

/* Each member, name and pool is a fact of health's one segment. */
int pool_check_facts(const struct pool_conf *conf, struct conf_load *load)
{
    size_t n_facts = conf->n_pools;
    for (uint32_t i = 0; i < conf->n_pools; i++) {
        n_facts += conf->pools[i]->open_fact != NULL;
        if (conf->pools[i]->is_timed)
            n_facts += conf->pools[i]->n_members;
        for (uint32_t j = 0; j < conf->pools[i]->n_members; j++)
            n_facts += conf->pools[i]->members[j]->address_fact ? 2 : 1;
    }
    if (n_facts <= BOARD_FACTS_MAX)
        return 0;
    return conf_error(load->diag, conf_where(&conf->pools[conf->n_pools - 1]->object, "pool"), NULL,
                      "pools, members and host names make %zu facts; %d are the limit", n_facts,
                      BOARD_FACTS_MAX);
}

static int pool_check(struct snapshot *snap, void *self, struct conf_load *load)
{
    (void)snap;
    struct pool_conf *conf = self;
    int result = 0;
    conf->pools = (struct pool **)conf->pool_list.items;
    conf->n_pools = (uint32_t)conf->pool_list.n_items;
    if (conf->n_pools > POOLS_MAX) {
        result = conf_error(load->diag, conf_stmt_at(conf->pools[POOLS_MAX]->object.stmt), NULL,
                            "%" PRIu32 " pools; %d are the limit", conf->n_pools, POOLS_MAX);
        conf->n_pools = POOLS_MAX;
    }
    for (uint32_t i = 0; i < conf->n_pools; i++) {
        conf->pools[i]->index = i;
        if (pool_fill(conf->pools[i], load) < 0)
            result = -1;
    }
    sort_by_name(conf, load->arena);
    return pool_check_facts(conf, load) < 0 ? -1 : result;
}

/* ---- finding ---- */

const struct pool_conf *pool_conf_of(const struct snapshot *snap)
{
    return snapshot_conf(snap, &pool_module);
}

static struct pool *find_by_name(const struct pool_conf *conf, struct slice name)
{
    struct pool key = {.name = name};
    const struct pool *key_ptr = &key;
    struct pool **found = bsearch((const void *)&key_ptr, (const void *)conf->by_name,
                                  conf->n_pools, sizeof(*conf->by_name), compare_pools);
    return found ? *found : NULL;
}

struct pool *pool_find(const struct snapshot *snap, struct slice name)
{
    return find_by_name(pool_conf_of(snap), name);
}

struct pool *pool_resolve(const struct snapshot *snap, const struct conf_ref *ref,
                          struct conf_load *load)
{
    const struct pool_conf *conf = pool_conf_of(snap);
    struct pool *pool = find_by_name(conf, ref->name);
    if (pool)
        return pool;
    struct slice_near near = slice_near_begin(ref->name);
    for (uint32_t i = 0; i < conf->n_pools; i++)
        slice_near_offer(&near, conf->pools[i]->name);
    char hint[96] = "";
    if (near.best.len > 0)
        snprintf(hint, sizeof(hint), "did you mean \"%.*s\"?", SLICE_ARG(near.best));
    else if (conf->n_pools == 0)
        snprintf(hint, sizeof(hint), "pool %.*s { member NAME ADDRESS }",
                 (int)(ref->name.len < 63 ? ref->name.len : 63), ref->name.ptr);
    conf_error(load->diag, ref->at, hint[0] ? hint : NULL, "there is no pool \"%.*s\"",
               SLICE_ARG(ref->name));
    return NULL;
}

/* ---- a look at a member ---- */

/* The reason of an address fact begins with the address; what health has to say more follows it. */
static void take_address(struct member_view *view, const struct board *board)
{
    struct fact fact;
    struct addr addr;
    if (!board_read(board, view->address_ref, &fact) || fact.state != FACT_RESOLVED)
        return;
    struct slice rest = slice_from(fact.reason);
    if (addr_parse(slice_cut(&rest, ' '), &addr, NULL) == 0)
        view->addr = addr;
}

void member_view_init(struct member_view *view, const struct member *member,
                      const struct board *board)
{
    *view = (struct member_view){.member = member};
    if (!member->address_fact)
        view->addr = member->endpoint.addr;
    member_view_update(view, board);
}

void member_view_update(struct member_view *view, const struct board *board)
{
    const struct member *member = view->member;
    if (!view->state_ref.is_set || board_peek(board, view->state_ref) == FACT_NONE)
        view->state_ref = board_find(board, member->fact);
    if (!member->address_fact)
        return;
    if (!view->address_ref.is_set || board_peek(board, view->address_ref) == FACT_NONE)
        view->address_ref = board_find(board, member->address_fact);
    if (view->address_ref.is_set)
        take_address(view, board);
}

/* ---- metrics ---- */

#define COUNTER(word_, name_, help_)                                              \
    {                                                                             \
        .name = (name_), .type = METRIC_COUNTER, .word = (word_), .help = (help_) \
    }
#define GAUGE(word_, name_, help_)                                              \
    {                                                                           \
        .name = (name_), .type = METRIC_GAUGE, .word = (word_), .help = (help_) \
    }
#define BY_CLASS(word_, class_)                                                         \
    {                                                                                   \
        .name = "responses", .type = METRIC_COUNTER, .word = (word_), .label = "class", \
        .label_value = (class_), .help = "Responses of the member, by class of status." \
    }
#define FAILURE(word_, reason_)                                                         \
    {                                                                                   \
        .name = "failures", .type = METRIC_COUNTER, .word = (word_), .label = "reason", \
        .label_value = (reason_),                                                       \
        .help = "Connections that failed: not made (connect), or died or timed out in " \
                "the middle of an exchange (broken); or answers that count as such "    \
                "(status)."                                                             \
    }

static const struct metric_def member_defs[] = {
    COUNTER(MEMBER_REQUESTS, "requests", "Requests sent to the member, retries too."),
    COUNTER(MEMBER_RESPONSES, "heads", "Whole response heads that came back."),
    BY_CLASS(MEMBER_2XX, "2xx"),
    BY_CLASS(MEMBER_3XX, "3xx"),
    BY_CLASS(MEMBER_4XX, "4xx"),
    BY_CLASS(MEMBER_5XX, "5xx"),
    COUNTER(MEMBER_CONNECTS, "connects", "Connections opened to the member."),
    FAILURE(MEMBER_CONNECT_FAILED, "connect"),
    FAILURE(MEMBER_BROKEN, "broken"),
    FAILURE(MEMBER_BAD_STATUS, "status"),
    COUNTER(MEMBER_BYTES_TO, "sent_bytes", "Bytes sent to the member."),
    COUNTER(MEMBER_BYTES_FROM, "received_bytes", "Bytes received from the member."),
    GAUGE(MEMBER_IN_FLIGHT, "in_flight", "Requests that the member has not answered yet."),
    GAUGE(MEMBER_IDLE, "idle_connections", "Idle connections kept to the member."),
    {.name = "session_used_seconds",
     .type = METRIC_LATEST,
     .word = MEMBER_STICKY_LAST,
     .help = "When the member last answered a request under stickiness, seconds since 1970; 0: "
             "never."},
    TLS_METRIC_DEFS(MEMBER_TLS),
    {.name = "latency_seconds",
     .type = METRIC_HISTOGRAM,
     .word = MEMBER_LATENCY,
     .scale = 1e-6,
     .help = "From the request sent to the response head."},
    {0},
};

const struct metric_table member_metrics = {
    .name = "member",
    .labels = {"pool", "member"},
    .n_words = MEMBER_WORDS,
    .defs = member_defs,
};

static const struct metric_def pool_defs[] = {
    GAUGE(POOL_WAITING, "queue_length", "Requests that wait for a member."),
    COUNTER(POOL_QUEUED, "queued", "Requests that had to wait for a member."),
    {.name = "queue_failures",
     .type = METRIC_COUNTER,
     .word = POOL_QUEUE_REFUSED,
     .label = "reason",
     .label_value = "full",
     .help = "Requests that waited in vain: the queue was full, or they were there too long."},
    {.name = "queue_failures",
     .type = METRIC_COUNTER,
     .word = POOL_QUEUE_LATE,
     .label = "reason",
     .label_value = "late",
     .help = "Requests that waited in vain: the queue was full, or they were there too long."},
    {0},
};

const struct metric_table pool_metrics = {
    .name = "pool",
    .labels = {"pool"},
    .n_words = POOL_WORDS,
    .defs = pool_defs,
};

static const struct conf_overlay_words overlay_words = {.block = "pool", .statement = "member"};

const struct module pool_module = {
    .name = "pool",
    .doc = "members that serve, and how they are found to be well",
    .words = pool_words,
    .conf_size = sizeof(struct pool_conf),
    .check = pool_check,
    .overlay = &overlay_words,
    .files = pool_tls_files,
    .files_for = pool_tls_kinds,
    .check_files = pool_tls_check_files,
    .programs = check_programs,
    .program = check_program,
};
