/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIP_PORT_H
#define VIP_PORT_H

/*
 * The interfaces that vips are on: what netlink says of each, and the sockets on it, one a family,
 * which all groups there share.
 *
 *     netlink: link up, address gone ... --> port_look() --> on_change(port)
 *     socket:  a packet                  -->                 on_packet(port, family, packet)
 *
 * A port is kept by its users (port_take, port_leave), through all that happens to its interface:
 * it may be missing, come later, go and come back under another index. What keeps it from being of
 * use is the sentence port->trouble[], for the operator.
 */

#include "core/loop.h"
#include "core/slabs.h"
#include "net/raw.h"
#include "net/rtnl.h"
#include "vip/conf.h"
#include "vip/source.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    PORTS_MAX = 64,
    PORT_READ_MAX = 1024, /* packets read in one go: more are a flood, and wait their turn */
    PORT_TROUBLE_MAX = 160,
};

struct port;
struct ports;

struct port_calls {
    void (*on_packet)(void *ctx, struct port *port, size_t family, const struct raw_packet *packet);
    /* Something of link, source, trouble is another. */
    void (*on_change)(void *ctx, struct port *port);
    /* An address that a vip had put somewhere is there no more, whoever took it away. */
    void (*on_gone)(void *ctx, const struct rtnl_address *address);
    source_floating_fn *is_floating;
};

struct port_socket {
    struct port *port;
    struct raw raw;
    struct loop_io io;
    bool is_wanted;
    bool is_multicast;              /* some group needs it so */
    bool has_joined;                /* as it was opened */
    char trouble[PORT_TROUBLE_MAX]; /* why the family is of no use here; "": it is */
};

struct port {
    struct ports *ports;
    char name[RTNL_NAME_BYTES];
    uint32_t n_users;
    struct rtnl_link link;  /* index 0: there is no such interface */
    struct sources sources; /* what the interface has of its own */
    struct shared_slab *slab;
    struct port_socket sockets[VIP_FAMILIES];
};

struct ports {
    struct loop *loop;
    struct rtnl rtnl;
    struct slabs *slabs;
    const struct port_calls *calls;
    void *ctx;
    int packet_fd; /* net/packet.h */
    struct port *items[PORTS_MAX];
    uint32_t n_items;
};

/* Opens netlink and the socket for frames. Before the sandbox closes. 0, or -1 with err. */
int ports_open(struct ports *ports, struct loop *loop, struct slabs *slabs,
               const struct port_calls *calls, void *ctx, struct err *err);
/* No port is taken. After a failed ports_open() too. */
void ports_close(struct ports *ports);

/* One more user of the interface; -1 with err: too many interfaces, or no room for counters. */
int port_take(struct ports *ports, const char *name, struct port **ret_port, struct err *err);
/* One user less; the last closes its sockets. */
void port_leave(struct port **port);

/* A group of the family is on it; is_multicast: one that must hear the group's address. Looked at
 * by port_look(). */
void port_want(struct port *port, size_t family, bool is_multicast);
/* Asks the kernel anew, opens what is wanted; calls on_change where something is another. */
void port_look(struct port *port);
/* Calls on_packet for all that waits. */
void port_read(struct port *port, size_t family);

/* Is the family of use: a carrier, a source, a socket? */
static inline bool port_is_up(const struct port *port, size_t family)
{
    const struct port_socket *socket = &port->sockets[family];
    return port->link.is_up && port->sources.best[family].n_bytes > 0 && socket->raw.fd >= 0;
}

/* Is it an address that a vip put there? */
bool port_is_ours(const struct ports *ports, const struct rtnl_address *address);

#endif
