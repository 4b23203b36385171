/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_HOSTS_H
#define NET_HOSTS_H

/*
 * What the host's two files say about names: hosts(5), which names win over DNS, and
 * resolv.conf(5), whom to ask for the others. Bytes in, tables out: the supervisor reads the files,
 * net/resolver.c and the tests bring their bytes here. Lines that are not understood are passed
 * over, as the C library does.
 *
 *     hosts          10.0.1.12  app2.internal app2   # a name on several lines: several addresses
 *     resolv.conf    nameserver 10.0.0.2             also with a port: 10.0.0.2:5353, [::1]:5353
 *                    search internal example.org     the last one counts; `domain D`: one name
 *                    options ndots:2                 other options are for other libraries
 *
 * `localhost` and names below it are loopback addresses whatever the files say of DNS (RFC 6761
 * section 6.3), unless hosts itself has the name.
 */

#include "base/addr.h"
#include "base/arena.h"
#include "base/map.h"
#include "base/slice.h"
#include <stddef.h>
#include <stdint.h>

enum {
    HOSTS_NAME_MAX = 253, /* RFC 1035 section 2.3.4, as text without the last dot */
    HOSTS_ADDRS_MAX = 64, /* of one name; what follows is passed over */
    HOSTS_SERVERS_MAX = 8,
    HOSTS_SEARCH_MAX = 6,
    HOSTS_NDOTS_MAX = 15,
};

struct hosts {
    struct arena arena;
    struct map names; /* name -> its first entry */
};

void hosts_init(struct hosts *hosts, struct slice bytes, uint64_t seed);
void hosts_deinit(struct hosts *hosts);
/*
 * Fills the addresses of `name` (any case, a last dot is fine), port 0, IPv4 before IPv6; returns
 * how many, at most max.
 */
size_t hosts_find(const struct hosts *hosts, struct slice name, struct addr *ret_addrs, size_t max);

struct resolv_conf {
    struct addr servers[HOSTS_SERVERS_MAX]; /* with their ports */
    size_t n_servers;                       /* 1 at least: 127.0.0.1 where the file names none */
    char search[HOSTS_SEARCH_MAX][HOSTS_NAME_MAX + 1];
    size_t n_search;
    unsigned ndots; /* names with so many dots are tried as they are first; 1 */
};

void resolv_conf_parse(struct slice bytes, struct resolv_conf *ret_conf);

/*
 * The i-th name to ask DNS for when `host` is looked up: the search list is applied as
 * resolv.conf(5) says, a name that ends with a dot stands for itself. Returns false behind the last
 * one. Names that become too long are left out: ret_name is then empty.
 */
bool resolv_conf_candidate(const struct resolv_conf *conf, struct slice host, size_t i,
                           char ret_name[HOSTS_NAME_MAX + 1]);

#endif
