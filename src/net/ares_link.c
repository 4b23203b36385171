/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The sockets and the timer of c-ares.
 */

#include "net/ares_link.h"

#include "base/mem.h"
#include "net/hosts.h"
#include "net/resolver.h"
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct ares_socket {
    struct loop_io io;
    struct ares_link *ares;
    struct list link;
};

void ares_link_rearm(struct ares_link *ares)
{
    struct timeval left;
    if (!ares_timeout(ares->channel, NULL, &left)) {
        loop_timer_clear(ares->loop, &ares->timer);
        return;
    }
    uint64_t wait_ns = (uint64_t)left.tv_sec * 1000000000u + (uint64_t)left.tv_usec * 1000u;
    loop_timer_set(ares->loop, &ares->timer, loop_clock_ns() + wait_ns);
}

static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    struct ares_link *ares = CONTAINER_OF(timer, struct ares_link, timer);
    ares_process_fd(ares->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    ares_link_rearm(ares);
}

static void socket_on_io(struct loop *loop, struct loop_io *io, uint32_t events)
{
    (void)loop;
    struct ares_socket *socket = CONTAINER_OF(io, struct ares_socket, io);
    struct ares_link *ares = socket->ares;
    int fd = io->fd;
    bool can_read = events & (LOOP_READ | LOOP_HANGUP | LOOP_ERROR);
    bool can_write = events & (LOOP_WRITE | LOOP_ERROR);
    /* c-ares may close the socket in there. */
    ares_process_fd(ares->channel, can_read ? fd : ARES_SOCKET_BAD,
                    can_write ? fd : ARES_SOCKET_BAD);
    ares_link_rearm(ares);
}

static struct ares_socket *socket_find(struct ares_link *ares, int fd)
{
    LIST_EACH (node, &ares->sockets) {
        struct ares_socket *socket = LIST_ENTRY(node, struct ares_socket, link);
        if (socket->io.fd == fd)
            return socket;
    }
    return NULL;
}

static ares_socket_t on_socket(int family, int type, int protocol, void *user)
{
    struct ares_link *ares = user;
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (fd < 0)
        return ARES_SOCKET_BAD;
    struct ares_socket *socket = MEM_NEW(struct ares_socket);
    loop_io_init(&socket->io);
    if (loop_io_add(ares->loop, &socket->io, fd, socket_on_io, NULL) < 0) {
        mem_free(socket);
        close(fd);
        errno = ENOMEM;
        return ARES_SOCKET_BAD;
    }
    socket->ares = ares;
    list_init(&socket->link);
    list_add_back(&ares->sockets, &socket->link);
    return fd;
}

static int on_close(ares_socket_t fd, void *user)
{
    struct ares_link *ares = user;
    struct ares_socket *socket = socket_find(ares, fd);
    assert(socket);
    loop_io_remove(ares->loop, &socket->io, true);
    list_remove(&socket->link);
    mem_free(socket);
    return close(fd);
}

static int on_connect(ares_socket_t fd, const struct sockaddr *addr, ares_socklen_t len, void *user)
{
    (void)user;
    return connect(fd, addr, len);
}

static ares_ssize_t on_recvfrom(ares_socket_t fd, void *buf, size_t len, int flags,
                                struct sockaddr *from, ares_socklen_t *from_len, void *user)
{
    struct ares_link *ares = user;
    ssize_t n = recvfrom(fd, buf, len, flags, from, from_len);
    /* c-ares reads a stream once for each event, and the edge comes only once. */
    if (n > 0)
        loop_again(ares->loop, &socket_find(ares, fd)->io, LOOP_READ);
    return n;
}

static ares_ssize_t on_sendv(ares_socket_t fd, const struct iovec *parts, int n_parts, void *user)
{
    (void)user;
    struct msghdr message = {.msg_iovlen = (size_t)n_parts};
    memcpy(&message.msg_iov, &parts, sizeof(parts)); /* never written to */
    ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
    if (n < 0 && errno == ENOTCONN)
        errno = EAGAIN; /* still connecting: the loop will say */
    return n;
}

/* c-ares keeps a pointer to it. */
static const struct ares_socket_functions socket_functions = {
    .asocket = on_socket,
    .aclose = on_close,
    .aconnect = on_connect,
    .arecvfrom = on_recvfrom,
    .asendv = on_sendv,
};

/* c-ares has queued bytes for a stream and waits for "writable", whose edge may be long past. */
static void on_socket_state(void *user, ares_socket_t fd, int is_readable, int is_writable)
{
    (void)is_readable;
    struct ares_link *ares = user;
    struct ares_socket *socket = is_writable ? socket_find(ares, fd) : NULL;
    if (socket)
        loop_again(ares->loop, &socket->io, LOOP_WRITE);
}

void ares_link_set_servers(struct ares_link *ares, const struct addr *servers, size_t n_servers)
{
    assert(n_servers <= HOSTS_SERVERS_MAX);
    struct ares_addr_port_node nodes[HOSTS_SERVERS_MAX] = {0};
    for (size_t i = 0; i < n_servers; i++) {
        const struct addr *addr = &servers[i];
        nodes[i].next = i + 1 < n_servers ? &nodes[i + 1] : NULL;
        nodes[i].family = addr_family(addr);
        nodes[i].udp_port = nodes[i].tcp_port = addr_port(addr);
        if (nodes[i].family == AF_INET)
            nodes[i].addr.addr4 = addr->in4.sin_addr;
        else
            memcpy(&nodes[i].addr.addr6, &addr->in6.sin6_addr, sizeof(addr->in6.sin6_addr));
    }
    /* It takes them only while nothing is asked, and the memory is there. */
    int code = ares_set_servers_ports(ares->channel, nodes);
    assert(code == ARES_SUCCESS);
}

/* Everything is said in options, so that c-ares has no file to read. */
int ares_link_open(struct ares_link *ret_ares, struct loop *loop, struct err *err)
{
    struct in_addr nobody = {.s_addr = htonl(INADDR_LOOPBACK)}; /* until configured */
    char lookups[] = "b";
    struct ares_options options = {
        .timeout = RESOLVER_TRY_MS,
        .tries = RESOLVER_TRIES,
        .ndots = 0,
        .servers = &nobody,
        .nservers = 1,
        .lookups = lookups,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = ret_ares,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
               ARES_OPT_SERVERS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SORTLIST |
               ARES_OPT_NOROTATE | ARES_OPT_SOCK_STATE_CB;
    *ret_ares = (struct ares_link){.loop = loop};
    list_init(&ret_ares->sockets);
    loop_timer_init(&ret_ares->timer, on_timer);
    int code = ares_library_init(ARES_LIB_INIT_ALL);
    if (code == ARES_SUCCESS) {
        code = ares_init_options(&ret_ares->channel, &options, mask);
        if (code != ARES_SUCCESS)
            ares_library_cleanup();
    }
    if (code != ARES_SUCCESS)
        return err_set(err, "cannot start the resolver: %s", ares_strerror(code));
    ares_set_socket_functions(ret_ares->channel, &socket_functions, ret_ares);
    return 0;
}

void ares_link_close(struct ares_link *ares)
{
    ares_destroy(ares->channel); /* closes the sockets */
    ares_library_cleanup();
    assert(list_is_empty(&ares->sockets));
    loop_timer_clear(ares->loop, &ares->timer);
}
