/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map: an array of entries in order of insertion, and a table of places that finds them.
 *
 *     places   | 0 | 2 | 0 | x | 1 | 3 | 0 | 0 |      0: empty, x: removed, n: entry n - 1
 *     entries  | "a" | "b" | "c" |
 *
 * A removed entry keeps its slot in both arrays until the entries are full; then the live ones
 * move together, and the places are made anew, twice as many where more than half of the entries
 * live. So there are never more places in use than entries, and always an empty one to end a walk.
 */
#include "base/map.h"
#include "base/mem.h"
#include <assert.h>

enum { MAP_PLACES_MIN = 8 };

static const uint32_t place_empty = 0;
static const uint32_t place_removed = UINT32_MAX;

void map_init(struct map *map, uint64_t seed, bool is_nocase)
{
    *map = (struct map){
        .entries = NULL,
        .places = NULL,
        .key = {.k0 = seed, .k1 = hash_mix(seed)},
        .is_nocase = is_nocase,
    };
}

void map_deinit(struct map *map)
{
    mem_free(map->entries);
    mem_free(map->places);
    map->entries = NULL;
    map->places = NULL;
    map->n_entries = map->cap_entries = map->n_places = map->n_live = 0;
}

static uint64_t hash_of(const struct map *map, struct slice key)
{
    return map->is_nocase ? hash_bytes_nocase(&map->key, key) : hash_bytes(&map->key, key);
}

static bool is_key(const struct map *map, const struct map_entry *entry, uint64_t hash,
                   struct slice key)
{
    if (entry->hash != hash)
        return false;
    return map->is_nocase ? slice_equal_nocase(entry->key, key) : slice_equal(entry->key, key);
}

/* The place that refers to the key's entry, or NULL. */
static uint32_t *find(const struct map *map, uint64_t hash, struct slice key)
{
    if (map->n_places == 0)
        return NULL;
    uint32_t mask = map->n_places - 1;
    for (uint32_t i = (uint32_t)hash & mask; map->places[i] != place_empty; i = (i + 1) & mask) {
        uint32_t place = map->places[i];
        if (place != place_removed && is_key(map, &map->entries[place - 1], hash, key))
            return &map->places[i];
    }
    return NULL;
}

/* Refers to entry `number` from the first place that is free for its hash. */
static void link_entry(struct map *map, uint32_t number)
{
    uint32_t mask = map->n_places - 1;
    uint32_t i = (uint32_t)map->entries[number].hash & mask;
    while (map->places[i] != place_empty && map->places[i] != place_removed)
        i = (i + 1) & mask;
    map->places[i] = number + 1;
}

static void move_together(struct map *map)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < map->n_entries; i++)
        if (map->entries[i].value)
            map->entries[n++] = map->entries[i];
    assert(n == map->n_live);
    map->n_entries = n;
}

static void make_room(struct map *map)
{
    uint32_t n_places = map->n_places ? map->n_places : MAP_PLACES_MIN;
    if (map->n_live > map->cap_entries / 2)
        n_places *= 2;
    assert(n_places <= UINT32_MAX / 2);
    move_together(map);
    map->cap_entries = n_places / 4 * 3;
    map->entries = mem_realloc(map->entries, map->cap_entries * sizeof(*map->entries));
    mem_free(map->places);
    map->places = mem_alloc_zero(n_places, sizeof(*map->places));
    map->n_places = n_places;
    for (uint32_t i = 0; i < map->n_entries; i++)
        link_entry(map, i);
}

void *map_get(const struct map *map, struct slice key)
{
    if (map->n_live == 0)
        return NULL;
    const uint32_t *place = find(map, hash_of(map, key), key);
    return place ? map->entries[*place - 1].value : NULL;
}

void *map_put(struct map *map, struct slice key, void *value)
{
    assert(value);
    uint64_t hash = hash_of(map, key);
    const uint32_t *place = find(map, hash, key);
    if (place) {
        struct map_entry *entry = &map->entries[*place - 1];
        void *former = entry->value;
        entry->key = key;
        entry->value = value;
        return former;
    }
    if (map->n_entries == map->cap_entries)
        make_room(map);
    map->entries[map->n_entries] = (struct map_entry){key, hash, value};
    link_entry(map, map->n_entries);
    map->n_entries++;
    map->n_live++;
    return NULL;
}

void *map_remove(struct map *map, struct slice key)
{
    uint32_t *place = find(map, hash_of(map, key), key);
    if (!place)
        return NULL;
    struct map_entry *entry = &map->entries[*place - 1];
    void *former = entry->value;
    entry->key = (struct slice){NULL, 0};
    entry->value = NULL;
    /* Nobody walks on to an empty place, so that the walk may end here already. */
    uint32_t next = ((uint32_t)(place - map->places) + 1) & (map->n_places - 1);
    *place = map->places[next] == place_empty ? place_empty : place_removed;
    map->n_live--;
    return former;
}

void *map_next(const struct map *map, uint32_t *cursor, struct slice *ret_key)
{
    while (*cursor < map->n_entries) {
        const struct map_entry *entry = &map->entries[(*cursor)++];
        if (!entry->value)
            continue;
        *ret_key = entry->key;
        return entry->value;
    }
    return NULL;
}
