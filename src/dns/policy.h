/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_POLICY_H
#define DNS_POLICY_H

/*
 * From the bytes of a query to those of its response: what a listener decides before and after the
 * zones are asked. UDP and TCP use the same, and neither a socket nor a clock is in it.
 *
 *     packet -> dns_query_parse -> cookie -> CHAOS, transfers, ANY, or answer_write() -> rate
 *            -> OPT -> bytes
 *
 *     what is asked              response
 *     ------------------------   ----------------------------------------------------------
 *     a response, a fragment     none: to answer would be to play ping-pong
 *     another opcode             NOTIMP
 *     malformed                  FORMERR
 *     EDNS above version 0       BADVERS (RFC 6891 section 6.1.3)
 *     a signed query             NOTAUTH with BADKEY (RFC 8945 section 5.2.1)
 *     CH TXT id.server           `id`; hostname.bind the same (RFC 4892)
 *     CH TXT version.server      `version`; version.bind the same
 *     another class              REFUSED
 *     AXFR, IXFR                 REFUSED; other types that are no data: NOTIMP
 *     ANY                        HINFO "RFC8482" (RFC 8482 section 4.2), where the name has data
 *     a name of no zone          REFUSED
 *     anything else              what the zone says
 *
 * A response over UDP has at most min(what the client takes, `edns-size`) bytes, 512 without EDNS;
 * what does not fit is cut at a border of record sets and says TC. A response over a rate
 * (limit/rrl.h) is not sent, or is sent as a header with TC, to who asks over UDP without one of
 * our cookies (RFC 7873). One that is an error is never sent so: TC would promise over TCP what is
 * not there, NOERROR would hide what is wrong, and who signed its query takes neither without a
 * signature (RFC 8945 section 5.4). It says no NSID either: so what is sent over a rate is no
 * larger than its query, but for a cookie of ours, 16 bytes.
 */

#include "base/rng.h"
#include "core/metric.h"
#include "dns/answer.h"
#include "limit/rrl.h"
#include "wire/dns_cookie.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DESK_KEYS_MAX = 4 }; /* secrets that cookies are known by; the first makes them */

/* The rates of a listener in one loop. */
struct desk_rates {
    struct rrl *rrl; /* NULL: nothing is limited */
    struct rrl_rate answers, negatives, errors, total;
    uint32_t slip;
    unsigned ipv4_bits, ipv6_bits;
    const struct addr_net *const *exempt; /* none: loopback */
    size_t n_exempt;
};

/* A listener in one loop: all that an answer needs. */
struct dns_desk {
    const struct answer_view *view; /* what there is to answer from just now */
    metric_word *row;               /* of dns_metrics */
    struct slice id, nsid, version; /* empty: not told */
    uint16_t edns_bytes;
    uint16_t idle_ticks; /* of 100 ms, told over TCP (RFC 7828) */
    bool has_cookies;
    size_t n_keys;
    uint8_t keys[DESK_KEYS_MAX][DNS_COOKIE_KEY_BYTES];
    struct desk_rates rates;
    struct rng rng;
};

struct desk_ask {
    struct slice packet;
    const struct addr *from;
    bool is_tcp;
    bool is_closing; /* the connection has no more to hope for */
    uint64_t now_ms; /* monotonic */
    uint32_t wall_s; /* since 1970 */
};

/* Bytes of `out` that are enough for any response over UDP. */
enum { DESK_UDP_BYTES = 4096 };

/*
 * Writes the response to out, which has room for DESK_UDP_BYTES, over TCP for DNS_MESSAGE_MAX.
 * Returns its length, or 0 where nothing is to be sent.
 */
size_t desk_answer(struct dns_desk *desk, const struct desk_ask *ask, uint8_t *out);

#endif
