/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_VETH_SCENE_H
#define NET_VETH_SCENE_H

/*
 * For tests: two hosts with a cable between them, made of two network namespaces of the test's own
 * and a veth pair. Sockets stay in the namespace in which they were opened, so that one thread
 * plays both.
 *
 *     namespace 0: v0 10.9.0.1/24, fe80::1/64  ------  namespace 1: v0 10.9.0.2/24, fe80::2/64
 *
 * It needs root; without it the test says so and is skipped.
 */

#include "net/rtnl.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct veth_scene {
    int home; /* the namespace that the test came from */
    int namespaces[2];
    struct rtnl rtnl[2];
    struct rtnl_link links[2];
};

static inline int veth_open_namespace(void)
{
    int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static inline void veth_enter(const struct veth_scene *scene, int side)
{
    assert_int_equal(setns(scene->namespaces[side], CLONE_NEWNET), 0);
}

/* A pair, its other end in the namespace `other`: what net/rtnl.h has no use for. */
static inline void veth_add_pair(int other)
{
    char buf[RTNL_REQUEST_BYTES_MAX] __attribute__((aligned(8))) = {0};
    struct nlmsghdr *head = mnl_nlmsg_put_header(buf);
    head->nlmsg_type = RTM_NEWLINK;
    head->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    mnl_nlmsg_put_extra_header(head, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(head, IFLA_IFNAME, "v0");
    struct nlattr *info = mnl_attr_nest_start(head, IFLA_LINKINFO);
    mnl_attr_put_strz(head, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(head, IFLA_INFO_DATA);
    struct nlattr *peer = mnl_attr_nest_start(head, VETH_INFO_PEER);
    mnl_nlmsg_put_extra_header(head, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(head, IFLA_IFNAME, "v0");
    mnl_attr_put_u32(head, IFLA_NET_NS_FD, (uint32_t)other);
    mnl_attr_nest_end(head, peer);
    mnl_attr_nest_end(head, data);
    mnl_attr_nest_end(head, info);
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    assert_true(fd >= 0);
    assert_int_equal(send(fd, buf, head->nlmsg_len, 0), head->nlmsg_len);
    assert_true(recv(fd, buf, sizeof(buf), 0) > 0);
    assert_int_equal(((struct nlmsgerr *)mnl_nlmsg_get_payload(head))->error, 0);
    close(fd);
}

static inline struct vrrp_ip veth_ipv4(int side)
{
    return (struct vrrp_ip){4, {10, 9, 0, (uint8_t)(side + 1)}};
}

static inline struct vrrp_ip veth_ipv6(int side)
{
    return (struct vrrp_ip){16, {0xfe, 0x80, [15] = (uint8_t)(side + 1)}};
}

static inline void veth_put(struct veth_scene *scene, int side, struct vrrp_ip ip, uint8_t n_bits)
{
    struct err err = ERR_NONE;
    const struct rtnl_life life = {RTNL_FOREVER, RTNL_FOREVER, true, false, 0};
    struct rtnl_address address = {.index = scene->links[side].index, .ip = ip, .n_bits = n_bits};
    if (rtnl_addr_put(&scene->rtnl[side], &address, &life, &err) != 0)
        fail_msg("%s", err.text);
}

/* Switched on, with the addresses of the drawing and no others. */
static inline void veth_set_up(struct veth_scene *scene, int side)
{
    static const struct rtnl_conf conf = {-1, -1, -1, -1, -1, -1, .addr_gen_mode = 1};
    struct rtnl *rtnl = &scene->rtnl[side];
    struct rtnl_link *link = &scene->links[side];
    assert_int_equal(rtnl_link_by_name(rtnl, "v0", link, NULL), 0);
    assert_int_equal(rtnl_link_conf(rtnl, link->index, &conf, NULL), 0);
    assert_int_equal(rtnl_link_enable(rtnl, link->index, true, NULL), 0);
    veth_put(scene, side, veth_ipv4(side), 24);
    veth_put(scene, side, veth_ipv6(side), 64);
}

static inline int veth_open_ear(const struct veth_scene *scene, int side, uint16_t type)
{
    struct sockaddr_ll own = {.sll_family = AF_PACKET,
                              .sll_protocol = htons(type),
                              .sll_ifindex = (int)scene->links[side].index};
    veth_enter(scene, side);
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
    return fd;
}

/* A carrier that just came is not used at once: until then what is sent is lost without a word. */
static inline void veth_wait(const struct veth_scene *scene)
{
    enum { TRIES = 4000, WAIT_MS = 5, TRIAL = ETH_P_802_EX1, TRIAL_BYTES = 60 };
    for (int side = 0; side < 2; side++) {
        uint8_t frame[TRIAL_BYTES] = {
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, [12] = TRIAL >> 8, [13] = TRIAL & 0xff};
        int mouth = veth_open_ear(scene, 1 - side, TRIAL), tries = TRIES;
        struct pollfd ear = {.fd = veth_open_ear(scene, side, TRIAL), .events = POLLIN};
        do {
            assert_true(send(mouth, frame, sizeof(frame), 0) > 0 && tries-- > 0);
        } while (poll(&ear, 1, WAIT_MS) == 0);
        close(mouth);
        close(ear.fd);
    }
}

/* Skips the test where it is not root. The test is in namespace 0 afterwards. */
static inline void veth_open(struct veth_scene *scene)
{
    *scene = (struct veth_scene){.home = veth_open_namespace()};
    for (int side = 0; side < 2; side++) {
        if (unshare(CLONE_NEWNET) < 0) {
            print_message("needs root, for a network namespace of its own\n");
            skip();
        }
        scene->namespaces[side] = veth_open_namespace();
        assert_int_equal(rtnl_open(NULL, &scene->rtnl[side], NULL, NULL, NULL), 0);
    }
    veth_enter(scene, 0);
    veth_add_pair(scene->namespaces[1]);
    for (int side = 0; side < 2; side++)
        veth_set_up(scene, side);
    veth_wait(scene);
    veth_enter(scene, 0);
}

static inline void veth_close(struct veth_scene *scene)
{
    for (int side = 0; side < 2; side++) {
        rtnl_close(&scene->rtnl[side]);
        close(scene->namespaces[side]);
    }
    assert_int_equal(setns(scene->home, CLONE_NEWNET), 0);
    close(scene->home);
}

#endif
