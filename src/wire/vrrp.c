/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading and writing the advertisement of VRRP, and what of it counts.
 */

#include "wire/vrrp.h"

#include "wire/ip_sum.h"

#include <assert.h>
#include <string.h>

enum {
    IP4_HEAD_BYTES = 20,
    TYPE_ADVERTISEMENT = 1,
    V2_AUTH_BYTES = 8,
    CHECKSUM_AT = 6,
    CS_PER_SECOND = 100,
    V2_INTERVAL_MAX_S = 255,
};

static const struct refusal {
    const char *name;
    const char *text;
} refusals[VRRP_REFUSALS] = {
    [VRRP_FINE] = {"fine", "it is as it should be"},
    [VRRP_REFUSED_IP] = {"ip", "the IP header is not one of VRRP"},
    [VRRP_REFUSED_FRAGMENT] = {"fragment", "it is a fragment"},
    [VRRP_REFUSED_SHORT] = {"short", "it is shorter than it says"},
    [VRRP_REFUSED_VERSION] = {"version", "its version is neither 2 nor 3, or 2 over IPv6"},
    [VRRP_REFUSED_TYPE] = {"type", "it is no advertisement"},
    [VRRP_REFUSED_VRID_ZERO] = {"id_zero", "its router id is 0"},
    [VRRP_REFUSED_COUNT] = {"count", "it names no address"},
    [VRRP_REFUSED_INTERVAL] = {"interval", "its interval is 0"},
    [VRRP_REFUSED_AUTH] = {"auth", "it has an authentication, which version 2 has no longer"},
    [VRRP_REFUSED_CHECKSUM] = {"checksum", "its checksum is wrong in every form"},
    [VRRP_REFUSED_LINK_LOCAL] = {"link_local", "its first IPv6 address is not link-local"},
    [VRRP_REFUSED_ECHO] = {"echo", "it comes from our own address"},
    [VRRP_REFUSED_TTL] = {"ttl", "its TTL says that it came over a router"},
    [VRRP_REFUSED_OTHER_VERSION] = {"other_version", "its version is not the one configured"},
    [VRRP_REFUSED_VRID] = {"id", "its router id is of no group here"},
    [VRRP_REFUSED_CAST] = {"cast", "it is multicast where unicast is configured, or the reverse"},
    [VRRP_REFUSED_PEER] = {"peer", "its sender is none of the peers"},
    [VRRP_REFUSED_OTHER_INTERVAL] = {"other_interval",
                                     "its interval is not ours, as version 2 demands"},
};

const char *vrrp_refusal_name(enum vrrp_refusal refusal)
{
    assert(refusal < VRRP_REFUSALS);
    return refusals[refusal].name;
}

const char *vrrp_refusal_text(enum vrrp_refusal refusal)
{
    assert(refusal < VRRP_REFUSALS);
    return refusals[refusal].text;
}

/* ---- addresses --------------------------------------------------------------------------------*/

struct vrrp_ip vrrp_ip_make(const uint8_t *bytes, size_t n_bytes)
{
    struct vrrp_ip ip = {.n_bytes = (uint8_t)n_bytes};
    assert(n_bytes == 4 || n_bytes == 16);
    memcpy(ip.bytes, bytes, n_bytes);
    return ip;
}

struct vrrp_ip vrrp_ip_of(const struct addr *addr)
{
    switch (addr->len ? addr_family(addr) : AF_UNSPEC) {
    case AF_INET:
        return vrrp_ip_make((const uint8_t *)&addr->in4.sin_addr, sizeof(addr->in4.sin_addr));
    case AF_INET6:
        return vrrp_ip_make((const uint8_t *)&addr->in6.sin6_addr, sizeof(addr->in6.sin6_addr));
    default:
        return (struct vrrp_ip){.n_bytes = 0};
    }
}

struct addr vrrp_ip_addr(const struct vrrp_ip *ip)
{
    struct addr addr = {.len = 0};
    switch (ip->n_bytes) {
    case sizeof(addr.in4.sin_addr):
        addr.len = sizeof(addr.in4);
        addr.in4.sin_family = AF_INET;
        memcpy(&addr.in4.sin_addr, ip->bytes, sizeof(addr.in4.sin_addr));
        return addr;
    case sizeof(addr.in6.sin6_addr):
        addr.len = sizeof(addr.in6);
        addr.in6.sin6_family = AF_INET6;
        memcpy(&addr.in6.sin6_addr, ip->bytes, sizeof(addr.in6.sin6_addr));
        return addr;
    default:
        return addr;
    }
}

const char *vrrp_ip_format(const struct vrrp_ip *ip, char text[ADDR_TEXT_MAX])
{
    struct addr addr = vrrp_ip_addr(ip);
    return addr_format_ip(&addr, text);
}

int vrrp_ip_compare(const struct vrrp_ip *a, const struct vrrp_ip *b)
{
    if (a->n_bytes != b->n_bytes)
        return a->n_bytes - b->n_bytes;
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool vrrp_ip_is_multicast(const struct vrrp_ip *ip)
{
    if (ip->n_bytes == 4)
        return (ip->bytes[0] & 0xf0) == 0xe0;
    return ip->n_bytes == 16 && ip->bytes[0] == 0xff;
}

struct vrrp_ip vrrp_group(bool is_ipv6)
{
    if (is_ipv6)
        return (struct vrrp_ip){16, {0xff, 0x02, [15] = 0x12}};
    return (struct vrrp_ip){4, {224, 0, 0, 18}};
}

static size_t address_bytes(bool is_ipv6)
{
    return is_ipv6 ? 16 : 4;
}

struct vrrp_ip vrrp_advert_address(const struct vrrp_advert *advert, size_t index)
{
    size_t size = address_bytes(advert->is_ipv6);
    assert((index + 1) * size <= advert->addresses.len);
    return vrrp_ip_make((const uint8_t *)advert->addresses.ptr + index * size, size);
}

static bool is_link_local(const uint8_t *bytes)
{
    return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

/* ---- checksum ---------------------------------------------------------------------------------*/

/* The sum of the pseudo header: RFC 5798 section 5.2.8, RFC 8200 section 8.1. */
static uint64_t pseudo_sum(const struct vrrp_ip *source, const struct vrrp_ip *target, size_t len)
{
    uint8_t tail[8] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                       (uint8_t)len, [7] = VRRP_PROTOCOL};
    uint64_t sum = ip_sum(0, source->bytes, source->n_bytes);
    sum = ip_sum(sum, target->bytes, target->n_bytes);
    /* IPv4 has the same numbers in 4 bytes, which add up to the same. */
    return ip_sum(sum, tail, sizeof(tail));
}

static bool is_right(uint64_t before, struct slice message)
{
    return ip_sum_end(ip_sum(before, (const uint8_t *)message.ptr, message.len)) == 0;
}

/* The form in which the checksum of `message`, the first part of `payload`, is right. */
static bool find_checksum(struct slice payload, struct slice message,
                          const struct vrrp_carrier *carrier, struct vrrp_advert *advert)
{
    const struct vrrp_ip *source = &carrier->source;
    struct vrrp_ip group = vrrp_group(advert->is_ipv6);
    if (advert->version == 2) {
        advert->checksum = VRRP_CHECKSUM_RFC9568;
        return is_right(0, message);
    }
    advert->checksum = VRRP_CHECKSUM_RFC5798;
    if (is_right(pseudo_sum(source, &carrier->target, message.len), message))
        return true;
    /* A kernel that sums for its user takes a trailer into the sum of IPv6. */
    if (advert->is_ipv6)
        return is_right(pseudo_sum(source, &carrier->target, payload.len), payload);
    advert->checksum = VRRP_CHECKSUM_RFC9568;
    if (is_right(0, message))
        return true;
    advert->checksum = VRRP_CHECKSUM_GROUP;
    return !vrrp_ip_is_multicast(&carrier->target) &&
           is_right(pseudo_sum(source, &group, message.len), message);
}

/* ---- reading ----------------------------------------------------------------------------------*/

enum vrrp_refusal vrrp_carrier_read(struct slice packet, struct vrrp_carrier *ret_carrier,
                                    struct slice *ret_payload)
{
    const uint8_t *p = (const uint8_t *)packet.ptr;
    if (packet.len < IP4_HEAD_BYTES || p[0] >> 4 != 4 || p[9] != VRRP_PROTOCOL)
        return VRRP_REFUSED_IP;
    size_t head = (p[0] & 0xfU) * 4;
    size_t total = (size_t)p[2] << 8 | p[3];
    if (head < IP4_HEAD_BYTES || total < head || total > packet.len)
        return VRRP_REFUSED_IP;
    if ((p[6] & 0x3f) != 0 || p[7] != 0)
        return VRRP_REFUSED_FRAGMENT;
    *ret_carrier = (struct vrrp_carrier){
        .source = vrrp_ip_make(p + 12, 4), .target = vrrp_ip_make(p + 16, 4), .ttl = p[8]};
    *ret_payload = slice_make(packet.ptr + head, total - head);
    return VRRP_FINE;
}

/* The first 8 bytes. */
static enum vrrp_refusal parse_head(const uint8_t *p, struct vrrp_advert *advert)
{
    advert->version = p[0] >> 4;
    if (advert->version != 3 && (advert->version != 2 || advert->is_ipv6))
        return VRRP_REFUSED_VERSION;
    if ((p[0] & 0xf) != TYPE_ADVERTISEMENT)
        return VRRP_REFUSED_TYPE;
    advert->vrid = p[1];
    if (advert->vrid == 0)
        return VRRP_REFUSED_VRID_ZERO;
    advert->priority = p[2];
    if (p[3] == 0) /* erratum 8299 */
        return VRRP_REFUSED_COUNT;
    if (advert->version == 2 && p[4] != 0)
        return VRRP_REFUSED_AUTH;
    /* What is reserved in version 3 is not looked at (RFC 9568 section 5.2.6). */
    advert->interval_cs =
        (uint16_t)(advert->version == 2 ? p[5] * CS_PER_SECOND : (p[4] & 0xf) << 8 | p[5]);
    return advert->interval_cs == 0 ? VRRP_REFUSED_INTERVAL : VRRP_FINE; /* erratum 8301 */
}

enum vrrp_refusal vrrp_parse(struct slice payload, const struct vrrp_carrier *carrier,
                             struct vrrp_advert *ret_advert)
{
    const uint8_t *p = (const uint8_t *)payload.ptr;
    struct vrrp_advert advert = {.is_ipv6 = carrier->source.n_bytes == 16};
    if (payload.len < VRRP_HEAD_BYTES)
        return VRRP_REFUSED_SHORT;
    enum vrrp_refusal refusal = parse_head(p, &advert);
    if (refusal)
        return refusal;
    size_t n_bytes = p[3] * address_bytes(advert.is_ipv6);
    size_t whole = VRRP_HEAD_BYTES + n_bytes + (advert.version == 2 ? V2_AUTH_BYTES : 0);
    if (payload.len < whole)
        return VRRP_REFUSED_SHORT;
    advert.addresses = slice_make(payload.ptr + VRRP_HEAD_BYTES, n_bytes);
    if (!find_checksum(payload, slice_make(payload.ptr, whole), carrier, &advert))
        return VRRP_REFUSED_CHECKSUM;
    if (advert.is_ipv6 && !is_link_local(p + VRRP_HEAD_BYTES)) /* erratum 8300 */
        return VRRP_REFUSED_LINK_LOCAL;
    *ret_advert = advert;
    return VRRP_FINE;
}

/* ---- what counts ------------------------------------------------------------------------------*/

static bool is_peer(const struct vrrp_expect *expect, const struct vrrp_ip *source)
{
    for (size_t i = 0; i < expect->n_peers; i++) {
        if (vrrp_ip_compare(&expect->peers[i], source) == 0)
            return true;
    }
    return expect->n_peers == 0;
}

/* Whether each address of `some` is in `all`. */
static bool holds_all(struct slice all, struct slice some, size_t size)
{
    for (size_t i = 0; i + size <= some.len; i += size) {
        size_t at = 0;
        while (at + size <= all.len && memcmp(all.ptr + at, some.ptr + i, size) != 0)
            at += size;
        if (at + size > all.len)
            return false;
    }
    return true;
}

/* As sets: the order is nobody's business. */
static bool are_same(struct slice a, struct slice b, size_t size)
{
    return slice_equal(a, b) || (holds_all(a, b, size) && holds_all(b, a, size));
}

static bool is_cast_right(const struct vrrp_expect *expect, const struct vrrp_ip *target)
{
    struct vrrp_ip group = vrrp_group(target->n_bytes == 16);
    return expect->is_unicast ? !vrrp_ip_is_multicast(target)
                              : vrrp_ip_compare(target, &group) == 0;
}

enum vrrp_refusal vrrp_accept(const struct vrrp_expect *expect, const struct vrrp_carrier *carrier,
                              const struct vrrp_advert *advert, unsigned *ret_oddities)
{
    bool is_other_interval = advert->interval_cs != expect->interval_cs;
    if (vrrp_ip_compare(&carrier->source, &expect->source) == 0)
        return VRRP_REFUSED_ECHO;
    if (carrier->ttl < expect->ttl_min)
        return VRRP_REFUSED_TTL;
    if (advert->version != expect->version)
        return VRRP_REFUSED_OTHER_VERSION;
    if (advert->vrid != expect->vrid)
        return VRRP_REFUSED_VRID;
    if (!is_cast_right(expect, &carrier->target))
        return VRRP_REFUSED_CAST;
    if (!is_peer(expect, &carrier->source))
        return VRRP_REFUSED_PEER;
    if (advert->version == 2 && is_other_interval) /* RFC 3768 section 7.1 */
        return VRRP_REFUSED_OTHER_INTERVAL;
    *ret_oddities = is_other_interval ? VRRP_ODD_INTERVAL : 0;
    if (!are_same(advert->addresses, expect->addresses, address_bytes(advert->is_ipv6)))
        *ret_oddities |= VRRP_ODD_ADDRESSES;
    if (expect->is_owner && advert->priority == VRRP_PRIORITY_OWNER)
        *ret_oddities |= VRRP_ODD_OWNER;
    return VRRP_FINE;
}

/* ---- writing ----------------------------------------------------------------------------------*/

static bool is_writable(const struct vrrp_advert *advert)
{
    size_t size = address_bytes(advert->is_ipv6);
    size_t n = advert->addresses.len / size;
    unsigned interval_s = advert->interval_cs / CS_PER_SECOND;
    if (advert->vrid == 0 || n == 0 || n > VRRP_ADDRESSES_MAX || advert->addresses.len % size)
        return false;
    if (advert->is_ipv6 && !is_link_local((const uint8_t *)advert->addresses.ptr))
        return false;
    if (advert->version == 2)
        return !advert->is_ipv6 && advert->interval_cs % CS_PER_SECOND == 0 && interval_s > 0 &&
               interval_s <= V2_INTERVAL_MAX_S;
    return advert->version == 3 && advert->interval_cs > 0 &&
           advert->interval_cs <= VRRP_INTERVAL_MAX_CS;
}

int vrrp_write(const struct vrrp_advert *advert, const struct vrrp_carrier *carrier, uint8_t *bytes,
               size_t cap)
{
    size_t n_bytes = advert->addresses.len;
    bool is_v2 = advert->version == 2;
    size_t whole = VRRP_HEAD_BYTES + n_bytes + (is_v2 ? V2_AUTH_BYTES : 0);
    if (!is_writable(advert) || whole > cap)
        return -1;
    memset(bytes, 0, whole);
    bytes[0] = (uint8_t)(advert->version << 4 | TYPE_ADVERTISEMENT);
    bytes[1] = advert->vrid;
    bytes[2] = advert->priority;
    bytes[3] = (uint8_t)(n_bytes / address_bytes(advert->is_ipv6));
    bytes[4] = is_v2 ? 0 : (uint8_t)(advert->interval_cs >> 8);
    bytes[5] = (uint8_t)(is_v2 ? advert->interval_cs / CS_PER_SECOND : advert->interval_cs);
    memcpy(bytes + VRRP_HEAD_BYTES, advert->addresses.ptr, n_bytes);

    bool has_pseudo = advert->is_ipv6 || (!is_v2 && advert->checksum != VRRP_CHECKSUM_RFC9568);
    uint64_t sum = has_pseudo ? pseudo_sum(&carrier->source, &carrier->target, whole) : 0;
    uint16_t checksum = ip_sum_end(ip_sum(sum, bytes, whole));
    bytes[CHECKSUM_AT] = (uint8_t)(checksum >> 8);
    bytes[CHECKSUM_AT + 1] = (uint8_t)checksum;
    return (int)whole;
}
