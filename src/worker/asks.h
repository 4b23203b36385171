/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_ASKS_H
#define WORKER_ASKS_H

/*
 * Programs that others ask for (core/program.h), and what becomes of them. An ask says to whom the
 * program belongs; the module whose word names it says by struct module's program() what that is:
 *
 *     "check" POOL/MEMBER ADDRESS PORT     a pool's `check exec`     pool/check_program.h
 *     "vip" NAME STATE REASON              a vip's `on`              vip/hook.h
 *
 * Programs that must not run beside each other (those of one vip) have a name in common: a later
 * ask kills what runs by that name, and is started when that is reaped.
 *
 * At most `programs { at-once N }` run; what is asked for beyond that is refused and counted. A
 * program is killed with its process group when its time is over, when nobody waits for it any
 * more, and when worker ends.
 */

#include "core/process.h"
#include "worker/count.h"
#include "worker/orphans.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct asks;

/* Answers from now on. orphans is told of each that begins and ends; it outlives the asks. */
struct asks *asks_create(struct process *process, struct orphans *orphans);
/* The file in force; borrowed until the next. */
void asks_commit(struct asks *asks, const struct snapshot *snap);
void asks_destroy(struct asks **asks);
uint32_t asks_running(const struct asks *asks);
/* Is it one of them? */
bool asks_has(const struct asks *asks, pid_t pid);
void asks_count(const struct asks *asks, enum program_word word);

#endif
