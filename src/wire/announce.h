/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_ANNOUNCE_H
#define WIRE_ANNOUNCE_H

/*
 * The frames by which a node tells a link that an address is behind its MAC now: a gratuitous ARP
 * for IPv4, an unsolicited neighbour advertisement for IPv6 (RFC 9568 sections 6.4.2 and 8). Whole
 * Ethernet frames, for a packet socket; who sends them, and when, is the vip's business.
 *
 *     | to: everybody | from: mac | type | ARP request: mac, address -> ff:..., address     |
 *     | to: 33:33:..1 | from: mac | type | IPv6 address -> ff02::1, hops 255 | NA, R O, mac |
 */

#include "wire/vrrp.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    ANNOUNCE_ARP_BYTES = 14 + 28,
    ANNOUNCE_NA_BYTES = 14 + 40 + 24 + 8,
    ANNOUNCE_MAX_BYTES = 86
};

/*
 * The frame for `address` at `mac`; is_router sets the R flag of IPv6 (RFC 9568 section 6.4.2; a
 * host that does not forward says 0, as keepalived does). Returns its bytes, which are one of the
 * two sizes above.
 *
 * The ARP is a request whose sender and target are the address (RFC 5227 section 3, RFC 9568
 * errata 7947 and 7949), with its target's MAC all ones, as keepalived sends it. The advertisement
 * has O set and S not, and comes from the address itself.
 */
int announce_write(const struct vrrp_ip *address, const uint8_t mac[VRRP_MAC_BYTES], bool is_router,
                   uint8_t ret_frame[ANNOUNCE_MAX_BYTES]);

/* 00-00-5E-00-01-{vrid} for IPv4, 00-00-5E-00-02-{vrid} for IPv6 (RFC 9568 section 7.3). */
void announce_virtual_mac(uint8_t vrid, bool is_ipv6, uint8_t ret_mac[VRRP_MAC_BYTES]);

#endif
