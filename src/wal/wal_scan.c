/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk over a segment's image. The search for strays asks every eighth byte; the 16 bits of
 * check in a record's header, which nobody can forge who does not know the segment's salt, keep it
 * from summing up payloads that are none.
 */
#include "wal/wal_scan.h"

#include <string.h>

uint32_t wal_scan_next(const struct wal_scan *scan, uint32_t offset, struct wal_entry *ret_entry)
{
    uint32_t limit = scan->form.size - WAL_TRAILER_BYTES;
    if (offset >= limit)
        return 0;
    struct wal_spot spot = wal_form_spot(&scan->form, offset);
    int64_t n = wal_record_read(&spot, scan->image + offset, limit - offset, &ret_entry->header);
    if (n <= 0)
        return 0;
    ret_entry->offset = offset;
    ret_entry->head =
        slice_make(scan->image + offset + WAL_RECORD_HEADER, ret_entry->header.n_head);
    return (uint32_t)n;
}

enum { ZEROS = 64 }; /* at a time */

/* From `offset` on, past what is nothing but zeros. */
static uint32_t skip_zeros(const struct wal_scan *scan, uint32_t offset, uint32_t limit)
{
    for (; limit - offset >= ZEROS; offset += ZEROS) {
        uint64_t words[ZEROS / sizeof(uint64_t)], all = 0;
        memcpy(words, scan->image + offset, ZEROS);
        for (size_t i = 0; i < ZEROS / sizeof(uint64_t); i++)
            all |= words[i];
        if (all != 0)
            break;
    }
    return offset;
}

uint32_t wal_scan_stray(const struct wal_scan *scan, uint32_t offset, struct wal_entry *ret_entry,
                        uint32_t *ret_bytes)
{
    uint32_t limit = scan->form.size - WAL_TRAILER_BYTES;
    for (; offset < limit; offset += 8) {
        uint32_t n = 0;
        offset = skip_zeros(scan, offset, limit);
        if (limit - offset >= WAL_RECORD_HEADER && wal_header_may_be(scan->image + offset))
            n = wal_scan_next(scan, offset, ret_entry);
        if (n > 0) {
            *ret_bytes = n;
            return offset;
        }
    }
    return 0;
}

static void claim(struct wal_scan_end *all, const struct wal_entry *entry)
{
    if (entry->header.synced > all->claimed)
        all->claimed = entry->header.synced;
}

struct wal_scan_end wal_scan_all(const struct wal_scan *scan)
{
    struct wal_scan_end all = {.end = WAL_RECORDS_BEGIN};
    struct wal_entry entry;
    uint32_t n;
    while ((n = wal_scan_next(scan, all.end, &entry)) > 0) {
        claim(&all, &entry);
        all.n_records++;
        all.end += n;
    }
    uint32_t at = all.end;
    while ((at = wal_scan_stray(scan, at, &entry, &n)) > 0) {
        claim(&all, &entry);
        at += n;
        all.strays_end = at;
    }
    return all;
}
