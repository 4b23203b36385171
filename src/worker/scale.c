/* SPDX-License-Identifier: Apache-2.0 */

/*
 * When a worker does more jobs at a time, and when fewer.
 */

#include "worker/scale.h"

static uint32_t between(uint32_t value, const struct scale_rule *rule)
{
    value = value < rule->max ? value : rule->max;
    return value > rule->min ? value : rule->min;
}

static void begin_window(struct scale *scale, uint32_t n_busy, uint64_t now_ns)
{
    scale->most = n_busy;
    scale->since_ns = now_ns;
}

void scale_set(struct scale *scale, const struct scale_rule *rule, uint64_t now_ns)
{
    scale->level = between(scale->level, rule);
    begin_window(scale, scale->most_now, now_ns);
}

void scale_note(struct scale *scale, uint32_t n_busy)
{
    scale->most = n_busy > scale->most ? n_busy : scale->most;
    scale->most_now = n_busy > scale->most_now ? n_busy : scale->most_now;
}

static bool is_too_low(const struct scale *scale, const struct scale_rule *rule,
                       const struct scale_seen *seen)
{
    if (seen->n_ready == 0 || scale->most_now < scale->level)
        return false;
    return seen->n_ready > scale->level || seen->oldest_ms >= rule->age_ms;
}

bool scale_look(struct scale *scale, const struct scale_rule *rule, const struct scale_seen *seen,
                uint32_t n_busy, uint64_t now_ns)
{
    uint32_t former = scale->level;
    if (is_too_low(scale, rule, seen)) {
        scale->level = between(former + (former + 1) / 2, rule);
        begin_window(scale, n_busy, now_ns);
    } else if (now_ns - scale->since_ns >= rule->idle_ns) {
        scale->level = between(scale->most < former ? scale->most : former, rule);
        begin_window(scale, n_busy, now_ns);
    }
    scale->most_now = n_busy;
    return scale->level != former;
}
