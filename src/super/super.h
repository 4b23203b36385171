/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPER_SUPER_H
#define SUPER_SUPER_H

/*
 * The supervisor: `weir run` itself. It is the one process that stays root, and therefore does
 * little: it reads the files, opens the listening sockets, makes the board and the logs' memory,
 * starts the processes that the configuration needs, starts those again that die, and leads reload
 * and stop. It takes no byte from a client.
 *
 *     files --> snapshot --> sockets --> processes --> serving <--> reload
 *                  |                                      |
 *                  +--> sealed bundles                    +--> stop: drain, stop, kill
 */

#include "core/command.h"

/* Serves until it is stopped. Returns the exit status of `weir run`. */
int super_main(const struct module_table *table, const struct command_conf *conf);

#endif
