/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CRASH_H
#define WORKER_CRASH_H

/*
 * Is it the job that fails, or the program whatever the job? One that cannot be executed, or that
 * ends badly at once, so many times in a row, would go through a whole queue in a minute and leave
 * it dead. So the worker waits then: each time twice as long, up to a longest, and for ever tries
 * again, with one job alone, until one program has done what it was for.
 *
 *              n_max bad ends in a row              the wait is over
 *     [WELL] ------------------------> [WAITING] ------------------> [TRYING: one job at a time]
 *        ^                                 ^                                  |      |
 *        |                                 '------ a bad end, wait doubled ---'      |
 *        '------------------------------------------------------- a good end --------'
 *
 * A machine without a clock: `now` comes in, and when to look again goes out.
 */

#include <stdbool.h>
#include <stdint.h>

enum crash_end {
    CRASH_GOOD,    /* it has done its work, or said in an agreed way that it cannot */
    CRASH_SLOW,    /* it failed, but had lived for a while: it says nothing either way */
    CRASH_QUICK,   /* it failed at once */
    CRASH_NOTHING, /* it could not be executed: one is enough */
};

struct crash_rule {
    uint32_t n_max;                /* bad ends in a row, 1.. */
    uint64_t first_ns, longest_ns; /* of the waits */
};

struct crash {
    uint32_t n_bad;    /* in a row */
    uint64_t wait_ns;  /* the last wait; 0: all is well */
    uint64_t until_ns; /* no program is started before */
};

/* Returns true where a wait has begun now: until crash->until_ns. */
bool crash_note(struct crash *crash, enum crash_end end, const struct crash_rule *rule,
                uint64_t now_ns);
/* How many programs may run, of `most`: 0 while it waits, 1 while it tries. */
uint32_t crash_allows(const struct crash *crash, uint32_t most, uint64_t now_ns);
static inline bool crash_is_well(const struct crash *crash)
{
    return crash->wait_ns == 0;
}

#endif
