/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header, footer and trailer of a segment. Each carries its own sum; that of footer and trailer is
 * seeded as a record's is, for a file that was used before has old ones in the same places.
 */
#include "wal/wal_segment.h"

static const char header_magic[8] = "weirwal";
static const char trailer_magic[8] = "weirend";

enum { SUM_AT = 60 };

static void write_copy(const struct wal_form *form, char *at)
{
    memcpy(at, header_magic, 8);
    wal_put32(at + 8, WAL_VERSION);
    wal_put32(at + 12, form->number);
    wal_put32(at + 16, form->size);
    wal_put64(at + 24, form->salt);
    wal_put32(at + SUM_AT, crc32c(0, at, SUM_AT));
}

void wal_form_write(const struct wal_form *form, char ret_bytes[WAL_RECORDS_BEGIN])
{
    memset(ret_bytes, 0, WAL_RECORDS_BEGIN);
    write_copy(form, ret_bytes);
    write_copy(form, ret_bytes + WAL_HEADER_AGAIN);
}

static int read_copy(const char *at, struct wal_form *ret_form, struct err *err)
{
    if (memcmp(at, header_magic, 8) != 0)
        return err_set(err, "this is no segment of a log");
    if (wal_get32(at + SUM_AT) != crc32c(0, at, SUM_AT))
        return err_set(err, "its header is damaged");
    if (wal_get32(at + 8) != WAL_VERSION)
        return err_set(err, "its format has version %u, and this weir knows %d", wal_get32(at + 8),
                       WAL_VERSION);
    struct wal_form form = {.number = wal_get32(at + 12),
                            .size = wal_get32(at + 16),
                            .salt = wal_get64(at + 24),
                            .is_seeded = true};
    if (form.number == 0 || form.size < WAL_SEGMENT_MIN || form.size > WAL_SEGMENT_MAX ||
        form.size % 8 != 0)
        return err_set(err, "its header makes no sense");
    *ret_form = form;
    return 0;
}

int wal_form_read(const char bytes[WAL_RECORDS_BEGIN], struct wal_form *ret_form, struct err *err)
{
    if (read_copy(bytes, ret_form, err) == 0)
        return 0;
    return read_copy(bytes + WAL_HEADER_AGAIN, ret_form, NULL);
}

static bool is_whole(const char *at)
{
    return memcmp(at, header_magic, 8) == 0 && wal_get32(at + SUM_AT) == crc32c(0, at, SUM_AT);
}

bool wal_form_is_twice(const char bytes[WAL_RECORDS_BEGIN])
{
    return is_whole(bytes) && memcmp(bytes, bytes + WAL_HEADER_AGAIN, WAL_HEADER_BYTES) == 0;
}

bool wal_form_is_whole(const char bytes[WAL_RECORDS_BEGIN])
{
    return is_whole(bytes) || is_whole(bytes + WAL_HEADER_AGAIN);
}

static uint32_t seed_of_trailer(const struct wal_form *form)
{
    struct wal_spot spot = wal_form_spot(form, form->size - WAL_TRAILER_BYTES);
    return wal_spot_seed(&spot);
}

void wal_trailer_write(const struct wal_form *form, const struct wal_trailer *trailer,
                       char ret_bytes[WAL_TRAILER_BYTES])
{
    memset(ret_bytes, 0, WAL_TRAILER_BYTES);
    memcpy(ret_bytes, trailer_magic, 8);
    wal_put32(ret_bytes + 8, WAL_VERSION);
    wal_put32(ret_bytes + 12, form->number);
    wal_put64(ret_bytes + 16, form->salt);
    wal_put32(ret_bytes + 24, trailer->records_end);
    wal_put32(ret_bytes + 28, trailer->footer_bytes);
    wal_put32(ret_bytes + 32, trailer->n_records);
    wal_put32(ret_bytes + 36, trailer->footer_crc);
    wal_put32(ret_bytes + SUM_AT, crc32c(seed_of_trailer(form), ret_bytes, SUM_AT));
}

int wal_trailer_read(const struct wal_form *form, const char bytes[WAL_TRAILER_BYTES],
                     struct wal_trailer *ret_trailer)
{
    if (memcmp(bytes, trailer_magic, 8) != 0 ||
        wal_get32(bytes + SUM_AT) != crc32c(seed_of_trailer(form), bytes, SUM_AT))
        return -1;
    struct wal_trailer trailer = {.records_end = wal_get32(bytes + 24),
                                  .footer_bytes = wal_get32(bytes + 28),
                                  .n_records = wal_get32(bytes + 32),
                                  .footer_crc = wal_get32(bytes + 36)};
    uint32_t limit = form->size - WAL_TRAILER_BYTES;
    if (trailer.records_end < WAL_RECORDS_BEGIN || trailer.records_end > limit ||
        trailer.footer_bytes > limit - trailer.records_end)
        return -1;
    *ret_trailer = trailer;
    return 0;
}

uint64_t wal_trailer_salt(const char bytes[WAL_TRAILER_BYTES])
{
    return wal_get64(bytes + 16);
}

uint32_t wal_footer_sum(const struct wal_form *form, uint32_t records_end, struct slice footer)
{
    struct wal_spot spot = wal_form_spot(form, records_end);
    return crc32c(wal_spot_seed(&spot), footer.ptr, footer.len);
}

void wal_entry_write(const struct wal_header *header, const char *head, char *at)
{
    wal_put32(at, header->length);
    at[4] = (char)header->type;
    at[5] = (char)header->n_head;
    wal_put16(at + 6, 0);
    wal_put64(at + 8, header->key);
    if (header->n_head > 0)
        memcpy(at + WAL_ENTRY_HEADER, head, header->n_head);
    memset(at + WAL_ENTRY_HEADER + header->n_head, 0, wal_pad(header->n_head) - header->n_head);
}

int wal_entries_next(struct wal_entries *entries, struct wal_entry *ret_entry)
{
    if (entries->n_left == 0)
        return entries->rest.len == 0 && entries->offset == entries->records_end ? 0 : -1;
    const char *at = entries->rest.ptr;
    if (entries->rest.len < WAL_ENTRY_HEADER)
        return -1;
    struct wal_entry entry = {.header = {.length = wal_get32(at),
                                         .type = (uint8_t)at[4],
                                         .n_head = (uint8_t)at[5],
                                         .key = wal_get64(at + 8)},
                              .offset = entries->offset};
    uint32_t n_bytes = wal_entry_bytes(entry.header.n_head);
    if (entry.header.length > WAL_PAYLOAD_MAX || entry.header.n_head > entry.header.length ||
        entry.header.type == 0 || entries->rest.len < n_bytes ||
        wal_record_bytes(entry.header.length) > entries->records_end - entries->offset)
        return -1;
    entry.head = slice_make(at + WAL_ENTRY_HEADER, entry.header.n_head);
    entries->rest = slice_skip(entries->rest, n_bytes);
    entries->offset += wal_record_bytes(entry.header.length);
    entries->n_left--;
    *ret_entry = entry;
    return 1;
}
