/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIMIT_HUSH_H
#define LIMIT_HUSH_H

/*
 * Keeps a log line that anybody can provoke from filling the log: a few at once, then one now and
 * then, which says how many were left out. Pure: time comes as an argument; zeroed is new.
 */

#include <stdbool.h>
#include <stdint.h>

struct hush_rule {
    uint32_t burst;
    uint64_t every_ns; /* one more each */
};

struct hush {
    uint64_t full_ns; /* when all of the burst may be used again */
    uint64_t n_kept;  /* since the last line */
};

/* May a line be written now? Then *ret_kept is how many were not, since the last one. */
bool hush_may(struct hush *hush, const struct hush_rule *rule, uint64_t now_ns, uint64_t *ret_kept);

#endif
