/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whether a request is sent once more, and after which pause.
 */

#include "http/retry.h"

#include <assert.h>

static struct retry_step refuse(enum retry_refusal refusal)
{
    return (struct retry_step){.verb = RETRY_FAIL, .refusal = refusal};
}

struct retry_step retry_decide(const struct retry_case *what)
{
    bool was_reached = what->event != RETRY_NOT_REACHED;
    assert(what->n_tries > 0 && what->max_tries > 0);
    if (what->is_answered || what->event == RETRY_NONSENSE)
        return refuse(RETRY_ANSWERED);
    if (was_reached && !what->is_repeatable)
        return refuse(RETRY_UNSAFE);
    if (!what->is_kept || (was_reached && !what->is_whole))
        return refuse(RETRY_UNBUFFERED);
    if (what->n_tries >= what->max_tries && what->event != RETRY_DOWN)
        return refuse(RETRY_TRIES);
    if (!what->has_client)
        return refuse(RETRY_NO_CLIENT);
    bool is_failure = what->event == RETRY_BROKEN || what->event == RETRY_LATE;
    return (struct retry_step){
        .verb = what->event == RETRY_IDLE_DIED ? RETRY_FRESH : RETRY_ELSEWHERE,
        .is_charged = was_reached,
        .n_pauses = is_failure && what->n_reached > 1 ? what->n_reached - 1 : 0,
    };
}

uint32_t retry_pause_ms(uint32_t n_pauses, uint32_t base_ms, uint32_t draw)
{
    if (n_pauses == 0 || base_ms == 0)
        return 0;
    uint32_t n_doublings = n_pauses - 1 < 16 ? n_pauses - 1 : 16;
    uint64_t most = (uint64_t)base_ms << n_doublings;
    if (most > RETRY_PAUSE_MAX_MS)
        most = RETRY_PAUSE_MAX_MS;
    uint64_t half = most - most / 2;
    return (uint32_t)(half + draw % (most / 2 + 1));
}
