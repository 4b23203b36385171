/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stream connections over plain sockets: try the system call first, keep a copy of what the kernel
 * did not take, flush it when the loop says that there is room.
 */

#include "net/conn.h"

#include "base/mem.h"
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct conn_pending {
    size_t off; /* of the first byte that waits */
    size_t end; /* behind the last */
    size_t cap;
    char bytes[];
};

enum { PENDING_FIRST = 4096 };

static void conn_on_io(struct loop *loop, struct loop_io *io, uint32_t events);

/* ---- the plain transport ---- */

static ssize_t plain_recv(struct conn *conn, void *buf, size_t len)
{
    ssize_t n;
    do
        n = recv(conn->fd, buf, len, 0);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static ssize_t plain_send(struct conn *conn, const struct iovec *parts, int n_parts, bool has_more)
{
    int flags = MSG_NOSIGNAL | (has_more ? MSG_MORE : 0);
    ssize_t n;
    do {
        if (n_parts == 1) {
            n = send(conn->fd, parts->iov_base, parts->iov_len, flags);
        } else {
            /* sendmsg() does not write to the parts; its type only predates const. */
            struct msghdr message = {.msg_iovlen = (size_t)n_parts};
            memcpy(&message.msg_iov, &parts, sizeof(parts));
            n = sendmsg(conn->fd, &message, flags);
        }
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static int plain_shutdown(struct conn *conn)
{
    return shutdown(conn->fd, SHUT_WR) < 0 ? -errno : 0;
}

static void plain_deinit(struct conn *conn)
{
    conn->transport_state = NULL;
}

static int plain_is_stale(struct conn *conn)
{
    char byte;
    ssize_t n = recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 && errno == EAGAIN ? 0 : 1;
}

const struct transport transport_plain = {
    .name = "plain",
    .recv = plain_recv,
    .send = plain_send,
    .shutdown = plain_shutdown,
    .deinit = plain_deinit,
    .is_stale = plain_is_stale,
};

/* ---- opening and closing ---- */

void conn_init(struct conn *conn)
{
    *conn = (struct conn){.fd = -1, .transport = &transport_plain};
    loop_io_init(&conn->io);
}

static int conn_arm(struct conn *conn, struct loop *loop, int fd,
                    void (*on_event)(struct conn *conn, uint32_t events), struct err *err)
{
    conn->loop = loop;
    conn->on_event = on_event;
    if (loop_io_add(loop, &conn->io, fd, conn_on_io, err) < 0)
        return -1;
    conn->fd = fd;
    return 0;
}

int conn_open(struct conn *conn, struct loop *loop, int fd,
              void (*on_event)(struct conn *conn, uint32_t events), struct err *err)
{
    conn_init(conn);
    return conn_arm(conn, loop, fd, on_event, err);
}

void conn_open_lazily(struct conn *conn, struct loop *loop, int fd,
                      void (*on_event)(struct conn *conn, uint32_t events))
{
    conn_init(conn);
    conn->loop = loop;
    conn->on_event = on_event;
    conn->fd = fd;
}

int conn_wait(struct conn *conn)
{
    if (loop_io_is_armed(&conn->io))
        return 0;
    struct err err = ERR_NONE;
    return loop_io_add(conn->loop, &conn->io, conn->fd, conn_on_io, &err) < 0 ? -err.number : 0;
}

void conn_again(struct conn *conn, uint32_t events)
{
    if (conn_wait(conn) == 0)
        loop_again(conn->loop, &conn->io, events);
}

int conn_connect(struct conn *conn, struct loop *loop, const struct addr *addr,
                 void (*on_event)(struct conn *conn, uint32_t events), struct err *err)
{
    conn_init(conn);
    int fd = socket(addr_family(addr), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set_errno(err, errno, "cannot make a socket");
    int one = 1;
    if (addr_family(addr) != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, &addr->sa, addr->len) < 0) {
        if (errno != EINPROGRESS) {
            char text[ADDR_TEXT_MAX];
            err_set_errno(err, errno, "cannot connect to %s", addr_format(addr, text));
            close(fd);
            return -1;
        }
        conn->is_connecting = true;
    }
    if (conn_arm(conn, loop, fd, on_event, err) < 0) {
        close(fd);
        return -1;
    }
    return 0;
}

int conn_move(struct conn *from, struct conn *to,
              void (*on_event)(struct conn *conn, uint32_t events), struct err *err)
{
    conn_leave(from);
    *to = *from;
    loop_io_init(&to->io);
    conn_init(from);
    if (to->transport->moved)
        to->transport->moved(to);
    return conn_join(to, to->loop, on_event, err);
}

static void conn_free(struct conn *conn)
{
    conn->transport->deinit(conn);
    mem_free(conn->pending);
    conn->pending = NULL;
    conn->n_held = 0;
}

int conn_local(const struct conn *conn, struct addr *ret_addr)
{
    struct addr addr = {.len = sizeof(addr.un)};
    if (conn->fd < 0 || getsockname(conn->fd, &addr.sa, &addr.len) < 0)
        return -1;
    *ret_addr = addr;
    return 0;
}

void conn_leave(struct conn *conn)
{
    assert(!conn->is_connecting && conn_pending(conn) == 0);
    loop_io_remove(conn->loop, &conn->io, false);
    conn->on_event = NULL;
}

int conn_join(struct conn *conn, struct loop *loop,
              void (*on_event)(struct conn *conn, uint32_t events), struct err *err)
{
    return conn_arm(conn, loop, conn->fd, on_event, err);
}

void conn_close(struct conn *conn)
{
    if (!conn_is_open(conn))
        return;
    loop_io_remove(conn->loop, &conn->io, true);
    conn_free(conn);
    close(conn->fd);
    conn->fd = -1;
}

void conn_abort(struct conn *conn)
{
    if (!conn_is_open(conn))
        return;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    conn->is_aborted = true;
    conn_close(conn);
}

int conn_error(struct conn *conn)
{
    int error = conn->error;
    socklen_t len = sizeof(error);
    if (error)
        return error;
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return errno;
    conn->error = error; /* the kernel tells it once */
    return error;
}

const char *conn_reason(struct conn *conn)
{
    const char *reason = conn->transport->reason ? conn->transport->reason(conn) : NULL;
    return reason ? reason : strerrordesc_np(conn_error(conn));
}

int conn_shutdown(struct conn *conn)
{
    return conn->transport->shutdown(conn);
}

int conn_is_stale(struct conn *conn)
{
    return conn->transport->is_stale(conn);
}

/* ---- sending ---- */

size_t conn_pending(const struct conn *conn)
{
    return conn->n_held + (conn->pending ? conn->pending->end - conn->pending->off : 0);
}

/* Room for n more bytes behind what waits. */
static struct conn_pending *pending_reserve(struct conn_pending *pending, size_t n)
{
    if (pending && pending->cap - pending->end >= n)
        return pending;
    size_t off = pending ? pending->off : 0;
    size_t len = pending ? pending->end - off : 0;
    size_t cap = PENDING_FIRST;
    while (cap < len + n)
        cap *= 2;
    struct conn_pending *grown = mem_alloc(sizeof(*grown) + cap);
    grown->off = 0;
    grown->end = len;
    grown->cap = cap;
    if (pending && len)
        memcpy(grown->bytes, pending->bytes + off, len);
    mem_free(pending);
    return grown;
}

/* Keeps what is behind the first `skip` bytes of the parts. */
static void pending_keep(struct conn *conn, const struct iovec *parts, int n_parts, size_t skip)
{
    size_t total = 0;
    for (int i = 0; i < n_parts; i++)
        total += parts[i].iov_len;
    struct conn_pending *pending = pending_reserve(conn->pending, total - skip);
    for (int i = 0; i < n_parts; i++) {
        size_t len = parts[i].iov_len;
        size_t cut = skip < len ? skip : len;
        skip -= cut;
        if (len > cut) {
            memcpy(pending->bytes + pending->end, (const char *)parts[i].iov_base + cut, len - cut);
            pending->end += len - cut;
        }
    }
    conn->pending = pending;
}

/* A nonblocking socket that still connects refuses bytes in one of these ways. */
static bool is_later(ssize_t error)
{
    return error == -EAGAIN || error == -ENOTCONN;
}

int conn_sendv(struct conn *conn, const struct iovec *parts, int n_parts, bool has_more)
{
    size_t total = 0;
    for (int i = 0; i < n_parts; i++)
        total += parts[i].iov_len;
    size_t sent = 0;
    if (!conn->pending && total) {
        ssize_t n = conn->transport->send(conn, parts, n_parts, has_more);
        if (n < 0 && !is_later(n))
            return (int)n;
        if (n >= 0) {
            conn->is_connecting = false;
            sent = (size_t)n;
        }
    }
    if (sent < total)
        pending_keep(conn, parts, n_parts, sent);
    return conn_pending(conn) ? conn_wait(conn) : 0;
}

int conn_send(struct conn *conn, const void *bytes, size_t len, bool has_more)
{
    struct iovec part = {.iov_len = len};
    memcpy(&part.iov_base, &bytes, sizeof(bytes)); /* never written to */
    return conn_sendv(conn, &part, 1, has_more);
}

/* Sends what waits. 0: all gone or the kernel is full again; -errno: broken. */
static int conn_flush(struct conn *conn)
{
    struct conn_pending *pending = conn->pending;
    if (conn->n_held) {
        int rc = conn->transport->flush(conn);
        if (rc < 0)
            return is_later(rc) ? 0 : rc;
    }
    while (pending && pending->off < pending->end) {
        struct iovec part = {.iov_base = pending->bytes + pending->off,
                             .iov_len = pending->end - pending->off};
        ssize_t n = conn->transport->send(conn, &part, 1, false);
        if (n < 0)
            return is_later(n) ? 0 : (int)n;
        conn->is_connecting = false;
        pending->off += (size_t)n;
    }
    mem_free(pending);
    conn->pending = NULL;
    return 0;
}

/* What the owner is to hear of a handshake that goes on: nothing (0), its failure, or that it is
 * done, and then also that there may be bytes, as the transport may have read some. */
static uint32_t conn_handshake(struct conn *conn, uint32_t events)
{
    if (events & LOOP_ERROR)
        return events;
    int rc = conn->transport->handshake(conn);
    if (is_later(rc))
        return 0;
    conn->error = -rc;
    if (rc < 0)
        return events | LOOP_ERROR;
    conn->is_connecting = false;
    return events | LOOP_READ | LOOP_WRITE | (conn->has_hangup ? LOOP_HANGUP : 0);
}

static void conn_on_io(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct conn *conn = CONTAINER_OF(io, struct conn, io);
    assert(conn->loop == loop);
    if (events & (LOOP_READ | LOOP_HANGUP))
        conn->is_drained = false;
    conn->has_hangup |= (events & LOOP_HANGUP) != 0;
    if (conn->is_connecting && conn->transport->handshake) {
        events = conn_handshake(conn, events);
        if (!events)
            return;
    }
    if (!(events & LOOP_ERROR) && (events & LOOP_WRITE)) {
        if (!conn_pending(conn))
            conn->is_connecting = false;
        else if ((conn->error = -conn_flush(conn)) != 0)
            events |= LOOP_ERROR;
    }
    conn->on_event(conn, events);
}
