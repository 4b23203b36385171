/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BALANCE_BALANCE_H
#define BALANCE_BALANCE_H

/*
 * Which member takes the next request. A balancer is one loop's memory for one pool; the loops do
 * not share theirs, and start at different places, so that a few loops do not fall into step.
 *
 * Round-robin is the smooth weighted kind (as nginx does it): at each pick every candidate's credit
 * grows by its weight, the richest is taken and pays the sum of all. Weights 5, 1, 1 give a a b a c
 * a a, never five in a row. Members that may not be taken now neither earn nor pay, so one that
 * returns does not bring a debt or a fortune with it.
 *
 * The caller says which members are candidates now; this code knows no facts, no clock and no
 * sockets, and is tested by a million picks.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct balancer;

enum { BALANCE_NOBODY = -1 };

/* weights[i] is 1.. for member i, copied. `seed` chooses where round-robin begins. */
struct balancer *balancer_create(const uint32_t *weights, uint32_t n_members, uint64_t seed);
void balancer_destroy(struct balancer **balancer);
/* A weight changed while serving; 0 takes the member out of the picks. */
void balancer_set_weight(struct balancer *balancer, uint32_t member, uint32_t weight);
/*
 * The next member among those for which is_candidate() says yes, or BALANCE_NOBODY. O(members).
 */
int balancer_pick(struct balancer *balancer, bool (*is_candidate)(void *ctx, uint32_t member),
                  void *ctx);

#endif
