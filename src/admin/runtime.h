/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_RUNTIME_H
#define ADMIN_RUNTIME_H

/*
 * Members added and removed while weir runs. admin keeps them as an overlay (conf/overlay.h) in the
 * state directory, and a change is that file and an ordinary reload, in two phases over all
 * processes:
 *
 *     weir member add -> tried out here (core/rehearse.h) -> written -> reload -> in force
 *                               | a mistake                               | refused
 *                               v                                         v
 *                        nothing has changed                  the former file is put back
 *
 * One change at a time; another one is told to come again. When a reload finds that the operator's
 * file contradicts an entry, that entry has no effect, the log says so, and it is dropped from the
 * file here; what was dropped last is shown by status. A life of admin that finds another file on
 * the disk than the one in force (an earlier one was killed in between) asks for a reload.
 */

#include "base/text.h"
#include "core/module.h"
#include <stdbool.h>

struct admin;

struct change;

struct runtime {
    struct change *change; /* under way; NULL: none, or that of an earlier life */
    bool is_changing;      /* written, and the reload is under way */
    bool has_compared;     /* the file on the disk with what is in force, once a life */
    struct text notes;     /* what the file won last, a line each */
};

/* A snapshot is in force. */
void runtime_commit(struct admin *admin);
/* Forgets what is under way; the supervisor carries it out. */
void runtime_stop(struct admin *admin);

#endif
