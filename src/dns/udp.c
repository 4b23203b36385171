/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Batches of datagrams: the headers that the kernel fills and reads are set up once, and only what
 * a batch has used is put right after it.
 */

#include "dns/udp.h"

#include "base/mem.h"
#include "dns/count.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/*
 * A longer query is cut by the kernel and then malformed; 400 bytes are a long one. Neither number
 * divides a page: buffers that begin at the same place in each page share few lines of the cache.
 */
enum { IN_BYTES = 1600, OUT_BYTES = DESK_UDP_BYTES + 64, CLOSING_BATCHES = 1024 };

/* From so many queries on more have come while they were answered, as a rule; to look at once costs
 * less than to go through the loop. */
enum { BUSY_BATCH = 4 };

/*
 * While batches follow one another within RUSH_GAP_US, the next one is waited for in recvmmsg
 * itself, which saves the loop's own system call a batch, and epoll is told twice a rush only.
 * Where none comes within WAIT_MS (in practice a tick of the kernel), the loop's other work had to
 * wait that once; RUSH_TURN_US bounds it otherwise. The gap is longer than the pauses of a client
 * between its volleys: a rush that ended with each volley would pay for epoll with each, 0.3 us a
 * query with 100 of them under way.
 */
enum { RUSH_GAP_US = 1000, WAIT_MS = 1, RUSH_TURN_US = 2000, NS_PER_US = 1000 };

struct control {
    _Alignas(struct cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

struct udp_batch {
    struct mmsghdr in[UDP_BATCH], out[UDP_BATCH];
    struct iovec in_parts[UDP_BATCH], out_parts[UDP_BATCH];
    struct addr from[UDP_BATCH];
    struct control control[UDP_BATCH];
    uint8_t in_bytes[UDP_BATCH][IN_BYTES];
    uint8_t out_bytes[UDP_BATCH][OUT_BYTES];
};

enum { NAME_BYTES = sizeof(struct addr) - offsetof(struct addr, sa) };

static void batch_reset(struct udp_batch *batch, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        batch->in[i].msg_hdr.msg_namelen = NAME_BYTES;
        batch->in[i].msg_hdr.msg_controllen = sizeof(batch->control[i]);
        batch->in[i].msg_hdr.msg_flags = 0;
    }
}

struct udp_batch *udp_batch_create(void)
{
    struct udp_batch *batch = MEM_NEW(struct udp_batch);
    for (unsigned i = 0; i < UDP_BATCH; i++) {
        batch->in_parts[i] =
            (struct iovec){.iov_base = batch->in_bytes[i], .iov_len = sizeof(batch->in_bytes[i])};
        batch->in[i].msg_hdr = (struct msghdr){
            .msg_name = &batch->from[i].sa,
            .msg_iov = &batch->in_parts[i],
            .msg_iovlen = 1,
            .msg_control = batch->control[i].bytes,
        };
        batch->out[i].msg_hdr = (struct msghdr){.msg_iov = &batch->out_parts[i], .msg_iovlen = 1};
    }
    batch_reset(batch, UDP_BATCH);
    return batch;
}

/* ---- one batch ---- */

/*
 * What the kernel said of a query's way is what it is told about the response's, but for the
 * interface: a response may leave through another one, unless the address has a meaning on its link
 * alone.
 */
static void turn_round(struct cmsghdr *info)
{
    if (info->cmsg_level == IPPROTO_IP && info->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo *in4 = (struct in_pktinfo *)(void *)CMSG_DATA(info);
        in4->ipi_ifindex = 0;
    } else if (info->cmsg_level == IPPROTO_IPV6 && info->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo *in6 = (struct in6_pktinfo *)(void *)CMSG_DATA(info);
        if (!IN6_IS_ADDR_LINKLOCAL(&in6->ipi6_addr))
            in6->ipi6_ifindex = 0;
    }
}

/* The response number `place`, to query number i. */
static void put_response(struct dns_udp *udp, unsigned i, unsigned place, size_t len)
{
    struct udp_batch *batch = udp->batch;
    struct msghdr *asked = &batch->in[i].msg_hdr;
    struct msghdr *response = &batch->out[place].msg_hdr;
    batch->out_parts[place] = (struct iovec){.iov_base = batch->out_bytes[i], .iov_len = len};
    response->msg_name = asked->msg_name;
    response->msg_namelen = asked->msg_namelen;
    struct cmsghdr *info = udp->has_packet_info ? CMSG_FIRSTHDR(asked) : NULL;
    response->msg_control = info;
    response->msg_controllen = info ? asked->msg_controllen : 0;
    if (info)
        turn_round(info);
}

static unsigned answer_all(struct dns_udp *udp, unsigned n)
{
    struct udp_batch *batch = udp->batch;
    struct desk_ask ask = {
        .now_ms = loop_now_ns(udp->loop) / 1000000,
        .wall_s = (uint32_t)(loop_wall_ns(udp->loop) / 1000000000),
    };
    unsigned n_responses = 0;
    uint64_t bytes_in = 0, bytes_out = 0;
    for (unsigned i = 0; i < n; i++) {
        batch->from[i].len = batch->in[i].msg_hdr.msg_namelen;
        ask.packet = slice_make((const char *)batch->in_bytes[i], batch->in[i].msg_len);
        ask.from = &batch->from[i];
        size_t len = desk_answer(udp->desk, &ask, batch->out_bytes[i]);
        bytes_in += ask.packet.len;
        bytes_out += len;
        if (len)
            put_response(udp, i, n_responses++, len);
    }
    metric_add(udp->desk->row, DNS_WORD_UDP, n);
    metric_add(udp->desk->row, DNS_WORD_BATCHES, 1);
    metric_add(udp->desk->row, DNS_WORD_BYTES_IN, bytes_in);
    metric_add(udp->desk->row, DNS_WORD_BYTES_OUT, bytes_out);
    return n_responses;
}

static void send_all(struct dns_udp *udp, unsigned n)
{
    unsigned n_sent = 0;
    while (n_sent < n) {
        int rc = sendmmsg(udp->io.fd, udp->batch->out + n_sent, n - n_sent, MSG_DONTWAIT);
        if (rc > 0) {
            n_sent += (unsigned)rc;
        } else if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) {
            metric_add(udp->desk->row, DNS_WORD_SEND_FULL, n - n_sent);
            return;
        } else if (errno != EINTR) {
            /* This one cannot be sent, or an earlier one could not and the kernel says so now: a
             * firewall, no route back, a message too long for the link. */
            metric_add(udp->desk->row, DNS_WORD_SEND_FAILED, 1);
            n_sent++;
        }
    }
}

/* How many queries one batch had; -1: an error of one packet, told instead of the next. */
static int serve_batch(struct dns_udp *udp, int flags)
{
    struct udp_batch *batch = udp->batch;
    int n = recvmmsg(udp->io.fd, batch->in, UDP_BATCH, flags, NULL);
    if (n <= 0)
        return n < 0 && errno == EAGAIN ? 0 : n;
    unsigned n_responses = answer_all(udp, (unsigned)n);
    if (n_responses)
        send_all(udp, n_responses);
    batch_reset(batch, (unsigned)n);
    return n;
}

bool dns_udp_serve(struct dns_udp *udp, unsigned max_batches)
{
    for (unsigned i = 0; i < max_batches; i++) {
        int n = serve_batch(udp, MSG_DONTWAIT);
        if (n >= 0 && n < BUSY_BATCH)
            return false; /* the kernel has no more, and tells of what comes next */
    }
    return true;
}

/* ---- a rush ---- */

/* Answers while batches follow closely upon one another, for a turn. True: they did to its end. */
static bool serve_rush(struct dns_udp *udp)
{
    uint64_t now_ns = loop_now_ns(udp->loop);
    uint64_t end_ns = now_ns + (uint64_t)RUSH_TURN_US * NS_PER_US;
    int flags = udp->io.is_muted ? MSG_WAITFORONE : MSG_DONTWAIT;
    while (now_ns < end_ns) {
        int n = serve_batch(udp, flags);
        if (n <= 0)
            return n < 0;
        now_ns = loop_clock_ns();
        uint64_t gap_ns = now_ns - udp->served_ns;
        udp->served_ns = now_ns;
        if (gap_ns < (uint64_t)RUSH_GAP_US * NS_PER_US)
            flags = MSG_WAITFORONE;
        else if (n >= BUSY_BATCH)
            flags = MSG_DONTWAIT;
        else
            return false;
    }
    return true;
}

static void on_io(struct loop *loop, struct loop_io *io, uint32_t events)
{
    (void)events;
    struct dns_udp *udp = CONTAINER_OF(io, struct dns_udp, io);
    struct err err = ERR_NONE;
    bool is_rush = serve_rush(udp);
    if (is_rush && !io->is_muted)
        loop_io_mute(loop, io);
    /* Where the kernel cannot tell the loop any more, the loop asks. */
    if (is_rush || (io->is_muted && loop_io_unmute(loop, io, &err) < 0))
        loop_again(loop, io, LOOP_READ);
}

/* ---- opening and closing ---- */

static bool is_wildcard(const struct addr *addr)
{
    if (addr_family(addr) == AF_INET)
        return addr->in4.sin_addr.s_addr == htonl(INADDR_ANY);
    return IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr);
}

/* Calls that may wait say so (is_rush()), and for how long is the socket's. */
static int let_wait(int fd, struct err *err)
{
    struct timeval wait = {.tv_usec = WAIT_MS * 1000};
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
        fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
        return err_set_errno(err, errno, "cannot wait for datagrams");
    return 0;
}

/* What fails here leaves the socket slower or smaller, not wrong. */
static void set_sizes(int fd, const struct udp_options *options)
{
    bool is_ipv6 = addr_family(options->addr) == AF_INET6;
    int bytes = (int)options->buffer_bytes;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    /* Forged "too big" messages would have our responses fragmented: the size is ours to say. */
    int discover = is_ipv6 ? IPV6_PMTUDISC_OMIT : IP_PMTUDISC_OMIT;
    (void)setsockopt(fd, is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IP,
                     is_ipv6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, &discover, sizeof(discover));
}

static int ask_packet_info(int fd, const struct addr *addr, struct err *err)
{
    bool is_ipv6 = addr_family(addr) == AF_INET6;
    int on = 1;
    int rc = setsockopt(fd, is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IP,
                        is_ipv6 ? IPV6_RECVPKTINFO : IP_PKTINFO, &on, sizeof(on));
    return rc < 0 ? err_set_errno(err, errno, "cannot learn which address is asked") : 0;
}

int dns_udp_open(struct dns_udp *udp, const struct udp_options *options, struct err *err)
{
    *udp = (struct dns_udp){
        .loop = options->loop,
        .batch = options->batch,
        .desk = options->desk,
        .has_packet_info = is_wildcard(options->addr),
    };
    loop_io_init(&udp->io);
    set_sizes(options->fd, options);
    if (udp->has_packet_info && ask_packet_info(options->fd, options->addr, err) < 0)
        return -1;
    if (let_wait(options->fd, err) < 0)
        return -1;
    return loop_io_add_read(options->loop, &udp->io, options->fd, on_io, err);
}

void dns_udp_close(struct dns_udp *udp)
{
    if (!loop_io_is_armed(&udp->io))
        return;
    dns_udp_serve(udp, CLOSING_BATCHES);
    loop_io_remove(udp->loop, &udp->io, false);
}
