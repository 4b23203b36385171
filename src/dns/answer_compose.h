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
#include "wire/dns_write.h"

struct answer_compose {
    const struct zone_set *zones;
    const struct record_answer *const *records; /* NULL while ready bodies are made */
    const struct addr *from;
    uint32_t random;
    struct dns_writer out;
    struct answer_facts facts;
    bool is_authoritative;
    bool has_pool; /* an RRset of a pool is in it, or would be: not to be made ready */
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
