/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_ARES_LINK_H
#define NET_ARES_LINK_H

/*
 * c-ares driven by a loop, for resolver.c alone. c-ares gets its sockets from here, so that they
 * are nonblocking and armed as every other, and its time-outs from one timer. It reads no file:
 * what it has to know is said.
 *
 *     resolver.c --ares_query()--> c-ares --sockets, time-outs--> ares_link.c --> loop
 *                <---callbacks----        <-------events---------             <--
 *
 * It is on its owner's memory, which must not move; the calls of c-ares that take a channel take
 * `channel`, and whoever called one that may have changed when c-ares wants to be called (a
 * question, a cancellation) rearms.
 */

#include "base/addr.h"
#include "base/err.h"
#include "base/list.h"
#include "core/loop.h"
#include <ares.h>

struct ares_link {
    struct loop *loop;
    ares_channel channel;
    struct list sockets;     /* of struct ares_socket */
    struct loop_timer timer; /* c-ares wants to be called */
};

/* It asks nobody until it has servers. 0, or -1 with err and nothing to close. */
int ares_link_open(struct ares_link *ret_ares, struct loop *loop, struct err *err);
/* Ends every question, by its callback, and closes the sockets. */
void ares_link_close(struct ares_link *ares);
/* At most HOSTS_SERVERS_MAX; while nothing is asked. */
void ares_link_set_servers(struct ares_link *ares, const struct addr *servers, size_t n_servers);
/* Sets the timer to when c-ares wants to be called. */
void ares_link_rearm(struct ares_link *ares);

#endif
