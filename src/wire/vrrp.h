/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_VRRP_H
#define WIRE_VRRP_H

/*
 * The advertisement of VRRP, by which the nodes that share a floating address say who has it:
 * version 3 (RFC 9568, and RFC 5798 before it) over IPv4 and IPv6, version 2 (RFC 3768) over IPv4.
 * What a node does about it is wire/vrrp_machine.h. No socket here: whoever receives passes the
 * bytes and what the IP header said.
 *
 *     0               1               2               3
 *     +-------+-------+---------------+---------------+---------------+
 *     |version| 1     | id 1..255     | priority      | n addresses   |
 *     +-------+-------+---------------+---------------+---------------+
 *     | 0     | interval, 1/100 s     | checksum                      |  version 3
 *     | authentication| interval, s   | checksum                      |  version 2
 *     +-------+-----------------------+-------------------------------+
 *     | addresses, 4 or 16 bytes each; over IPv6 the first is link-local
 *     +---------------------------------------------------------------
 *     | version 2 only: 8 bytes, zero
 *
 * Priority 0 resigns, 255 is the owner of the addresses.
 *
 * The checksum has three forms, and all are read: RFC 9568 section 5.2.8 takes the message alone
 * over IPv4, RFC 5798 put the pseudo header before it (keepalived sends that and by default accepts
 * nothing else, so it is what weir sends unless told otherwise), and old keepalived put the
 * multicast group into the pseudo header of unicast too. Over IPv6 there is but one form.
 *
 * Reading is in two steps, for several groups share a socket: vrrp_parse() says what is there or
 * why it is none, vrrp_accept() whether the group of that id and version may act on it. Both name
 * why not, a reason each, so that each is counted.
 */

#include "base/addr.h"
#include "base/slice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    VRRP_PROTOCOL = 112, /* of IP */
    VRRP_TTL = 255,
    VRRP_PRIORITY_RESIGN = 0,
    VRRP_PRIORITY_OWNER = 255,
    VRRP_INTERVAL_MAX_CS = 4095,
    VRRP_ADDRESSES_MAX = 255,
    VRRP_HEAD_BYTES = 8,
    VRRP_PACKET_MAX_BYTES = VRRP_HEAD_BYTES + VRRP_ADDRESSES_MAX * 16,
    VRRP_MAC_BYTES = 6,
};

/* An address of either family, in network order; the bytes behind n_bytes are zero. */
struct vrrp_ip {
    uint8_t n_bytes; /* 4 or 16; 0: none */
    uint8_t bytes[16];
};

/* What the IP header said. */
struct vrrp_carrier {
    struct vrrp_ip source;
    struct vrrp_ip target;
    uint8_t ttl; /* the hop limit of IPv6 */
};

enum vrrp_checksum {
    VRRP_CHECKSUM_RFC5798, /* with the pseudo header; always so over IPv6 */
    VRRP_CHECKSUM_RFC9568, /* the message alone; always so in version 2 */
    VRRP_CHECKSUM_GROUP,   /* unicast, the group in its pseudo header: read, never sent */
};

struct vrrp_advert {
    uint8_t version; /* 2 or 3 */
    uint8_t vrid;
    uint8_t priority;
    bool is_ipv6;
    uint16_t interval_cs; /* version 2: whole seconds */
    enum vrrp_checksum checksum;
    struct slice addresses; /* borrowed: 4 or 16 bytes each, one behind the other */
};

enum vrrp_refusal {
    VRRP_FINE,
    /* by vrrp_carrier_read() */
    VRRP_REFUSED_IP,
    VRRP_REFUSED_FRAGMENT,
    /* by vrrp_parse() */
    VRRP_REFUSED_SHORT,
    VRRP_REFUSED_VERSION,
    VRRP_REFUSED_TYPE,
    VRRP_REFUSED_VRID_ZERO,
    VRRP_REFUSED_COUNT,
    VRRP_REFUSED_INTERVAL,
    VRRP_REFUSED_AUTH,
    VRRP_REFUSED_CHECKSUM,
    VRRP_REFUSED_LINK_LOCAL,
    /* by vrrp_accept() */
    VRRP_REFUSED_ECHO,
    VRRP_REFUSED_TTL,
    VRRP_REFUSED_OTHER_VERSION,
    VRRP_REFUSED_VRID,
    VRRP_REFUSED_CAST,
    VRRP_REFUSED_PEER,
    VRRP_REFUSED_OTHER_INTERVAL,
    VRRP_REFUSALS /* how many */
};

/* "checksum" for metrics and logs. */
const char *vrrp_refusal_name(enum vrrp_refusal refusal);
/* The sentence about it, for the log. */
const char *vrrp_refusal_text(enum vrrp_refusal refusal);

/* What is odd about an advertisement that counts all the same; bits. */
enum vrrp_oddity {
    VRRP_ODD_INTERVAL = 1,  /* another than ours; it is learnt (RFC 9568 section 7.1) */
    VRRP_ODD_ADDRESSES = 2, /* not the same set as ours */
    VRRP_ODD_OWNER = 4,     /* two owners (RFC 9568 erratum 8298) */
};

/* What a group takes. */
struct vrrp_expect {
    uint8_t version;
    uint8_t vrid;
    bool is_unicast;
    bool is_owner;
    uint8_t ttl_min;             /* VRRP_TTL; less only for unicast over routers */
    uint16_t interval_cs;        /* ours */
    struct vrrp_ip source;       /* ours: what comes from it is our own echo */
    const struct vrrp_ip *peers; /* who may speak; borrowed */
    size_t n_peers;              /* 0: anybody on the link */
    struct slice addresses;      /* ours, as in struct vrrp_advert; borrowed */
};

/*
 * The header of an IPv4 packet as a raw socket gives it: *ret_carrier and *ret_payload (a part of
 * `packet`, without what pads the frame). VRRP_FINE or VRRP_REFUSED_IP, VRRP_REFUSED_FRAGMENT.
 */
enum vrrp_refusal vrrp_carrier_read(struct slice packet, struct vrrp_carrier *ret_carrier,
                                    struct slice *ret_payload);

/*
 * The payload of one packet. Bytes behind the message are allowed: padding, or a trailer of
 * keepalived's, which is not looked at. *ret_advert is set on VRRP_FINE alone and borrows.
 */
enum vrrp_refusal vrrp_parse(struct slice payload, const struct vrrp_carrier *carrier,
                             struct vrrp_advert *ret_advert);

/* RFC 9568 section 7.1, but for the format. *ret_oddities: bits of enum vrrp_oddity. */
enum vrrp_refusal vrrp_accept(const struct vrrp_expect *expect, const struct vrrp_carrier *carrier,
                              const struct vrrp_advert *advert, unsigned *ret_oddities);

/*
 * Writes the payload, with the checksum in the form advert->checksum for a packet from
 * carrier->source to carrier->target. Returns its bytes; -1 where `cap` is too small or the advert
 * is one that vrrp_parse() would refuse.
 */
int vrrp_write(const struct vrrp_advert *advert, const struct vrrp_carrier *carrier, uint8_t *bytes,
               size_t cap);

/* bytes: 4 or 16 of them. */
struct vrrp_ip vrrp_ip_make(const uint8_t *bytes, size_t n_bytes);
/* An IP address without its port and scope; n_bytes 0 for one that is none. And back, port 0. */
struct vrrp_ip vrrp_ip_of(const struct addr *addr);
struct addr vrrp_ip_addr(const struct vrrp_ip *ip);
/* Writes the text form with a NUL, "none" for none, and returns text. */
const char *vrrp_ip_format(const struct vrrp_ip *ip, char text[ADDR_TEXT_MAX]);
/* As unsigned numbers in network order: <0, 0, >0; of two families IPv4 is the smaller. */
int vrrp_ip_compare(const struct vrrp_ip *a, const struct vrrp_ip *b);
bool vrrp_ip_is_multicast(const struct vrrp_ip *ip);
/* Where advertisements go: 224.0.0.18 or ff02::12. */
struct vrrp_ip vrrp_group(bool is_ipv6);
/* The address at `index`, which there is. */
struct vrrp_ip vrrp_advert_address(const struct vrrp_advert *advert, size_t index);

#endif
