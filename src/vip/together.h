/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIP_TOGETHER_H
#define VIP_TOGETHER_H

/*
 * Which priority a node has earned, and how several groups stay on one node.
 *
 * The groups of a vip (one a family) and the vips that move with it are a *set*. One group leads:
 * the first family of the vip that moves with nobody. All groups of a set lack what one of them
 * lacks, so their elections go the same way. Where they do not (addresses decide between equals,
 * and IPv4 may say another thing than IPv6) the others follow: a group that is Active while its
 * leader is not hands over, as soon as somebody else would take it. And a leader whose followers
 * cannot serve lacks TOGETHER_DOWN, so that it goes where all of them can.
 *
 * Pure: states and times in, verdicts out.
 */

#include "wire/vrrp_machine.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    TOGETHER_DOWN = 100,             /* what a group lacks one of whose set has no link */
    TOGETHER_BROKEN = 200,           /* whose addresses could not be put */
    TOGETHER_PATIENCE_INTERVALS = 2, /* a leader may become Active so much later than the others */
    TOGETHER_NOT_EARNED = 254, /* the owner's priority is not earned: what stands in its place */
};

/* base: 1..255; lack: 0..250. The priority to be earned, 1..254. */
uint8_t together_priority(uint8_t base, unsigned lack);

/* The lack of a set: the worst of its vips, with what its groups are like. At most 250. */
unsigned together_lack(unsigned worst, bool is_down, bool is_broken);

/*
 * Is the follower to hand over? *ret_again_ns: when the question is to be asked again though
 * nothing moves, or VRRP_NEVER.
 */
bool together_yields(const struct vrrp_machine *leader, const struct vrrp_machine *follower,
                     uint64_t now_ns, uint64_t *ret_again_ns);

#endif
