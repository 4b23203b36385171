/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How often a line is written.
 */

#include "peer/hush.h"

bool hush_may(struct hush *hush, const struct hush_rule *rule, uint64_t now_ns, uint64_t *ret_kept)
{
    uint64_t full_ns = hush->full_ns > now_ns ? hush->full_ns : now_ns;
    if (full_ns - now_ns + rule->every_ns > rule->burst * rule->every_ns) {
        hush->n_kept++;
        return false;
    }
    hush->full_ns = full_ns + rule->every_ns;
    *ret_kept = hush->n_kept;
    hush->n_kept = 0;
    return true;
}
