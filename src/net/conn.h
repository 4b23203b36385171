/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_CONN_H
#define NET_CONN_H

/*
 * A stream connection: a descriptor armed with a loop, and what could not be sent yet. It knows
 * neither clients nor members nor protocols; http, stream, upstream and web embed one.
 *
 * Reading goes into the loop's shared buffer (loop_buf), or into a place that the caller names;
 * nothing is kept here between reads. Writing tries the socket first; only what the kernel does not
 * take is copied, and memory is held only while the peer blocks:
 *
 *     conn_send(bytes) -> send(2) --all--> done, no memory
 *                            \---part--> pending: [rest copied] -> flushed at the next LOOP_WRITE
 *
 * conn_pending() says how much waits; whoever feeds a connection stops reading its source when the
 * answer is not zero and goes on when on_drained comes: that is the back-pressure.
 *
 * Transport. What actually moves bytes is a struct transport: plain sockets here, TLS in tls/. They
 * return bytes moved, 0 at the end of the stream, or a negative errno; -EAGAIN means "the loop will
 * say when". One that has to agree with the peer before bytes can pass (a handshake) does so while
 * the connection is_connecting; its owner hears nothing until that is over, one way or the other.
 * What it has taken and the kernel has not, it keeps and counts in n_held, and takes no more until
 * that is gone; so it never has to write in order to read. A recv that fills less than it was given
 * has emptied the kernel and the transport; what it knows beyond that (an end behind the bytes) it
 * tells by a further event.
 *
 * A connection's owner gets on_event with LOOP_* bits. Pending bytes have been flushed before.
 */

#include "base/addr.h"
#include "base/err.h"
#include "core/loop.h"
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct conn;

struct transport {
    const char *name; /* "plain", "tls" */
    /* Bytes read (> 0), 0 end of stream, -errno. */
    ssize_t (*recv)(struct conn *conn, void *buf, size_t len);
    /* Bytes taken, possibly fewer than given; -errno. has_more: further bytes follow at once. */
    ssize_t (*send)(struct conn *conn, const struct iovec *parts, int n_parts, bool has_more);
    /* Says to the peer that nothing more comes. 0 or -errno. */
    int (*shutdown)(struct conn *conn);
    /* Frees what the transport keeps in conn->transport_state. The descriptor is still open, and a
     * last word may be said, unless the connection is_aborted or bytes wait. */
    void (*deinit)(struct conn *conn);
    /* For a connection that is idle: 0 nothing but the transport's own talk has come, 1 the end or
     * bytes. */
    int (*is_stale)(struct conn *conn);
    /* The next step until bytes may pass: 0 done, -EAGAIN, -errno. NULL: none is needed. */
    int (*handshake)(struct conn *conn);
    /* Gives n_held bytes to the kernel: 0 all gone, -EAGAIN, -errno. NULL: it holds none. */
    int (*flush)(struct conn *conn);
    /* The connection lies at another place in memory now. NULL: nothing points to it. */
    void (*moved)(struct conn *conn);
    /* What broke the connection, where that is more than an errno; else NULL. Lives as long as the
     * program. */
    const char *(*reason)(const struct conn *conn);
};

extern const struct transport transport_plain;

struct conn_pending; /* bytes that wait for the peer */

struct conn {
    struct loop_io io; /* armed, or not yet: see conn_open_lazily() */
    int fd;            /* -1: closed */
    struct loop *loop;
    const struct transport *transport;
    void *transport_state;
    void (*on_event)(struct conn *conn, uint32_t events);
    struct conn_pending *pending; /* NULL: nothing waits */
    size_t n_held;                /* bytes that the transport has taken, and the kernel not */
    int error;                    /* errno of what failed, as far as it is known: conn_error() */
    bool is_connecting;           /* connect(2) or the handshake is under way */
    bool is_drained; /* a transport's: the kernel had no more, and no event has come since */
    bool has_hangup; /* the peer has closed its sending side: no event tells of the end again */
    bool is_aborted; /* conn_abort(): the peer must not take what it has for the whole */
};

/* Takes a nonblocking, connected descriptor over and arms it; closed by conn_close(). 0 or -1. */
int conn_open(struct conn *conn, struct loop *loop, int fd,
              void (*on_event)(struct conn *conn, uint32_t events), struct err *err);
/*
 * The same, but the loop is told of the descriptor only when there is something to wait for: a read
 * that found nothing, a write that did not fit, conn_wait() or conn_again(). One that is read,
 * answered and closed without ever waiting costs no epoll_ctl and no event. Until then a hang-up
 * goes unnoticed.
 */
void conn_open_lazily(struct conn *conn, struct loop *loop, int fd,
                      void (*on_event)(struct conn *conn, uint32_t events));
/* Makes sure that events come. 0, or -errno when the kernel refuses. */
int conn_wait(struct conn *conn);
/*
 * loop_again() for this connection. Where the kernel refuses to watch it, its owner's deadline ends
 * it.
 */
void conn_again(struct conn *conn, uint32_t events);
/*
 * Starts connecting to addr. 0: started, or even done; bytes may be given to conn_send() at once
 * and wait until the connection stands. The owner's first event with LOOP_WRITE says that it
 * stands, with LOOP_ERROR that it failed: conn_error() then has the errno. -1: refused at once, err
 * says why.
 */
int conn_connect(struct conn *conn, struct loop *loop, const struct addr *addr,
                 void (*on_event)(struct conn *conn, uint32_t events), struct err *err);
/*
 * From one loop to another: leaves its own, with whatever its transport keeps, and belongs to no
 * loop until it joins one, in that one's thread. Between messages only: nothing waits, and it does
 * not connect. Joining arms it; 0, or -1, and then only conn_close() is left.
 */
void conn_leave(struct conn *conn);
int conn_join(struct conn *conn, struct loop *loop,
              void (*on_event)(struct conn *conn, uint32_t events), struct err *err);
/* The address that the peer has connected to, or that is spoken from. 0 or -1. */
int conn_local(const struct conn *conn, struct addr *ret_addr);
/*
 * From one owner to another in the same loop, with whatever its transport keeps: `from` is closed
 * without a word, `to` is armed. Nothing waits, and it does not connect; what was read is the
 * caller's to hand on, and further bytes may lie in the transport already. 0, or -1, and then only
 * conn_close(to) is left.
 */
int conn_move(struct conn *from, struct conn *to,
              void (*on_event)(struct conn *conn, uint32_t events), struct err *err);
/* Disarms, closes, frees what waits. No callback comes after it. May be called twice. */
void conn_close(struct conn *conn);
static inline bool conn_is_open(const struct conn *conn)
{
    return conn->fd >= 0;
}
void conn_init(struct conn *conn);

/* One recv. >0 bytes, 0 end of stream, -errno (-EAGAIN: the loop will say). */
static inline ssize_t conn_recv(struct conn *conn, void *buf, size_t len)
{
    ssize_t n = conn->transport->recv(conn, buf, len);
    if (n == -EAGAIN && !loop_io_is_armed(&conn->io)) {
        int rc = conn_wait(conn);
        return rc < 0 ? rc : n;
    }
    return n;
}

/*
 * Sends all, or sends a part and keeps a copy of the rest. Returns 0, or -errno when the connection
 * is broken (the owner closes it). has_more as in MSG_MORE.
 */
int conn_send(struct conn *conn, const void *bytes, size_t len, bool has_more);
int conn_sendv(struct conn *conn, const struct iovec *parts, int n_parts, bool has_more);
/* Bytes that wait, 0: none; those that the transport holds, as many as it makes of them. */
size_t conn_pending(const struct conn *conn);
/* The errno that broke the connection: that of a failed flush, else SO_ERROR; 0: none did. */
int conn_error(struct conn *conn);
/* The same as a sentence, of the transport where it knows more: for logs and for health. */
const char *conn_reason(struct conn *conn);
int conn_shutdown(struct conn *conn);
/* Closes with a reset, so that the peer cannot take what it has for the whole. */
void conn_abort(struct conn *conn);
/* Has the peer already closed or sent something? For an idle connection that is to be used again:
 * 0 still quiet, 1 closed or unexpected bytes. One recv. */
int conn_is_stale(struct conn *conn);

#endif
