/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_INTERNAL_H
#define EDGE_INTERNAL_H

/*
 * The parts of the edge among themselves: words (conf.c), plans (plan.c), and the module's life
 * with what runs in each loop (edge.c).
 *
 * Loop 0 owns everything here but struct edge_loop, which belongs to its loop, and the epochs of a
 * plan, which belong to their loops from commit on.
 */

#include "base/map.h"
#include "core/process.h"
#include "core/slabs.h"
#include "edge/async.h"
#include "edge/edge.h"
#include "http/http.h"
#include "upstream/commons.h"
#include <stdbool.h>
#include <stdint.h>

/* One loop's share of a plan. */
struct plan_loop {
    struct edge_plan *plan;
    struct http_epoch *epoch; /* the loop's from commit on; NULL when it is gone */
    struct loop_task gone;    /* tells loop 0 */
};

struct edge_plan {
    struct edge *edge;
    struct snapshot *snap; /* a reference */
    uint32_t n_listens;
    struct listen_conf **listens;
    int *sockets; /* [listen * n_loops + loop], ours; -1 once a loop has taken it */
    struct shared_slab **listen_slabs; /* [listen] */
    struct pool_tls *pool_tls;
    struct tls_server **servers; /* [listen], NULL where it speaks no TLS */
    uint32_t n_members;
    struct shared_slab **member_slabs; /* in the order of pools and members */
    uint32_t *first_member;            /* [pool] */
    struct shared_slab **pool_slabs;   /* [pool] */
    uint32_t n_pools;
    struct plan_loop *loops;  /* [loop] */
    struct async_pool *async; /* NULL: no route gives requests to a queue */
    uint32_t n_epochs;        /* that are not gone */
    bool is_committed;
};

/* A listen in a loop. */
struct edge_listen {
    char name[64];
    struct addr addr;
    int fd; /* this loop's own */
    struct http_listen *http;
};

struct edge_loop {
    struct edge *edge;
    struct loop *loop;
    struct http_worker *worker;
    struct http_epoch *epoch; /* the current one */
    struct edge_listen *listens[LISTENS_MAX];
    uint32_t n_listens;
};

/* What every loop is to do once more whenever something has changed: one round at a time, however
 * much changes. */
struct edge_round {
    struct edge *edge;
    process_each_fn *fn; /* in each loop, with the round as its ctx */
    bool is_running;     /* the loops have been told, and have not all done it */
    bool is_due;         /* something has changed since */
};

struct edge {
    struct process *process;
    struct slabs slabs;
    struct commons *commons; /* what the loops share about members, plan after plan */
    struct edge_plan *current;
    struct edge_plan *next; /* prepared, not committed */
    uint32_t n_plans;       /* alive: the current one and those that requests still use */
    struct edge_loop loops[BOARD_LOOPS_MAX];
    struct edge_round refresh; /* members' facts */
    struct edge_round strand;  /* floating addresses */
    bool is_closed;            /* a drain has closed every listen in every loop */
};

struct edge_plan *plan_create(struct edge *edge, struct snapshot *snap, struct err *err);
/* Loop 0; no loop has it. */
void plan_destroy(struct edge_plan **plan);

const struct edge_conf *edge_conf_of(const struct snapshot *snap);

extern const struct conf_word edge_words[];
int edge_check(struct snapshot *snap, void *self, struct conf_load *load);
int edge_explain(const struct snapshot *snap, const struct board *board,
                 const struct explain_ask *ask, struct json *json, struct err *err);
int edge_sockets(const struct snapshot *snap, socket_want_fn *want, void *ctx);
int edge_files(const struct snapshot *snap, file_want_fn *want, void *ctx);
int edge_check_files(const struct snapshot *snap, const struct conf_bundle *files,
                     struct conf_diag *diag);

#endif
