/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as hosts and as resolv.conf: what comes out is within its bounds.
 */

#include "net/hosts.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_hosts(struct slice bytes, struct slice host)
{
    struct hosts hosts;
    struct addr addrs[4];
    hosts_init(&hosts, bytes, 1);
    size_t n = hosts_find(&hosts, host, addrs, 4);
    assert(n <= 4);
    for (size_t i = 0; i < n; i++)
        assert(addrs[i].len && addr_port(&addrs[i]) == 0);
    hosts_deinit(&hosts);
}

static void read_conf(struct slice bytes, struct slice host)
{
    struct resolv_conf conf;
    char name[HOSTS_NAME_MAX + 1];
    resolv_conf_parse(bytes, &conf);
    assert(conf.n_servers >= 1 && conf.n_servers <= HOSTS_SERVERS_MAX);
    assert(conf.n_search <= HOSTS_SEARCH_MAX && conf.ndots <= HOSTS_NDOTS_MAX);
    size_t n = 0;
    while (resolv_conf_candidate(&conf, host, n, name)) {
        assert(strlen(name) <= HOSTS_NAME_MAX);
        n++;
    }
    assert(n >= 1 && n <= HOSTS_SEARCH_MAX + 1);
}

/* The first line is the name that is looked for. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_make((const char *)data, size);
    struct slice host = slice_cut(&rest, '\n');
    read_hosts(rest, host);
    read_conf(rest, host);
    return 0;
}
