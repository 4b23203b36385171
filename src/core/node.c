/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The choice of the node, by name or by the addresses of the host.
 */

#include "core/node.h"
#include <ifaddrs.h>
#include <string.h>

/* The same IP address, whatever the ports and scopes are. */
static bool is_same_ip(const struct addr *addr, const struct sockaddr *other)
{
    if (other->sa_family != addr->sa.sa_family)
        return false;
    if (other->sa_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)other)->sin_addr.s_addr ==
               addr->in4.sin_addr.s_addr;
    return memcmp(&((const struct sockaddr_in6 *)(const void *)other)->sin6_addr,
                  &addr->in6.sin6_addr, sizeof(addr->in6.sin6_addr)) == 0;
}

static bool is_everywhere(const struct addr *addr)
{
    switch (addr_family(addr)) {
    case AF_INET:
        /* The whole of 127.0.0.0/8 is this host, also where no interface lists it. */
        return addr->in4.sin_addr.s_addr == htonl(INADDR_ANY) ||
               ntohl(addr->in4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    case AF_INET6:
        return IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr);
    default:
        return true;
    }
}

bool node_host_has(const struct addr *addr)
{
    if (is_everywhere(addr))
        return true;
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) < 0)
        return false;
    bool has = false;
    for (const struct ifaddrs *one = all; one && !has; one = one->ifa_next)
        has = one->ifa_addr && is_same_ip(addr, one->ifa_addr);
    freeifaddrs(all);
    return has;
}

const struct conf_addr *node_addr_in(const struct node_conf *node, const struct addr_net *net)
{
    for (size_t i = 0; i < node_n_addrs(node); i++)
        if (addr_net_has(net, &node_addr(node, i)->addr))
            return node_addr(node, i);
    return NULL;
}

bool node_has_addr(const struct node_conf *node, const struct addr *addr)
{
    for (size_t i = 0; i < node_n_addrs(node); i++)
        if (is_same_ip(addr, &node_addr(node, i)->addr.sa))
            return true;
    return false;
}

const struct node_conf *node_of_addr(const struct snapshot *snap, const struct addr *addr)
{
    const struct settings *settings = settings_of(snap);
    int family = addr_family(addr);
    if (!settings || !settings->nodes || (family != AF_INET && family != AF_INET6) ||
        snapshot_is_floating(snap, addr))
        return NULL;
    for (size_t i = 0; i < settings->nodes->list.n_items; i++)
        if (node_has_addr(settings->nodes->list.items[i], addr))
            return settings->nodes->list.items[i];
    return NULL;
}

const struct node_conf *node_find(const struct snapshot *snap, struct slice name)
{
    const struct settings *settings = settings_of(snap);
    for (size_t i = 0; settings && settings->nodes && i < settings->nodes->list.n_items; i++) {
        const struct node_conf *node = settings->nodes->list.items[i];
        if (slice_equal(node->name, name))
            return node;
    }
    return NULL;
}

static bool host_has_node(const struct node_conf *node)
{
    for (size_t i = 0; i < node_n_addrs(node); i++)
        if (node_host_has(&node_addr(node, i)->addr))
            return true;
    return false;
}

/* "a, b, c", for hints. */
static const char *node_names(const struct conf_list *nodes, struct arena *arena)
{
    const char *names = "";
    for (size_t i = 0; i < nodes->n_items; i++) {
        const struct node_conf *node = nodes->items[i];
        names = arena_printf(arena, "%s%s%.*s", names, i ? ", " : "", SLICE_ARG(node->name));
    }
    return names;
}

static int choose_by_name(const struct nodes_conf *nodes, const char *name, struct conf_load *load,
                          const char **ret_name)
{
    for (size_t i = 0; i < nodes->list.n_items; i++) {
        const struct node_conf *node = nodes->list.items[i];
        if (!slice_is(node->name, name))
            continue;
        *ret_name = arena_dup(load->arena, node->name).ptr;
        return 0;
    }
    return conf_error(load->diag, conf_where(&nodes->object, NULL),
                      arena_printf(load->arena, "one of %s", node_names(&nodes->list, load->arena)),
                      "no node is called \"%s\"", name);
}

static int choose_by_host(const struct nodes_conf *nodes, struct conf_load *load,
                          const char **ret_name)
{
    const struct node_conf *found = NULL;
    size_t n_found = 0;
    for (size_t i = 0; i < nodes->list.n_items; i++) {
        const struct node_conf *node = nodes->list.items[i];
        if (!host_has_node(node))
            continue;
        if (n_found++ > 0)
            return conf_error(load->diag, node->addr.at, "say which one with --node NAME",
                              "this host has the addresses of two nodes, %.*s and %.*s",
                              SLICE_ARG(found->name), SLICE_ARG(node->name));
        found = node;
    }
    if (n_found == 0)
        return conf_error(load->diag, conf_where(&nodes->object, NULL),
                          arena_printf(load->arena,
                                       "say which one it is with --node NAME (%s), or add it",
                                       node_names(&nodes->list, load->arena)),
                          "this host has the address of none of the nodes");
    *ret_name = arena_dup(load->arena, found->name).ptr;
    return 0;
}

int node_choose(const struct snapshot *snap, const struct snapshot_options *options,
                struct conf_load *load, const char **ret_name)
{
    const struct settings *settings = settings_of(snap);
    bool has_nodes = settings && settings->nodes && settings->nodes->list.n_items > 0;
    *ret_name = "";
    if (!has_nodes && (!options->node || !options->node[0]))
        return 0;
    if (!has_nodes)
        return conf_error(load->diag, (struct conf_at){.line = 0},
                          "leave out --node, or write `nodes { NAME ADDRESS; ... }`",
                          "--node %s is given, but the file has no nodes", options->node);
    if (options->node && options->node[0])
        return choose_by_name(settings->nodes, options->node, load, ret_name);
    if (!options->is_every_node)
        return choose_by_host(settings->nodes, load, ret_name);
    const struct node_conf *first = settings->nodes->list.items[0];
    *ret_name = arena_dup(load->arena, first->name).ptr;
    return 0;
}
