/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The kernel's own answers and notices, in network namespaces of the test's own.
 */

#include "net/rtnl.h"

#include "base/mem.h"
#include "net/veth_scene.h"
#include <errno.h>
#include <stdint.h>
#include <string.h>

enum { WAIT_MS = 20000, OWN_PROTOCOL = 112 };

/* What was told, by kind. */
struct seen {
    struct loop *loop;
    struct rtnl rtnl;
    size_t n[RTNL_OVERRUN + 1];
    struct rtnl_link link;
    struct rtnl_address address;
};

static void on_notice(void *ctx, const struct rtnl_notice *notice)
{
    struct seen *seen = ctx;
    seen->n[notice->kind]++;
    if (notice->kind == RTNL_LINK || notice->kind == RTNL_LINK_GONE)
        seen->link = notice->link;
    if (notice->kind == RTNL_ADDRESS || notice->kind == RTNL_ADDRESS_GONE)
        seen->address = notice->address;
}

static void watch(struct seen *seen)
{
    memset(seen, 0, sizeof(*seen));
    assert_int_equal(loop_create(0, &seen->loop, NULL), 0);
    assert_int_equal(rtnl_open(seen->loop, &seen->rtnl, on_notice, seen, NULL), 0);
}

static void wait_for(struct seen *seen, enum rtnl_kind kind)
{
    uint64_t limit_ns = loop_clock_ns() + (uint64_t)WAIT_MS * 1000000;
    while (seen->n[kind] == 0) {
        assert_true(loop_clock_ns() < limit_ns);
        loop_turn(seen->loop, 100);
    }
}

static void unwatch(struct seen *seen)
{
    rtnl_close(&seen->rtnl);
    loop_destroy(&seen->loop);
}

/* The one with that ip, if it is there. */
struct wanted {
    struct vrrp_ip ip;
    size_t n;
    struct rtnl_address found;
};

static void look(void *ctx, const struct rtnl_address *address)
{
    struct wanted *wanted = ctx;
    if (vrrp_ip_compare(&address->ip, &wanted->ip) != 0)
        return;
    wanted->n++;
    wanted->found = *address;
}

static struct wanted find(struct rtnl *rtnl, uint32_t index, struct vrrp_ip ip)
{
    struct wanted wanted = {.ip = ip};
    assert_int_equal(rtnl_addr_each(rtnl, index, look, &wanted, NULL), 0);
    return wanted;
}

static void count_links(void *ctx, const struct rtnl_link *link)
{
    size_t *n = ctx;
    (*n)++;
    assert_true(link->index > 0 && link->name[0]);
}

static void test_links(void **state)
{
    (void)state;
    struct veth_scene scene;
    veth_open(&scene);
    struct rtnl *rtnl = &scene.rtnl[0];
    struct rtnl_link link, same;
    size_t n = 0;
    assert_int_equal(rtnl_link_by_name(rtnl, "v0", &link, NULL), 0);
    assert_true(link.is_up && link.is_enabled && link.is_ethernet);
    assert_string_equal(link.name, "v0");
    assert_string_equal(link.kind, "veth");
    assert_true(link.mtu >= 1280);
    assert_int_equal(rtnl_link_by_index(rtnl, link.index, &same, NULL), 0);
    assert_memory_equal(link.mac, same.mac, sizeof(link.mac));
    assert_int_equal(rtnl_link_by_name(rtnl, "lo", &link, NULL), 0);
    assert_false(link.is_up || link.is_enabled || link.is_ethernet);
    assert_int_equal(rtnl_link_by_name(rtnl, "v1", &link, NULL), 1);
    assert_int_equal(rtnl_link_by_name(rtnl, "longer-than-any-name", &link, NULL), 1);
    assert_int_equal(rtnl_link_by_index(rtnl, 4711, &link, NULL), 1);
    assert_int_equal(rtnl_link_each(rtnl, count_links, &n, NULL), 0);
    assert_true(n >= 2);
    assert_int_equal(rtnl_link_enable(&scene.rtnl[1], scene.links[1].index, false, NULL), 0);
    assert_int_equal(rtnl_link_by_name(rtnl, "v0", &link, NULL), 0);
    assert_true(link.is_enabled && !link.is_up); /* the cable is dead */
    assert_int_equal(rtnl_link_enable(rtnl, 4711, true, NULL), 1);
    assert_int_equal(rtnl_link_remove(rtnl, 4711, NULL), 1);
    assert_int_equal(rtnl_addr_each(rtnl, 4711, look, NULL, NULL), 1);
    veth_close(&scene);
}

static void check_address(struct rtnl *rtnl, struct rtnl_address *address)
{
    const struct rtnl_life life = {100, 50, true, true, OWN_PROTOCOL};
    const struct rtnl_life longer = {200, 0, true, true, OWN_PROTOCOL};
    assert_int_equal(rtnl_addr_put(rtnl, address, &life, NULL), 0);
    struct wanted wanted = find(rtnl, address->index, address->ip);
    assert_int_equal(wanted.n, 1);
    assert_int_equal(wanted.found.n_bits, address->n_bits);
    assert_int_equal(wanted.found.protocol, OWN_PROTOCOL);
    assert_true(wanted.found.valid_s > 50 && wanted.found.valid_s <= 100);
    assert_true(wanted.found.preferred_s <= 50 && !wanted.found.is_deprecated);
    assert_false(wanted.found.is_tentative || wanted.found.is_link_local);
    assert_int_equal(rtnl_addr_put(rtnl, address, &longer, NULL), 0);
    wanted = find(rtnl, 0, address->ip);
    assert_int_equal(wanted.n, 1);
    assert_true(wanted.found.valid_s > 100 && wanted.found.valid_s <= 200);
    assert_int_equal(rtnl_addr_remove(rtnl, address, NULL), 0);
    assert_int_equal(rtnl_addr_remove(rtnl, address, NULL), 1);
    assert_int_equal(find(rtnl, 0, address->ip).n, 0);
    address->index = 4711;
    assert_int_equal(rtnl_addr_put(rtnl, address, &life, NULL), 1);
    assert_int_equal(rtnl_addr_remove(rtnl, address, NULL), 1);
}

static void test_addresses(void **state)
{
    (void)state;
    struct veth_scene scene;
    veth_open(&scene);
    uint32_t index = scene.links[0].index;
    struct rtnl_address ipv4 = {.index = index, .ip = {4, {10, 9, 0, 100}}, .n_bits = 32};
    struct rtnl_address ipv6 = {
        .index = index, .ip = {16, {0x20, 0x01, 0x0d, 0xb8, [15] = 100}}, .n_bits = 128};
    check_address(&scene.rtnl[0], &ipv4);
    check_address(&scene.rtnl[0], &ipv6);
    struct wanted wanted = find(&scene.rtnl[0], index, veth_ipv6(0));
    assert_true(wanted.n == 1 && wanted.found.is_link_local && wanted.found.n_bits == 64);
    assert_int_equal(wanted.found.valid_s, RTNL_FOREVER);
    struct rtnl_address second = {.index = index, .ip = {4, {10, 9, 0, 101}}, .n_bits = 24};
    veth_put(&scene, 0, second.ip, second.n_bits);
    assert_true(find(&scene.rtnl[0], index, second.ip).found.is_secondary);
    assert_false(find(&scene.rtnl[0], index, veth_ipv4(0)).found.is_secondary);
    veth_close(&scene);
}

/* The kernel takes away what nobody renews. */
static void test_end_of_life(void **state)
{
    (void)state;
    struct veth_scene scene;
    struct seen seen;
    veth_open(&scene);
    watch(&seen);
    const struct rtnl_life life = {1, 1, true, true, OWN_PROTOCOL};
    struct rtnl_address address = {
        .index = scene.links[0].index, .ip = {4, {10, 9, 0, 100}}, .n_bits = 32};
    assert_int_equal(rtnl_addr_put(&seen.rtnl, &address, &life, NULL), 0);
    wait_for(&seen, RTNL_ADDRESS);
    assert_int_equal(vrrp_ip_compare(&seen.address.ip, &address.ip), 0);
    wait_for(&seen, RTNL_ADDRESS_GONE);
    assert_int_equal(vrrp_ip_compare(&seen.address.ip, &address.ip), 0);
    unwatch(&seen);
    veth_close(&scene);
}

static void test_notices(void **state)
{
    (void)state;
    struct veth_scene scene;
    struct seen seen;
    veth_open(&scene);
    watch(&seen);
    assert_int_equal(rtnl_link_enable(&scene.rtnl[1], scene.links[1].index, false, NULL), 0);
    wait_for(&seen, RTNL_LINK);
    while (seen.link.is_up)
        loop_turn(seen.loop, 100);
    assert_int_equal(seen.link.index, scene.links[0].index);
    assert_int_equal(rtnl_link_remove(&scene.rtnl[1], scene.links[1].index, NULL), 0);
    wait_for(&seen, RTNL_LINK_GONE);
    assert_int_equal(seen.link.index, scene.links[0].index);
    unwatch(&seen);
    veth_close(&scene);
}

/* More than fits is told as an overrun, and what comes behind it is told again. */
static void test_overrun(void **state)
{
    (void)state;
    struct veth_scene scene;
    struct seen seen;
    veth_open(&scene);
    watch(&seen);
    int size = 4096;
    assert_int_equal(
        setsockopt(seen.rtnl.notices.fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)), 0);
    for (int i = 0; i < 200; i++)
        veth_put(&scene, 0, (struct vrrp_ip){4, {10, 10, 0, (uint8_t)i}}, 32);
    wait_for(&seen, RTNL_OVERRUN);
    for (int i = 0; i < 10; i++)
        loop_turn(seen.loop, 0);
    seen.n[RTNL_ADDRESS] = 0;
    veth_put(&scene, 0, (struct vrrp_ip){4, {10, 11, 0, 1}}, 32);
    wait_for(&seen, RTNL_ADDRESS);
    unwatch(&seen);
    veth_close(&scene);
}

/* Lists that do not fit one datagram. */
static void test_long_list(void **state)
{
    (void)state;
    struct veth_scene scene;
    veth_open(&scene);
    for (int i = 0; i < 1000; i++)
        veth_put(&scene, 0, (struct vrrp_ip){4, {10, 10, (uint8_t)(i >> 8), (uint8_t)i}}, 32);
    for (int i = 0; i < 1000; i += 111) {
        struct vrrp_ip ip = {4, {10, 10, (uint8_t)(i >> 8), (uint8_t)i}};
        assert_int_equal(find(&scene.rtnl[0], scene.links[0].index, ip).n, 1);
        assert_int_equal(find(&scene.rtnl[0], 1, ip).n, 0);
    }
    veth_close(&scene);
}

/* The first address of a net goes with those behind it, or alone. */
static void test_remove_alone(void **state)
{
    (void)state;
    struct veth_scene scene;
    struct rtnl_link link;
    veth_open(&scene);
    struct rtnl *rtnl = &scene.rtnl[0];
    uint32_t index = scene.links[0].index;
    struct rtnl_address first = {.index = index, .ip = {4, {10, 8, 0, 1}}, .n_bits = 24};
    struct rtnl_address behind = {.index = index, .ip = {4, {10, 8, 0, 2}}, .n_bits = 24};
    const struct rtnl_life life = {.valid_s = RTNL_FOREVER, .preferred_s = RTNL_FOREVER};
    const struct rtnl_conf conf = {-1, -1, -1, -1, -1, 0, -1};
    assert_int_equal(rtnl_link_conf(rtnl, index, &conf, NULL), 0);
    for (int is_alone = 0; is_alone < 2; is_alone++) {
        assert_int_equal(rtnl_addr_put(rtnl, &first, &life, NULL), 0);
        assert_int_equal(rtnl_addr_put(rtnl, &behind, &life, NULL), 0);
        assert_true(find(rtnl, index, behind.ip).found.is_secondary);
        if (is_alone)
            assert_int_equal(rtnl_addr_remove_alone(rtnl, &first, NULL), 0);
        else
            assert_int_equal(rtnl_addr_remove(rtnl, &first, NULL), 0);
        assert_int_equal(find(rtnl, index, first.ip).n, 0);
        assert_int_equal(find(rtnl, index, behind.ip).n, is_alone);
    }
    assert_false(find(rtnl, index, behind.ip).found.is_secondary);
    assert_int_equal(rtnl_addr_remove_alone(rtnl, &first, NULL), 1);
    assert_int_equal(rtnl_link_by_index(rtnl, index, &link, NULL), 0);
    assert_int_equal(link.promote_secondaries, 0);
    veth_close(&scene);
}

static void test_macvlan(void **state)
{
    (void)state;
    struct veth_scene scene;
    veth_open(&scene);
    struct rtnl *rtnl = &scene.rtnl[0];
    const uint8_t mac[VRRP_MAC_BYTES] = {0, 0, 0x5e, 0, 1, 7};
    uint32_t index = 0, parent = scene.links[0].index;
    struct rtnl_link link;
    assert_int_equal(rtnl_macvlan_add(rtnl, parent, "weir.7", mac, &index, NULL), 0);
    assert_int_equal(rtnl_link_by_index(rtnl, index, &link, NULL), 0);
    assert_string_equal(link.name, "weir.7");
    assert_string_equal(link.kind, "macvlan");
    assert_memory_equal(link.mac, mac, sizeof(mac));
    assert_int_equal(link.parent, parent);
    assert_false(link.is_up);
    assert_int_equal(rtnl_link_enable(rtnl, index, true, NULL), 0);
    assert_int_equal(rtnl_link_by_index(rtnl, index, &link, NULL), 0);
    assert_true(link.is_up);
    assert_string_equal(link.alias, "");
    assert_int_equal(rtnl_link_alias(rtnl, index, "of a test", NULL), 0);
    const struct rtnl_conf conf = {1, 2, -1, -1, -1, -1, -1};
    assert_int_equal(rtnl_link_conf(rtnl, index, &conf, NULL), 0);
    assert_int_equal(rtnl_link_by_index(rtnl, index, &link, NULL), 0);
    assert_string_equal(link.alias, "of a test");
    assert_true(link.arp_ignore == 1 && link.arp_announce == 2);
    assert_int_equal(rtnl_link_alias(rtnl, 4711, "nobody", NULL), 1);
    assert_int_equal(rtnl_macvlan_add(rtnl, parent, "weir.7", mac, &index, NULL), 1);
    struct err err = ERR_NONE;
    assert_int_equal(rtnl_macvlan_add(rtnl, 4711, "weir.8", mac, &index, &err), -1);
    assert_true(err.number != 0 && strstr(err.text, "weir.8"));
    assert_int_equal(rtnl_link_remove(rtnl, index, NULL), 0);
    assert_int_equal(rtnl_link_by_name(rtnl, "weir.7", &link, NULL), 1);
    veth_close(&scene);
}

/* The sentence of the kernel reaches the reader. */
static void test_refused(void **state)
{
    (void)state;
    struct veth_scene scene;
    struct err err = ERR_NONE;
    veth_open(&scene);
    const struct rtnl_life life = {RTNL_FOREVER, RTNL_FOREVER, true, true, 0};
    struct rtnl_address address = {
        .index = scene.links[0].index, .ip = {4, {10, 9, 0, 100}}, .n_bits = 33};
    assert_int_equal(rtnl_addr_put(&scene.rtnl[0], &address, &life, &err), -1);
    assert_int_equal(err.number, EINVAL);
    assert_non_null(strstr(err.text, "cannot put address 10.9.0.100/33 on interface "));
    assert_non_null(strstr(err.text, "the kernel says \""));
    /* And the next request finds its own answer. */
    address.n_bits = 32;
    assert_int_equal(rtnl_addr_put(&scene.rtnl[0], &address, &life, &err), 0);
    veth_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links),        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_notices),      cmocka_unit_test(test_end_of_life),
        cmocka_unit_test(test_overrun),      cmocka_unit_test(test_long_list),
        cmocka_unit_test(test_remove_alone), cmocka_unit_test(test_macvlan),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
