/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_ANSWER_POOL_H
#define DNS_ANSWER_POOL_H

/*
 * Which data of a pool's record one answer holds, and in which order: all or some of them, evenly
 * or by weight, from one random number an answer. Plain arithmetic.
 */

#include "dns/record.h"
#include <stdint.h>

enum { ANSWER_DRAW_MAX = 2 * POOL_MEMBERS_MAX };

/* Fills the places of the data, in order; returns how many. */
uint16_t answer_draw(const struct record_variant *variant, uint32_t random,
                     uint16_t ret_order[ANSWER_DRAW_MAX]);

#endif
