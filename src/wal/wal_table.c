/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The segments that hold records: where one is found, what of it lives, what dies with it, and
 * which descriptors stay open.
 */
#include "wal/internal.h"

#include <assert.h>
#include <stdlib.h>

struct wal_segment *wal_segment_create(const struct wal_form *form, int fd)
{
    struct wal_segment *segment = MEM_NEW(struct wal_segment);
    segment->form = *form;
    segment->fd = fd;
    segment->end = WAL_RECORDS_BEGIN;
    return segment;
}

void wal_segment_close(struct wal *wal, struct wal_segment *segment)
{
    if (segment->fd < 0)
        return;
    wal->disk->close(wal->disk->ctx, segment->fd);
    segment->fd = -1;
    if (segment->is_sealed)
        wal->n_open--;
}

void wal_segment_destroy(struct wal *wal, struct wal_segment *segment)
{
    if (!segment)
        return;
    wal_segment_close(wal, segment);
    mem_free(segment->ties);
    mem_free(segment);
}

/* The index of the first segment whose number is not below this one. */
static uint32_t index_of(const struct wal *wal, uint32_t number)
{
    uint32_t low = 0, high = wal->n_segments;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (wal->segments[middle]->form.number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct wal_segment *wal_find(const struct wal *wal, uint32_t number)
{
    uint32_t i = index_of(wal, number);
    return i < wal->n_segments && wal->segments[i]->form.number == number ? wal->segments[i] : NULL;
}

void wal_table_add(struct wal *wal, struct wal_segment *segment)
{
    assert(wal->n_segments == 0 || wal_active(wal)->form.number < segment->form.number);
    if (wal->n_segments == wal->cap_segments) {
        wal->cap_segments = wal->cap_segments ? wal->cap_segments * 2 : 16;
        wal->segments =
            mem_realloc(wal->segments, wal->cap_segments * sizeof(struct wal_segment *));
    }
    wal->segments[wal->n_segments++] = segment;
}

void wal_live_add(struct wal *wal, struct wal_segment *segment, uint64_t bytes)
{
    segment->live += bytes;
    wal->live_bytes += bytes;
}

static void live_sub(struct wal *wal, struct wal_segment *segment, uint64_t bytes)
{
    assert(segment->live >= bytes);
    segment->live -= bytes;
    wal->live_bytes -= bytes;
}

void wal_table_gone(struct wal *wal, struct wal_segment *segment)
{
    uint32_t i = index_of(wal, segment->form.number);
    assert(i < wal->n_segments && wal->segments[i] == segment && segment != wal_active(wal));
    for (uint32_t tie = 0; tie < segment->n_ties; tie++) {
        struct wal_segment *holder = wal_find(wal, segment->ties[tie].holder);
        if (holder && holder != segment)
            live_sub(wal, holder, segment->ties[tie].bytes);
    }
    live_sub(wal, segment, segment->live);
    wal->n_segments--;
    memmove(wal->segments + i, wal->segments + i + 1,
            (wal->n_segments - i) * sizeof(struct wal_segment *));
    wal_segment_destroy(wal, segment);
}

static struct wal_tie *tie_of(struct wal_segment *segment, uint32_t holder)
{
    for (uint32_t i = segment->n_ties; i > 0; i--) { /* the newest is nearly always the one */
        if (segment->ties[i - 1].holder == holder)
            return &segment->ties[i - 1];
    }
    if (segment->n_ties == segment->cap_ties) {
        segment->cap_ties = segment->cap_ties ? segment->cap_ties * 2 : 4;
        segment->ties = mem_realloc(segment->ties, segment->cap_ties * sizeof(struct wal_tie));
    }
    struct wal_tie *tie = &segment->ties[segment->n_ties++];
    *tie = (struct wal_tie){.holder = holder};
    return tie;
}

void wal_tie(struct wal *wal, struct wal_segment *holder, uint32_t number, uint32_t bytes)
{
    struct wal_segment *target = wal_find(wal, number);
    if (!target || target == holder)
        return;
    tie_of(target, holder->form.number)->bytes += bytes;
    wal_live_add(wal, holder, bytes);
}

void wal_dead(struct wal *wal, struct wal_place place)
{
    struct wal_segment *segment = wal_find(wal, place.segment);
    if (segment)
        live_sub(wal, segment, wal_record_cost(place.length, place.n_head));
}

uint64_t wal_segment_live(const struct wal *wal, uint32_t number)
{
    const struct wal_segment *segment = wal_find(wal, number);
    return segment ? segment->live : 0;
}

/* ---- descriptors ----------------------------------------------------------------------------- */

/* Closes what was read longest ago, but for `keep`. */
void wal_table_trim(struct wal *wal, const struct wal_segment *keep)
{
    while (wal->n_open > wal->options.open_max) {
        struct wal_segment *oldest = NULL;
        for (uint32_t i = 0; i < wal->n_segments; i++) {
            struct wal_segment *segment = wal->segments[i];
            if (segment->is_sealed && segment->fd >= 0 && segment != keep &&
                (!oldest || segment->used < oldest->used))
                oldest = segment;
        }
        if (!oldest)
            return;
        wal_segment_close(wal, oldest);
    }
}

int wal_segment_fd(struct wal *wal, struct wal_segment *segment)
{
    segment->used = ++wal->n_reads;
    if (segment->fd >= 0)
        return segment->fd;
    char name[WAL_NAME_MAX];
    wal_name(segment->form.number, name);
    int fd = wal->disk->open(wal->disk->ctx, name, false);
    if (fd < 0)
        return fd;
    segment->fd = fd;
    wal->n_open++;
    wal_table_trim(wal, segment);
    return fd;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int damaged(struct wal *wal, struct wal_place place, struct err *err)
{
    wal->counts.n_damaged++;
    err_write(err, "%08x.wal: the record of %u bytes at byte %u is damaged", place.segment,
              (unsigned)place.length, place.offset);
    return wal_damaged(err);
}

static int read_disk(struct wal *wal, struct wal_segment *segment, struct wal_place place,
                     char *buf, struct err *err)
{
    char header[WAL_RECORD_HEADER];
    int fd = wal_segment_fd(wal, segment);
    int result = fd;
    if (fd >= 0)
        result = wal_disk_read(wal->disk, fd, header, sizeof(header), place.offset);
    if (result >= 0 && place.length > 0)
        result = wal_disk_read(wal->disk, fd, buf, place.length, place.offset + sizeof(header));
    if (result < 0) {
        wal->counts.n_damaged++;
        return err_set_errno(err, -result, "%08x.wal: cannot read the record at byte %u",
                             place.segment, place.offset);
    }
    struct wal_spot spot = wal_form_spot(&segment->form, place.offset);
    return wal_record_verify(&spot, header, place, buf) < 0 ? damaged(wal, place, err) : 0;
}

int wal_read_now(struct wal *wal, struct wal_place place, char *buf)
{
    const struct wal_disk *disk = wal->disk;
    struct wal_segment *segment = wal_find(wal, place.segment);
    const char *pending = segment ? wal_pending_find(wal, place) : NULL;
    char header[WAL_RECORD_HEADER];
    if (pending) {
        memcpy(buf, pending + WAL_RECORD_HEADER, place.length);
        return 0;
    }
    int fd = segment ? wal_segment_fd(wal, segment) : -1;
    if (fd < 0 ||
        disk->pread_now(disk->ctx, fd, header, sizeof(header), place.offset) != sizeof(header) ||
        disk->pread_now(disk->ctx, fd, buf, place.length, place.offset + sizeof(header)) !=
            (long)place.length)
        return 1;
    struct wal_spot spot = wal_form_spot(&segment->form, place.offset);
    return wal_record_verify(&spot, header, place, buf) < 0;
}

int wal_read_open(struct wal *wal, struct wal_place place, uint64_t *ret_offset, size_t *ret_len)
{
    char name[WAL_NAME_MAX];
    if (!wal_find(wal, place.segment))
        return -ENOENT;
    wal_name(place.segment, name);
    *ret_offset = place.offset;
    *ret_len = WAL_RECORD_HEADER + (size_t)place.length;
    return wal->disk->open(wal->disk->ctx, name, false);
}

int wal_read(struct wal *wal, struct wal_place place, char *buf, struct err *err)
{
    struct wal_segment *segment = wal_find(wal, place.segment);
    if (!segment)
        return err_set(err, "there is no segment %08x.wal any more", place.segment);
    const char *pending = wal_pending_find(wal, place);
    if (!pending)
        return read_disk(wal, segment, place, buf, err);
    memcpy(buf, pending + WAL_RECORD_HEADER, place.length);
    return 0;
}

int wal_footer_read(struct wal *wal, struct wal_segment *segment, struct text *footer,
                    struct wal_entries *ret_entries, struct err *err)
{
    char bytes[WAL_TRAILER_BYTES];
    struct wal_trailer trailer = {.n_records = 0};
    const struct wal_form *form = &segment->form;
    int fd = wal_segment_fd(wal, segment);
    int result =
        fd < 0 ? fd
               : wal_disk_read(wal->disk, fd, bytes, sizeof(bytes), form->size - WAL_TRAILER_BYTES);
    bool is_fine = result >= 0 && wal_trailer_read(form, bytes, &trailer) == 0;
    text_clear(footer);
    if (is_fine) {
        char *at = text_reserve(footer, trailer.footer_bytes);
        result = wal_disk_read(wal->disk, fd, at, trailer.footer_bytes, trailer.records_end);
        footer->len = trailer.footer_bytes;
        is_fine = result >= 0 && wal_footer_sum(form, trailer.records_end, text_slice(footer)) ==
                                     trailer.footer_crc;
    }
    if (result < 0)
        return err_set_errno(err, -result, "%08x.wal: cannot read its footer", form->number);
    if (!is_fine) {
        err_write(err, "%08x.wal: its footer is damaged", form->number);
        return wal_damaged(err);
    }
    *ret_entries = (struct wal_entries){.rest = text_slice(footer),
                                        .offset = WAL_RECORDS_BEGIN,
                                        .n_left = trailer.n_records,
                                        .records_end = trailer.records_end};
    return 0;
}

void wal_found_make(const struct wal_form *form, const struct wal_entry *entry,
                    struct wal_found *ret_found)
{
    *ret_found = (struct wal_found){.type = entry->header.type,
                                    .key = entry->header.key,
                                    .head = entry->head,
                                    .place = {.segment = form->number,
                                              .offset = entry->offset,
                                              .length = entry->header.length & WAL_PAYLOAD_MAX,
                                              .n_head = entry->header.n_head}};
    if (entry->header.type >= WAL_TYPE_NOTE && entry->head.len >= WAL_KILLS_BYTES) {
        ret_found->kills = wal_kills_of(entry->head);
        ret_found->head = slice_skip(entry->head, WAL_KILLS_BYTES);
    }
}
