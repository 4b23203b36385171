/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_UDP_H
#define DNS_UDP_H

/*
 * A UDP socket of a listener in one loop: up to UDP_BATCH queries are fetched by one system call,
 * answered one after another, and sent by another one. Nothing is kept between two batches, so the
 * loop's sockets share one struct udp_batch.
 *
 *     recvmmsg -> in[0..n)  --desk_answer()-->  out[0..m)  -> sendmmsg
 *
 * While one batch follows closely upon another, the next is waited for in recvmmsg itself, for a
 * tick of the kernel's clock at most, and not in the loop. A rush that lasts for a turn takes the
 * socket out of the loop's epoll, for to be told there of each datagram costs the kernel half a
 * microsecond; its end puts it back:
 *
 *     told by the loop --rush for a turn--> muted: each turn waits in recvmmsg --no rush--> told
 *
 * Between two turns the loop does what else it has to do, so that a rush holds up other sockets and
 * what other threads post for RUSH_TURN_US and a tick at most.
 *
 * A response goes out from the address that was asked: where the socket is bound to all addresses
 * of the host the kernel says which it was (IP_PKTINFO), and is told the same when sending. Where
 * the kernel does not take a response it is dropped and counted, as a full network would do; who
 * asked asks again.
 */

#include "core/loop.h"
#include "dns/policy.h"

enum { UDP_BATCH = 64 };

struct udp_batch;
struct udp_batch *udp_batch_create(void);

struct dns_udp {
    struct loop_io io;
    struct loop *loop;
    struct udp_batch *batch; /* the loop's */
    struct dns_desk *desk;   /* another one after each reload */
    uint64_t served_ns;      /* when the last batch had been answered */
    bool has_packet_info;
};

struct udp_options {
    struct loop *loop;
    struct udp_batch *batch;
    struct dns_desk *desk;
    int fd; /* bound; stays the caller's */
    const struct addr *addr;
    int64_t buffer_bytes; /* in the kernel, each way, as far as it lets us */
};

/* 0 or -1. */
int dns_udp_open(struct dns_udp *udp, const struct udp_options *options, struct err *err);
/* Answers what has come, at most so many batches. True: there may be more. */
bool dns_udp_serve(struct dns_udp *udp, unsigned max_batches);
/* Answers what has come, and no more from then on. */
void dns_udp_close(struct dns_udp *udp);

#endif
