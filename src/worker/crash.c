/* SPDX-License-Identifier: Apache-2.0 */

/*
 * When programs that end at once are started again.
 */

#include "worker/crash.h"

bool crash_note(struct crash *crash, enum crash_end end, const struct crash_rule *rule,
                uint64_t now_ns)
{
    if (end == CRASH_GOOD) {
        *crash = (struct crash){.n_bad = 0};
        return false;
    }
    if (end == CRASH_SLOW) {
        crash->n_bad = crash_is_well(crash) ? 0 : crash->n_bad;
        return false;
    }
    if (now_ns < crash->until_ns)
        return false; /* of those that ran when the wait began */
    crash->n_bad += crash->n_bad < UINT32_MAX;
    if (end == CRASH_QUICK && crash->n_bad < rule->n_max && crash_is_well(crash))
        return false;
    uint64_t wait_ns = crash_is_well(crash) ? rule->first_ns : 2 * crash->wait_ns;
    crash->wait_ns = wait_ns < rule->longest_ns ? wait_ns : rule->longest_ns;
    crash->until_ns = now_ns + crash->wait_ns;
    return true;
}

uint32_t crash_allows(const struct crash *crash, uint32_t most, uint64_t now_ns)
{
    if (crash_is_well(crash) || most == 0)
        return most;
    return now_ns < crash->until_ns ? 0 : 1;
}
