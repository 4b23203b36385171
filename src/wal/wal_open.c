/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a log begins and ends. The files are looked at before anything is changed: which are sealed,
 * which one is the tail, which are spare; then all records are shown to the owner, the sealed ones
 * from their footers; then the tail's torn end is wiped out.
 *
 *     sealed sealed sealed | tail | spare spare
 *                            ^ the first that has no valid footer: nothing behind it has a record
 */
#include "wal/internal.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

/* ---- one file -------------------------------------------------------------------------------- */

static int check_form(const struct wal *wal, int fd, uint32_t number, struct wal_form *ret_form,
                      struct err *err)
{
    char bytes[WAL_RECORDS_BEGIN];
    int result = wal_disk_read(wal->disk, fd, bytes, sizeof(bytes), 0);
    long size = wal->disk->size(wal->disk->ctx, fd);
    if (result < 0 || size < 0)
        return err_set_errno(err, result < 0 ? -result : (int)-size, "%08x.wal: cannot read it",
                             number);
    if (wal_form_read(bytes, ret_form, err) < 0) {
        (void)err_prefix(err, "%08x.wal", number);
        return wal_form_is_whole(bytes) ? -1 : wal_damaged(err);
    }
    if (ret_form->number != number)
        return err_set(err, "%08x.wal: it is segment %08x by its header; was it renamed?", number,
                       ret_form->number);
    if ((uint64_t)size != ret_form->size) {
        err_write(err, "%08x.wal: it has %ld bytes, not the %u of its header", number, size,
                  ret_form->size);
        return (uint64_t)size < ret_form->size ? wal_damaged(err) : -1;
    }
    ret_form->is_seeded = wal_has_rule(wal, WAL_RULE_SEED);
    return 0;
}

static int open_segment(struct wal *wal, uint32_t number, struct wal_segment **ret_segment,
                        struct err *err)
{
    char name[WAL_NAME_MAX], trailer[WAL_TRAILER_BYTES];
    struct wal_form form;
    struct wal_trailer numbers;
    wal_name(number, name);
    int fd = wal->disk->open(wal->disk->ctx, name, false);
    if (fd < 0)
        return err_set_errno(err, -fd, "%s: cannot open it", name);
    if (check_form(wal, fd, number, &form, err) < 0) {
        wal->disk->close(wal->disk->ctx, fd);
        return -1;
    }
    struct wal_segment *segment = wal_segment_create(&form, fd);
    if (wal_disk_read(wal->disk, fd, trailer, sizeof(trailer), form.size - WAL_TRAILER_BYTES) ==
            0 &&
        wal_trailer_read(&form, trailer, &numbers) == 0) {
        segment->is_sealed = true;
        segment->end = numbers.records_end;
        segment->footer_bytes = numbers.footer_bytes;
        segment->n_records = numbers.n_records;
        wal->n_open++;
    }
    if (segment->is_sealed && wal->n_open > wal->options.open_max)
        wal_segment_close(wal, segment);
    *ret_segment = segment;
    return 0;
}

/* Its first record, which is one without a payload, is of this life of the file. */
static bool has_record(const struct wal *wal, const struct wal_segment *segment)
{
    char bytes[WAL_RECORD_HEADER];
    struct wal_header found;
    struct wal_spot spot = wal_form_spot(&segment->form, WAL_RECORDS_BEGIN);
    return wal_disk_read(wal->disk, segment->fd, bytes, sizeof(bytes), WAL_RECORDS_BEGIN) == 0 &&
           wal_record_read(&spot, bytes, sizeof(bytes), &found) > 0;
}

static void unseal(struct wal *wal, struct wal_segment *segment)
{
    segment->is_sealed = false;
    segment->end = WAL_RECORDS_BEGIN;
    segment->footer_bytes = 0;
    segment->n_records = 0;
    wal->n_open--;
}

/*
 * Written and synced once more: the life before may have ended because a sync had failed, and then
 * the kernel takes for written what it has in memory alone. The same goes for the tail's end.
 */
static int write_again(struct wal *wal, struct wal_segment *segment, uint32_t from, uint32_t end,
                       struct err *err)
{
    char *bytes = mem_alloc(end - from + 1);
    int fd = wal_segment_fd(wal, segment);
    int result = fd < 0 ? fd : wal_disk_read(wal->disk, fd, bytes, end - from, from);
    if (result == 0)
        result = wal_disk_write(wal->disk, fd, bytes, end - from, from);
    mem_free(bytes);
    return result < 0 ? err_set_errno(err, -result, "%08x.wal: cannot write it once more",
                                      segment->form.number)
                      : 0;
}

/* Its footer and trailer; the records were synced before. */
static int seal_again(struct wal *wal, struct wal_segment *segment, struct err *err)
{
    uint32_t end = segment->end + segment->footer_bytes, size = segment->form.size;
    if (write_again(wal, segment, segment->end, end, err) < 0 ||
        write_again(wal, segment, size - WAL_TRAILER_BYTES, size, err) < 0)
        return -1;
    int result = wal->disk->fdatasync(wal->disk->ctx, segment->fd);
    return result < 0
               ? err_set_errno(err, -result, "%08x.wal: cannot sync it", segment->form.number)
               : 0;
}

/*
 * The last sealed segment may have been about to be sealed. Its trailer may have reached the disk
 * and its footer not: then it is no seal, which can be only where nothing was written behind it. Or
 * a process that was killed left both in the kernel's memory: they are synced now.
 */
static int doubt_last_seal(struct wal *wal, struct wal_segment **all, size_t n, struct err *err)
{
    struct wal_entries entries;
    struct text footer = TEXT_NONE;
    size_t last = n;
    while (last > 0 && !all[last - 1]->is_sealed)
        last--;
    if (last == 0)
        return 0;
    if (last < n && has_record(wal, all[last]))
        return 0;
    int result = wal_footer_read(wal, all[last - 1], &footer, &entries, NULL);
    text_deinit(&footer);
    if (result == 0)
        return seal_again(wal, all[last - 1], err);
    unseal(wal, all[last - 1]);
    return 0;
}

/* Sorts what was opened into the table and the spares. All of it has an owner afterwards. */
static int place_segments(struct wal *wal, struct wal_segment **all, size_t n, struct err *err)
{
    size_t n_sealed = 0;
    int result = doubt_last_seal(wal, all, n, err);
    while (n_sealed < n && all[n_sealed]->is_sealed)
        n_sealed++;
    for (size_t i = n_sealed + 1; i < n && result == 0; i++) {
        if (!all[i]->is_sealed && !has_record(wal, all[i]))
            continue;
        err_write(err,
                  "%08x.wal: its footer is damaged or missing, and %08x.wal has records all the "
                  "same",
                  all[n_sealed]->form.number, all[i]->form.number);
        result = wal_damaged(err);
    }
    for (size_t i = n_sealed + 1; i < n && result == 0; i++)
        if (all[i]->form.size != all[n_sealed]->form.size)
            result = err_set(err,
                             "%08x.wal: it is empty and has %u bytes, the log's others have %u; "
                             "remove it",
                             all[i]->form.number, all[i]->form.size, all[n_sealed]->form.size);
    if (result == 0 && n > n_sealed + 1 + WAL_SPARES_MAX)
        result = err_set(err, "there are %zu empty segments, more than weir ever makes",
                         n - n_sealed - 1);
    for (size_t i = 0; i < n; i++) {
        if (result == 0 && i <= n_sealed)
            wal_table_add(wal, all[i]);
        else if (result == 0)
            wal->spares[wal->n_spares++] = all[i];
        else
            wal_segment_destroy(wal, all[i]);
    }
    return result;
}

static int open_segments(struct wal *wal, const struct wal_files *files, struct err *err)
{
    struct wal_segment **all = MEM_NEW_ARRAY(struct wal_segment *, files->n + 1);
    size_t n = 0;
    while (n < files->n && open_segment(wal, files->numbers[n], &all[n], err) == 0)
        n++;
    int result = n == files->n ? 0 : -1;
    if (result == 0)
        result = place_segments(wal, all, n, err);
    else
        while (n > 0)
            wal_segment_destroy(wal, all[--n]);
    mem_free(all);
    if (result < 0)
        return -1;
    wal->next_number = files->n ? files->numbers[files->n - 1] + 1 : 1;
    if (wal->n_segments > 0)
        wal->size = wal_active(wal)->form.size;
    return 0;
}

/* ---- replay ---------------------------------------------------------------------------------- */

static int replay_own(struct wal *wal, const struct wal_found *found, struct err *err)
{
    switch (found->type) {
    case WAL_TYPE_MARK:
        return 0;
    case WAL_TYPE_HOLE: /* what is lost may have been a mark of ids */
    case WAL_TYPE_IDS:
        if (found->key > wal->ids_end)
            wal->ids_end = found->key;
        return 0;
    case WAL_TYPE_CLEAN: /* gone where it was finished */
        if (wal_has_rule(wal, WAL_RULE_RESUME) && found->key <= UINT32_MAX &&
            wal_find(wal, (uint32_t)found->key))
            wal->cleaner.victim = wal_find(wal, (uint32_t)found->key);
        return 0;
    default:
        return err_set(err, "%08x.wal: a record of type %u, which this weir does not know",
                       found->place.segment, found->type);
    }
}

static int replay_entry(struct wal *wal, struct wal_segment *segment, const struct wal_entry *entry,
                        struct err *err)
{
    struct wal_found found;
    wal_found_make(&segment->form, entry, &found);
    uint32_t cost = wal_record_cost(found.place.length, found.place.n_head);
    if (found.type < WAL_TYPE_FIRST) {
        segment->own += cost;
        return replay_own(wal, &found, err);
    }
    if (found.type >= WAL_TYPE_NOTE)
        wal_tie(wal, segment, found.kills.segment, cost);
    else
        wal_live_add(wal, segment, cost);
    wal->counts.n_replayed++;
    return wal->options.owner.replay(wal->options.owner.ctx, wal, &found, err);
}

static int replay_sealed(struct wal *wal, struct wal_segment *segment, struct err *err)
{
    struct text footer = TEXT_NONE;
    struct wal_entries entries;
    struct wal_entry entry;
    int result = wal_footer_read(wal, segment, &footer, &entries, err);
    if (result < 0)
        (void)err_prefix(err, "a bad checksum");
    while (result == 0 && (result = wal_entries_next(&entries, &entry)) > 0)
        result = replay_entry(wal, segment, &entry, err);
    text_deinit(&footer);
    if (result < 0 && err && err->text[0] == '\0') {
        err_write(err, "%08x.wal: its footer makes no sense", segment->form.number);
        return wal_damaged(err);
    }
    return result;
}

/* ---- the tail -------------------------------------------------------------------------------- */

/* A sector at `at` or behind it that is not all zeros, or `end`. */
static uint32_t find_used(const struct wal_scan *scan, uint32_t at, uint32_t end)
{
    static const char zeros[WAL_SECTOR];
    while (at < end) {
        uint32_t n = WAL_SECTOR - at % WAL_SECTOR;
        if (memcmp(scan->image + at, zeros, n) != 0)
            return at;
        at += n;
    }
    return end;
}

static uint32_t find_unused(const struct wal_scan *scan, uint32_t at, uint32_t end)
{
    while (at < end && find_used(scan, at, at + 1) == at)
        at += WAL_SECTOR - at % WAL_SECTOR;
    return at;
}

/*
 * What lies behind the end must never become part of a record again. That goes for halves, too: the
 * header of a record of which the payload did not reach the disk would be one with the payload of
 * the next that is written there, if that is the same and its own header does not reach the disk.
 */
static int wipe(struct wal *wal, const struct wal_segment *tail, const struct wal_scan *scan,
                uint32_t end)
{
    uint32_t at = end, size = tail->form.size, chunk = wal_zero_chunk(size);
    int result = 0;
    char *zeros = mem_alloc_zero(1, chunk);
    while (result == 0 && (at = find_used(scan, at, size)) < size) {
        uint32_t stop = find_unused(scan, at, size);
        stop = stop - at < chunk ? stop : at + chunk;
        result = wal_disk_write(wal->disk, tail->fd, zeros, stop - at, at);
        at = stop;
    }
    mem_free(zeros);
    return result;
}

static int replay_image(struct wal *wal, struct wal_segment *tail, const struct wal_scan *scan,
                        struct err *err)
{
    struct wal_scan_end all = wal_scan_all(scan);
    struct wal_entry entry;
    if (all.claimed > all.end) {
        err_write(err, "%08x.wal: a bad checksum at byte %u, and the disk had it up to byte %u",
                  tail->form.number, all.end, all.claimed);
        return wal_damaged(err);
    }
    wal->counts.torn_bytes = all.strays_end ? all.strays_end - all.end : 0;
    while (tail->end < all.end) {
        uint32_t n = wal_scan_next(scan, tail->end, &entry);
        uint32_t n_entry = wal_entry_bytes(entry.header.n_head);
        if (replay_entry(wal, tail, &entry, err) < 0)
            return -1;
        wal_entry_write(&entry.header, entry.head.ptr, text_reserve(&wal->footer, n_entry));
        wal->footer.len += n_entry;
        tail->footer_bytes += n_entry;
        tail->end += n;
        tail->n_records++;
    }
    uint32_t claimed = all.claimed > WAL_RECORDS_BEGIN ? all.claimed : WAL_RECORDS_BEGIN;
    if (write_again(wal, tail, claimed, all.end, err) < 0)
        return -1;
    int result = 0;
    if (wal_has_rule(wal, WAL_RULE_WIPE))
        result = wipe(wal, tail, scan, all.end);
    /* What a killed process had written may be in the kernel's memory alone. */
    if (result == 0)
        result = wal->disk->fdatasync(wal->disk->ctx, tail->fd);
    if (result < 0)
        return err_set_errno(err, -result, "%08x.wal: cannot sync its end", tail->form.number);
    return 0;
}

/* In large pages, where the kernel has some: a fault for each small one takes longer than what is
 * read into it. */
static char *image_map(size_t size)
{
    void *image = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (image == MAP_FAILED)
        return NULL;
    (void)madvise(image, size, MADV_HUGEPAGE);
    return image;
}

static int replay_tail(struct wal *wal, struct wal_segment *tail, struct err *err)
{
    char *image = image_map(tail->form.size);
    if (!image)
        return err_set_errno(err, errno, "%08x.wal: no memory to read it", tail->form.number);
    struct wal_scan scan = {.image = image, .form = tail->form};
    int result = wal_disk_read(wal->disk, tail->fd, image, tail->form.size, 0);
    if (result < 0)
        (void)err_set_errno(err, -result, "%08x.wal: cannot read it", tail->form.number);
    else
        result = replay_image(wal, tail, &scan, err);
    munmap(image, tail->form.size);
    return result;
}

static int replay(struct wal *wal, struct err *err)
{
    for (uint32_t i = 0; i < wal->n_segments; i++) {
        struct wal_segment *segment = wal->segments[i];
        int result =
            segment->is_sealed ? replay_sealed(wal, segment, err) : replay_tail(wal, segment, err);
        if (result < 0)
            return -1;
    }
    return 0;
}

/* ---- ready to append ------------------------------------------------------------------------- */

static bool has_active(const struct wal *wal)
{
    return wal->n_segments > 0 && !wal_active(wal)->is_sealed;
}

/* As far as a spare that becomes the active segment; the others are made while the log serves. */
static int make_active(struct wal *wal, struct err *err)
{
    while (wal->n_spares == 0 && wal_step(wal) > 0)
        (void)wal_collect(wal);
    if (wal->has_failed)
        return 0; /* and says so itself */
    if (wal->n_spares == 0)
        return err_set(
            err,
            "there is no room on the disk for a segment of %u bytes; make room, or, for a "
            "new log, say `queues { segment 8M }`",
            wal->size);
    wal_table_add(wal, wal->spares[0]);
    wal->n_spares--;
    memmove(&wal->spares[0], &wal->spares[1], wal->n_spares * sizeof(struct wal_segment *));
    wal_want_spares(wal);
    return 0;
}

static void write_pending(struct wal *wal)
{
    wal_flush(wal, true);
    while (wal_has_batches(wal))
        (void)wal_step(wal);
    (void)wal_collect(wal);
}

static int make_ready(struct wal *wal, struct err *err)
{
    wal->next_id = wal->ids_end ? wal->ids_end : 1;
    wal->ids_end = wal->next_id;
    wal->is_young = wal->n_segments == 0 && wal->n_spares < WAL_KEPT;
    wal_want_spares(wal);
    if (!has_active(wal) && make_active(wal, err) < 0)
        return -1;
    const struct wal_segment *active = wal->n_segments ? wal_active(wal) : NULL;
    if (!wal->has_failed && active && active->n_records == 0)
        wal_put_own(wal, WAL_TYPE_IDS, wal->ids_end);
    write_pending(wal);
    if (active && wal->appended_lsn == 0)
        wal->appended_lsn = wal_lsn(active->form.number, active->end);
    if (wal->has_failed)
        return err_set(err, "%s", wal->failure.text);
    return 0;
}

/* What was replayed is durable. */
static void set_lsn(struct wal *wal)
{
    if (wal->n_segments == 0)
        return;
    uint64_t lsn = wal_lsn(wal_active(wal)->form.number, wal_active(wal)->end);
    wal->appended_lsn = wal->durable_lsn = wal->synced_lsn = lsn;
    wal->shared.written_lsn = wal->shared.synced_lsn = lsn;
    wal->syncer.written_lsn = wal->syncer.synced_lsn = lsn;
}

static struct wal *create(const struct wal_options *options)
{
    struct wal *wal = MEM_NEW(struct wal);
    wal->options = *options;
    wal->disk = options->disk;
    wal->size = options->segment_bytes;
    wal->is_opening = true;
    list_init(&wal->flight);
    list_init(&wal->free);
    list_init(&wal->syncer.flying);
    list_init(&wal->shared.ready);
    list_init(&wal->shared.done);
    list_init(&wal->shared.tasks);
    list_init(&wal->shared.results);
    pthread_mutex_init(&wal->shared.lock, NULL);
    pthread_cond_init(&wal->shared.work, NULL);
    return wal;
}

static void destroy_batches(struct list *head, bool is_free)
{
    LIST_EACH (node, head) {
        struct wal_batch *batch = is_free ? LIST_ENTRY(node, struct wal_batch, queue)
                                          : LIST_ENTRY(node, struct wal_batch, flight);
        wal_batch_destroy(&batch);
    }
}

static void destroy_tasks(struct wal *wal, struct list *head)
{
    LIST_EACH (node, head) {
        struct wal_task *task = LIST_ENTRY(node, struct wal_task, queue);
        list_remove(node);
        if (task->fd >= 0)
            wal->disk->close(wal->disk->ctx, task->fd);
        mem_free(task);
    }
}

static void destroy(struct wal *wal)
{
    destroy_batches(&wal->flight, false);
    destroy_batches(&wal->free, true);
    wal_batch_destroy(&wal->filling);
    destroy_tasks(wal, &wal->shared.tasks);
    destroy_tasks(wal, &wal->shared.results);
    for (uint32_t i = 0; i < wal->n_spares; i++)
        wal_segment_destroy(wal, wal->spares[i]);
    for (uint32_t i = 0; i < wal->n_segments; i++)
        wal_segment_destroy(wal, wal->segments[i]);
    mem_free(wal->segments);
    text_deinit(&wal->footer);
    text_deinit(&wal->cleaner.footer);
    mem_free(wal->syncer.zeros);
    pthread_cond_destroy(&wal->shared.work);
    pthread_mutex_destroy(&wal->shared.lock);
    wal->disk->unlock(wal->disk->ctx);
    mem_free(wal);
}

/* The folder is synced in any case: what a killed process had changed may be in memory alone. */
static int forget_unfinished(const struct wal_disk *disk, const struct wal_files *files,
                             struct err *err)
{
    int result = files->has_new ? disk->unlink(disk->ctx, WAL_NEW_NAME) : 0;
    if (result == 0)
        result = disk->sync_dir(disk->ctx);
    return result < 0 ? err_set_errno(err, -result, "cannot change the log's folder") : 0;
}

static int load(struct wal *wal, struct err *err)
{
    struct wal_files files;
    int result = wal_files_list(wal->disk, &files, err);
    if (result == 0)
        result = forget_unfinished(wal->disk, &files, err);
    if (result == 0)
        result = open_segments(wal, &files, err);
    wal_files_deinit(&files);
    if (result < 0 || replay(wal, err) < 0)
        return -1;
    set_lsn(wal);
    return make_ready(wal, err);
}

bool wal_is_damage(const struct err *err)
{
    return err->number == EBADMSG || err->number == EIO;
}

int wal_open(const struct wal_options *options, struct wal **ret_wal, struct err *err)
{
    assert(options->segment_bytes >= WAL_SEGMENT_MIN && options->segment_bytes <= WAL_SEGMENT_MAX);
    assert(options->segment_bytes % 4096 == 0 && options->open_max > 0 && options->ids_ahead > 0);
    int result = options->disk->lock(options->disk->ctx);
    if (result < 0)
        return err_set_errno(err, -result, "another process has the log");
    struct wal *wal = create(options);
    if (load(wal, err) < 0) {
        destroy(wal);
        return -1;
    }
    wal->is_opening = false;
    *ret_wal = wal;
    return 0;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void drain(struct wal *wal)
{
    wal_want_sync(wal);
    while (wal_has_batches(wal))
        (void)wal_step(wal);
    (void)wal_collect(wal);
}

void wal_close(struct wal **wal)
{
    struct wal *old = *wal;
    if (!old)
        return;
    wal_set_notify(old, NULL, NULL);
    (void)wal_collect(old);
    drain(old);
    if (!old->has_failed && !old->is_marked &&
        wal_room(old, WAL_CHANGE, wal_record_cost(0, 0)) == 0) {
        wal_put_own(old, WAL_TYPE_MARK, 0);
        drain(old);
    }
    destroy(old);
    *wal = NULL;
}
