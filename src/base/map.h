/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

/*
 * A hash table from byte strings to pointers, open addressing with linear probing, at most 3/4
 * full. Keys are borrowed: they must outlive the map (an arena, a literal). Values are not owned.
 * Iteration is in the order of insertion, so that output made from a map is stable.
 */

#include "base/hash.h"
#include "base/slice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry {
    struct slice key;
    uint64_t hash;
    void *value; /* NULL: removed */
};

struct map {
    struct map_entry *entries; /* in order of insertion, dense but for removed ones */
    uint32_t *places;          /* entry number + 1, 0 empty, UINT32_MAX removed */
    uint32_t n_entries, cap_entries, n_places;
    uint32_t n_live;
    struct hash_key key;
    bool is_nocase;
};

/* `seed` keys the hash; is_nocase folds ASCII letters in keys (host names). */
void map_init(struct map *map, uint64_t seed, bool is_nocase);
void map_deinit(struct map *map);
/* The value, or NULL. */
void *map_get(const struct map *map, struct slice key);
/* Inserts or replaces, the key too; value is not NULL. Returns the former value or NULL. */
void *map_put(struct map *map, struct slice key, void *value);
/* Returns the former value or NULL. */
void *map_remove(struct map *map, struct slice key);
/*
 * Walks in order of insertion: start with *cursor = 0; returns the next value and its key, NULL at
 * the end. The map must not change meanwhile.
 */
void *map_next(const struct map *map, uint32_t *cursor, struct slice *ret_key);

#endif
