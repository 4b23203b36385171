/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_INTERNAL_H
#define DNS_INTERNAL_H

/*
 * The parts of the DNS process among themselves: plans (plan.c), the listeners of a loop
 * (serve.c), and the module's life (dns.c).
 *
 *     loop 0: prepare(snapshot) -> plan { zones, records, desks[listen][loop], sockets }
 *             commit            -> each loop: answer from the plan's zones, close listeners that
 *                                  are gone, open new ones
 *             all have          -> free the former plan
 *             a fact changed    -> a new record_view -> each loop: answer from it
 *             all have          -> free the former view
 *
 * Nothing of an answer outlives the callback that makes it, so a loop that has gone over uses
 * nothing of what was before. Loop 0 owns all but struct dns_loop.
 */

#include "core/process.h"
#include "core/slabs.h"
#include "dns/conf.h"
#include "dns/dns.h"
#include "dns/policy.h"
#include "dns/record_set.h"
#include "dns/tcp.h"
#include "dns/udp.h"
#include "dns/zones.h"
#include <stdbool.h>
#include <stdint.h>

struct dns_plan {
    struct dns *dns;
    struct snapshot *snap; /* a reference */
    const struct dns_conf *conf;
    uint32_t n_listens;
    struct dns_listen_conf **listens;
    struct shared_slab **slabs; /* [listen] */
    int *udp_fds, *tcp_fds;     /* [listen * n_loops + loop], ours; -1 once a loop has taken it */
    struct dns_desk *desks;     /* likewise; the loop's from commit on */
    struct tcp_limits *limits;  /* [listen] */
    struct zones *zones;
    struct record_set *records;
    struct record_view *view; /* a reference; dns.view's from commit on */
};

/* A listener in a loop. */
struct dns_listen {
    char name[128];
    struct addr addr;
    int udp_fd, tcp_fd; /* this loop's own */
    struct dns_udp udp;
    struct dns_tcp tcp;
};

struct dns_loop {
    struct dns *dns;
    struct loop *loop;
    struct udp_batch *batch;
    struct tcp_output *output;
    struct answer_view view; /* what the desks answer from */
    struct dns_listen *listens[DNS_LISTENS_MAX];
    uint32_t n_listens;
};

struct dns {
    struct process *process;
    struct slabs slabs;
    struct record_ledger *ledger;
    struct dns_plan *current;
    struct dns_plan *next;    /* prepared, not committed */
    struct record_view *view; /* what the loops have, or are about to; a reference */
    struct dns_loop loops[BOARD_LOOPS_MAX];
    struct loop_task refresh; /* at the end of a turn in which facts changed */
    bool is_refresh_due;
    bool is_closed; /* a drain has closed every listener in every loop */
};

/* The view as loops see it, who change nothing of it. */
static inline const struct record_answer *const *answers_of(const struct record_view *view)
{
    return (const struct record_answer *const *)view->answers;
}

const struct dns_conf *dns_conf_of(const struct snapshot *snap);

/* plan.c */
struct dns_plan *dns_plan_create(struct dns *dns, struct snapshot *snap, struct err *err);
/* No loop has it. */
void dns_plan_destroy(struct dns_plan **plan);

/* serve.c, each in its loop's thread */
void dns_loop_init(struct dns_loop *self, struct dns *dns, struct loop *loop);
void dns_loop_switch(struct dns_loop *self, struct dns_plan *plan);
void dns_loop_drain(struct dns_loop *self);
/* Answers UDP for at most so long, from inside a callback that takes its time. */
void dns_loop_serve(struct dns_loop *self, int wait_ms);

#endif
