/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPER_UPGRADE_H
#define SUPER_UPGRADE_H

/*
 * Upgrade: another binary takes the place of this one, and no client notices.
 *
 *     supervisor, pid 1000, the old binary            the new binary
 *       |
 *       |-- runs `NEW --version` -------------------->  is it a weir at all?
 *       |-- runs `NEW check FILE` ------------------->  does it accept the configuration?
 *       |-- starts `NEW run FILE --candidate FD` ---->  the candidate
 *       |                                                |-- starts its edge, health, admin ...
 *       |   the old processes serve                      |   with the same listening sockets, a
 *       |                                                |   board of their own that begins with
 *       |                                                |   the facts of the old one; they prepare
 *       |<-------------------------- ready --------------|
 *       |
 *     executes NEW `run FILE --resume FD`: pid 1000 still, and the same open descriptors
 *       |-- go ---------------------------------------->|
 *       |<------ the new processes, board, logs --------|  and ends
 *       |-- commit --> the new processes serve
 *       |-- retire --> the former ones accept nothing any more, finish what they have, and end
 *
 * Why a candidate. Executing first and starting afterwards would leave nobody who could go back
 * when the new binary crashes at once, and two supervisors' worth of state to carry in both
 * directions. The candidate proves with the binary itself that it runs here, reads this file, and
 * brings up each of its processes, while the old supervisor has changed nothing and still watches,
 * restarts and reloads its own. Its processes are made as children of the old supervisor
 * (CLONE_PARENT), so that they are nobody else's when the candidate ends: the supervisor's process
 * id stays the parent of all, before, during and after, and with it PR_SET_PDEATHSIG and what the
 * service manager knows.
 *
 * What happens when
 *
 *     the file is missing, no program, no weir    refused; nothing was started
 *     others than its owner may write it          refused: admin asks, and admin runs without
 *                                                 privileges, but what is executed runs with those
 *                                                 of the supervisor
 *     it does not accept the configuration        refused, with what it printed
 *     it reads another format of description      refused by the candidate
 *     it crashes, or one of its processes does    refused; the rest of it is killed and reaped
 *     it hangs                                    refused behind `upgrade-timeout`
 *     weir is stopped meanwhile                   the candidate is killed, then weir stops
 *     the supervisor is killed (SIGKILL)          all end at once, old and new; the service manager
 *                                                 starts again
 *     execve() itself fails                       refused; the old supervisor goes on
 *     the candidate dies behind "ready"           the resumed supervisor starts the new processes
 *                                                 itself; the former ones serve until they are
 *                                                 ready
 *     the resumed supervisor dies                 all end at once, as whenever a supervisor dies
 *
 * What goes over is written down in JSON with a version (handover.h, docs/formats/upgrade.md):
 * descriptors by number, facts and counts by name (core/export.h), and for each former process the
 * packets that it understands, made by the build that it is of. So the new build neither maps an
 * old segment nor speaks an old protocol. From the former processes it reads only reports, which
 * belong to the same format.
 *
 * The file is read anew, as by a reload. What only a start can change (`state`, `user`, the number
 * of loops) may not have changed.
 *
 * Facts are carried over when the candidate starts. What health learns in the moment between then
 * and the commit, the new health learns again by its own checks.
 */

#include "super/internal.h"

/*
 * Begins. binary: the path of the new one, or empty: the path that this one was started from. The
 * answer comes later; "generation"-like success is told by the resumed supervisor.
 */
void upgrade_request(struct super *super, const struct requester *who, struct slice binary);
/* Some child has ended: those that belong to an upgrade are reaped here. */
void upgrade_on_child(struct super *super);
/* Gives up an upgrade that is under way; nothing where there is none. */
void upgrade_cancel(struct super *super, const char *why);
/* The path that this binary was started from, for mem_free(). */
char *upgrade_find_binary(const char *folder);

#endif
