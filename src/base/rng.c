/* SPDX-License-Identifier: Apache-2.0 */
/* xoshiro256**, its state filled from the seed by splitmix64 as its authors advise. */
#include "base/rng.h"
#include "base/hash.h"
#include <assert.h>

void rng_init(struct rng *rng, uint64_t seed)
{
    for (unsigned i = 0; i < 4; i++)
        rng->s[i] = hash_mix(seed + i * 0x9e3779b97f4a7c15ull);
}

static uint64_t rotate(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

uint64_t rng_next(struct rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

__extension__ typedef unsigned __int128 wide;

/*
 * Lemire, "Fast Random Integer Generation in an Interval": the upper half of random * bound is the
 * result; the lower half tells the few cases that would favour some results, and is below bound
 * in nearly none, so that the division is rare.
 */
uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    assert(bound > 0);
    wide product = (wide)rng_next(rng) * bound;
    if ((uint64_t)product < bound) {
        uint64_t unfair = (0 - bound) % bound;
        while ((uint64_t)product < unfair)
            product = (wide)rng_next(rng) * bound;
    }
    return (uint64_t)(product >> 64);
}

double rng_unit(struct rng *rng)
{
    return (double)(rng_next(rng) >> 11) * 0x1p-53;
}
