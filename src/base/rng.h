/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

/*
 * Random numbers with a seed (xoshiro256**, Blackman and Vigna): for jitter, load spreading and
 * simulation, never for secrets. The same seed gives the same numbers on every machine.
 */

#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_init(struct rng *rng, uint64_t seed);
uint64_t rng_next(struct rng *rng);
/* 0 .. bound-1, without bias; bound > 0. */
uint64_t rng_below(struct rng *rng, uint64_t bound);
/* 0 <= x < 1. */
double rng_unit(struct rng *rng);

#endif
