/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_DNS_OPT_H
#define WIRE_DNS_OPT_H

/*
 * The records that a server puts behind its answer: OPT (RFC 6891 section 6.1), and the TSIG record
 * of a server that knows no key.
 *
 *     00 | 00 29 | UDP bytes 2 | rcode >> 4 | version 0 | DO, zeros 2 | length 2 | options
 *
 * An answer leaves dns_opt_bytes() free at its end; who appends the record counts it in ARCOUNT.
 */

#include "base/slice.h"
#include "wire/dns.h"
#include "wire/dns_query.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dns_opt {
    uint16_t udp_bytes; /* the largest message over UDP that we take */
    uint16_t rcode;     /* the whole; its low four bits belong into the header */
    bool is_dnssec_ok;  /* as the query has it (RFC 3225 section 3) */
    bool has_keepalive;
    uint16_t keepalive_ticks;        /* of 100 ms: idle time of a connection (RFC 7828) */
    struct slice nsid;               /* empty: none */
    struct slice client_cookie;      /* the client's 8 bytes; empty: no cookie */
    struct slice server_cookie;      /* ours, 8 to 32 bytes (RFC 7873 section 4.2) */
    const struct dns_subnet *subnet; /* with its scope; NULL: none */
};

/* The bytes that dns_opt_write() will take. */
size_t dns_opt_bytes(const struct dns_opt *opt);

/* Returns the bytes, 0 where `cap` is too small. */
size_t dns_opt_write(const struct dns_opt *opt, uint8_t *out, size_t cap);

/*
 * The TSIG record of a response to a query that came with `tsig`: BADKEY, without a signature (RFC
 * 8945 section 5.3.2). It is shorter than that one by the signature. Returns its bytes, 0 where
 * `cap` is too small. The response has the query's question.
 */
size_t dns_tsig_write(struct slice tsig, uint8_t *out, size_t cap);

#endif
