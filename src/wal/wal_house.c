/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How segments come and go. A new one is made under another name, filled with zeros a piece at a
 * time, given its header, synced, renamed, and the directory synced: whatever has a segment's name
 * is whole. One that the cleaner has emptied becomes the next spare in the same way, without the
 * zeros, or is removed.
 *
 *     make:     new.wal: fallocate, zeros ... sync -> header, sync -> rename -> sync_dir
 *     recycle:  rename to new.wal -> sync_dir      -> header, sync -> rename -> sync_dir
 *     remove:   unlink -> sync_dir
 */
#include "base/hash.h"
#include "wal/internal.h"

#include <assert.h>
#include <errno.h>

/* ---- the owner's side ------------------------------------------------------------------------ */

static void push(struct wal *wal, struct wal_task *task)
{
    wal->n_tasks++;
    pthread_mutex_lock(&wal->shared.lock);
    list_add_back(&wal->shared.tasks, &task->queue);
    pthread_mutex_unlock(&wal->shared.lock);
    pthread_cond_signal(&wal->shared.work); /* behind the lock, or who wakes waits for it at once */
}

static struct wal_task *task_create(struct wal *wal, enum wal_task_kind kind, uint32_t size)
{
    struct wal_task *task = MEM_NEW(struct wal_task);
    list_init(&task->queue);
    task->kind = kind;
    task->fd = -1;
    if (kind == WAL_TASK_REMOVE)
        return task;
    uint32_t number = wal->next_number++;
    task->form = (struct wal_form){.number = number,
                                   .size = size,
                                   .salt = hash_mix(wal->options.salt + number),
                                   .is_seeded = wal_has_rule(wal, WAL_RULE_SEED)};
    return task;
}

void wal_want_spares(struct wal *wal)
{
    while (!wal->is_full && wal->n_spares + wal->n_tasks < WAL_SPARES) {
        uint32_t n_files = wal->n_segments + wal->n_spares + wal->n_tasks;
        if (wal->options.segments_max > 0 && n_files >= wal->options.segments_max)
            wal->is_full = true;
        else
            push(wal, task_create(wal, WAL_TASK_MAKE, wal->size));
    }
}

void wal_want_gone(struct wal *wal, struct wal_segment *segment)
{
    bool is_spare = wal->n_spares + wal->n_tasks < WAL_SPARES && segment->form.size == wal->size;
    struct wal_task *task =
        task_create(wal, is_spare ? WAL_TASK_RECYCLE : WAL_TASK_REMOVE, segment->form.size);
    task->old = segment->form.number;
    task->fd = segment->fd;
    if (segment->fd >= 0)
        wal->n_open--;
    segment->fd = -1;
    push(wal, task);
}

static void add_spare(struct wal *wal, const struct wal_task *task)
{
    assert(wal->n_spares < ARRAY_LEN(wal->spares));
    wal->spares[wal->n_spares++] = wal_segment_create(&task->form, task->fd);
    if (wal->n_spares >= WAL_KEPT)
        wal->is_young = false;
}

void wal_task_ended(struct wal *wal, struct wal_task *take_task)
{
    struct wal_task *task = take_task;
    wal->n_tasks--;
    if (task->error == 0) {
        if (task->old) {
            wal->cleaner.phase = WAL_CLEAN_IDLE;
            wal->cleaner.is_leaving = false;
            wal->cleaner.victim = NULL;
            wal->is_pressed = false;
            wal_table_gone(wal, wal_find(wal, task->old));
            wal->counts.n_removed++;
        }
        if (task->kind != WAL_TASK_REMOVE)
            add_spare(wal, task);
        if (task->kind == WAL_TASK_RECYCLE)
            wal->counts.n_recycled++;
        wal->is_full = false; /* room has changed: the limit and the disk are asked anew */
        wal_want_spares(wal);
    } else {
        wal->is_full = true; /* whatever else it was has ended the log */
    }
    mem_free(task);
}

/* ---- the syncing side ------------------------------------------------------------------------ */

static int sync_dir(struct wal *wal)
{
    return wal_has_rule(wal, WAL_RULE_DIR_SYNC) ? wal->disk->sync_dir(wal->disk->ctx) : 0;
}

/* The next piece of zeros; 1: there is more to write. */
static int write_zeros(struct wal *wal, struct wal_task *task)
{
    size_t chunk = wal_zero_chunk(wal->size);
    if (!wal->syncer.zeros)
        wal->syncer.zeros = mem_alloc_zero(1, chunk);
    uint64_t left = task->form.size - task->n_zeroed;
    size_t len = left < chunk ? (size_t)left : chunk;
    int result = wal_disk_write(wal->disk, task->fd, wal->syncer.zeros, len, task->n_zeroed);
    if (result == 0)
        result = wal->disk->fdatasync(wal->disk->ctx, task->fd);
    if (result < 0)
        return result;
    task->n_zeroed += len;
    return task->n_zeroed < task->form.size;
}

/* Gives it a header and its name. */
static int finish(struct wal *wal, struct wal_task *task)
{
    const struct wal_disk *disk = wal->disk;
    char bytes[WAL_RECORDS_BEGIN], name[WAL_NAME_MAX];
    wal_form_write(&task->form, bytes);
    wal_name(task->form.number, name);
    int result = wal_disk_write(disk, task->fd, bytes, sizeof(bytes), 0);
    if (result == 0)
        result = disk->fdatasync(disk->ctx, task->fd);
    if (result == 0)
        result = disk->rename(disk->ctx, WAL_NEW_NAME, name);
    if (result == 0)
        result = sync_dir(wal);
    return result;
}

/* As all steps: 1: there is more to do; 0: done; -errno. */
static int step_make(struct wal *wal, struct wal_task *task)
{
    const struct wal_disk *disk = wal->disk;
    if (task->fd < 0) {
        int fd = disk->open(disk->ctx, WAL_NEW_NAME, true);
        if (fd < 0)
            return fd;
        task->fd = fd;
        int result = disk->fallocate(disk->ctx, fd, task->form.size);
        return result < 0 ? result : 1;
    }
    if (task->n_zeroed < task->form.size) {
        int result = write_zeros(wal, task);
        return result < 0 ? result : 1;
    }
    return finish(wal, task);
}

static int open_old(struct wal *wal, struct wal_task *task, const char *name)
{
    if (task->fd >= 0)
        return 0;
    task->fd = wal->disk->open(wal->disk->ctx, name, false);
    return task->fd < 0 ? task->fd : 0;
}

static int step_recycle(struct wal *wal, struct wal_task *task)
{
    char name[WAL_NAME_MAX];
    if (task->n_steps > 1)
        return finish(wal, task);
    wal_name(task->old, name);
    int result = open_old(wal, task, name);
    if (result == 0)
        result = wal->disk->rename(wal->disk->ctx, name, WAL_NEW_NAME);
    if (result == 0)
        result = sync_dir(wal);
    return result < 0 ? result : 1;
}

static int step_remove(struct wal *wal, struct wal_task *task)
{
    char name[WAL_NAME_MAX];
    wal_name(task->old, name);
    int result = wal->disk->unlink(wal->disk->ctx, name);
    if (result == 0)
        result = sync_dir(wal);
    return result;
}

static bool is_full(int error)
{
    return error == -ENOSPC || error == -EDQUOT;
}

/* A full disk is told to the owner; anything else ends the log. */
static void task_failed(struct wal *wal, struct wal_task *task)
{
    struct wal_shared *shared = &wal->shared;
    if (task->kind == WAL_TASK_MAKE && is_full(task->error)) {
        (void)wal->disk->unlink(wal->disk->ctx, WAL_NEW_NAME);
        return;
    }
    pthread_mutex_lock(&shared->lock);
    if (!shared->has_failed) {
        static const char *const verbs[] = {"make", "use again", "remove"};
        shared->has_failed = true;
        (void)err_set_errno(&shared->failure, -task->error, "cannot %s %08x.wal", verbs[task->kind],
                            task->old ? task->old : task->form.number);
    }
    pthread_mutex_unlock(&shared->lock);
}

int wal_task_step(struct wal *wal, struct wal_task *task)
{
    static int (*const steps[])(struct wal *, struct wal_task *) = {step_make, step_recycle,
                                                                    step_remove};
    task->n_steps++;
    int result = steps[task->kind](wal, task);
    if (result > 0)
        return 0;
    if (result < 0) {
        task->error = result;
        task_failed(wal, task);
    }
    if (task->fd >= 0 && (result < 0 || task->kind == WAL_TASK_REMOVE)) {
        wal->disk->close(wal->disk->ctx, task->fd);
        task->fd = -1;
    }
    return 1;
}
