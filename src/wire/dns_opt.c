/* SPDX-License-Identifier: Apache-2.0 */

/*
 * OPT and TSIG records of responses.
 */

#include "wire/dns_opt.h"
#include "wire/dns_name.h"

enum {
    OPT_BYTES = 11,
    OPTION_BYTES = 4, /* code, length */
    KEEPALIVE_BYTES = 2,
    SUBNET_BYTES = 4, /* without the address */
    OPT_DO = 0x80,
    RECORD_BYTES = 10,   /* of a record behind its name */
    TSIG_TIME_BYTES = 8, /* time, fudge */
    TSIG_BYTES = 16,
};

/* ---- OPT ------------------------------------------------------------------------------------- */

static size_t address_bytes(const struct dns_subnet *subnet)
{
    return (subnet->source_bits + 7u) / 8u;
}

static size_t options_bytes(const struct dns_opt *opt)
{
    size_t len = 0;
    if (opt->nsid.len > 0)
        len += OPTION_BYTES + opt->nsid.len;
    if (opt->client_cookie.len > 0)
        len += OPTION_BYTES + opt->client_cookie.len + opt->server_cookie.len;
    if (opt->subnet != NULL)
        len += OPTION_BYTES + SUBNET_BYTES + address_bytes(opt->subnet);
    if (opt->has_keepalive)
        len += OPTION_BYTES + KEEPALIVE_BYTES;
    return len;
}

size_t dns_opt_bytes(const struct dns_opt *opt)
{
    return OPT_BYTES + options_bytes(opt);
}

static uint8_t *put_bytes(uint8_t *at, struct slice bytes)
{
    if (bytes.len > 0)
        memcpy(at, bytes.ptr, bytes.len);
    return at + bytes.len;
}

static uint8_t *put_head(uint8_t *at, enum dns_option code, size_t len)
{
    dns_put16(at, (uint16_t)code);
    dns_put16(at + 2, (uint16_t)len);
    return at + OPTION_BYTES;
}

/* RFC 7871 section 7.1.3: as the query has it, with the scope. */
static uint8_t *put_subnet(uint8_t *at, const struct dns_subnet *subnet)
{
    size_t len = address_bytes(subnet);
    const char *address = subnet->addr.len > 0 && addr_family(&subnet->addr) == AF_INET6
                              ? (const char *)&subnet->addr.in6.sin6_addr
                              : (const char *)&subnet->addr.in4.sin_addr;
    at = put_head(at, DNS_OPTION_SUBNET, SUBNET_BYTES + len);
    dns_put16(at, subnet->family);
    at[2] = subnet->source_bits;
    at[3] = subnet->scope_bits;
    return put_bytes(at + SUBNET_BYTES, slice_make(address, len));
}

static uint8_t *put_options(uint8_t *at, const struct dns_opt *opt)
{
    if (opt->nsid.len > 0)
        at = put_bytes(put_head(at, DNS_OPTION_NSID, opt->nsid.len), opt->nsid);
    if (opt->client_cookie.len > 0) {
        at = put_head(at, DNS_OPTION_COOKIE, opt->client_cookie.len + opt->server_cookie.len);
        at = put_bytes(put_bytes(at, opt->client_cookie), opt->server_cookie);
    }
    if (opt->subnet != NULL)
        at = put_subnet(at, opt->subnet);
    if (opt->has_keepalive) {
        at = put_head(at, DNS_OPTION_KEEPALIVE, KEEPALIVE_BYTES);
        dns_put16(at, opt->keepalive_ticks);
        at += KEEPALIVE_BYTES;
    }
    return at;
}

size_t dns_opt_write(const struct dns_opt *opt, uint8_t *out, size_t cap)
{
    size_t len = options_bytes(opt);
    if (cap < OPT_BYTES + len)
        return 0;
    out[0] = 0;
    dns_put16(out + 1, DNS_OPT);
    dns_put16(out + 3, opt->udp_bytes);
    out[5] = (uint8_t)(opt->rcode >> 4);
    out[6] = 0;
    out[7] = opt->is_dnssec_ok ? OPT_DO : 0;
    out[8] = 0;
    dns_put16(out + 9, (uint16_t)len);
    return (size_t)(put_options(out + OPT_BYTES, opt) - out);
}

/* ---- TSIG ------------------------------------------------------------------------------------ */

/* The bytes of its owner's name, which is whole or ends in a pointer. */
static size_t owner_bytes(struct slice tsig)
{
    size_t at = 0;
    while (tsig.ptr[at] != 0) {
        if ((unsigned char)tsig.ptr[at] > DNS_LABEL_MAX)
            return at + 2;
        at += (size_t)(unsigned char)tsig.ptr[at] + 1;
    }
    return at + 1;
}

size_t dns_tsig_write(struct slice tsig, uint8_t *out, size_t cap)
{
    size_t data_at = owner_bytes(tsig) + RECORD_BYTES;
    struct slice data = slice_skip(tsig, data_at);
    size_t algorithm_len = dns_name_measure(data);
    const char *fixed = data.ptr + algorithm_len;
    size_t mac_len = dns_get16(fixed + TSIG_TIME_BYTES);
    size_t head_len = data_at + algorithm_len + TSIG_TIME_BYTES;
    size_t len = data_at + algorithm_len + TSIG_BYTES;
    if (cap < len)
        return 0;
    memcpy(out, tsig.ptr, head_len);
    dns_put16(out + data_at - 2, (uint16_t)(len - data_at));
    dns_put16(out + head_len, 0);                                         /* MAC size */
    memcpy(out + head_len + 2, fixed + TSIG_TIME_BYTES + 2 + mac_len, 2); /* original id */
    dns_put16(out + head_len + 4, DNS_BADKEY);
    dns_put16(out + head_len + 6, 0); /* other length */
    return len;
}
