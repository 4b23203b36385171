/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HEALTH_VERDICT_H
#define HEALTH_VERDICT_H

/*
 * What is true of a member, when its checks, its agent, the edges and the operator each have a
 * word: their words in, the fact out. No clock, no board.
 *
 *     the first of these that applies                      the fact
 *     forced down                                          down       forced down by the operator
 *     forced up                                            up         forced up by the operator
 *     the check says down                                  down       the check's reason
 *     ejected                                              down       ejected for 10s: ...
 *     drained                                              draining   drained by the operator
 *     the agent drains                                     draining   drained by its agent
 *     otherwise                                            what the check says
 *
 * A member that drains and is dead is down: nobody's session is kept by sending it there. Where the
 * operator's word covers the check's, the reason holds both, so that nobody has to lift the one in
 * order to see the other.
 *
 * Weight. The operator's, or else the configured one as far as the agent lets it count: a share of
 * 1 to 99 % never makes it less than 1, only 0 % and the operator's 0 do. A member that the
 * operator forces down weighs nothing, so that a pool that fails open leaves it out.
 */

#include "core/board.h"
#include <stdint.h>

enum { VERDICT_WHOLE_SHARE = 100, VERDICT_NO_WEIGHT = -1 };

struct verdict_words {
    enum fact_state checked; /* up, down or unknown */
    const char *checked_reason;
    enum fact_state forced; /* FACT_NONE: nothing is; up, down or draining */
    const char *ejected;    /* the sentence, NULL: it is not */
    const char *drained;    /* by its agent: the sentence, NULL: it is not */
    uint32_t weight;        /* configured */
    int64_t forced_weight;  /* or VERDICT_NO_WEIGHT */
    uint32_t share;         /* what the agent lets count of the weight, 0..100 % */
};

struct verdict {
    enum fact_state state;
    uint32_t weight; /* 0..256 */
    char reason[FACT_REASON_MAX];
};

struct verdict verdict_of(const struct verdict_words *words);

#endif
