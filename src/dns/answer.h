/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

/*
 * Answers: a parsed query and a view in, a message out.
 *
 * A view is what a loop answers from: the zones of its snapshot, and what each pool's record
 * answers just now. Neither changes while the loop has it, so an answer takes no lock, and no
 * memory but the caller's buffer.
 *
 *     look the name up (zone_tree.h)
 *       found, no pool in it, and it fits       the RRset's ready body is copied: answer.c
 *       found, a pool's record                  records written, shuffled:      answer_pool.c
 *       CNAMEs to such                          their ready body, then its target: answer.c
 *       DNAME, or it does not fit               written record by record:       answer_compose.c
 *       not found                               the zone's ready negative body
 *
 * RFC 1034 section 4.3.2 is the algorithm, with RFC 4592 (wildcards), RFC 6672 (DNAME), RFC 2308
 * (negative answers) and RFC 9471 (glue). Responses are minimal: authority says where to go
 * on (referrals) or how long there is nothing (SOA), additional has the addresses of names in NS,
 * MX, SRV and SVCB data, where the zone has them.
 */

#include "base/addr.h"
#include "dns/zone.h"
#include "wire/dns_query.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ANSWER_CHAIN_MAX = 16, /* CNAME and DNAME followed in one answer; then it ends where it is */
};

struct record_answer;

struct answer_view {
    const struct zone_set *zones;
    const struct record_answer *const *records; /* by record_index; none is NULL */
};

struct answer_ask {
    const struct dns_query *query; /* has_question, class IN */
    const struct addr *from; /* the client subnet's address where it has one, else the client's */
    uint32_t random;         /* anew for each answer */
};

#define ANSWER_NO_RECORD UINT32_MAX

struct answer_facts {
    uint8_t rcode;
    bool is_truncated;
    bool is_negative; /* no such name or no such type, or REFUSED: for rate limits */
    bool is_referral;
    uint8_t scope_bits;      /* of the client's network that the answer depends on */
    const struct zone *zone; /* that answered; NULL: REFUSED */
    uint32_t record_index;   /* of the first pool's record in it, or ANSWER_NO_RECORD */
    struct slice wildcard;   /* that stood for the question's name; empty: none. The zone's */
};

/*
 * Writes the whole message but the OPT record to out: header, question, sections. limit_bytes is
 * what it may take, room for OPT already left, at least header and question. Returns its length.
 */
size_t answer_write(const struct answer_view *view, const struct answer_ask *ask, uint8_t *out,
                    size_t limit_bytes, struct answer_facts *ret_facts);

#endif
