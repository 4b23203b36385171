/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The half of the sandbox that knows of places: Landlock (landlock(7)). The filter sees that a file
 * is opened for writing, not which; this says where that may be.
 */

#include "core/sandbox.h"
#include <errno.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    WRITES = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
             LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
             LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
             LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
             LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM,
};

/* All of it is known to the first version of Landlock, and later ones. */
static int make_ruleset(void)
{
    const struct landlock_ruleset_attr attr = {.handled_access_fs = WRITES};
    return (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
}

static int allow_beneath(int ruleset, int dir_fd)
{
    const struct landlock_path_beneath_attr attr = {.allowed_access = WRITES, .parent_fd = dir_fd};
    return (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
}

int sandbox_confine(int dir_fd, struct err *err)
{
    int ruleset = make_ruleset();
    if (ruleset < 0 && (errno == ENOSYS || errno == EOPNOTSUPP))
        return 1;
    if (ruleset < 0)
        return err_set_errno(err, errno, "cannot make a Landlock ruleset");
    int result = dir_fd >= 0 ? allow_beneath(ruleset, dir_fd) : 0;
    if (result == 0)
        result = (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
    int error = errno;
    close(ruleset);
    if (result < 0)
        return err_set_errno(err, error, "cannot confine writing to the state directory");
    return 0;
}
