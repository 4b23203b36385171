/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPER_SPAWN_H
#define SUPER_SPAWN_H

/*
 * Starts a process of a kind. control_fd stays the caller's. The new process dies with the
 * supervisor: by the kernel's signal, and by the end of the control socket.
 *
 * supervisor: 0, or, in the candidate of an upgrade, the one whose child the process becomes.
 *
 * is_alone: the process is the first of a PID namespace of its own, where the kernel lets us make
 * one (it takes root): all that it starts, and all that those start, is killed when it dies. It has
 * a /proc of its own, so that numbers mean the same to all in there; what is mounted later appears
 * there too.
 */

#include "base/err.h"
#include <stdbool.h>
#include <sys/types.h>

int spawn_process(const char *kind, int control_fd, pid_t supervisor, bool is_alone, pid_t *ret_pid,
                  struct err *err);

#endif
