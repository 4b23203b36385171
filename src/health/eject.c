/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The machine of a member's ejections.
 */

#include "health/eject.h"

#include <assert.h>
#include <string.h>

enum { WHOLE_PERCENT = 100 };

#define NS_PER_SECOND UINT64_C(1000000000)

void eject_init(struct eject *eject)
{
    memset(eject, 0, sizeof(*eject));
}

void eject_forget(struct eject *eject)
{
    eject_init(eject);
}

static void clear_counts(struct eject *eject)
{
    memset(eject->seconds, 0, sizeof(eject->seconds));
    eject->n_row = 0;
}

/* ---- the window ---- */

static void window_add(struct eject *eject, uint64_t n_good, uint64_t n_bad, uint64_t now_ns)
{
    uint64_t second = now_ns / NS_PER_SECOND;
    struct eject_second *slot = &eject->seconds[second % EJECT_WINDOW_S];
    if (slot->second != second)
        *slot = (struct eject_second){.second = second};
    slot->n_good += (uint32_t)n_good;
    slot->n_bad += (uint32_t)n_bad;
}

static struct eject_sums window_sums(const struct eject *eject, uint64_t now_ns)
{
    uint64_t second = now_ns / NS_PER_SECOND;
    struct eject_sums sums = {.n_bad = 0};
    for (int i = 0; i < EJECT_WINDOW_S; i++) {
        const struct eject_second *slot = &eject->seconds[i];
        if (slot->second + EJECT_WINDOW_S <= second)
            continue;
        sums.n_bad += slot->n_bad;
        sums.n_all += (uint64_t)slot->n_bad + slot->n_good;
    }
    return sums;
}

/* ---- good time ---- */

/* Each stretch as long as the last ejection takes one doubling back. */
static void shorten(struct eject *eject, uint64_t now_ns)
{
    while (eject->level > 0 && now_ns - eject->good_ns >= eject->last_ns) {
        eject->level--;
        eject->good_ns += eject->last_ns;
    }
}

/* ---- what comes in ---- */

enum eject_why eject_count(struct eject *eject, const struct eject_rules *rules, uint64_t n_good,
                           uint64_t n_bad, uint64_t now_ns, struct eject_sums *ret_sums)
{
    assert(!eject_is_out(eject));
    if (n_bad > n_good)
        eject->good_ns = now_ns;
    else if (n_good > 0)
        shorten(eject, now_ns);
    window_add(eject, n_good, n_bad, now_ns);
    eject->n_row = n_good > 0 ? 0 : eject->n_row + n_bad;
    if (n_bad == 0)
        return EJECT_NOT;
    if (rules->failures && eject->n_row >= rules->failures) {
        *ret_sums = (struct eject_sums){.n_bad = eject->n_row};
        return EJECT_ROW;
    }
    struct eject_sums sums = window_sums(eject, now_ns);
    if (!rules->rate_percent || sums.n_all < rules->rate_requests ||
        sums.n_bad * WHOLE_PERCENT < sums.n_all * rules->rate_percent)
        return EJECT_NOT;
    *ret_sums = sums;
    return EJECT_RATE;
}

bool eject_may(uint32_t n, uint32_t n_out, uint32_t at_most_percent)
{
    return n > 1 && ((uint64_t)n_out + 1) * WHOLE_PERCENT <= (uint64_t)n * at_most_percent;
}

/* ---- out and in ---- */

static uint64_t time_of(const struct eject_rules *rules, uint32_t level)
{
    uint64_t time_ns = rules->min_ns;
    for (uint32_t i = 0; i < level && time_ns < rules->max_ns; i++)
        time_ns *= 2;
    return time_ns < rules->max_ns ? time_ns : rules->max_ns;
}

uint64_t eject_begin(struct eject *eject, const struct eject_rules *rules, uint64_t now_ns)
{
    assert(!eject_is_out(eject) && rules->min_ns > 0 && rules->min_ns <= rules->max_ns);
    clear_counts(eject);
    eject->last_ns = time_of(rules, eject->level);
    eject->until_ns = now_ns + eject->last_ns;
    if (eject->last_ns < rules->max_ns && eject->level < EJECT_LEVEL_MAX)
        eject->level++;
    return eject->last_ns;
}

void eject_refuse(struct eject *eject)
{
    clear_counts(eject);
}

bool eject_end(struct eject *eject, uint64_t now_ns)
{
    if (!eject_is_out(eject) || now_ns < eject->until_ns)
        return false;
    eject->until_ns = 0;
    eject->good_ns = now_ns;
    return true;
}
