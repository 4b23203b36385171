/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The syncing side: takes all batches that are ready, writes them, makes them durable with one
 * sync, and says so. Between batches it makes segments and removes them, a piece at a time.
 *
 * The order that everything rests on: a segment's records are synced before its footer is written,
 * the footer before anything goes into the next segment, and a batch is called durable after its
 * sync. The first error ends the log.
 */
#include "wal/internal.h"

#include <assert.h>

static int failed(struct wal *wal, int error, const char *what, const struct wal_segment *segment)
{
    struct wal_shared *shared = &wal->shared;
    pthread_mutex_lock(&shared->lock);
    if (!shared->has_failed) {
        shared->has_failed = true;
        (void)err_set_errno(&shared->failure, -error, "cannot %s %08x.wal", what,
                            segment ? segment->form.number : 0);
    }
    pthread_mutex_unlock(&shared->lock);
    return -1;
}

static int sync_dirty(struct wal *wal)
{
    struct wal_segment *dirty = wal->syncer.dirty;
    if (!dirty)
        return 0;
    wal->syncer.dirty = NULL;
    int result =
        wal_has_rule(wal, WAL_RULE_DATA_SYNC) ? wal->disk->fdatasync(wal->disk->ctx, dirty->fd) : 0;
    return result < 0 ? failed(wal, result, "sync", dirty) : 0;
}

/* Footer and trailer of a segment whose records are written. */
static int write_seal(struct wal *wal, const struct wal_run *run)
{
    struct wal_segment *segment = run->segment;
    uint32_t end = run->offset + (uint32_t)run->len;
    struct slice footer = text_slice(&run->footer);
    struct wal_trailer trailer = {.records_end = end,
                                  .footer_bytes = (uint32_t)footer.len,
                                  .n_records = run->n_records,
                                  .footer_crc = wal_footer_sum(&segment->form, end, footer)};
    char bytes[WAL_TRAILER_BYTES];
    wal_trailer_write(&segment->form, &trailer, bytes);
    if (wal_has_rule(wal, WAL_RULE_SEAL) && sync_dirty(wal) < 0)
        return -1;
    int result = wal_disk_write(wal->disk, segment->fd, footer.ptr, footer.len, end);
    if (result == 0)
        result = wal_disk_write(wal->disk, segment->fd, bytes, sizeof(bytes),
                                segment->form.size - WAL_TRAILER_BYTES);
    if (result < 0)
        return failed(wal, result, "seal", segment);
    wal->syncer.dirty = segment;
    return wal_has_rule(wal, WAL_RULE_SEAL) ? sync_dirty(wal) : 0;
}

static int write_run(struct wal *wal, const struct wal_batch *batch, const struct wal_run *run)
{
    if (wal->syncer.dirty && wal->syncer.dirty != run->segment && sync_dirty(wal) < 0)
        return -1; /* only without WAL_RULE_SEAL */
    int result = wal_disk_write(wal->disk, run->segment->fd, batch->bytes.ptr + run->from, run->len,
                                run->offset);
    if (result < 0)
        return failed(wal, result, "write", run->segment);
    if (run->len > 0)
        wal->syncer.dirty = run->segment;
    return run->is_sealing ? write_seal(wal, run) : 0;
}

static int write_batch(struct wal *wal, const struct wal_batch *batch)
{
    for (uint32_t i = 0; i < batch->n_runs; i++) {
        if (write_run(wal, batch, &batch->runs[i]) < 0)
            return -1;
    }
    wal->syncer.written_lsn = batch->lsn;
    return 0;
}

/* Says what is done, and gives back the batches that are written. */
static void publish(struct wal *wal, uint64_t took_us)
{
    struct wal_shared *shared = &wal->shared;
    pthread_mutex_lock(&shared->lock);
    shared->written_lsn = wal->syncer.written_lsn;
    shared->synced_lsn = wal->syncer.synced_lsn;
    shared->n_syncs++;
    shared->sync_us[hist_bucket(took_us)]++;
    list_move_all(&shared->done, &wal->syncer.flying);
    pthread_mutex_unlock(&shared->lock);
}

/* All that was taken, with one sync at the end where that is wanted. */
static int commit(struct wal *wal, bool is_sync_wanted)
{
    struct wal_syncer *syncer = &wal->syncer;
    uint64_t began_ns = wal->disk->now_ns(wal->disk->ctx);
    if (!wal_has_rule(wal, WAL_RULE_ACK_LAST) && !list_is_empty(&syncer->flying)) {
        pthread_mutex_lock(&wal->shared.lock);
        wal->shared.synced_lsn = LIST_ENTRY(syncer->flying.prev, struct wal_batch, queue)->lsn;
        pthread_mutex_unlock(&wal->shared.lock);
    }
    LIST_EACH (node, &syncer->flying) {
        if (write_batch(wal, LIST_ENTRY(node, struct wal_batch, queue)) < 0)
            return -1;
    }
    if (wal_sync_is_durable(wal->options.sync) || is_sync_wanted) {
        if (sync_dirty(wal) < 0)
            return -1;
        syncer->synced_lsn = syncer->written_lsn;
    }
    publish(wal, (wal->disk->now_ns(wal->disk->ctx) - began_ns) / 1000);
    return 0;
}

/* A piece of the first task. */
static void work_task(struct wal *wal, struct wal_task *task)
{
    struct wal_shared *shared = &wal->shared;
    if (wal_task_step(wal, task) == 0)
        return;
    pthread_mutex_lock(&shared->lock);
    list_remove(&task->queue);
    list_add_back(&shared->results, &task->queue);
    pthread_mutex_unlock(&shared->lock);
}

void wal_set_notify(struct wal *wal, void (*notify)(void *ctx), void *ctx)
{
    wal->syncer.notify = notify;
    wal->syncer.notify_ctx = ctx;
}

static void notify(const struct wal *wal)
{
    if (wal->syncer.notify)
        wal->syncer.notify(wal->syncer.notify_ctx);
}

int wal_step(struct wal *wal)
{
    struct wal_shared *shared = &wal->shared;
    pthread_mutex_lock(&shared->lock);
    bool is_over = shared->has_failed;
    bool is_sync_wanted = shared->is_sync_wanted;
    struct wal_task *task = LIST_FIRST(&shared->tasks, struct wal_task, queue);
    if (!is_over) {
        shared->is_sync_wanted = false;
        list_move_all(&wal->syncer.flying, &shared->ready);
    }
    pthread_mutex_unlock(&shared->lock);
    bool has_batch = !list_is_empty(&wal->syncer.flying);
    if (is_over || (!has_batch && !is_sync_wanted && !task))
        return 0;
    int result = has_batch || is_sync_wanted ? commit(wal, is_sync_wanted) : 0;
    notify(wal);
    if (task && result == 0) {
        work_task(wal, task);
        notify(wal);
    }
    return 1;
}

bool wal_has_batches(struct wal *wal)
{
    pthread_mutex_lock(&wal->shared.lock);
    bool has = !wal->shared.has_failed &&
               (!list_is_empty(&wal->shared.ready) || wal->shared.is_sync_wanted);
    pthread_mutex_unlock(&wal->shared.lock);
    return has;
}

void wal_wait(struct wal *wal)
{
    struct wal_shared *shared = &wal->shared;
    pthread_mutex_lock(&shared->lock);
    while (!shared->is_woken &&
           (shared->has_failed || (list_is_empty(&shared->ready) && list_is_empty(&shared->tasks) &&
                                   !shared->is_sync_wanted)))
        pthread_cond_wait(&shared->work, &shared->lock);
    shared->is_woken = false;
    pthread_mutex_unlock(&shared->lock);
}

void wal_wake_all(struct wal *wal)
{
    pthread_mutex_lock(&wal->shared.lock);
    wal->shared.is_woken = true;
    pthread_cond_broadcast(&wal->shared.work);
    pthread_mutex_unlock(&wal->shared.lock);
}
