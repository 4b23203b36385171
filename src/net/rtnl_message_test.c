/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Messages of rtnetlink without a kernel: what is read out of them, every message cut at each byte,
 * and requests read back. src/net/rtnl_test.c asks the kernel.
 */

#include "net/rtnl_message.h"

#include "base/mem.h"
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { SEQUENCE = 77, MESSAGE_BYTES = 1024, INDEX = 5 };

struct message {
    _Alignas(8) uint8_t bytes[MESSAGE_BYTES];
};

static struct nlmsghdr *begin(struct message *message, uint16_t type, uint16_t flags)
{
    memset(message, 0, sizeof(*message));
    struct nlmsghdr *head = mnl_nlmsg_put_header(message->bytes);
    head->nlmsg_type = type;
    head->nlmsg_flags = flags;
    head->nlmsg_seq = SEQUENCE;
    return head;
}

static struct nlmsghdr *begin_link(struct message *message, uint16_t type, uint16_t arp,
                                   unsigned flags)
{
    struct nlmsghdr *head = begin(message, type, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(head, sizeof(*info));
    info->ifi_type = arp;
    info->ifi_index = INDEX;
    info->ifi_flags = flags;
    return head;
}

static struct nlmsghdr *begin_address(struct message *message, uint16_t type, uint8_t family,
                                      uint8_t n_bits)
{
    struct nlmsghdr *head = begin(message, type, 0);
    struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(head, sizeof(*info));
    info->ifa_family = family;
    info->ifa_prefixlen = n_bits;
    info->ifa_index = INDEX;
    return head;
}

static struct nlmsghdr *begin_error(struct message *message, uint16_t flags, int number)
{
    struct nlmsghdr *head = begin(message, NLMSG_ERROR, flags);
    struct nlmsgerr *error = mnl_nlmsg_put_extra_header(head, sizeof(*error));
    error->error = number;
    return head;
}

/* From memory of exactly that size, so that a sanitizer sees each byte too many. */
static int read_bytes(const uint8_t *bytes, size_t len, struct rtnl_notice *ret_notice)
{
    char *copy = mem_alloc(len);
    memcpy(copy, bytes, len);
    struct slice rest = slice_make(copy, len);
    int result = rtnl_notice_read(&rest, ret_notice);
    if (result > 0) {
        struct rtnl_notice none;
        assert_int_equal(rest.len, 0);
        assert_int_equal(rtnl_notice_read(&rest, &none), 0); /* also behind an odd length */
    }
    mem_free(copy);
    return result;
}

static int read_one(const struct message *message, struct rtnl_notice *ret_notice)
{
    const struct nlmsghdr *head = (const void *)message->bytes;
    return read_bytes(message->bytes, head->nlmsg_len, ret_notice);
}

static void assert_refused(const struct message *message)
{
    struct rtnl_notice notice;
    assert_int_equal(read_one(message, &notice), -1);
}

/* Shorter than it says is refused; and one that says less is read within what it says. */
static void check_cuts(struct message *message)
{
    struct nlmsghdr *head = (void *)message->bytes;
    struct rtnl_notice notice;
    uint32_t len = head->nlmsg_len;
    for (uint32_t cut = 1; cut < len; cut++)
        assert_int_equal(read_bytes(message->bytes, cut, &notice), -1);
    for (uint32_t cut = 0; cut < len; cut++) {
        head->nlmsg_len = cut;
        assert_true(read_bytes(message->bytes, cut ? cut : len, &notice) != 0);
    }
    head->nlmsg_len = len;
}

static void write_link(struct message *message, uint16_t type, unsigned flags)
{
    struct nlmsghdr *head = begin_link(message, type, ARPHRD_ETHER, flags);
    const uint8_t mac[VRRP_MAC_BYTES] = {2, 0, 0, 0, 0, 9};
    mnl_attr_put_strz(head, IFLA_IFNAME, "eth0");
    mnl_attr_put_u32(head, IFLA_MTU, 1500);
    mnl_attr_put_u32(head, IFLA_LINK, 3);
    mnl_attr_put(head, IFLA_ADDRESS, sizeof(mac), mac);
    struct nlattr *info = mnl_attr_nest_start(head, IFLA_LINKINFO);
    mnl_attr_put_strz(head, IFLA_INFO_KIND, "macvlan");
    mnl_attr_nest_end(head, info);
    mnl_attr_put_strz(head, IFLA_IFALIAS, "the way out");
    const uint32_t numbers[IPV4_DEVCONF_MAX] = {[IPV4_DEVCONF_ARP_IGNORE - 1] = 1,
                                                [IPV4_DEVCONF_ARP_ANNOUNCE - 1] = 2};
    struct nlattr *spec = mnl_attr_nest_start(head, IFLA_AF_SPEC);
    struct nlattr *ipv4 = mnl_attr_nest_start(head, AF_INET);
    mnl_attr_put(head, IFLA_INET_CONF, sizeof(numbers), numbers);
    mnl_attr_nest_end(head, ipv4);
    mnl_attr_nest_end(head, spec);
}

static void test_link(void **state)
{
    (void)state;
    const struct {
        unsigned flags;
        bool is_enabled, is_up;
    } rows[] = {
        {IFF_UP | IFF_RUNNING | IFF_LOWER_UP, true, true},
        {IFF_UP, true, false}, /* no carrier */
        {IFF_LOWER_UP, false, false} /* switched off, the cable is good */,
        {0, false, false},
    };
    struct message message;
    struct rtnl_notice notice;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        write_link(&message, RTM_NEWLINK, rows[i].flags);
        assert_int_equal(read_one(&message, &notice), 1);
        assert_int_equal(notice.kind, RTNL_LINK);
        assert_int_equal(notice.sequence, SEQUENCE);
        assert_int_equal(notice.link.index, INDEX);
        assert_int_equal(notice.link.is_enabled, rows[i].is_enabled);
        assert_int_equal(notice.link.is_up, rows[i].is_up);
        assert_true(notice.link.is_ethernet && notice.link.mac[5] == 9);
        assert_string_equal(notice.link.name, "eth0");
        assert_string_equal(notice.link.kind, "macvlan");
        assert_true(notice.link.mtu == 1500 && notice.link.parent == 3);
        assert_string_equal(notice.link.alias, "the way out");
        assert_true(notice.link.arp_ignore == 1 && notice.link.arp_announce == 2);
    }
    write_link(&message, RTM_DELLINK, IFF_UP);
    check_cuts(&message);
    assert_int_equal(read_one(&message, &notice), 1);
    assert_int_equal(notice.kind, RTNL_LINK_GONE);
}

/* A port that leaves a bridge is told as the end of a link; the link itself is still there. */
static void test_bridge_port(void **state)
{
    (void)state;
    struct message message;
    struct rtnl_notice notice;
    write_link(&message, RTM_DELLINK, IFF_UP);
    struct ifinfomsg *info = mnl_nlmsg_get_payload((struct nlmsghdr *)(void *)message.bytes);
    info->ifi_family = AF_BRIDGE;
    assert_int_equal(read_one(&message, &notice), 1);
    assert_int_equal(notice.kind, RTNL_OTHER);
}

static void test_odd_links(void **state)
{
    (void)state;
    struct message message;
    struct rtnl_notice notice;
    const uint8_t long_mac[20] = {1};
    const char endless[4] = {'e', 't', 'h', '0'};
    struct nlmsghdr *head = begin_link(&message, RTM_NEWLINK, ARPHRD_INFINIBAND, IFF_UP);
    mnl_attr_put(head, IFLA_ADDRESS, sizeof(long_mac), long_mac);
    mnl_attr_put_strz(head, IFLA_IFNAME, "a name that is longer than the kernel's");
    assert_int_equal(read_one(&message, &notice), 1);
    assert_string_equal(notice.link.name, "a name that is ");
    assert_false(notice.link.is_ethernet);
    assert_string_equal(notice.link.alias, "");
    assert_true(notice.link.arp_ignore == -1 && notice.link.arp_announce == -1);

    head = begin_link(&message, RTM_NEWLINK, ARPHRD_ETHER, IFF_UP);
    struct nlattr *spec = mnl_attr_nest_start(head, IFLA_AF_SPEC);
    struct nlattr *ipv4 = mnl_attr_nest_start(head, AF_INET);
    mnl_attr_put(head, IFLA_INET_CONF, 3, "abc"); /* of a kernel that has no numbers */
    mnl_attr_nest_end(head, ipv4);
    mnl_attr_nest_end(head, spec);
    assert_int_equal(read_one(&message, &notice), 1);
    assert_true(notice.link.arp_ignore == -1 && notice.link.arp_announce == -1);

    head = begin_link(&message, RTM_NEWLINK, ARPHRD_ETHER, IFF_UP);
    mnl_attr_put(head, IFLA_AF_SPEC, 3, "abc");
    assert_refused(&message);

    head = begin_link(&message, RTM_NEWLINK, ARPHRD_ETHER, IFF_UP);
    mnl_attr_put(head, IFLA_ADDRESS, sizeof(long_mac), long_mac);
    assert_refused(&message);
    head = begin_link(&message, RTM_NEWLINK, ARPHRD_ETHER, IFF_UP);
    mnl_attr_put(head, IFLA_IFNAME, sizeof(endless), endless);
    assert_refused(&message);
    head = begin_link(&message, RTM_NEWLINK, ARPHRD_ETHER, IFF_UP);
    mnl_attr_put_u16(head, IFLA_MTU, 1500);
    assert_refused(&message);
    head = begin_link(&message, RTM_NEWLINK, ARPHRD_ETHER, IFF_UP);
    mnl_attr_put(head, IFLA_LINKINFO, 3, "abc"); /* no room for an attribute inside */
    assert_refused(&message);
}

static void test_ipv4(void **state)
{
    (void)state;
    struct message message;
    struct rtnl_notice notice;
    const uint8_t ours[] = {10, 0, 0, 1}, others[] = {10, 0, 0, 2};
    const struct ifa_cacheinfo life = {.ifa_valid = 30, .ifa_prefered = 20};
    struct nlmsghdr *head = begin_address(&message, RTM_NEWADDR, AF_INET, 24);
    mnl_attr_put(head, IFA_ADDRESS, sizeof(others), others);
    mnl_attr_put(head, IFA_LOCAL, sizeof(ours), ours);
    mnl_attr_put(head, IFA_CACHEINFO, sizeof(life), &life);
    mnl_attr_put_u32(head, IFA_FLAGS, IFA_F_SECONDARY | IFA_F_NOPREFIXROUTE);
    mnl_attr_put_u8(head, 11, 200);
    assert_int_equal(read_one(&message, &notice), 1);
    assert_int_equal(notice.kind, RTNL_ADDRESS);
    assert_int_equal(notice.address.ip.n_bytes, sizeof(ours));
    assert_memory_equal(notice.address.ip.bytes, ours, sizeof(ours));
    assert_true(notice.address.index == INDEX && notice.address.n_bits == 24);
    assert_true(notice.address.valid_s == 30 && notice.address.preferred_s == 20);
    assert_true(notice.address.is_secondary && !notice.address.is_tentative);
    assert_int_equal(notice.address.protocol, 200);
    check_cuts(&message);
}

static void test_ipv6(void **state)
{
    (void)state;
    struct message message;
    struct rtnl_notice notice;
    const uint8_t ip[16] = {0xfe, 0x80, [15] = 1};
    struct nlmsghdr *head = begin_address(&message, RTM_DELADDR, AF_INET6, 64);
    struct ifaddrmsg *info = mnl_nlmsg_get_payload(head);
    info->ifa_scope = RT_SCOPE_LINK;
    info->ifa_flags = IFA_F_DADFAILED; /* without IFA_FLAGS these count */
    mnl_attr_put(head, IFA_ADDRESS, sizeof(ip), ip);
    assert_int_equal(read_one(&message, &notice), 1);
    assert_int_equal(notice.kind, RTNL_ADDRESS_GONE);
    assert_memory_equal(notice.address.ip.bytes, ip, sizeof(ip));
    assert_true(notice.address.is_link_local && notice.address.is_tentative);
    assert_false(notice.address.is_secondary);
    assert_true(notice.address.valid_s == RTNL_FOREVER && notice.address.protocol == 0);
    check_cuts(&message);
}

static void test_odd_addresses(void **state)
{
    (void)state;
    struct message message;
    struct rtnl_notice notice;
    const uint8_t ip[16] = {10, 0, 0, 1};
    struct nlmsghdr *head = begin_address(&message, RTM_NEWADDR, AF_INET, 24);
    assert_refused(&message); /* none in it */
    mnl_attr_put(head, IFA_ADDRESS, sizeof(ip), ip);
    assert_refused(&message); /* one of the other family */
    head = begin_address(&message, RTM_NEWADDR, AF_INET6, 24);
    mnl_attr_put(head, IFA_ADDRESS, 4, ip);
    assert_refused(&message);
    head = begin_address(&message, RTM_NEWADDR, AF_INET, 24);
    mnl_attr_put(head, IFA_ADDRESS, 4, ip);
    mnl_attr_put(head, IFA_CACHEINFO, 8, ip);
    assert_refused(&message);
    head = begin_address(&message, RTM_NEWADDR, AF_INET, 24);
    mnl_attr_put(head, IFA_ADDRESS, 4, ip);
    mnl_attr_put(head, 11, 0, ip);
    assert_refused(&message);
    begin_address(&message, RTM_NEWADDR, AF_PACKET, 24);
    assert_int_equal(read_one(&message, &notice), 1);
    assert_int_equal(notice.kind, RTNL_OTHER);
    begin(&message, RTM_NEWROUTE, 0);
    assert_int_equal(read_one(&message, &notice), 1);
    assert_int_equal(notice.kind, RTNL_OTHER);
}

static void test_answer(void **state)
{
    (void)state;
    struct message message;
    struct rtnl_notice notice;
    struct nlmsghdr *head = begin_error(&message, NLM_F_CAPPED | NLM_F_ACK_TLVS, -EEXIST);
    mnl_attr_put_u32(head, NLMSGERR_ATTR_OFFS, 12);
    mnl_attr_put_strz(head, NLMSGERR_ATTR_MSG, "Address already assigned");
    assert_int_equal(read_one(&message, &notice), 1);
    assert_true(notice.kind == RTNL_ANSWER && notice.error == EEXIST);
    assert_string_equal(notice.text, "Address already assigned");
    check_cuts(&message);
    begin_error(&message, NLM_F_CAPPED, 0);
    assert_int_equal(read_one(&message, &notice), 1);
    assert_true(notice.kind == RTNL_ANSWER && notice.error == 0);
    assert_string_equal(notice.text, "");
    begin_error(&message, NLM_F_CAPPED, EEXIST); /* no errno value below zero */
    assert_refused(&message);
    begin_error(&message, NLM_F_CAPPED, INT32_MIN);
    assert_refused(&message);
}

static void test_done(void **state)
{
    (void)state;
    struct message message;
    struct rtnl_notice notice;
    struct nlmsghdr *head = begin(&message, NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR);
    assert_int_equal(read_one(&message, &notice), 1);
    assert_true(notice.kind == RTNL_DONE && notice.error == 0 && notice.is_torn);
    int *number = mnl_nlmsg_put_extra_header(head, sizeof(*number));
    *number = -ENODEV;
    assert_int_equal(read_one(&message, &notice), 1);
    assert_true(notice.kind == RTNL_DONE && notice.error == ENODEV);
}

/* Several in one datagram; and a length that is none, also as a signed number. */
static void test_datagram(void **state)
{
    (void)state;
    struct message first, second;
    struct rtnl_notice notice;
    _Alignas(8) char both[2 * MESSAGE_BYTES];
    write_link(&first, RTM_NEWLINK, IFF_UP);
    begin_error(&second, NLM_F_CAPPED, 0);
    struct nlmsghdr *head = (void *)first.bytes;
    size_t len = NLMSG_ALIGN(head->nlmsg_len);
    memcpy(both, first.bytes, len);
    memcpy(both + len, second.bytes, sizeof(second.bytes));
    struct slice rest =
        slice_make(both, len + ((struct nlmsghdr *)(void *)second.bytes)->nlmsg_len);
    assert_int_equal(rtnl_notice_read(&rest, &notice), 1);
    assert_int_equal(notice.kind, RTNL_LINK);
    assert_int_equal(rtnl_notice_read(&rest, &notice), 1);
    assert_int_equal(notice.kind, RTNL_ANSWER);
    assert_int_equal(rtnl_notice_read(&rest, &notice), 0);
    for (uint32_t wrong = 0; wrong < NLMSG_HDRLEN; wrong++) {
        head->nlmsg_len = wrong;
        assert_int_equal(read_bytes(first.bytes, len, &notice), -1);
    }
    head->nlmsg_len = 0x80000010;
    assert_int_equal(read_bytes(first.bytes, len, &notice), -1);
}

static void read_request(const struct rtnl_request *request, struct rtnl_notice *ret_notice)
{
    const struct nlmsghdr *head = (const void *)request->bytes;
    assert_int_equal(head->nlmsg_len, request->len);
    assert_true(head->nlmsg_flags & NLM_F_REQUEST);
    assert_int_equal(read_bytes(request->bytes, request->len, ret_notice), 1);
    assert_int_equal(ret_notice->sequence, SEQUENCE);
}

static void test_requests(void **state)
{
    (void)state;
    struct rtnl_request request;
    struct rtnl_notice notice;
    const struct rtnl_address address = {
        .index = INDEX, .ip = {16, {0x20, 1, [15] = 1}}, .n_bits = 128};
    const struct rtnl_life life = {9, 4, true, true, 200};
    const uint8_t mac[VRRP_MAC_BYTES] = {0, 0, 0x5e, 0, 2, 1};
    rtnl_request_address_put(&request, SEQUENCE, &address, &life);
    read_request(&request, &notice);
    assert_int_equal(notice.kind, RTNL_ADDRESS);
    assert_int_equal(vrrp_ip_compare(&notice.address.ip, &address.ip), 0);
    assert_true(notice.address.index == INDEX && notice.address.n_bits == 128);
    assert_true(notice.address.valid_s == 9 && notice.address.preferred_s == 4);
    assert_int_equal(notice.address.protocol, 200);
    rtnl_request_address_remove(&request, SEQUENCE, &address);
    read_request(&request, &notice);
    assert_int_equal(notice.kind, RTNL_ADDRESS_GONE);
    assert_int_equal(vrrp_ip_compare(&notice.address.ip, &address.ip), 0);
    rtnl_request_macvlan(&request, SEQUENCE, INDEX, "weir.1", mac);
    read_request(&request, &notice);
    assert_int_equal(notice.link.parent, INDEX);
    assert_string_equal(notice.link.name, "weir.1");
    assert_string_equal(notice.link.kind, "macvlan");
    rtnl_request_link_remove(&request, SEQUENCE, INDEX);
    read_request(&request, &notice);
    assert_true(notice.kind == RTNL_LINK_GONE && notice.link.index == INDEX);
    rtnl_request_link_enable(&request, SEQUENCE, INDEX, true);
    read_request(&request, &notice);
    assert_true(notice.link.is_enabled && notice.link.index == INDEX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link),      cmocka_unit_test(test_bridge_port),
        cmocka_unit_test(test_odd_links), cmocka_unit_test(test_ipv4),
        cmocka_unit_test(test_ipv6),      cmocka_unit_test(test_odd_addresses),
        cmocka_unit_test(test_answer),    cmocka_unit_test(test_done),
        cmocka_unit_test(test_datagram),  cmocka_unit_test(test_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
