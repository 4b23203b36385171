/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers record by record.
 */
#include "dns/answer_compose.h"
#include "dns/answer_pool.h"
#include "dns/record.h"
#include "wire/dns_name.h"
#include "wire/dns_rdata.h"
#include <assert.h>
#include <string.h>

/* ---- RRsets ---- */

static void write_static(struct answer_compose *compose, enum dns_section section,
                         struct slice owner, const struct zone_rrset *rrset)
{
    const uint8_t *cursor = rrset->data;
    for (uint16_t i = 0; i < rrset->n; i++)
        dns_write_record(&compose->out, section, owner, rrset->type, DNS_CLASS_IN, rrset->ttl_s,
                         zone_data_next(&cursor));
}

static const struct record_variant *match_pool(struct answer_compose *compose,
                                               const struct zone_rrset *rrset)
{
    uint8_t scope_bits;
    const struct record_variant *variant =
        record_answer_match(compose->records[rrset->record_index], compose->from, &scope_bits);
    if (scope_bits > compose->facts.scope_bits)
        compose->facts.scope_bits = scope_bits;
    if (compose->facts.record_index == ANSWER_NO_RECORD)
        compose->facts.record_index = rrset->record_index;
    return variant;
}

static void write_pool(struct answer_compose *compose, enum dns_section section, struct slice owner,
                       uint16_t type, const struct record_variant *variant)
{
    uint16_t order[ANSWER_DRAW_MAX];
    uint16_t n = answer_draw(variant, compose->random, order);
    for (uint16_t i = 0; i < n; i++)
        dns_write_record(&compose->out, section, owner, type, DNS_CLASS_IN, variant->ttl_s,
                         record_variant_rdata(variant, order[i]));
}

/* Writes an RRset whole or not at all; false: it did not fit. A pool's may be empty. */
static bool write_rrset(struct answer_compose *compose, enum dns_section section,
                        struct slice owner, const struct zone_rrset *rrset)
{
    struct dns_mark mark = dns_writer_mark(&compose->out);
    if (rrset->n > 0)
        write_static(compose, section, owner, rrset);
    else if (compose->records)
        write_pool(compose, section, owner, rrset->type, match_pool(compose, rrset));
    compose->has_pool |= rrset->n == 0;
    if (!compose->out.is_overflow)
        return true;
    dns_writer_rollback(&compose->out, &mark);
    return false;
}

/* ---- the additional section ---- */

struct lead {
    const struct zone *zone;
    const struct zone_node *cut; /* of a referral, or NULL */
    bool is_needed;              /* the referral leads nowhere without it: RFC 9471 section 3 */
};

/* The node that holds a name's addresses within the zone; NULL: there is none. */
static const struct zone_node *find_addresses(const struct answer_compose *compose,
                                              const struct zone *zone, struct slice folded)
{
    if (!dns_name_ends(folded, zone_origin(zone)))
        return NULL;
    struct zone_found found =
        zone_set_find_in(compose->zones, zone, folded, dns_name_labels(folded));
    if (!found.node || found.is_exact)
        return found.node;
    if (found.node->flags & (ZONE_CUT | ZONE_BELOW_CUT | ZONE_HAS_DNAME))
        return NULL;
    return found.node->wildcard;
}

/* Addresses of one name, in the section once; false: they are needed and do not fit. */
static bool add_addresses(struct answer_compose *compose, const struct lead *lead,
                          struct slice target)
{
    static const uint16_t types[] = {DNS_A, DNS_AAAA};
    uint8_t folded[DNS_NAME_MAX];
    dns_name_fold(target, folded);
    struct slice name = slice_make((const char *)folded, target.len);
    bool is_needed = lead->cut && dns_name_ends(name, zone_node_name(lead->cut));
    if (lead->cut && is_needed != lead->is_needed)
        return true;
    const struct zone_node *node = find_addresses(compose, lead->zone, name);
    for (size_t i = 0; node && i < sizeof(types) / sizeof(types[0]); i++) {
        const struct zone_rrset *rrset = zone_node_find(node, types[i]);
        if (rrset && !write_rrset(compose, DNS_ADDITIONAL, target, rrset) && is_needed)
            return false;
    }
    return true;
}

static bool is_among_first(const struct zone_rrset *rrset, uint16_t n, struct slice target)
{
    const uint8_t *cursor = rrset->data;
    for (uint16_t i = 0; i < n; i++) {
        if (dns_name_equal(dns_rdata_target(rrset->type, zone_data_next(&cursor)), target))
            return true;
    }
    return false;
}

static bool follow(struct answer_compose *compose, const struct lead *lead,
                   const struct zone_rrset *rrset)
{
    const uint8_t *cursor = rrset->data;
    for (uint16_t i = 0; i < rrset->n; i++) {
        struct slice target = dns_rdata_target(rrset->type, zone_data_next(&cursor));
        if (target.len > 1 && !is_among_first(rrset, i, target) &&
            !add_addresses(compose, lead, target))
            return false;
    }
    return true;
}

static void follow_pool(struct answer_compose *compose, const struct lead *lead, uint16_t type,
                        const struct record_variant *variant)
{
    struct slice last = slice_make(NULL, 0);
    for (uint16_t i = 0; i < variant->n; i++) {
        struct slice target = dns_rdata_target(type, record_variant_rdata(variant, i));
        if (target.len > 1 && !slice_equal(target, last))
            add_addresses(compose, lead, target);
        last = target;
    }
}

static void add_additional(struct answer_compose *compose, const struct zone *zone,
                           const struct zone_rrset *rrset)
{
    const struct lead lead = {.zone = zone};
    if (!answer_type_leads(rrset->type))
        return;
    if (rrset->n > 0)
        follow(compose, &lead, rrset);
    else if (compose->records)
        follow_pool(compose, &lead, rrset->type, match_pool(compose, rrset));
}

/* ---- what an answer ends with ---- */

void answer_compose_negative(struct answer_compose *compose, const struct zone *zone,
                             uint32_t ttl_s)
{
    const struct zone_rrset *soa = zone_node_find(zone->nodes[0], DNS_SOA);
    struct dns_mark mark = dns_writer_mark(&compose->out);
    assert(soa);
    const uint8_t *cursor = soa->data;
    if (ttl_s > zone->negative_ttl_s)
        ttl_s = zone->negative_ttl_s;
    dns_write_record(&compose->out, DNS_AUTHORITY, zone_origin(zone), DNS_SOA, DNS_CLASS_IN, ttl_s,
                     zone_data_next(&cursor));
    compose->facts.is_negative = true;
    if (!compose->out.is_overflow)
        return;
    dns_writer_rollback(&compose->out, &mark);
    compose->facts.is_truncated = true;
}

void answer_compose_referral(struct answer_compose *compose, const struct zone_node *cut)
{
    const struct zone_rrset *ns = zone_node_find(cut, DNS_NS);
    struct lead needed = {.zone = cut->zone, .cut = cut, .is_needed = true};
    struct lead other = {.zone = cut->zone, .cut = cut, .is_needed = false};
    assert(ns);
    compose->facts.is_referral = true;
    if (!write_rrset(compose, DNS_AUTHORITY, zone_node_name(cut), ns) ||
        !follow(compose, &needed, ns))
        compose->facts.is_truncated = true;
    else
        follow(compose, &other, ns);
}

void answer_compose_rrset(struct answer_compose *compose, struct slice owner,
                          const struct zone_rrset *rrset, const struct zone *zone)
{
    if (rrset->n == 0 && compose->records) {
        const struct record_variant *variant = match_pool(compose, rrset);
        if (variant->n == 0) {
            answer_compose_negative(compose, zone, variant->ttl_s);
            return;
        }
    }
    if (write_rrset(compose, DNS_ANSWER, owner, rrset))
        add_additional(compose, zone, rrset);
    else
        compose->facts.is_truncated = true;
}

/* ---- the walk ---- */

/* The names of an answer: the question's, then one for each CNAME. */
struct walk {
    uint16_t type;
    const struct zone *zone;
    unsigned n;                                        /* names before this one */
    uint8_t names[ANSWER_CHAIN_MAX + 1][DNS_NAME_MAX]; /* letters small */
    uint8_t lens[ANSWER_CHAIN_MAX + 1];
    uint8_t owner[DNS_NAME_MAX]; /* the present one, in the case of where it was met */
    uint8_t owner_len;
    bool is_of_question; /* the present one is the question's, or a DNAME made it of that */
};

static struct slice walk_name(const struct walk *walk)
{
    return slice_make((const char *)walk->names[walk->n], walk->lens[walk->n]);
}

static struct slice walk_owner(const struct walk *walk)
{
    return slice_make((const char *)walk->owner, walk->owner_len);
}

static void walk_set(struct walk *walk, struct slice name)
{
    memmove(walk->owner, name.ptr, name.len);
    walk->owner_len = walk->lens[walk->n] = (uint8_t)name.len;
    dns_name_fold(name, walk->names[walk->n]);
}

static enum answer_end end_at(struct walk *walk, struct slice target)
{
    if (walk->n == ANSWER_CHAIN_MAX)
        return ANSWER_TOO_MANY;
    walk->n++;
    walk_set(walk, target);
    for (unsigned i = 0; i < walk->n; i++) {
        if (walk->lens[i] == walk->lens[walk->n] &&
            memcmp(walk->names[i], walk->names[walk->n], walk->lens[i]) == 0)
            return ANSWER_LOOPS;
    }
    return dns_name_ends(walk_name(walk), zone_origin(walk->zone)) ? ANSWER_ENDS : ANSWER_LEAVES;
}

/* On to where a CNAME leads; false: the answer ends here. */
static bool walk_on(struct answer_compose *compose, struct walk *walk, struct slice target)
{
    enum answer_end end = end_at(walk, target);
    if (compose->trace)
        compose->trace->end = end;
    return end == ANSWER_ENDS;
}

/* What has become of the present name. */
static void note(struct answer_compose *compose, const struct walk *walk, struct zone_found found,
                 enum answer_step_kind kind, const struct zone_rrset *rrset)
{
    if (!compose->trace)
        return;
    assert(compose->trace->n <= ANSWER_CHAIN_MAX);
    struct answer_step *step = &compose->trace->steps[compose->trace->n++];
    step->kind = kind;
    step->is_exact = found.is_exact;
    step->node = found.node;
    step->rrset = rrset;
    step->name_len = walk->owner_len;
    memcpy(step->name, walk->owner, walk->owner_len);
}

/* A DNAME above the name (RFC 6672 section 2.2): false, the answer ends here. */
static bool take_dname(struct answer_compose *compose, struct walk *walk, struct zone_found found)
{
    const struct zone_node *node = found.node;
    const struct zone_rrset *dname = zone_node_find(node, DNS_DNAME);
    assert(dname);
    note(compose, walk, found, ANSWER_DNAME, dname);
    const uint8_t *cursor = dname->data;
    struct slice target = zone_data_next(&cursor);
    size_t n_prefix = (size_t)walk->owner_len - node->name_len;
    uint8_t name[2 * DNS_NAME_MAX];
    if (!write_rrset(compose, DNS_ANSWER, zone_node_name(node), dname)) {
        compose->facts.is_truncated = true;
        return false;
    }
    struct dns_mark mark = dns_writer_mark(&compose->out);
    memcpy(name, walk->owner, n_prefix);
    memcpy(name + n_prefix, target.ptr, target.len);
    struct slice made = slice_make((const char *)name, n_prefix + target.len);
    if (made.len > DNS_NAME_MAX)
        compose->facts.rcode = DNS_YXDOMAIN;
    else
        dns_write_record(&compose->out, DNS_ANSWER, walk_owner(walk), DNS_CNAME, DNS_CLASS_IN,
                         dname->ttl_s, made);
    if (compose->out.is_overflow) {
        dns_writer_rollback(&compose->out, &mark);
        compose->facts.is_truncated = true;
        return false;
    }
    return made.len <= DNS_NAME_MAX && walk->type != DNS_CNAME && walk->type != DNS_ANY &&
           walk_on(compose, walk, made);
}

/* The node has the name, or is the wildcard that stands for it. False: the answer ends here. */
static bool take_node(struct answer_compose *compose, struct walk *walk, struct zone_found found)
{
    const struct zone_node *node = found.is_exact ? found.node : found.node->wildcard;
    const struct zone_rrset *rrset = zone_node_find(node, walk->type);
    if (!rrset && walk->type == DNS_ANY && node->n_rrsets > 0)
        rrset = &node->rrsets[0];
    if (!found.is_exact && walk->is_of_question)
        compose->facts.wildcard = zone_node_name(node);
    if (rrset) {
        note(compose, walk, found, ANSWER_FOUND, rrset);
        answer_compose_rrset(compose, walk_owner(walk), rrset, walk->zone);
        return false;
    }
    rrset = zone_node_find(node, DNS_CNAME);
    if (!rrset) {
        note(compose, walk, found, ANSWER_NO_DATA, NULL);
        answer_compose_negative(compose, walk->zone, UINT32_MAX);
        return false;
    }
    note(compose, walk, found, ANSWER_ALIAS, rrset);
    walk->is_of_question = false;
    if (!write_rrset(compose, DNS_ANSWER, walk_owner(walk), rrset)) {
        compose->facts.is_truncated = true;
        return false;
    }
    const uint8_t *cursor = rrset->data;
    return walk_on(compose, walk, zone_data_next(&cursor));
}

static bool take_found(struct answer_compose *compose, struct walk *walk, struct zone_found found)
{
    const struct zone_node *node = found.node;
    if (node->flags & (ZONE_CUT | ZONE_BELOW_CUT)) {
        /* DS is the parent's: RFC 4035 section 3.1.4.1. */
        if (!(found.is_exact && node->cut == node && walk->type == DNS_DS)) {
            if (walk->n == 0)
                compose->is_authoritative = false;
            note(compose, walk, found, ANSWER_REFERRAL, zone_node_find(node->cut, DNS_NS));
            answer_compose_referral(compose, node->cut);
            return false;
        }
    } else if (!found.is_exact) {
        if (node->flags & ZONE_HAS_DNAME)
            return take_dname(compose, walk, found);
        if (!node->wildcard) {
            note(compose, walk, found, ANSWER_NO_NAME, NULL);
            compose->facts.rcode = DNS_NXDOMAIN;
            answer_compose_negative(compose, walk->zone, UINT32_MAX);
            return false;
        }
    }
    return take_node(compose, walk, found);
}

static struct zone_found find_first(const struct answer_compose *compose,
                                    const struct dns_query *query)
{
    struct slice name = dns_query_name(query);
    struct zone_found found = zone_set_find(compose->zones, name, query->n_labels);
    if (query->type == DNS_DS && found.node && found.is_exact && (found.node->flags & ZONE_APEX)) {
        const struct zone *outer = zone_set_outer(compose->zones, found.node->zone);
        if (outer)
            return zone_set_find_in(compose->zones, outer, name, query->n_labels);
    }
    return found;
}

void answer_compose(struct answer_compose *compose, const struct dns_query *query)
{
    struct zone_found found = find_first(compose, query);
    struct walk walk; /* its names are not cleared: that would take longer than the answer */
    walk.type = query->type;
    walk.n = 0;
    walk.is_of_question = true;
    if (!found.node) {
        compose->facts.rcode = DNS_REFUSED;
        compose->facts.is_negative = true;
        compose->is_authoritative = false;
        return;
    }
    compose->is_authoritative = true;
    compose->facts.zone = walk.zone = found.node->zone;
    walk_set(&walk, slice_make(query->question.ptr, query->name_len));
    while (take_found(compose, &walk, found)) {
        struct slice name = walk_name(&walk);
        found = zone_set_find_in(compose->zones, walk.zone, name, dns_name_labels(name));
    }
}
