/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_LISTEN_CONF_H
#define DNS_LISTEN_CONF_H

/*
 * The words of one DNS listener: an address that is asked over UDP and TCP alike, what it says of
 * itself, and how much it bears from whom.
 *
 *     dns 0.0.0.0:53 {
 *         name       public
 *         id         ns1.example.net          # CHAOS id.server, and NSID where nsid is not set
 *         rate-limit answers 200/s slip 2
 *         limits     connections 1000
 *         timeout    idle 10s
 *     }
 *
 * All listeners serve all zones. Without `name` a listener is called by its address.
 *
 * dns/conf.c puts dns_listen_block under the word `dns` and calls dns_listen_check() for each; the
 * server (dns/plan.c) reads the rest.
 */

#include "conf/schema.h"
#include <stdbool.h>
#include <stdint.h>

enum { DNS_LISTENS_MAX = 64 };

/*
 * Bytes of `id` and of `nsid`. Of the 512 of the least response over UDP 271 are left to header and
 * question; OPT with a cookie and a client's network takes 67, so that 174 would fit.
 */
enum { DNS_IDENTITY_MAX = 128 };

struct dns_limits_conf {
    struct conf_object object;
    int64_t connections;  /* over TCP, all loops together */
    int64_t queries;      /* on one of them */
    int64_t pipelined;    /* answered to one connection before another has its turn */
    int64_t output_bytes; /* that wait for a peer */
    int64_t buffer_bytes; /* of a UDP socket in the kernel, each way */
};

struct dns_timeouts_conf {
    struct conf_object object;
    int64_t idle_ms;
    int64_t query_ms;
    int64_t send_ms;
};

/* Rates are of one client network (limit/rrl.h); each loop has its share of them. */
struct dns_rate_conf {
    struct conf_object object;
    int is_on;
    struct conf_rate answers;   /* of one name, or of one wildcard */
    struct conf_rate negatives; /* NXDOMAIN, no data and referrals, of one zone */
    struct conf_rate errors;    /* FORMERR, REFUSED and their like */
    struct conf_rate total;     /* all of the above */
    int64_t slip;               /* each so manieth that is over is answered with TC; 0: none */
    int64_t ipv4_bits, ipv6_bits;
    int64_t n_networks; /* that are remembered in each loop */
    /* struct addr_net: who is not limited; none given: loopback */
    struct conf_list exempt_list;
};

struct dns_listen_conf {
    struct conf_object object;
    struct slice name; /* what `name` says, else the address as it is written */
    struct conf_addr addr;
    struct slice id;      /* empty: the node's name where the file has nodes, else it is not told */
    struct slice nsid;    /* empty: as id */
    struct slice version; /* empty: it is not told */
    int has_cookies;
    int64_t edns_bytes;
    struct dns_limits_conf limits;
    struct dns_timeouts_conf timeouts;
    struct dns_rate_conf rate;
    /* --- filled by dns_listen_check() --- */
    const char *fact; /* "dns:NAME", the name of its UDP sockets too */
    const char *tcp;  /* "dns-tcp:NAME", of its TCP sockets */
};

extern const struct conf_block dns_listen_block;

/*
 * What one listener and those before it in the list (of struct dns_listen_conf) say together:
 * names it, and refuses an address or name that another one has. 0, or -1 after it has told
 * load->diag.
 */
int dns_listen_check(const struct conf_list *list, size_t index, struct conf_load *load);

#endif
