/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Interfaces, as netlink tells, and the sockets on them.
 */

#include "vip/port.h"

#include "base/mem.h"
#include "net/packet.h"
#include "vip/count.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool port_is_ours(const struct ports *ports, const struct rtnl_address *address)
{
    return source_is_ours(address, ports->calls->is_floating, ports->ctx);
}

/* ---- sockets ---- */

static void close_socket(struct port_socket *socket)
{
    if (loop_io_is_armed(&socket->io))
        loop_io_remove(socket->port->ports->loop, &socket->io, true);
    raw_close(&socket->raw);
}

static void read_some(struct port_socket *socket, uint32_t max, uint32_t *ret_n)
{
    struct port *port = socket->port;
    const struct ports *ports = port->ports;
    size_t family = (size_t)(socket - port->sockets);
    uint8_t buf[RAW_READ_BYTES];
    uint32_t n = 0;
    for (; n < max && socket->raw.fd >= 0; n++) {
        struct raw_packet packet;
        if (raw_read(&socket->raw, buf, sizeof(buf), &packet) == 0)
            break;
        metric_add(metric_row(port->slab->slab, 0), VRRP_WORD_PACKETS, 1);
        ports->calls->on_packet(ports->ctx, port, family, &packet);
    }
    *ret_n = n;
}

static void on_readable(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct port_socket *socket = CONTAINER_OF(io, struct port_socket, io);
    uint32_t n;
    read_some(socket, PORT_READ_MAX, &n);
    if (n == PORT_READ_MAX && loop_io_is_armed(io))
        loop_again(loop, io, events & LOOP_READ);
}

void port_read(struct port *port, size_t family)
{
    struct port_socket *socket = &port->sockets[family];
    uint32_t n;
    read_some(socket, PORT_READ_MAX, &n);
    if (n == PORT_READ_MAX && loop_io_is_armed(&socket->io))
        loop_again(port->ports->loop, &socket->io, LOOP_READ);
}

static int open_socket(struct port *port, size_t family, struct err *err)
{
    struct port_socket *socket = &port->sockets[family];
    const struct raw_options options = {
        .is_ipv6 = family == VIP_IPV6,
        .is_unicast = !socket->is_multicast,
        .index = port->link.index,
        .name = port->name,
    };
    close_socket(socket);
    if (raw_open(&socket->raw, &options, err) < 0)
        return -1;
    socket->has_joined = socket->is_multicast;
    if (loop_io_add_read(port->ports->loop, &socket->io, socket->raw.fd, on_readable, err) == 0)
        return 0;
    raw_close(&socket->raw);
    return -1;
}

static void say_trouble(struct port *port, size_t family)
{
    struct port_socket *socket = &port->sockets[family];
    if (port->link.index == 0)
        snprintf(socket->trouble, sizeof(socket->trouble),
                 "there is no interface %s: `ip link` shows those of this host", port->name);
    else if (!port->link.is_enabled)
        snprintf(socket->trouble, sizeof(socket->trouble),
                 "%s is switched off: `ip link set %s up`", port->name, port->name);
    else if (!port->link.is_up)
        snprintf(socket->trouble, sizeof(socket->trouble), "%s has no carrier", port->name);
    else if (port->sources.best[family].n_bytes == 0)
        snprintf(socket->trouble, sizeof(socket->trouble),
                 family == VIP_IPV6
                     ? "%s has no link-local IPv6 address of its own, which VRRP speaks from"
                     : "%s has no IPv4 address of its own, which VRRP speaks from",
                 port->name);
    else
        socket->trouble[0] = '\0';
}

/* Opens, opens anew, or closes the socket of a family, as the interface is now. */
static void look_at_socket(struct port *port, size_t family)
{
    struct port_socket *socket = &port->sockets[family];
    struct err err = ERR_NONE;
    say_trouble(port, family);
    if (!socket->is_wanted || port->link.index == 0) {
        close_socket(socket);
        return;
    }
    bool is_as_wanted = socket->raw.fd >= 0 && socket->raw.index == port->link.index &&
                        (socket->has_joined || !socket->is_multicast);
    if (!is_as_wanted && open_socket(port, family, &err) < 0)
        snprintf(socket->trouble, sizeof(socket->trouble), "%.150s", err.text);
}

/* ---- looking ---- */

/* What on_change is called for. */
struct view {
    uint32_t index;
    bool is_up;
    uint8_t mac[VRRP_MAC_BYTES];
    struct sources sources;
    int fds[VIP_FAMILIES];
    char troubles[VIP_FAMILIES][PORT_TROUBLE_MAX];
};

static struct view view_of(const struct port *port)
{
    struct view view = {0};
    view.index = port->link.index;
    view.is_up = port->link.is_up;
    memcpy(view.mac, port->link.mac, sizeof(view.mac));
    view.sources = port->sources;
    for (size_t f = 0; f < VIP_FAMILIES; f++) {
        view.fds[f] = port->sockets[f].raw.fd;
        slice_copy(slice_from(port->sockets[f].trouble), view.troubles[f], PORT_TROUBLE_MAX);
    }
    return view;
}

static bool same_sources(const struct sources *a, const struct sources *b)
{
    return a->n == b->n && memcmp(a->best, b->best, sizeof(a->best)) == 0 &&
           memcmp(a->items, b->items, a->n * sizeof(a->items[0])) == 0;
}

static bool same_view(const struct view *a, const struct view *b)
{
    if (a->index != b->index || a->is_up != b->is_up ||
        memcmp(a->mac, b->mac, sizeof(a->mac)) != 0 || !same_sources(&a->sources, &b->sources))
        return false;
    for (size_t f = 0; f < VIP_FAMILIES; f++)
        if (a->fds[f] != b->fds[f] || strcmp(a->troubles[f], b->troubles[f]) != 0)
            return false;
    return true;
}

void port_look(struct port *port)
{
    struct ports *ports = port->ports;
    struct view before = view_of(port);
    struct err err = ERR_NONE;
    port->sources = (struct sources){.n = 0};
    if (rtnl_link_by_name(&ports->rtnl, port->name, &port->link, &err) != 0)
        port->link = (struct rtnl_link){.index = 0};
    else
        (void)sources_find(&ports->rtnl, port->link.index, ports->calls->is_floating, ports->ctx,
                           &port->sources, &err); /* without any it is not up, and asked again */
    for (size_t f = 0; f < VIP_FAMILIES; f++)
        look_at_socket(port, f);
    struct view after = view_of(port);
    if (!same_view(&before, &after))
        ports->calls->on_change(ports->ctx, port);
}

static bool concerns(const struct port *port, const struct rtnl_notice *notice)
{
    switch (notice->kind) {
    case RTNL_LINK:
    case RTNL_LINK_GONE:
        return notice->link.index == port->link.index || strcmp(notice->link.name, port->name) == 0;
    case RTNL_ADDRESS:
    case RTNL_ADDRESS_GONE:
        return notice->address.index == port->link.index &&
               !port_is_ours(port->ports, &notice->address);
    case RTNL_OVERRUN:
        return true;
    case RTNL_OTHER:
    case RTNL_DONE:
    case RTNL_ANSWER:
        break;
    }
    return false;
}

static void on_notice(void *ctx, const struct rtnl_notice *notice)
{
    struct ports *ports = ctx;
    for (uint32_t i = 0; i < ports->n_items; i++)
        if (concerns(ports->items[i], notice))
            port_look(ports->items[i]);
    if (notice->kind == RTNL_ADDRESS_GONE && port_is_ours(ports, &notice->address))
        ports->calls->on_gone(ports->ctx, &notice->address);
}

/* ---- users ---- */

int ports_open(struct ports *ports, struct loop *loop, struct slabs *slabs,
               const struct port_calls *calls, void *ctx, struct err *err)
{
    *ports =
        (struct ports){.loop = loop, .slabs = slabs, .calls = calls, .ctx = ctx, .packet_fd = -1};
    if (rtnl_open(loop, &ports->rtnl, on_notice, ports, err) < 0)
        return -1;
    ports->packet_fd = packet_open(err);
    return ports->packet_fd < 0 ? -1 : 0;
}

void ports_close(struct ports *ports)
{
    assert(ports->n_items == 0);
    rtnl_close(&ports->rtnl);
    if (ports->packet_fd >= 0)
        close(ports->packet_fd);
    ports->packet_fd = -1;
}

static struct port *find(struct ports *ports, const char *name)
{
    for (uint32_t i = 0; i < ports->n_items; i++)
        if (strcmp(ports->items[i]->name, name) == 0)
            return ports->items[i];
    return NULL;
}

int port_take(struct ports *ports, const char *name, struct port **ret_port, struct err *err)
{
    struct port *port = find(ports, name);
    if (!port) {
        if (ports->n_items == PORTS_MAX)
            return err_set(err, "vips are on more than %d interfaces", PORTS_MAX);
        struct shared_slab *slab = slabs_take(ports->slabs, &vrrp_metrics, name);
        if (!slab)
            return err_set(err, "no room on the board for the counters of %s", name);
        port = MEM_NEW(struct port);
        port->ports = ports;
        port->slab = slab;
        slice_copy(slice_from(name), port->name, sizeof(port->name));
        for (size_t f = 0; f < VIP_FAMILIES; f++) {
            port->sockets[f].port = port;
            raw_init(&port->sockets[f].raw);
            loop_io_init(&port->sockets[f].io);
        }
        ports->items[ports->n_items++] = port;
    }
    port->n_users++;
    *ret_port = port;
    return 0;
}

void port_leave(struct port **port_ptr)
{
    struct port *port = *port_ptr;
    *port_ptr = NULL;
    if (!port || --port->n_users > 0)
        return;
    struct ports *ports = port->ports;
    uint32_t i = 0;
    while (ports->items[i] != port)
        i++;
    ports->items[i] = ports->items[--ports->n_items];
    for (size_t f = 0; f < VIP_FAMILIES; f++)
        close_socket(&port->sockets[f]);
    slabs_leave(ports->slabs, port->slab);
    mem_free(port);
}

void port_want(struct port *port, size_t family, bool is_multicast)
{
    struct port_socket *socket = &port->sockets[family];
    socket->is_wanted = true;
    socket->is_multicast = socket->is_multicast || is_multicast;
}
