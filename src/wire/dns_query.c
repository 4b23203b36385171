/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Queries. The reader goes forward alone: a name of the question is hopped over by its lengths and
 * then folded eight bytes at a time; names of further records are hopped over and never followed.
 */

#include "wire/dns_query.h"
#include "base/ascii.h"
#include "wire/dns_name.h"

#include <endian.h>

enum {
    FLAGS_AT = 2,
    COUNTS_AT = 4,
    RECORD_BYTES = 10, /* of a record behind its name: type, class, TTL, length */
    POINTER = 0xc0,
    OPT_DO = 0x8000,
    EDNS_VERSION = 0,
    SUBNET_HEAD_BYTES = 4,
    TSIG_FIXED_BYTES =
        16, /* of its data: time 6, fudge 2, MAC size 2, id 2, error 2, other length 2 */
    FAMILY_NONE = 0,
    FAMILY_IPV4 = 1,
    FAMILY_IPV6 = 2,
};

/* Nothing below reads at or behind `len`. */
struct reader {
    const char *bytes;
    size_t len;
    size_t at;
};

struct record {
    struct slice name; /* as it stands there, perhaps compressed */
    struct slice whole;
    struct slice data;
    uint16_t type, class;
    uint32_t ttl;
};

/* ---- the question ---------------------------------------------------------------------------- */

/*
 * The name at reader->at, folded. The words that are loaded last end with the name: at least the
 * header's twelve bytes stand before it.
 */
static void fold_name(const struct reader *reader, size_t len, uint8_t *ret_name)
{
    const char *from = reader->bytes + reader->at;
    size_t at = 0;
    for (; len - at >= 8; at += 8) {
        uint64_t word = ascii_lower8(ascii_load8(from + at));
        memcpy(ret_name + at, &word, sizeof(word));
    }
    if (at == len)
        return;
    uint64_t word = le64toh(ascii_load8(from + len - 8)) >> (64 - 8 * (len - at));
    word = htole64(ascii_lower8(word));
    memcpy(ret_name + at, &word, sizeof(word));
}

/* Hops over labels up to the root. Returns the bytes, or 0: not a name, or not a whole one. */
static size_t measure_name(const struct reader *reader, uint8_t *ret_labels)
{
    size_t left = reader->len - reader->at;
    const unsigned char *name = (const unsigned char *)reader->bytes + reader->at;
    size_t at = 0;
    uint8_t n_labels = 0;
    left = left < DNS_NAME_MAX ? left : DNS_NAME_MAX;
    while (at < left && name[at] != 0) {
        if (name[at] > DNS_LABEL_MAX)
            return 0;
        at += (size_t)name[at] + 1;
        n_labels++;
    }
    *ret_labels = n_labels;
    return at < left ? at + 1 : 0;
}

static int parse_question(struct reader *reader, struct dns_query *query)
{
    size_t len = measure_name(reader, &query->n_labels);
    if (len == 0 || reader->len - reader->at - len < 4)
        return DNS_FORMERR;
    fold_name(reader, len, query->name);
    const char *start = reader->bytes + reader->at;
    query->name_len = (uint8_t)len;
    query->type = dns_get16(start + len);
    query->class = dns_get16(start + len + 2);
    query->question = slice_make(start, len + 4);
    query->has_question = true;
    reader->at += len + 4;
    return DNS_OK;
}

/* ---- records --------------------------------------------------------------------------------- */

/* A name may end with a pointer here. Fails where it is cut, too long or neither. */
static int skip_name(struct reader *reader)
{
    size_t end = reader->len - reader->at < DNS_NAME_MAX ? reader->len : reader->at + DNS_NAME_MAX;
    while (reader->at < end) {
        unsigned char len = (unsigned char)reader->bytes[reader->at++];
        if (len == 0)
            return 0;
        if (len >= POINTER) {
            reader->at++;
            return reader->at <= reader->len ? 0 : -1;
        }
        if (len > DNS_LABEL_MAX)
            return -1;
        reader->at += len;
    }
    return -1;
}

static int take_record(struct reader *reader, struct record *ret_record)
{
    size_t start = reader->at;
    if (skip_name(reader) < 0 || reader->len - reader->at < RECORD_BYTES)
        return -1;
    const char *fixed = reader->bytes + reader->at;
    size_t data_len = dns_get16(fixed + 8);
    ret_record->name = slice_make(reader->bytes + start, reader->at - start);
    reader->at += RECORD_BYTES;
    if (reader->len - reader->at < data_len)
        return -1;
    ret_record->type = dns_get16(fixed);
    ret_record->class = dns_get16(fixed + 2);
    ret_record->ttl = dns_get32(fixed + 4);
    ret_record->data = slice_make(fixed + RECORD_BYTES, data_len);
    reader->at += data_len;
    ret_record->whole = slice_make(reader->bytes + start, reader->at - start);
    return 0;
}

/* ---- OPT ------------------------------------------------------------------------------------- */

static int parse_cookie(struct slice data, struct dns_query *query)
{
    if (query->cookie.len > 0)
        return DNS_OK;
    if (data.len != DNS_CLIENT_COOKIE_BYTES &&
        (data.len < DNS_COOKIE_MIN || data.len > DNS_COOKIE_MAX))
        return DNS_FORMERR;
    query->cookie = data;
    return DNS_OK;
}

/* The bits of the last byte that are behind the prefix. */
static uint8_t loose_bits(struct slice address, uint8_t n_bits)
{
    if (n_bits % 8 == 0)
        return 0;
    return (uint8_t)address.ptr[address.len - 1] & (uint8_t)(0xff >> n_bits % 8);
}

static void take_address(struct slice address, struct dns_subnet *subnet)
{
    subnet->addr = (struct addr){.len = 0};
    if (subnet->family == FAMILY_IPV4) {
        subnet->addr.len = sizeof(subnet->addr.in4);
        subnet->addr.in4.sin_family = AF_INET;
        memcpy(&subnet->addr.in4.sin_addr, address.ptr, address.len);
    } else if (subnet->family == FAMILY_IPV6) {
        subnet->addr.len = sizeof(subnet->addr.in6);
        subnet->addr.in6.sin6_family = AF_INET6;
        memcpy(&subnet->addr.in6.sin6_addr, address.ptr, address.len);
    }
}

static int parse_subnet(struct slice data, struct dns_query *query)
{
    static const uint8_t most_bits[] = {0, 32, 128};
    if (query->has_subnet)
        return DNS_OK;
    if (data.len < SUBNET_HEAD_BYTES)
        return DNS_FORMERR;
    uint16_t family = dns_get16(data.ptr);
    uint8_t bits = (uint8_t)data.ptr[2];
    struct slice address = slice_skip(data, SUBNET_HEAD_BYTES);
    if (family > FAMILY_IPV6 || bits > most_bits[family] || data.ptr[3] != 0 ||
        address.len != (bits + 7u) / 8u || loose_bits(address, bits) != 0)
        return DNS_FORMERR;
    query->has_subnet = true;
    query->subnet.family = family;
    query->subnet.source_bits = bits;
    query->subnet.scope_bits = 0;
    take_address(address, &query->subnet);
    return DNS_OK;
}

static int parse_option(uint16_t code, struct slice data, struct dns_query *query)
{
    switch (code) {
    case DNS_OPTION_COOKIE:
        return parse_cookie(data, query);
    case DNS_OPTION_SUBNET:
        return parse_subnet(data, query);
    case DNS_OPTION_NSID:
        query->is_nsid_wanted = true;
        return DNS_OK;
    case DNS_OPTION_KEEPALIVE:
        query->has_keepalive = true;
        return DNS_OK;
    default:
        return DNS_OK;
    }
}

static int parse_options(struct slice options, struct dns_query *query)
{
    while (options.len > 0) {
        if (options.len < 4)
            return DNS_FORMERR;
        uint16_t code = dns_get16(options.ptr);
        size_t len = dns_get16(options.ptr + 2);
        options = slice_skip(options, 4);
        if (options.len < len)
            return DNS_FORMERR;
        int verdict = parse_option(code, slice_make(options.ptr, len), query);
        if (verdict != DNS_OK)
            return verdict;
        options = slice_skip(options, len);
    }
    return DNS_OK;
}

static int parse_opt(const struct record *record, struct dns_query *query)
{
    if (query->has_edns || record->name.len != 1)
        return DNS_FORMERR;
    query->has_edns = true;
    query->udp_bytes = record->class > DNS_UDP_PLAIN ? record->class : DNS_UDP_PLAIN;
    query->edns_version = (uint8_t)(record->ttl >> 16);
    query->is_dnssec_ok = (record->ttl & OPT_DO) != 0;
    return query->edns_version == EDNS_VERSION ? parse_options(record->data, query) : DNS_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Where a response may repeat the name: it is whole, or ends within the question's name, which
 * stands in the response where it stood in the query. */
static bool is_repeatable(struct slice name, const struct dns_query *query)
{
    if (dns_name_is_valid(name))
        return true;
    size_t to = dns_get16(name.ptr + name.len - 2) & 0x3fff;
    return to >= DNS_HEADER_BYTES && to < DNS_HEADER_BYTES + (size_t)query->name_len;
}

/* Its data: the algorithm's name, fixed fields, and as many bytes as they say (RFC 8945 4.2). */
static bool is_tsig(const struct record *record)
{
    struct reader reader = {record->data.ptr, record->data.len, 0};
    uint8_t n_labels;
    size_t len = measure_name(&reader, &n_labels);
    if (record->class != DNS_CLASS_ANY || record->ttl != 0 || len == 0)
        return false;
    struct slice rest = slice_skip(record->data, len);
    if (rest.len < TSIG_FIXED_BYTES)
        return false;
    size_t mac_len = dns_get16(rest.ptr + 8);
    rest.len -= TSIG_FIXED_BYTES;
    return rest.len >= mac_len && rest.len - mac_len == dns_get16(rest.ptr + 14 + mac_len);
}

static int parse_additional(struct reader *reader, uint16_t n, struct dns_query *query)
{
    for (uint16_t i = 0; i < n; i++) {
        struct record record;
        if (query->tsig.len > 0 || take_record(reader, &record) < 0)
            return DNS_FORMERR;
        if (record.type == DNS_OPT) {
            int verdict = parse_opt(&record, query);
            if (verdict != DNS_OK)
                return verdict;
        } else if (record.type == DNS_TSIG) {
            if (!is_tsig(&record) || !is_repeatable(record.name, query))
                return DNS_FORMERR;
            query->tsig = record.whole;
        }
    }
    return DNS_OK;
}

/* The client's copy of the SOA, which says what it has. */
static int skip_ixfr_soa(struct reader *reader, const struct dns_query *query)
{
    struct record record;
    if (query->type != DNS_IXFR || take_record(reader, &record) < 0 || record.type != DNS_SOA)
        return DNS_FORMERR;
    return DNS_OK;
}

static int parse_sections(struct reader *reader, struct dns_query *query)
{
    const char *counts = reader->bytes + COUNTS_AT;
    uint16_t n_questions = dns_get16(counts);
    uint16_t n_authority = dns_get16(counts + 4);
    int verdict = DNS_OK;
    if (n_questions > 1 || dns_get16(counts + 2) != 0 || n_authority > 1)
        return DNS_FORMERR;
    if (n_questions == 1)
        verdict = parse_question(reader, query);
    if (verdict == DNS_OK && n_authority == 1)
        verdict = skip_ixfr_soa(reader, query);
    if (verdict == DNS_OK)
        verdict = parse_additional(reader, dns_get16(counts + 6), query);
    if (verdict != DNS_OK)
        return verdict;
    if (reader->at != reader->len || (n_questions == 0 && query->cookie.len == 0))
        return DNS_FORMERR;
    if (query->tsig.len > 0)
        return DNS_NOTAUTH;
    return query->edns_version == EDNS_VERSION ? DNS_OK : DNS_BADVERS;
}

int dns_query_parse(struct slice packet, struct dns_query *ret_query)
{
    struct reader reader = {packet.ptr, packet.len, DNS_HEADER_BYTES};
    if (packet.len < DNS_HEADER_BYTES)
        return DNS_SILENCE;
    uint16_t flags = dns_get16(packet.ptr + FLAGS_AT);
    if ((flags & DNS_QR) != 0)
        return DNS_SILENCE;
    memset(ret_query, 0, offsetof(struct dns_query, subnet));
    ret_query->id = dns_get16(packet.ptr);
    ret_query->opcode = flags >> DNS_OPCODE_SHIFT & DNS_OPCODE_MASK;
    ret_query->is_recursion_wanted = (flags & DNS_RD) != 0;
    ret_query->is_checking_disabled = (flags & DNS_CD) != 0;
    ret_query->udp_bytes = DNS_UDP_PLAIN;
    if (ret_query->opcode != DNS_QUERY)
        return DNS_NOTIMP;
    return parse_sections(&reader, ret_query);
}
