/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIP_WHY_H
#define VIP_WHY_H

/*
 * Why a floating address moved, in a sentence for the operator: the machine's reason
 * (wire/vrrp_machine.h) with who it was, by which priority, and how long it took.
 *
 *     the Active fell silent      ->  a (10.77.0.1) was silent for 3.01 s
 *     it was told to hand over    ->  b (10.77.0.2) took over: drained by the operator
 *
 * The same sentence is in the log, in the vip's fact and in `weir status`. No clock and no socket:
 * what is known comes in.
 */

#include "base/slice.h"
#include "core/board.h"
#include "wire/vrrp_machine.h"
#include <stdint.h>

enum {
    WHY_WHO_MAX = 32,
    WHY_MAX = FACT_REASON_MAX,
};

struct why {
    enum vrrp_reason reason;
    const char *who;      /* why_who(): the other node that was heard lately, or NULL: none was */
    uint8_t who_priority; /* as it said last */
    uint8_t own_priority; /* of this node */
    uint64_t silent_ns;   /* since it was heard */
    const char *order;    /* what it is told to hand over for, or NULL: nothing is known */
};

/* Names another node: by both, "a (10.77.0.1)", where there is room, otherwise by its name in the
 * file; node is empty where the file has none with that address. */
void why_who(struct slice node, const char *ip, char ret_who[WHY_WHO_MAX]);

void why_text(const struct why *why, char ret_text[WHY_MAX]);

/* Of a Backup that has heard who is Active. */
void why_following(const struct why *why, char ret_text[WHY_MAX]);

#endif
