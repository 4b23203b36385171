/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The disk that forgets.
 */

#include "disk.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool happens(struct sim_disk *disk, unsigned one_in)
{
    return rng_below(&disk->rng, one_in) == 0;
}

/* ---- images ---------------------------------------------------------------------------------- */

static size_t n_sectors(size_t len)
{
    return (len + SIM_SECTOR - 1) / SIM_SECTOR;
}

static void image_resize(struct sim_image *image, size_t len)
{
    if (len == image->len)
        return;
    image->bytes = mem_realloc(image->bytes, len);
    if (len > image->len)
        memset(image->bytes + image->len, 0, len - image->len);
    image->len = len;
}

static void file_resize(struct sim_file *file, size_t len)
{
    size_t before = n_sectors(file->now.len), after = n_sectors(len);
    image_resize(&file->now, len);
    file->dirty = mem_realloc(file->dirty, after * sizeof(bool));
    for (size_t i = before; i < after; i++)
        file->dirty[i] = true;
}

/* The sector reaches the medium, as far as the medium's file is long. */
static void sector_store(struct sim_file *file, size_t sector)
{
    size_t from = sector * SIM_SECTOR, end = from + SIM_SECTOR;
    end = end < file->now.len ? end : file->now.len;
    end = end < file->medium.len ? end : file->medium.len;
    if (from < end)
        memcpy(file->medium.bytes + from, file->now.bytes + from, end - from);
    file->dirty[sector] = false;
}

static void file_store(struct sim_file *file)
{
    image_resize(&file->medium, file->now.len);
    for (size_t i = 0; i < n_sectors(file->now.len); i++) {
        if (file->dirty[i])
            sector_store(file, i);
    }
}

static void file_forget(struct sim_file *file)
{
    mem_free(file->now.bytes);
    mem_free(file->medium.bytes);
    mem_free(file->dirty);
    *file = (struct sim_file){.is_used = false};
}

/* What is left of a file when the power is gone. */
static void file_cut(struct sim_disk *disk, struct sim_file *file)
{
    if (happens(disk, 2))
        image_resize(&file->medium, file->now.len);
    for (size_t i = 0; i < n_sectors(file->now.len); i++) {
        if (file->dirty[i] && happens(disk, 2))
            sector_store(file, i);
    }
    file_resize(file, file->medium.len);
    if (file->medium.len > 0)
        memcpy(file->now.bytes, file->medium.bytes, file->medium.len);
    for (size_t i = 0; i < n_sectors(file->now.len); i++)
        file->dirty[i] = false;
}

/* ---- names ----------------------------------------------------------------------------------- */

static int dir_find(const struct sim_dir *dir, const char *name)
{
    for (unsigned i = 0; i < dir->n; i++) {
        if (strcmp(dir->names[i].name, name) == 0)
            return dir->names[i].file;
    }
    return -1;
}

static void dir_set(struct sim_dir *dir, const char *name, int file)
{
    unsigned i = 0;
    while (i < dir->n && strcmp(dir->names[i].name, name) != 0)
        i++;
    if (file < 0) {
        if (i < dir->n)
            dir->names[i] = dir->names[--dir->n];
        return;
    }
    assert(i < SIM_FILES_MAX);
    if (i == dir->n)
        dir->n++;
    (void)snprintf(dir->names[i].name, SIM_NAME_MAX, "%s", name);
    dir->names[i].file = file;
}

static void dir_apply(struct sim_dir *dir, const struct sim_op *op)
{
    if (op->from[0])
        dir_set(dir, op->from, -1);
    if (op->to[0])
        dir_set(dir, op->to, op->file);
}

static bool dir_holds(const struct sim_dir *dir, int file)
{
    for (unsigned i = 0; i < dir->n; i++) {
        if (dir->names[i].file == file)
            return true;
    }
    return false;
}

static void op_add(struct sim_disk *disk, const char *from, const char *to, int file)
{
    assert(disk->n_ops < SIM_OPS_MAX);
    struct sim_op *op = &disk->ops[disk->n_ops++];
    *op = (struct sim_op){.file = file};
    (void)snprintf(op->from, SIM_NAME_MAX, "%s", from);
    (void)snprintf(op->to, SIM_NAME_MAX, "%s", to);
    dir_apply(&disk->now, op);
}

/* Files that neither list names. */
static void sweep(struct sim_disk *disk)
{
    for (int i = 0; i < SIM_FILES_MAX; i++) {
        if (disk->files[i].is_used && !dir_holds(&disk->now, i) && !dir_holds(&disk->medium, i))
            file_forget(&disk->files[i]);
    }
}

static uint64_t used_bytes(const struct sim_disk *disk)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < disk->now.n; i++)
        sum += disk->files[disk->now.names[i].file].now.len;
    return sum;
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void wander(struct sim_disk *disk)
{
    struct sim_file *file = &disk->files[rng_below(&disk->rng, SIM_FILES_MAX)];
    size_t n = n_sectors(file->now.len);
    for (int i = 0; n > 0 && i < 4; i++) {
        size_t sector = rng_below(&disk->rng, n);
        if (file->dirty[sector])
            sector_store(file, sector);
    }
}

enum outcome { GOES_ON, FAILS, IS_CUT, IS_OFF };

/* Before every operation that changes something. */
static enum outcome begin(struct sim_disk *disk, const char *what)
{
    if (disk->is_dead)
        return IS_OFF;
    if (disk->meanwhile)
        disk->meanwhile(disk->meanwhile_ctx);
    disk->n_done++;
    disk->clock_ns += 1000 + rng_below(&disk->rng, 100000);
    if (disk->is_busy)
        wander(disk);
    if (disk->is_verbose)
        printf("  op %llu: %s%s\n", (unsigned long long)disk->n_done, what,
               disk->n_done == disk->cut_at ? ", and the power is gone" : "");
    if (disk->n_done == disk->cut_at) {
        disk->is_dead = true;
        return IS_CUT;
    }
    if (disk->n_done == disk->fail_at) {
        disk->has_failed = true;
        return FAILS;
    }
    return GOES_ON;
}

/* ---- the table ------------------------------------------------------------------------------- */

static int sim_open(void *ctx, const char *name, int is_new)
{
    struct sim_disk *disk = ctx;
    int file = dir_find(&disk->now, name);
    if (disk->is_dead)
        return -EIO;
    if (!is_new)
        return file >= 0 ? file : -ENOENT;
    if (begin(disk, "make") != GOES_ON)
        return -EIO;
    sweep(disk);
    file = 0;
    while (file < SIM_FILES_MAX && disk->files[file].is_used)
        file++;
    assert(file < SIM_FILES_MAX);
    disk->files[file].is_used = true;
    op_add(disk, "", name, file);
    return file;
}

static void sim_close(void *ctx, int fd)
{
    (void)ctx;
    (void)fd;
}

static long sim_pwrite(void *ctx, int fd, const void *bytes, size_t len, uint64_t offset)
{
    struct sim_disk *disk = ctx;
    struct sim_file *file = &disk->files[fd];
    char what[64];
    (void)snprintf(what, sizeof(what), "write %zu bytes at %llu of file %d", len,
                   (unsigned long long)offset, fd);
    enum outcome outcome = begin(disk, what);
    if (outcome == IS_OFF || outcome == FAILS)
        return -EIO;
    if (disk->is_shy && len > 1 && happens(disk, 6))
        len = 1 + rng_below(&disk->rng, len - 1);
    if (offset + len > file->now.len)
        file_resize(file, offset + len);
    memcpy(file->now.bytes + offset, bytes, len);
    for (size_t i = offset / SIM_SECTOR; len > 0 && i <= (offset + len - 1) / SIM_SECTOR; i++)
        file->dirty[i] = true;
    return outcome == IS_CUT ? -EIO : (long)len;
}

static long sim_pread(void *ctx, int fd, void *bytes, size_t len, uint64_t offset)
{
    struct sim_disk *disk = ctx;
    const struct sim_file *file = &disk->files[fd];
    if (disk->is_dead)
        return -EIO;
    if (offset >= file->now.len)
        return 0;
    len = len < file->now.len - offset ? len : file->now.len - offset;
    if (disk->is_shy && len > 1 && happens(disk, 20))
        len = 1 + rng_below(&disk->rng, len - 1);
    memcpy(bytes, file->now.bytes + offset, len);
    return (long)len;
}

static int sim_fdatasync(void *ctx, int fd)
{
    struct sim_disk *disk = ctx;
    struct sim_file *file = &disk->files[fd];
    char what[32];
    (void)snprintf(what, sizeof(what), "sync file %d", fd);
    enum outcome outcome = begin(disk, what);
    if (outcome == FAILS) /* the kernel forgets what it could not write */
        memset(file->dirty, 0, n_sectors(file->now.len) * sizeof(bool));
    if (outcome != GOES_ON)
        return -EIO;
    file_store(file);
    return 0;
}

static int sim_fallocate(void *ctx, int fd, uint64_t len)
{
    struct sim_disk *disk = ctx;
    if (begin(disk, "allocate") != GOES_ON)
        return -EIO;
    if (disk->room_bytes && used_bytes(disk) + len > disk->room_bytes)
        return -ENOSPC;
    file_resize(&disk->files[fd], len);
    return 0;
}

static long sim_size(void *ctx, int fd)
{
    struct sim_disk *disk = ctx;
    return disk->is_dead ? -EIO : (long)disk->files[fd].now.len;
}

static int sim_rename(void *ctx, const char *from, const char *to)
{
    struct sim_disk *disk = ctx;
    char what[64];
    (void)snprintf(what, sizeof(what), "rename %s to %s", from, to);
    enum outcome outcome = begin(disk, what);
    int file = dir_find(&disk->now, from);
    if (outcome == IS_OFF || outcome == FAILS)
        return -EIO;
    if (file < 0)
        return -ENOENT;
    op_add(disk, from, to, file);
    return outcome == IS_CUT ? -EIO : 0;
}

static int sim_unlink(void *ctx, const char *name)
{
    struct sim_disk *disk = ctx;
    char what[64];
    (void)snprintf(what, sizeof(what), "remove %s", name);
    enum outcome outcome = begin(disk, what);
    if (outcome == IS_OFF || outcome == FAILS)
        return -EIO;
    if (dir_find(&disk->now, name) < 0)
        return -ENOENT;
    op_add(disk, name, "", -1);
    return outcome == IS_CUT ? -EIO : 0;
}

static int sim_list(void *ctx, void (*each)(void *arg, const char *name), void *arg)
{
    struct sim_disk *disk = ctx;
    if (disk->is_dead)
        return -EIO;
    for (unsigned i = 0; i < disk->now.n; i++)
        each(arg, disk->now.names[i].name);
    return 0;
}

static int sim_sync_dir(void *ctx)
{
    struct sim_disk *disk = ctx;
    if (begin(disk, "sync the folder") != GOES_ON)
        return -EIO;
    disk->medium = disk->now;
    disk->n_ops = 0;
    return 0;
}

static int sim_lock(void *ctx)
{
    struct sim_disk *disk = ctx;
    if (disk->is_locked)
        return -EWOULDBLOCK;
    disk->is_locked = true;
    return 0;
}

static void sim_unlock(void *ctx)
{
    struct sim_disk *disk = ctx;
    disk->is_locked = false;
}

static uint64_t sim_now_ns(void *ctx)
{
    const struct sim_disk *disk = ctx;
    return disk->clock_ns;
}

/* ---- lives ----------------------------------------------------------------------------------- */

void sim_disk_init(struct sim_disk *disk, uint64_t seed)
{
    memset(disk, 0, sizeof(*disk));
    rng_init(&disk->rng, seed);
    disk->clock_ns = 1;
    disk->table = (struct wal_disk){.ctx = disk,
                                    .open = sim_open,
                                    .close = sim_close,
                                    .pwrite = sim_pwrite,
                                    .pread = sim_pread,
                                    .pread_now = sim_pread,
                                    .fdatasync = sim_fdatasync,
                                    .fallocate = sim_fallocate,
                                    .size = sim_size,
                                    .rename = sim_rename,
                                    .unlink = sim_unlink,
                                    .list = sim_list,
                                    .sync_dir = sim_sync_dir,
                                    .lock = sim_lock,
                                    .unlock = sim_unlock,
                                    .now_ns = sim_now_ns};
}

void sim_disk_deinit(struct sim_disk *disk)
{
    for (int i = 0; i < SIM_FILES_MAX; i++)
        file_forget(&disk->files[i]);
}

static void revive(struct sim_disk *disk)
{
    disk->is_dead = disk->is_locked = disk->has_failed = false;
    disk->cut_at = disk->fail_at = 0;
}

void sim_disk_power_cut(struct sim_disk *disk)
{
    unsigned n_kept = disk->n_ops ? (unsigned)rng_below(&disk->rng, disk->n_ops + 1) : 0;
    for (unsigned i = 0; i < n_kept; i++)
        dir_apply(&disk->medium, &disk->ops[i]);
    disk->n_ops = 0;
    disk->now = disk->medium;
    sweep(disk);
    for (int i = 0; i < SIM_FILES_MAX; i++) {
        if (disk->files[i].is_used)
            file_cut(disk, &disk->files[i]);
    }
    revive(disk);
}

void sim_disk_killed(struct sim_disk *disk)
{
    revive(disk);
}

struct sim_bit sim_disk_pick_bit(struct sim_disk *disk)
{
    int file = disk->now.names[rng_below(&disk->rng, disk->now.n)].file;
    return (struct sim_bit){.file = file,
                            .at = rng_below(&disk->rng, disk->files[file].now.len),
                            .bit = (unsigned)rng_below(&disk->rng, 8)};
}

void sim_disk_flip(struct sim_disk *disk, struct sim_bit bit)
{
    struct sim_file *file = &disk->files[bit.file];
    file->now.bytes[bit.at] = (char)(file->now.bytes[bit.at] ^ 1 << bit.bit);
    if (bit.at < file->medium.len)
        file->medium.bytes[bit.at] = (char)(file->medium.bytes[bit.at] ^ 1 << bit.bit);
}

static struct sim_image image_copy(const struct sim_image *from)
{
    struct sim_image to = {.bytes = mem_alloc(from->len), .len = from->len};
    if (from->len > 0)
        memcpy(to.bytes, from->bytes, from->len);
    return to;
}

void sim_disk_copy(const struct sim_disk *from, struct sim_disk *to)
{
    *to = *from;
    to->table.ctx = to;
    for (int i = 0; i < SIM_FILES_MAX; i++) {
        const struct sim_file *file = &from->files[i];
        size_t n = n_sectors(file->now.len) * sizeof(bool);
        to->files[i] = (struct sim_file){.now = image_copy(&file->now),
                                         .medium = image_copy(&file->medium),
                                         .dirty = mem_alloc(n),
                                         .is_used = file->is_used};
        if (n > 0)
            memcpy(to->files[i].dirty, file->dirty, n);
    }
}
