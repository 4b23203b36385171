/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whose word counts.
 */

#include "health/verdict.h"

#include <stdbool.h>
#include <stdio.h>

/* The sentence, and behind it what is covered by it. */
static void say(struct verdict *verdict, enum fact_state state, const char *sentence,
                const char *covered)
{
    verdict->state = state;
    if (covered && covered[0])
        snprintf(verdict->reason, sizeof(verdict->reason), "%s (%.50s)", sentence, covered);
    else
        snprintf(verdict->reason, sizeof(verdict->reason), "%s", sentence);
}

static void judge(const struct verdict_words *words, struct verdict *verdict)
{
    bool is_down = words->checked == FACT_DOWN;
    bool is_drained = words->forced == FACT_DRAINING;
    const char *check = words->checked == FACT_UP ? NULL : words->checked_reason;
    if (words->forced == FACT_DOWN)
        say(verdict, FACT_DOWN, "forced down by the operator", NULL);
    else if (words->forced == FACT_UP)
        say(verdict, FACT_UP, "forced up by the operator", check);
    else if (is_down)
        say(verdict, FACT_DOWN, words->checked_reason,
            is_drained ? "drained by the operator" : NULL);
    else if (words->ejected)
        say(verdict, FACT_DOWN, words->ejected, is_drained ? "drained by the operator" : NULL);
    else if (is_drained)
        say(verdict, FACT_DRAINING, "drained by the operator", check);
    else if (words->drained)
        say(verdict, FACT_DRAINING, words->drained, NULL);
    else
        say(verdict, words->checked, words->checked_reason, NULL);
}

static uint32_t weight_of(const struct verdict_words *words)
{
    if (words->forced == FACT_DOWN)
        return 0;
    if (words->forced_weight != VERDICT_NO_WEIGHT)
        return (uint32_t)words->forced_weight;
    uint32_t weight = words->weight * words->share / VERDICT_WHOLE_SHARE;
    return weight == 0 && words->share > 0 && words->weight > 0 ? 1 : weight;
}

struct verdict verdict_of(const struct verdict_words *words)
{
    struct verdict verdict = {.weight = weight_of(words)};
    judge(words, &verdict);
    return verdict;
}
