/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Interfaces as their users see them, in network namespaces of the test's own: what is wrong with
 * one, what changes are told, and what comes in by its sockets.
 */

#include "vip/port.h"

#include "base/mem.h"
#include "net/veth_scene.h"
#include "vip/count.h"

enum { WAIT_MS = 20000, ID = 51 };

static const struct vrrp_ip floating = {4, {10, 9, 0, 100}};

struct scene {
    struct veth_scene veth;
    struct board_fds fds;
    struct board *board;
    struct slabs slabs;
    struct loop *loop;
    struct ports ports;
    unsigned n_changes, n_packets, n_gone;
    struct vrrp_carrier carrier;
};

static void on_packet(void *ctx, struct port *port, size_t family, const struct raw_packet *packet)
{
    struct scene *scene = ctx;
    assert_ptr_equal(port->ports, &scene->ports);
    assert_int_equal(family, VIP_IPV4);
    scene->n_packets++;
    scene->carrier = packet->carrier;
}

static void on_change(void *ctx, struct port *port)
{
    struct scene *scene = ctx;
    assert_ptr_equal(port->ports, &scene->ports);
    scene->n_changes++;
}

static bool is_floating(void *ctx, const struct vrrp_ip *ip)
{
    (void)ctx;
    return vrrp_ip_compare(ip, &floating) == 0;
}

static void on_gone(void *ctx, const struct rtnl_address *address)
{
    struct scene *scene = ctx;
    assert_int_equal(vrrp_ip_compare(&address->ip, &floating), 0);
    scene->n_gone++;
}

static const struct port_calls calls = {
    .on_packet = on_packet, .on_change = on_change, .on_gone = on_gone, .is_floating = is_floating};

static void scene_open(struct scene *scene)
{
    static const char *const names[] = {"vip"};
    memset(scene, 0, sizeof(*scene));
    veth_open(&scene->veth);
    assert_int_equal(board_make(names, 1, &scene->fds, NULL), 0);
    assert_int_equal(board_open(&scene->fds, 0, &scene->board, NULL), 0);
    slabs_init(&scene->slabs, scene->board, 1, 1);
    assert_int_equal(loop_create(0, &scene->loop, NULL), 0);
    assert_int_equal(ports_open(&scene->ports, scene->loop, &scene->slabs, &calls, scene, NULL), 0);
}

static void scene_close(struct scene *scene)
{
    ports_close(&scene->ports);
    loop_destroy(&scene->loop);
    slabs_deinit(&scene->slabs);
    board_close(&scene->board);
    board_fds_close(&scene->fds);
    veth_close(&scene->veth);
}

static struct port *take(struct scene *scene, const char *name)
{
    struct port *port = NULL;
    assert_int_equal(port_take(&scene->ports, name, &port, NULL), 0);
    return port;
}

/* Until the number has passed `before`. */
static void wait_past(struct scene *scene, const unsigned *number, unsigned before)
{
    uint64_t limit_ns = loop_clock_ns() + (uint64_t)WAIT_MS * 1000000;
    while (*number <= before) {
        assert_true(loop_clock_ns() < limit_ns);
        loop_turn(scene->loop, 100);
    }
}

/* What netlink has told is read to its end. */
static void settle(struct scene *scene)
{
    enum { TURNS = 20, TURN_MS = 5 };
    for (int i = 0; i < TURNS; i++)
        loop_turn(scene->loop, TURN_MS);
}

static void enable(struct scene *scene, int side, bool is_enabled)
{
    assert_int_equal(
        rtnl_link_enable(&scene->veth.rtnl[side], scene->veth.links[side].index, is_enabled, NULL),
        0);
}

static void put(struct scene *scene, struct vrrp_ip ip, uint32_t valid_s, uint8_t protocol)
{
    const struct rtnl_life life = {valid_s, valid_s, true, true, protocol};
    const struct rtnl_address address = {
        .index = scene->veth.links[0].index, .ip = ip, .n_bits = 24};
    assert_int_equal(rtnl_addr_put(&scene->veth.rtnl[0], &address, &life, NULL), 0);
}

static void remove_ip(struct scene *scene, struct vrrp_ip ip)
{
    const struct rtnl_address address = {
        .index = scene->veth.links[0].index, .ip = ip, .n_bits = 24};
    assert_int_equal(rtnl_addr_remove(&scene->veth.rtnl[0], &address, NULL), 0);
}

static void test_users_share_a_port(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    struct port *one = take(&scene, "v0"), *other = take(&scene, "v0"), *third = take(&scene, "v1");
    assert_ptr_equal(one, other);
    assert_ptr_not_equal(one, third);
    port_leave(&one);
    assert_null(one);
    assert_int_equal(scene.ports.n_items, 2);
    port_leave(&other);
    port_leave(&third);
    assert_int_equal(scene.ports.n_items, 0);
    struct port *many[PORTS_MAX], *more = NULL;
    for (int i = 0; i < PORTS_MAX; i++) {
        char name[RTNL_NAME_BYTES];
        snprintf(name, sizeof(name), "if%d", i);
        many[i] = take(&scene, name);
    }
    struct err err = ERR_NONE;
    assert_int_equal(port_take(&scene.ports, "one-more", &more, &err), -1);
    assert_string_equal(err.text, "vips are on more than 64 interfaces");
    for (int i = 0; i < PORTS_MAX; i++)
        port_leave(&many[i]);
    scene_close(&scene);
}

static void test_what_is_wrong_with_it(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    struct port *port = take(&scene, "v0"), *missing = take(&scene, "nowhere");
    const char *trouble = port->sockets[VIP_IPV4].trouble;
    port_want(missing, VIP_IPV4, true);
    port_look(missing);
    assert_string_equal(missing->sockets[VIP_IPV4].trouble,
                        "there is no interface nowhere: `ip link` shows those of this host");
    assert_false(port_is_up(missing, VIP_IPV4));
    port_want(port, VIP_IPV4, true);
    port_look(port);
    assert_string_equal(trouble, "");
    assert_true(port_is_up(port, VIP_IPV4));
    assert_false(port_is_up(port, VIP_IPV6)); /* nobody wants it */
    unsigned n_changes = scene.n_changes;
    enable(&scene, 1, false);
    wait_past(&scene, &scene.n_changes, n_changes);
    assert_string_equal(trouble, "v0 has no carrier");
    enable(&scene, 1, true);
    uint64_t limit_ns = loop_clock_ns() + (uint64_t)WAIT_MS * 1000000;
    while (!port_is_up(port, VIP_IPV4) && loop_clock_ns() < limit_ns)
        loop_turn(scene.loop, 100);
    assert_true(port_is_up(port, VIP_IPV4));
    enable(&scene, 0, false);
    settle(&scene);
    assert_string_equal(trouble, "v0 is switched off: `ip link set v0 up`");
    enable(&scene, 0, true);
    settle(&scene);
    n_changes = scene.n_changes;
    remove_ip(&scene, veth_ipv4(0));
    wait_past(&scene, &scene.n_changes, n_changes);
    assert_string_equal(trouble, "v0 has no IPv4 address of its own, which VRRP speaks from");
    port_leave(&port);
    port_leave(&missing);
    scene_close(&scene);
}

static void test_addresses_that_come_and_go(void **state)
{
    (void)state;
    struct scene scene;
    const struct vrrp_ip second = {4, {10, 9, 0, 7}};
    scene_open(&scene);
    struct port *port = take(&scene, "v0");
    port_want(port, VIP_IPV4, false);
    port_look(port);
    unsigned n_changes = scene.n_changes;
    struct vrrp_ip source = sources_choose(&port->sources, VIP_IPV4, &second);
    const struct vrrp_ip own = veth_ipv4(0);
    assert_int_equal(vrrp_ip_compare(&source, &own), 0);
    /* What floats is nobody's news, marked or not. */
    put(&scene, floating, 60, VIP_ADDRESS_PROTOCOL);
    put(&scene, floating, 60, 0);
    settle(&scene);
    assert_int_equal(scene.n_changes, n_changes);
    /* Another own one is: a group may have waited for it. */
    put(&scene, second, RTNL_FOREVER, 0);
    wait_past(&scene, &scene.n_changes, n_changes);
    source = sources_choose(&port->sources, VIP_IPV4, &second);
    assert_int_equal(vrrp_ip_compare(&source, &second), 0);
    n_changes = scene.n_changes;
    remove_ip(&scene, second);
    wait_past(&scene, &scene.n_changes, n_changes);
    source = sources_choose(&port->sources, VIP_IPV4, &second);
    assert_int_equal(vrrp_ip_compare(&source, &own), 0);
    port_leave(&port);
    scene_close(&scene);
}

static void send_advert(struct scene *scene, struct raw *raw, unsigned n)
{
    const uint8_t vip[] = {10, 9, 0, 100};
    uint8_t bytes[VRRP_PACKET_MAX_BYTES];
    const struct vrrp_carrier carrier = {
        .source = veth_ipv4(1), .target = vrrp_group(false), .ttl = VRRP_TTL};
    const struct vrrp_advert advert = {.version = 3,
                                       .vrid = ID,
                                       .priority = 200,
                                       .interval_cs = 100,
                                       .addresses = slice_make((const char *)vip, sizeof(vip))};
    int len = vrrp_write(&advert, &carrier, bytes, sizeof(bytes));
    assert_true(len > 0);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(
            raw_write(raw, &carrier, slice_make((const char *)bytes, (size_t)len), NULL), 0);
    (void)scene;
}

static struct raw open_other_side(struct scene *scene)
{
    struct raw raw;
    const struct raw_options options = {
        .is_write_only = true, .index = scene->veth.links[1].index, .name = "v0"};
    veth_enter(&scene->veth, 1);
    assert_int_equal(raw_open(&raw, &options, NULL), 0);
    veth_enter(&scene->veth, 0);
    return raw;
}

static void test_packets(void **state)
{
    (void)state;
    enum { PACKETS = 50 };
    struct scene scene;
    const struct vrrp_ip other = veth_ipv4(1);
    scene_open(&scene);
    struct raw raw = open_other_side(&scene);
    struct port *port = take(&scene, "v0");
    /* Unicast alone does not join the group; a second user that needs it opens another socket. */
    port_want(port, VIP_IPV4, false);
    port_look(port);
    send_advert(&scene, &raw, 1);
    settle(&scene);
    assert_int_equal(scene.n_packets, 0);
    port_want(port, VIP_IPV4, true);
    port_look(port);
    send_advert(&scene, &raw, 1);
    wait_past(&scene, &scene.n_packets, 0);
    assert_int_equal(vrrp_ip_compare(&scene.carrier.source, &other), 0);
    /* Asked for what waits, all of it is told at once. */
    send_advert(&scene, &raw, PACKETS);
    uint64_t limit_ns = loop_clock_ns() + (uint64_t)WAIT_MS * 1000000;
    while (scene.n_packets < 1 + PACKETS && loop_clock_ns() < limit_ns)
        port_read(port, VIP_IPV4);
    assert_int_equal(scene.n_packets, 1 + PACKETS);
    raw_close(&raw);
    port_leave(&port);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users_share_a_port),
        cmocka_unit_test(test_what_is_wrong_with_it),
        cmocka_unit_test(test_addresses_that_come_and_go),
        cmocka_unit_test(test_packets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
