/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rows of `peer`, and what can be said against a path.
 */

#include "peer/conf.h"

#include "core/node.h"
#include "peer/peer.h"

static const struct conf_word path_args[] = {
    {.name = "NET",
     .type = CONF_NET,
     .offset = offsetof(struct peer_path_conf, net),
     .doc = "the net in which each node has one of its addresses"},
    {0},
};

static const struct conf_word path_words[] = {
    {.name = "port",
     .type = CONF_INT,
     .flags = CONF_REQUIRED,
     .offset = offsetof(struct peer_path_conf, port),
     .min = 1,
     .max = 65535,
     .doc = "the UDP port of all nodes in this net"},
    {.name = "every",
     .type = CONF_PERIOD,
     .offset = offsetof(struct peer_path_conf, every_ms),
     .fallback = "auto",
     .min = PEER_EVERY_MIN_MS,
     .max = 10000,
     .doc = "time between two beats; auto is the least interval of the floating addresses, at most "
            "100ms. Three beats that do not come are silence"},
    {0},
};

static const struct conf_block path_block = {
    .size = sizeof(struct peer_path_conf), .args = path_args, .words = path_words};

const struct conf_word peer_words[] = {
    {.name = "peer",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct peer_conf, path_list),
     .block = &path_block,
     .doc = "A path between the nodes, by which they tell each other that they live and what they "
            "serve, in datagrams signed with a key that is derived from secret-file. Several, each "
            "in a net of its own, outlive the failure of one."},
    {0},
};

const struct peer_conf *peer_conf_of(const struct snapshot *snap)
{
    return snapshot_conf(snap, &peer_module);
}

static const struct nodes_conf *nodes_of(const struct snapshot *snap)
{
    const struct settings *settings = settings_of(snap);
    return settings ? settings->nodes : NULL;
}

/* --- how often -------------------------------------------------------------------------------- */

int64_t peer_path_every_ms(const struct peer_conf *conf, const struct peer_path_conf *path)
{
    if (path->every_ms)
        return path->every_ms;
    return conf->wanted_ms ? conf->wanted_ms : PEER_EVERY_MAX_MS;
}

void peer_conf_want_interval(const struct snapshot *snap, int64_t ms)
{
    struct peer_conf *conf = NULL;
    for (size_t i = 0; i < snap->table->n_items; i++)
        if (snap->table->items[i] == &peer_module)
            conf = snap->conf[i];
    if (!conf)
        return;
    if (ms < PEER_EVERY_MIN_MS)
        ms = PEER_EVERY_MIN_MS;
    if (ms < PEER_EVERY_MAX_MS && (conf->wanted_ms == 0 || ms < conf->wanted_ms))
        conf->wanted_ms = ms;
}

bool peer_conf_is_needed(const struct snapshot *snap)
{
    const struct nodes_conf *nodes = nodes_of(snap);
    return nodes && nodes->list.n_items > 1 && peer_conf_of(snap)->path_list.n_items > 0;
}

int64_t peer_conf_every_ms(const struct snapshot *snap)
{
    const struct peer_conf *conf = peer_conf_of(snap);
    int64_t least = 0;
    if (!peer_conf_is_needed(snap))
        return 0;
    for (size_t i = 0; i < conf->path_list.n_items; i++) {
        int64_t every = peer_path_every_ms(conf, conf->path_list.items[i]);
        least = least == 0 || every < least ? every : least;
    }
    return least;
}

/* --- checks ----------------------------------------------------------------------------------- */

/* The address of a node in the path's net, with the path's port. */
static int find_addr(struct peer_path_conf *path, const struct node_conf *node,
                     struct conf_load *load, struct addr *ret_addr)
{
    const struct conf_addr *found = node_addr_in(node, &path->net);
    struct conf_at at = conf_where(&path->object, "NET");
    if (!found)
        return conf_error(load->diag, at,
                          arena_printf(load->arena,
                                       "write it behind the others: `nodes { %.*s "
                                       "%.*s ADDRESS; ... }`",
                                       SLICE_ARG(node->name), SLICE_ARG(node->addr.text)),
                          "node %.*s has no address in %s", SLICE_ARG(node->name), path->name);
    for (size_t i = 0; i < node_n_addrs(node); i++) {
        const struct conf_addr *other = node_addr(node, i);
        if (other != found && addr_net_has(&path->net, &other->addr))
            return conf_error(load->diag, at, "write a net that has only one address of each node",
                              "node %.*s has two addresses in %s, %.*s and %.*s",
                              SLICE_ARG(node->name), path->name, SLICE_ARG(found->text),
                              SLICE_ARG(other->text));
    }
    *ret_addr = found->addr;
    addr_set_port(ret_addr, (uint16_t)path->port);
    return 0;
}

static int check_path(const struct snapshot *snap, const struct nodes_conf *nodes,
                      struct peer_path_conf *path, struct conf_load *load)
{
    char text[ADDR_TEXT_MAX];
    int result = 0;
    for (size_t i = 0; i < nodes->list.n_items && i < NODES_MAX; i++) {
        const struct node_conf *node = nodes->list.items[i];
        if (find_addr(path, node, load, &path->addrs[i]) < 0)
            result = -1;
        else if (slice_is(node->name, snap->node))
            path->own.addr = path->addrs[i];
    }
    if (result < 0)
        return -1;
    path->own.port = (uint16_t)path->port;
    path->own.text =
        slice_from(arena_printf(load->arena, "%s", addr_format(&path->own.addr, text)));
    path->own.at = path->object.at;
    return 0;
}

/* Two paths over one address would be one path. */
static int check_twice(const struct peer_conf *conf, size_t index, struct conf_load *load)
{
    const struct peer_path_conf *path = conf->path_list.items[index];
    for (size_t i = 0; i < index; i++) {
        const struct peer_path_conf *earlier = conf->path_list.items[i];
        struct addr a = earlier->own.addr, b = path->own.addr;
        addr_set_port(&a, 0);
        addr_set_port(&b, 0);
        if (addr_equal(&a, &b))
            return conf_error(load->diag, conf_where(&path->object, "NET"), NULL,
                              "peer on line %u goes from the same address, %.*s",
                              earlier->object.at.line, SLICE_ARG(earlier->own.text));
    }
    return 0;
}

static void name_path(struct peer_path_conf *path, struct conf_load *load)
{
    char text[ADDR_TEXT_MAX];
    path->name =
        arena_printf(load->arena, "%s/%u", addr_format_ip(&path->net.base, text), path->net.n_bits);
    path->fact = arena_printf(load->arena, "path:%s", path->name);
}

/* What the whole file must have for a path to mean anything. */
static int check_file(const struct snapshot *snap, const struct peer_path_conf *first,
                      struct conf_load *load)
{
    const struct settings *settings = settings_of(snap);
    if (!settings || !settings->nodes || settings->nodes->list.n_items == 0)
        return conf_error(load->diag, first->object.at, "write `nodes { a ADDRESS; b ADDRESS }`",
                          "peer joins the nodes of this file, and it has none");
    if (settings->nodes->list.n_items > 1 && settings->secret_file.len == 0)
        return conf_error(
            load->diag, first->object.at,
            "make one with `head -c 32 /dev/urandom | base64 > /etc/weir/secret`, "
            "copy it to every node, and write `secret-file /etc/weir/secret`",
            "peer signs with a key that all nodes share, and there is no secret-file");
    return 0;
}

int peer_check(struct snapshot *snap, void *conf_of_module, struct conf_load *load)
{
    struct peer_conf *conf = conf_of_module;
    size_t n = conf->path_list.n_items;
    if (n == 0)
        return 0;
    int result = check_file(snap, conf->path_list.items[0], load);
    const struct nodes_conf *nodes = nodes_of(snap);
    if (!nodes)
        return result;
    for (size_t i = 0; i < n; i++) {
        struct peer_path_conf *path = conf->path_list.items[i];
        name_path(path, load);
        if (check_path(snap, nodes, path, load) < 0 || check_twice(conf, i, load) < 0)
            result = -1;
    }
    if (n > BEAT_PATHS_MAX) {
        const struct peer_path_conf *path = conf->path_list.items[BEAT_PATHS_MAX];
        return conf_error(load->diag, path->object.at, NULL, "more than %d paths", BEAT_PATHS_MAX);
    }
    return result;
}
