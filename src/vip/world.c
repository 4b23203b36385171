/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a group does to the world: packets, addresses, frames; and whom a packet is for.
 */

#include "base/mem.h"
#include "net/packet.h"
#include "vip/count.h"
#include "vip/internal.h"
#include <string.h>

static struct ports *ports_of(const struct vip_group *at)
{
    return &at->vip->vips->ports;
}

/* The interface that has the addresses. */
static uint32_t index_of(const struct vip_group *at)
{
    return at->mac.index ? at->mac.index : at->vip->port->link.index;
}

static int world_send(void *ctx, const struct group *group, const struct vrrp_carrier *carrier,
                      struct slice payload, struct err *err)
{
    const struct vip_group *at = ctx;
    (void)group;
    const struct raw *raw =
        at->mac.index ? &at->mac.raw : &at->vip->port->sockets[vip_family_of(at)].raw;
    if (raw->fd < 0)
        return err_set(err, "%s has no socket", at->vip->port->name);
    return raw_write(raw, carrier, payload, err);
}

static int world_announce(void *ctx, const struct group *group, struct slice frame, struct err *err)
{
    const struct vip_group *at = ctx;
    (void)group;
    return packet_send(ports_of(at)->packet_fd, index_of(at), (const uint8_t *)frame.ptr, frame.len,
                       err);
}

/* ---- addresses ---- */

/* One of a group's addresses as it is on the host. */
struct place {
    bool is_there;    /* on the interface that it belongs to */
    bool is_foreign;  /* and somebody else has put it there */
    bool is_first;    /* of its network, of IPv4 */
    bool has_behind;  /* an address of this node's own is not the first of that network */
    bool has_network; /* another address has brought the route to its network */
    bool is_covered;  /* or one to a network that it is in */
    uint8_t n_bits;   /* that it has there */
};

struct survey {
    const struct vip_group *at;
    const struct vip_address *addresses;
    uint32_t n;
    struct place places[VRRP_ADDRESSES_MAX];
};

static bool same_network(const struct vrrp_ip *a, const struct vrrp_ip *b, unsigned n_bits)
{
    if (a->n_bytes != b->n_bytes || memcmp(a->bytes, b->bytes, n_bits / 8) != 0)
        return false;
    uint8_t mask = (uint8_t)(0xff00U >> n_bits % 8);
    return n_bits % 8 == 0 || ((a->bytes[n_bits / 8] ^ b->bytes[n_bits / 8]) & mask) == 0;
}

static void look_at(void *ctx, const struct rtnl_address *address)
{
    struct survey *survey = ctx;
    uint32_t own = index_of(survey->at), below = survey->at->vip->port->link.index;
    if (address->index != own && address->index != below)
        return;
    bool is_ours = port_is_ours(ports_of(survey->at), address);
    for (uint32_t i = 0; i < survey->n; i++) {
        const struct vip_address *one = &survey->addresses[i];
        struct place *place = &survey->places[i];
        place->is_covered |= !is_ours && same_network(&one->ip, &address->ip, address->n_bits);
        if (vrrp_ip_compare(&one->ip, &address->ip) == 0 && address->index == own) {
            place->is_there = true;
            place->is_foreign = !is_ours;
            place->is_first = !address->is_secondary;
            place->n_bits = address->n_bits;
        } else if (!is_ours && address->n_bits == one->n_bits &&
                   same_network(&one->ip, &address->ip, one->n_bits)) {
            place->has_network = true;
            place->has_behind |= address->index == own && address->is_secondary;
        }
    }
}

static int survey_make(struct survey *survey, const struct vip_group *at,
                       const struct vip_address *addresses, uint32_t n, struct err *err)
{
    survey->at = at;
    survey->addresses = addresses;
    survey->n = n;
    memset(survey->places, 0, sizeof(survey->places));
    return rtnl_addr_each(&ports_of(at)->rtnl, 0, look_at, survey, err);
}

/*
 * An address of this node's own that came after a floating one of the same network is behind it,
 * and would go with it by the kernel's rule, also at the end of its life. So the floating one steps
 * back: it is taken away here, and put again behind the other.
 */
static int step_back(const struct vip_group *at, const struct vip_address *address,
                     const struct place *place, struct err *err)
{
    const struct rtnl_address own = {
        .index = index_of(at), .ip = address->ip, .n_bits = place->n_bits};
    if (!place->is_there || !place->is_first || !place->has_behind)
        return 0;
    return rtnl_addr_remove_alone(&ports_of(at)->rtnl, &own, err) < 0 ? -1 : 0;
}

/*
 * A floating address is no source of this node's own connections (preferred_s), and brings a route
 * to its network only where no other address has: the route would end with its life. To one
 * that is a network of its own (/128) IPv6 makes a route as well, which stays behind where the
 * address is taken away before its life ends. It is done without where an own network covers it,
 * and only there: with no route to it at all the kernel drops some of the answers to its own
 * neighbour solicitations from that address, and the neighbour is found a second later.
 */
static int put_one(const struct vip_group *at, const struct vip_address *address,
                   const struct place *place, uint32_t life_s, struct err *err)
{
    const struct rtnl_address wanted = {
        .index = index_of(at), .ip = address->ip, .n_bits = address->n_bits};
    bool is_alone = address->n_bits == 8 * address->ip.n_bytes;
    bool has_route = place->has_network || (is_alone && place->is_covered);
    const struct rtnl_life life = {
        .valid_s = life_s,
        .preferred_s = address->ip.n_bytes == 16 ? 0 : life_s,
        .is_nodad = true,
        .is_noprefixroute = has_route,
        .protocol = VIP_ADDRESS_PROTOCOL,
    };
    if (place->is_there && place->is_foreign)
        return 0;
    if (step_back(at, address, place, err) < 0)
        return -1;
    int rc = rtnl_addr_put(&ports_of(at)->rtnl, &wanted, &life, err);
    return rc > 0 ? err_set(err, "%s is gone", at->vip->port->name) : rc;
}

static int world_put(void *ctx, const struct group *group, const struct vip_address *addresses,
                     uint32_t n, uint32_t life_s, struct err *err)
{
    const struct vip_group *at = ctx;
    struct survey survey;
    int rc = 0;
    (void)group;
    if (survey_make(&survey, at, addresses, n, err) < 0)
        return -1;
    for (uint32_t i = 0; i < n; i++)
        if (put_one(at, &addresses[i], &survey.places[i], life_s, err) < 0)
            rc = -1;
    return rc;
}

static int world_remove(void *ctx, const struct group *group, const struct vip_address *addresses,
                        uint32_t n, struct err *err)
{
    const struct vip_group *at = ctx;
    struct survey survey;
    int rc = 0;
    (void)group;
    if (index_of(at) == 0)
        return 0; /* they have gone with their interface */
    if (survey_make(&survey, at, addresses, n, err) < 0)
        return -1;
    for (uint32_t i = 0; i < n; i++) {
        const struct place *place = &survey.places[i];
        const struct rtnl_address address = {.index = index_of(at),
                                             .ip = addresses[i].ip,
                                             .n_bits = place->n_bits,
                                             .is_secondary = !place->is_first};
        if (place->is_there && !place->is_foreign &&
            rtnl_addr_remove_alone(&ports_of(at)->rtnl, &address, err) < 0)
            rc = -1;
    }
    return rc;
}

bool vip_has_addresses(const struct vip_group *at)
{
    const struct vip_family *family = at->group.plan.family;
    struct survey survey;
    struct err err = ERR_NONE;
    if (at->vip->conf->has_no_address)
        return true;
    if (index_of(at) == 0 ||
        survey_make(&survey, at, family->addresses, family->n_addresses, &err) < 0)
        return false;
    for (uint32_t i = 0; i < family->n_addresses; i++)
        if (!survey.places[i].is_there)
            return false;
    return true;
}

/* ---- what is told ---- */

static void world_moved(void *ctx, const struct group *group, const struct vrrp_action *action)
{
    struct vip_group *at = ctx;
    (void)group;
    vip_say_moved(at, action);
    at->vip->has_news = true;
    vips_reconsider(at->vip->vips);
}

static void world_noted(void *ctx, const struct group *group, const struct group_note *note)
{
    struct vip_group *at = ctx;
    if (note->error && group->is_broken)
        vips_reconsider(at->vip->vips);
    vip_say_note(at, note);
}

static void world_ask(void *ctx, const struct group *group)
{
    const struct vip_group *at = ctx;
    const struct process *process = at->vip->vips->process;
    (void)group;
    board_tell(process->board, at->vip->fact, loop_wall_ns(process->loops[0]));
}

const struct group_ops vip_group_ops = {
    .send = world_send,
    .put = world_put,
    .remove = world_remove,
    .announce = world_announce,
    .moved = world_moved,
    .noted = world_noted,
    .ask = world_ask,
};

/* ---- whom a packet is for ---- */

/* The group of that id; of two that differ in version the one that is meant. */
static struct vip_group *find_group(const struct vips *vips, const struct port *port, size_t family,
                                    struct slice payload)
{
    struct vip_group *found = NULL;
    if (payload.len < 2)
        return NULL;
    uint8_t version = (uint8_t)payload.ptr[0] >> 4, id = (uint8_t)payload.ptr[1];
    for (uint32_t i = 0; i < vips->n_items; i++) {
        struct vip *vip = vips->items[i];
        struct vip_group *at = &vip->groups[family];
        if (vip->port != port || !at->is_started || vip->conf->id != id)
            continue;
        if (!found || vip->conf->version == version)
            found = at;
    }
    return found;
}

static void refuse(const struct port *port, const struct raw_packet *packet)
{
    struct vrrp_advert advert;
    enum vrrp_refusal refusal = packet->refusal;
    if (refusal == VRRP_FINE)
        refusal = vrrp_parse(packet->payload, &packet->carrier, &advert);
    if (refusal == VRRP_FINE)
        refusal = VRRP_REFUSED_VRID;
    metric_add(metric_row(port->slab->slab, 0), (uint32_t)VRRP_WORD_REFUSED + (uint32_t)refusal, 1);
}

static void on_packet(void *ctx, struct port *port, size_t family, const struct raw_packet *packet)
{
    const struct vips *vips = ctx;
    struct vip_group *at =
        packet->refusal == VRRP_FINE ? find_group(vips, port, family, packet->payload) : NULL;
    if (!at) {
        refuse(port, packet);
        return;
    }
    group_receive(&at->group, &packet->carrier, packet->payload, loop_boot_ns());
    vip_say_heard(at);
    vip_arm(at);
}

static void on_port_change(void *ctx, struct port *port)
{
    const struct vips *vips = ctx;
    for (uint32_t i = 0; i < vips->n_items; i++)
        if (vips->items[i]->port == port)
            vip_on_port(vips->items[i]);
}

static bool is_of_group(const struct vip_group *at, const struct rtnl_address *address)
{
    const struct vip_family *family = at->group.plan.family;
    for (uint32_t i = 0; at->is_started && i < family->n_addresses; i++)
        if (vrrp_ip_compare(&family->addresses[i].ip, &address->ip) == 0)
            return index_of(at) == address->index;
    return false;
}

/* What is told may have happened long ago: the kernel is asked. */
static void on_gone(void *ctx, const struct rtnl_address *address)
{
    const struct vips *vips = ctx;
    for (uint32_t i = 0; i < vips->n_items; i++) {
        for (size_t f = 0; f < VIP_FAMILIES; f++) {
            struct vip_group *at = &vips->items[i]->groups[f];
            if (!is_of_group(at, address) || group_state(&at->group) != VRRP_ACTIVE ||
                vip_has_addresses(at))
                continue;
            group_taken(&at->group, loop_boot_ns());
            vip_arm(at);
        }
    }
}

static bool is_floating(void *ctx, const struct vrrp_ip *ip)
{
    const struct vips *vips = ctx;
    for (uint32_t i = 0; i < vips->n_items; i++) {
        const struct vip_family *family =
            &vips->items[i]->conf->families[ip->n_bytes == 16 ? VIP_IPV6 : VIP_IPV4];
        for (uint32_t k = 0; k < family->n_addresses; k++)
            if (vrrp_ip_compare(&family->addresses[k].ip, ip) == 0)
                return true;
    }
    return false;
}

const struct port_calls vip_port_calls = {
    .on_packet = on_packet,
    .on_change = on_port_change,
    .on_gone = on_gone,
    .is_floating = is_floating,
};
