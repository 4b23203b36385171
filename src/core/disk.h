/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DISK_H
#define CORE_DISK_H

/*
 * The outside of a configuration, answered from the disk and the environment: what the supervisor
 * and `weir check` read through (conf/tree.h says what is asked). Every other process is answered
 * from its bundle (conf/bundle.h).
 */

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "conf/tree.h"

/* Files of any size up to CONF_FILE_MAX + 1 bytes, patterns as in glob(7), getenv(3). */
struct conf_host disk_host(void);

/*
 * The whole of a regular file, at most max_bytes of it: a larger one is an error. The sentence in
 * err names the path and says what would be right. *ret_mode (may be NULL) is its st_mode.
 */
int disk_read(struct slice path, size_t max_bytes, struct arena *arena, struct slice *ret_bytes,
              unsigned *ret_mode, struct err *err);

/* The working folder, for struct snapshot_options; for mem_free(). "/" where it is gone. */
char *disk_folder(void);

#endif
