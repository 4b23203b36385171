/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The short way to an answer: what is ready is copied. All else goes through answer_compose.c.
 */
#include "dns/answer.h"
#include "dns/answer_compose.h"
#include "dns/answer_pool.h"
#include "dns/record.h"
#include "wire/dns_name.h"
#include <assert.h>
#include <string.h>

enum {
    RECORD_HEAD_BYTES = 12, /* owner, type, class, TTL, length of the data */
    POINTER = 0xc000,       /* RFC 1035 section 4.1.4 */
};

/* What the short way found. */
struct ready {
    const struct zone_node *node;
    const struct zone_body *alias; /* of a CNAME that comes first, or NULL */
    const struct zone_body *body;
    const struct zone_rrset *rrset; /* where body is NULL */
    struct slice wildcard;          /* that stands for the name asked for; empty: none */
    uint8_t rcode;
    bool is_referral, is_negative;
};

static uint16_t flags_of(const struct dns_query *query, bool is_authoritative, bool is_truncated,
                         uint8_t rcode)
{
    return (uint16_t)(DNS_QR | (is_authoritative ? DNS_AA : 0) | (is_truncated ? DNS_TC : 0) |
                      (query->is_recursion_wanted ? DNS_RD : 0) |
                      (query->is_checking_disabled ? DNS_CD : 0) | (rcode & DNS_RCODE_MASK));
}

/* A message that is being copied together; the header comes last. */
struct draft {
    const struct dns_query *query;
    uint8_t *out, *at, *end;
    uint16_t n_records[DNS_N_SECTIONS];
    uint16_t owner; /* pointer to the name of plain records */
};

static void draft_init(struct draft *draft, const struct dns_query *query, uint8_t *out,
                       size_t limit_bytes)
{
    memset(draft, 0, sizeof(*draft));
    draft->query = query;
    draft->out = out;
    draft->at = out + DNS_HEADER_BYTES + query->question.len;
    draft->end = out + limit_bytes;
    draft->owner = POINTER | DNS_HEADER_BYTES;
}

static size_t draft_finish(const struct draft *draft, uint16_t flags)
{
    uint8_t *out = draft->out;
    dns_put16(out, draft->query->id);
    dns_put16(out + 2, flags);
    dns_put16(out + 4, 1);
    dns_put16(out + 6, draft->n_records[DNS_ANSWER]);
    dns_put16(out + 8, draft->n_records[DNS_AUTHORITY]);
    dns_put16(out + 10, draft->n_records[DNS_ADDITIONAL]);
    memcpy(out + DNS_HEADER_BYTES, draft->query->question.ptr, draft->query->question.len);
    return (size_t)(draft->at - out);
}

/* ---- ready bodies ---- */

/* Each of these is false where it does not fit. */
static bool put_body(struct draft *draft, const struct zone_body *body)
{
    uint8_t *at = draft->at;
    const struct dns_query *query = draft->query;
    if ((size_t)(draft->end - at) < body->size_bytes)
        return false;
    memcpy(at, zone_body_bytes(body), body->size_bytes);
    uint16_t before = (uint16_t)(at - draft->out - DNS_HEADER_BYTES - (long)query->question.len);
    uint16_t shift = (uint16_t)(query->name_len - body->base_len);
    uint16_t start = (uint16_t)(DNS_HEADER_BYTES + body->base_len + 4);
    for (size_t i = 0; (shift || before) && i < body->n_pointers; i++) {
        uint8_t *pointer = at + body->pointers[i];
        uint16_t to = dns_get16(pointer);
        bool is_own = (to & ~POINTER) >= start;
        dns_put16(pointer, (uint16_t)(to + shift + (is_own ? before : 0)));
    }
    for (size_t i = 0; i < DNS_N_SECTIONS; i++)
        draft->n_records[i] = (uint16_t)(draft->n_records[i] + body->n_records[i]);
    draft->at += body->size_bytes;
    return true;
}

/* A CNAME, or several; what comes then is the last target's. */
static bool put_alias(struct draft *draft, const struct zone_body *alias)
{
    uint8_t *at = draft->at;
    if (!put_body(draft, alias))
        return false;
    const uint8_t *rdata = at + alias->rdata_at;
    uint16_t to = dns_get16(rdata);
    draft->owner = (to & POINTER) == POINTER ? to : (uint16_t)(POINTER | (rdata - draft->out));
    return true;
}

/* ---- plain data ---- */

static void put_record(struct draft *draft, uint16_t type, uint32_t ttl_s, struct slice rdata)
{
    uint8_t *at = draft->at;
    dns_put16(at, draft->owner);
    dns_put16(at + 2, type);
    dns_put16(at + 4, DNS_CLASS_IN);
    dns_put32(at + 6, ttl_s);
    dns_put16(at + 10, (uint16_t)rdata.len);
    memcpy(at + RECORD_HEAD_BYTES, rdata.ptr, rdata.len);
    draft->at += RECORD_HEAD_BYTES + rdata.len;
    draft->n_records[DNS_ANSWER]++;
}

static bool put_data(struct draft *draft, const struct zone_rrset *rrset)
{
    const uint8_t *cursor = rrset->data;
    for (uint16_t i = 0; i < rrset->n; i++) {
        struct slice rdata = zone_data_next(&cursor);
        if ((size_t)(draft->end - draft->at) < RECORD_HEAD_BYTES + rdata.len)
            return false;
        put_record(draft, rrset->type, rrset->ttl_s, rdata);
    }
    return true;
}

/* A pool's record, where its data are plain. */
static bool put_pool(struct draft *draft, const struct answer_view *view,
                     const struct answer_ask *ask, const struct zone_rrset *rrset,
                     struct answer_facts *facts)
{
    const struct record_variant *variant =
        record_answer_match(view->records[rrset->record_index], ask->from, &facts->scope_bits);
    uint16_t order[ANSWER_DRAW_MAX];
    if (variant->n == 0 || variant->rdata_bytes == 0)
        return false;
    uint16_t n = answer_draw(variant, ask->random, order);
    size_t size = (size_t)n * (RECORD_HEAD_BYTES + variant->rdata_bytes);
    if (size > (size_t)(draft->end - draft->at))
        return false;
    for (uint16_t i = 0; i < n; i++) {
        const uint8_t *rdata = variant->rdata + (size_t)order[i] * variant->rdata_bytes;
        put_record(draft, rrset->type, variant->ttl_s,
                   slice_make((const char *)rdata, variant->rdata_bytes));
    }
    facts->record_index = rrset->record_index;
    return true;
}

/* ---- which ---- */

static void set_negative(struct ready *ready, const struct zone_node *node, uint8_t rcode)
{
    ready->body = node->zone->negative;
    ready->rcode = rcode;
    ready->is_negative = true;
}

/* CNAMEs to what is plain or is not there have a short way, also those out of the zone. */
static bool find_alias(struct ready *ready, const struct zone_node *node, uint16_t type)
{
    const struct zone_rrset *cname = zone_node_find(node, DNS_CNAME);
    const struct zone_body *alias = cname ? cname->body : NULL;
    if (alias && alias->way == ZONE_CHAINS)
        alias = alias->chain;
    if (!alias || alias->way == ZONE_WAY_UNREADY)
        return false;
    if (alias->way == ZONE_ENDS) {
        ready->body = alias;
        return true;
    }
    ready->alias = alias;
    ready->rrset = zone_node_find(alias->target, type);
    if (ready->rrset)
        return answer_type_is_plain(type);
    if (alias->target->flags & ZONE_HAS_CNAME)
        return false;
    set_negative(ready, node, DNS_NOERROR);
    return ready->body;
}

/* False: there is no short way. */
static bool find_ready(const struct zone_set *zones, const struct dns_query *query,
                       struct ready *ready)
{
    if (query->type == DNS_DS || query->type == DNS_ANY)
        return false;
    struct zone_found found = zone_set_find(zones, dns_query_name(query), query->n_labels);
    const struct zone_node *node = ready->node = found.node;
    if (!node)
        return false;
    if (node->flags & (ZONE_CUT | ZONE_BELOW_CUT)) {
        const struct zone_rrset *ns = zone_node_find(node->cut, DNS_NS);
        ready->is_referral = true;
        ready->body = ns ? ns->body : NULL;
        return ready->body;
    }
    if (!found.is_exact) {
        if (node->flags & ZONE_HAS_DNAME)
            return false;
        if (!node->wildcard) {
            set_negative(ready, node, DNS_NXDOMAIN);
            return ready->body;
        }
        node = node->wildcard;
        ready->wildcard = zone_node_name(node);
    }
    ready->rrset = zone_node_find(node, query->type);
    if (ready->rrset) {
        ready->body = ready->rrset->body;
        return ready->body || ready->rrset->n == 0 || answer_type_is_plain(query->type);
    }
    if (node->flags & ZONE_HAS_CNAME)
        return find_alias(ready, node, query->type);
    set_negative(ready, node, DNS_NOERROR);
    return ready->body;
}

static bool put_ready(struct draft *draft, const struct ready *ready,
                      const struct answer_view *view, const struct answer_ask *ask,
                      struct answer_facts *facts)
{
    if (ready->alias && !put_alias(draft, ready->alias))
        return false;
    if (ready->body)
        return put_body(draft, ready->body);
    if (ready->rrset->n > 0)
        return put_data(draft, ready->rrset);
    return put_pool(draft, view, ask, ready->rrset, facts);
}

static size_t write_ready(const struct answer_view *view, const struct answer_ask *ask,
                          uint8_t *out, size_t limit_bytes, struct answer_facts *facts)
{
    struct ready ready = {.rcode = DNS_NOERROR};
    struct draft draft;
    if (!find_ready(view->zones, ask->query, &ready))
        return 0;
    draft_init(&draft, ask->query, out, limit_bytes);
    if (!put_ready(&draft, &ready, view, ask, facts))
        return 0;
    facts->rcode = ready.rcode;
    facts->is_negative = ready.is_negative;
    facts->is_referral = ready.is_referral;
    facts->zone = ready.node->zone;
    facts->wildcard = ready.wildcard;
    return draft_finish(&draft, flags_of(ask->query, !ready.is_referral, false, ready.rcode));
}

static const struct answer_facts no_facts = {.rcode = DNS_NOERROR,
                                             .record_index = ANSWER_NO_RECORD};

size_t answer_write(const struct answer_view *view, const struct answer_ask *ask, uint8_t *out,
                    size_t limit_bytes, struct answer_facts *ret_facts)
{
    const struct dns_query *query = ask->query;
    assert(limit_bytes >= DNS_HEADER_BYTES + query->question.len);
    *ret_facts = no_facts;
    size_t len = write_ready(view, ask, out, limit_bytes, ret_facts);
    if (len)
        return len;
    struct answer_compose compose;
    compose.zones = view->zones;
    compose.records = view->records;
    compose.from = ask->from;
    compose.random = ask->random;
    compose.facts = no_facts;
    compose.is_authoritative = compose.has_pool = false;
    compose.trace = NULL;
    dns_writer_init(&compose.out, out, limit_bytes);
    dns_write_header(&compose.out, query->id, 0);
    dns_write_question(&compose.out, query->question);
    answer_compose(&compose, query);
    *ret_facts = compose.facts;
    dns_put16(out + 2, flags_of(query, compose.is_authoritative, compose.facts.is_truncated,
                                compose.facts.rcode));
    return compose.out.len;
}
