/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bucket's number is the exponent of its lower bound and the two bits behind the leading one:
 *
 *     value  1 b b x x x      bucket = 4 * (exponent - 1) + bb, for values from 4 up
 */
#include "base/hist.h"
#include <assert.h>

enum { HIST_STEPS = 4 }; /* buckets a power of two, and values that have a bucket of their own */

unsigned hist_bucket(uint64_t value)
{
    if (value < HIST_STEPS)
        return (unsigned)value;
    unsigned exponent = 63u - (unsigned)__builtin_clzll(value);
    unsigned step = (unsigned)(value >> (exponent - 2)) & (HIST_STEPS - 1);
    unsigned bucket = HIST_STEPS * (exponent - 1) + step;
    return bucket < HIST_BUCKETS ? bucket : HIST_BUCKETS - 1;
}

uint64_t hist_lower(unsigned bucket)
{
    assert(bucket < HIST_BUCKETS);
    if (bucket < HIST_STEPS)
        return bucket;
    unsigned exponent = bucket / HIST_STEPS + 1;
    return (uint64_t)(HIST_STEPS + bucket % HIST_STEPS) << (exponent - 2);
}

/* The point a fraction 0..1 into a bucket; the last one has no end, so it is its lower bound. */
static double point_in(unsigned bucket, double fraction)
{
    double lower = (double)hist_lower(bucket);
    if (bucket == HIST_BUCKETS - 1)
        return lower;
    return lower + fraction * ((double)hist_lower(bucket + 1) - lower);
}

double hist_quantile(const uint64_t counts[HIST_BUCKETS], double share)
{
    double total = 0;
    unsigned last = 0;
    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        total += (double)counts[i];
        if (counts[i])
            last = i;
    }
    if (total <= 0)
        return 0;
    double wanted = share > 0 ? share * total : 0;
    double below = 0;
    for (unsigned i = 0; i < last; i++) {
        double here = (double)counts[i];
        if (here > 0 && below + here >= wanted)
            return point_in(i, (wanted - below) / here);
        below += here;
    }
    double fraction = (wanted - below) / (double)counts[last];
    return point_in(last, fraction < 1 ? fraction : 1);
}
