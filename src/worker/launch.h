/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_LAUNCH_H
#define WORKER_LAUNCH_H

/*
 * Starts the program of a `worker` of the file, for one job (hand_program.c) or for many
 * (servant.h): its arguments, its environment, its folder, user and limits are what the file says.
 */

#include "worker/run.h"
#include <stdbool.h>
#include <stdint.h>

struct crew;

/* A variable of the environment that is weir's own. */
struct launch_var {
    const char *name, *value;
};

struct launch {
    int input_fd;
    bool is_served;
    uint64_t timeout_ns;
    struct tail *tail;
    const struct launch_var *vars; /* beside WEIR_QUEUE, WEIR_WORKER and WEIR_NODE */
    size_t n_vars;
    const char *tube;
};

/* As run_start(). Nothing of the launch is needed afterwards but the tail. */
struct run *launch(const struct crew *crew, const struct launch *what, run_fn *fn, void *ctx);

#endif
