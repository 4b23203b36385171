/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What all vips of a file say together, and what they say of nodes.
 */

#include "base/mem.h"
#include "core/node.h"
#include "peer/peer.h"
#include "vip/conf.h"
#include "vip/need.h"
#include <assert.h>
#include <string.h>

/* What the checks of a vip look at. */
struct looking {
    const struct vips_conf *vips;
    const struct nodes_conf *nodes; /* NULL: none */
    const struct snapshot *snap;
    struct conf_load *load;
};

static struct vip_conf *vip_at(const struct vips_conf *vips, size_t index)
{
    return vips->vip_list.items[index];
}

static size_t n_nodes(const struct looking *looking)
{
    return looking->nodes ? looking->nodes->list.n_items : 0;
}

static const struct node_conf *node_at(const struct looking *looking, size_t index)
{
    return looking->nodes->list.items[index];
}

/* "line 3", for messages about a second one. */
static const char *line_of(const struct looking *looking, struct conf_at at)
{
    struct text out = TEXT_NONE;
    text_append(&out, SLICE("the first is at "));
    conf_at_format(looking->load->files, at, &out);
    const char *hint = arena_dup(looking->load->arena, text_slice(&out)).ptr;
    text_deinit(&out);
    return hint;
}

/* ---- two vips ---- */

static bool share_family(const struct vip_conf *a, const struct vip_conf *b)
{
    for (size_t f = 0; f < VIP_FAMILIES; f++)
        if (a->families[f].n_addresses && b->families[f].n_addresses)
            return true;
    return false;
}

static int check_ids(const struct looking *looking, const struct vip_conf *vip,
                     const struct vip_conf *former)
{
    if (vip->id != former->id || vip->version != former->version || !share_family(vip, former) ||
        strcmp(vip->interface, former->interface) != 0)
        return 0;
    return conf_error(looking->load->diag, conf_where(&vip->object, "id"),
                      line_of(looking, conf_where(&former->object, "id")),
                      "vip %.*s has id %d on %s as well", SLICE_ARG(former->name), (int)vip->id,
                      vip->interface);
}

static int check_twice(const struct looking *looking, const struct vip_conf *vip,
                       const struct vip_conf *former)
{
    int rc = 0;
    for (size_t i = 0; i < vip->address_list.n_items; i++) {
        const struct conf_ip_in *one = vip->address_list.items[i];
        size_t n_before = vip == former ? i : former->address_list.n_items;
        for (size_t k = 0; k < n_before; k++) {
            const struct conf_ip_in *other = former->address_list.items[k];
            if (addr_equal(&one->ip.addr, &other->ip.addr))
                rc = conf_error(looking->load->diag, one->ip.at, line_of(looking, other->ip.at),
                                "the address stands twice");
        }
    }
    return rc;
}

/* ---- a vip and the nodes ---- */

static int check_node(const struct looking *looking, const struct conf_ref *ref, const char *word)
{
    const char *names[NODES_MAX + 1] = {NULL};
    if (ref->name.len == 0)
        return 0;
    if (n_nodes(looking) == 0)
        return conf_error(looking->load->diag, ref->at, "priority 254",
                          "the file has no nodes for \"%s\"", word);
    for (size_t i = 0; i < n_nodes(looking) && i < NODES_MAX; i++) {
        const struct node_conf *node = node_at(looking, i);
        if (slice_equal(node->name, ref->name))
            return 0;
        names[i] = node->name.ptr;
    }
    const struct conf_token token = {.text = ref->name, .at = ref->at};
    return conf_unknown(looking->load, &token, names, "nodes");
}

static int check_nodes(const struct looking *looking, const struct vip_conf *vip)
{
    int rc = check_node(looking, &vip->prefer_ref, "prefer");
    if (check_node(looking, &vip->owner_ref, "owner") < 0)
        rc = -1;
    if (n_nodes(looking) > 0 && conf_is_set(&vip->object, "priority"))
        rc = conf_error(looking->load->diag, conf_where(&vip->object, "priority"), "prefer NODE",
                        "every node of the file would have the same priority");
    if (n_nodes(looking) > VIP_NODES_MAX)
        rc = conf_error(looking->load->diag, vip->object.at, NULL,
                        "a vip has at most %d nodes, and the file has %zu", VIP_NODES_MAX,
                        n_nodes(looking));
    return rc;
}

/* An address that a node has for good does not move, but to and from its owner. */
static int check_own(const struct looking *looking, const struct vip_conf *vip)
{
    int rc = 0;
    for (size_t n = 0; n < n_nodes(looking); n++) {
        const struct node_conf *node = node_at(looking, n);
        bool is_owner = slice_equal(vip->owner_ref.name, node->name);
        for (size_t i = 0; i < vip->address_list.n_items && !is_owner; i++) {
            const struct conf_ip_in *one = vip->address_list.items[i];
            if (node_has_addr(node, &one->ip.addr))
                rc = conf_error(looking->load->diag, one->ip.at,
                                "choose another, or say that the node is the owner",
                                "it is the address of node %.*s", SLICE_ARG(node->name));
        }
    }
    return rc;
}

/* ---- unicast ---- */

static bool is_of_family(const struct addr *addr, size_t family)
{
    return addr_family(addr) == (family == VIP_IPV6 ? AF_INET6 : AF_INET);
}

static void add_peer(const struct looking *looking, struct vip_family *family,
                     const struct addr *addr)
{
    if (!family->peers)
        family->peers = ARENA_NEW_ARRAY(looking->load->arena, struct vrrp_ip, VIP_PEERS_MAX);
    assert(family->n_peers < VIP_PEERS_MAX);
    family->peers[family->n_peers++] = vip_ip_of(addr);
}

/* This node; NULL where the file has no nodes. */
static const struct node_conf *own_node(const struct looking *looking)
{
    return node_find(looking->snap, slice_from(looking->snap->node));
}

/* Those that are written. An address of this node itself is none of its peers, but the one that the
 * others take its advertisements from. */
static void add_written(const struct looking *looking, const struct vip_conf *vip, size_t f,
                        struct vip_family *family)
{
    const struct node_conf *own = own_node(looking);
    for (size_t i = 0; i < vip->unicast->addr_list.n_items; i++) {
        const struct conf_addr *peer = vip->unicast->addr_list.items[i];
        if (!is_of_family(&peer->addr, f))
            continue;
        if (own && node_has_addr(own, &peer->addr))
            family->source = vip_ip_of(&peer->addr);
        else
            add_peer(looking, family, &peer->addr);
    }
}

/*
 * Where the node is to be reached about the vip: its address in the net of one of the vip's
 * addresses, otherwise its only one of the family. NULL: it has none; *ret_is_open: it has several,
 * and none of the vip's addresses (a host's own, say) tells which of them is the interface's.
 */
static const struct conf_addr *addr_for(const struct node_conf *node, const struct vip_conf *vip,
                                        size_t f, bool *ret_is_open)
{
    const struct conf_addr *only = NULL;
    *ret_is_open = false;
    for (size_t i = 0; i < vip->address_list.n_items; i++) {
        const struct conf_ip_in *one = vip->address_list.items[i];
        /* Behind n_bits nothing is compared. */
        const struct addr_net net = {.base = one->ip.addr, .n_bits = one->n_bits};
        const struct conf_addr *found =
            is_of_family(&one->ip.addr, f) ? node_addr_in(node, &net) : NULL;
        if (found)
            return found;
    }
    for (size_t i = 0; i < node_n_addrs(node); i++) {
        if (!is_of_family(&node_addr(node, i)->addr, f))
            continue;
        *ret_is_open = only != NULL;
        if (*ret_is_open)
            return NULL;
        only = node_addr(node, i);
    }
    return only;
}

static int refuse_node(const struct looking *looking, const struct vip_conf *vip,
                       const struct node_conf *node, size_t f, bool is_open)
{
    const char *family = f == VIP_IPV6 ? "IPv6" : "IPv4";
    struct conf_at at = conf_where(&vip->object, "unicast");
    if (is_open)
        return conf_error(looking->load->diag, at, "unicast ADDRESS ADDRESS, one a node",
                          "node %.*s has several %s addresses, and none in a net of this vip",
                          SLICE_ARG(node->name), family);
    return conf_error(looking->load->diag, at, "unicast ADDRESS ADDRESS",
                      "node %.*s has no %s address to send advertisements to",
                      SLICE_ARG(node->name), family);
}

static int add_nodes(const struct looking *looking, const struct vip_conf *vip, size_t f,
                     struct vip_family *family)
{
    for (size_t n = 0; n < n_nodes(looking); n++) {
        const struct node_conf *node = node_at(looking, n);
        bool is_open;
        const struct conf_addr *addr = addr_for(node, vip, f, &is_open);
        if (!addr)
            return refuse_node(looking, vip, node, f, is_open);
        if (slice_is(node->name, looking->snap->node))
            family->source = vip_ip_of(&addr->addr);
        else
            add_peer(looking, family, &addr->addr);
    }
    return 0;
}

static int find_peers(const struct looking *looking, struct vip_conf *vip)
{
    const struct vip_unicast_conf *unicast = vip->unicast;
    if (!unicast)
        return 0;
    struct conf_at at = conf_where(&vip->object, "unicast");
    if (unicast->addr_list.n_items > VIP_PEERS_MAX)
        return conf_error(looking->load->diag, at, NULL, "more than %d peers", VIP_PEERS_MAX);
    for (size_t f = 0; f < VIP_FAMILIES; f++) {
        struct vip_family *family = &vip->families[f];
        if (family->n_addresses == 0)
            continue;
        if (unicast->addr_list.n_items > 0)
            add_written(looking, vip, f, family);
        else if (add_nodes(looking, vip, f, family) < 0)
            return -1;
        if (family->n_peers == 0)
            return conf_error(looking->load->diag, at, "unicast 10.0.0.12, or nodes",
                              "there is no peer to send %s advertisements to",
                              f == VIP_IPV6 ? "IPv6" : "IPv4");
    }
    return 0;
}

/* ---- move-with ---- */

static struct vip_conf *find_vip(const struct vips_conf *vips, struct slice name)
{
    for (size_t i = 0; i < vips->vip_list.n_items; i++)
        if (slice_equal(vip_at(vips, i)->name, name))
            return vip_at(vips, i);
    return NULL;
}

static int refuse_leader(const struct looking *looking, const struct conf_ref *ref)
{
    const struct vips_conf *vips = looking->vips;
    const struct conf_token token = {.text = ref->name, .at = ref->at};
    const char **names =
        ARENA_NEW_ARRAY(looking->load->arena, const char *, vips->vip_list.n_items + 1);
    for (size_t i = 0; i < vips->vip_list.n_items; i++)
        names[i] = arena_dup(looking->load->arena, vip_at(vips, i)->name).ptr;
    return conf_unknown(looking->load, &token, names, "the vips of the file");
}

/* Follows the chain to its end. */
static int find_leader(const struct looking *looking, struct vip_conf *vip)
{
    const struct vip_conf *leader = vip;
    for (size_t n = 0; leader->move_with_ref.name.len; n++) {
        const struct conf_ref *ref = &leader->move_with_ref;
        const struct vip_conf *next = find_vip(looking->vips, ref->name);
        if (!next)
            return leader == vip ? refuse_leader(looking, ref) : -1;
        if (next == vip || n > looking->vips->vip_list.n_items)
            return conf_error(looking->load->diag, vip->move_with_ref.at, NULL,
                              "vip %.*s would move with itself", SLICE_ARG(vip->name));
        leader = next;
    }
    vip->leader = leader;
    return 0;
}

/* ---- all of it ---- */

static int check_vip(const struct looking *looking, size_t index)
{
    struct vip_conf *vip = vip_at(looking->vips, index);
    int rc = check_twice(looking, vip, vip);
    vip->index = (uint32_t)index;
    for (size_t i = 0; i < index; i++) {
        const struct vip_conf *former = vip_at(looking->vips, i);
        if (check_ids(looking, vip, former) < 0 || check_twice(looking, vip, former) < 0)
            rc = -1;
    }
    if (check_nodes(looking, vip) < 0 || check_own(looking, vip) < 0 ||
        find_peers(looking, vip) < 0 || find_leader(looking, vip) < 0)
        rc = -1;
    if (needs_check(looking->snap, &vip->need_list, vip->name, looking->load) < 0)
        rc = -1;
    return rc;
}

int vip_check(struct snapshot *snap, void *self, struct conf_load *load)
{
    const struct vips_conf *vips = self;
    const struct settings *settings = settings_of(snap);
    const struct looking looking = {
        .vips = vips, .nodes = settings ? settings->nodes : NULL, .snap = snap, .load = load};
    int rc = 0;
    if (vips->vip_list.n_items > VIPS_MAX)
        return conf_error(load->diag, vip_at(vips, VIPS_MAX)->object.at, NULL, "more than %d vips",
                          VIPS_MAX);
    for (size_t i = 0; i < vips->vip_list.n_items; i++)
        if (!vip_at(vips, i)->interface)
            return -1; /* its own mistake was told already */
    for (size_t i = 0; i < vips->vip_list.n_items; i++)
        if (check_vip(&looking, i) < 0)
            rc = -1;
    for (size_t i = 0; i < vips->vip_list.n_items; i++)
        peer_conf_want_interval(snap, vip_at(vips, i)->interval_ms);
    return rc;
}

uint8_t vip_base_priority(const struct vip_conf *vip, const char *node)
{
    if (vip->owner_ref.name.len && slice_is(vip->owner_ref.name, node))
        return VRRP_PRIORITY_OWNER;
    if (vip->prefer_ref.name.len)
        return slice_is(vip->prefer_ref.name, node) ? VIP_PRIORITY_PREFERRED : VIP_PRIORITY_OTHER;
    return vip->priority ? (uint8_t)vip->priority : VIP_PRIORITY_OTHER;
}
