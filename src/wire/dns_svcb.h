/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_DNS_SVCB_H
#define WIRE_DNS_SVCB_H

/*
 * The parameters of SVCB and HTTPS records (RFC 9460 section 2): keys with values, which say how a
 * service is reached. For dns_rdata.h alone.
 *
 *     text   alpn="h2,h3" port=8443 ipv4hint=192.0.2.1
 *     wire   key 2 bytes | length 2 bytes | value, keys in rising order, none twice
 *
 *     key  name             value
 *     0    mandatory        names of keys that must be understood, each among those that are there
 *     1    alpn             protocols, each of 1 to 255 bytes; \, and \\ within one (appendix A.1)
 *     2    no-default-alpn  none; wants alpn
 *     3    port             a number
 *     4    ipv4hint         addresses
 *     5    ech              base64
 *     6    ipv6hint         addresses
 *     7    dohpath          a path with {?dns} (RFC 9461 section 5)
 *     8    ohttp            none (RFC 9540)
 *          key9..key65534   any bytes, also the keys above in their wire form
 *
 * In alias form (priority 0) parameters may stand and mean nothing (section 2.4.2).
 */

#include "base/err.h"
#include "base/text.h"
#include "wire/dns_token.h"
#include <stdbool.h>

/* Words of the form key or key=value into wire form, in any order. Returns the bytes, or -1 with a
 * sentence. */
int dns_svcb_read(const struct dns_token *tokens, size_t n_tokens, uint8_t *out, size_t cap,
                  struct err *err);

/* The text, each parameter with a blank before it; valid ones. */
void dns_svcb_show(struct slice params, struct text *out);

bool dns_svcb_is_valid(struct slice params);

#endif
