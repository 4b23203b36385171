/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WAL_WAL_RECORD_H
#define WAL_WAL_RECORD_H

/*
 * The bytes of one record, and nothing but bytes: written, checked and read where they lie.
 *
 *       0        4        8       12  13  14  16               24            n_head      length
 *       +--------+--------+--------+---+---+---+----------------+---------------+---------+---+
 *       | crc    | synced | length | t | h |chk| key            | head          | body    | 0 |
 *       +--------+--------+--------+---+---+---+----------------+---------------+---------+---+
 *       little endian                                            payload               to 8 bytes
 *
 *   crc     CRC-32C of all from `synced` to the payload's end, begun with the seed of the place
 *   synced  the offset in this segment up to which all was durable when this was appended
 *   t h     type; how many bytes of the payload are its head
 *   chk     16 bits of the CRC-32C of the 20 bytes from `synced`, chk being 0, begun with the seed
 *
 * The seed is made of the segment's salt, its number and the offset, so that no record validates
 * anywhere but where it was written, in the life of the file in which it was; chk tells it without
 * the payload, which makes the search through a torn end cheap.
 */

#include "base/crc32c.h"
#include "wal/wal.h"
#include <string.h>

enum { WAL_RECORD_HEADER = 24, WAL_ENTRY_HEADER = 16 };

/* The log's own types. */
enum {
    WAL_TYPE_MARK = 1,  /* nothing, but its `synced` says how far all is durable */
    WAL_TYPE_IDS = 2,   /* key: ids below it may have been given out. First in every segment */
    WAL_TYPE_CLEAN = 3, /* key: the segment that the cleaner has begun with */
    WAL_TYPE_HOLE = 4,  /* bytes that a repair has dropped. key: as that of WAL_TYPE_IDS */
};

/* Where a record stands: what its seed is made of. */
struct wal_spot {
    uint64_t salt;
    uint32_t segment;
    uint32_t offset;
    bool is_seeded; /* false: WAL_RULE_SEED is off */
};

struct wal_header {
    uint32_t synced, length;
    uint8_t type, n_head;
    uint64_t key;
};

static inline void wal_put16(char *at, uint16_t value)
{
    at[0] = (char)value;
    at[1] = (char)(value >> 8);
}

static inline void wal_put32(char *at, uint32_t value)
{
    wal_put16(at, (uint16_t)value);
    wal_put16(at + 2, (uint16_t)(value >> 16));
}

static inline void wal_put64(char *at, uint64_t value)
{
    wal_put32(at, (uint32_t)value);
    wal_put32(at + 4, (uint32_t)(value >> 32));
}

static inline uint16_t wal_get16(const char *at)
{
    return (uint16_t)((uint8_t)at[0] | (uint8_t)at[1] << 8);
}

static inline uint32_t wal_get32(const char *at)
{
    return wal_get16(at) | (uint32_t)wal_get16(at + 2) << 16;
}

static inline uint64_t wal_get64(const char *at)
{
    return wal_get32(at) | (uint64_t)wal_get32(at + 4) << 32;
}

static inline uint32_t wal_pad(uint32_t length)
{
    return (length + 7) & ~7U;
}

/* Bytes that it takes in the segment; and in the footer. */
static inline uint32_t wal_record_bytes(uint32_t length)
{
    return WAL_RECORD_HEADER + wal_pad(length);
}

static inline uint32_t wal_entry_bytes(uint32_t n_head)
{
    return WAL_ENTRY_HEADER + wal_pad(n_head);
}

/* Both: what a record is worth in the accounting. */
static inline uint32_t wal_record_cost(uint32_t length, uint32_t n_head)
{
    return wal_record_bytes(length) + wal_entry_bytes(n_head);
}

uint32_t wal_spot_seed(const struct wal_spot *spot);

/*
 * Writes wal_record_bytes(header->length) bytes to `at`. The payload is a (of which the first
 * header->n_head bytes are the head) and behind it b and c; their lengths sum up to header->length.
 */
void wal_record_write(const struct wal_spot *spot, const struct wal_header *header, struct slice a,
                      struct slice b, struct slice c, char *at);

/* May the 24 bytes be one? A search asks this first: behind an end nearly all is zeros. */
bool wal_header_may_be(const char *at);
/* The 24 bytes at `at` are the header of a record of this spot: 0, or -1. */
int wal_header_read(const struct wal_spot *spot, const char *at, struct wal_header *ret_header);

/*
 * The bytes that the record at `at` takes, of which there are `len`; 0 where its header is fine but
 * there are not enough; -1 where it is no record of this spot, or a damaged one.
 */
int64_t wal_record_read(const struct wal_spot *spot, const char *at, size_t len,
                        struct wal_header *ret_header);

/* The header and payload of a record that was read back by its place: 0 where they are what was
 * written, -1 where not. */
int wal_record_verify(const struct wal_spot *spot, const char *header, struct wal_place place,
                      const char *payload);

#endif
