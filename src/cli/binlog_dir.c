/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Files of a binlog in the order of their numbers, and what their records make of jobs.
 */

#include "cli/binlog_dir.h"

#include "base/mem.h"
#include "base/text.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_PREFIX SLICE("binlog.")

/* ---- the directory --------------------------------------------------------------------------- */

/* beanstalkd locks a file of the directory while it runs. */
static int check_lock(int dir_fd, const char *path, struct err *err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = openat(dir_fd, "lock", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0; /* a copy, or one that it never had */
    int result = fcntl(fd, F_GETLK, &lock);
    close(fd);
    if (result == 0 && lock.l_type != F_UNLCK)
        return err_set(err, "%s: a beanstalkd (process %d) has it: stop that first", path,
                       (int)lock.l_pid);
    return 0;
}

static int by_number(const void *a, const void *b)
{
    uint64_t numbers[2] = {*(const uint64_t *)a, *(const uint64_t *)b};
    return (numbers[0] > numbers[1]) - (numbers[0] < numbers[1]);
}

/* The numbers of its files, sorted; of mem_alloc(). Returns how many. */
static size_t list_files(DIR *folder, uint64_t **ret_numbers)
{
    uint64_t *numbers = NULL, number = 0;
    size_t n = 0, cap = 0;
    const struct dirent *entry;
    while ((entry = readdir(folder))) {
        struct slice name = slice_from(entry->d_name);
        if (!slice_starts(name, FILE_PREFIX) ||
            slice_to_u64(slice_skip(name, FILE_PREFIX.len), &number) < 0)
            continue;
        if (n == cap) {
            cap = cap ? 2 * cap : 16;
            numbers = mem_realloc(numbers, cap * sizeof(*numbers));
        }
        numbers[n++] = number;
    }
    if (n > 0)
        qsort(numbers, n, sizeof(*numbers), by_number);
    *ret_numbers = numbers;
    return n;
}

static int map_file(int dir_fd, const char *name, struct slice *ret_bytes, struct err *err)
{
    struct stat stat;
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    void *bytes = NULL;
    if (fd < 0)
        return err_set_errno(err, errno, "cannot open %s", name);
    if (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode)) {
        close(fd);
        return err_set(err, "%s is no file", name);
    }
    if (stat.st_size > 0)
        bytes = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    int error = errno;
    close(fd);
    if (bytes == MAP_FAILED)
        return err_set_errno(err, error, "cannot read %s", name);
    *ret_bytes = slice_make(bytes, (size_t)stat.st_size);
    return 0;
}

/* ---- records --------------------------------------------------------------------------------- */

static struct slice key_of(const struct binlog_record *record)
{
    return slice_make((const char *)&record->id, sizeof(record->id));
}

static void apply(struct binlog_dir *dir, const struct binlog_record *record)
{
    struct binlog_record *known = map_get(&dir->by_id, key_of(record));
    if (!known && (record->tube.len == 0 || record->state == BINLOG_GONE))
        return;
    if (record->state == BINLOG_GONE) {
        mem_free(map_remove(&dir->by_id, key_of(record)));
        return;
    }
    if (!known) {
        known = mem_alloc(sizeof(*known));
        *known = *record;
        map_put(&dir->by_id, key_of(known), known);
        return;
    }
    struct slice tube = record->tube.len > 0 ? record->tube : known->tube;
    struct slice body = record->tube.len > 0 ? record->body : known->body;
    *known = *record;
    known->tube = tube;
    known->body = body;
}

/* What is left where a file is full but for less than a record. */
static bool is_zeros(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.ptr[i] != 0)
            return false;
    return true;
}

static int read_file(struct binlog_dir *dir, const char *name, struct slice file, struct err *err)
{
    struct binlog_record record = {.id = 0};
    size_t at = BINLOG_HEAD_BYTES;
    int64_t version = binlog_version(file);
    if (version < 0)
        return 0; /* it was made, and nothing written */
    if (version != BINLOG_VERSION)
        return err_set(err, "%s has version %" PRId64 " of the format, not %d (beanstalkd 1.10 on)",
                       name, version, BINLOG_VERSION);
    assert(file.ptr);
    while (at < file.len) {
        ssize_t n = binlog_read(slice_skip(file, at), &record);
        if (n < 0)
            return err_set(err, "%s: there is no record at byte %zu", name, at);
        dir->n_torn += n == 0 && !is_zeros(slice_skip(file, at));
        if (n == 0 || record.id == 0)
            break;
        apply(dir, &record);
        at += (size_t)n;
    }
    return 0;
}

static int by_id(const void *a, const void *b)
{
    const struct binlog_record *const *jobs[2] = {a, b};
    return ((*jobs[0])->id > (*jobs[1])->id) - ((*jobs[0])->id < (*jobs[1])->id);
}

static void sort_jobs(struct binlog_dir *dir)
{
    struct slice key;
    struct binlog_record *job;
    uint32_t cursor = 0;
    dir->jobs = MEM_NEW_ARRAY(struct binlog_record *, dir->by_id.n_live + 1);
    while ((job = map_next(&dir->by_id, &cursor, &key)))
        dir->jobs[dir->n_jobs++] = job;
    qsort(dir->jobs, dir->n_jobs, sizeof(struct binlog_record *), by_id);
}

static int read_files(struct binlog_dir *dir, int dir_fd, const uint64_t *numbers, size_t n,
                      struct err *err)
{
    dir->files = MEM_NEW_ARRAY(struct slice, n);
    for (size_t i = 0; i < n; i++) {
        struct text name = TEXT_NONE;
        text_printf(&name, "binlog.%" PRIu64, numbers[i]);
        int result = map_file(dir_fd, text_cstr(&name), &dir->files[i], err);
        dir->n_files += result == 0;
        if (result == 0)
            result = read_file(dir, text_cstr(&name), dir->files[i], err);
        text_deinit(&name);
        if (result < 0)
            return -1;
    }
    sort_jobs(dir);
    return 0;
}

int binlog_dir_open(const char *path, struct binlog_dir *ret_dir, struct err *err)
{
    uint64_t *numbers = NULL;
    *ret_dir = (struct binlog_dir){.files = NULL};
    map_init(&ret_dir->by_id, 0, false);
    DIR *folder = opendir(path);
    if (!folder)
        return err_set_errno(err, errno, "cannot open %s", path);
    int result = check_lock(dirfd(folder), path, err);
    size_t n = result == 0 ? list_files(folder, &numbers) : 0;
    if (result == 0 && n == 0)
        result = err_set(err, "%s has no binlog.N of a beanstalkd", path);
    if (result == 0)
        result = read_files(ret_dir, dirfd(folder), numbers, n, err);
    mem_free(numbers);
    closedir(folder);
    return result;
}

void binlog_dir_close(struct binlog_dir *dir)
{
    struct slice key;
    uint32_t cursor = 0;
    struct binlog_record *job;
    while ((job = map_next(&dir->by_id, &cursor, &key)))
        mem_free(job);
    map_deinit(&dir->by_id);
    for (size_t i = 0; i < dir->n_files; i++)
        if (dir->files[i].ptr)
            munmap((void *)(uintptr_t)dir->files[i].ptr, dir->files[i].len);
    mem_free(dir->files);
    mem_free(dir->jobs);
    *dir = (struct binlog_dir){.files = NULL};
}
