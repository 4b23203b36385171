/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_RTNL_H
#define NET_RTNL_H

/*
 * The kernel's interfaces and addresses, over netlink: asked for, changed, and watched.
 *
 *     request socket    send, and the kernel's answer is there when send returns: every call below
 *                       is done, or refused with the kernel's own reason, when it returns
 *     notice socket     in the loop: what anybody changed, also we, in the order of the changes
 *
 * Two sockets, so that a notice never stands between a request and its answer. Both are opened by
 * rtnl_open(), before the sandbox closes; changes need CAP_NET_ADMIN. A request waits for nothing
 * but the kernel's own lock over its network tables.
 *
 * The owner embeds struct rtnl; one belongs to one thread. Functions that take an `err` write what
 * was to be done, on which interface, and why not; err->number has the kernel's errno value.
 */

#include "base/err.h"
#include "core/loop.h"
#include "net/rtnl_message.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    RTNL_BUF_BYTES = 32 * 1024,            /* the most that the kernel puts into a datagram */
    RTNL_NOTICE_QUEUE_BYTES = 1024 * 1024, /* what may wait before it is an overrun */
    RTNL_LIST_MAX = 65536,                 /* interfaces or addresses of a host */
    RTNL_LIST_TRIES = 4,                   /* of reading a list that changes meanwhile */
};

/*
 * RTNL_LINK, RTNL_LINK_GONE, RTNL_ADDRESS, RTNL_ADDRESS_GONE or RTNL_OVERRUN, no other. It lives
 * during the call. The callee may make requests, but not close.
 */
typedef void rtnl_notice_fn(void *ctx, const struct rtnl_notice *notice);
typedef void rtnl_link_fn(void *ctx, const struct rtnl_link *link);
typedef void rtnl_address_fn(void *ctx, const struct rtnl_address *address);

struct rtnl {
    int fd;
    uint32_t sequence;
    uint8_t *buf; /* RTNL_BUF_BYTES for answers, as much again for notices */
    struct loop *loop;
    struct loop_io notices;
    rtnl_notice_fn *fn;
    void *ctx;
};

/*
 * Without a loop (NULL) there are no notices, and fn is not looked at. Notices begin with what
 * changes from now on: look at all once, afterwards. 0, or -1 with err.
 */
int rtnl_open(struct loop *loop, struct rtnl *rtnl, rtnl_notice_fn *fn, void *ctx, struct err *err);
/* After a failed rtnl_open() too. */
void rtnl_close(struct rtnl *rtnl);

/* 0: *ret_link; 1: there is no such interface; -1. */
int rtnl_link_by_name(struct rtnl *rtnl, const char *name, struct rtnl_link *ret_link,
                      struct err *err);
int rtnl_link_by_index(struct rtnl *rtnl, uint32_t index, struct rtnl_link *ret_link,
                       struct err *err);

/* Tells every interface, or every address of one interface (0: of all). The list is complete
 * before the first is told, so that fn may change what it sees. 0; 1: that one interface is not
 * there; -1. */
int rtnl_link_each(struct rtnl *rtnl, rtnl_link_fn *fn, void *ctx, struct err *err);
int rtnl_addr_each(struct rtnl *rtnl, uint32_t index, rtnl_address_fn *fn, void *ctx,
                   struct err *err);

/*
 * Puts the address on its interface, or renews the life of the one that is there. address: index,
 * ip, n_bits. 0; 1: the interface is gone; -1.
 *
 * IPv4 takes (ip, n_bits) together: the same ip with another prefix is a second address. IPv6 knows
 * one of each ip on an interface, and keeps the prefix that it has.
 */
int rtnl_addr_put(struct rtnl *rtnl, const struct rtnl_address *address,
                  const struct rtnl_life *life, struct err *err);
/* 0; 1: it is not there, or the interface is not; -1. */
int rtnl_addr_remove(struct rtnl *rtnl, const struct rtnl_address *address, struct err *err);
/*
 * Likewise, and leaves those that are behind it: with the first IPv4 address of a net the kernel
 * takes away the others (is_secondary), unless the interface has promote_secondaries, which it is
 * lent meanwhile. address: is_secondary as well.
 */
int rtnl_addr_remove_alone(struct rtnl *rtnl, const struct rtnl_address *address, struct err *err);

/*
 * An interface with a MAC of its own above `parent`, by its name; switched off. It is in mode
 * vepa: neither the parent's own traffic nor its siblings' comes out of it, only what the link
 * brings. (In mode private the parent would not hear of another host that sends with the same
 * MAC, as both nodes of a virtual MAC do.) 0: *ret_index; 1: the name is taken; -1.
 */
int rtnl_macvlan_add(struct rtnl *rtnl, uint32_t parent, const char *name,
                     const uint8_t mac[VRRP_MAC_BYTES], uint32_t *ret_index, struct err *err);
/* 0; 1: it is not there; -1. */
int rtnl_link_remove(struct rtnl *rtnl, uint32_t index, struct err *err);
/* Switches it on or off. 0; 1: it is not there; -1. */
int rtnl_link_enable(struct rtnl *rtnl, uint32_t index, bool is_enabled, struct err *err);
/* Gives it these words, which live as long as it does. 0; 1: it is not there; -1. */
int rtnl_link_alias(struct rtnl *rtnl, uint32_t index, const char *alias, struct err *err);
/* 0; 1: it is not there; -1. */
int rtnl_link_conf(struct rtnl *rtnl, uint32_t index, const struct rtnl_conf *conf,
                   struct err *err);

#endif
