/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_ROOM_H
#define ADMIN_ROOM_H

/*
 * Is there room in the state directory? Where it is full, what the operator orders and what a
 * client entrusts to this node cannot be kept, so that a floating address is better off elsewhere
 * (vip/lack.h). admin has the directory open and is held up by a slow disk alone, so it asks once a
 * second and states the fact:
 *
 *     disk:state     up, or failed with the reason; value: the free bytes
 *
 * Full is what has less free than `state-room` says, or no room for another file; it is over when a
 * quarter more is free. A silent admin keeps its word.
 */

#include "core/board.h"
#include "core/process.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/statvfs.h>

#define ROOM_FACT "disk:state"

/* `least` bytes are to be free for users other than root. Writes the reason, "" where it is up, at
 * most FACT_REASON_MAX bytes. */
enum fact_state room_judge(const struct statvfs *found, uint64_t least, bool was_full,
                           char *ret_reason);

/* Asks the disk, and states the fact. The snapshot is the one in force. */
void room_look(const struct process *process, const struct snapshot *snap);

#endif
