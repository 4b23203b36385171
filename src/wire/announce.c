/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Gratuitous ARP and unsolicited neighbour advertisement.
 */

#include "wire/announce.h"

#include "wire/ip_sum.h"

#include <assert.h>
#include <string.h>

enum {
    ETHERNET_BYTES = 14,
    IP6_BYTES = 40,
    ICMP6_BYTES = ANNOUNCE_NA_BYTES - ETHERNET_BYTES - IP6_BYTES,
    ICMP6_PROTOCOL = 58,
    NA_TYPE = 136,
    NA_ROUTER = 0x80,
    NA_OVERRIDE = 0x20,
};

static const uint8_t all_ones[VRRP_MAC_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t all_nodes_mac[VRRP_MAC_BYTES] = {0x33, 0x33, 0, 0, 0, 1};
static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};

static int write_arp(const uint8_t *address, const uint8_t *mac, uint8_t *frame)
{
    static const uint8_t kind[10] = {0x08, 0x06,             /* the type of the frame */
                                     0,    1,    8, 0, 6, 4, /* Ethernet, IPv4, their sizes */
                                     0,    1};               /* a request */
    memcpy(frame, all_ones, 6);
    memcpy(frame + 6, mac, 6);
    memcpy(frame + 12, kind, sizeof(kind));
    memcpy(frame + 22, mac, 6);
    memcpy(frame + 28, address, 4);
    memcpy(frame + 32, all_ones, 6);
    memcpy(frame + 38, address, 4);
    return ANNOUNCE_ARP_BYTES;
}

/* RFC 4861 section 4.4, the option of section 4.6.1, the checksum of RFC 4443 section 2.3. */
static void write_icmp6(const uint8_t *address, const uint8_t *mac, bool is_router, uint8_t *icmp6)
{
    static const uint8_t tail[8] = {0, 0, 0, ICMP6_BYTES, 0, 0, 0, ICMP6_PROTOCOL};
    icmp6[0] = NA_TYPE;
    icmp6[4] = is_router ? NA_ROUTER | NA_OVERRIDE : NA_OVERRIDE;
    memcpy(icmp6 + 8, address, 16);
    icmp6[24] = 2; /* the target's link-layer address, 8 bytes */
    icmp6[25] = 1;
    memcpy(icmp6 + 26, mac, 6);

    uint64_t sum = ip_sum(0, address, 16);
    sum = ip_sum(sum, all_nodes, sizeof(all_nodes));
    sum = ip_sum(sum, tail, sizeof(tail));
    uint16_t checksum = ip_sum_end(ip_sum(sum, icmp6, ICMP6_BYTES));
    icmp6[2] = (uint8_t)(checksum >> 8);
    icmp6[3] = (uint8_t)checksum;
}

static int write_na(const uint8_t *address, const uint8_t *mac, bool is_router, uint8_t *frame)
{
    uint8_t *ip6 = frame + ETHERNET_BYTES;
    memset(frame, 0, ANNOUNCE_NA_BYTES);
    memcpy(frame, all_nodes_mac, 6);
    memcpy(frame + 6, mac, 6);
    frame[12] = 0x86;
    frame[13] = 0xdd;
    ip6[0] = 6 << 4;
    ip6[5] = ICMP6_BYTES;
    ip6[6] = ICMP6_PROTOCOL;
    ip6[7] = 255; /* or nobody listens: RFC 4861 section 7.1.2 */
    memcpy(ip6 + 8, address, 16);
    memcpy(ip6 + 24, all_nodes, 16);
    write_icmp6(address, mac, is_router, ip6 + IP6_BYTES);
    return ANNOUNCE_NA_BYTES;
}

int announce_write(const struct vrrp_ip *address, const uint8_t mac[VRRP_MAC_BYTES], bool is_router,
                   uint8_t ret_frame[ANNOUNCE_MAX_BYTES])
{
    assert(address->n_bytes == 4 || address->n_bytes == 16);
    if (address->n_bytes == 4)
        return write_arp(address->bytes, mac, ret_frame);
    return write_na(address->bytes, mac, is_router, ret_frame);
}

void announce_virtual_mac(uint8_t vrid, bool is_ipv6, uint8_t ret_mac[VRRP_MAC_BYTES])
{
    const uint8_t mac[VRRP_MAC_BYTES] = {0x00, 0x00, 0x5e, 0x00, is_ipv6 ? 2 : 1, vrid};
    memcpy(ret_mac, mac, sizeof(mac));
}
