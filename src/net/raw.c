/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Raw sockets for VRRP. What the two families do differently is in a table of options for each, and
 * in how a packet's head comes: IPv4 gives it with the bytes, IPv6 beside them.
 */

#include "net/raw.h"

#include "base/mem.h"
#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    TOS = IPTOS_CLASS_CS6, /* internetwork control, as routing protocols have */
    PRIORITY = 7,          /* TC_PRIO_CONTROL: before everything else in the queue */
    HOP_LIMIT_ANY = 255,
};

/* --- opening ---------------------------------------------------------------------------------- */

struct option {
    int level, name, value;
    const char *text;
};

static const struct option ipv4_options[] = {
    {IPPROTO_IP, IP_TTL, VRRP_TTL, "its TTL"},
    {IPPROTO_IP, IP_MULTICAST_TTL, VRRP_TTL, "its TTL"},
    {IPPROTO_IP, IP_TOS, TOS, "its TOS"},
    {IPPROTO_IP, IP_MULTICAST_LOOP, 0, "that it does not hear itself"},
    {IPPROTO_IP, IP_MULTICAST_ALL, 0, "that it hears its own group alone"},
    {IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT, "that packets may be split"},
};

static const struct option ipv6_options[] = {
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, VRRP_TTL, "its hop limit"},
    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS, VRRP_TTL, "its hop limit"},
    {IPPROTO_IPV6, IPV6_TCLASS, TOS, "its traffic class"},
    {IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, "that it does not hear itself"},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "that it learns a packet's target"},
    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, "that it learns a packet's hop limit"},
};

static int set_options(int fd, const struct option *options, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct option *option = &options[i];
        if (setsockopt(fd, option->level, option->name, &option->value, sizeof(option->value)) < 0)
            return err_set_errno(err, errno, "cannot set %s", option->text);
    }
    return 0;
}

/* Those that a host may refuse, and that are missed little. */
static void set_wishes(int fd)
{
    int priority = PRIORITY, size = RAW_QUEUE_BYTES;
    (void)setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority));
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static int join_ipv4(int fd, uint32_t index, struct err *err)
{
    struct vrrp_ip group = vrrp_group(false);
    struct ip_mreqn join = {.imr_ifindex = (int)index};
    memcpy(&join.imr_multiaddr, group.bytes, sizeof(join.imr_multiaddr));
    if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof(join)) < 0)
        return err_set_errno(err, errno, "cannot join 224.0.0.18");
    return 0;
}

static int join_ipv6(int fd, uint32_t index, struct err *err)
{
    struct vrrp_ip group = vrrp_group(true);
    struct ipv6_mreq join = {.ipv6mr_interface = index};
    memcpy(&join.ipv6mr_multiaddr, group.bytes, sizeof(join.ipv6mr_multiaddr));
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &join, sizeof(join)) < 0)
        return err_set_errno(err, errno, "cannot join ff02::12");
    return 0;
}

/* Where multicast goes; and for packets whose source belongs to the interface below a macvlan. */
static int set_way_out(int fd, const struct raw_options *options, struct err *err)
{
    struct ip_mreqn out = {.imr_ifindex = (int)options->index};
    int index = (int)options->index, one = 1, result = 0;
    if (options->is_ipv6)
        result = setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof(index));
    else
        result = setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof(out));
    if (result == 0 && options->is_ipv6 && options->is_write_only)
        result = setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one));
    return result < 0 ? err_set_errno(err, errno, "cannot choose it for multicast") : 0;
}

static int set_filter(int fd, const struct sock_filter *filter, size_t n, struct err *err)
{
    struct sock_fprog program = {.len = (unsigned short)n};
    memcpy(&program.filter, &filter, sizeof(program.filter)); /* the kernel only reads it */
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
        return err_set_errno(err, errno, "cannot choose what it hears");
    return 0;
}

/* What came from other interfaces before it is bound would lie in its queue. */
static int set_deaf(int fd, struct err *err)
{
    static const struct sock_filter filter[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    return set_filter(fd, filter, ARRAY_LEN(filter), err);
}

/* A raw socket of IPv6 hears all multicast, whatever it has joined: here it hears its group's. */
static int set_group_ipv6(int fd, bool is_unicast, struct err *err)
{
    enum { TARGET = SKF_NET_OFF + 24, MULTICAST = 0xff, HEARD = 0x40000 };
    const struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)TARGET),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MULTICAST, 0, 9),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)TARGET),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, is_unicast ? 0 : 0xff020000, 0, 6),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)TARGET + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)TARGET + 8),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)TARGET + 12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x12, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, HEARD),
    };
    return set_filter(fd, filter, ARRAY_LEN(filter), err);
}

static int bind_to(int fd, const char *name, struct err *err)
{
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name)) < 0)
        return err_set_errno(err, errno, "cannot bind it");
    return 0;
}

static int hear_ipv4(int fd, const struct raw_options *options, struct err *err)
{
    int none = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)) < 0)
        return err_set_errno(err, errno, "cannot choose what it hears");
    return options->is_unicast ? 0 : join_ipv4(fd, options->index, err);
}

static int hear_ipv6(int fd, const struct raw_options *options, struct err *err)
{
    if (set_group_ipv6(fd, options->is_unicast, err) < 0)
        return -1;
    return options->is_unicast ? 0 : join_ipv6(fd, options->index, err);
}

static int set_up(int fd, const struct raw_options *options, struct err *err)
{
    const struct option *table = options->is_ipv6 ? ipv6_options : ipv4_options;
    size_t n = options->is_ipv6 ? ARRAY_LEN(ipv6_options) : ARRAY_LEN(ipv4_options);
    if (set_deaf(fd, err) < 0 || bind_to(fd, options->name, err) < 0 ||
        set_options(fd, table, n, err) < 0 || set_way_out(fd, options, err) < 0)
        return -1;
    set_wishes(fd);
    if (options->is_write_only)
        return 0;
    return options->is_ipv6 ? hear_ipv6(fd, options, err) : hear_ipv4(fd, options, err);
}

void raw_init(struct raw *raw)
{
    *raw = (struct raw){.fd = -1};
}

int raw_open(struct raw *raw, const struct raw_options *options, struct err *err)
{
    raw_init(raw);
    int family = options->is_ipv6 ? AF_INET6 : AF_INET;
    int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, VRRP_PROTOCOL);
    if (fd < 0)
        return err_set_errno(err, errno, "cannot open a raw socket for VRRP");
    if (set_up(fd, options, err) < 0) {
        close(fd);
        return err_prefix(err, "a raw socket for VRRP on %s", options->name);
    }
    *raw = (struct raw){.fd = fd, .is_ipv6 = options->is_ipv6, .index = options->index};
    return 0;
}

void raw_close(struct raw *raw)
{
    if (raw->fd >= 0)
        close(raw->fd);
    raw->fd = -1;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* What comes beside the bytes. */
union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
};

/* The bytes of the next packet; 0: none, or none that is of use. */
static size_t receive(int fd, struct msghdr *message)
{
    for (;;) {
        ssize_t n = recvmsg(fd, message, 0);
        if (n >= 0)
            return (size_t)n;
        if (errno != EINTR)
            return 0;
    }
}

static bool take_beside(struct msghdr *message, struct vrrp_carrier *carrier)
{
    bool has_target = false, has_ttl = false;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(message); item; item = CMSG_NXTHDR(message, item)) {
        if (item->cmsg_level != IPPROTO_IPV6)
            continue;
        if (item->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(item), sizeof(info));
            carrier->target =
                vrrp_ip_make((const uint8_t *)&info.ipi6_addr, sizeof(info.ipi6_addr));
            has_target = true;
        } else if (item->cmsg_type == IPV6_HOPLIMIT) {
            int ttl = 0;
            memcpy(&ttl, CMSG_DATA(item), sizeof(ttl));
            carrier->ttl = (uint8_t)ttl;
            has_ttl = true;
        }
    }
    return has_target && has_ttl;
}

static enum vrrp_refusal take_ipv6(struct msghdr *message, const struct sockaddr_in6 *from,
                                   struct slice bytes, struct raw_packet *packet)
{
    packet->carrier.source =
        vrrp_ip_make((const uint8_t *)&from->sin6_addr, sizeof(from->sin6_addr));
    packet->payload = bytes;
    if (!take_beside(message, &packet->carrier) || (message->msg_flags & MSG_TRUNC))
        return VRRP_REFUSED_IP;
    return VRRP_FINE;
}

int raw_read(const struct raw *raw, uint8_t *buf, size_t cap, struct raw_packet *ret_packet)
{
    assert(cap >= RAW_READ_BYTES);
    struct sockaddr_in6 from = {.sin6_family = AF_UNSPEC};
    union control control = {.bytes = {0}};
    struct iovec part = {.iov_base = buf, .iov_len = cap};
    struct msghdr message = {
        .msg_name = &from,
        .msg_namelen = sizeof(from),
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    struct slice bytes = slice_make((const char *)buf, receive(raw->fd, &message));
    if (bytes.len == 0)
        return 0;
    struct raw_packet packet = {.refusal = VRRP_FINE};
    if (raw->is_ipv6)
        packet.refusal = take_ipv6(&message, &from, bytes, &packet);
    else
        packet.refusal = vrrp_carrier_read(bytes, &packet.carrier, &packet.payload);
    *ret_packet = packet;
    return 1;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void put_source_ipv4(struct msghdr *message, const struct vrrp_ip *source)
{
    struct in_pktinfo info = {.ipi_ifindex = 0};
    struct cmsghdr *item = CMSG_FIRSTHDR(message);
    memcpy(&info.ipi_spec_dst, source->bytes, sizeof(info.ipi_spec_dst));
    item->cmsg_level = IPPROTO_IP;
    item->cmsg_type = IP_PKTINFO;
    item->cmsg_len = CMSG_LEN(sizeof(info));
    memcpy(CMSG_DATA(item), &info, sizeof(info));
    message->msg_controllen = CMSG_SPACE(sizeof(info));
}

static void put_source_ipv6(struct msghdr *message, const struct vrrp_ip *source, uint32_t index)
{
    struct in6_pktinfo info = {.ipi6_ifindex = index};
    struct cmsghdr *item = CMSG_FIRSTHDR(message);
    memcpy(&info.ipi6_addr, source->bytes, sizeof(info.ipi6_addr));
    item->cmsg_level = IPPROTO_IPV6;
    item->cmsg_type = IPV6_PKTINFO;
    item->cmsg_len = CMSG_LEN(sizeof(info));
    memcpy(CMSG_DATA(item), &info, sizeof(info));
    message->msg_controllen = CMSG_SPACE(sizeof(info));
}

static void put_source(struct msghdr *message, const struct raw *raw, const struct vrrp_ip *source)
{
    if (!source->n_bytes)
        message->msg_controllen = 0;
    else if (raw->is_ipv6)
        put_source_ipv6(message, source, raw->index);
    else
        put_source_ipv4(message, source);
}

static int send_message(int fd, const struct msghdr *message)
{
    for (;;) {
        if (sendmsg(fd, message, 0) >= 0)
            return 0;
        if (errno != EINTR)
            return errno;
    }
}

int raw_write(const struct raw *raw, const struct vrrp_carrier *carrier, struct slice payload,
              struct err *err)
{
    char text[ADDR_TEXT_MAX];
    struct addr target = vrrp_ip_addr(&carrier->target);
    union control control = {.bytes = {0}};
    struct iovec part = {.iov_len = payload.len};
    memcpy(&part.iov_base, &payload.ptr,
           sizeof(part.iov_base)); /* sendmsg() does not write there */
    struct msghdr message = {
        .msg_name = &target.sa,
        .msg_namelen = target.len,
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    assert(carrier->target.n_bytes == (raw->is_ipv6 ? 16 : 4));
    if (raw->is_ipv6)
        target.in6.sin6_scope_id = raw->index;
    put_source(&message, raw, &carrier->source);
    int number = send_message(raw->fd, &message);
    if (number == EAGAIN || number == ENOBUFS)
        return 1;
    if (number)
        return err_set_errno(err, number, "cannot send to %s",
                             vrrp_ip_format(&carrier->target, text));
    return 0;
}
