/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Decisions about the groups of a set.
 */

#include "vip/together.h"

#include "vip/need.h"
#include <assert.h>

uint8_t together_priority(uint8_t base, unsigned lack)
{
    assert(base > 0);
    if (base == VRRP_PRIORITY_OWNER)
        return TOGETHER_NOT_EARNED;
    return lack < base ? (uint8_t)(base - lack) : 1;
}

unsigned together_lack(unsigned worst, bool is_down, bool is_broken)
{
    unsigned lack = worst + (is_down ? (unsigned)TOGETHER_DOWN : 0) +
                    (is_broken ? (unsigned)TOGETHER_BROKEN : 0);
    return lack < LACK_MAX ? lack : LACK_MAX;
}

bool together_yields(const struct vrrp_machine *leader, const struct vrrp_machine *follower,
                     uint64_t now_ns, uint64_t *ret_again_ns)
{
    *ret_again_ns = VRRP_NEVER;
    if (leader->state == VRRP_ACTIVE || follower->state != VRRP_ACTIVE)
        return false;
    if (leader->since_ns >= follower->since_ns)
        return true; /* it was Active, or might have been, and is no longer */
    uint64_t until_ns =
        follower->since_ns + TOGETHER_PATIENCE_INTERVALS * follower->policy.interval_ns;
    if (now_ns >= until_ns)
        return true;
    *ret_again_ns = until_ns;
    return false;
}
