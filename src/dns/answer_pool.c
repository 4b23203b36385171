/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drawing without replacement.
 */
#include "dns/answer_pool.h"
#include "base/hash.h"
#include <assert.h>

/* 0 .. bound-1 from the next number of a sequence; the bias of 2^-32 * bound is below notice. */
static uint32_t draw_below(uint64_t *state, uint32_t bound)
{
    *state = hash_mix(*state);
    return (uint32_t)(((*state >> 32) * bound) >> 32);
}

/* The i-th place is drawn among those from i on, by their weights. */
static uint16_t draw_weighted(const struct record_variant *variant, const uint16_t *order,
                              uint16_t i, uint32_t total, uint64_t *state)
{
    uint32_t at = draw_below(state, total);
    uint16_t k = i;
    while (k + 1 < variant->n && at >= variant->weights[order[k]])
        at -= variant->weights[order[k++]];
    return k;
}

static void swap(uint16_t *order, uint16_t i, uint16_t k)
{
    uint16_t moved = order[i];
    order[i] = order[k];
    order[k] = moved;
}

uint16_t answer_draw(const struct record_variant *variant, uint32_t random,
                     uint16_t ret_order[ANSWER_DRAW_MAX])
{
    uint64_t state = random;
    uint32_t total = 0;
    uint16_t n = variant->at_most < variant->n ? variant->at_most : variant->n;
    assert(variant->n <= ANSWER_DRAW_MAX);
    for (uint16_t i = 0; i < variant->n; i++) {
        ret_order[i] = i;
        total += variant->weights ? variant->weights[i] : 0;
    }
    if (n == variant->n && !variant->is_shuffled && !variant->weights)
        return n;
    for (uint16_t i = 0; i < n; i++) {
        uint16_t k = (uint16_t)(i + draw_below(&state, (uint32_t)(variant->n - i)));
        if (variant->weights && total) {
            k = draw_weighted(variant, ret_order, i, total, &state);
            total -= variant->weights[ret_order[k]];
        }
        swap(ret_order, i, k);
    }
    return n;
}
