/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEER_PEER_H
#define PEER_PEER_H

/*
 * The authenticated channel between the nodes of one edge, as a module: the word `peer`, a path
 * each, and the process that sends beats (wire/beat.h) over all paths to all other nodes and makes
 * facts of theirs:
 *
 *     peer:NODE       is it there: up (proven and fresh), down (silent for three beats), unknown
 *                     (never heard, or not proven), failed (it speaks, and cannot be believed: the
 *                     reason says what to do). The value is the round trip in seconds
 *     path:NET        does any other node come over it: up (all of them), degraded, down
 *     file:NODE       up: it runs the file of this node; degraded: another one
 *     at:NODE/FACT    what that node says of itself: its vip, listen, pool and drain:node facts,
 *                     with the same state, value and reason. Gone as soon as peer:NODE is not up
 *
 *     board's changes --> outbox --> beats --UDP, each path--> the other nodes
 *     facts           <-- mate: judge, inbox <-- beats <--UDP, each path--
 *
 * A beat goes out each `every`, and at once when a fact vip:* has changed or was told. What a node
 * says of itself is as fresh as its writer: facts of a process whose loops are silent are told as
 * unknown.
 *
 *     conf.c     the words
 *     outbox.c   which facts are told, and in which order          pure
 *     inbox.c    what another node has told                        pure
 *     mate.c     another node: what of its datagrams is believed   pure
 *     channel.c  sockets, rounds of beats, one path each
 *     publish.c  facts and log lines
 *     peer.c     the module's life
 */

#include "core/module.h"
#include <stdint.h>

/* Between two beats where `every auto` stands and nobody wants them closer. */
enum { PEER_EVERY_MAX_MS = 100, PEER_EVERY_MIN_MS = 10 };

/* So many beats without one that is believed are silence. */
enum { PEER_PATIENCE_BEATS = 3 };

extern const struct module peer_module;

/*
 * In a check() of a module behind this one: something is to move within `ms` (a vip's interval), so
 * `every auto` is at most that. Nothing where the file has no `peer`, or
 * the table no such module (tests of other parts).
 */
void peer_conf_want_interval(const struct snapshot *snap, int64_t ms);
/* Milliseconds between two rounds of beats in this snapshot, when all checks have run: the least of
 * all paths. 0: no process `peer` is needed. */
int64_t peer_conf_every_ms(const struct snapshot *snap);

#endif
