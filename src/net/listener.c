/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Accepting in batches, and pausing where the process has run out of descriptors.
 */

#include "net/listener.h"

#include "base/mem.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static void listener_on_io(struct loop *loop, struct loop_io *io, uint32_t events);

static void listener_on_pause(struct loop *loop, struct loop_timer *timer)
{
    struct listener *listener = CONTAINER_OF(timer, struct listener, pause);
    listener_on_io(loop, &listener->io, LOOP_READ);
}

void listener_init(struct listener *listener)
{
    *listener = (struct listener){.n_batch = LISTENER_BATCH};
    loop_io_init(&listener->io);
    loop_timer_init(&listener->pause, listener_on_pause);
}

int listener_start(struct listener *listener, struct loop *loop, int fd, struct err *err)
{
    /* Linux hands this down to the sockets that are accepted, which saves a call for each. It fails
     * on unix sockets, which have no such delay. */
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return loop_io_add_read(loop, &listener->io, fd, listener_on_io, err);
}

void listener_stop(struct listener *listener, struct loop *loop)
{
    if (!loop_io_is_armed(&listener->io))
        return;
    loop_timer_clear(loop, &listener->pause);
    loop_io_remove(loop, &listener->io, false);
}

static bool is_exhausted(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* Accepts one and hands it over. 0: go on; 1: there is no more, or not now. */
static int listener_accept(struct listener *listener, struct loop *loop)
{
    struct addr peer = {.len = sizeof(peer) - offsetof(struct addr, sa)};
    int fd = accept4(listener->io.fd, &peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        listener->on_accept(listener, loop, fd, &peer);
        return loop_io_is_armed(&listener->io) ? 0 : 1; /* the owner may have stopped listening */
    }
    if (errno == EAGAIN)
        return 1;
    if (is_exhausted(errno)) {
        if (listener->on_exhausted)
            listener->on_exhausted(listener, loop, errno);
        uint64_t wait_ns = (uint64_t)LISTENER_PAUSE_MS * 1000000;
        loop_timer_set(loop, &listener->pause, loop_now_ns(loop) + wait_ns);
        return 1;
    }
    return 0; /* ECONNABORTED, a network error of the new connection: they concern one peer */
}

static void listener_on_io(struct loop *loop, struct loop_io *io, uint32_t events)
{
    (void)events;
    struct listener *listener = CONTAINER_OF(io, struct listener, io);
    for (uint32_t i = 0; i < listener->n_batch; i++)
        if (listener_accept(listener, loop) > 0)
            return;
    loop_again(loop, io, LOOP_READ);
}

void listener_sweep(struct listener *listener, struct loop *loop)
{
    for (int i = 0; i < LISTENER_SWEEP && loop_io_is_armed(&listener->io); i++)
        if (listener_accept(listener, loop) > 0)
            return;
}
