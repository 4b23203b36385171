/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How often a line is written: a rate, and how many it kept back.
 */

#include "limit/hush.h"

#include "limit/rate.h"

bool hush_may(struct hush *hush, const struct hush_rule *rule, uint64_t now_ns, uint64_t *ret_kept)
{
    struct limit_rate rate = {
        .interval_ns = rule->every_ns, .burst = rule->burst, .due_ns = hush->full_ns};
    if (limit_rate_next_ns(&rate, now_ns) > now_ns) {
        hush->n_kept++;
        return false;
    }
    limit_rate_note(&rate, now_ns);
    hush->full_ns = rate.due_ns;
    *ret_kept = hush->n_kept;
    hush->n_kept = 0;
    return true;
}
