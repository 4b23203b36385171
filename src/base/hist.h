/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HIST_H
#define BASE_HIST_H

/*
 * The bucket arithmetic of a log-linear histogram: four buckets a power of two, so that a value is
 * known to 25 % and usually to 12 %. Values are unsigned, in the unit that the metric's name says
 * (microseconds for latencies). The counts live where the metric lives; nothing here has state.
 *
 *     0 1 2 3 | 4 5 6 7 | 8 10 12 14 | 16 20 24 28 | ...      lower bounds, up to 2^31 and above
 */

#include <stdint.h>

enum { HIST_BUCKETS = 124 };

/* The bucket that holds `value`; the last holds everything above. */
unsigned hist_bucket(uint64_t value);
/* The smallest value that bucket holds. bucket < HIST_BUCKETS. */
uint64_t hist_lower(unsigned bucket);
/* The value below which `share` (0..1) of the counts lie, interpolated; 0 where all are 0. */
double hist_quantile(const uint64_t counts[HIST_BUCKETS], double share);

#endif
