/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_RATES_H
#define ADMIN_RATES_H

/*
 * Requests a second, which no process counts: admin looks at the counters once a second and
 * remembers the last RATES_SAMPLES looks.
 *
 *     object "member" "web/app1":   | t0 n0 | t1 n1 | t2 n2 | ...     rate = (n2 - n0) / (t2 - t0)
 *
 * An object that is not seen in a round is forgotten. Time comes in as an argument.
 */

#include <stdint.h>

enum { RATES_SAMPLES = 6, RATES_PERIOD_MS = 1000 };

struct rates;

struct rates *rates_create(uint64_t seed);
void rates_destroy(struct rates **rates);

/* A look at everything begins; ends with rates_end(). */
void rates_begin(struct rates *rates, uint64_t now_ns);
/* What a counter says now. A counter that went back (its slab was given away) starts anew. */
void rates_add(struct rates *rates, const char *table, const char *object, uint64_t count);
void rates_end(struct rates *rates);

/* A second; 0 where there are no two looks yet. */
double rates_get(const struct rates *rates, const char *table, const char *object);

#endif
