/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BALANCE_INTERNAL_H
#define BALANCE_INTERNAL_H

/*
 * What the methods share: the table of functions that each of them is, the weights, a generator,
 * and draws by weight.
 *
 * balance.c owns a balancer and calls its method; a method owns what it has in `state`, makes it in
 * init() and frees it in deinit(). `scratch` is whoever's runs, within one call.
 */

#include "balance/balance.h"
#include "base/rng.h"

struct balance_method {
    void (*init)(struct balancer *balancer, const struct balance_options *options); /* or NULL */
    void (*deinit)(struct balancer *balancer);                                      /* or NULL */
    void (*weigh)(struct balancer *balancer); /* a weight is another; or NULL */
    void (*inherit)(struct balancer *balancer, struct balancer *old);
    void (*observe)(struct balancer *balancer, uint32_t member, uint64_t latency_ns,
                    uint64_t now_ns);
    int (*pick)(struct balancer *balancer, const struct balance_ask *ask);
};

/* A column of the alias table: below `cut`, of the sum of all weights, it is its owner's. */
struct alias {
    uint64_t cut;
    uint32_t other;
};

struct balancer {
    const struct balance_method *method;
    uint32_t n_members;
    uint32_t *weights;
    const struct slice *names; /* a copy of the slices, not of the names */
    uint64_t total;            /* of the weights */
    struct rng rng;
    struct alias *aliases; /* [n_members]; sample.c */
    bool is_alias_fresh;
    uint32_t *scratch; /* [n_members], of whatever runs */
    union {
        struct robin *robin;     /* [n_members] */
        struct latency *latency; /* [n_members] */
        struct maglev *maglev;
    } state;
};

/*
 * A draw by weight among the candidates but for `except` (BALANCE_NOBODY: none): a member, or
 * BALANCE_NOBODY.
 */
int sample(struct balancer *balancer, const struct balance_ask *ask, int except);

/* The place of a name, or BALANCE_NOBODY; `hint` is looked at first. */
int balancer_find(const struct balancer *balancer, struct slice name, uint32_t hint);

#endif
