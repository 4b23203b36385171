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
    RECORD_HEAD_BYTES = 12, /* behind a pointer for its owner: type, class, TTL, length */
    /* Bodies of chains take this part of what the zone takes, and so much in any case: a million
       names that each lead to the next would take many times what they say. */
    CHAIN_SHARE = 8,
    CHAIN_BYTES_MIN = 64 << 10,
};

struct maker {
    struct zone *zone;
    struct answer_compose compose;
    uint8_t question[DNS_QUESTION_MAX];
    size_t name_len;
    size_t chain_bytes; /* that are left for bodies of chains */
    struct answer_trace trace;
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
    if (compose->has_pool || compose->facts.is_truncated || compose->out.is_overflow)
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
    body->rdata_at = RECORD_HEAD_BYTES;
    if (!dns_name_ends(name, zone_origin(zone))) {
        body->way = ZONE_ENDS;
        return;
    }
    struct zone_found found = zone_set_find_in(set, zone, name, dns_name_labels(name));
    if (found.node->flags & (ZONE_CUT | ZONE_BELOW_CUT))
        return;
    if (found.is_exact)
        body->target = found.node;
    else if (!(found.node->flags & ZONE_HAS_DNAME))
        body->target = found.node->wildcard;
    body->way = body->target ? ZONE_LEADS : ZONE_WAY_UNREADY;
}

/* ---- chains of CNAMEs ---- */

/* The steps from a node on, as who asks for a type that nobody has would take them. */
static void trace_chain(struct maker *maker, const struct zone_set *set,
                        const struct zone_node *node)
{
    struct dns_query query = {.type = 0, .name_len = node->name_len, .n_labels = node->n_labels};
    begin(maker, set, SLICE(""), zone_node_name(node));
    memcpy(query.name, node->name, node->name_len);
    query.question = slice_make((const char *)maker->question, maker->name_len + 4);
    maker->trace.n = 0;
    maker->compose.trace = &maker->trace;
    answer_compose(&maker->compose, &query);
}

/* The node whose records the step took. */
static const struct zone_node *step_node(const struct answer_step *step)
{
    return step->is_exact ? step->node : step->node->wildcard;
}

/*
 * A wildcard's chain is the same for every name that the wildcard stands for, but where it comes by
 * the wildcard again, or by names below it: those may be what was asked for.
 */
static bool is_chain_tied(const struct answer_trace *trace, const struct zone_node *node)
{
    if (!(node->flags & ZONE_WILDCARD))
        return false;
    for (unsigned i = 1; i < trace->n; i++) {
        const struct answer_step *step = &trace->steps[i];
        struct slice name = slice_make((const char *)step->name, step->name_len);
        if (step_node(step) == node || dns_name_ends(name, zone_node_name(node)))
            return true;
    }
    return trace->end == ANSWER_LOOPS || trace->end == ANSWER_TOO_MANY;
}

/* How many CNAMEs the steps took; 0: what comes behind them is not ready. */
static unsigned count_aliases(const struct answer_trace *trace)
{
    unsigned n = 0;
    while (n < trace->n && trace->steps[n].kind == ANSWER_ALIAS)
        n++;
    bool is_ready = n == trace->n || trace->steps[n].kind == ANSWER_NO_DATA;
    return is_ready ? n : 0;
}

/* The first n steps as records; *ret_rdata_at is the data of the last one, in the body. */
static void write_chain(struct maker *maker, unsigned n, uint16_t *ret_rdata_at)
{
    struct dns_writer *out = &maker->compose.out;
    size_t start = out->len;
    for (unsigned i = 0; i < n; i++) {
        const struct answer_step *step = &maker->trace.steps[i];
        const uint8_t *cursor = step->rrset->data;
        *ret_rdata_at = (uint16_t)(out->len - start + RECORD_HEAD_BYTES);
        dns_write_record(out, DNS_ANSWER, slice_make((const char *)step->name, step->name_len),
                         DNS_CNAME, DNS_CLASS_IN, step->rrset->ttl_s, zone_data_next(&cursor));
    }
}

/* A body with all CNAMEs that begin at the node, or NULL. */
static const struct zone_body *make_chain(struct maker *maker, const struct zone_set *set,
                                          const struct zone_node *node)
{
    uint16_t rdata_at = 0;
    if (maker->chain_bytes == 0 || (node->flags & ZONE_SHADOWED))
        return NULL;
    trace_chain(maker, set, node);
    unsigned n = count_aliases(&maker->trace);
    if (n == 0 || is_chain_tied(&maker->trace, node))
        return NULL;
    begin(maker, set, SLICE(""), zone_node_name(node));
    write_chain(maker, n, &rdata_at);
    size_t size = sizeof(struct zone_body) + maker->compose.out.len;
    maker->chain_bytes -= size < maker->chain_bytes ? size : maker->chain_bytes;
    struct zone_body *body = keep(maker);
    if (!body)
        return NULL;
    body->rdata_at = rdata_at;
    body->way = n == maker->trace.n ? ZONE_ENDS : ZONE_LEADS;
    if (body->way == ZONE_LEADS)
        body->target = step_node(&maker->trace.steps[n]);
    return body;
}

static void make_way(struct maker *maker, const struct zone_set *set, const struct zone_node *node,
                     const struct zone_rrset *cname, struct zone_body *body)
{
    find_target(set, maker->zone, cname, body);
    if (body->way != ZONE_LEADS || !(body->target->flags & ZONE_HAS_CNAME))
        return;
    const struct zone_body *chain = make_chain(maker, set, node);
    if (!chain)
        return;
    body->chain = chain;
    body->way = ZONE_CHAINS;
}

/* ---- RRsets ---- */

static void make_rrset(struct maker *maker, const struct zone_set *set,
                       const struct zone_node *node, struct zone_rrset *rrset)
{
    begin(maker, set, SLICE(""), zone_node_name(node));
    answer_compose_rrset(&maker->compose, zone_node_name(node), rrset, maker->zone);
    struct zone_body *body = keep(maker);
    if (body && rrset->type == DNS_CNAME)
        make_way(maker, set, node, rrset, body);
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
    maker->chain_bytes = zone->arena.size_bytes / CHAIN_SHARE + CHAIN_BYTES_MIN;
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
