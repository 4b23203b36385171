/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_ANSWER_COMPOSE_H
#define DNS_ANSWER_COMPOSE_H

/*
 * Answers record by record: what answer.c does where no ready body serves, and what makes the ready
 * bodies. RFC 1034 section 4.3.2 as a loop over the names that CNAME and DNAME lead to:
 *
 *     name --> cut above it:   referral, the end
 *          --> no such name:   DNAME above it: CNAME made, next name
 *                              wildcard: goes on as if it were the name's
 *                              else NXDOMAIN, the end
 *          --> the type:       its RRset, the end
 *          --> a CNAME:        that, next name
 *          --> else:           no data, the end
 */

#include "dns/answer.h"
#include "dns/zone_tree.h"
#include "wire/dns.h"
#include "wire/dns_write.h"

/* How an answer came about, a step for each name that it went by: for who explains it. */
enum answer_step_kind {
    ANSWER_FOUND, /* records of the type, in `rrset` */
    ANSWER_ALIAS, /* a CNAME */
    ANSWER_DNAME, /* one above the name, of which a CNAME was made */
    ANSWER_NO_DATA,
    ANSWER_NO_NAME,
    ANSWER_REFERRAL, /* `rrset`: the NS of the cut */
};

struct answer_step {
    enum answer_step_kind kind;
    bool is_exact;                  /* `node` has the name; else it is its closest encloser, and */
    const struct zone_node *node;   /* node->wildcard, where the kind is one of records, stands */
    const struct zone_rrset *rrset; /* for it. NULL where the kind has none */
    uint8_t name_len;
    uint8_t name[DNS_NAME_MAX]; /* in the case in which it was met */
};

/* Why it went no further than the last step, where that is an alias. */
enum answer_end { ANSWER_ENDS, ANSWER_LEAVES, ANSWER_LOOPS, ANSWER_TOO_MANY };

struct answer_trace {
    enum answer_end end;
    unsigned n;
    struct answer_step steps[ANSWER_CHAIN_MAX + 1];
};

struct answer_compose {
    const struct zone_set *zones;
    const struct record_answer *const *records; /* NULL while ready bodies are made */
    const struct addr *from;
    uint32_t random;
    struct dns_writer out;
    struct answer_facts facts;
    bool is_authoritative;
    bool has_pool;              /* an RRset of a pool is in it, or would be: not to be made ready */
    struct answer_trace *trace; /* empty at the start; NULL: not wanted */
};

/* header, question; ask->query with its name in the view. */
void answer_compose(struct answer_compose *compose, const struct dns_query *query);

/* Parts of it, for ready bodies. The owner is the name in the question. */
void answer_compose_rrset(struct answer_compose *compose, struct slice owner,
                          const struct zone_rrset *rrset, const struct zone *zone);
void answer_compose_referral(struct answer_compose *compose, const struct zone_node *cut);
/* The SOA in the authority section, its TTL no longer than ttl_s. */
void answer_compose_negative(struct answer_compose *compose, const struct zone *zone,
                             uint32_t ttl_s);

/* What adds addresses to an answer: RFC 1035 section 3.3, RFC 2782, RFC 9460 section 4.1. */
static inline bool answer_type_leads(uint16_t type)
{
    return type == DNS_NS || type == DNS_MX || type == DNS_SRV || type == DNS_SVCB ||
           type == DNS_HTTPS;
}

/* Data that are copied as they are: no name in them compresses, and they lead nowhere. */
static inline bool answer_type_is_plain(uint16_t type)
{
    /* RFC 1035's types with names are 2 to 15; those without are few and pass for plain. */
    bool is_old = (type >= DNS_NS && type <= DNS_SOA + 3) || type == DNS_PTR || type == 14;
    return !is_old && !answer_type_leads(type);
}

#endif
