/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The first that may be taken, in the order of the file.
 */

#include "balance/internal.h"

static int first_pick(struct balancer *balancer, const struct balance_ask *ask)
{
    for (uint32_t i = 0; i < balancer->n_members; i++)
        if (balancer->weights[i] > 0 && ask->is_candidate(ask->ctx, i))
            return (int)i;
    return BALANCE_NOBODY;
}

const struct balance_method balance_first = {.pick = first_pick};
