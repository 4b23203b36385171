/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of one record. Both sums come from one pass: that of the header alone is where that of
 * the whole goes on.
 */
#include "wal/wal_record.h"

#include <assert.h>

enum { SYNCED_AT = 4, LENGTH_AT = 8, TYPE_AT = 12, HEAD_AT = 13, CHECK_AT = 14, KEY_AT = 16 };

uint32_t wal_spot_seed(const struct wal_spot *spot)
{
    char bytes[16];
    if (!spot->is_seeded)
        return 0;
    wal_put64(bytes, spot->salt);
    wal_put32(bytes + 8, spot->segment);
    wal_put32(bytes + 12, spot->offset);
    return crc32c(0, bytes, sizeof(bytes));
}

/* The sum of a header, its check taken as 0. */
static uint32_t sum_header(const struct wal_spot *spot, const char *at)
{
    char bytes[WAL_RECORD_HEADER - SYNCED_AT];
    memcpy(bytes, at + SYNCED_AT, sizeof(bytes));
    wal_put16(bytes + CHECK_AT - SYNCED_AT, 0);
    return crc32c(wal_spot_seed(spot), bytes, sizeof(bytes));
}

static uint16_t fold(uint32_t sum)
{
    return (uint16_t)(sum ^ sum >> 16);
}

static char *put(char *at, struct slice bytes)
{
    if (bytes.len > 0)
        memcpy(at, bytes.ptr, bytes.len);
    return at + bytes.len;
}

void wal_record_write(const struct wal_spot *spot, const struct wal_header *header, struct slice a,
                      struct slice b, struct slice c, char *at)
{
    assert(a.len + b.len + c.len == header->length && header->length <= WAL_PAYLOAD_MAX);
    assert(header->n_head <= header->length);
    wal_put32(at + SYNCED_AT, header->synced);
    wal_put32(at + LENGTH_AT, header->length);
    at[TYPE_AT] = (char)header->type;
    at[HEAD_AT] = (char)header->n_head;
    wal_put64(at + KEY_AT, header->key);
    uint32_t sum = sum_header(spot, at);
    wal_put16(at + CHECK_AT, fold(sum));
    char *end = put(put(put(at + WAL_RECORD_HEADER, a), b), c);
    memset(end, 0, wal_pad(header->length) - header->length);
    wal_put32(at, crc32c(sum, at + WAL_RECORD_HEADER, header->length));
}

bool wal_header_may_be(const char *at)
{
    return at[TYPE_AT] != 0;
}

int wal_header_read(const struct wal_spot *spot, const char *at, struct wal_header *ret_header)
{
    struct wal_header header = {.synced = wal_get32(at + SYNCED_AT),
                                .length = wal_get32(at + LENGTH_AT),
                                .type = (uint8_t)at[TYPE_AT],
                                .n_head = (uint8_t)at[HEAD_AT],
                                .key = wal_get64(at + KEY_AT)};
    if (header.length > WAL_PAYLOAD_MAX || header.n_head > header.length || header.type == 0 ||
        header.synced > spot->offset)
        return -1;
    if (wal_get16(at + CHECK_AT) != fold(sum_header(spot, at)))
        return -1;
    *ret_header = header;
    return 0;
}

int64_t wal_record_read(const struct wal_spot *spot, const char *at, size_t len,
                        struct wal_header *ret_header)
{
    struct wal_header header;
    if (len < WAL_RECORD_HEADER || wal_header_read(spot, at, &header) < 0)
        return -1;
    if (len < wal_record_bytes(header.length))
        return 0;
    uint32_t sum = crc32c(sum_header(spot, at), at + WAL_RECORD_HEADER, header.length);
    if (sum != wal_get32(at))
        return -1;
    *ret_header = header;
    return wal_record_bytes(header.length);
}

int wal_record_verify(const struct wal_spot *spot, const char *header, struct wal_place place,
                      const char *payload)
{
    struct wal_header found;
    if (wal_header_read(spot, header, &found) < 0 || found.length != place.length)
        return -1;
    uint32_t sum = crc32c(sum_header(spot, header), payload, place.length);
    return sum == wal_get32(header) ? 0 : -1;
}
