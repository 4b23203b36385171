/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A build becomes a zone: what needs all records at once is checked, then each name with what it
 * holds is copied into a block of its own.
 */
#include "base/err.h"
#include "base/mem.h"
#include "dns/zone_build.h"
#include "wire/dns_name.h"
#include "wire/dns_rdata.h"
#include <assert.h>
#include <string.h>

static const char *show(const struct build_node *node, char text[DNS_NAME_TEXT_MAX])
{
    dns_name_show(build_node_name(node), text);
    return text;
}

static const struct build_record *find(const struct build_node *node, uint16_t type)
{
    for (const struct build_record *record = node->first; record; record = record->next) {
        if (record->type == type)
            return record;
    }
    return NULL;
}

/* ---- names ---- */

/* The names between each name and the apex exist too (RFC 4592 section 2.2.2). */
static void add_parents(struct zone_build *build)
{
    for (size_t i = 1; i < build->n_nodes; i++) {
        struct build_node *node = build->nodes[i];
        node->parent = zone_build_node(build, dns_name_parent(build_node_name(node)));
    }
}

static void flag_node(struct build_node *node)
{
    bool is_apex = node->flags & ZONE_APEX;
    if (find(node, DNS_NS) && !is_apex)
        node->flags |= ZONE_CUT;
    if (find(node, DNS_DNAME))
        node->flags |= ZONE_HAS_DNAME;
    if (find(node, DNS_CNAME))
        node->flags |= ZONE_HAS_CNAME;
}

/* The highest cut above a node, or NULL; where a DNAME stands above, *ret_dname is its node. */
static const struct build_node *find_cut(const struct build_node *node,
                                         const struct build_node **ret_dname)
{
    const struct build_node *cut = NULL;
    *ret_dname = NULL;
    for (const struct build_node *up = node->parent; up; up = up->parent) {
        if (up->flags & ZONE_CUT)
            cut = up;
        if (up->flags & ZONE_HAS_DNAME)
            *ret_dname = up;
    }
    return cut;
}

/* ---- one name's records ---- */

enum { RECORD_HEAD_BYTES = 12 }; /* of a record in an answer: owner, type, class, TTL, length */

static bool is_single(uint16_t type)
{
    return type == DNS_CNAME || type == DNS_DNAME || type == DNS_SOA;
}

struct sameness {
    const struct build_record *first; /* of the type, before the record; NULL: none */
    size_t bytes;                     /* in an answer, the record among them */
    bool has_twin;
};

static struct sameness compare_with_former(const struct build_node *node,
                                           const struct build_record *record)
{
    struct sameness is = {.bytes = (size_t)record->len + RECORD_HEAD_BYTES};
    for (const struct build_record *it = node->first; it != record; it = it->next) {
        if (it->type != record->type)
            continue;
        if (!is.first)
            is.first = it;
        is.bytes += (size_t)it->len + RECORD_HEAD_BYTES;
        is.has_twin |= it->len == record->len && memcmp(it->data, record->data, it->len) == 0;
    }
    return is;
}

/* One record against those of its type that were written before it: false, it is dropped. */
static bool check_record(struct zone_build *build, const struct build_node *node,
                         struct build_record *record)
{
    char type[DNS_TYPE_TEXT_MAX], name[DNS_NAME_TEXT_MAX];
    struct sameness is = compare_with_former(node, record);
    if (!is.first)
        return true;
    dns_type_show(record->type, type);
    if (is.first->is_pool || record->is_pool) {
        zone_add_error(build, record->at, "one record from pools, or data written out, not both",
                       "%s has a second %s, beside one from pools", show(node, name), type);
    } else if (is.has_twin) {
        zone_warning(build, record->at, NULL, "%s has this %s twice", show(node, name), type);
        return false;
    } else if (is_single(record->type)) {
        zone_add_error(build, record->at, "leave one", "%s has a second %s", show(node, name),
                       type);
        return false;
    } else if (is.bytes > ZONE_RRSET_BYTES_MAX) {
        zone_add_error(build, record->at, "all of one type at one name must fit a message",
                       "the %s records of %s take more than %d bytes", type, show(node, name),
                       ZONE_RRSET_BYTES_MAX);
        return false;
    } else if (is.first->ttl_s != record->ttl_s) {
        zone_warning(build, record->at, "give all of them the same, RFC 2181 section 5.2",
                     "the TTL differs from that of the first %s of %s, which is taken", type,
                     show(node, name));
        record->ttl_s = is.first->ttl_s;
    }
    return true;
}

/* What may stand beside a CNAME: the records that DNSSEC puts there (RFC 4034). */
static bool is_beside_cname(uint16_t type)
{
    return type == DNS_CNAME || type == DNS_RRSIG || type == DNS_NSEC;
}

static void check_cname(struct zone_build *build, const struct build_node *node)
{
    char type[DNS_TYPE_TEXT_MAX], name[DNS_NAME_TEXT_MAX];
    for (const struct build_record *record = node->first; record; record = record->next) {
        if (is_beside_cname(record->type))
            continue;
        zone_add_error(build, record->at, "a CNAME stands alone, RFC 1034 section 3.6.2",
                       "%s has a CNAME, and %s beside it", show(node, name),
                       dns_type_show(record->type, type));
        return;
    }
}

static void check_place(struct zone_build *build, const struct build_node *node,
                        const struct build_record *record)
{
    char name[DNS_NAME_TEXT_MAX];
    bool is_apex = node->flags & ZONE_APEX;
    if (record->type == DNS_SOA && !is_apex)
        zone_add_error(build, record->at, "the SOA stands at the zone's own name",
                       "%s is not the zone's apex", show(node, name));
    if ((node->flags & ZONE_WILDCARD) && record->type == DNS_NS)
        zone_add_error(build, record->at, "delegate each name, RFC 4592 section 4.2",
                       "a wildcard cannot be delegated");
    if ((node->flags & ZONE_WILDCARD) && record->type == DNS_DNAME)
        zone_add_error(build, record->at, "RFC 4592 section 4.4", "a wildcard cannot be a DNAME");
    if (record->type == DNS_DNAME && (node->flags & ZONE_CUT))
        zone_add_error(build, record->at, "RFC 6672 section 2.3",
                       "%s has NS, and DNAME beside them", show(node, name));
}

/* Once a zone: who validates would wait for signatures that no answer has. */
static void check_dnssec(struct zone_build *build, const struct build_record *record)
{
    static const uint16_t types[] = {DNS_RRSIG, DNS_NSEC, DNS_NSEC3, DNS_DNSKEY};
    char type[DNS_TYPE_TEXT_MAX];
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (record->type != types[i] || build->has_dnssec)
            continue;
        build->has_dnssec = true;
        zone_warning(build, record->at,
                     "leave them out, and have no DS in the zone above until answers are signed",
                     "%s is served as plain data: zones are not signed, nor answers proven, yet",
                     dns_type_show(record->type, type));
    }
}

/* Is it answered at all? */
static void check_occluded(struct zone_build *build, const struct build_node *node)
{
    char name[DNS_NAME_TEXT_MAX], above[DNS_NAME_TEXT_MAX];
    const struct build_node *dname, *cut = find_cut(node, &dname);
    if (dname && node->first) {
        zone_add_error(build, node->first->at, "RFC 6672 section 2.4",
                       "%s lies below the DNAME of %s", show(node, name), show(dname, above));
        return;
    }
    for (const struct build_record *record = node->first; record && cut; record = record->next) {
        if (record->type == DNS_A || record->type == DNS_AAAA)
            continue;
        zone_warning(build, record->at, "only addresses of name servers belong there",
                     "%s lies below the delegation of %s and is never answered", show(node, name),
                     show(cut, above));
        break;
    }
}

/* Name servers below the cut are only found by glue. */
static void check_glue(struct zone_build *build, const struct build_node *node)
{
    char name[DNS_NAME_TEXT_MAX];
    uint8_t folded[DNS_NAME_MAX];
    for (const struct build_record *record = node->first; record; record = record->next) {
        if (record->type != DNS_NS)
            continue;
        struct slice target = slice_make((const char *)record->data, record->len);
        dns_name_fold(target, folded);
        target.ptr = (const char *)folded;
        if (!dns_name_ends(target, build_node_name(node)))
            continue;
        const struct build_node *server = zone_build_find(build, target);
        if (server && (find(server, DNS_A) || find(server, DNS_AAAA)))
            continue;
        dns_name_show(target, name);
        zone_warning(build, record->at, "add its A or AAAA record",
                     "nobody can reach %s: it has no address here", name);
    }
}

static void check_node(struct zone_build *build, struct build_node *node)
{
    struct build_record **link = &node->first;
    for (struct build_record *record; (record = *link);) {
        check_place(build, node, record);
        check_dnssec(build, record);
        if (check_record(build, node, record))
            link = &record->next;
        else
            *link = record->next;
    }
    if (node->flags & ZONE_HAS_CNAME)
        check_cname(build, node);
    if (node->flags & ZONE_CUT)
        check_glue(build, node);
    check_occluded(build, node);
}

static void check_apex(struct zone_build *build)
{
    const struct build_node *apex = build->nodes[0];
    const struct zone_at nowhere = {apex->first ? apex->first->at.path : NULL, 0, 0};
    char name[DNS_NAME_TEXT_MAX];
    if (!find(apex, DNS_SOA))
        zone_add_error(build, nowhere, "write one at its apex, RFC 1035 section 5.2",
                       "the zone %s has no SOA record", show(apex, name));
    if (!find(apex, DNS_NS))
        zone_add_error(build, nowhere, "name its servers at the apex",
                       "the zone %s has no NS record", show(apex, name));
}

/* ---- blocks ---- */

struct layout {
    const struct build_record **records; /* by type */
    size_t n, cap;
    size_t n_rrsets, data_bytes;
};

/* Insertion while they are few, as they nearly always are; both keep the order of writing. */
static void sort_types(struct layout *layout)
{
    const struct build_record **at = layout->records;
    for (size_t i = 1; i < layout->n; i++) {
        const struct build_record *moved = at[i];
        size_t j = i;
        for (; j > 0 && at[j - 1]->type > moved->type; j--)
            at[j] = at[j - 1];
        at[j] = moved;
    }
}

static void lay_out(struct layout *layout, const struct build_node *node)
{
    layout->n = layout->n_rrsets = layout->data_bytes = 0;
    for (const struct build_record *record = node->first; record; record = record->next) {
        if (layout->n == layout->cap) {
            layout->cap = layout->cap ? 2 * layout->cap : 64;
            layout->records =
                mem_realloc(layout->records, layout->cap * sizeof(struct build_record *));
        }
        layout->records[layout->n++] = record;
        layout->data_bytes += record->is_pool ? 0 : (size_t)record->len + 2;
    }
    sort_types(layout);
    for (size_t i = 0; i < layout->n; i++)
        layout->n_rrsets += i == 0 || layout->records[i]->type != layout->records[i - 1]->type;
    layout->data_bytes += layout->n_rrsets * ZONE_PLACE_BYTES;
}

/* The place of a path among the zone's, one more than its index; 0: none, or one too many. */
static uint16_t path_of(struct zone *zone, const char *path)
{
    if (!path)
        return 0;
    /* Records come file by file: it is nearly always the last one. */
    for (size_t i = zone->n_paths; i-- > 0;) {
        if (strcmp(zone->paths[i], path) == 0)
            return (uint16_t)(i + 1);
    }
    if (zone->n_paths == UINT16_MAX)
        return 0;
    if ((zone->n_paths & (zone->n_paths - 1)) == 0)
        zone->paths = mem_realloc((void *)zone->paths,
                                  (zone->n_paths ? 2 * zone->n_paths : 1) * sizeof(char *));
    zone->paths[zone->n_paths++] = arena_printf(&zone->arena, "%s", path);
    return (uint16_t)zone->n_paths;
}

/* The records of one type, from records[0] on; how many there are of it. */
static size_t fill_rrset(struct zone *zone, struct zone_rrset *rrset,
                         const struct build_record *const *records, size_t n, uint8_t **data)
{
    const struct build_record *first = records[0];
    size_t i = 0;
    rrset->type = first->type;
    rrset->data = *data;
    if (first->is_pool)
        rrset->record_index = first->ttl_s;
    else
        rrset->ttl_s = first->ttl_s;
    for (; i < n && records[i]->type == rrset->type; i++) {
        const struct build_record *record = records[i];
        if (record->is_pool)
            continue;
        rrset->n++;
        dns_put16(*data, record->len);
        memcpy(*data + 2, record->data, record->len);
        *data += 2 + record->len;
    }
    dns_put16(*data, path_of(zone, first->at.path));
    dns_put32(*data + 2, first->at.line);
    *data += ZONE_PLACE_BYTES;
    return i;
}

static void make_node(struct zone *zone, struct layout *layout, struct build_node *node)
{
    lay_out(layout, node);
    size_t head = sizeof(struct zone_node) + layout->n_rrsets * sizeof(struct zone_rrset);
    char *block = arena_alloc(&zone->arena, head + node->name_len + layout->data_bytes);
    struct zone_node *made = (struct zone_node *)(void *)block;
    uint8_t *name = (uint8_t *)block + head, *data = name + node->name_len;
    memcpy(name, node->name, node->name_len);
    made->zone = zone;
    made->name = name;
    made->name_len = node->name_len;
    made->n_labels = node->n_labels;
    made->flags = node->flags;
    made->n_rrsets = (uint16_t)layout->n_rrsets;
    struct zone_rrset *rrset = made->rrsets;
    for (size_t i = 0; i < layout->n;)
        i += fill_rrset(zone, rrset++, layout->records + i, layout->n - i, &data);
    node->made = made;
    zone->n_records += layout->n;
    if (node->n_labels > zone->max_labels)
        zone->max_labels = node->n_labels;
}

/* Cuts and wildcards, when every node has its block. */
static void link_node(struct build_node *node)
{
    const struct build_node *dname, *cut = find_cut(node, &dname);
    const struct build_node *parent = node->parent;
    if (cut) {
        node->made->flags |= ZONE_BELOW_CUT;
        node->made->flags &= (uint8_t)~ZONE_CUT;
        node->made->cut = cut->made;
    } else if (node->flags & ZONE_CUT) {
        node->made->cut = node->made;
    }
    if ((node->flags & ZONE_WILDCARD) && !(parent->made->flags & (ZONE_CUT | ZONE_BELOW_CUT)))
        parent->made->wildcard = node->made;
}

static void read_soa(struct zone *zone)
{
    const struct zone_rrset *soa = zone_node_find(zone->nodes[0], DNS_SOA);
    assert(soa);
    const uint8_t *cursor = soa->data;
    struct slice rdata = zone_data_next(&cursor);
    assert(rdata.len >= 20);
    const char *numbers = rdata.ptr + rdata.len - 20;
    uint32_t minimum_s = dns_get32(numbers + 16);
    zone->serial = dns_get32(numbers);
    zone->negative_ttl_s = minimum_s < soa->ttl_s ? minimum_s : soa->ttl_s;
}

static struct zone *make_zone(struct zone_build *build)
{
    struct zone *zone = MEM_NEW(struct zone);
    struct layout layout = {.n = 0};
    arena_init(&zone->arena);
    zone->n_nodes = build->n_nodes;
    zone->nodes = MEM_NEW_ARRAY(struct zone_node *, zone->n_nodes);
    for (size_t i = 0; i < build->n_nodes; i++) {
        make_node(zone, &layout, build->nodes[i]);
        zone->nodes[i] = build->nodes[i]->made;
    }
    /* Cuts first: a wildcard below one is none. */
    for (size_t i = 0; i < build->n_nodes; i++)
        link_node(build->nodes[i]);
    mem_free(layout.records);
    read_soa(zone);
    return zone;
}

struct zone *zone_build_finish(struct zone_build **build)
{
    struct zone_build *b = *build;
    struct zone *zone = NULL;
    add_parents(b);
    for (size_t i = 0; i < b->n_nodes; i++)
        flag_node(b->nodes[i]);
    check_apex(b);
    for (size_t i = 0; i < b->n_nodes; i++)
        check_node(b, b->nodes[i]);
    if (b->n_errors == 0)
        zone = make_zone(b);
    zone_build_destroy(build);
    return zone;
}

void zone_destroy(struct zone **zone)
{
    if (!*zone)
        return;
    mem_free((*zone)->nodes);
    mem_free((void *)(*zone)->paths);
    arena_deinit(&(*zone)->arena);
    mem_free(*zone);
    *zone = NULL;
}

struct zone_at zone_rrset_at(const struct zone *zone, const struct zone_rrset *rrset)
{
    const uint8_t *at = rrset->data;
    for (uint16_t i = 0; i < rrset->n; i++)
        zone_data_next(&at);
    uint16_t path = dns_get16(at);
    return (struct zone_at){
        .path = path ? zone->paths[path - 1] : NULL, .line = dns_get32(at + 2), .column = 0};
}

struct slice zone_origin(const struct zone *zone)
{
    return zone_node_name(zone->nodes[0]);
}

uint32_t zone_serial(const struct zone *zone)
{
    return zone->serial;
}

size_t zone_n_names(const struct zone *zone)
{
    return zone->n_nodes;
}

size_t zone_n_records(const struct zone *zone)
{
    return zone->n_records;
}

size_t zone_size_bytes(const struct zone *zone)
{
    return sizeof(*zone) + zone->arena.size_bytes + zone->n_nodes * sizeof(struct zone_node *);
}
