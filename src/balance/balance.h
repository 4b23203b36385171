/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BALANCE_BALANCE_H
#define BALANCE_BALANCE_H

/*
 * Which member takes the next request. A balancer is one loop's memory for one pool; the loops do
 * not share theirs, and start at different places, so that a few loops do not fall into step.
 *
 * The caller says which members are candidates now and how many requests each has in flight; this
 * code knows no facts, no clock and no sockets, and is tested by a million picks a method. A method
 * is a row of functions (internal.h), a file each or a family a file:
 *
 *     method        asks for          cost a pick       file
 *     round-robin   candidates        O(members)        robin.c
 *     random        candidates        O(1)              sample.c
 *     least-load    and loads         O(1)              load.c
 *     latency       and loads         O(1)              load.c
 *     hash          and a key         O(1), bounded     maglev.c
 *                                     O(members)
 *     first         candidates        O(members)        first.c
 *
 * O(1) holds while most members are candidates; where they are few, one walk over all is added.
 *
 * Round-robin is the smooth weighted kind (as nginx does it): at each pick every candidate's credit
 * grows by its weight, the richest is taken and pays the sum of all. Weights 5, 1, 1 give a a b a c
 * a a, never five in a row. Members that may not be taken now neither earn nor pay, so one that
 * returns does not bring a debt or a fortune with it.
 *
 * Random draws by weight from an alias table (Vose): a column and a coin.
 *
 *        a    b    c    d
 *      +----+----+----+----+      a draw: a column, then the coin says its owner or its alias;
 *      | a  | a  | a  | d  |      all in whole numbers, so that no weight is rounded away
 *      |    |----|----|    |
 *      | a  | b  | c  | d  |
 *      +----+----+----+----+
 *
 * Least-load draws two in that way and takes the one with fewer requests in flight for its weight
 * (the power of two choices: as even as looking at all of them, nearly, at the cost of two, and
 * loops that see slightly old numbers do not all run to the same member). At equal load, none for
 * instance, the first draw stands, so that the weights rule.
 *
 * Latency draws two as well and takes the one with the lower cost: peak EWMA (as Finagle and
 * Linkerd have it) times the requests in flight. A slower answer than expected is believed at once,
 * a faster one by and by (LATENCY_DECAY_NS), and a member that has not answered for a while is
 * slowly forgiven, or it would never be tried again:
 *
 *      cost |      |\.                     a peak counts in full
 *           |      |  `-._
 *           | _____|      `--..___         and wears off
 *           +-----------------------> t
 *
 * Hash looks the key up in a Maglev table (Eisenbud et al., NSDI 2016): MAGLEV_SLOTS slots, shared
 * out by weight, from the members' names alone, so that every loop and every node has the same one
 * and hardly a key moves when a member is added or taken away. A key whose member may not be taken
 * goes on in an order of its own, so that the keys of one dead member spread over all others and no
 * other key moves:
 *
 *      key -> slot -> member b, down -> slot + step -> member d, fine
 *
 * With a bound (consistent hashing with bounded loads, Mirrokni et al.) a member that has more than
 * bound percent of its share of what is in flight counts as one that may not be taken; such an
 * overflow passes on in the same order, so that it finds the same second member each time.
 *
 * First takes the first in the order of the file, so that the last ones may be switched off.
 */

#include "base/slice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BALANCE_NOBODY = -1,
    BALANCE_WEIGHT_MAX = 1 << 16,
    BALANCE_MEMBERS_MAX = 1 << 12,
    MAGLEV_SLOTS = 65537, /* a prime, far above 100 times the members of a pool */
};

#define LATENCY_DECAY_NS UINT64_C(10000000000) /* in which a cost falls to 1/e */
#define LATENCY_QUIET_NS UINT64_C(1000000000)  /* without an answer, before it falls by itself */

struct balancer;
struct balance_method;

extern const struct balance_method balance_round_robin;
extern const struct balance_method balance_random;
extern const struct balance_method balance_least_load;
extern const struct balance_method balance_latency;
extern const struct balance_method balance_hash;
extern const struct balance_method balance_first;

struct balance_options {
    const struct balance_method *method;
    uint32_t n_members;
    const uint32_t *weights;   /* 0..BALANCE_WEIGHT_MAX for each, copied; only their ratios count */
    const struct slice *names; /* of each, borrowed for life; unique */
    uint64_t seed;             /* where to begin, and for draws */
    uint32_t bound_percent;    /* hash: above 100; 0: no bound */
};

struct balancer *balancer_create(const struct balance_options *options);
void balancer_destroy(struct balancer **balancer);
/* A weight changed while serving; 0 takes the member out of the picks. */
void balancer_set_weight(struct balancer *balancer, uint32_t member, uint32_t weight);
/* Takes over what `old`, of the same pool before a reload, has learnt of members by their names. */
void balancer_inherit(struct balancer *balancer, struct balancer *old);
/* A member has answered after so long. */
void balancer_observe(struct balancer *balancer, uint32_t member, uint64_t latency_ns,
                      uint64_t now_ns);

/* Who asks, and what is so now. */
struct balance_ask {
    /* May the member be taken? One of weight 0 is not asked about. */
    bool (*is_candidate)(void *ctx, uint32_t member);
    /* Requests in flight at the member; may be NULL for the methods that do not ask for it. */
    uint64_t (*load)(void *ctx, uint32_t member);
    void *ctx;
    uint64_t now_ns;
    uint64_t key; /* for hash, evenly spread */
    bool has_key; /* without one hash picks as random does */
};

/* The next member among the candidates, or BALANCE_NOBODY. Allocates nothing, but that hash and
 * random make their tables at the first pick and after a change of weights. */
int balancer_pick(struct balancer *balancer, const struct balance_ask *ask);

#endif
