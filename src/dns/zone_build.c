/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records come in: each is checked on its own and hung to its name. What needs the whole zone is
 * looked at in zone_finish.c.
 */
#include "dns/zone_build.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "wire/dns_name.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PLACES_MIN = 64 };

/* ---- what is told ---- */

__attribute__((format(printf, 5, 0))) static void tell(struct zone_build *build,
                                                       enum zone_severity severity,
                                                       struct zone_at at, const char *hint,
                                                       const char *format, va_list args)
{
    size_t *n = severity == ZONE_ERROR ? &build->n_errors : &build->n_warnings;
    if ((*n)++ >= ZONE_REPORT_MAX || !build->report)
        return;
    char text[2 * DNS_NAME_TEXT_MAX + 256];
    vsnprintf(text, sizeof(text), format, args);
    build->report(build->report_ctx, severity, at, text, hint);
}

void zone_add_error(struct zone_build *build, struct zone_at at, const char *hint,
                    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tell(build, ZONE_ERROR, at, hint, format, args);
    va_end(args);
}

void zone_warning(struct zone_build *build, struct zone_at at, const char *hint, const char *format,
                  ...)
{
    va_list args;
    va_start(args, format);
    tell(build, ZONE_WARNING, at, hint, format, args);
    va_end(args);
}

/* ---- names ---- */

/* Nobody from outside chooses the names of a zone, so the hash of the build needs no secret. */
static uint64_t hash_name(struct slice name)
{
    static const struct hash_key key = {.k0 = 0, .k1 = 0};
    return hash_bytes(&key, name);
}

static size_t place_of(const struct zone_build *build, struct slice name, uint64_t hash)
{
    size_t mask = build->n_places - 1, i = hash & mask;
    for (; build->table[i]; i = (i + 1) & mask) {
        const struct build_node *node = build->table[i];
        if (node->hash == hash && slice_equal(build_node_name(node), name))
            break;
    }
    return i;
}

struct build_node *zone_build_find(const struct zone_build *build, struct slice name)
{
    return build->table[place_of(build, name, hash_name(name))];
}

static void grow(struct zone_build *build)
{
    mem_free(build->table);
    build->n_places *= 2;
    build->table = MEM_NEW_ARRAY(struct build_node *, build->n_places);
    size_t mask = build->n_places - 1;
    for (size_t n = 0; n < build->n_nodes; n++) {
        size_t i = build->nodes[n]->hash & mask;
        while (build->table[i])
            i = (i + 1) & mask;
        build->table[i] = build->nodes[n];
    }
}

static bool is_wildcard(struct slice name)
{
    return name.len > 2 && name.ptr[0] == 1 && name.ptr[1] == '*';
}

struct build_node *zone_build_node(struct zone_build *build, struct slice name)
{
    uint64_t hash = hash_name(name);
    size_t place = place_of(build, name, hash);
    if (build->table[place])
        return build->table[place];
    struct build_node *node = arena_alloc(&build->arena, sizeof(*node) + name.len);
    node->last = &node->first;
    node->hash = hash;
    node->n_labels = (uint8_t)dns_name_labels(name);
    node->flags = is_wildcard(name) ? ZONE_WILDCARD : 0;
    node->name_len = (uint8_t)name.len;
    memcpy(node->name, name.ptr, name.len);
    if (build->n_nodes == build->cap_nodes) {
        build->cap_nodes = build->cap_nodes ? 2 * build->cap_nodes : PLACES_MIN;
        build->nodes = mem_realloc(build->nodes, build->cap_nodes * sizeof(struct build_node *));
    }
    build->nodes[build->n_nodes++] = node;
    build->table[place] = node;
    if (build->n_nodes > build->n_places / 2)
        grow(build);
    return node;
}

struct zone_build *zone_build_create(struct slice origin, zone_report_fn *report, void *ctx)
{
    struct zone_build *build = MEM_NEW(struct zone_build);
    arena_init(&build->arena);
    build->report = report;
    build->report_ctx = ctx;
    build->n_places = PLACES_MIN;
    build->table = MEM_NEW_ARRAY(struct build_node *, build->n_places);
    uint8_t folded[DNS_NAME_MAX];
    dns_name_fold(origin, folded);
    build->last = zone_build_node(build, slice_make((const char *)folded, origin.len));
    build->last->flags = ZONE_APEX;
    return build;
}

void zone_build_destroy(struct zone_build **build)
{
    if (!*build)
        return;
    mem_free((*build)->table);
    mem_free((*build)->nodes);
    arena_deinit(&(*build)->arena);
    mem_free(*build);
    *build = NULL;
}

/* ---- records ---- */

static int check_type(struct zone_build *build, uint16_t type, struct zone_at at)
{
    char text[DNS_TYPE_TEXT_MAX];
    if (!dns_type_is_meta(type))
        return 0;
    return zone_error(build, at, "types of queries and of transfers are no data",
                      "%s is not a type of a zone's record", dns_type_show(type, text));
}

/* The owner's node; NULL where it lies outside the zone, which was told. */
static struct build_node *find_owner(struct zone_build *build, struct slice owner,
                                     struct zone_at at)
{
    uint8_t folded[DNS_NAME_MAX];
    dns_name_fold(owner, folded);
    struct slice name = slice_make((const char *)folded, owner.len);
    if (slice_equal(build_node_name(build->last), name))
        return build->last;
    if (!dns_name_ends(name, zone_build_origin(build))) {
        char text[DNS_NAME_TEXT_MAX], origin[DNS_NAME_TEXT_MAX];
        dns_name_show(owner, text);
        dns_name_show(zone_build_origin(build), origin);
        zone_add_error(build, at, "a name without a dot at its end is relative to $ORIGIN",
                       "%s is not within the zone %s", text, origin);
        return NULL;
    }
    return build->last = zone_build_node(build, name);
}

static struct build_record *hang(struct zone_build *build, struct build_node *node, uint16_t type,
                                 struct slice rdata, struct zone_at at)
{
    struct build_record *record = arena_alloc(&build->arena, sizeof(*record) + rdata.len);
    record->type = type;
    record->at = at;
    record->len = (uint16_t)rdata.len;
    if (rdata.len)
        memcpy(record->data, rdata.ptr, rdata.len);
    *node->last = record;
    node->last = &record->next;
    return record;
}

int zone_build_add(struct zone_build *build, struct slice owner, uint16_t type, uint32_t ttl_s,
                   struct slice rdata, struct zone_at at)
{
    assert(rdata.len <= UINT16_MAX);
    if (check_type(build, type, at) < 0)
        return -1;
    if (ttl_s > ZONE_TTL_MAX)
        return zone_error(build, at, "at most 2147483647 seconds", "the TTL is too long");
    struct build_node *node = find_owner(build, owner, at);
    if (!node)
        return -1;
    hang(build, node, type, rdata, at)->ttl_s = ttl_s;
    return 0;
}

int zone_build_pool(struct zone_build *build, struct slice owner, uint16_t type,
                    uint32_t record_index, struct zone_at at)
{
    assert(type != DNS_SOA && type != DNS_NS && type != DNS_CNAME && type != DNS_DNAME);
    if (check_type(build, type, at) < 0)
        return -1;
    struct build_node *node = find_owner(build, owner, at);
    if (!node)
        return -1;
    struct build_record *record = hang(build, node, type, slice_make(NULL, 0), at);
    record->ttl_s = record_index;
    record->is_pool = true;
    return 0;
}
