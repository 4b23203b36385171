/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The secret of a node that shares none: made once, kept in the state directory, so that cookies
 * and tickets outlive a restart.
 */

#include "core/secret.h"
#include "core/disk.h"
#include "super/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { RANDOM_BYTES = 32, LINE_BYTES = 2 * RANDOM_BYTES + 1 };

static void write_hex(const unsigned char *random, char line[LINE_BYTES + 1])
{
    for (size_t i = 0; i < RANDOM_BYTES; i++)
        snprintf(line + 2 * i, 3, "%02x", random[i]);
    line[LINE_BYTES - 1] = '\n';
    line[LINE_BYTES] = '\0';
}

/* Under another name first, so that no crash leaves half a secret. */
static int write_file(const char *path, const char *coming, const char *line, struct err *err)
{
    int fd = open(coming, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set_errno(err, errno, "cannot make %s", coming);
    bool is_written = write(fd, line, LINE_BYTES) == LINE_BYTES && fsync(fd) == 0;
    int error = errno;
    close(fd);
    if (is_written && rename(coming, path) == 0)
        return 0;
    err_set_errno(err, is_written ? errno : error, "cannot write %s", path);
    unlink(coming);
    return -1;
}

static int make(const char *path, struct err *err)
{
    char coming[PATH_MAX], line[LINE_BYTES + 1];
    unsigned char random[RANDOM_BYTES];
    if (snprintf(coming, sizeof(coming), "%s.new", path) >= (int)sizeof(coming))
        return err_set(err, "the path of the state directory is too long");
    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return err_set_errno(err, errno, "cannot draw a secret");
    write_hex(random, line);
    int result = write_file(path, coming, line, err);
    explicit_bzero(random, sizeof(random));
    explicit_bzero(line, sizeof(line));
    return result;
}

int secret_keep(const char *state_dir, struct arena *arena, struct slice *ret_bytes,
                struct err *err)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/secret", state_dir) >= (int)sizeof(path))
        return err_set(err, "the path of the state directory is too long");
    if (access(path, F_OK) < 0 && errno == ENOENT && make(path, err) < 0)
        return -1;
    if (disk_read(slice_from(path), SECRET_FILE_BYTES, arena, ret_bytes, NULL, err) < 0)
        return -1;
    struct err why = ERR_NONE;
    if (secrets_check(*ret_bytes, &why) < 0)
        return err_set(err, "%s: %s; without the file a new secret is made", path, why.text);
    return 0;
}
