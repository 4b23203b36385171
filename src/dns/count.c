/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rows of what is counted.
 */

#include "dns/count.h"

#include "wire/dns.h"

#define QUERIES(at, of)                                                             \
    {                                                                               \
        .name = "queries", .word = (at), .label = "transport", .label_value = (of), \
        .help = "Queries, by how they came."                                        \
    }
#define TYPE(at, of)                                                                             \
    {                                                                                            \
        .name = "questions", .word = DNS_WORD_TYPE + (at), .label = "type", .label_value = (of), \
        .help = "Questions to zones, by the type that they ask for."                             \
    }
#define RCODE(at, of)                                                                              \
    {                                                                                              \
        .name = "responses", .word = DNS_WORD_RCODE + (at), .label = "rcode", .label_value = (of), \
        .help = "Responses, by their code."                                                        \
    }
#define REFUSED(at, of)                                                        \
    {                                                                          \
        .name = "refused", .word = DNS_WORD_REFUSED + (at), .label = "reason", \
        .label_value = (of), .help = "Queries that were refused."              \
    }
#define COOKIE(at, of)                                                          \
    {                                                                           \
        .name = "cookies", .word = (at), .label = "state", .label_value = (of), \
        .help = "Queries with a cookie."                                        \
    }
#define LATE(at, of)                                                                       \
    {                                                                                      \
        .name = "connections_late", .word = (at), .label = "timeout", .label_value = (of), \
        .help = "TCP connections closed by a time-out."                                    \
    }

static const struct metric_def dns_defs[] = {
    QUERIES(DNS_WORD_UDP, "udp"),
    QUERIES(DNS_WORD_TCP, "tcp"),
    TYPE(DNS_COUNT_A, "A"),
    TYPE(DNS_COUNT_AAAA, "AAAA"),
    TYPE(DNS_COUNT_NS, "NS"),
    TYPE(DNS_COUNT_CNAME, "CNAME"),
    TYPE(DNS_COUNT_SOA, "SOA"),
    TYPE(DNS_COUNT_PTR, "PTR"),
    TYPE(DNS_COUNT_MX, "MX"),
    TYPE(DNS_COUNT_TXT, "TXT"),
    TYPE(DNS_COUNT_SRV, "SRV"),
    TYPE(DNS_COUNT_HTTPS, "HTTPS"),
    TYPE(DNS_COUNT_ANY, "ANY"),
    TYPE(DNS_COUNT_OTHER, "other"),
    RCODE(DNS_NOERROR, "NOERROR"),
    RCODE(DNS_FORMERR, "FORMERR"),
    RCODE(DNS_SERVFAIL, "SERVFAIL"),
    RCODE(DNS_NXDOMAIN, "NXDOMAIN"),
    RCODE(DNS_NOTIMP, "NOTIMP"),
    RCODE(DNS_REFUSED, "REFUSED"),
    RCODE(DNS_YXDOMAIN, "YXDOMAIN"),
    RCODE(DNS_NOTAUTH, "NOTAUTH"),
    RCODE(DNS_BADVERS, "BADVERS"),
    RCODE(DNS_BADCOOKIE, "BADCOOKIE"),
    RCODE(24, "other"),
    {.name = "edns", .word = DNS_WORD_EDNS, .help = "Queries with an OPT record."},
    {.name = "subnets", .word = DNS_WORD_SUBNET, .help = "Queries that name a client's network."},
    {.name = "truncated",
     .word = DNS_WORD_TRUNCATED,
     .help = "Responses that did not fit and were cut."},
    {.name = "ignored",
     .word = DNS_WORD_SILENCE,
     .help = "Packets that are no query and get no response."},
    REFUSED(DNS_REFUSAL_ZONE, "zone"),
    REFUSED(DNS_REFUSAL_CLASS, "class"),
    REFUSED(DNS_REFUSAL_TRANSFER, "transfer"),
    {.name = "rate_limited",
     .word = DNS_WORD_RATE_DROPPED,
     .label = "action",
     .label_value = "dropped",
     .help = "Responses over a rate."},
    {.name = "rate_limited",
     .word = DNS_WORD_RATE_SLIPPED,
     .label = "action",
     .label_value = "slipped",
     .help = "Responses over a rate."},
    COOKIE(DNS_WORD_COOKIE_NEW, "new"),
    COOKIE(DNS_WORD_COOKIE_GOOD, "good"),
    COOKIE(DNS_WORD_COOKIE_BAD, "bad"),
    {.name = "batches",
     .word = DNS_WORD_BATCHES,
     .help = "Times that queries were fetched by UDP."},
    {.name = "unsent",
     .word = DNS_WORD_SEND_FULL,
     .label = "reason",
     .label_value = "full",
     .help = "UDP responses that the kernel did not take."},
    {.name = "unsent",
     .word = DNS_WORD_SEND_FAILED,
     .label = "reason",
     .label_value = "error",
     .help = "UDP responses that the kernel did not take."},
    {.name = "bytes_in", .word = DNS_WORD_BYTES_IN, .help = "Bytes of queries."},
    {.name = "bytes_out", .word = DNS_WORD_BYTES_OUT, .help = "Bytes of responses."},
    {.name = "connections", .word = DNS_WORD_CONNECTIONS, .help = "TCP connections accepted."},
    {.name = "connections_active",
     .type = METRIC_GAUGE,
     .word = DNS_WORD_CONNECTIONS_ACTIVE,
     .help = "TCP connections."},
    {.name = "connections_refused",
     .word = DNS_WORD_CONNECTIONS_REFUSED,
     .help = "TCP connections closed at once, as there were enough."},
    {.name = "accept_exhausted",
     .word = DNS_WORD_EXHAUSTED,
     .help =
         "Times that a TCP connection could not be accepted for want of descriptors or memory."},
    LATE(DNS_WORD_LATE_IDLE, "idle"),
    LATE(DNS_WORD_LATE_QUERY, "query"),
    LATE(DNS_WORD_LATE_SEND, "send"),
    {.name = "connections_spent",
     .word = DNS_WORD_SPENT,
     .help = "TCP connections closed because they had all their queries."},
    {.name = "waits",
     .word = DNS_WORD_WAITED,
     .help = "Times that a TCP connection was not read because its answers waited."},
    {0},
};

const struct metric_table dns_metrics = {
    .name = "dns",
    .labels = {"listen"},
    .n_words = DNS_WORDS,
    .defs = dns_defs,
};

uint32_t dns_count_type(uint16_t type)
{
    static const uint8_t low[DNS_HTTPS + 1] = {
        [DNS_A] = DNS_COUNT_A + 1,     [DNS_AAAA] = DNS_COUNT_AAAA + 1,
        [DNS_NS] = DNS_COUNT_NS + 1,   [DNS_CNAME] = DNS_COUNT_CNAME + 1,
        [DNS_SOA] = DNS_COUNT_SOA + 1, [DNS_PTR] = DNS_COUNT_PTR + 1,
        [DNS_MX] = DNS_COUNT_MX + 1,   [DNS_TXT] = DNS_COUNT_TXT + 1,
        [DNS_SRV] = DNS_COUNT_SRV + 1, [DNS_HTTPS] = DNS_COUNT_HTTPS + 1,
    };
    if (type == DNS_ANY)
        return DNS_WORD_TYPE + DNS_COUNT_ANY;
    if (type > DNS_HTTPS || low[type] == 0)
        return DNS_WORD_TYPE + DNS_COUNT_OTHER;
    return DNS_WORD_TYPE + low[type] - 1u;
}
