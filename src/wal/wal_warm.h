/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WAL_WAL_WARM_H
#define WAL_WAL_WARM_H

/*
 * Brings pieces of files into the kernel's memory without stopping a loop: a thread reads them and
 * throws the bytes away, and whoever wants them reads again.
 *
 *      the loop                                   the thread, from the first piece on
 *   wal_read_now() says 1
 *   wal_warmer_ask() -----------------------> read, read, read
 *   done(owner) <-------- loop_post() ------- the file's descriptor is closed
 *   wal_read()
 *
 * What is wrong with the disk or the record is for the reader to see: here it only ends the piece.
 * The pieces are read one after the other, in the order in which they were asked for.
 */

#include "core/loop.h"
#include <stddef.h>
#include <stdint.h>

struct wal_warmer;
struct wal_warm; /* one piece */

typedef void wal_warm_fn(void *owner);

struct wal_warmer *wal_warmer_create(struct loop *loop);

/*
 * `len` bytes at `offset` of a file, whose descriptor is taken. done(owner) comes once in a later
 * turn of the loop, and the piece is freed behind it. NULL, and nothing comes: there is no thread.
 */
struct wal_warm *wal_warmer_ask(struct wal_warmer *warmer, int take_fd, uint64_t offset, size_t len,
                                wal_warm_fn *done, void *owner);
/* done() does not come. *warm becomes NULL; a NULL one is fine. */
void wal_warm_cancel(struct wal_warm **warm);

/* No done() comes any more. Does not wait: what the disk keeps goes when it answers. A NULL one is
 * fine. */
void wal_warmer_destroy(struct wal_warmer **warmer);

#endif
