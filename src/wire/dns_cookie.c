/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Server cookies. Times are compared as serial numbers (RFC 1982), so that 2106 is a day like any.
 */

#include "wire/dns_cookie.h"
#include "base/hash.h"
#include "wire/dns.h"

#include <assert.h>
#include <endian.h>

enum {
    VERSION = 1,
    VERSION_AT = DNS_CLIENT_COOKIE_BYTES,
    TIME_AT = 12,
    HASH_AT = 16,
    WHOLE = DNS_CLIENT_COOKIE_BYTES + DNS_SERVER_COOKIE_BYTES,
};

/* The address's bytes behind what is hashed; returns how many. */
static size_t put_address(const struct addr *from, uint8_t *out)
{
    if (addr_family(from) == AF_INET) {
        memcpy(out, &from->in4.sin_addr, 4);
        return 4;
    }
    assert(addr_family(from) == AF_INET6);
    const uint8_t *bytes = from->in6.sin6_addr.s6_addr;
    size_t skip = IN6_IS_ADDR_V4MAPPED(&from->in6.sin6_addr) ? 12 : 0;
    memcpy(out, bytes + skip, 16 - skip);
    return 16 - skip;
}

/* Of a cookie up to HASH_AT. The hash's bytes are in the order that SipHash defines. */
static uint64_t hash_of(const uint8_t key[DNS_COOKIE_KEY_BYTES], const uint8_t *cookie,
                        const struct addr *from)
{
    struct hash_key words;
    uint8_t input[HASH_AT + 16];
    memcpy(input, cookie, HASH_AT);
    size_t len = HASH_AT + put_address(from, input + HASH_AT);
    memcpy(&words.k0, key, 8);
    memcpy(&words.k1, key + 8, 8);
    words.k0 = le64toh(words.k0);
    words.k1 = le64toh(words.k1);
    return htole64(hash_sip24(&words, slice_make((const char *)input, len)));
}

void dns_cookie_make(const uint8_t key[DNS_COOKIE_KEY_BYTES], struct slice cookie,
                     const struct addr *from, uint32_t now_s,
                     uint8_t ret_server[DNS_SERVER_COOKIE_BYTES])
{
    uint8_t whole[WHOLE] = {0};
    assert(cookie.len >= DNS_CLIENT_COOKIE_BYTES);
    memcpy(whole, cookie.ptr, DNS_CLIENT_COOKIE_BYTES);
    whole[VERSION_AT] = VERSION;
    dns_put32(whole + TIME_AT, now_s);
    uint64_t hash = hash_of(key, whole, from);
    memcpy(whole + HASH_AT, &hash, sizeof(hash));
    memcpy(ret_server, whole + VERSION_AT, DNS_SERVER_COOKIE_BYTES);
}

/* Without a branch on the bytes: how long it takes says nothing about where they differ. */
static bool is_hash(uint64_t hash, const char *bytes)
{
    uint64_t given;
    memcpy(&given, bytes, sizeof(given));
    return (hash ^ given) == 0;
}

enum dns_cookie_state dns_cookie_check(const uint8_t key[DNS_COOKIE_KEY_BYTES], struct slice cookie,
                                       const struct addr *from, uint32_t now_s)
{
    if (cookie.len != WHOLE || cookie.ptr[VERSION_AT] != VERSION)
        return DNS_COOKIE_BAD;
    int32_t age_s = (int32_t)(now_s - dns_get32(cookie.ptr + TIME_AT));
    if (age_s > DNS_COOKIE_LIFE_S || age_s < -DNS_COOKIE_AHEAD_S)
        return DNS_COOKIE_BAD;
    if (!is_hash(hash_of(key, (const uint8_t *)cookie.ptr, from), cookie.ptr + HASH_AT))
        return DNS_COOKIE_BAD;
    return age_s > DNS_COOKIE_RENEW_S ? DNS_COOKIE_RENEW : DNS_COOKIE_FRESH;
}
