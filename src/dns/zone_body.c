/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ready bodies.
 */
#include "dns/zone_body.h"
#include "base/mem.h"
#include "dns/answer_compose.h"
#include "wire/dns_name.h"
#include "wire/dns_rdata.h"
#include <assert.h>
#include <string.h>

enum {
    /* A pointer reaches 0x3fff, also when it has moved behind the longest name. */
    BODY_BYTES_MAX = 0x3fff - DNS_QUESTION_MAX - DNS_HEADER_BYTES,
};

struct maker {
    struct zone *zone;
    struct answer_compose compose;
    uint8_t question[DNS_QUESTION_MAX];
    size_t name_len;
    uint16_t relocations[DNS_RELOCATIONS_MAX];
    uint8_t message[DNS_MESSAGE_MAX];
};

/* `prefix`: one label more than the name, so that no pointer to the name is one to the question. */
static bool begin(struct maker *maker, const struct zone_set *set, struct slice prefix,
                  struct slice name)
{
    struct answer_compose *compose = &maker->compose;
    if (prefix.len + name.len > DNS_NAME_MAX)
        return false;
    memset(compose, 0, sizeof(*compose));
    compose->zones = set;
    maker->name_len = prefix.len + name.len;
    memcpy(maker->question, prefix.ptr, prefix.len);
    memcpy(maker->question + prefix.len, name.ptr, name.len);
    memset(maker->question + maker->name_len, 0, 4);
    dns_writer_init(&compose->out, maker->message, BODY_BYTES_MAX);
    compose->out.relocations = maker->relocations;
    dns_write_header(&compose->out, 0, 0);
    dns_write_question(&compose->out,
                       slice_make((const char *)maker->question, maker->name_len + 4));
    return true;
}

/* The body, or NULL where it is not the same for everybody, or too large. */
static struct zone_body *keep(struct maker *maker)
{
    const struct answer_compose *compose = &maker->compose;
    size_t start = DNS_HEADER_BYTES + maker->name_len + 4, n = compose->out.n_relocations;
    if (compose->has_pool || compose->facts.is_truncated)
        return NULL;
    size_t size = compose->out.len - start;
    struct zone_body *body = arena_alloc(&maker->zone->arena, sizeof(*body) + 2 * n + size);
    for (int i = 0; i < DNS_N_SECTIONS; i++)
        body->n_records[i] =
            i == DNS_QUESTION ? 0 : dns_writer_count(&compose->out, (enum dns_section)i);
    body->base_len = (uint16_t)maker->name_len;
    body->size_bytes = (uint16_t)size;
    body->n_pointers = (uint16_t)n;
    for (size_t i = 0; i < n; i++)
        body->pointers[i] = (uint16_t)(maker->relocations[i] - start);
    memcpy(body->pointers + n, maker->message + start, size);
    return body;
}

/* Do data of a wildcard name the wildcard itself? They would follow the question's name. */
static bool is_tied(const struct zone_node *node, const struct zone_rrset *rrset)
{
    const uint8_t *cursor = rrset->data;
    for (uint16_t i = 0; i < rrset->n; i++) {
        struct dns_parts parts;
        struct dns_part part;
        dns_parts_init(&parts, rrset->type, zone_data_next(&cursor));
        while (dns_parts_next(&parts, &part)) {
            if (part.kind != DNS_PART_BYTES && dns_name_ends(part.bytes, zone_node_name(node)))
                return true;
        }
    }
    return false;
}

/* What answer_compose.c would go on with, behind the CNAME. */
static void find_target(const struct zone_set *set, const struct zone *zone,
                        const struct zone_rrset *cname, struct zone_body *body)
{
    uint8_t folded[DNS_NAME_MAX];
    const uint8_t *cursor = cname->data;
    struct slice name = zone_data_next(&cursor);
    dns_name_fold(name, folded);
    name.ptr = (const char *)folded;
    body->is_leaving = !dns_name_ends(name, zone_origin(zone));
    if (body->is_leaving)
        return;
    struct zone_found found = zone_set_find_in(set, zone, name, dns_name_labels(name));
    if (found.node->flags & (ZONE_CUT | ZONE_BELOW_CUT))
        return;
    if (found.is_exact)
        body->target = found.node;
    else if (!(found.node->flags & ZONE_HAS_DNAME))
        body->target = found.node->wildcard;
}

static void make_rrset(struct maker *maker, const struct zone_set *set,
                       const struct zone_node *node, struct zone_rrset *rrset)
{
    begin(maker, set, SLICE(""), zone_node_name(node));
    answer_compose_rrset(&maker->compose, zone_node_name(node), rrset, maker->zone);
    struct zone_body *body = keep(maker);
    if (body && rrset->type == DNS_CNAME)
        find_target(set, maker->zone, rrset, body);
    rrset->body = body;
}

static void make_node(struct maker *maker, const struct zone_set *set, struct zone_node *node)
{
    for (size_t i = 0; i < node->n_rrsets; i++) {
        struct zone_rrset *rrset = &node->rrsets[i];
        bool is_cut = node->flags & ZONE_CUT;
        if (rrset->n == 0 || answer_type_is_plain(rrset->type))
            continue;
        if (is_cut && rrset->type == DNS_NS) {
            if (!begin(maker, set, SLICE("\1*"), zone_node_name(node)))
                continue;
            answer_compose_referral(&maker->compose, node);
            rrset->body = keep(maker);
        } else if (!is_cut && !((node->flags & ZONE_WILDCARD) && is_tied(node, rrset))) {
            make_rrset(maker, set, node, rrset);
        }
    }
}

void zone_bodies_make(const struct zone_set *set, struct zone *zone)
{
    struct maker *maker = MEM_NEW(struct maker);
    maker->zone = zone;
    for (size_t i = 0; i < zone->n_nodes; i++) {
        if (!(zone->nodes[i]->flags & ZONE_BELOW_CUT))
            make_node(maker, set, zone->nodes[i]);
    }
    if (begin(maker, set, SLICE("\1*"), zone_origin(zone))) {
        answer_compose_negative(&maker->compose, zone, UINT32_MAX);
        zone->negative = keep(maker);
    }
    mem_free(maker);
}
