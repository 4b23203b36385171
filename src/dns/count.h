/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_COUNT_H
#define DNS_COUNT_H

/*
 * What a DNS listener counts: the table "dns", labelled with the listener's name, a row a loop.
 *
 * The plan (dns/plan.c) takes the slab of each listener, which lives on across reloads; each loop
 * adds to its own row, from the policy, the UDP socket and the TCP connections. Responses are
 * counted when they are made: what the kernel did not take is counted beside them, as unsent.
 */

#include "core/metric.h"
#include <stdint.h>

/* Types of queries that are told apart; the rest is "other". */
enum {
    DNS_COUNT_A,
    DNS_COUNT_AAAA,
    DNS_COUNT_NS,
    DNS_COUNT_CNAME,
    DNS_COUNT_SOA,
    DNS_COUNT_PTR,
    DNS_COUNT_MX,
    DNS_COUNT_TXT,
    DNS_COUNT_SRV,
    DNS_COUNT_HTTPS,
    DNS_COUNT_ANY,
    DNS_COUNT_OTHER,
    DNS_COUNT_TYPES
};

/* Why a query got no answer from a zone. */
enum dns_refusal {
    DNS_REFUSAL_ZONE,     /* no zone has the name */
    DNS_REFUSAL_CLASS,    /* neither IN nor a name of CH that is told */
    DNS_REFUSAL_TRANSFER, /* AXFR, IXFR */
    DNS_N_REFUSALS
};

enum dns_word {
    DNS_WORD_UDP,
    DNS_WORD_TCP,
    DNS_WORD_TYPE,
    DNS_WORD_RCODE = DNS_WORD_TYPE + DNS_COUNT_TYPES, /* 0..23, and the rest */
    DNS_WORD_EDNS = DNS_WORD_RCODE + 25,
    DNS_WORD_SUBNET,
    DNS_WORD_TRUNCATED,
    DNS_WORD_SILENCE, /* packets that are no query */
    DNS_WORD_REFUSED, /* enum dns_refusal */
    DNS_WORD_RATE_DROPPED = DNS_WORD_REFUSED + DNS_N_REFUSALS,
    DNS_WORD_RATE_SLIPPED,
    DNS_WORD_COOKIE_NEW,  /* a client's alone */
    DNS_WORD_COOKIE_GOOD, /* with one of ours */
    DNS_WORD_COOKIE_BAD,
    DNS_WORD_BATCHES,
    DNS_WORD_SEND_FULL,
    DNS_WORD_SEND_FAILED,
    DNS_WORD_BYTES_IN,
    DNS_WORD_BYTES_OUT,
    DNS_WORD_CONNECTIONS,
    DNS_WORD_CONNECTIONS_ACTIVE, /* gauge */
    DNS_WORD_CONNECTIONS_REFUSED,
    DNS_WORD_EXHAUSTED,
    DNS_WORD_LATE_IDLE,
    DNS_WORD_LATE_QUERY,
    DNS_WORD_LATE_SEND,
    DNS_WORD_SPENT,  /* connections that had all their queries */
    DNS_WORD_WAITED, /* times that a connection was not read because answers waited */
    DNS_WORDS
};

extern const struct metric_table dns_metrics;

/* The word of a query's type. */
uint32_t dns_count_type(uint16_t type);
/* The word of a response code. */
static inline uint32_t dns_count_rcode(uint32_t rcode)
{
    return (uint32_t)DNS_WORD_RCODE + (rcode < 24 ? rcode : 24);
}

#endif
