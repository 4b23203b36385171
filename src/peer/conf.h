/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEER_CONF_H
#define PEER_CONF_H

/*
 * The word `peer`: a path between the nodes, told by the net in which each of them has exactly one
 * of its addresses.
 *
 *     nodes { a 10.0.0.11 192.168.7.11; b 10.0.0.12 192.168.7.12 }
 *     secret-file /etc/weir/secret
 *     peer 10.0.0.0/24    port 7900
 *     peer 192.168.7.0/24 port 7900 every 1s
 *
 * Each node sends from its own address in the net to those of the others, all at the same port.
 * Beats are signed with a key that is derived from each line of secret-file, so there must be one.
 * A file with one node may have the word already; no process is needed until there is another.
 */

#include "base/addr.h"
#include "conf/schema.h"
#include "core/settings.h"
#include "wire/beat.h"
#include <stdint.h>

struct peer_path_conf {
    struct conf_object object;
    struct addr_net net;
    int64_t port;
    int64_t every_ms; /* 0: auto */
    /* --- filled by peer_check() --- */
    const char *name;             /* "10.0.0.0/24" */
    const char *fact;             /* "path:10.0.0.0/24", the name of its socket too */
    struct conf_addr own;         /* this node's; its text lives as the snapshot */
    struct addr addrs[NODES_MAX]; /* of each node, by place in `nodes` */
};

struct peer_conf {
    struct conf_object object;
    struct conf_list path_list; /* of struct peer_path_conf */
    int64_t wanted_ms;          /* the least that anybody wants of auto; 0: nobody */
};

extern const struct conf_word peer_words[];

const struct peer_conf *peer_conf_of(const struct snapshot *snap);
/* struct module check(). */
int peer_check(struct snapshot *snap, void *conf, struct conf_load *load);
/* Are there a path and somebody at its other end? */
bool peer_conf_is_needed(const struct snapshot *snap);
/* Between two beats over this path. */
int64_t peer_path_every_ms(const struct peer_conf *conf, const struct peer_path_conf *path);

#endif
