/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_RTNL_MESSAGE_H
#define NET_RTNL_MESSAGE_H

/*
 * The messages of rtnetlink(7) about interfaces and addresses, as bytes: requests are written,
 * answers and notices read. No socket here: net/rtnl.h sends, receives, and calls this.
 *
 *     | length 4 | type 2 | flags 2 | sequence 4 | port 4 |  head of each message
 *     | ifinfomsg 16, or ifaddrmsg 8                      |  what it is about
 *     | length 2 | type 2 | value, padded to 4            |  attributes, to the end
 *
 * Numbers are in host order, addresses in network order. One datagram holds one message or several.
 * libmnl knows the layout of heads and attributes; which lengths an attribute must have is checked
 * here, before it is read.
 */

#include "base/slice.h"
#include "wire/vrrp.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RTNL_NAME_BYTES = 16, /* of an interface or its kind, with the NUL */
    RTNL_TEXT_BYTES = 128,
    RTNL_ALIAS_BYTES = 64, /* of an interface's alias that are looked at, with the NUL */
    RTNL_REQUEST_BYTES_MAX = 512,
};

/* The life of an address without an end. */
#define RTNL_FOREVER UINT32_MAX

struct rtnl_link {
    uint32_t index;
    uint32_t parent; /* the index of the interface below a macvlan or a veth; 0: none */
    uint32_t mtu;
    bool is_enabled;  /* switched on (IFF_UP) */
    bool is_up;       /* and with a carrier (IFF_LOWER_UP), and in use (IFF_RUNNING) */
    bool is_ethernet; /* there is ARP on it; mac is set */
    uint8_t mac[VRRP_MAC_BYTES];
    char name[RTNL_NAME_BYTES];
    char kind[RTNL_NAME_BYTES];   /* "macvlan", "bridge"; "" for a real one */
    char alias[RTNL_ALIAS_BYTES]; /* the operator's words, or a program's; "": none */
    int arp_ignore, arp_announce, promote_secondaries; /* as in struct rtnl_conf; -1: not told */
};

struct rtnl_address {
    uint32_t index; /* of its interface */
    struct vrrp_ip ip;
    uint8_t n_bits;   /* of its network's prefix */
    uint8_t protocol; /* who put it there (IFA_PROTO); 0: nobody said, or the kernel is too old */
    bool is_link_local;
    bool is_secondary; /* IPv4: not the first one of its network */
    bool is_tentative; /* IPv6: not proven to be the only one yet, or proven not to be */
    bool is_deprecated;
    uint32_t valid_s, preferred_s; /* what is left, or RTNL_FOREVER */
};

/* How an address is to be put. */
struct rtnl_life {
    uint32_t valid_s;      /* gone by itself after so long; above 0, or RTNL_FOREVER */
    uint32_t preferred_s;  /* at most valid_s; IPv6 takes it as a source for so long */
    bool is_nodad;         /* IPv6: usable at once, without asking whether others have it */
    bool is_noprefixroute; /* no route to its network comes with it */
    uint8_t protocol;      /* IFA_PROTO, 4..255; 0: say nothing */
};

/* What the kernel keeps per interface and is worth changing over netlink (a process without the
 * right to write in /proc/sys may do so). -1: leave it. */
struct rtnl_conf {
    int arp_ignore;
    int arp_announce;
    int arp_filter;
    int rp_filter;
    int accept_local;
    int promote_secondaries;
    int addr_gen_mode; /* IPv6: 1, no link-local address by itself */
};

enum rtnl_kind {
    RTNL_OTHER, /* nothing that is known here */
    RTNL_LINK,  /* is there, or has changed */
    RTNL_LINK_GONE,
    RTNL_ADDRESS, /* is there, or has changed */
    RTNL_ADDRESS_GONE,
    RTNL_DONE,    /* the end of an answer of several parts; error as in RTNL_ANSWER */
    RTNL_ANSWER,  /* the kernel's yes (error 0) or no */
    RTNL_OVERRUN, /* notices were lost: look at everything again */
};

struct rtnl_notice {
    enum rtnl_kind kind;
    uint32_t sequence;
    bool is_torn; /* a part of a list that changed while it was read */
    int error;    /* an errno value */
    union {
        struct rtnl_link link;
        struct rtnl_address address;
        char text[RTNL_TEXT_BYTES]; /* of RTNL_ANSWER: the kernel's sentence, or "" */
    };
};

/*
 * Cuts the next message off `rest`, which begins at a multiple of 4. 1: *ret_notice; 0: nothing is
 * left; -1: what is left is no message, or one that is cut off or has an attribute of a wrong
 * length. Messages about bridges' ports, which come on the same channel, are RTNL_OTHER.
 */
int rtnl_notice_read(struct slice *rest, struct rtnl_notice *ret_notice);

struct rtnl_request {
    size_t len;
    _Alignas(8) uint8_t bytes[RTNL_REQUEST_BYTES_MAX];
};

/*
 * Each overwrites the request; `sequence` comes back in the answer. Names have less than
 * RTNL_NAME_BYTES bytes (asserted).
 */

/* By name, or where that is NULL by index. */
void rtnl_request_link(struct rtnl_request *request, uint32_t sequence, const char *name,
                       uint32_t index);
void rtnl_request_links(struct rtnl_request *request, uint32_t sequence);
/* index 0: of all interfaces; older kernels send those of all whatever it is. */
void rtnl_request_addresses(struct rtnl_request *request, uint32_t sequence, uint32_t index);
/* Only index, ip and n_bits of the address are looked at. One that is there gets the new life. */
void rtnl_request_address_put(struct rtnl_request *request, uint32_t sequence,
                              const struct rtnl_address *address, const struct rtnl_life *life);
void rtnl_request_address_remove(struct rtnl_request *request, uint32_t sequence,
                                 const struct rtnl_address *address);
/* A macvlan in mode vepa above `parent`, switched off. */
void rtnl_request_macvlan(struct rtnl_request *request, uint32_t sequence, uint32_t parent,
                          const char *name, const uint8_t mac[VRRP_MAC_BYTES]);
void rtnl_request_link_remove(struct rtnl_request *request, uint32_t sequence, uint32_t index);
void rtnl_request_link_enable(struct rtnl_request *request, uint32_t sequence, uint32_t index,
                              bool is_enabled);
/* alias: 1 to RTNL_ALIAS_BYTES - 1 bytes. */
void rtnl_request_link_alias(struct rtnl_request *request, uint32_t sequence, uint32_t index,
                             const char *alias);
void rtnl_request_link_conf(struct rtnl_request *request, uint32_t sequence, uint32_t index,
                            const struct rtnl_conf *conf);

#endif
