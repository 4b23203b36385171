/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which addresses float, and which of the others is spoken from.
 */

#include "vip/source.h"

#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct vrrp_ip ip4(uint8_t last)
{
    return (struct vrrp_ip){4, {10, 0, 0, last}};
}

static struct vrrp_ip ip6(uint8_t first, uint8_t last)
{
    return (struct vrrp_ip){16, {first, 0x80, [15] = last}};
}

/* 10.0.0.100 is an address of a vip. */
static bool is_floating(void *ctx, const struct vrrp_ip *ip)
{
    (void)ctx;
    return ip->n_bytes == 4 && ip->bytes[3] == 100;
}

static void test_what_floats(void **state)
{
    (void)state;
    enum { FOREIGN = 18 };
    static const struct {
        uint8_t last, protocol;
        uint32_t valid_s;
        bool is_ours;
    } rows[] = {
        /* Where there are marks they decide, whatever the file says. */
        {1, VIP_ADDRESS_PROTOCOL, 3, true},
        {100, VIP_ADDRESS_PROTOCOL, RTNL_FOREVER, true},
        {100, FOREIGN, 3, false},
        /* Where there are none: an address of the file with a short life. */
        {100, 0, 3, true},
        {100, 0, RTNL_FOREVER, false},
        {1, 0, 3, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct rtnl_address address = {
            .ip = ip4(rows[i].last), .protocol = rows[i].protocol, .valid_s = rows[i].valid_s};
        assert_int_equal(source_is_ours(&address, is_floating, NULL), rows[i].is_ours);
    }
}

static void expect(const struct sources *sources, size_t family, struct vrrp_ip wanted,
                   struct vrrp_ip best)
{
    struct vrrp_ip found = sources_choose(sources, family, &wanted);
    assert_int_equal(vrrp_ip_compare(&found, &best), 0);
}

static void test_ipv4(void **state)
{
    (void)state;
    const struct vrrp_ip none = {0};
    const struct rtnl_address rows[] = {
        {.ip = ip4(9), .is_secondary = true},
        {.ip = ip4(8), .is_secondary = true},
        {.ip = ip4(3)},
        {.ip = ip4(2)},
        {.ip = ip4(7), .is_secondary = true},
    };
    /* The first, until one comes that is the first of its network. */
    const uint8_t best[] = {9, 9, 3, 3, 3};
    struct sources sources = {.n = 0};
    expect(&sources, VIP_IPV4, none, none);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        sources_add(&sources, &rows[i]);
        expect(&sources, VIP_IPV4, none, ip4(best[i]));
        expect(&sources, VIP_IPV4, ip4(7), ip4(i == 4 ? 7 : best[i]));
    }
    expect(&sources, VIP_IPV4, ip4(2), ip4(2));
    expect(&sources, VIP_IPV4, ip4(8), ip4(8));
    expect(&sources, VIP_IPV4, ip4(55), ip4(3));
    expect(&sources, VIP_IPV6, none, none);
}

static void test_ipv6(void **state)
{
    (void)state;
    const struct vrrp_ip none = {0};
    const struct rtnl_address rows[] = {
        {.ip = ip6(0xfe, 9), .is_link_local = true, .is_tentative = true},
        {.ip = ip6(0x20, 1)},
        {.ip = ip6(0xfe, 2), .is_link_local = true},
        {.ip = ip6(0xfe, 3), .is_link_local = true},
    };
    struct sources sources = {.n = 0};
    sources_add(&sources, &rows[0]); /* not proven to be its own yet */
    sources_add(&sources, &rows[1]);
    expect(&sources, VIP_IPV6, none, none);
    expect(&sources, VIP_IPV6, ip6(0xfe, 9), none);
    expect(&sources, VIP_IPV6, ip6(0x20, 1), ip6(0x20, 1));
    sources_add(&sources, &rows[2]);
    sources_add(&sources, &rows[3]);
    expect(&sources, VIP_IPV6, none, ip6(0xfe, 2));
    expect(&sources, VIP_IPV6, ip6(0xfe, 3), ip6(0xfe, 3));
}

static void test_more_than_are_looked_at(void **state)
{
    (void)state;
    struct sources sources = {.n = 0};
    for (unsigned i = 0; i < SOURCES_MAX + 8; i++) {
        const struct rtnl_address address = {.ip = ip4((uint8_t)(i + 1))};
        sources_add(&sources, &address);
    }
    assert_int_equal(sources.n, SOURCES_MAX);
    expect(&sources, VIP_IPV4, ip4(SOURCES_MAX), ip4(SOURCES_MAX));
    expect(&sources, VIP_IPV4, ip4(SOURCES_MAX + 1), ip4(1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_floats),
        cmocka_unit_test(test_ipv4),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_more_than_are_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
