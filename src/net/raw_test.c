/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Advertisements over a cable between two network namespaces, in both families.
 */

#include "net/raw.h"

#include "base/mem.h"
#include "net/veth_scene.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>

enum { WAIT_MS = 20000, ID = 51, TOS_AT = 1, FRAGMENT_AT = 6, LONG_BYTES = 6000 };

struct scene {
    struct veth_scene veth;
    struct raw raws[2];
    bool is_ipv6;
    uint8_t buf[RAW_READ_BYTES];
};

static struct vrrp_ip ip_of(const struct scene *scene, int side)
{
    return scene->is_ipv6 ? veth_ipv6(side) : veth_ipv4(side);
}

static void open_side(struct scene *scene, int side, bool is_unicast, bool is_write_only,
                      struct raw *ret_raw)
{
    struct err err = ERR_NONE;
    struct raw_options options = {
        .is_ipv6 = scene->is_ipv6,
        .is_unicast = is_unicast,
        .is_write_only = is_write_only,
        .index = scene->veth.links[side].index,
        .name = "v0",
    };
    veth_enter(&scene->veth, side);
    if (raw_open(ret_raw, &options, &err) < 0)
        fail_msg("%s", err.text);
}

static void scene_open(struct scene *scene, bool is_ipv6, bool is_unicast)
{
    veth_open(&scene->veth);
    scene->is_ipv6 = is_ipv6;
    for (int side = 0; side < 2; side++)
        open_side(scene, side, is_unicast, false, &scene->raws[side]);
}

static void scene_close(struct scene *scene)
{
    for (int side = 0; side < 2; side++)
        raw_close(&scene->raws[side]);
    veth_close(&scene->veth);
}

static struct vrrp_carrier carrier_to(const struct scene *scene, struct vrrp_ip target)
{
    return (struct vrrp_carrier){.source = ip_of(scene, 0), .target = target, .ttl = VRRP_TTL};
}

static void send_advert(const struct scene *scene, const struct raw *raw, struct vrrp_ip target,
                        enum vrrp_checksum checksum)
{
    struct err err = ERR_NONE;
    uint8_t bytes[VRRP_PACKET_MAX_BYTES];
    const uint8_t ipv4[] = {10, 9, 0, 100}, ipv6[16] = {0xfe, 0x80, [15] = 100};
    struct vrrp_carrier carrier = carrier_to(scene, target);
    struct vrrp_advert advert = {.version = 3,
                                 .vrid = ID,
                                 .priority = 200,
                                 .is_ipv6 = scene->is_ipv6,
                                 .interval_cs = 100,
                                 .checksum = checksum};
    advert.addresses = scene->is_ipv6 ? slice_make((const char *)ipv6, sizeof(ipv6))
                                      : slice_make((const char *)ipv4, sizeof(ipv4));
    int len = vrrp_write(&advert, &carrier, bytes, sizeof(bytes));
    assert_true(len > 0);
    if (raw_write(raw, &carrier, slice_make((const char *)bytes, (size_t)len), &err) != 0)
        fail_msg("%s", err.text);
}

static void wait_readable(const struct raw *raw)
{
    struct pollfd one = {.fd = raw->fd, .events = POLLIN};
    assert_int_equal(poll(&one, 1, WAIT_MS), 1);
}

static void expect_advert(struct scene *scene, struct vrrp_ip target, enum vrrp_checksum checksum)
{
    struct raw_packet packet;
    struct vrrp_advert advert;
    struct vrrp_ip source = ip_of(scene, 0);
    wait_readable(&scene->raws[1]);
    assert_int_equal(raw_read(&scene->raws[1], scene->buf, sizeof(scene->buf), &packet), 1);
    assert_int_equal(packet.refusal, VRRP_FINE);
    assert_int_equal(vrrp_ip_compare(&packet.carrier.source, &source), 0);
    assert_int_equal(vrrp_ip_compare(&packet.carrier.target, &target), 0);
    assert_int_equal(packet.carrier.ttl, VRRP_TTL);
    assert_int_equal(vrrp_parse(packet.payload, &packet.carrier, &advert), VRRP_FINE);
    assert_true(advert.vrid == ID && advert.priority == 200 && advert.is_ipv6 == scene->is_ipv6);
    assert_int_equal(advert.checksum, checksum);
}

static void expect_nothing(struct scene *scene, const struct raw *raw)
{
    struct raw_packet packet;
    assert_int_equal(raw_read(raw, scene->buf, sizeof(scene->buf), &packet), 0);
}

static void check_both_ways(bool is_ipv6)
{
    static const enum vrrp_checksum forms[] = {VRRP_CHECKSUM_RFC5798, VRRP_CHECKSUM_RFC9568};
    struct vrrp_ip group = vrrp_group(is_ipv6);
    for (int is_unicast = 0; is_unicast < 2; is_unicast++) {
        struct scene scene;
        scene_open(&scene, is_ipv6, is_unicast);
        struct vrrp_ip target = is_unicast ? ip_of(&scene, 1) : group;
        for (size_t i = 0; i < (is_ipv6 ? 1 : ARRAY_LEN(forms)); i++) {
            send_advert(&scene, &scene.raws[0], target, forms[i]);
            expect_advert(&scene, target, forms[i]);
        }
        expect_nothing(&scene, &scene.raws[0]); /* its own */
        expect_nothing(&scene, &scene.raws[1]);
        scene_close(&scene);
    }
}

static void test_ipv4(void **state)
{
    (void)state;
    check_both_ways(false);
}

static void test_ipv6(void **state)
{
    (void)state;
    check_both_ways(true);
}

static void test_ip_header(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, false, false);
    send_advert(&scene, &scene.raws[0], vrrp_group(false), VRRP_CHECKSUM_RFC5798);
    expect_advert(&scene, vrrp_group(false), VRRP_CHECKSUM_RFC5798);
    assert_int_equal(scene.buf[TOS_AT], 0xc0);
    assert_int_equal(scene.buf[FRAGMENT_AT], 0); /* may be split, and is not */
    scene_close(&scene);
}

/* The kernel's checksum for IPv6 would swallow what is to be counted. */
static void test_wrong_checksum(void **state)
{
    (void)state;
    for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
        struct scene scene;
        struct raw_packet packet;
        struct vrrp_advert advert;
        uint8_t bytes[24] = {0x31, ID, 100, 1, 0, 100, 0xde, 0xad, 0xfe, 0x80};
        scene_open(&scene, is_ipv6, false);
        struct vrrp_carrier carrier = carrier_to(&scene, vrrp_group(is_ipv6));
        struct slice payload = slice_make((const char *)bytes, is_ipv6 ? 24 : 12);
        assert_int_equal(raw_write(&scene.raws[0], &carrier, payload, NULL), 0);
        wait_readable(&scene.raws[1]);
        assert_int_equal(raw_read(&scene.raws[1], scene.buf, sizeof(scene.buf), &packet), 1);
        assert_int_equal(packet.refusal, VRRP_FINE);
        assert_int_equal(packet.payload.len, payload.len);
        assert_int_equal(vrrp_parse(packet.payload, &packet.carrier, &advert),
                         VRRP_REFUSED_CHECKSUM);
        scene_close(&scene);
    }
}

/* Longer than any advertisement: refused, and the next one is read. */
static void test_too_long(void **state)
{
    (void)state;
    for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
        struct scene scene;
        struct raw_packet packet;
        static const char bytes[LONG_BYTES];
        scene_open(&scene, is_ipv6, false);
        struct vrrp_carrier carrier = carrier_to(&scene, vrrp_group(is_ipv6));
        assert_int_equal(
            raw_write(&scene.raws[0], &carrier, slice_make(bytes, sizeof(bytes)), NULL), 0);
        wait_readable(&scene.raws[1]);
        assert_int_equal(raw_read(&scene.raws[1], scene.buf, sizeof(scene.buf), &packet), 1);
        assert_int_equal(packet.refusal, VRRP_REFUSED_IP);
        send_advert(&scene, &scene.raws[0], carrier.target, VRRP_CHECKSUM_RFC5798);
        expect_advert(&scene, carrier.target, VRRP_CHECKSUM_RFC5798);
        scene_close(&scene);
    }
}

/* Multicast of groups that others on the host have joined, and all of it for who only writes. */
static void test_deaf(void **state)
{
    (void)state;
    for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
        struct scene scene;
        struct raw unicast, writer;
        scene_open(&scene, is_ipv6, false);
        open_side(&scene, 1, true, false, &unicast);
        open_side(&scene, 1, false, true, &writer);
        send_advert(&scene, &scene.raws[0], vrrp_group(is_ipv6), VRRP_CHECKSUM_RFC5798);
        expect_advert(&scene, vrrp_group(is_ipv6), VRRP_CHECKSUM_RFC5798);
        expect_nothing(&scene, &unicast);
        expect_nothing(&scene, &writer);
        send_advert(&scene, &scene.raws[0], ip_of(&scene, 1), VRRP_CHECKSUM_RFC5798);
        expect_advert(&scene, ip_of(&scene, 1), VRRP_CHECKSUM_RFC5798);
        wait_readable(&unicast);
        expect_nothing(&scene, &writer);
        raw_close(&unicast);
        raw_close(&writer);
        scene_close(&scene);
    }
}

/* From a macvlan with its virtual MAC, with the address of the interface below as the source. */
static void test_macvlan(void **state)
{
    (void)state;
    for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
        struct scene scene;
        struct raw writer;
        struct err err = ERR_NONE;
        const uint8_t mac[VRRP_MAC_BYTES] = {0, 0, 0x5e, 0, (uint8_t)(1 + is_ipv6), ID};
        struct raw_options options = {.is_ipv6 = is_ipv6, .is_write_only = true, .name = "weir.51"};
        scene_open(&scene, is_ipv6, false);
        struct rtnl *rtnl = &scene.veth.rtnl[0];
        assert_int_equal(rtnl_macvlan_add(rtnl, scene.veth.links[0].index, options.name, mac,
                                          &options.index, NULL),
                         0);
        assert_int_equal(rtnl_link_enable(rtnl, options.index, true, NULL), 0);
        veth_enter(&scene.veth, 0);
        if (raw_open(&writer, &options, &err) < 0)
            fail_msg("%s", err.text);
        send_advert(&scene, &writer, vrrp_group(is_ipv6), VRRP_CHECKSUM_RFC5798);
        expect_advert(&scene, vrrp_group(is_ipv6), VRRP_CHECKSUM_RFC5798);
        raw_close(&writer);
        scene_close(&scene);
    }
}

static void test_errors(void **state)
{
    (void)state;
    for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
        struct scene scene;
        struct raw raw;
        struct err err = ERR_NONE;
        struct raw_options options = {.is_ipv6 = is_ipv6, .index = 4711, .name = "none"};
        scene_open(&scene, is_ipv6, false);
        assert_int_equal(raw_open(&raw, &options, &err), -1);
        assert_int_equal(err.number, ENODEV);
        assert_non_null(strstr(err.text, "a raw socket for VRRP on none: "));
        assert_int_equal(raw.fd, -1);
        struct vrrp_carrier carrier = carrier_to(&scene, vrrp_group(is_ipv6));
        carrier.source.bytes[3] = 77; /* nobody's */
        assert_int_equal(raw_write(&scene.raws[0], &carrier, SLICE("x"), &err), -1);
        assert_non_null(strstr(err.text, "cannot send to "));
        carrier.source = ip_of(&scene, 0);
        uint32_t index = scene.veth.links[0].index;
        assert_int_equal(rtnl_link_enable(&scene.veth.rtnl[0], index, false, NULL), 0);
        assert_int_equal(raw_write(&scene.raws[0], &carrier, SLICE("x"), &err), -1);
        /* Back again it needs nothing. IPv6 has lost its address. */
        assert_int_equal(rtnl_link_enable(&scene.veth.rtnl[0], index, true, NULL), 0);
        if (is_ipv6)
            veth_put(&scene.veth, 0, veth_ipv6(0), 64);
        veth_wait(&scene.veth);
        send_advert(&scene, &scene.raws[0], carrier.target, VRRP_CHECKSUM_RFC5798);
        expect_advert(&scene, carrier.target, VRRP_CHECKSUM_RFC5798);
        scene_close(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipv4),      cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_ip_header), cmocka_unit_test(test_wrong_checksum),
        cmocka_unit_test(test_too_long),  cmocka_unit_test(test_deaf),
        cmocka_unit_test(test_macvlan),   cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
