/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Scores of members for keys.
 */

#include "session/rendezvous.h"

#include "base/hash.h"
#include <math.h>

double rendezvous_score(uint64_t key, uint64_t member_hash, uint32_t weight)
{
    uint64_t hash = hash_mix(hash_mix(key) ^ member_hash);
    double u = ((double)(hash >> 12) + 0.5) * 0x1p-52; /* never 0, never 1 */
    return -(double)weight / log(u);
}
