/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_URGENT_H
#define CORE_URGENT_H

/*
 * Processes on whose word others wait for hundredths of a second: at 10 ms between two beats a loop
 * that waits for its turn behind a busy machine's other work is taken for dead. Such a process runs
 * before all that is not as urgent (SCHED_FIFO), and its memory stays where it is (mlockall).
 *
 * Called in a module's start(), while the process may still do so: both last beyond the sandbox.
 */

#include "core/process.h"

/* Of SCHED_FIFO: whose word decides comes before those that it listens to. */
enum { URGENT_WORDS = 4, URGENT_DECIDES = 5 };

/* What is not allowed is missed only on a busy machine, and is told in a line of the log with what
 * would allow it. */
void urgent_become(const struct process *process, int priority);

#endif
