/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIP_CONF_H
#define VIP_CONF_H

/*
 * The words of floating addresses:
 *
 *     nodes { a 10.0.0.11; b 10.0.0.12 }
 *     vip 203.0.113.10/24 on eth0 { id 51; prefer a }
 *     vip 203.0.113.20/24 fe80::14/64 2001:db8::14/64 on eth1 {
 *         name web
 *         id 52
 *         interval 100ms
 *         needs pool:web lowers 50
 *         on active exec /etc/weir/take.sh web { every 30s; timeout 5s }
 *         move-with 203.0.113.10
 *     }
 *
 * All addresses of a vip are one group of VRRP a family: addresses of both make two groups, which
 * move together. A file serves every node; what differs from node to node is the priority that the
 * groups begin with, vip_base_priority().
 *
 * Everything here is a part of a snapshot, immutable, and in its arena. What words mean together is
 * checked in vip/conf_check.c, which also fills the second half of struct vip_conf.
 */

#include "base/addr.h"
#include "base/slice.h"
#include "conf/schema.h"
#include "core/module.h"
#include "wire/vrrp.h"
#include "wire/vrrp_machine.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    VIPS_MAX = 255,
    VIP_NODES_MAX = VRRP_PEERS_MAX + 1,
    VIP_PEERS_MAX = 16, /* of `unicast` */
    VIP_PRIORITY_PREFERRED = 254,
    VIP_PRIORITY_OTHER = 253,
    VIP_PREEMPT_DELAY_MAX_MS = 3600000,
    VIP_INTERFACE_MAX = 15, /* bytes of an interface's name */
};

/* `on IF`, and `on active|backup exec PATH ARG...`, which becomes a struct hook_conf. */
struct vip_on_conf {
    struct conf_object object;
    struct slice where;             /* the interface, or the state */
    int how;                        /* exec, there is no other */
    struct slice program;           /* absolute; empty: it names an interface */
    struct conf_list argument_list; /* of struct slice */
    int64_t every_ms, timeout_ms;
};

struct vip_unicast_conf {
    struct conf_object object;
    struct conf_list addr_list; /* of struct conf_addr; empty: those of the other nodes */
    int64_t ttl_min;
};

/* One of the addresses, in network order. */
struct vip_address {
    struct vrrp_ip ip;
    uint8_t n_bits;
};

/* The addresses of one family: one group of VRRP. */
struct vip_family {
    struct vip_address *addresses; /* n_addresses; 0: there is no such group */
    uint32_t n_addresses;
    struct slice bytes;    /* the same as an advertisement has them */
    struct vrrp_ip *peers; /* n_peers, who is spoken to; 0: multicast */
    uint32_t n_peers;
    struct vrrp_ip source; /* of unicast: as whom the peers know this node; n_bytes 0: not said */
};

enum { VIP_IPV4, VIP_IPV6, VIP_FAMILIES };

struct vip_conf {
    struct conf_object object;     /* its name is that of the vip, also where it is the default */
    struct conf_list address_list; /* of struct conf_ip_in */
    struct conf_list on_list;      /* of struct vip_on_conf */
    struct slice name;
    int64_t id;
    struct conf_ref prefer_ref, owner_ref;
    int64_t priority; /* where there are no nodes; 0: not said */
    int64_t interval_ms;
    int64_t version;
    bool is_no_preempt;
    int64_t preempt_delay_ms;
    int checksum;                     /* enum vrrp_checksum */
    struct vip_unicast_conf *unicast; /* NULL: multicast */
    bool has_virtual_mac;
    bool has_no_address;
    struct conf_list need_list; /* of struct need_conf; empty: all that this node serves */
    struct conf_ref move_with_ref;
    /* --- filled by the checks --- */
    const char *interface; /* of the host */
    struct conf_at interface_at;
    struct conf_list hook_list; /* of struct hook_conf */
    struct vip_family families[VIP_FAMILIES];
    const char *fact;              /* "vip:NAME" */
    const char *addresses;         /* "203.0.113.10/24 fe80::a/64" */
    const struct vip_conf *leader; /* whom it moves with, at the end of the chain; or itself */
    uint32_t index;                /* in the list */
};

struct vips_conf {
    struct conf_object object;
    struct conf_list vip_list; /* of struct vip_conf */
};

/* `vip`, for the module's words; they fill a struct vips_conf. */
extern const struct conf_word vip_words[];
/* What a vip's block says by itself, for its row (vip/conf_check.c). */
int vip_finish(struct conf_load *load, void *self);
/* The module's check(): 0, or -1 after it has told load->diag. */
int vip_check(struct snapshot *snap, void *self, struct conf_load *load);

/* What this node's groups say while they lack nothing; 255 of an owner. */
uint8_t vip_base_priority(const struct vip_conf *vip, const char *node);
/* The address in network order. Asserts that it is an IP address. */
struct vrrp_ip vip_ip_of(const struct addr *addr);

#endif
