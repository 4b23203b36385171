/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SESSION_RENDEZVOUS_H
#define SESSION_RENDEZVOUS_H

/*
 * Which member a key belongs to, without a table: each member has a score for each key, and the
 * highest one takes it (highest random weight; Thaler and Ravishankar 1998, the weighted form of
 * Schindelhauer and Schomaker 2005).
 *
 *     score(key, member) = -weight / ln(u)      u: a hash of key and member, 0 < u < 1
 *
 * A member that goes gives up its own keys and no others, one that comes takes its share evenly
 * from all, and each gets keys in the measure of its weight. The order of the members means
 * nothing. As the score depends on nothing but the key, the name and the weight, every loop and
 * every node comes to the same member.
 */

#include <stdint.h>

/* member_hash: of the member's name, under a key that all nodes share. weight: 1.. */
double rendezvous_score(uint64_t key, uint64_t member_hash, uint32_t weight);

#endif
