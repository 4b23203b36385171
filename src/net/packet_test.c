/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Frames over a cable between two network namespaces.
 */

#include "net/packet.h"

#include "net/veth_scene.h"
#include "wire/announce.h"
#include <errno.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>

enum { WAIT_MS = 20000 };

static void check_frame(const struct veth_scene *scene, struct vrrp_ip ip, uint16_t type)
{
    uint8_t frame[ANNOUNCE_MAX_BYTES], heard[ANNOUNCE_MAX_BYTES + 1];
    size_t len = (size_t)announce_write(&ip, scene->links[0].mac, false, frame);
    int ear = veth_open_ear(scene, 1, type);
    veth_enter(scene, 0);
    int fd = packet_open(NULL);
    assert_true(fd >= 0);
    struct pollfd one = {.fd = ear, .events = POLLIN};
    assert_int_equal(packet_send(fd, scene->links[0].index, frame, len, NULL), 0);
    do {
        assert_int_equal(poll(&one, 1, WAIT_MS), 1);
        assert_int_equal(recv(ear, heard, sizeof(heard), 0), len);
    } while (memcmp(heard, frame, len) != 0);
    /* What comes from there is not for it. */
    memcpy(frame + 6, scene->links[1].mac, VRRP_MAC_BYTES);
    assert_int_equal(packet_send(fd, scene->links[0].index, frame, len, NULL), 0);
    assert_int_equal(recv(fd, heard, sizeof(heard), 0), -1);
    assert_int_equal(errno, EAGAIN);
    close(fd);
    close(ear);
}

static void test_announce(void **state)
{
    (void)state;
    struct veth_scene scene;
    veth_open(&scene);
    check_frame(&scene, veth_ipv4(0), ETH_P_ARP);
    check_frame(&scene, veth_ipv6(0), ETH_P_IPV6);
    veth_close(&scene);
}

static void test_errors(void **state)
{
    (void)state;
    struct veth_scene scene;
    struct err err = ERR_NONE;
    uint8_t frame[ANNOUNCE_MAX_BYTES] = {0};
    veth_open(&scene);
    int fd = packet_open(NULL);
    assert_int_equal(packet_send(fd, 4711, frame, ANNOUNCE_ARP_BYTES, &err), -1);
    assert_non_null(strstr(err.text, "interface 4711"));
    uint32_t index = scene.links[0].index;
    assert_int_equal(rtnl_link_enable(&scene.rtnl[0], index, false, NULL), 0);
    assert_int_equal(packet_send(fd, index, frame, ANNOUNCE_ARP_BYTES, &err), -1);
    assert_int_equal(err.number, ENETDOWN);
    close(fd);
    veth_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_announce),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
