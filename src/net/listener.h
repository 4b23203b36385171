/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

/*
 * Accepting. A listener arms a listening socket, which the supervisor opened and keeps, with one
 * loop, and hands each accepted descriptor (nonblocking, close-on-exec, TCP_NODELAY set) to its
 * owner. It takes at most LISTENER_BATCH a turn, so that a flood of new connections does not starve
 * the ones that are there, and pauses for a moment when the process has no descriptors left,
 * because the kernel would say "readable" for ever.
 */

#include "base/addr.h"
#include "base/err.h"
#include "core/loop.h"
#include <stdbool.h>
#include <stdint.h>

enum { LISTENER_BATCH = 64, LISTENER_PAUSE_MS = 20, LISTENER_SWEEP = 8192 };

struct listener {
    struct loop_io io;
    struct loop_timer pause;
    uint32_t n_batch; /* accepted at once, at most */
    /* The descriptor is the owner's from here on. peer lives during the call. */
    void (*on_accept)(struct listener *listener, struct loop *loop, int fd,
                      const struct addr *peer);
    /* accept(2) failed with EMFILE, ENFILE, ENOBUFS or ENOMEM; for counters. May be NULL. */
    void (*on_exhausted)(struct listener *listener, struct loop *loop, int error);
};

void listener_init(struct listener *listener);
/* `fd` stays the caller's. 0 or -1. */
int listener_start(struct listener *listener, struct loop *loop, int fd, struct err *err);
/* Takes all that the kernel has queued by now, at most LISTENER_SWEEP: for those who close the
 * socket for good, which would reset it. */
void listener_sweep(struct listener *listener, struct loop *loop);
/* Stops accepting; what the kernel has queued waits for the next who listens. */
void listener_stop(struct listener *listener, struct loop *loop);

#endif
