/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIMIT_RRL_H
#define LIMIT_RRL_H

/*
 * Rates of responses to networks: who forges the address of a victim gets a server to send to it
 * no more than a rate allows, and the victim, where it asks for itself, still gets through.
 *
 * What is limited is a key, a hash of the client's network with what was answered to it: a name, a
 * zone, an error. Each key has a bucket of tokens that holds `count` of them and is filled again in
 * `per_ms`; a response takes one. From an empty bucket nothing is sent, but for each `slip`-th
 * response, which is sent cut to nothing (the client's resolver asks again over TCP, where nobody
 * forges an address).
 *
 *     key --> set of 4 buckets, one cache line:  | tag | stamp ms | tokens | n over | x 4
 *
 * The table has a fixed size. A key that is not there takes the place of the one in its set that
 * was asked longest ago, and starts with a full bucket; so a flood from more networks than the
 * table holds is limited less, never more. It is nobody's but its owner's: one for each loop, the
 * rates divided by the loops.
 */

#include "base/addr.h"
#include "base/hash.h"
#include <stdint.h>

struct rrl;

struct rrl_rate {
    uint32_t count;  /* tokens of a full bucket; 1.. */
    uint32_t per_ms; /* in which an empty one is full again; 1.. */
};

enum rrl_verdict {
    RRL_PASS,
    RRL_DROP, /* send nothing */
    RRL_SLIP, /* send it cut to nothing */
};

/* The table holds at least n_keys, rounded up to a power of two. `seed` is secret, so that nobody
 * chooses who shares a set. */
struct rrl *rrl_create(uint32_t n_keys, uint64_t seed);
void rrl_destroy(struct rrl **rrl);

/* count / per_ms divided among n_loops, at least one token. */
struct rrl_rate rrl_share(int64_t count, int64_t per_ms, uint32_t n_loops);

/* The network of an address: its first n_bits (0..32 or 0..128), hashed. IPv4-mapped addresses are
 * IPv4. */
uint64_t rrl_network(const struct rrl *rrl, const struct addr *addr, unsigned ipv4_bits,
                     unsigned ipv6_bits);
/* A network with what was answered to it: `kind`, any number, and a name or nothing. */
uint64_t rrl_key(const struct rrl *rrl, uint64_t network, uint32_t kind, struct slice name);

/* A response for this key. slip 0: never RRL_SLIP. now_ms is monotonic. */
enum rrl_verdict rrl_take(struct rrl *rrl, uint64_t key, const struct rrl_rate *rate, uint32_t slip,
                          uint64_t now_ms);

#endif
