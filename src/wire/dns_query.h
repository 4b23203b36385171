/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_DNS_QUERY_H
#define WIRE_DNS_QUERY_H

/*
 * A query: its bytes in, facts out, in one pass, without allocation. This is what a server runs
 * over every packet, also over those that nobody meant well.
 *
 *     header | name type class | [SOA, with IXFR alone] | records of the additional section
 *              `question`                                 OPT (RFC 6891) and TSIG among them
 *
 * The verdict is the response code that the query has earned, or that it gets no answer at all:
 *
 *     DNS_OK        DNS_NOERROR: go on. Where has_question is false it is a request for a cookie
 *                   alone (RFC 7873 section 5.4): answer with an empty question, NOERROR and a
 *                   cookie, or BADCOOKIE where it brought a server cookie that is no good.
 *     DNS_SILENCE   shorter than a header, or a response (QR): to answer would be to play ping-pong
 *     DNS_NOTIMP    an opcode other than QUERY: what follows the header was not looked at; answer
 *                   with the header alone (id, opcode, RD)
 *     DNS_BADVERS   an EDNS version above 0; options were not looked at; answer with an OPT record
 *                   of version 0, and no section but the question (RFC 6891 section 6.1.3)
 *     DNS_NOTAUTH   signed by TSIG: no key is known here; `tsig` is the record. Answer with the
 *                   question and a TSIG record that says BADKEY (RFC 8945 section 5.2.1),
 *                   which dns_tsig_write() makes of it (dns_opt.h)
 *     DNS_FORMERR   malformed, see below; answer with what is known: the question where
 *                   has_question, OPT where has_edns
 *
 * FORMERR: QDCOUNT other than 1 (0 with a cookie is fine); any ANCOUNT; any NSCOUNT (one SOA with
 * IXFR is fine, RFC 1995 section 3); a name in the question that is compressed, has another label
 * type (RFC 6891 section 5), is above 255 bytes or cut; anything cut short; bytes behind the last
 * record; two OPT records, or one that is not the root's; an option longer than its record; a
 * COOKIE of other than 8 or 16..40 bytes (RFC 7873 section 5.2.2); a client subnet with a scope, a
 * family other than 0, 1, 2, a prefix longer than the family's address, too few or too many bytes
 * of address, or bits behind the prefix (RFC 7871 section 6); a TSIG record that is not the last,
 * is malformed (RFC 8945 section 5.1), or has a name that points elsewhere than into the question.
 *
 * Not FORMERR, and without effect: AA, TC, RA, Z, AD, and an rcode in the header; unknown EDNS
 * flags and options; a second COOKIE (the first counts, RFC 7873 section 5.2) or subnet; other
 * records in the additional section, SIG(0) among them, which a server may ignore (RFC 2931 section
 * 3); a UDP size under 512, which means 512 (RFC 6891 section 6.2.3).
 */

#include "base/addr.h"
#include "base/slice.h"
#include "wire/dns.h"
#include <stdbool.h>
#include <stdint.h>

enum { DNS_OK = DNS_NOERROR, DNS_SILENCE = -1 };

enum { DNS_CLIENT_COOKIE_BYTES = 8, DNS_COOKIE_MIN = 16, DNS_COOKIE_MAX = 40 };

/* Whom a resolver asks for (RFC 7871 section 6). */
struct dns_subnet {
    uint16_t family;     /* 1: IPv4, 2: IPv6; 0: it wants to say nothing, the prefixes are 0 */
    uint8_t source_bits; /* of the prefix: 0..32 or 0..128 */
    uint8_t scope_bits;  /* 0 in a query; what the answer depends on */
    struct addr addr;    /* port 0, bits behind the prefix 0; len 0 where the family is 0 */
};

/* The slices lie in the packet. */
struct dns_query {
    uint16_t id;
    uint8_t opcode;
    bool is_recursion_wanted;  /* RD: copied into the response */
    bool is_checking_disabled; /* CD: likewise */
    bool has_question;
    uint8_t name_len; /* of `name`: 1..255 */
    uint8_t n_labels; /* of `name`, without the root */
    uint16_t type, class;
    struct slice question; /* name, type and class as they were asked, the case kept; or empty */

    bool has_edns;
    bool is_dnssec_ok;
    bool is_nsid_wanted;
    bool has_keepalive;
    bool has_subnet;
    uint8_t edns_version;
    uint16_t udp_bytes; /* the largest answer over UDP: 512 without EDNS, at least 512 with it */
    struct slice
        cookie; /* the client's 8 bytes, and the server's 8..32 where it has them; or empty */
    struct slice tsig; /* the whole record, where the verdict is DNS_NOTAUTH */

    struct dns_subnet subnet; /* where has_subnet */
    uint8_t
        name[DNS_NAME_MAX + 9]; /* where has_question: letters made small; the rest is padding */
};

static inline struct slice dns_query_name(const struct dns_query *query)
{
    return slice_make((const char *)query->name, query->name_len);
}

/*
 * `packet` is a whole message, 0..65535 bytes. Returns one of the verdicts above; after DNS_SILENCE
 * nothing of *ret_query is set, otherwise all but what its `where` excludes.
 */
int dns_query_parse(struct slice packet, struct dns_query *ret_query);

#endif
