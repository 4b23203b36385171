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
};

/* What the short way found. */
struct ready {
    const struct zone_node *node;
    const struct zone_body *body;
    const struct zone_rrset *rrset; /* where body is NULL */
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

/* Header and question; returns what comes behind them. */
static uint8_t *begin(const struct dns_query *query, uint16_t flags,
                      const uint16_t n_records[DNS_N_SECTIONS], uint8_t *out)
{
    dns_put16(out, query->id);
    dns_put16(out + 2, flags);
    dns_put16(out + 4, 1);
    dns_put16(out + 6, n_records[DNS_ANSWER]);
    dns_put16(out + 8, n_records[DNS_AUTHORITY]);
    dns_put16(out + 10, n_records[DNS_ADDITIONAL]);
    memcpy(out + DNS_HEADER_BYTES, query->question.ptr, query->question.len);
    return out + DNS_HEADER_BYTES + query->question.len;
}

/* ---- ready bodies ---- */

static size_t copy_body(const struct dns_query *query, const struct ready *ready, uint8_t *out,
                        size_t limit_bytes)
{
    const struct zone_body *body = ready->body;
    if (DNS_HEADER_BYTES + query->question.len + body->size_bytes > limit_bytes)
        return 0;
    uint8_t *at = begin(query, flags_of(query, !ready->is_referral, false, ready->rcode),
                        body->n_records, out);
    memcpy(at, zone_body_bytes(body), body->size_bytes);
    uint16_t shift = (uint16_t)(query->name_len - body->base_len);
    for (size_t i = 0; shift && i < body->n_pointers; i++) {
        uint8_t *pointer = at + body->pointers[i];
        dns_put16(pointer, (uint16_t)(dns_get16(pointer) + shift));
    }
    return (size_t)(at - out) + body->size_bytes;
}

/* ---- plain data ---- */

static uint8_t *put_record(uint8_t *at, uint16_t type, uint32_t ttl_s, struct slice rdata)
{
    dns_put16(at, 0xc000 | DNS_HEADER_BYTES);
    dns_put16(at + 2, type);
    dns_put16(at + 4, DNS_CLASS_IN);
    dns_put32(at + 6, ttl_s);
    dns_put16(at + 10, (uint16_t)rdata.len);
    memcpy(at + RECORD_HEAD_BYTES, rdata.ptr, rdata.len);
    return at + RECORD_HEAD_BYTES + rdata.len;
}

static size_t copy_data(const struct dns_query *query, const struct zone_rrset *rrset, uint8_t *out,
                        size_t limit_bytes)
{
    const uint16_t n_records[DNS_N_SECTIONS] = {[DNS_ANSWER] = rrset->n};
    const uint8_t *end = out + limit_bytes, *cursor = rrset->data;
    uint8_t *at = begin(query, flags_of(query, true, false, DNS_NOERROR), n_records, out);
    for (uint16_t i = 0; i < rrset->n; i++) {
        struct slice rdata = zone_data_next(&cursor);
        if ((size_t)(end - at) < RECORD_HEAD_BYTES + rdata.len)
            return 0;
        at = put_record(at, rrset->type, rrset->ttl_s, rdata);
    }
    return (size_t)(at - out);
}

/* A pool's record, where its data are plain. */
static size_t copy_pool(const struct answer_view *view, const struct answer_ask *ask,
                        const struct zone_rrset *rrset, uint8_t *out, size_t limit_bytes,
                        struct answer_facts *facts)
{
    const struct dns_query *query = ask->query;
    const struct record_variant *variant =
        record_answer_match(view->records[rrset->record_index], ask->from, &facts->scope_bits);
    uint16_t order[ANSWER_DRAW_MAX];
    if (variant->n == 0 || variant->rdata_bytes == 0)
        return 0;
    uint16_t n = answer_draw(variant, ask->random, order);
    size_t size = DNS_HEADER_BYTES + query->question.len +
                  (size_t)n * (RECORD_HEAD_BYTES + variant->rdata_bytes);
    if (size > limit_bytes)
        return 0;
    const uint16_t n_records[DNS_N_SECTIONS] = {[DNS_ANSWER] = n};
    uint8_t *at = begin(query, flags_of(query, true, false, DNS_NOERROR), n_records, out);
    for (uint16_t i = 0; i < n; i++) {
        const uint8_t *rdata = variant->rdata + (size_t)order[i] * variant->rdata_bytes;
        at = put_record(at, rrset->type, variant->ttl_s,
                        slice_make((const char *)rdata, variant->rdata_bytes));
    }
    facts->record_index = rrset->record_index;
    return size;
}

/* ---- which ---- */

static void set_negative(struct ready *ready, const struct zone_node *node, uint8_t rcode)
{
    ready->body = node->zone->negative;
    ready->rcode = rcode;
    ready->is_negative = true;
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
    }
    ready->rrset = zone_node_find(node, query->type);
    if (ready->rrset) {
        ready->body = ready->rrset->body;
        return ready->body || ready->rrset->n == 0 || answer_type_is_plain(query->type);
    }
    if (node->flags & ZONE_HAS_CNAME)
        return false;
    set_negative(ready, node, DNS_NOERROR);
    return ready->body;
}

static size_t write_ready(const struct answer_view *view, const struct answer_ask *ask,
                          uint8_t *out, size_t limit_bytes, struct answer_facts *facts)
{
    struct ready ready = {.rcode = DNS_NOERROR};
    size_t len;
    if (!find_ready(view->zones, ask->query, &ready))
        return 0;
    if (ready.body)
        len = copy_body(ask->query, &ready, out, limit_bytes);
    else if (ready.rrset->n > 0)
        len = copy_data(ask->query, ready.rrset, out, limit_bytes);
    else
        len = copy_pool(view, ask, ready.rrset, out, limit_bytes, facts);
    facts->rcode = ready.rcode;
    facts->is_negative = ready.is_negative;
    facts->is_referral = ready.is_referral;
    facts->zone = ready.node->zone;
    return len;
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
    dns_writer_init(&compose.out, out, limit_bytes);
    dns_write_header(&compose.out, query->id, 0);
    dns_write_question(&compose.out, query->question);
    answer_compose(&compose, query);
    *ret_facts = compose.facts;
    dns_put16(out + 2, flags_of(query, compose.is_authoritative, compose.facts.is_truncated,
                                compose.facts.rcode));
    return compose.out.len;
}
