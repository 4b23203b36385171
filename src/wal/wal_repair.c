/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repairing: one pass finds the last segment with records, for all before it have to be sealed; a
 * second walks each and mends it. Of each file there is an image in memory, which is what the file
 * holds now: it is read, never written.
 */
#include "wal/wal_repair.h"
#include "base/hash.h"
#include "wal/internal.h"

#include <errno.h>

enum {
    /* Lost records may have been marks of ids: so many times what a start skips is skipped. */
    IDS_SKIPPED = 64 * WAL_IDS_AHEAD,
    BLOCK = 4096, /* read for itself where a larger read fails */
};

/* Bytes that become holes. */
struct gap {
    uint32_t from, end;
    uint64_t ids; /* what its holes say */
};

struct patient {
    const struct wal_repair *repair;
    struct wal_repair_sum *sum;
    struct err *err;
    const struct wal_files *files;
    uint32_t number, tail; /* of this segment; of the last one with records */
    uint64_t ids;          /* the highest mark or key so far */
    uint32_t size;         /* of the segment before */
    bool is_last_sealed;   /* the one before, so that the next may have records */
    /* Of this segment: */
    int fd;
    char *image;
    struct wal_scan scan;
    struct wal_trailer trailer;
    bool has_trailer, has_footer, is_header_damaged;
    struct text footer; /* what it should be */
    uint32_t end, n_records;
    struct gap *gaps;
    uint32_t n_gaps, cap_gaps;
};

/* ---- a file ---------------------------------------------------------------------------------- */

static int failed(struct patient *patient, int error, const char *what)
{
    return err_set_errno(patient->err, -error, "%08x.wal: cannot %s it", patient->number, what);
}

static void tell(struct patient *patient, struct wal_damage damage)
{
    damage.segment = patient->number;
    patient->sum->n_damages++;
    if (damage.kind <= WAL_DAMAGE_FILE)
        patient->sum->lost_bytes += damage.n_bytes;
    if (patient->repair->tell)
        patient->repair->tell(patient->repair->ctx, &damage);
}

/* All that can be read; the rest is 0. */
static void read_blocks(struct patient *patient, size_t len)
{
    const struct wal_disk *disk = patient->repair->disk;
    if (wal_disk_read(disk, patient->fd, patient->image, len, 0) == 0)
        return;
    for (size_t at = 0; at < len; at += BLOCK) {
        size_t n = len - at < BLOCK ? len - at : BLOCK;
        if (wal_disk_read(disk, patient->fd, patient->image + at, n, at) < 0)
            memset(patient->image + at, 0, n);
    }
}

/* The file was sealed and only its header is gone: its trailer says the same. */
static int form_of_trailer(const struct patient *patient, size_t size, struct wal_form *ret_form)
{
    struct wal_trailer trailer;
    if (size < WAL_SEGMENT_MIN || size > WAL_SEGMENT_MAX || size % 8 != 0)
        return -1;
    const char *at = patient->image + size - WAL_TRAILER_BYTES;
    struct wal_form form = {.number = patient->number,
                            .size = (uint32_t)size,
                            .salt = wal_trailer_salt(at),
                            .is_seeded = true};
    *ret_form = form;
    return wal_trailer_read(&form, at, &trailer);
}

/* 1: its form is known; 0: it is lost; -1: another weir's, or not ours to cut. */
static int find_form(struct patient *patient, size_t size)
{
    struct wal_form *form = &patient->scan.form;
    struct err why = ERR_NONE;
    patient->is_header_damaged = size < WAL_RECORDS_BEGIN || !wal_form_is_twice(patient->image);
    if (size >= WAL_RECORDS_BEGIN && wal_form_read(patient->image, form, &why) == 0) {
        if (form->number != patient->number)
            return err_set(patient->err, "%08x.wal: it is segment %08x by its header; rename it",
                           patient->number, form->number);
        if (size > form->size)
            return err_set(patient->err, "%08x.wal: it has %zu bytes, more than the %u it says",
                           patient->number, size, form->size);
        return 1;
    }
    if (size >= WAL_RECORDS_BEGIN && wal_form_is_whole(patient->image))
        return err_set(patient->err, "%08x.wal: %s", patient->number, why.text);
    return form_of_trailer(patient, size, form) == 0;
}

static bool is_footer_right(const struct patient *patient)
{
    struct slice footer = {patient->image + patient->trailer.records_end,
                           patient->trailer.footer_bytes};
    return wal_footer_sum(&patient->scan.form, patient->trailer.records_end, footer) ==
           patient->trailer.footer_crc;
}

/* As find_form(). The image has the size that the header says, whatever the file has. */
static int load(struct patient *patient)
{
    const struct wal_disk *disk = patient->repair->disk;
    char name[WAL_NAME_MAX];
    wal_name(patient->number, name);
    patient->fd = disk->open(disk->ctx, name, false);
    if (patient->fd < 0)
        return failed(patient, patient->fd, "open");
    long size = disk->size(disk->ctx, patient->fd);
    if (size < 0)
        return failed(patient, (int)size, "measure");
    if (size > WAL_SEGMENT_MAX)
        return err_set(patient->err, "%s: it has %ld bytes, more than any segment", name, size);
    patient->image = mem_alloc_zero(1, (size_t)size + 1);
    read_blocks(patient, (size_t)size);
    int result = find_form(patient, (size_t)size);
    if (result <= 0)
        return result;
    const struct wal_form *form = &patient->scan.form;
    if ((uint32_t)size < form->size) {
        patient->image = mem_realloc(patient->image, form->size);
        memset(patient->image + size, 0, form->size - (size_t)size);
    }
    patient->scan.image = patient->image;
    patient->has_trailer = wal_trailer_read(form, patient->image + form->size - WAL_TRAILER_BYTES,
                                            &patient->trailer) == 0;
    patient->has_footer = patient->has_trailer && is_footer_right(patient);
    return 1;
}

/* What is known of all segments, and nothing of one. */
static struct patient forget_segment(const struct patient *patient)
{
    return (struct patient){.repair = patient->repair,
                            .sum = patient->sum,
                            .err = patient->err,
                            .files = patient->files,
                            .tail = patient->tail,
                            .ids = patient->ids,
                            .size = patient->size,
                            .is_last_sealed = patient->is_last_sealed,
                            .fd = -1};
}

static void unload(struct patient *patient)
{
    if (patient->fd >= 0)
        patient->repair->disk->close(patient->repair->disk->ctx, patient->fd);
    mem_free(patient->image);
    mem_free(patient->gaps);
    text_deinit(&patient->footer);
    *patient = forget_segment(patient);
}

/* ---- its records ----------------------------------------------------------------------------- */

/* As a repair leaves it, so that what is sealed again is what is there. */
static void add_entry(struct patient *patient, const struct wal_header *header, const char *head)
{
    uint32_t n = wal_entry_bytes(header->n_head);
    wal_entry_write(header, head, text_reserve(&patient->footer, n));
    patient->footer.len += n;
    patient->n_records++;
}

/* What the footer knows of a gap: told one by one, and how many. */
static uint32_t lose_entries(const struct patient *patient, struct gap gap)
{
    struct wal_entries entries = {
        .rest = {patient->image + patient->trailer.records_end, patient->trailer.footer_bytes},
        .offset = WAL_RECORDS_BEGIN,
        .n_left = patient->trailer.n_records,
        .records_end = patient->trailer.records_end};
    const struct wal_repair *repair = patient->repair;
    struct wal_entry entry;
    uint32_t n = 0;
    while (patient->has_footer && wal_entries_next(&entries, &entry) > 0) {
        if (entry.offset < gap.from || entry.offset >= gap.end)
            continue;
        if (repair->lose)
            repair->lose(repair->ctx, entry.header.type, entry.header.key);
        n++;
    }
    return n;
}

/* The next piece of a gap: the first record of a segment has no payload, and none has too much. */
static struct wal_header piece_of(struct gap gap)
{
    enum { LARGEST = WAL_RECORD_HEADER + (WAL_PAYLOAD_MAX & ~7) };
    struct wal_header header = {.type = WAL_TYPE_HOLE, .key = gap.ids};
    uint32_t n = gap.end - gap.from;
    if (gap.from == WAL_RECORDS_BEGIN) {
        header.type = WAL_TYPE_IDS;
        n = WAL_RECORD_HEADER;
    } else if (n > LARGEST) {
        n = n - LARGEST < WAL_RECORD_HEADER ? LARGEST - WAL_RECORD_HEADER : LARGEST;
    }
    header.length = n - WAL_RECORD_HEADER;
    return header;
}

static void add_gap(struct patient *patient, struct gap gap)
{
    if (patient->n_gaps == patient->cap_gaps) {
        patient->cap_gaps = patient->cap_gaps ? patient->cap_gaps * 2 : 4;
        patient->gaps = mem_realloc(patient->gaps, patient->cap_gaps * sizeof(struct gap));
    }
    patient->gaps[patient->n_gaps++] = gap;
    tell(patient, (struct wal_damage){.kind = WAL_DAMAGE_RECORDS,
                                      .offset = gap.from,
                                      .n_bytes = gap.end - gap.from,
                                      .n_records = lose_entries(patient, gap)});
    while (gap.from < gap.end) {
        struct wal_header header = piece_of(gap);
        add_entry(patient, &header, NULL);
        gap.from += wal_record_bytes(header.length);
    }
}

/* Records fill it: no bytes are left over that are too few for one. */
static bool can_be_filled(struct gap gap)
{
    uint32_t n = gap.end - gap.from;
    if (gap.from == WAL_RECORDS_BEGIN && n != WAL_RECORD_HEADER)
        n -= WAL_RECORD_HEADER;
    return n >= WAL_RECORD_HEADER && n <= WAL_SEGMENT_MAX;
}

/* From `from`, where no record is, to one behind it; 0: there is none before the limit. */
static uint32_t find_end(const struct patient *patient, uint32_t from, uint32_t limit)
{
    struct gap gap = {.from = from, .end = from + 8};
    struct wal_entry entry;
    uint32_t n;
    do {
        gap.end = wal_scan_stray(&patient->scan, gap.end, &entry, &n);
        if (gap.end == 0 || gap.end >= limit) {
            gap.end = limit;
            return patient->has_trailer && can_be_filled(gap) ? limit : 0;
        }
        if (can_be_filled(gap))
            return gap.end;
        gap.end += n; /* it goes, too */
    } while (gap.end < limit);
    return 0;
}

/* Ids are keys, and an owner may count them without wal_id(). */
static void see_id(struct patient *patient, const struct wal_header *header)
{
    bool is_mark = header->type == WAL_TYPE_IDS || header->type == WAL_TYPE_HOLE;
    if ((is_mark || header->type >= WAL_TYPE_FIRST) && header->key > patient->ids)
        patient->ids = header->key;
}

/* Walks the records up to the end of what is whole or shall be a hole. */
static void walk(struct patient *patient)
{
    const struct wal_form *form = &patient->scan.form;
    uint32_t at = WAL_RECORDS_BEGIN, limit = form->size - WAL_TRAILER_BYTES;
    uint32_t claimed = wal_scan_all(&patient->scan).claimed;
    bool is_torn_end = patient->number == patient->tail && !patient->has_trailer;
    if (patient->has_trailer)
        limit = patient->trailer.records_end;
    while (at < limit) {
        struct wal_entry entry;
        uint32_t n = wal_scan_next(&patient->scan, at, &entry);
        if (n > 0 && at + n <= limit) {
            add_entry(patient, &entry.header, entry.head.ptr);
            patient->sum->n_records++;
            see_id(patient, &entry.header);
            at += n;
            continue;
        }
        uint32_t gap_end = is_torn_end && at >= claimed ? 0 : find_end(patient, at, limit);
        if (gap_end == 0)
            break;
        add_gap(patient, (struct gap){at, gap_end, patient->ids + IDS_SKIPPED});
        at = gap_end;
    }
    patient->end = at;
}

/* ---- mending --------------------------------------------------------------------------------- */

static int put(struct patient *patient, const char *bytes, size_t len, uint64_t at)
{
    int result = wal_disk_write(patient->repair->disk, patient->fd, bytes, len, at);
    return result < 0 ? failed(patient, result, "write") : 0;
}

static int sync(struct patient *patient)
{
    int result = patient->repair->disk->fdatasync(patient->repair->disk->ctx, patient->fd);
    return result < 0 ? failed(patient, result, "sync") : 0;
}

static int fill_gap(struct patient *patient, struct gap gap)
{
    int result = 0;
    while (gap.from < gap.end && result == 0) {
        struct wal_header header = piece_of(gap);
        uint32_t n = wal_record_bytes(header.length);
        struct wal_spot spot = wal_form_spot(&patient->scan.form, gap.from);
        struct slice payload = {patient->image + gap.from + WAL_RECORD_HEADER, header.length};
        char *bytes = mem_alloc(n);
        wal_record_write(&spot, &header, payload, slice_make("", 0), slice_make("", 0), bytes);
        result = put(patient, bytes, n, gap.from);
        mem_free(bytes);
        gap.from += n;
    }
    return result;
}

static int fill_gaps(struct patient *patient)
{
    for (uint32_t i = 0; i < patient->n_gaps; i++) {
        if (fill_gap(patient, patient->gaps[i]) < 0)
            return -1;
    }
    return patient->n_gaps > 0 ? sync(patient) : 0;
}

static int mend_header(struct patient *patient)
{
    const struct wal_disk *disk = patient->repair->disk;
    char bytes[WAL_RECORDS_BEGIN];
    long size = disk->size(disk->ctx, patient->fd);
    if (size >= 0 && (uint32_t)size < patient->scan.form.size)
        size = disk->fallocate(disk->ctx, patient->fd, patient->scan.form.size);
    if (size < 0)
        return failed(patient, (int)size, "lengthen");
    if (!patient->is_header_damaged)
        return 0;
    wal_form_write(&patient->scan.form, bytes);
    return put(patient, bytes, sizeof(bytes), 0);
}

static int write_seal(struct patient *patient)
{
    const struct wal_form *form = &patient->scan.form;
    struct slice footer = text_slice(&patient->footer);
    char bytes[WAL_TRAILER_BYTES];
    struct wal_trailer trailer = {.records_end = patient->end,
                                  .footer_bytes = (uint32_t)footer.len,
                                  .n_records = patient->n_records,
                                  .footer_crc = wal_footer_sum(form, patient->end, footer)};
    if (patient->end + footer.len > form->size - WAL_TRAILER_BYTES)
        return err_set(patient->err, "%08x.wal: there is no room for its footer", patient->number);
    wal_trailer_write(form, &trailer, bytes);
    if (put(patient, footer.ptr, footer.len, patient->end) < 0 ||
        put(patient, bytes, sizeof(bytes), form->size - WAL_TRAILER_BYTES) < 0)
        return -1;
    return sync(patient);
}

/* The footer that the records ask for lies behind them. */
static bool has_own_footer(const struct patient *patient)
{
    size_t room = patient->scan.form.size - WAL_TRAILER_BYTES - patient->end;
    return patient->footer.len <= room &&
           slice_equal(text_slice(&patient->footer),
                       slice_make(patient->image + patient->end, patient->footer.len));
}

/* It is sealed as it should be: half a repair may have left a trailer that speaks of another. */
static bool is_sealed_right(const struct patient *patient)
{
    return patient->has_footer && has_own_footer(patient) &&
           patient->trailer.records_end == patient->end &&
           patient->trailer.footer_bytes == patient->footer.len &&
           patient->trailer.n_records == patient->n_records;
}

/* Tells of header and footer; true: it has to be sealed anew. */
static bool judge(struct patient *patient)
{
    const struct wal_form *form = &patient->scan.form;
    bool is_own = has_own_footer(patient);
    bool must_seal = patient->has_trailer || patient->number < patient->tail;
    if (patient->is_header_damaged)
        tell(patient, (struct wal_damage){.kind = WAL_DAMAGE_HEADER, .n_bytes = WAL_HEADER_BYTES});
    if (!must_seal || is_sealed_right(patient))
        return false;
    if (!patient->has_trailer && !is_own)
        tell(patient,
             (struct wal_damage){.kind = WAL_DAMAGE_END,
                                 .offset = patient->end,
                                 .n_bytes = form->size - WAL_TRAILER_BYTES - patient->end});
    if (!patient->has_footer || patient->n_gaps == 0)
        tell(patient, (struct wal_damage){.kind = WAL_DAMAGE_FOOTER,
                                          .offset = patient->end,
                                          .n_bytes = (uint32_t)patient->footer.len});
    return true;
}

static int mend(struct patient *patient, bool must_seal)
{
    if (!patient->repair->is_mending)
        return 0;
    if (mend_header(patient) < 0 || fill_gaps(patient) < 0)
        return -1;
    return must_seal ? write_seal(patient) : sync(patient);
}

/* ---- a file that is lost --------------------------------------------------------------------- */

/* The first record of a segment that has none. */
static int write_mark(struct patient *patient)
{
    struct wal_spot spot = wal_form_spot(&patient->scan.form, WAL_RECORDS_BEGIN);
    struct wal_header header = {.type = WAL_TYPE_IDS, .key = patient->ids + IDS_SKIPPED};
    struct slice none = slice_make("", 0);
    char bytes[WAL_RECORD_HEADER];
    wal_record_write(&spot, &header, none, none, none, bytes);
    return put(patient, bytes, sizeof(bytes), WAL_RECORDS_BEGIN) < 0 ? -1 : sync(patient);
}

/* A segment behind all others. */
static int make_next(struct patient *next, uint32_t size)
{
    const struct wal_disk *disk = next->repair->disk;
    char bytes[WAL_RECORDS_BEGIN], name[WAL_NAME_MAX];
    next->number = next->files->numbers[next->files->n - 1] + 1;
    next->scan.form = (struct wal_form){.number = next->number,
                                        .size = size,
                                        .salt = hash_mix(next->repair->salt + next->number),
                                        .is_seeded = true};
    next->fd = disk->open(disk->ctx, WAL_NEW_NAME, true);
    int result = next->fd < 0 ? next->fd : disk->fallocate(disk->ctx, next->fd, size);
    if (result < 0)
        return failed(next, result, "make");
    wal_form_write(&next->scan.form, bytes);
    if (put(next, bytes, sizeof(bytes), 0) < 0 || write_mark(next) < 0)
        return -1;
    wal_name(next->number, name);
    result = disk->rename(disk->ctx, WAL_NEW_NAME, name);
    if (result == 0)
        result = disk->sync_dir(disk->ctx);
    return result < 0 ? failed(next, result, "name") : 0;
}

/* The length of the lost file was that of a segment, most likely; of another size none may be. */
static uint32_t guess_size(const struct patient *patient)
{
    long size = patient->repair->disk->size(patient->repair->disk->ctx, patient->fd);
    if (patient->size > 0)
        return patient->size;
    return size >= WAL_SEGMENT_MIN && size <= WAL_SEGMENT_MAX && size % 4096 == 0
               ? (uint32_t)size
               : WAL_SEGMENT_DEFAULT;
}

/*
 * The log goes on in the spare behind the lost segment, or in one that is made: it begins with a
 * mark, so that ids of the lost one do not come again. That is on the disk before the lost one
 * goes: until then a start is refused, so that none can come between.
 */
static int go_on_behind(const struct patient *patient)
{
    const struct wal_files *files = patient->files;
    struct patient next = forget_segment(patient);
    int result = 0;
    for (size_t i = 0; i < files->n && result == 0; i++) {
        unload(&next);
        next.number = files->numbers[i];
        if (next.number > patient->number)
            result = load(&next);
    }
    if (result == 0) {
        unload(&next);
        result = make_next(&next, guess_size(patient));
    } else if (result > 0) {
        result = write_mark(&next);
    }
    unload(&next);
    return result;
}

/* The last segment that held records may have been this one. */
static int set_aside(struct patient *patient)
{
    const struct wal_disk *disk = patient->repair->disk;
    char name[WAL_NAME_MAX], lost[WAL_NAME_MAX];
    bool was_last = patient->number > patient->tail && patient->is_last_sealed;
    long size = disk->size(disk->ctx, patient->fd);
    tell(patient,
         (struct wal_damage){.kind = WAL_DAMAGE_FILE, .n_bytes = size > 0 ? (uint32_t)size : 0});
    patient->is_last_sealed = patient->is_last_sealed && !was_last;
    if (!patient->repair->is_mending)
        return 0;
    if (was_last && go_on_behind(patient) < 0)
        return -1;
    wal_name(patient->number, name);
    (void)snprintf(lost, sizeof(lost), "%08x.lost", patient->number);
    int result = disk->rename(disk->ctx, name, lost);
    return result < 0 ? failed(patient, result, "set aside") : 0;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int repair_segment(struct patient *patient)
{
    int result = load(patient);
    if (result < 0)
        return -1;
    if (result == 0)
        return set_aside(patient);
    patient->size = patient->scan.form.size;
    patient->sum->n_segments++;
    if (patient->number > patient->tail) {
        if (patient->is_header_damaged)
            tell(patient,
                 (struct wal_damage){.kind = WAL_DAMAGE_HEADER, .n_bytes = WAL_HEADER_BYTES});
        patient->is_last_sealed = false; /* and what is behind it is a spare as well */
        return mend(patient, false);
    }
    walk(patient);
    bool must_seal = judge(patient);
    patient->is_last_sealed = patient->has_trailer || patient->number < patient->tail;
    return mend(patient, must_seal);
}

static bool has_records(const struct patient *patient)
{
    struct wal_entry entry;
    uint32_t n;
    return patient->has_trailer ||
           wal_scan_stray(&patient->scan, WAL_RECORDS_BEGIN, &entry, &n) > 0;
}

/* The last segment with a record; 0: there is none. */
static int find_tail(struct patient *patient)
{
    const struct wal_files *files = patient->files;
    int result = 0;
    uint32_t tail = 0;
    for (size_t i = files->n; i > 0 && result >= 0 && tail == 0; i--) {
        patient->number = files->numbers[i - 1];
        result = load(patient);
        if (result > 0 && has_records(patient))
            tail = patient->number;
        unload(patient);
    }
    patient->tail = tail;
    return result < 0 ? -1 : 0;
}

static int repair_files(struct patient *patient)
{
    const struct wal_disk *disk = patient->repair->disk;
    const struct wal_files *files = patient->files;
    int result = find_tail(patient);
    for (size_t i = 0; i < files->n && result == 0; i++) {
        patient->number = files->numbers[i];
        result = repair_segment(patient);
        unload(patient);
    }
    if (result == 0 && patient->repair->is_mending && (result = disk->sync_dir(disk->ctx)) < 0)
        result = err_set_errno(patient->err, -result, "cannot sync the log's folder");
    return result;
}

int wal_repair(const struct wal_repair *repair, struct wal_repair_sum *ret_sum, struct err *err)
{
    struct wal_repair_sum sum = {.n_segments = 0};
    struct wal_files files;
    struct patient patient = {.repair = repair,
                              .sum = &sum,
                              .err = err,
                              .files = &files,
                              .is_last_sealed = true,
                              .fd = -1};
    int result = repair->disk->lock(repair->disk->ctx);
    if (result < 0)
        return err_set_errno(err, -result, "another process has the log");
    result = wal_files_list(repair->disk, &files, err);
    if (result == 0)
        result = repair_files(&patient);
    wal_files_deinit(&files);
    repair->disk->unlock(repair->disk->ctx);
    if (result == 0)
        *ret_sum = sum;
    return result;
}
