/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIMIT_RATE_H
#define LIMIT_RATE_H

/*
 * So many a time, with a burst: the generic cell rate algorithm (ITU-T I.371), which is one number.
 *
 *     due_ns    when the next would come, if all came evenly; in the past: a burst is saved up
 *
 *        now                          due              one is allowed while due is at most
 *     ----|----------------------------|---->  time      burst - 1 intervals ahead of now
 *         '---- at most burst - 1 -----'
 *               intervals
 */

#include <stdbool.h>
#include <stdint.h>

struct limit_rate {
    uint64_t interval_ns; /* between two, 0: no limit */
    uint64_t burst;       /* 1..: how many may come at once */
    uint64_t due_ns;
};

/* n in per_ns, burst of them at once; n 0: no limit. burst 1.., per_ns at least n. */
void limit_rate_init(struct limit_rate *rate, uint64_t n, uint64_t per_ns, uint64_t burst);

/* When the next may come: now_ns or later. now_ns is monotonic. */
uint64_t limit_rate_next_ns(const struct limit_rate *rate, uint64_t now_ns);

/* One comes, though perhaps it may not: whoever asked limit_rate_next_ns() knows. */
void limit_rate_note(struct limit_rate *rate, uint64_t now_ns);

#endif
