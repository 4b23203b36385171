/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of counters' last values, keyed by "table object".
 */
#include "admin/rates.h"

#include "base/map.h"
#include "base/mem.h"
#include "core/board.h"
#include <stdbool.h>
#include <stdio.h>

enum { KEY_MAX = FACT_NAME_MAX + 40 };

struct rate {
    char key[KEY_MAX];
    uint64_t at_ns[RATES_SAMPLES];
    uint64_t count[RATES_SAMPLES];
    uint32_t n_samples; /* so far; sample i lies at i % RATES_SAMPLES */
    uint64_t round;     /* in which it was last seen */
};

struct rates {
    struct map map; /* of struct rate */
    uint64_t now_ns;
    uint64_t round;
    uint64_t seed;
};

struct rates *rates_create(uint64_t seed)
{
    struct rates *rates = MEM_NEW(struct rates);
    rates->seed = seed;
    map_init(&rates->map, seed, false);
    return rates;
}

void rates_destroy(struct rates **rates)
{
    if (!*rates)
        return;
    uint32_t cursor = 0;
    struct slice key;
    struct rate *rate;
    while ((rate = map_next(&(*rates)->map, &cursor, &key)))
        mem_free(rate);
    map_deinit(&(*rates)->map);
    mem_free(*rates);
    *rates = NULL;
}

static struct slice key_make(char key[KEY_MAX], const char *table, const char *object)
{
    int len = snprintf(key, KEY_MAX, "%s %s", table, object);
    return slice_make(key, (size_t)(len < KEY_MAX ? len : KEY_MAX - 1));
}

void rates_begin(struct rates *rates, uint64_t now_ns)
{
    rates->now_ns = now_ns;
    rates->round++;
}

void rates_add(struct rates *rates, const char *table, const char *object, uint64_t count)
{
    char key[KEY_MAX];
    struct slice name = key_make(key, table, object);
    struct rate *rate = map_get(&rates->map, name);
    if (!rate) {
        rate = MEM_NEW(struct rate);
        slice_copy(name, rate->key, sizeof(rate->key));
        map_put(&rates->map, slice_make(rate->key, name.len), rate);
    }
    if (rate->n_samples && rate->count[(rate->n_samples - 1) % RATES_SAMPLES] > count)
        rate->n_samples = 0;
    rate->at_ns[rate->n_samples % RATES_SAMPLES] = rates->now_ns;
    rate->count[rate->n_samples % RATES_SAMPLES] = count;
    rate->n_samples++;
    rate->round = rates->round;
}

void rates_end(struct rates *rates)
{
    uint32_t cursor = 0;
    struct slice key;
    struct rate *rate;
    bool is_stale = false;
    while ((rate = map_next(&rates->map, &cursor, &key)))
        is_stale |= rate->round != rates->round;
    if (!is_stale)
        return;
    struct map kept;
    map_init(&kept, rates->seed, false);
    cursor = 0;
    while ((rate = map_next(&rates->map, &cursor, &key))) {
        if (rate->round == rates->round)
            map_put(&kept, key, rate);
        else
            mem_free(rate);
    }
    map_deinit(&rates->map);
    rates->map = kept;
}

double rates_get(const struct rates *rates, const char *table, const char *object)
{
    char key[KEY_MAX];
    const struct rate *rate = map_get(&rates->map, key_make(key, table, object));
    if (!rate || rate->n_samples < 2)
        return 0;
    uint32_t n = rate->n_samples < RATES_SAMPLES ? rate->n_samples : RATES_SAMPLES;
    uint32_t last = (rate->n_samples - 1) % RATES_SAMPLES;
    uint32_t first = (rate->n_samples - n) % RATES_SAMPLES;
    uint64_t span_ns = rate->at_ns[last] - rate->at_ns[first];
    if (span_ns == 0)
        return 0;
    return (double)(rate->count[last] - rate->count[first]) * 1e9 / (double)span_ns;
}
