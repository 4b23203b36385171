/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading and writing messages of rtnetlink. The kernel writes what is read here, but it comes from
 * a socket like everything else: each length is looked at before the bytes behind it.
 */

#include "net/rtnl_message.h"

#include "base/mem.h"
#include <assert.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <string.h>

enum {
    USABLE = IFF_UP | IFF_LOWER_UP | IFF_RUNNING,
    IFA_PROTO_OF_LINUX_5_18 = 11, /* not in the headers of older ones */
};

/* --- reading ---------------------------------------------------------------------------------- */

/* The attributes behind `skip` bytes of a message's own. */
static struct slice attrs_of(const struct nlmsghdr *head, size_t skip)
{
    const char *payload = mnl_nlmsg_get_payload(head);
    return slice_skip(slice_make(payload, mnl_nlmsg_get_payload_len(head)), NLMSG_ALIGN(skip));
}

static struct slice attrs_in(const struct nlattr *nest)
{
    return slice_make(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest));
}

/* Cuts the next one off. 1: *ret_attr; 0: there is no more; -1: what is left is none. */
static int next_attr(struct slice *rest, const struct nlattr **ret_attr)
{
    if (rest->len == 0)
        return 0;
    const struct nlattr *attr = (const void *)rest->ptr;
    if (rest->len < sizeof(*attr) || attr->nla_len < sizeof(*attr) || attr->nla_len > rest->len)
        return -1;
    *rest = slice_skip(*rest, NLMSG_ALIGN((size_t)attr->nla_len));
    *ret_attr = attr;
    return 1;
}

static size_t payload_bytes(const struct nlattr *attr)
{
    return mnl_attr_get_payload_len(attr);
}

/* 0; -1: not as many bytes as the value has. */
static int read_u8(const struct nlattr *attr, uint8_t *ret_value)
{
    if (payload_bytes(attr) < sizeof(*ret_value))
        return -1;
    *ret_value = mnl_attr_get_u8(attr);
    return 0;
}

static int read_u32(const struct nlattr *attr, uint32_t *ret_value)
{
    if (payload_bytes(attr) < sizeof(*ret_value))
        return -1;
    *ret_value = mnl_attr_get_u32(attr);
    return 0;
}

/* A text with a NUL, which is cut where it is longer than `cap` allows. */
static int read_text(const struct nlattr *attr, char *text, size_t cap)
{
    const char *bytes = mnl_attr_get_payload(attr);
    const char *end = memchr(bytes, 0, payload_bytes(attr));
    if (!end)
        return -1;
    slice_copy(slice_make(bytes, (size_t)(end - bytes)), text, cap);
    return 0;
}

static int read_mac(const struct nlattr *attr, struct rtnl_link *link)
{
    if (!link->is_ethernet)
        return 0; /* an address of another length */
    if (payload_bytes(attr) != VRRP_MAC_BYTES)
        return -1;
    memcpy(link->mac, mnl_attr_get_payload(attr), VRRP_MAC_BYTES);
    return 0;
}

static int read_kind(const struct nlattr *info, struct rtnl_link *link)
{
    struct slice rest = attrs_in(info);
    const struct nlattr *attr = NULL;
    int result = 0;
    while ((result = next_attr(&rest, &attr)) > 0) {
        if (mnl_attr_get_type(attr) == IFLA_INFO_KIND &&
            read_text(attr, link->kind, sizeof(link->kind)) < 0)
            return -1;
    }
    return result;
}

/* One of the numbers that IPv4 keeps per interface; a kernel that has fewer does not tell it. */
static int read_devconf(const struct nlattr *words, unsigned type)
{
    struct slice all = attrs_in(words);
    uint32_t value;
    if (all.len < (size_t)type * sizeof(value))
        return -1;
    memcpy(&value, all.ptr + (size_t)(type - 1) * sizeof(value), sizeof(value));
    return value <= INT_MAX ? (int)value : -1;
}

/* What a family keeps: of IPv4, all of its numbers in a row, the first for type 1. */
static int read_family(const struct nlattr *family, struct rtnl_link *link)
{
    struct slice rest = attrs_in(family);
    const struct nlattr *attr = NULL;
    int result = 0;
    if (mnl_attr_get_type(family) != AF_INET)
        return 0;
    while ((result = next_attr(&rest, &attr)) > 0) {
        if (mnl_attr_get_type(attr) != IFLA_INET_CONF)
            continue;
        link->arp_ignore = read_devconf(attr, IPV4_DEVCONF_ARP_IGNORE);
        link->arp_announce = read_devconf(attr, IPV4_DEVCONF_ARP_ANNOUNCE);
        link->promote_secondaries = read_devconf(attr, IPV4_DEVCONF_PROMOTE_SECONDARIES);
    }
    return result;
}

static int read_families(const struct nlattr *spec, struct rtnl_link *link)
{
    struct slice rest = attrs_in(spec);
    const struct nlattr *attr = NULL;
    int result = 0;
    while ((result = next_attr(&rest, &attr)) > 0)
        if (read_family(attr, link) < 0)
            return -1;
    return result;
}

static int read_link_attr(const struct nlattr *attr, struct rtnl_link *link)
{
    switch (mnl_attr_get_type(attr)) {
    case IFLA_IFNAME:
        return read_text(attr, link->name, sizeof(link->name));
    case IFLA_LINK:
        return read_u32(attr, &link->parent);
    case IFLA_MTU:
        return read_u32(attr, &link->mtu);
    case IFLA_ADDRESS:
        return read_mac(attr, link);
    case IFLA_LINKINFO:
        return read_kind(attr, link);
    case IFLA_IFALIAS:
        return read_text(attr, link->alias, sizeof(link->alias));
    case IFLA_AF_SPEC:
        return read_families(attr, link);
    default:
        return 0;
    }
}

/* 0; 1: about a bridge's port; -1. */
static int read_link(const struct nlmsghdr *head, struct rtnl_link *ret_link)
{
    if (mnl_nlmsg_get_payload_len(head) < sizeof(struct ifinfomsg))
        return -1;
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(head);
    if (info->ifi_family != AF_UNSPEC)
        return 1;
    *ret_link = (struct rtnl_link){
        .index = (uint32_t)info->ifi_index,
        .is_enabled = info->ifi_flags & IFF_UP,
        .is_up = (info->ifi_flags & USABLE) == USABLE,
        .is_ethernet = info->ifi_type == ARPHRD_ETHER,
        .arp_ignore = -1,
        .arp_announce = -1,
        .promote_secondaries = -1,
    };
    struct slice rest = attrs_of(head, sizeof(*info));
    const struct nlattr *attr = NULL;
    int result = 0;
    while ((result = next_attr(&rest, &attr)) > 0) {
        if (read_link_attr(attr, ret_link) < 0)
            return -1;
    }
    return result;
}

static int read_ip(const struct nlattr *attr, uint8_t family, struct vrrp_ip *ret_ip)
{
    size_t n_bytes = family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
    if (payload_bytes(attr) != n_bytes)
        return -1;
    *ret_ip = vrrp_ip_make(mnl_attr_get_payload(attr), n_bytes);
    return 0;
}

static int read_life(const struct nlattr *attr, struct rtnl_address *address)
{
    struct ifa_cacheinfo life;
    if (payload_bytes(attr) < sizeof(life))
        return -1;
    memcpy(&life, mnl_attr_get_payload(attr), sizeof(life));
    address->valid_s = life.ifa_valid;
    address->preferred_s = life.ifa_prefered;
    return 0;
}

/* What an address message says in its attributes. */
struct address_words {
    struct vrrp_ip local; /* of a link between two: ours, and IFA_ADDRESS is the other's */
    uint32_t flags;
};

static int read_address_attr(const struct nlattr *attr, uint8_t family,
                             struct rtnl_address *address, struct address_words *words)
{
    switch (mnl_attr_get_type(attr)) {
    case IFA_ADDRESS:
        return read_ip(attr, family, &address->ip);
    case IFA_LOCAL:
        return read_ip(attr, family, &words->local);
    case IFA_FLAGS:
        return read_u32(attr, &words->flags);
    case IFA_CACHEINFO:
        return read_life(attr, address);
    case IFA_PROTO_OF_LINUX_5_18:
        return read_u8(attr, &address->protocol);
    default:
        return 0;
    }
}

static void set_flags(struct rtnl_address *address, uint32_t flags)
{
    bool is_ipv4 = address->ip.n_bytes == sizeof(struct in_addr);
    address->is_secondary = is_ipv4 && (flags & IFA_F_SECONDARY);
    address->is_tentative = !is_ipv4 && (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED));
    address->is_deprecated = flags & IFA_F_DEPRECATED;
}

/* 0; 1: of a family that is not known here; -1. */
static int read_address(const struct nlmsghdr *head, struct rtnl_address *ret_address)
{
    if (mnl_nlmsg_get_payload_len(head) < sizeof(struct ifaddrmsg))
        return -1;
    const struct ifaddrmsg *info = mnl_nlmsg_get_payload(head);
    if (info->ifa_family != AF_INET && info->ifa_family != AF_INET6)
        return 1;
    struct address_words words = {.flags = info->ifa_flags};
    *ret_address = (struct rtnl_address){
        .index = info->ifa_index,
        .n_bits = info->ifa_prefixlen,
        .is_link_local = info->ifa_scope == RT_SCOPE_LINK,
        .valid_s = RTNL_FOREVER,
        .preferred_s = RTNL_FOREVER,
    };
    struct slice rest = attrs_of(head, sizeof(*info));
    const struct nlattr *attr = NULL;
    int result = 0;
    while ((result = next_attr(&rest, &attr)) > 0) {
        if (read_address_attr(attr, info->ifa_family, ret_address, &words) < 0)
            return -1;
    }
    if (result < 0)
        return -1;
    if (words.local.n_bytes)
        ret_address->ip = words.local;
    if (!ret_address->ip.n_bytes)
        return -1;
    set_flags(ret_address, words.flags);
    return 0;
}

static int read_error_text(const struct nlmsghdr *head, struct rtnl_notice *notice)
{
    if (!(head->nlmsg_flags & NLM_F_ACK_TLVS) || !(head->nlmsg_flags & NLM_F_CAPPED))
        return 0;
    struct slice rest = attrs_of(head, sizeof(struct nlmsgerr));
    const struct nlattr *attr = NULL;
    int result = 0;
    while ((result = next_attr(&rest, &attr)) > 0) {
        if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
            read_text(attr, notice->text, sizeof(notice->text)) < 0)
            return -1;
    }
    return result;
}

/* The number is an errno value below zero, or 0. */
static int read_error(const struct nlmsghdr *head, struct rtnl_notice *notice)
{
    int32_t number = 0;
    size_t len = mnl_nlmsg_get_payload_len(head);
    notice->text[0] = 0;
    if (len < (head->nlmsg_type == NLMSG_ERROR ? sizeof(struct nlmsgerr) : 0))
        return -1;
    if (len >= sizeof(number))
        memcpy(&number, mnl_nlmsg_get_payload(head), sizeof(number));
    if (number > 0 || number == INT32_MIN)
        return -1;
    notice->error = -number;
    return head->nlmsg_type == NLMSG_ERROR ? read_error_text(head, notice) : 0;
}

static int read_message(const struct nlmsghdr *head, struct rtnl_notice *notice)
{
    switch (head->nlmsg_type) {
    case RTM_NEWLINK:
        notice->kind = RTNL_LINK;
        return read_link(head, &notice->link);
    case RTM_DELLINK:
        notice->kind = RTNL_LINK_GONE;
        return read_link(head, &notice->link);
    case RTM_NEWADDR:
        notice->kind = RTNL_ADDRESS;
        return read_address(head, &notice->address);
    case RTM_DELADDR:
        notice->kind = RTNL_ADDRESS_GONE;
        return read_address(head, &notice->address);
    case NLMSG_ERROR:
        notice->kind = RTNL_ANSWER;
        return read_error(head, notice);
    case NLMSG_DONE:
        notice->kind = RTNL_DONE;
        return read_error(head, notice);
    default:
        return 1;
    }
}

int rtnl_notice_read(struct slice *rest, struct rtnl_notice *ret_notice)
{
    if (rest->len == 0)
        return 0;
    assert((uintptr_t)rest->ptr % NLMSG_ALIGNTO == 0);
    const struct nlmsghdr *head = (const void *)rest->ptr;
    if (rest->len < sizeof(*head) || head->nlmsg_len < sizeof(*head) || head->nlmsg_len > rest->len)
        return -1;
    struct rtnl_notice notice = {
        .sequence = head->nlmsg_seq,
        .is_torn = head->nlmsg_flags & NLM_F_DUMP_INTR,
    };
    int result = read_message(head, &notice);
    if (result < 0)
        return -1;
    if (result > 0)
        notice.kind = RTNL_OTHER;
    *rest = slice_skip(*rest, NLMSG_ALIGN((size_t)head->nlmsg_len));
    *ret_notice = notice;
    return 1;
}

/* --- writing ---------------------------------------------------------------------------------- */

static struct nlmsghdr *begin(struct rtnl_request *request, uint32_t sequence, uint16_t type,
                              uint16_t flags)
{
    memset(request, 0, sizeof(*request));
    struct nlmsghdr *head = mnl_nlmsg_put_header(request->bytes);
    head->nlmsg_type = type;
    head->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    head->nlmsg_seq = sequence;
    return head;
}

static void finish(struct rtnl_request *request, const struct nlmsghdr *head)
{
    assert(head->nlmsg_len <= sizeof(request->bytes));
    request->len = head->nlmsg_len;
}

static struct ifinfomsg *put_link(struct nlmsghdr *head, uint32_t index)
{
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(head, sizeof(*info));
    info->ifi_family = AF_UNSPEC;
    info->ifi_index = (int)index;
    return info;
}

static void put_name(struct nlmsghdr *head, const char *name)
{
    assert(strlen(name) < RTNL_NAME_BYTES);
    mnl_attr_put_strz(head, IFLA_IFNAME, name);
}

void rtnl_request_link(struct rtnl_request *request, uint32_t sequence, const char *name,
                       uint32_t index)
{
    struct nlmsghdr *head = begin(request, sequence, RTM_GETLINK, NLM_F_ACK);
    put_link(head, name ? 0 : index);
    mnl_attr_put_u32(head, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    if (name)
        put_name(head, name);
    finish(request, head);
}

void rtnl_request_links(struct rtnl_request *request, uint32_t sequence)
{
    struct nlmsghdr *head = begin(request, sequence, RTM_GETLINK, NLM_F_DUMP);
    put_link(head, 0);
    mnl_attr_put_u32(head, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    finish(request, head);
}

void rtnl_request_addresses(struct rtnl_request *request, uint32_t sequence, uint32_t index)
{
    struct nlmsghdr *head = begin(request, sequence, RTM_GETADDR, NLM_F_DUMP);
    struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(head, sizeof(*info));
    info->ifa_family = AF_UNSPEC;
    info->ifa_index = index;
    finish(request, head);
}

static void put_address(struct nlmsghdr *head, const struct rtnl_address *address)
{
    struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(head, sizeof(*info));
    bool is_ipv4 = address->ip.n_bytes == sizeof(struct in_addr);
    info->ifa_family = is_ipv4 ? AF_INET : AF_INET6;
    info->ifa_prefixlen = address->n_bits;
    info->ifa_scope = RT_SCOPE_UNIVERSE;
    info->ifa_index = address->index;
    mnl_attr_put(head, IFA_LOCAL, address->ip.n_bytes, address->ip.bytes);
    mnl_attr_put(head, IFA_ADDRESS, address->ip.n_bytes, address->ip.bytes);
}

void rtnl_request_address_put(struct rtnl_request *request, uint32_t sequence,
                              const struct rtnl_address *address, const struct rtnl_life *life)
{
    assert(life->valid_s > 0 && life->preferred_s <= life->valid_s);
    struct nlmsghdr *head =
        begin(request, sequence, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
    struct ifa_cacheinfo cache = {.ifa_valid = life->valid_s, .ifa_prefered = life->preferred_s};
    put_address(head, address);
    mnl_attr_put(head, IFA_CACHEINFO, sizeof(cache), &cache);
    uint32_t flags =
        (life->is_nodad ? IFA_F_NODAD : 0U) | (life->is_noprefixroute ? IFA_F_NOPREFIXROUTE : 0U);
    mnl_attr_put_u32(head, IFA_FLAGS, flags);
    if (life->protocol)
        mnl_attr_put_u8(head, IFA_PROTO_OF_LINUX_5_18, life->protocol);
    finish(request, head);
}

void rtnl_request_address_remove(struct rtnl_request *request, uint32_t sequence,
                                 const struct rtnl_address *address)
{
    struct nlmsghdr *head = begin(request, sequence, RTM_DELADDR, NLM_F_ACK);
    put_address(head, address);
    finish(request, head);
}

void rtnl_request_macvlan(struct rtnl_request *request, uint32_t sequence, uint32_t parent,
                          const char *name, const uint8_t mac[VRRP_MAC_BYTES])
{
    struct nlmsghdr *head =
        begin(request, sequence, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
    put_link(head, 0);
    put_name(head, name);
    mnl_attr_put_u32(head, IFLA_LINK, parent);
    mnl_attr_put(head, IFLA_ADDRESS, VRRP_MAC_BYTES, mac);
    struct nlattr *info = mnl_attr_nest_start(head, IFLA_LINKINFO);
    mnl_attr_put_strz(head, IFLA_INFO_KIND, "macvlan");
    struct nlattr *data = mnl_attr_nest_start(head, IFLA_INFO_DATA);
    mnl_attr_put_u32(head, IFLA_MACVLAN_MODE, MACVLAN_MODE_VEPA);
    mnl_attr_nest_end(head, data);
    mnl_attr_nest_end(head, info);
    finish(request, head);
}

void rtnl_request_link_remove(struct rtnl_request *request, uint32_t sequence, uint32_t index)
{
    struct nlmsghdr *head = begin(request, sequence, RTM_DELLINK, NLM_F_ACK);
    put_link(head, index);
    finish(request, head);
}

void rtnl_request_link_enable(struct rtnl_request *request, uint32_t sequence, uint32_t index,
                              bool is_enabled)
{
    struct nlmsghdr *head = begin(request, sequence, RTM_NEWLINK, NLM_F_ACK);
    struct ifinfomsg *info = put_link(head, index);
    info->ifi_flags = is_enabled ? IFF_UP : 0;
    info->ifi_change = IFF_UP;
    finish(request, head);
}

void rtnl_request_link_alias(struct rtnl_request *request, uint32_t sequence, uint32_t index,
                             const char *alias)
{
    struct nlmsghdr *head = begin(request, sequence, RTM_NEWLINK, NLM_F_ACK);
    assert(alias[0] && strlen(alias) < RTNL_ALIAS_BYTES);
    put_link(head, index);
    mnl_attr_put_strz(head, IFLA_IFALIAS, alias);
    finish(request, head);
}

static void put_conf_ipv4(struct nlmsghdr *head, const struct rtnl_conf *conf)
{
    const struct {
        uint16_t type;
        int value;
    } words[] = {
        {IPV4_DEVCONF_ARP_IGNORE, conf->arp_ignore},
        {IPV4_DEVCONF_ARP_ANNOUNCE, conf->arp_announce},
        {IPV4_DEVCONF_ARPFILTER, conf->arp_filter},
        {IPV4_DEVCONF_RP_FILTER, conf->rp_filter},
        {IPV4_DEVCONF_ACCEPT_LOCAL, conf->accept_local},
        {IPV4_DEVCONF_PROMOTE_SECONDARIES, conf->promote_secondaries},
    };
    struct nlattr *family = mnl_attr_nest_start(head, AF_INET);
    struct nlattr *all = mnl_attr_nest_start(head, IFLA_INET_CONF);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (words[i].value >= 0)
            mnl_attr_put_u32(head, words[i].type, (uint32_t)words[i].value);
    }
    mnl_attr_nest_end(head, all);
    mnl_attr_nest_end(head, family);
}

void rtnl_request_link_conf(struct rtnl_request *request, uint32_t sequence, uint32_t index,
                            const struct rtnl_conf *conf)
{
    struct nlmsghdr *head = begin(request, sequence, RTM_NEWLINK, NLM_F_ACK);
    put_link(head, index);
    struct nlattr *spec = mnl_attr_nest_start(head, IFLA_AF_SPEC);
    put_conf_ipv4(head, conf);
    if (conf->addr_gen_mode >= 0) {
        struct nlattr *family = mnl_attr_nest_start(head, AF_INET6);
        mnl_attr_put_u8(head, IFLA_INET6_ADDR_GEN_MODE, (uint8_t)conf->addr_gen_mode);
        mnl_attr_nest_end(head, family);
    }
    mnl_attr_nest_end(head, spec);
    finish(request, head);
}
