/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WAL_WAL_SCAN_H
#define WAL_WAL_SCAN_H

/*
 * What a segment's bytes hold when no footer says so: the records one behind the other, and what
 * lies behind the first place where there is none. Works on the file's image in memory, which it
 * does not write; any bytes may be in it.
 *
 *      | record | record | record |  ?  | record | ? ? ? | record |  0 0 0 ...
 *                                 ^end    stray            stray
 *
 * A stray is a whole record behind the end. After a power cut there are some, for sectors reach the
 * disk in any order; they must be wiped out, and what is left of others, lest they come back when
 * the log has grown up to them. A stray whose `synced` lies above the end says that the bytes at
 * the end were durable once: then they are not torn but damaged.
 */

#include "wal/wal_segment.h"

struct wal_scan {
    const char *image; /* form.size bytes */
    struct wal_form form;
};

/*
 * The record at `offset`: its bytes, or 0 where there is none. From WAL_RECORDS_BEGIN on, adding
 * what it returned, it walks the records up to the end.
 */
uint32_t wal_scan_next(const struct wal_scan *scan, uint32_t offset, struct wal_entry *ret_entry);

/* The first stray at or behind `offset`; 0 where there is none. Its bytes in *ret_bytes. */
uint32_t wal_scan_stray(const struct wal_scan *scan, uint32_t offset, struct wal_entry *ret_entry,
                        uint32_t *ret_bytes);

struct wal_scan_end {
    uint32_t end; /* behind the last whole record */
    uint32_t n_records;
    uint32_t claimed;    /* the highest `synced` of any record, strays too */
    uint32_t strays_end; /* behind the last stray; 0: there is none */
};
/* claimed > end: damaged. */
struct wal_scan_end wal_scan_all(const struct wal_scan *scan);

#endif
