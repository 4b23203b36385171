/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_KEEP_H
#define ADMIN_KEEP_H

/*
 * Small files in the state directory (process->state_fd) that outlive admin: read whole, written
 * whole. A file is written beside its place, synced, renamed and its folder synced, so that whoever
 * is killed at any moment leaves the former bytes or the new ones. Calls block for as long as the
 * disk takes; admin carries no load.
 */

#include "base/err.h"
#include "base/slice.h"
#include "base/text.h"
#include <stddef.h>

/* Appends the bytes. 0; 1: there is no such file; -1 with err (larger than max_bytes is one). */
int keep_read(int dir_fd, const char *name, size_t max_bytes, struct text *out, struct err *err);
/* 0: it is on disk; -1 with err: the former bytes stand. */
int keep_write(int dir_fd, const char *name, struct slice bytes, struct err *err);
/* Renames it to NAME.bad, over an earlier one, so that a person may look at it. */
void keep_set_aside(int dir_fd, const char *name);

#endif
