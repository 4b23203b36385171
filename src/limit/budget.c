/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The budget's window: ten slots of a second, and what their sums allow.
 */

#include "limit/budget.h"

#include <assert.h>
#include <string.h>

enum { SLOTS = LIMIT_BUDGET_SECONDS };
#define NS_SECOND UINT64_C(1000000000)

void limit_budget_init(struct limit_budget *budget, uint32_t percent, uint32_t floor,
                       uint32_t n_loops)
{
    assert(percent <= 100 && n_loops > 0);
    memset(budget, 0, sizeof(*budget));
    budget->percent = percent;
    budget->floor_per_minute = (floor * 60 + n_loops - 1) / n_loops;
}

/* Empties the slots of the seconds that have passed since the last call. */
static void budget_turn(struct limit_budget *budget, uint64_t now_ns)
{
    uint64_t second = now_ns / NS_SECOND;
    if (second <= budget->second)
        return;
    uint64_t n_passed = second - budget->second;
    for (uint64_t i = 0; i < n_passed && i < SLOTS; i++) {
        uint64_t slot = (second - i) % SLOTS;
        budget->n_requests -= budget->slots[slot].n_requests;
        budget->n_retries -= budget->slots[slot].n_retries;
        budget->slots[slot].n_requests = 0;
        budget->slots[slot].n_retries = 0;
    }
    budget->second = second;
}

void limit_budget_note(struct limit_budget *budget, uint64_t now_ns)
{
    budget_turn(budget, now_ns);
    budget->slots[budget->second % SLOTS].n_requests++;
    budget->n_requests++;
}

static uint64_t budget_allowed(const struct limit_budget *budget)
{
    uint64_t by_share = (uint64_t)budget->n_requests * budget->percent / 100;
    uint64_t by_floor = ((uint64_t)budget->floor_per_minute * SLOTS + 59) / 60;
    return by_share > by_floor ? by_share : by_floor;
}

bool limit_budget_take(struct limit_budget *budget, uint64_t now_ns)
{
    budget_turn(budget, now_ns);
    if (budget->n_retries >= budget_allowed(budget))
        return false;
    budget->slots[budget->second % SLOTS].n_retries++;
    budget->n_retries++;
    return true;
}
