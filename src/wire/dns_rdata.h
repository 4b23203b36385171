/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_DNS_RDATA_H
#define WIRE_DNS_RDATA_H

/*
 * The data of records: text and wire form, and where names are in them. One table has a row of
 * fields for each type that is known here (dns_form.h); all others are read and shown in the form
 * of RFC 3597 section 5, in which the known ones may be written too:
 *
 *     \# 4 C0000201
 *
 * Data are slices in wire form, names in them not compressed; a message's are made so by
 * dns_read_rdata() (dns_read.h).
 *
 * Known: A NS MD MF CNAME SOA MB MG MR PTR HINFO MINFO MX TXT RP AFSDB X25 RT SIG KEY PX AAAA SRV
 * NAPTR KX CERT DNAME DS SSHFP RRSIG NSEC DNSKEY DHCID NSEC3 NSEC3PARAM TLSA SMIMEA CDS CDNSKEY
 * OPENPGPKEY CSYNC ZONEMD SVCB HTTPS SPF NID L32 L64 LP EUI48 EUI64 URI CAA.
 *
 * A name but no form of their own have NULL and WKS, ISDN, LOC, NXT, APL, IPSECKEY and HIP: few
 * zones have any of them, and RFC 3597's form serves all.
 */

#include "base/err.h"
#include "base/slice.h"
#include "base/text.h"
#include "wire/dns.h"
#include "wire/dns_token.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DNS_RDATA_MAX = 65535 };

/*
 * A record's words into wire form; names relative to `origin` (dns_name.h). Returns 0 and *ret_len,
 * or -1 with a sentence that says which word is wrong and what is wanted: also for a meta type,
 * which has no data in a zone, for words that are missing or too many, and above `cap` bytes.
 */
int dns_rdata_read(uint16_t type, const struct dns_token *tokens, size_t n_tokens,
                   struct slice origin, uint8_t *out, size_t cap, size_t *ret_len, struct err *err);

/* Of one line of text (dns_token_split()). */
int dns_rdata_read_line(uint16_t type, struct slice line, struct slice origin, uint8_t *out,
                        size_t cap, size_t *ret_len, struct err *err);

/* Appends the text, as dig shows it on one line. Data that their type does not allow are shown as
 * RFC 3597 has it. */
void dns_rdata_show(uint16_t type, struct slice rdata, struct text *out);

/* Are they data of this type? An unknown type's always are. */
bool dns_rdata_is_valid(uint16_t type, struct slice rdata);

/*
 * Walks data in parts, names apart from what stands between them, for whoever compresses, follows
 * or compares names. Valid data come out whole; what is no name where one is wanted comes as bytes.
 *
 *     struct dns_parts parts;
 *     dns_parts_init(&parts, type, rdata);
 *     while (dns_parts_next(&parts, &part)) ...
 */
enum dns_part_kind {
    DNS_PART_BYTES,
    DNS_PART_NAME,       /* is never compressed */
    DNS_PART_OLD_NAME,   /* is not compressed, but one that was is understood: RFC 3597 section 4 */
    DNS_PART_SHORT_NAME, /* is compressed: those of RFC 1035 alone */
};

struct dns_part {
    enum dns_part_kind kind;
    struct slice bytes;
};

struct dns_parts {
    const char *fields; /* the type's that are left */
    struct slice rest;
};

void dns_parts_init(struct dns_parts *parts, uint16_t type, struct slice rdata);
bool dns_parts_next(struct dns_parts *parts, struct dns_part *ret_part);

/* The last name in the data: that of NS, CNAME, PTR, DNAME, MX, SRV, SVCB and so on, whose
 * addresses a response may add. Empty where there is none. */
struct slice dns_rdata_target(uint16_t type, struct slice rdata);

#endif
