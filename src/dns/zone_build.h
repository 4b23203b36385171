/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_ZONE_BUILD_H
#define DNS_ZONE_BUILD_H

/*
 * A zone while it is built; for zone_build.c (records come in), zone_file.c (from a file) and
 * zone_finish.c (checked and made compact) alone.
 *
 *     names: hash table -> struct build_node -> struct build_record -> ...  in the order of writing
 *
 * All of it lies in an arena that goes when the zone is finished or given up.
 */

#include "base/arena.h"
#include "base/slice.h"
#include "dns/zone.h"
#include "dns/zone_tree.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct build_record {
    struct build_record *next; /* of the node */
    struct zone_at at;
    uint32_t ttl_s; /* a pool's place: its record_index */
    uint16_t type;
    uint16_t len;
    bool is_pool;
    uint8_t data[];
};

struct build_node {
    struct build_record *first, **last;
    struct build_node *parent; /* this and the next by zone_finish.c; NULL: the apex */
    struct zone_node *made;
    uint64_t hash;
    uint8_t flags; /* enum zone_node_flag */
    uint8_t n_labels;
    uint8_t name_len;
    uint8_t name[];
};

struct zone_build {
    struct arena arena;
    zone_report_fn *report;
    void *report_ctx;
    size_t n_errors, n_warnings;
    bool has_dnssec; /* and that was told */

    struct build_node **table; /* open addressing; a power of two of places */
    size_t n_places;
    struct build_node **nodes; /* in the order of writing; [0] is the apex */
    size_t n_nodes, cap_nodes;
    struct build_node *last; /* that a record went to: the next often has the same name */
};

static inline struct slice build_node_name(const struct build_node *node)
{
    return slice_make((const char *)node->name, node->name_len);
}

static inline struct slice zone_build_origin(const struct zone_build *build)
{
    return build_node_name(build->nodes[0]);
}

/* NULL: no such name. `name` has letters made small. */
struct build_node *zone_build_find(const struct zone_build *build, struct slice name);

/* The node of a folded name within the zone, made where there is none; parents are not. */
struct build_node *zone_build_node(struct zone_build *build, struct slice name);

/* One sentence to the report. zone_error() is -1. */
#define zone_error(...) (zone_add_error(__VA_ARGS__), err_result())
void zone_add_error(struct zone_build *build, struct zone_at at, const char *hint,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));
void zone_warning(struct zone_build *build, struct zone_at at, const char *hint, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));

#endif
