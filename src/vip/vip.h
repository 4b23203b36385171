/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIP_VIP_H
#define VIP_VIP_H

/*
 * Floating addresses, as a module: the word `vip` and the process "vip", one loop, that speaks VRRP
 * with the other nodes, puts addresses on interfaces while this node is Active, and tells the link
 * about it.
 *
 *     sockets, netlink  <-- port.h        an interface: its link, source, packets
 *                             |
 *     a vip's groups    <-- group.h       one a family: machine, and what its actions do
 *                             |
 *     what it lacks     <-- lack_watch.h  --> priority, yielding      together.h
 *     its programs      <-- hook_runner.h
 *     peers' word       <-- peers.c       facts peer:*, at:* --> VRRP_EVENT_PEER
 *
 * Facts: `vip:NAME` is active (here), degraded (here in one family alone), draining (it is to go
 * elsewhere: still here, and leaves as soon as another takes it), drained (it has gone, and comes
 * back only where nobody else has it), backup (it would be taken), down (it takes no part: the
 * reason says what to do). The value is what this node lacks, 0 nothing .. 250. Whoever reads it
 * distrusts a writer that has been silent for 2 s.
 *
 * Lives. When the process dies, its addresses stay; the next life finds vip:NAME active and the
 * addresses there, and goes on as Active (VRRP_EVENT_ADOPT). An upgrade is the same with the former
 * life still there, which lets go without a word. Where there is no next life, the supervisor
 * resigns and removes the addresses (vip_relinquish()).
 */

#include "core/module.h"

extern const struct module vip_module;

/* The configured vips of a snapshot; conf.h has what they are. */
const struct vips_conf *vips_conf_of(const struct snapshot *snap);

/* struct module's relinquish(): the vips that the board says this node has had, and whose addresses
 * are still there, resign and lose them. */
void vip_relinquish(const struct snapshot *snap, const struct board *board, struct log *log);

#endif
