/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Control groups in a plain directory, whose files play the kernel's: what is written, what is made
 * of what is read, what is missing, and what is removed. Real ones: tests/system/test_cgroup.py.
 */

#include "core/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct stage {
    char path[64];
    int fd;
};

static void put(int fd, const char *name, const char *text)
{
    int file = openat(fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
}

static const char *got(int fd, const char *name)
{
    static char text[256];
    int file = openat(fd, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = file < 0 ? -1 : read(file, text, sizeof(text) - 1);
    if (file >= 0)
        close(file);
    text[n > 0 ? n : 0] = '\0';
    return n < 0 ? "missing" : text;
}

static void make(int fd, const char *name)
{
    assert_int_equal(mkdirat(fd, name, 0755), 0);
}

static bool has(int fd, const char *name)
{
    return faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int setup(void **state)
{
    static struct stage stage;
    snprintf(stage.path, sizeof(stage.path), "/tmp/cgroup_test.XXXXXX");
    assert_non_null(mkdtemp(stage.path));
    stage.fd = open(stage.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(stage.fd >= 0);
    *state = &stage;
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

static int teardown(void **state)
{
    struct stage *stage = *state;
    close(stage->fd);
    return nftw(stage->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- where it is ----------------------------------------------------------------------------- */

#define MOUNT(root, point) \
    "30 22 0:27 " root " " point " rw,relatime shared:4 - cgroup2 cgroup2 rw\n"
#define OTHER "31 30 0:28 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"

static void test_path(void **state)
{
    static const struct {
        const char *cgroup, *mounts, *path, *why;
    } rows[] = {
        {"0::/system.slice/weir.service\n", MOUNT("/", "/sys/fs/cgroup"),
         "/sys/fs/cgroup/system.slice/weir.service", NULL},
        {"9:name=systemd:/\n4:memory:/x\n0::/a\n", OTHER MOUNT("/", "/sys/fs/cgroup/unified"),
         "/sys/fs/cgroup/unified/a", NULL},
        {"0::/\n", MOUNT("/", "/sys/fs/cgroup"), "/sys/fs/cgroup", NULL},
        {"0::/a/b\n", MOUNT("/a", "/g"), "/g/b", NULL},
        {"0::/a\n", MOUNT("/a", "/g"), "/g", NULL},
        {"0::/ab\n", MOUNT("/a", "/g") MOUNT("/", "/h"), "/h/ab", NULL},
        {"0::/ab\n", MOUNT("/a", "/g"), NULL, "no file system cgroup2 shows the group /ab"},
        {"0::/a\n", MOUNT("/", "/with\\040space"), NULL, "no file system cgroup2"},
        {"0::/a\n", OTHER, NULL, "no file system cgroup2"},
        {"0::/a\n", "30 22 0:27 / /g rw -\n30 22\n\n", NULL, "no file system cgroup2"},
        {"4:memory:/x\n", MOUNT("/", "/g"), NULL, "no control groups of version 2"},
        {"", "", NULL, "no control groups of version 2"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char path[CGROUP_PATH_MAX];
        struct err why = ERR_NONE;
        int result =
            cgroup_path(slice_from(rows[i].cgroup), slice_from(rows[i].mounts), path, &why);
        assert_int_equal(result, rows[i].path ? 0 : -1);
        if (rows[i].path)
            assert_string_equal(path, rows[i].path);
        else
            assert_non_null(strstr(why.text, rows[i].why));
    }
}

/* A directory that nobody has marked is left alone. */
static void test_not_delegated(void **state)
{
    const struct stage *stage = *state;
    struct err why = ERR_NONE;
    int fd = -1;
    assert_int_equal(cgroup_open_delegated(stage->path, &fd, &why), -1);
    assert_non_null(strstr(why.text, "not delegated"));
    assert_int_equal(cgroup_open_delegated("/nowhere/at/all", &fd, &why), -1);
    assert_int_equal(why.number, ENOENT);
    assert_int_equal(fd, -1);
}

/* ---- dividing -------------------------------------------------------------------------------- */

static const pid_t ours = 4711;

static void test_divide(void **state)
{
    static const struct {
        const char *there, *enabled;
    } rows[] = {
        {"cpuset cpu io memory hugetlb pids rdma\n", "+memory +cpu +pids"},
        {"memory pids", "+memory +pids"},
        {"cpuset", ""}, /* which is not cpu */
        {"", ""},
    };
    const struct stage *stage = *state;
    make(stage->fd, "weir");
    make(stage->fd, "jobs");
    int leaf_fd = openat(stage->fd, "weir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err err = ERR_NONE;
        int jobs_fd;
        put(stage->fd, "cgroup.controllers", rows[i].there);
        put(stage->fd, "cgroup.subtree_control", "");
        put(stage->fd, "cgroup.procs", "4711\n");
        put(leaf_fd, "cgroup.procs", "");
        assert_int_equal(cgroup_divide(stage->fd, &ours, 1, &jobs_fd, &err), 0);
        assert_string_equal(got(stage->fd, "cgroup.subtree_control"), rows[i].enabled);
        assert_string_equal(got(leaf_fd, "cgroup.procs"), "4711");
        close(jobs_fd);
    }
    close(leaf_fd);
}

/* The kernel has the controller, and its file is not to be written. */
static void test_divide_refused(void **state)
{
    const struct stage *stage = *state;
    struct err err = ERR_NONE;
    int jobs_fd = -1;
    put(stage->fd, "cgroup.controllers", "memory");
    make(stage->fd, "cgroup.subtree_control");
    put(stage->fd, "cgroup.procs", "");
    assert_int_equal(cgroup_divide(stage->fd, &ours, 1, &jobs_fd, &err), -1);
    assert_int_equal(err.number, EISDIR);
    assert_int_equal(jobs_fd, -1);
}

/* Somebody else is in there, or somebody of another PID namespace: nobody is moved. */
static void test_divide_shared(void **state)
{
    static const char *const rows[] = {"4711\n4712\n", "1\n4711\n", "4711\n0\n", "47110"};
    const struct stage *stage = *state;
    make(stage->fd, "weir");
    int leaf_fd = openat(stage->fd, "weir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put(leaf_fd, "cgroup.procs", "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err err = ERR_NONE;
        int jobs_fd = -1;
        put(stage->fd, "cgroup.procs", rows[i]);
        assert_int_equal(cgroup_divide(stage->fd, &ours, 1, &jobs_fd, &err), -1);
        assert_int_equal(err.number, EBUSY);
        assert_string_equal(got(leaf_fd, "cgroup.procs"), "");
        assert_false(has(stage->fd, "jobs"));
    }
    close(leaf_fd);
}

/* ---- a program ------------------------------------------------------------------------------- */

static void test_limit(void **state)
{
    static const struct {
        struct cgroup_limits limits;
        const char *memory, *swap, *group, *cpu, *pids;
    } rows[] = {
        {{0}, "max", "max", "0", "max 100000", "max"},
        {{.memory_bytes = 268435456}, "268435456", "0ax", "1", "max 100000", "max"},
        {{.cpu_percent = 150}, "max", "max", "0", "150000 100000", "max"},
        {{.cpu_percent = 1}, "max", "max", "0", "1000 100000", "max"},
        {{.processes = 100}, "max", "max", "0", "max 100000", "100"},
    };
    const struct stage *stage = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err err = ERR_NONE;
        put(stage->fd, "memory.max", "max");
        put(stage->fd, "memory.swap.max", "max"); /* a plain file keeps what lies behind */
        put(stage->fd, "memory.oom.group", "0");
        put(stage->fd, "cpu.max", "max 100000");
        put(stage->fd, "pids.max", "max");
        assert_int_equal(cgroup_limit(stage->fd, &rows[i].limits, &err), 0);
        assert_string_equal(got(stage->fd, "memory.max"), rows[i].memory);
        assert_string_equal(got(stage->fd, "memory.swap.max"), rows[i].swap);
        assert_string_equal(got(stage->fd, "memory.oom.group"), rows[i].group);
        assert_memory_equal(got(stage->fd, "cpu.max"), rows[i].cpu, strlen(rows[i].cpu));
        assert_string_equal(got(stage->fd, "pids.max"), rows[i].pids);
    }
}

static const struct cgroup_limits all = {
    .memory_bytes = 1 << 20, .cpu_percent = 50, .processes = 9};

/* Nothing is made that the kernel does not have, and nothing is said of it. */
static void test_limit_missing(void **state)
{
    const struct stage *stage = *state;
    struct err err = ERR_NONE;
    put(stage->fd, "pids.max", "");
    assert_int_equal(cgroup_limit(stage->fd, &all, &err), 0);
    assert_false(has(stage->fd, "memory.max"));
    assert_false(has(stage->fd, "cpu.max"));
    assert_string_equal(got(stage->fd, "pids.max"), "9");
}

/* One that is there and cannot be written is a mistake. */
static void test_limit_refused(void **state)
{
    static const char *const files[] = {"memory.max", "memory.swap.max", "memory.oom.group",
                                        "cpu.max", "pids.max"};
    const struct stage *stage = *state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct err err = ERR_NONE;
        make(stage->fd, files[i]);
        assert_int_equal(cgroup_limit(stage->fd, &all, &err), -1);
        assert_non_null(strstr(err.text, files[i]));
        unlinkat(stage->fd, files[i], AT_REMOVEDIR);
    }
}

static void test_oom_kills(void **state)
{
    static const struct {
        const char *events;
        uint64_t n;
    } rows[] = {
        {"low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 1\n", 1},
        {"oom 5\noom_kill 0\noom_group_kill 9\n", 0},
        {"oom_kill 12", 12},
        {"oom_kill", 0},
        {"", 0},
    };
    const struct stage *stage = *state;
    assert_int_equal(cgroup_oom_kills(stage->fd), 0); /* no controller */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put(stage->fd, "memory.events", rows[i].events);
        assert_int_equal(cgroup_oom_kills(stage->fd), rows[i].n);
    }
}

/* ---- lives ----------------------------------------------------------------------------------- */

static void test_sweep(void **state)
{
    const struct stage *stage = *state;
    make(stage->fd, "100"); /* is over, and has left something */
    make(stage->fd, "100/mailer.1");
    make(stage->fd, "100/mailer.2");
    make(stage->fd, "200"); /* lives */
    make(stage->fd, "200/worker");
    make(stage->fd, "200/mailer.1");
    make(stage->fd, "300"); /* is over; one of its groups is not empty yet */
    make(stage->fd, "300/mailer.1");
    int busy_fd = openat(stage->fd, "300/mailer.1", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int living_fd = openat(stage->fd, "200/worker", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int over_fd = openat(stage->fd, "300", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put(living_fd, "cgroup.events", "populated 1\nfrozen 0\n");
    put(busy_fd, "cgroup.procs", "4711\n");
    assert_int_equal(cgroup_sweep(stage->fd), 1);
    assert_false(has(stage->fd, "100"));
    assert_true(has(stage->fd, "200/mailer.1"));
    assert_true(has(stage->fd, "300/mailer.1"));
    unlinkat(busy_fd, "cgroup.procs", 0);
    assert_int_equal(cgroup_sweep(stage->fd), 0);
    assert_false(has(stage->fd, "300"));
    assert_true(has(stage->fd, "200/worker"));
    close(busy_fd);
    close(living_fd);
    close(over_fd);
}

/* A life is over when its process has ended, and then all of it is killed. */
static void test_life_is_over(void **state)
{
    const struct stage *stage = *state;
    make(stage->fd, "100");
    make(stage->fd, "100/worker");
    int fd = openat(stage->fd, "100", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int keeper_fd = openat(fd, "worker", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put(keeper_fd, "cgroup.events", "populated 0\nfrozen 0\n");
    put(fd, "cgroup.kill", "");
    (void)cgroup_sweep(stage->fd);
    assert_string_equal(got(fd, "cgroup.kill"), "1");
    close(fd);
    close(keeper_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path),
        cmocka_unit_test_setup_teardown(test_not_delegated, setup, teardown),
        cmocka_unit_test_setup_teardown(test_divide, setup, teardown),
        cmocka_unit_test_setup_teardown(test_divide_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_divide_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oom_kills, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sweep, setup, teardown),
        cmocka_unit_test_setup_teardown(test_life_is_over, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
