/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIP_COUNT_H
#define VIP_COUNT_H

/*
 * What is counted of a vip: the table "vip", labelled with its name; both its families count in one
 * row. Packets that belong to no group of this node are counted in the table "vrrp", labelled with
 * the interface that they came in on.
 *
 * The names of reasons and refusals are those of wire/vrrp.h and wire/vrrp_machine.h.
 */

#include "core/metric.h"
#include "wire/vrrp.h"
#include "wire/vrrp_machine.h"

enum { VIP_ODDITIES = 3 };

enum vip_word {
    VIP_WORD_STATE,    /* gauge: enum vrrp_state */
    VIP_WORD_PRIORITY, /* gauge: what is advertised */
    VIP_WORD_LACK,     /* gauge */
    VIP_WORD_HOLDING,  /* gauge: 1 while VRRP is silent and a peer says that it serves */
    VIP_WORD_MOVE,     /* enum vrrp_reason */
    VIP_WORD_SENT = VIP_WORD_MOVE + VRRP_REASONS,
    VIP_WORD_SEND_FULL,
    VIP_WORD_SEND_FAILED,
    VIP_WORD_RECEIVED,
    VIP_WORD_REFUSED,                                /* enum vrrp_refusal */
    VIP_WORD_ODD = VIP_WORD_REFUSED + VRRP_REFUSALS, /* bits of enum vrrp_oddity, from the lowest */
    VIP_WORD_RESIGNED = VIP_WORD_ODD + VIP_ODDITIES,
    VIP_WORD_ANNOUNCED,
    VIP_WORD_HELD,
    VIP_WORD_LATE,
    VIP_WORD_NETLINK_FAILED,
    VIP_WORD_TAKEN,
    VIP_WORDS
};

enum vrrp_word {
    VRRP_WORD_PACKETS, /* that came, of all groups */
    VRRP_WORD_REFUSED, /* enum vrrp_refusal */
    VRRP_WORDS = VRRP_WORD_REFUSED + VRRP_REFUSALS
};

extern const struct metric_table vip_metrics;
extern const struct metric_table vrrp_metrics;

#endif
