/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

/*
 * The process `worker`: the one that starts programs, and only those that its own copy of the file
 * names.
 *
 *     the programs of jobs        worker/crew.h    a `worker` of the file takes them from its queue
 *     those of checks and vips    worker/asks.h    another process asks
 *
 * To the queue it is a client like any other: it speaks the job protocol over the socket in the
 * state directory (wire/jobproto_client.h).
 *
 * Privileges. worker is the unprivileged user of all the others. Where weir was started as root it
 * keeps CAP_SETUID, CAP_SETGID and CAP_KILL, for jobs whose program becomes another user (`user`);
 * an exec takes them away. Programs inherit no_new_privs, so that a setuid program gains nothing;
 * none becomes root. It has no system call
 * filter, because a program would inherit it too. Where weir was started as root it is the first of
 * a PID namespace (super/spawn.h), so that nothing which it has started outlives it.
 */

#include "core/module.h"

extern const struct module worker_module;

#endif
