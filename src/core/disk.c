/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Configured files, patterns and variables from the disk and the environment.
 */

#include "core/disk.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads until the end or until max_bytes + 1 are there. Returns the bytes read, or -1 with
 * errno. */
static ssize_t read_all(int fd, char *buf, size_t max_bytes)
{
    size_t len = 0;
    while (len <= max_bytes) {
        ssize_t n = read(fd, buf + len, max_bytes + 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

static int read_open_file(int fd, struct slice path, size_t max_bytes, struct arena *arena,
                          struct slice *ret_bytes, unsigned *ret_mode, struct err *err)
{
    struct stat stat;
    if (fstat(fd, &stat) < 0)
        return err_set_errno(err, errno, "cannot look at %.*s", SLICE_ARG(path));
    if (!S_ISREG(stat.st_mode))
        return err_set(err, "%.*s is %s, not a file", SLICE_ARG(path),
                       S_ISDIR(stat.st_mode) ? "a folder" : "something else");
    if ((uint64_t)stat.st_size > max_bytes)
        return err_set(err, "%.*s is larger than %zu bytes", SLICE_ARG(path), max_bytes);
    /* A file may grow while it is read: there is room for one byte too many, which tells. */
    size_t cap = (size_t)stat.st_size + 4096 < max_bytes ? (size_t)stat.st_size + 4096 : max_bytes;
    char *buf = arena_alloc(arena, cap + 2);
    ssize_t len = read_all(fd, buf, cap);
    if (len < 0)
        return err_set_errno(err, errno, "cannot read %.*s", SLICE_ARG(path));
    if ((size_t)len > cap)
        return err_set(err, "%.*s grew while it was read, or is larger than %zu bytes",
                       SLICE_ARG(path), max_bytes);
    buf[len] = 0;
    *ret_bytes = slice_make(buf, (size_t)len);
    if (ret_mode)
        *ret_mode = stat.st_mode;
    return 0;
}

int disk_read(struct slice path, size_t max_bytes, struct arena *arena, struct slice *ret_bytes,
              unsigned *ret_mode, struct err *err)
{
    char *name = slice_dup(path);
    /* O_NONBLOCK: a fifo must not hold us; it is refused a moment later. */
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    mem_free(name);
    if (fd < 0)
        return err_set_errno(err, errno, "cannot open %.*s", SLICE_ARG(path));
    int result = read_open_file(fd, path, max_bytes, arena, ret_bytes, ret_mode, err);
    close(fd);
    return result;
}

static int host_read(void *ctx, struct slice path, struct arena *arena, struct slice *ret_bytes,
                     struct err *err)
{
    (void)ctx;
    return disk_read(path, CONF_FILE_MAX, arena, ret_bytes, NULL, err);
}

static int compare_paths(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static int host_glob(void *ctx, struct slice pattern, struct arena *arena, struct slice **ret_paths,
                     size_t *ret_n, struct err *err)
{
    (void)ctx;
    glob_t found;
    char *text = slice_dup(pattern);
    int result = glob(text, GLOB_NOSORT | GLOB_ERR, NULL, &found);
    mem_free(text);
    *ret_paths = NULL;
    *ret_n = 0;
    if (result == GLOB_NOMATCH)
        return 0;
    if (result != 0)
        return err_set_errno(err, errno, "cannot look for %.*s", SLICE_ARG(pattern));
    struct slice *paths = ARENA_NEW_ARRAY(arena, struct slice, found.gl_pathc);
    for (size_t i = 0; i < found.gl_pathc; i++)
        paths[i] = arena_dup(arena, slice_from(found.gl_pathv[i]));
    *ret_n = found.gl_pathc;
    globfree(&found);
    qsort(paths, *ret_n, sizeof(*paths), compare_paths);
    *ret_paths = paths;
    return 0;
}

static const char *host_env(void *ctx, struct slice name)
{
    (void)ctx;
    char *text = slice_dup(name);
    const char *value = getenv(text);
    mem_free(text);
    return value;
}

struct conf_host disk_host(void)
{
    return (struct conf_host){.read = host_read, .glob = host_glob, .env = host_env};
}

char *disk_folder(void)
{
    char here[PATH_MAX];
    return mem_strdup(getcwd(here, sizeof(here)) ? here : "/");
}
