/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

/*
 * The process `worker`: the one that starts programs. It runs where the file names a program, and
 * starts only what its own copy of the file names. An ask (core/program.h) says to whom the program
 * belongs; the module whose word names it says by struct module's program() what that is:
 *
 *     "check" POOL/MEMBER ADDRESS PORT     a pool's `check exec`     pool/check_program.h
 *     "vip" NAME STATE REASON              a vip's `on`              vip/hook.h
 *
 * Programs that must not run beside each other (those of one vip) have a name in common: a later
 * ask kills what runs by that name, and is started when that is reaped.
 *
 * Privileges. worker is the unprivileged user of all the others and has no capability; programs
 * inherit that, and no_new_privs, so that a setuid program gains nothing. It has no system call
 * filter, because a program would inherit it too.
 *
 * Bounds. At most `programs { at-once N }` run; what is asked for beyond that is refused and
 * counted. A program is killed with its process group when its time is over, when nobody waits for
 * it any more, and when worker ends.
 */

#include "core/metric.h"
#include "core/module.h"

extern const struct module worker_module;

/* Words of the table "program". */
enum program_word {
    PROGRAM_RUNNING, /* gauge */
    PROGRAM_STARTED,
    PROGRAM_FAILED, /* could not be executed */
    PROGRAM_KILLED, /* their time was over */
    PROGRAM_TOO_MANY,
    PROGRAM_WORDS
};

#endif
