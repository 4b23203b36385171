/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All zones of a snapshot behind one table of names.
 */
#include "base/ascii.h"
#include "base/hash.h"
#include "base/mem.h"
#include "dns/zone_body.h"
#include "dns/zone_tree.h"
#include "wire/dns_name.h"
#include <assert.h>
#include <string.h>

struct slot {
    uint64_t hash;
    struct zone_node *node; /* NULL: empty */
};

struct zone_set {
    struct zone **zones;
    size_t n_zones;
    struct slot *slots; /* a power of two, at most 3/4 full */
    size_t mask;
    uint64_t seed;
    unsigned max_labels;
};

/*
 * Queries look names up and put none in, and whoever writes a zone hurts himself alone, so this
 * need not withstand chosen names as hash_bytes() does; it is some times faster.
 */
static uint64_t hash_name(uint64_t seed, struct slice name)
{
    const char *at = name.ptr;
    size_t n = name.len;
    uint64_t hash = seed ^ n, tail;
    for (; n >= 8; at += 8, n -= 8) {
        hash = (hash ^ ascii_load8(at)) * 0x9e3779b97f4a7c15ull;
        hash ^= hash >> 32;
    }
    if (n >= 4)
        tail = ascii_load4(at) | (uint64_t)ascii_load4(at + n - 4) << 32;
    else
        tail = n ? (uint64_t)(unsigned char)at[0] | (uint64_t)(unsigned char)at[n / 2] << 8 |
                       (uint64_t)(unsigned char)at[n - 1] << 16
                 : 0;
    return hash_mix(hash ^ tail);
}

static bool is_name(const struct slot *slot, uint64_t hash, struct slice name)
{
    return slot->hash == hash && slot->node->name_len == name.len &&
           memcmp(slot->node->name, name.ptr, name.len) == 0;
}

/* `zone` NULL: the one that answers for the name. */
static const struct zone_node *find_name(const struct zone_set *set, const struct zone *zone,
                                         struct slice name)
{
    uint64_t hash = hash_name(set->seed, name);
    for (size_t i = hash & set->mask; set->slots[i].node; i = (i + 1) & set->mask) {
        const struct slot *slot = &set->slots[i];
        if (!is_name(slot, hash, name))
            continue;
        if (zone ? slot->node->zone == zone : !(slot->node->flags & ZONE_SHADOWED))
            return slot->node;
    }
    return NULL;
}

static struct zone_found find_closest(const struct zone_set *set, const struct zone *zone,
                                      struct slice name, unsigned n_labels)
{
    struct zone_found found = {.node = NULL, .is_exact = n_labels <= set->max_labels};
    for (; n_labels > set->max_labels; n_labels--)
        name = dns_name_parent(name);
    for (;;) {
        found.node = find_name(set, zone, name);
        if (found.node || name.len == 1)
            return found;
        found.is_exact = false;
        name = dns_name_parent(name);
    }
}

struct zone_found zone_set_find(const struct zone_set *set, struct slice name, unsigned n_labels)
{
    return find_closest(set, NULL, name, n_labels);
}

struct zone_found zone_set_find_in(const struct zone_set *set, const struct zone *zone,
                                   struct slice name, unsigned n_labels)
{
    return find_closest(set, zone, name, n_labels);
}

const struct zone *zone_set_match(const struct zone_set *set, struct slice name)
{
    const struct zone_node *node = zone_set_find(set, name, dns_name_labels(name)).node;
    return node ? node->zone : NULL;
}

const struct zone *zone_set_outer(const struct zone_set *set, const struct zone *zone)
{
    struct slice origin = zone_origin(zone);
    return origin.len > 1 ? zone_set_match(set, dns_name_parent(origin)) : NULL;
}

/* ---- how it is made ---- */

static void insert(struct zone_set *set, struct zone_node *node)
{
    uint64_t hash = hash_name(set->seed, zone_node_name(node));
    size_t i = hash & set->mask;
    while (set->slots[i].node)
        i = (i + 1) & set->mask;
    set->slots[i] = (struct slot){hash, node};
}

/* The apex of a zone within `zone` that has this name, or one above it, in it; or NULL. */
static const struct zone_node *find_inner(const struct zone_set *set, const struct zone *zone,
                                          struct slice name, unsigned n_labels)
{
    for (; n_labels > zone->nodes[0]->n_labels; n_labels--, name = dns_name_parent(name)) {
        uint64_t hash = hash_name(set->seed, name);
        for (size_t i = hash & set->mask; set->slots[i].node; i = (i + 1) & set->mask) {
            const struct zone_node *node = set->slots[i].node;
            if (is_name(&set->slots[i], hash, name) && (node->flags & ZONE_APEX))
                return node;
        }
    }
    return NULL;
}

/* Zones that others lie within. */
static void mark_outer(const struct zone_set *set, const struct zone *inner)
{
    struct slice name = zone_origin(inner);
    while (name.len > 1) {
        name = dns_name_parent(name);
        uint64_t hash = hash_name(set->seed, name);
        for (size_t i = hash & set->mask; set->slots[i].node; i = (i + 1) & set->mask) {
            if (is_name(&set->slots[i], hash, name))
                set->slots[i].node->zone->has_inner = true;
        }
    }
}

static void shadow(struct zone_set *set, struct zone *zone)
{
    for (size_t i = 1; i < zone->n_nodes; i++) {
        struct zone_node *node = zone->nodes[i];
        if (find_inner(set, zone, zone_node_name(node), node->n_labels))
            node->flags |= ZONE_SHADOWED;
    }
}

static void make_table(struct zone_set *set)
{
    size_t n_nodes = 0, n_slots = 64;
    for (size_t i = 0; i < set->n_zones; i++) {
        n_nodes += set->zones[i]->n_nodes;
        if (set->zones[i]->max_labels > set->max_labels)
            set->max_labels = set->zones[i]->max_labels;
    }
    while (n_slots * 3 < n_nodes * 4)
        n_slots *= 2;
    set->slots = MEM_NEW_ARRAY(struct slot, n_slots);
    set->mask = n_slots - 1;
    for (size_t i = 0; i < set->n_zones; i++) {
        for (size_t n = 0; n < set->zones[i]->n_nodes; n++)
            insert(set, set->zones[i]->nodes[n]);
    }
}

struct zone_set *zone_set_create(struct zone *const *take_zones, size_t n_zones, uint64_t seed)
{
    struct zone_set *set = MEM_NEW(struct zone_set);
    set->seed = seed;
    set->n_zones = n_zones;
    set->zones = MEM_NEW_ARRAY(struct zone *, n_zones);
    if (n_zones)
        memcpy(set->zones, take_zones, n_zones * sizeof(struct zone *));
    make_table(set);
    for (size_t i = 0; i < n_zones; i++)
        mark_outer(set, set->zones[i]);
    for (size_t i = 0; i < n_zones; i++) {
        if (set->zones[i]->has_inner)
            shadow(set, set->zones[i]);
    }
    for (size_t i = 0; i < n_zones; i++)
        zone_bodies_make(set, set->zones[i]);
    return set;
}

void zone_set_destroy(struct zone_set **set)
{
    if (!*set)
        return;
    for (size_t i = 0; i < (*set)->n_zones; i++)
        zone_destroy(&(*set)->zones[i]);
    mem_free((*set)->zones);
    mem_free((*set)->slots);
    mem_free(*set);
    *set = NULL;
}

size_t zone_set_n_zones(const struct zone_set *set)
{
    return set->n_zones;
}

const struct zone *zone_set_zone(const struct zone_set *set, size_t i)
{
    assert(i < set->n_zones);
    return set->zones[i];
}

size_t zone_set_size_bytes(const struct zone_set *set)
{
    size_t bytes = sizeof(*set) + (set->mask + 1) * sizeof(struct slot);
    for (size_t i = 0; i < set->n_zones; i++)
        bytes += zone_size_bytes(set->zones[i]);
    return bytes;
}
