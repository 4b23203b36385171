/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_DNS_H
#define WIRE_DNS_H

/*
 * DNS: the numbers of its messages and their names. The codecs stand beside:
 *
 *     dns_name.h     names: text <-> wire form, order, comparison
 *     dns_query.h    a query's bytes -> facts, the hot path of a server
 *     dns_rdata.h    what a type's data hold: text <-> wire form
 *     dns_write.h    a message is built: compression, truncation, the OPT record
 *     dns_read.h     a message is walked, record by record
 *     dns_cookie.h   server cookies
 *
 * A message (RFC 1035 section 4.1):
 *
 *     0    2       4         6         8         10        12
 *     +----+-------+---------+---------+---------+---------+----------+---------------------+
 *     | id | flags | QDCOUNT | ANCOUNT | NSCOUNT | ARCOUNT | question | answer, authority,  |
 *     |    |       |         |         |         |         |          | additional: records |
 *     +----+-------+---------+---------+---------+---------+----------+---------------------+
 *      flags: QR 1 | opcode 4 | AA 1 | TC 1 | RD 1 || RA 1 | Z 1 | AD 1 | CD 1 | rcode 4
 *
 * A name is a struct slice in wire form everywhere: labels, each behind its length, with the root's
 * zero byte at the end, not compressed, 1 to DNS_NAME_MAX bytes.
 */

#include "base/slice.h"
#include <stdint.h>

enum {
    DNS_NAME_MAX = 255, /* bytes of a name, the root's zero among them; RFC 1035 section 3.1 */
    DNS_LABEL_MAX = 63,
    DNS_LABELS_MAX = 127, /* of a name, without the root */
    DNS_HEADER_BYTES = 12,
    DNS_QUESTION_MAX = DNS_NAME_MAX + 4, /* name, type, class */
    DNS_UDP_PLAIN = 512,                 /* bytes of an answer over UDP to who speaks no EDNS */
    DNS_UDP_EDNS = 1232, /* what fits through every path unfragmented (DNS flag day 2020) */
    DNS_MESSAGE_MAX = 65535,
};

/* Of the flags, as a 16-bit number. */
enum dns_flag {
    DNS_QR = 0x8000,
    DNS_AA = 0x0400,
    DNS_TC = 0x0200,
    DNS_RD = 0x0100,
    DNS_RA = 0x0080,
    DNS_AD = 0x0020,
    DNS_CD = 0x0010,
};
enum { DNS_OPCODE_SHIFT = 11, DNS_OPCODE_MASK = 0x0f, DNS_RCODE_MASK = 0x0f };

enum dns_type {
    DNS_A = 1,
    DNS_NS = 2,
    DNS_CNAME = 5,
    DNS_SOA = 6,
    DNS_NULL = 10,
    DNS_PTR = 12,
    DNS_HINFO = 13,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_SIG = 24,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_NAPTR = 35,
    DNS_DNAME = 39,
    DNS_OPT = 41,
    DNS_DS = 43,
    DNS_SSHFP = 44,
    DNS_RRSIG = 46,
    DNS_NSEC = 47,
    DNS_DNSKEY = 48,
    DNS_NSEC3 = 50,
    DNS_TLSA = 52,
    DNS_SVCB = 64,
    DNS_HTTPS = 65,
    DNS_SPF = 99,
    DNS_TKEY = 249,
    DNS_TSIG = 250,
    DNS_IXFR = 251,
    DNS_AXFR = 252,
    DNS_ANY = 255,
    DNS_CAA = 257,
};

enum dns_class { DNS_CLASS_IN = 1, DNS_CLASS_CH = 3, DNS_CLASS_NONE = 254, DNS_CLASS_ANY = 255 };

enum dns_opcode { DNS_QUERY = 0, DNS_NOTIFY = 4, DNS_UPDATE = 5 };

/* Above 15 the upper eight bits stand in the OPT record (RFC 6891 section 6.1.3). */
enum dns_rcode {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5,
    DNS_YXDOMAIN = 6,
    DNS_NOTAUTH = 9,
    DNS_BADVERS = 16,
    DNS_BADKEY = 17, /* within a TSIG record */
    DNS_BADCOOKIE = 23,
};

/* Of the OPT record. */
enum dns_option {
    DNS_OPTION_NSID = 3,       /* RFC 5001 */
    DNS_OPTION_SUBNET = 8,     /* RFC 7871 */
    DNS_OPTION_COOKIE = 10,    /* RFC 7873 */
    DNS_OPTION_KEEPALIVE = 11, /* RFC 7828 */
};

/* The sections of a message, in their order. */
enum dns_section { DNS_QUESTION, DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL, DNS_N_SECTIONS };

enum { DNS_TYPE_TEXT_MAX = 16, DNS_RCODE_TEXT_MAX = 16 };

/* "AAAA", or "TYPE65280" (RFC 3597 section 5) for what has no name here; returns text. */
const char *dns_type_show(uint16_t type, char text[DNS_TYPE_TEXT_MAX]);
/* Both forms, in any case: 0, or -1 where it is no type. */
int dns_type_read(struct slice text, uint16_t *ret_type);
/* "IN", "CH" or "CLASS32"; returns text. */
const char *dns_class_show(uint16_t class, char text[DNS_TYPE_TEXT_MAX]);
int dns_class_read(struct slice text, uint16_t *ret_class);
/* "NXDOMAIN", or "RCODE11"; returns text. */
const char *dns_rcode_show(uint16_t rcode, char text[DNS_RCODE_TEXT_MAX]);
/* No record of a zone: OPT, and the types that only a query or a transfer may name (128 to 255,
 * RFC 6895 section 3.1). */
static inline bool dns_type_is_meta(uint16_t type)
{
    return type == 0 || type == DNS_OPT || (type >= 128 && type <= 255);
}

/* Numbers of a message, at any alignment. */
static inline uint16_t dns_get16(const void *at)
{
    const unsigned char *b = at;
    return (uint16_t)(b[0] << 8 | b[1]);
}

static inline uint32_t dns_get32(const void *at)
{
    const unsigned char *b = at;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static inline void dns_put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void dns_put32(uint8_t *at, uint32_t value)
{
    dns_put16(at, (uint16_t)(value >> 16));
    dns_put16(at + 2, (uint16_t)value);
}

#endif
