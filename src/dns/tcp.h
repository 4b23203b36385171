/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_TCP_H
#define DNS_TCP_H

/*
 * The TCP side of a listener in one loop: connections on which queries come one behind the other,
 * each behind its length in two bytes (RFC 1035 section 4.2.2, RFC 7766), and responses go in the
 * same order.
 *
 *     accept -> idle --first byte--> query --whole--> answered -> idle
 *                 | `idle`             | `query`        |  the peer takes it? no: `send`
 *                 v                    v                v
 *               closed               closed           closed, and nothing is read meanwhile
 *
 * A connection holds memory only for a query that is not whole yet, or that waits until the peer
 * takes what was answered before it (conn.h holds those). Above `connections` of the listener, in
 * whichever loops the kernel has put them, a new one is closed at once. While the listener drains,
 * each is closed as soon as it is idle, and told so (a keepalive of 0, RFC 7828 section 3.3.2).
 */

#include "base/list.h"
#include "core/loop.h"
#include "core/metric.h"
#include "dns/policy.h"
#include "net/listener.h"
#include <stdbool.h>
#include <stdint.h>

/* What the connections of one listener are bounded by, a copy of its words. */
struct tcp_limits {
    uint64_t connections; /* of all loops together */
    /* The listener's counters, a row a loop; DNS_WORD_CONNECTIONS_ACTIVE of all of them counts. */
    struct metric_slab *slab;
    uint32_t n_loops;
    uint64_t queries;
    uint32_t pipelined;
    size_t output_bytes;
    uint64_t idle_ns, query_ns, send_ns;
};

/* Room for responses that go out together; the loop's. */
struct tcp_output;
struct tcp_output *tcp_output_create(void);

struct dns_tcp {
    struct listener listener;
    struct loop *loop;
    struct tcp_output *output;
    struct dns_desk *desk; /* another one after each reload */
    struct tcp_limits limits;
    struct list conns; /* of struct tcp_conn */
    bool is_closing;
};

/* `fd` listens and stays the caller's. 0 or -1. */
int dns_tcp_open(struct dns_tcp *tcp, struct loop *loop, int fd, struct tcp_output *output,
                 struct dns_desk *desk, const struct tcp_limits *limits, struct err *err);
/* No new connection, and those that are idle are closed; the others when they are. */
void dns_tcp_drain(struct dns_tcp *tcp);
/* Answers what has come on each connection and closes them all. */
void dns_tcp_close(struct dns_tcp *tcp);

#endif
