/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Programs that end well, badly, late, loudly or not at all, and what is left of them: nothing.
 */

#include "worker/run.h"

#include "base/mem.h"
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

enum { TURNS_MAX = 30000 };

struct got {
    unsigned n;
    struct program_result result;
};

static void on_end(void *ctx, const struct program_result *result)
{
    struct got *got = ctx;
    got->n++;
    got->result = *result;
}

static int setup(void **state)
{
    struct loop *loop;
    if (loop_create(0, &loop, NULL) < 0)
        return -1;
    *state = loop;
    return 0;
}

static int teardown(void **state)
{
    struct loop *loop = *state;
    loop_destroy(&loop);
    return 0;
}

static size_t count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static struct run *start(struct loop *loop, const char *path, const char *script,
                         uint64_t timeout_ns, struct got *got)
{
    const char *const argv[] = {path, "-c", script, NULL};
    static const char *const env[] = {"PATH=/usr/bin:/bin", "NAME=a b", NULL};
    const struct run_spec spec = {.path = path, .argv = argv, .env = env, .timeout_ns = timeout_ns};
    *got = (struct got){.n = 0};
    return run_start(loop, &spec, on_end, got);
}

static void await(struct loop *loop, const struct got *got)
{
    for (int i = 0; i < TURNS_MAX && !got->n; i++)
        loop_turn(loop, 1);
    assert_int_equal(got->n, 1);
}

/* No child is left, dead or alive. */
static void expect_no_child(struct loop *loop)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD)
            return;
        loop_turn(loop, 1);
    }
    fail_msg("a child is left");
}

static void test_ends(void **state)
{
    static const struct {
        const char *script;
        uint64_t timeout_ms;
        enum program_outcome outcome;
        int number;
        const char *line;
    } rows[] = {
        {"exit 0", 20000, PROGRAM_EXITED, 0, ""},
        {"echo well; echo more; exit 0", 20000, PROGRAM_EXITED, 0, "well"},
        {"exit 3", 20000, PROGRAM_EXITED, 3, ""},
        {"echo no table >&2; exit 2", 20000, PROGRAM_EXITED, 2, "no table"},
        {"printf 'no end of line'", 20000, PROGRAM_EXITED, 0, "no end of line"},
        {"printf '\\n\\r\\nthird\\r\\n'", 20000, PROGRAM_EXITED, 0, "third"},
        {"printf 'a\\001\\377b\\n'", 20000, PROGRAM_EXITED, 0, "a??b"},
        {"echo \"$NAME\"; echo $HOME", 20000, PROGRAM_EXITED, 0, "a b"},
        {"kill -SEGV $$", 20000, PROGRAM_SIGNALED, SIGSEGV, ""},
        {"kill -TERM $$", 20000, PROGRAM_SIGNALED, SIGTERM, ""}, /* which weir itself ignores */
        {"echo so far; sleep 60", 300, PROGRAM_LATE, 0, "so far"},
        {"trap '' TERM INT HUP; sleep 60 & wait; wait", 300, PROGRAM_LATE, 0, ""},
        {"read line; echo \"got <$line>\"", 20000, PROGRAM_EXITED, 0, "got <>"},
        {"pwd; umask", 20000, PROGRAM_EXITED, 0, "/"},
        {"ls /proc/self/fd | tr '\\n' ' '", 20000, PROGRAM_EXITED, 0, "0 1 2 3 "},
    };
    struct loop *loop = *state;
    size_t n_fds = count_fds();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct got got;
        start(loop, "/bin/sh", rows[i].script, rows[i].timeout_ms * MS, &got);
        assert_int_equal(got.n, 0);
        await(loop, &got);
        if (got.result.outcome != rows[i].outcome || got.result.number != rows[i].number ||
            strcmp(got.result.line, rows[i].line) != 0)
            fail_msg("%s: %d, %d, \"%s\"", rows[i].script, (int)got.result.outcome,
                     (int)got.result.number, got.result.line);
        expect_no_child(loop);
    }
    assert_int_equal(count_fds(), n_fds);
}

static void test_not_started(void **state)
{
    static const struct {
        const char *path;
        int error;
    } rows[] = {{"/nonexistent/program", ENOENT}, {"/etc/passwd", EACCES}, {"/etc", EACCES}};
    struct loop *loop = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct got got;
        start(loop, rows[i].path, "", 20 * S, &got);
        await(loop, &got);
        assert_int_equal(got.result.outcome, PROGRAM_NOT_STARTED);
        assert_int_equal(got.result.number, rows[i].error);
        expect_no_child(loop);
    }
}

/* What prints for ever is not read for ever, and ends by the closed pipe or by its time. */
static void test_loud(void **state)
{
    struct loop *loop = *state;
    struct got got;
    start(loop, "/bin/sh", "exec yes loud", 20 * S, &got);
    await(loop, &got);
    assert_int_equal(got.result.outcome, PROGRAM_SIGNALED);
    assert_int_equal(got.result.number, SIGPIPE);
    assert_string_equal(got.result.line, "loud");
    start(loop, "/bin/sh", "head -c 1000 /dev/zero | tr '\\0' x", 20 * S, &got);
    await(loop, &got);
    assert_int_equal(strlen(got.result.line), PROGRAM_LINE_MAX - 1);
    expect_no_child(loop);
}

/* Dead; whether its new parent has reaped it is that one's affair. */
static bool is_gone(pid_t pid)
{
    char path[64], text[256];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return true;
    size_t n = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[n] = '\0';
    const char *end = strrchr(text, ')');
    return !end || end[1] == '\0' || end[2] == 'Z' || end[2] == 'X';
}

/* The number of a grandchild, as its parent printed it. */
static void expect_gone(struct loop *loop, const char *line)
{
    pid_t pid = (pid_t)strtol(line, NULL, 10);
    assert_true(pid > 1);
    for (int i = 0; i < TURNS_MAX && !is_gone(pid); i++)
        loop_turn(loop, 1);
    assert_true(is_gone(pid));
}

/* With its time over, and when it ends by itself, what it has started ends too. */
static void test_group(void **state)
{
    struct loop *loop = *state;
    struct got got;
    start(loop, "/bin/sh", "sleep 60 & echo $!; wait", 500 * MS, &got);
    await(loop, &got);
    assert_int_equal(got.result.outcome, PROGRAM_LATE);
    expect_gone(loop, got.result.line);
    start(loop, "/bin/sh", "sleep 60 & echo $!; exit 0", 20 * S, &got);
    await(loop, &got);
    assert_int_equal(got.result.outcome, PROGRAM_EXITED);
    expect_gone(loop, got.result.line);
    expect_no_child(loop);
}

static void test_cancel(void **state)
{
    struct loop *loop = *state;
    size_t n_fds = count_fds();
    for (int i = 0; i < 3; i++) {
        struct got got;
        struct run *run =
            start(loop, i == 2 ? "/nonexistent" : "/bin/sh", "sleep 60", 60 * S, &got);
        for (int turn = 0; turn < i * 20; turn++)
            loop_turn(loop, 1);
        if (i == 2 && got.n)
            continue; /* it has told already that there is none */
        run_cancel(&run);
        assert_null(run);
        expect_no_child(loop);
        for (int turn = 0; turn < 5; turn++)
            loop_turn(loop, 1);
        assert_int_equal(got.n, 0);
    }
    assert_int_equal(count_fds(), n_fds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_started, setup, teardown),
        cmocka_unit_test_setup_teardown(test_loud, setup, teardown),
        cmocka_unit_test_setup_teardown(test_group, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
