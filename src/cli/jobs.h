/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_JOBS_H
#define CLI_JOBS_H

/*
 * The queue from a shell: rows for the table of commands. Each speaks the job protocol with the
 * queue of the weir that runs here.
 */

#include "core/command.h"

extern const struct command command_put;
extern const struct command command_jobs;
extern const struct command command_kick;
extern const struct command command_bury;
extern const struct command command_delete;
extern const struct command command_pause;

#endif
