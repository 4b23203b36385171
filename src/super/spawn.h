/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPER_SPAWN_H
#define SUPER_SPAWN_H

/*
 * Starts a process of a kind. control_fd stays the caller's. The new process dies with the
 * supervisor: by the kernel's signal, and by the end of the control socket.
 *
 * supervisor: 0, or, in the candidate of an upgrade, the one whose child the process becomes.
 */

#include "base/err.h"
#include <sys/types.h>

int spawn_process(const char *kind, int control_fd, pid_t supervisor, pid_t *ret_pid,
                  struct err *err);

#endif
