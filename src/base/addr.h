/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

/*
 * Socket addresses as values: IPv4, IPv6 and unix, with their text forms
 *
 *     10.0.0.1:80    [::1]:80    unix:/path    unix:@abstract
 *
 * and networks (ADDR/LEN). No name is ever looked up here; see net/resolver.h for that.
 */

#include "base/err.h"
#include "base/slice.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct addr {
    socklen_t len; /* 0: no address */
    union {
        struct sockaddr sa;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    };
};

enum { ADDR_TEXT_MAX = 120 }; /* "unix:" and a full sun_path, with the NUL */

/* An address with its port (1..65535), or a unix path. The sentence in err says what is wrong. */
int addr_parse(struct slice text, struct addr *ret_addr, struct err *err);
/* An IP address alone (brackets around IPv6 allowed), with the given port. */
int addr_parse_ip(struct slice text, uint16_t port, struct addr *ret_addr, struct err *err);
/* Writes the text form with a NUL, "none" for no address, and returns text. */
const char *addr_format(const struct addr *addr, char text[ADDR_TEXT_MAX]);
/* The IP alone, without port and brackets; "unix" for unix addresses. */
const char *addr_format_ip(const struct addr *addr, char text[ADDR_TEXT_MAX]);
bool addr_equal(const struct addr *a, const struct addr *b);
/* 0 for unix addresses, which addr_set_port() leaves as they are. */
uint16_t addr_port(const struct addr *addr);
void addr_set_port(struct addr *addr, uint16_t port);
static inline int addr_family(const struct addr *addr)
{
    return addr->sa.sa_family;
}

/* A network: the address with all bits behind the prefix zero. */
struct addr_net {
    struct addr base; /* port 0 */
    uint8_t n_bits;   /* 0..32 or 0..128 */
};

/* "10.0.0.0/8", "2001:db8::/32"; without "/LEN" the whole address. Host bits set are an error. */
int addr_net_parse(struct slice text, struct addr_net *ret_net, struct err *err);
/* IPv4-mapped IPv6 addresses (::ffff:a.b.c.d) match IPv4 networks. Unix addresses match nothing. */
bool addr_net_has(const struct addr_net *net, const struct addr *addr);

#endif
