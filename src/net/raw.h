/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_RAW_H
#define NET_RAW_H

/*
 * Raw sockets for VRRP: IP protocol 112 on one interface, to and from the multicast group or
 * single peers (RFC 9568 section 5.1).
 *
 *     adverts of all groups of one family on one interface --> struct raw --> raw_read(), in a loop
 *     raw_write(): source, target, payload                 --> IP header by the kernel: TTL 255,
 *                                                              TOS 0xC0, source as asked, no DF
 *
 * The socket is bound to its interface, hears of multicast only the group that it has joined, does
 * not hear itself, and is not blocking. The owner arms raw.fd with its loop and closes it with
 * raw_close(). The checksum is wire/vrrp.h's business in both families, so that a wrong one is
 * counted and not swallowed by the kernel.
 *
 * A socket dies with its interface. When one comes back (another index), open another; a link that
 * was only down needs nothing. Opening takes CAP_NET_RAW.
 */

#include "base/err.h"
#include "base/slice.h"
#include "wire/vrrp.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RAW_QUEUE_BYTES = 1024 * 1024, /* what may wait to be read; less where the host says so */
    RAW_READ_BYTES = 60 + VRRP_PACKET_MAX_BYTES, /* the longest that is an advertisement */
};

struct raw_options {
    bool is_ipv6;
    bool is_unicast;    /* does not join the group */
    bool is_write_only; /* for a second socket on a macvlan: hears nothing */
    uint32_t index;     /* of the interface */
    const char *name;   /* of the interface; borrowed for the call */
};

struct raw {
    int fd; /* -1: closed */
    bool is_ipv6;
    uint32_t index;
};

struct raw_packet {
    enum vrrp_refusal refusal; /* VRRP_FINE; VRRP_REFUSED_IP, VRRP_REFUSED_FRAGMENT: no payload */
    struct vrrp_carrier carrier;
    struct slice payload; /* in the caller's buffer */
};

/* 0, or -1 with err, and then it is closed. */
int raw_open(struct raw *raw, const struct raw_options *options, struct err *err);
void raw_init(struct raw *raw);
void raw_close(struct raw *raw);

/*
 * One packet into buf, of RAW_READ_BYTES at least. 1: *ret_packet; 0: there is none now. Errors of
 * the socket (the link is down) are none of the reader's: they count as nothing there, once.
 */
int raw_read(const struct raw *raw, uint8_t *buf, size_t cap, struct raw_packet *ret_packet);

/*
 * Sends payload from carrier->source to carrier->target. The source is an address of this host;
 * n_bytes 0: the kernel chooses. 0; 1: no room in the queue now, the packet is lost; -1 with err
 * (the link is down, no route, the source is not ours).
 */
int raw_write(const struct raw *raw, const struct vrrp_carrier *carrier, struct slice payload,
              struct err *err);

#endif
