/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The sandbox from inside: a child enters it under each profile and tries what it should not do and
 * what it should; from outside: what /proc says about every one of its threads.
 */

#include "base/mem.h"
#include "core/sandbox.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Each tries one thing and returns 0, or the errno that it met. */

static int outcome(int result)
{
    if (result < 0)
        return errno;
    close(result);
    return 0;
}

static int try_open_read(void)
{
    return outcome(open("/proc/self/status", O_RDONLY | O_CLOEXEC));
}

static int try_open_write(void)
{
    return outcome(open("/dev/null", O_WRONLY | O_CLOEXEC));
}

static int try_create(void)
{
    return outcome(openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int try_unlink(void)
{
    return unlink("/nonexistent") < 0 ? errno : 0;
}

static int try_exec(void)
{
    char *const args[] = {NULL};
    execve("/nonexistent", args, args);
    return errno;
}

static int try_fork(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid < 0 ? errno : 0;
}

static int try_tcp(void)
{
    return outcome(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

static int try_tcp6(void)
{
    return outcome(socket(AF_INET6, SOCK_STREAM, 0));
}

static int try_unix(void)
{
    return outcome(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int try_udp(void)
{
    return outcome(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static int try_netlink(void)
{
    return outcome(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int try_packet(void)
{
    return outcome(socket(AF_PACKET, SOCK_RAW, 0));
}

static int try_accept(void)
{
    return outcome(accept4(-1, NULL, NULL, SOCK_CLOEXEC)) == EPERM ? EPERM : 0;
}

static int try_ptrace(void)
{
    return syscall(SYS_ptrace, 0, 0, 0, 0) < 0 ? errno : 0;
}

static int try_kill(void)
{
    return kill(getppid(), 0) < 0 ? errno : 0;
}

static int try_signal_another(void)
{
    return syscall(SYS_tgkill, getppid(), getppid(), 0) < 0 ? errno : 0;
}

static int try_executable_memory(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? errno : 0;
}

static int try_memory(void)
{
    for (size_t size = 1; size < (size_t)64 << 20; size *= 4) {
        char *bytes = mem_alloc(size);
        memset(bytes, 1, size);
        mem_free(bytes);
    }
    return 0;
}

static int try_socketpair_traffic(void)
{
    char c = 'x';
    return write(STDERR_FILENO, &c, 0) < 0 ? errno : 0;
}

static void *nothing(void *context)
{
    return context;
}

static int try_thread(void)
{
    pthread_t thread;
    int result = pthread_create(&thread, NULL, nothing, NULL);
    if (result == 0)
        pthread_join(thread, NULL);
    return result;
}

enum { ALWAYS = ~0, NEVER = 0 };

static const struct attempt {
    const char *name;
    int (*fn)(void);
    unsigned allowed_with;
} attempts[] = {
    {"memory", try_memory, (unsigned)ALWAYS},
    {"traffic", try_socketpair_traffic, (unsigned)ALWAYS},
    {"executable memory", try_executable_memory, NEVER},
    {"ptrace", try_ptrace, NEVER},
    {"kill", try_kill, NEVER},
    {"signal to another process", try_signal_another, NEVER},
    {"exec", try_exec, NEVER},
    {"fork", try_fork, NEVER},
    {"accept", try_accept, SANDBOX_ACCEPT},
    {"open to read", try_open_read, SANDBOX_PROC_READ | SANDBOX_STATE_FILES},
    {"open to write", try_open_write, SANDBOX_STATE_FILES},
    {"create", try_create, SANDBOX_STATE_FILES},
    {"unlink", try_unlink, SANDBOX_STATE_FILES},
    {"tcp", try_tcp, SANDBOX_CONNECT},
    {"tcp6", try_tcp6, SANDBOX_CONNECT},
    {"unix", try_unix, SANDBOX_CONNECT},
    {"udp", try_udp, SANDBOX_DATAGRAM},
    {"netlink", try_netlink, SANDBOX_NETLINK},
    {"packet", try_packet, SANDBOX_RAW},
    {"thread", try_thread, SANDBOX_THREADS},
};

/* In the child: enters, tries all, and returns the number of the first that went wrong, from 1. */
static int enter_and_try(unsigned allow)
{
    struct sandbox_profile profile = {.allow = allow};
    struct sandbox_user user = {.uid = 65534, .gid = 65534};
    struct err err = ERR_NONE;
    if (sandbox_enter(&profile, &user, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 100;
    }
    for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
        bool is_allowed = attempts[i].allowed_with & allow || attempts[i].allowed_with == ~0u;
        int error = attempts[i].fn();
        /* pthread_create() makes EAGAIN of it; other refusals than the filter's (raw sockets
         * without the capability, files of root) are errors of their own. */
        bool is_refused = error == EPERM || (attempts[i].fn == try_thread && error == EAGAIN);
        if (attempts[i].fn == try_packet && is_allowed)
            is_refused = false;
        if (is_refused == is_allowed) {
            fprintf(stderr, "%s under %#x: %s\n", attempts[i].name, allow, strerror(error));
            return (int)i + 1;
        }
    }
    return 0;
}

static void test_profiles(void **state)
{
    (void)state;
    if (!sandbox_has_filter()) {
        print_message("a build with sanitizers has no seccomp filter\n");
        skip();
    }
    static const unsigned profiles[] = {
        0,
        SANDBOX_ACCEPT,
        SANDBOX_CONNECT,
        SANDBOX_DATAGRAM,
        SANDBOX_STATE_FILES,
        SANDBOX_PROC_READ,
        SANDBOX_NETLINK,
        SANDBOX_RAW,
        SANDBOX_THREADS,
        SANDBOX_ACCEPT | SANDBOX_CONNECT,
        SANDBOX_ACCEPT | SANDBOX_STATE_FILES | SANDBOX_PROC_READ,
        SANDBOX_CONNECT | SANDBOX_DATAGRAM | SANDBOX_NETLINK | SANDBOX_RAW | SANDBOX_THREADS,
    };
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            _exit(enter_and_try(profiles[i]));
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFSIGNALED(status))
            fail_msg("profile %#x ended by signal %d", profiles[i], WTERMSIG(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

/* abort() must end a process in there by its signal, or a broken assert would go on. */
static void test_abort(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sandbox_profile profile = {.allow = 0};
        struct sandbox_user user = {.uid = 65534, .gid = 65534};
        signal(SIGABRT, SIG_DFL); /* cmocka catches it */
        if (sandbox_enter(&profile, &user, NULL) == 0)
            abort();
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* --- from outside --------------------------------------------------------------------------------
 */

/* The number behind `key` in /proc/PID/task/TID/status, read in `base`. */
static unsigned long long status_number(pid_t pid, const char *tid, const char *key, int base)
{
    char path[128], line[256];
    snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int)pid, tid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    unsigned long long value = ~0ull;
    while (fgets(line, sizeof(line), file)) {
        if (strncmp(line, key, strlen(key)) == 0)
            value = strtoull(line + strlen(key), NULL, base);
    }
    fclose(file);
    assert_true(value != ~0ull);
    return value;
}

static void assert_thread_is_closed(pid_t pid, const char *tid, uint64_t capabilities)
{
    bool is_root = geteuid() == 0;
    assert_int_equal(status_number(pid, tid, "Uid:", 10), is_root ? 65534 : getuid());
    assert_int_equal(status_number(pid, tid, "Gid:", 10), is_root ? 65533 : getgid());
    uint64_t expected = is_root ? capabilities : 0;
    assert_int_equal(status_number(pid, tid, "CapEff:", 16), expected);
    assert_int_equal(status_number(pid, tid, "CapPrm:", 16), expected);
    assert_int_equal(status_number(pid, tid, "CapInh:", 16), 0);
    assert_int_equal(status_number(pid, tid, "CapAmb:", 16), 0);
    if (is_root)
        assert_int_equal(status_number(pid, tid, "CapBnd:", 16), capabilities);
    assert_int_equal(status_number(pid, tid, "NoNewPrivs:", 10), 1);
    assert_int_equal(status_number(pid, tid, "Seccomp:", 10), sandbox_has_filter() ? 2 : 0);
}

static void *wait_for_ever(void *context)
{
    for (;;)
        pause();
    return context;
}

/* Drops, starts two threads, filters, says so, waits to be killed. */
static void child_with_threads(int ready_fd, uint64_t capabilities)
{
    struct sandbox_profile profile = {.allow = SANDBOX_ACCEPT, .capabilities = capabilities};
    struct sandbox_user user = {.uid = 65534, .gid = 65533};
    pthread_t threads[2];
    if (sandbox_drop_privileges(&profile, &user, NULL) < 0)
        _exit(1);
    for (int i = 0; i < 2; i++) {
        if (pthread_create(&threads[i], NULL, wait_for_ever, NULL) != 0)
            _exit(2);
    }
    if (sandbox_filter(&profile, NULL) < 0)
        _exit(3);
    if (write(ready_fd, "r", 1) != 1)
        _exit(4);
    for (;;) {
        struct timespec second = {.tv_sec = 1};
        nanosleep(&second, NULL);
    }
}

static void check_threads(uint64_t capabilities)
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child_with_threads(pipes[1], capabilities);
    close(pipes[1]);
    char c = 0;
    assert_int_equal(read(pipes[0], &c, 1), 1);
    close(pipes[0]);
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    assert_non_null(tasks);
    int n_threads = 0;
    for (struct dirent *entry = readdir(tasks); entry; entry = readdir(tasks)) {
        if (entry->d_name[0] == '.')
            continue;
        /* A sanitizer's own thread is not ours. */
        assert_thread_is_closed(pid, entry->d_name, capabilities);
        n_threads++;
    }
    closedir(tasks);
    assert_true(n_threads >= 3);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_every_thread(void **state)
{
    (void)state;
    check_threads(0);
}

static void test_kept_capabilities(void **state)
{
    (void)state;
    check_threads(1ull << CAP_NET_ADMIN | 1ull << CAP_NET_RAW);
}

static void test_join(void **state)
{
    (void)state;
    struct sandbox_profile a = {.allow = SANDBOX_ACCEPT, .capabilities = 1};
    const struct sandbox_profile b = {.allow = SANDBOX_CONNECT, .capabilities = 2};
    sandbox_join(&a, &b);
    assert_int_equal(a.allow, SANDBOX_ACCEPT | SANDBOX_CONNECT);
    assert_int_equal(a.capabilities, 3);
    assert_false(a.keeps_root);
}

static void test_user(void **state)
{
    (void)state;
    struct sandbox_user user;
    struct err err = ERR_NONE;
    assert_int_equal(sandbox_user_find("root", &user, &err), 0);
    assert_int_equal(user.uid, 0);
    assert_int_equal(sandbox_user_find("", &user, &err), 0);
    assert_int_not_equal(user.uid, 0);
    assert_int_equal(sandbox_user_find("no-such-user-here", &user, &err), -1);
    assert_non_null(strstr(err.text, "no-such-user-here"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_profiles),     cmocka_unit_test(test_abort),
        cmocka_unit_test(test_every_thread), cmocka_unit_test(test_kept_capabilities),
        cmocka_unit_test(test_join),         cmocka_unit_test(test_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
