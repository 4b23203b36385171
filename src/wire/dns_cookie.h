/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_DNS_COOKIE_H
#define WIRE_DNS_COOKIE_H

/*
 * Server cookies (RFC 7873, in the form of RFC 9018 section 4, so that servers of several makes may
 * share an address): who sends one back has got an answer at its address, and so is who it says.
 *
 *     client cookie 8 | version 1 | reserved 3 | time 4 | hash 8
 *     `---- from the client ----'`---------- server cookie ----------'
 *     hash = SipHash-2-4(all before it, the client's address; key)
 *
 * Nothing is kept about anybody. A key that is replaced still checks for an hour what it made: try
 * the new one, then the old.
 */

#include "base/addr.h"
#include "base/slice.h"
#include "wire/dns_query.h"
#include <stdint.h>

enum {
    DNS_COOKIE_KEY_BYTES = 16,
    DNS_SERVER_COOKIE_BYTES = 16,
    DNS_COOKIE_LIFE_S = 3600,  /* older ones are no good; RFC 9018 section 4.3 */
    DNS_COOKIE_RENEW_S = 1800, /* from this age on a new one is due */
    DNS_COOKIE_AHEAD_S = 300,  /* how far ahead of ours another server's clock may be */
};

enum dns_cookie_state { DNS_COOKIE_FRESH = 0, DNS_COOKIE_RENEW = 1, DNS_COOKIE_BAD = -1 };

/*
 * The server's part for the client whose cookie is `cookie` (its first DNS_CLIENT_COOKIE_BYTES
 * count). `from` is an IP address, its port does not count, and an IPv4-mapped one is IPv4; now_s
 * are seconds since 1970, modulo 2^32.
 */
void dns_cookie_make(const uint8_t key[DNS_COOKIE_KEY_BYTES], struct slice cookie,
                     const struct addr *from, uint32_t now_s,
                     uint8_t ret_server[DNS_SERVER_COOKIE_BYTES]);

/* What a whole cookie, of the client and of the server, is worth. */
enum dns_cookie_state dns_cookie_check(const uint8_t key[DNS_COOKIE_KEY_BYTES], struct slice cookie,
                                       const struct addr *from, uint32_t now_s);

#endif
