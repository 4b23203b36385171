/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_REHEARSE_H
#define CORE_REHEARSE_H

/*
 * A configuration tried out where it can do no harm: this process's own bundle, read once more with
 * another overlay (conf/overlay.h) laid over it. admin asks so before it writes an overlay that a
 * reload, or the next start, would have to refuse.
 */

#include "base/slice.h"
#include "base/text.h"
#include "core/process.h"

/*
 * 0: it would be taken, as far as this process knows; -1: ret_why has the mistakes, as `weir check`
 * prints them. `overlay` is the whole file; empty: none. *ret_snap (may be NULL) is the snapshot,
 * with one reference, in both cases. In loop 0.
 */
int process_rehearse(struct process *process, struct slice overlay, struct snapshot **ret_snap,
                     struct text *ret_why);

#endif
