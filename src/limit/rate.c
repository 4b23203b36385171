/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One due time, moved on by an interval for each that comes.
 */

#include "limit/rate.h"

#include <assert.h>

void limit_rate_init(struct limit_rate *rate, uint64_t n, uint64_t per_ns, uint64_t burst)
{
    assert(burst > 0 && per_ns >= n);
    uint64_t interval_ns = n > 0 ? per_ns / n : 0;
    assert(interval_ns == 0 || burst < UINT64_MAX / 2 / interval_ns);
    *rate = (struct limit_rate){.interval_ns = interval_ns, .burst = burst};
}

uint64_t limit_rate_next_ns(const struct limit_rate *rate, uint64_t now_ns)
{
    uint64_t ahead_ns = (rate->burst - 1) * rate->interval_ns;
    if (rate->interval_ns == 0 || rate->due_ns <= now_ns + ahead_ns)
        return now_ns;
    return rate->due_ns - ahead_ns;
}

void limit_rate_note(struct limit_rate *rate, uint64_t now_ns)
{
    if (rate->interval_ns == 0)
        return;
    uint64_t from_ns = rate->due_ns > now_ns ? rate->due_ns : now_ns;
    rate->due_ns = from_ns + rate->interval_ns;
}
