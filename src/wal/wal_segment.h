/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WAL_WAL_SEGMENT_H
#define WAL_WAL_SEGMENT_H

/*
 * The bytes of a segment beside its records, and nothing but bytes: the header that is there before
 * the first record, and the footer and trailer that seal it when it is full.
 *
 *      0      64     512    576   1024                                              size-64   size
 *      +------+------+------+-----+--------+--------+- ... -+--------+---------------+---------+
 *      |header|  0   |header|  0  | record | record |       | footer | never written | trailer |
 *      +------+------+------+-----+--------+--------+- ... -+--------+---------------+---------+
 *                     again                                  entries                  where they
 *                                                            of all records           are, and sum
 *
 * A footer has an entry a record, in their order: its length, type, key, and its head. Offsets
 * follow from the lengths, for there is nothing between records. A trailer that validates says that
 * all records were durable before it was written.
 */

#include "wal/wal_record.h"
#include <stdbool.h>

enum {
    WAL_VERSION = 1,
    WAL_HEADER_BYTES = 64,
    WAL_HEADER_AGAIN = 512, /* where its copy is, in another sector */
    WAL_RECORDS_BEGIN = 1024,
    WAL_TRAILER_BYTES = 64,
};

/* What a file is, from its header. */
struct wal_form {
    uint32_t number; /* from 1; the file's name in hexadecimal */
    uint32_t size;
    uint64_t salt;
    bool is_seeded; /* not in the file: false where WAL_RULE_SEED is off */
};

struct wal_trailer {
    uint32_t records_end; /* where the footer begins */
    uint32_t footer_bytes;
    uint32_t n_records;
    uint32_t footer_crc;
};

static inline struct wal_spot wal_form_spot(const struct wal_form *form, uint32_t offset)
{
    return (struct wal_spot){form->salt, form->number, offset, form->is_seeded};
}

/* Fills all of the WAL_RECORDS_BEGIN bytes. */
void wal_form_write(const struct wal_form *form, char ret_bytes[WAL_RECORDS_BEGIN]);
/* From either copy: 0, or -1 and a sentence. *ret_form is seeded. */
int wal_form_read(const char bytes[WAL_RECORDS_BEGIN], struct wal_form *ret_form, struct err *err);

/* Both copies are right; one is, whatever version it has. */
bool wal_form_is_twice(const char bytes[WAL_RECORDS_BEGIN]);
bool wal_form_is_whole(const char bytes[WAL_RECORDS_BEGIN]);

void wal_trailer_write(const struct wal_form *form, const struct wal_trailer *trailer,
                       char ret_bytes[WAL_TRAILER_BYTES]);
/* 0: the segment is sealed, and the numbers lie within it; -1: it is not. */
int wal_trailer_read(const struct wal_form *form, const char bytes[WAL_TRAILER_BYTES],
                     struct wal_trailer *ret_trailer);

/* What it says of the file's salt, unchecked. */
uint64_t wal_trailer_salt(const char bytes[WAL_TRAILER_BYTES]);

/* The sum that the trailer holds. */
uint32_t wal_footer_sum(const struct wal_form *form, uint32_t records_end, struct slice footer);

/* An entry into `at`, wal_entry_bytes(header->n_head) bytes of it. */
void wal_entry_write(const struct wal_header *header, const char *head, char *at);

/*
 * Walks the entries. Begin with rest = the footer, offset = WAL_RECORDS_BEGIN, n_left = n_records.
 * 1: an entry; 0: that was the last, and all numbers agree; -1: they do not.
 */
struct wal_entries {
    struct slice rest;
    uint32_t offset, n_left, records_end;
};
struct wal_entry {
    struct wal_header header; /* without synced */
    uint32_t offset;
    struct slice head; /* in the footer */
};
int wal_entries_next(struct wal_entries *entries, struct wal_entry *ret_entry);

#endif
